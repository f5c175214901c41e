"""Leaks of one loop at once: each by its own hole; valves close only the panels with holes."""

import numpy as np
import pytest
from factories import make_fleet

from twin.coolant import FILL_PRESSURE_PA as FULL_PA
from twin.coolant import TRIP_PRESSURE_FRAC, Loop, loop_pressure_pa, next_loop
from twin.state import FleetParams

STEP_S = 10.0
SEAL_FRAC_S, HIT_FRAC_S = 4.17e-7, 1.52e-4  # T3 and T4 of the catalogue at severity 1


def _pumped(count: int) -> FleetParams:
    return make_fleet([0] * count, coolant_kg=100.0).params


def _after(
    before: Loop, params: FleetParams, steps: int, seal: list[float], holes: list[float]
) -> Loop:
    """seal: leaks over that of T3; holes: punctures over that of T4, half of the radiator each."""
    for _ in range(steps):
        before = next_loop(
            before,
            pump_frac=np.ones(len(seal)),
            leak_frac_s=SEAL_FRAC_S * np.array(seal),
            puncture_frac=0.5 * np.array(holes),
            puncture_leak_frac_s=HIT_FRAC_S * np.array(holes),
            params=params,
            step_s=STEP_S,
        )
    return before


def _tight(count: int) -> Loop:
    return Loop(np.ones(count), np.zeros(count), np.zeros(count))


def test_a_panel_that_is_closed_stops_its_own_leak_and_no_other() -> None:
    params = _pumped(3)
    seal, holes = [1.0, 0.0, 1.0], [0.0, 1.0, 1.0]  # a seal, a hit, and both on one satellite
    closed = _after(_tight(3), params, 100, seal, holes)
    assert closed.radiator_isolated_frac.tolist() == [0.0, 0.5, 0.5]
    later = _after(closed, params, 1000, seal, holes)
    lost_kg = later.coolant_lost_kg - closed.coolant_lost_kg
    hour_kg = SEAL_FRAC_S * params.coolant_kg * 1000 * STEP_S
    assert lost_kg == pytest.approx(hour_kg * np.array(seal), rel=1e-9)


def test_two_punctures_close_one_after_the_other() -> None:
    params = _pumped(1)
    first = _after(_tight(1), params, 100, [0.0], [1.0])
    pressure = loop_pressure_pa(first.coolant_lost_kg, params)
    assert first.radiator_isolated_frac == 0.5 and pressure < TRIP_PRESSURE_FRAC * FULL_PA
    second = _after(first, params, 100, [0.0], [2.0])
    # The loop is below the trip already: the second panel loses one step of its own hole's leak.
    lost_kg = second.coolant_lost_kg - first.coolant_lost_kg
    assert second.radiator_isolated_frac == 1.0
    assert lost_kg == pytest.approx(HIT_FRAC_S * params.coolant_kg * STEP_S, rel=1e-9)
