"""Cycle counting against the rainflow package (ASTM E1049), ageing against Xu et al. 2016."""

import numpy as np
import pytest
import rainflow
from hypothesis import given, settings
from hypothesis import strategies as st

from twin import battery_ageing
from twin.state import FloatArray

YEAR_S = 31_557_600.0


def counted(histories: FloatArray) -> list[list[tuple[float, float, float]]]:
    """(depth, mean, weight) of every cycle of each history (samples, n), ends included."""
    extreme, stack = histories[0], battery_ageing.no_reversals_frac(histories[0])
    found: list[list[tuple[float, float, float]]] = [[] for _ in range(histories.shape[1])]

    def note(closed: battery_ageing.ClosedCycles) -> None:
        for row, *cycle in zip(*(part.tolist() for part in closed), strict=True):
            found[row].append(tuple(cycle))

    for sample in histories[1:]:
        count = battery_ageing.count_cycles(sample, extreme, stack)
        extreme, stack = count.extreme_frac, count.reversal_frac
        note(count.closed)
    note(battery_ageing.open_cycles(extreme, stack))
    return [sorted(one) for one in found]


def reference(history: FloatArray) -> list[tuple[float, float, float]]:
    return sorted((r, m, w) for r, m, w, _, _ in rainflow.extract_cycles(history))


def test_val_rainflow_of_the_standards_own_example() -> None:
    # ASTM E1049-85 figure 6 and table X: -2 1 -3 5 -1 3 -4 4 -2, scaled onto charge.
    history = (np.array([-2.0, 1, -3, 5, -1, 3, -4, 4, -2]) + 5.0) / 10.0
    cycles = counted(history[:, np.newaxis])[0]
    ranges = sorted((round(10 * depth), weight) for depth, _, weight in cycles)
    assert ranges == [(3, 0.5), (4, 0.5), (4, 1.0), (6, 0.5), (8, 0.5), (8, 0.5), (9, 0.5)]


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.integers(0, 40), min_size=2, max_size=9),
    repeats=st.integers(1, 30),
)
def test_val_rainflow_equals_the_package(steps: list[int], repeats: int) -> None:
    # A course that repeats keeps its open reversals within a few however long it is.
    history = np.tile(np.array(steps) / 40.0, repeats)
    if repeats * len(steps) > 2 and len(set(steps)) > 1:
        ours = np.array(counted(history[:, np.newaxis])[0])
        theirs = np.array(reference(history))
        assert ours.shape == theirs.shape
        assert np.allclose(ours, theirs, atol=1e-12)


def test_val_rainflow_of_a_fleet_of_random_walks_uses_the_packages_life() -> None:
    rng = np.random.default_rng(5)
    walks = np.clip(0.7 + np.cumsum(rng.normal(0.0, 0.04, (800, 25)), axis=0), 0.1, 1.0)
    ours = counted(walks)
    exact = 0
    for row, cycles in enumerate(ours):
        theirs = reference(walks[:, row])
        kept = [one for one in theirs if one[0] >= battery_ageing.CYCLE_DEADBAND_FRAC]
        # Reversals beyond the bound close early, swings inside the dead band not at all.
        life = [
            sum(float(battery_ageing.cycle_stress(np.array(d))) * w for d, _, w in c)
            for c in (cycles, theirs)
        ]
        assert life[0] == pytest.approx(life[1], rel=0.03)
        exact += len(kept) == len(cycles) and np.allclose(cycles, kept, atol=0.01)
    assert exact > 0  # and some walks stay within the bound altogether


def test_val_cycle_stress_is_the_published_curve() -> None:
    # Xu et al. 2016: full cycles of 100 % depth at 50 % and 25 C; k1 + k3 = 1.7e4 of them use f=1.
    assert float(battery_ageing.cycle_stress(np.array(1.0))) == pytest.approx(
        1.0 / 1.7e4, rel=1e-12
    )
    depths = np.linspace(0.01, 1.0, 100)
    assert np.all(np.diff(battery_ageing.cycle_stress(depths)) > 0.0)
    assert float(battery_ageing.cycle_stress(np.array(0.0))) < 1e-8


def test_val_temperature_stress_doubles_in_ten_kelvin_and_is_one_at_the_reference() -> None:
    # exp(0.0693 dT) is the rule that ten kelvin double the rate (ln 2 / 10 = 0.0693).
    reference_k = np.array([battery_ageing.TEMPERATURE_REFERENCE_K])
    half = np.array([0.5])
    assert battery_ageing.state_stress(half, reference_k)[0] == 1.0
    warm = battery_ageing.state_stress(half, reference_k + 10.0)[0]
    assert warm == pytest.approx(2.0, rel=0.03)


def test_val_five_years_of_a_low_orbit_fade_by_a_fifth() -> None:
    # physics.md 4.3: 15 cycles a day of 20 % depth at 20 C lose about 20 % in five years.
    seconds, cycles = 5 * YEAR_S, 5 * 365.25 * 15
    factor = float(battery_ageing.state_stress(np.array([0.9]), np.array([293.15]))[0])
    life = (
        cycles * float(battery_ageing.cycle_stress(np.array(0.2)))
        + battery_ageing.CALENDAR_PER_S * seconds
    )
    left = float(battery_ageing.capacity_left_frac(np.array(life * factor)))
    assert 0.74 < left < 0.86
    assert float(battery_ageing.capacity_left_frac(np.array(0.0))) == 1.0
    assert float(battery_ageing.resistance_growth(np.array(0.8))) == pytest.approx(1.5)
