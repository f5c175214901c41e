"""The energy-ahead check: forecasts against the battery stepped through, and what it grants."""

import numpy as np
import pytest
from factories import class_params, make_environment, make_fleet

from twin import power_ahead
from twin.battery import battery_flow, soc_of_stored_frac, stored_j
from twin.eclipse import shadow_left_s
from twin.power import NOMINAL, SAFE_SOC_FRAC, shed_soc_frac
from twin.state import FleetParams, FleetState, FloatArray
from twin.step import initial_state, step


def drained(soc: FloatArray, draw_w: FloatArray, seconds: int, params: FleetParams) -> FloatArray:
    for _ in range(seconds):
        soc = battery_flow(
            deficit_w=draw_w,
            surplus_w=np.zeros(3),
            soc_frac=soc,
            battery_temp_k=np.full(3, 295.0),
            params=params,
            step_s=1.0,
        ).soc_frac
    return soc


def test_stored_energy_inverts() -> None:
    params = class_params()
    for soc in np.linspace(0.0, 1.0, 37):
        back = soc_of_stored_frac(stored_j(np.full(3, soc), params), params)
        assert np.allclose(back, soc, atol=1e-4)


@pytest.mark.parametrize("minutes", [5, 20, 35])
def test_the_forecast_is_what_the_battery_then_does(minutes: int) -> None:
    params = class_params()
    draw_w = params.battery_capacity_j / 3600.0 * 0.4  # C / 2.5: 23 % of depth in 35 minutes
    soc = np.full(3, 0.85)
    left_s = np.full(3, 60.0 * minutes)
    forecast = power_ahead.end_soc_frac(soc, draw_w, left_s, params)
    assert np.allclose(forecast, drained(soc, draw_w, 60 * minutes, params), atol=0.01)
    # and the inverse question has the inverse answer
    asked_w = power_ahead.affordable_draw_w(soc, forecast, left_s, params)
    assert np.allclose(asked_w, draw_w, rtol=2e-3)


def test_below_the_floor_nothing_is_affordable() -> None:
    params = class_params()
    draw_w = power_ahead.affordable_draw_w(
        np.full(3, 0.3), np.full(3, 0.35), np.full(3, 900.0), params
    )
    assert np.all(draw_w == 0.0)


def test_only_satellites_in_the_dark_that_could_run_short_are_checked() -> None:
    fleet = make_fleet(np.zeros(200, dtype=np.int64))
    sky = make_environment(0.0, 200, beta_rad=0.1)
    dark = sky.sunlit_frac < 0.5
    hungry = power_ahead.rows_to_check(sky, np.full(200, 0.9), np.full(200, 18e3), fleet.params)
    assert np.array_equal(hungry, np.flatnonzero(dark))
    modest = power_ahead.rows_to_check(sky, np.full(200, 0.9), np.full(200, 500.0), fleet.params)
    assert modest.size == 0


def orbit(battery_j: float) -> list[FleetState]:
    """States in the shadow over one orbit of a payload that its battery cannot carry through."""
    fleet = make_fleet([0], battery_capacity_j=battery_j, see_sensitivity_frac=0.0)
    first = make_environment(0.0, 1, beta_rad=0.1, phase_rad=np.array([1.0]))
    state = initial_state(fleet, first, 1)
    seen = []
    for k in range(1, 600):
        sky = make_environment(10.0 * k, 1, beta_rad=0.1, phase_rad=np.array([1.0]))
        state = step(state, fleet, sky, 10.0, 10.0 * k, 1)
        if sky.sunlit_frac[0] < 0.5:
            seen.append(state)
    return seen


def test_jobs_slow_down_ahead_of_the_shed_and_the_eclipse_ends_above_its_trigger() -> None:
    # 17 kW and 1 kW of housekeeping through 35 minutes need 10.6 kWh; 9 kWh are there.
    seen = orbit(9e3 * 3600.0)
    soc = np.array([state.soc_frac[0] for state in seen])
    mode = np.array([state.mode[0] for state in seen])
    granted_w = np.array([state.compute_power_w[0] for state in seen])
    trigger = float(shed_soc_frac(class_params())[0])
    assert soc.min() >= trigger
    assert soc.min() == pytest.approx(trigger + power_ahead.AHEAD_MARGIN_FRAC, abs=0.02)
    assert np.all(mode != 2)
    assert np.all(mode != 3)
    assert granted_w.max() < 16e3  # capped from the first minute on
    assert granted_w.min() > 0.0


def test_a_battery_with_plenty_is_never_capped() -> None:
    seen = orbit(40e3 * 3600.0)
    assert min(float(state.compute_power_w[0]) for state in seen) > 13e3


def test_ahead_cap_is_infinite_elsewhere() -> None:
    params = class_params()
    cap_w = power_ahead.ahead_cap_w(
        rows=np.array([1]),
        remaining_s=np.array([1000.0]),
        essential_w=params.bus_power_w,
        array_w=np.zeros(3),
        mode=np.full(3, NOMINAL),
        soc_frac=np.full(3, SAFE_SOC_FRAC),
        params=params,
    )
    assert np.isinf(cap_w[[0, 2]]).all()
    assert cap_w[1] == 0.0


def test_time_left_in_the_shadow_counts_down_to_the_edge() -> None:
    # On the test sky (a circle, a cylinder of 6378 km) the closed form is exact to the tick.
    for beta in (0.0, 0.3, 0.9):
        phases = np.linspace(0.0, 2.0 * np.pi, 400, endpoint=False)
        sky = make_environment(0.0, 400, beta_rad=beta, phase_rad=phases)
        left_s = shadow_left_s(sky.position_teme_m, sky.velocity_teme_m_s, sky.sun_unit)
        inside = sky.sunlit_frac < 0.5
        # the oblate Earth of the product is a little smaller at high latitude
        assert np.mean((left_s > 0.0) != inside) < 0.01
        rate_rad_s = np.linalg.norm(sky.velocity_teme_m_s[0]) / np.linalg.norm(
            sky.position_teme_m[0]
        )
        run = left_s[left_s > 0.0]
        steps = -np.diff(run) * rate_rad_s
        assert np.allclose(steps, 2.0 * np.pi / 400, rtol=0.02)
