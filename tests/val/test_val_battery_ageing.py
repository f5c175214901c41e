"""Cycle counting against the rainflow package (ASTM E1049), ageing against Xu et al. 2016."""

from dataclasses import replace

import numpy as np
import pytest
import rainflow
from factories import make_environment, make_fleet
from hypothesis import given, settings
from hypothesis import strategies as st

from twin import battery_ageing as ageing
from twin.heat_network import BATTERY
from twin.state import FloatArray
from twin.step import initial_state, step

YEAR_S = 31_557_600.0


def counted(histories: FloatArray) -> list[list[tuple[float, float, float]]]:
    """(depth, mean, weight) of every cycle of each history (samples, n), ends included."""
    extreme, stack = histories[0], ageing.no_reversals_frac(histories[0])
    found: list[list[tuple[float, float, float]]] = [[] for _ in range(histories.shape[1])]

    def note(closed: ageing.ClosedCycles) -> None:
        for row, *cycle in zip(*(part.tolist() for part in closed), strict=True):
            found[row].append(tuple(cycle))

    for sample in histories[1:]:
        count = ageing.count_cycles(sample, extreme, stack)
        extreme, stack = count.extreme_frac, count.reversal_frac
        note(count.closed)
    note(ageing.open_cycles(extreme, stack))
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
        kept = [one for one in theirs if one[0] >= ageing.CYCLE_DEADBAND_FRAC]
        # Reversals beyond the bound close early, swings inside the dead band not at all.
        life = [
            sum(float(ageing.cycle_stress(np.array(d))) * w for d, _, w in c)
            for c in (cycles, theirs)
        ]
        assert life[0] == pytest.approx(life[1], rel=0.03)
        exact += len(kept) == len(cycles) and np.allclose(cycles, kept, atol=0.01)
    assert exact > 0  # and some walks stay within the bound altogether


def test_val_cycle_stress_is_the_published_curve() -> None:
    # Xu et al. 2016: full cycles of 100 % depth at 50 % and 25 C; k1 + k3 = 1.7e4 of them use f=1.
    assert float(ageing.cycle_stress(np.array(1.0))) == pytest.approx(1.0 / 1.7e4, rel=1e-12)
    depths = np.linspace(0.01, 1.0, 100)
    assert np.all(np.diff(ageing.cycle_stress(depths)) > 0.0)
    assert float(ageing.cycle_stress(np.array(0.0))) < 1e-8


def test_val_temperature_stress_doubles_in_ten_kelvin_and_is_one_at_the_reference() -> None:
    # exp(0.0693 dT) is the rule that ten kelvin double the rate (ln 2 / 10 = 0.0693).
    reference_k = np.array([ageing.TEMPERATURE_REFERENCE_K])
    half = np.array([0.5])
    assert ageing.state_stress(half, reference_k)[0] == 1.0
    warm = ageing.state_stress(half, reference_k + 10.0)[0]
    assert warm == pytest.approx(2.0, rel=0.03)


def test_val_five_years_of_a_low_orbit_fade_by_a_fifth() -> None:
    # Xu et al. 2016, evaluated apart: 15 cycles a day of 20 % depth at 20 C lose about 20 % in
    # five years.
    seconds, cycles = 5 * YEAR_S, 5 * 365.25 * 15
    factor = float(ageing.state_stress(np.array([0.9]), np.array([293.15]))[0])
    life = cycles * float(ageing.cycle_stress(np.array(0.2))) + ageing.CALENDAR_PER_S * seconds
    left = float(ageing.capacity_left_frac(np.array(life * factor)))
    assert 0.74 < left < 0.86
    assert float(ageing.capacity_left_frac(np.array(0.0))) == 1.0
    assert float(ageing.resistance_growth(np.array(0.8))) == pytest.approx(1.5)


def test_val_the_life_a_run_uses_is_the_packages_count_of_its_own_charge() -> None:
    # Four low orbits in eclipse: the charge is recorded, counted by rainflow and summed by hand.
    fleet = make_fleet([0, 1, 2], see_sensitivity_frac=0.0)
    state = initial_state(fleet, make_environment(0.0, 3, beta_rad=0.1), 1)
    charge, heat, calendar = [state.soc_frac], [], np.zeros(3)
    for k in range(1, 400):
        before_k = state.node_temp_k[:, BATTERY]
        sky = make_environment(60.0 * k, 3, beta_rad=0.1)
        state = step(state, fleet, sky, 60.0, 60.0 * k, 1)
        charge.append(state.soc_frac)
        heat.append(before_k)
        factor = ageing.state_stress(state.soc_frac, before_k)
        calendar = calendar + ageing.CALENDAR_PER_S * 60.0 * factor
    history, mean_k = np.array(charge), np.mean(heat, axis=0)
    for row in range(3):
        cycles = 0.0
        ends = ageing.open_cycles(state.cycle_extreme_frac, state.cycle_reversal_frac)
        here = np.flatnonzero(ends.row == row)
        still_open = list(zip(ends.depth_frac[here], ends.weight[here], strict=True))
        for depth, mean, weight in reference(history[:, row]):
            if any(abs(depth - d) < 0.003 and weight == w for d, w in still_open):
                continue
            factor = float(ageing.state_stress(np.array(mean), mean_k[row]))
            cycles += weight * float(ageing.cycle_stress(np.array(depth))) * factor
        # The run takes the temperature at which a cycle closes, this sum the mean of the run.
        assert state.battery_life_used[row] == pytest.approx(calendar[row] + cycles, rel=0.1)
        assert state.battery_life_used[row] > 1.2 * calendar[row]
    assert np.allclose(
        state.battery_health_frac, ageing.capacity_left_frac(state.battery_life_used), atol=1e-4
    )


def test_val_a_faded_battery_empties_faster_in_proportion() -> None:
    # Batteries large enough that the energy-ahead check leaves the payload alone.
    fleet = make_fleet([0, 1, 2], see_sensitivity_frac=0.0, battery_capacity_j=4e8)
    sky = make_environment(0.0, 3, beta_rad=0.0, phase_rad=np.full(3, np.pi))  # midnight
    new = initial_state(fleet, sky, 1)
    fallen = []
    for health in (1.0, 0.8):
        state = replace(new, battery_health_frac=np.full(3, health))
        after = step(state, fleet, sky, 1.0, 1.0, 1)
        fallen.append(new.soc_frac - after.soc_frac)
    # A little more than 1 / 0.8: the resistance has grown as well.
    assert np.all(fallen[1] / fallen[0] > 1.25)
    assert np.all(fallen[1] / fallen[0] < 1.40)
