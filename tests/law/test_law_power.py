"""Laws of the bus: energy closes, charge stays between empty and full, small ticks agree."""

import numpy as np
import pytest
from factories import class_params
from hypothesis import given
from hypothesis import strategies as st

from twin import power
from twin.battery import stored_j
from twin.state import FleetParams, FloatArray

CLASSES = 3
watts = st.floats(0.0, 300e3)
shares = st.floats(0.0, 1.0)


def balance(
    compute_w: float,
    array_w: float,
    soc: FloatArray,
    params: FleetParams,
    step_s: float = 1.0,
    temp_k: float = 295.0,
) -> power.PowerBalance:
    full = np.ones(CLASSES)
    return power.power_balance(
        compute_w=compute_w * full,
        heater_w=np.minimum(50.0, params.heater_power_w),
        array_w=array_w * full,
        soc_frac=soc,
        battery_temp_k=temp_k * full,
        params=params,
        step_s=step_s,
    )


@given(
    compute_w=watts,
    array_w=watts,
    soc=shares,
    external_w=st.floats(0.0, 2e3),
    step_s=st.floats(0.1, 3600.0),
    temp_k=st.floats(250.0, 320.0),
)
def test_law_energy_in_is_energy_out_plus_stored_plus_losses(
    compute_w: float, array_w: float, soc: float, external_w: float, step_s: float, temp_k: float
) -> None:
    params = class_params(external_power_w=external_w)
    tick = balance(compute_w, array_w, np.full(CLASSES, soc), params, step_s, temp_k)
    demand_w = compute_w + params.bus_power_w + np.minimum(50.0, params.heater_power_w)
    scale_w = 1.0 + demand_w + array_w + external_w
    source_w = tick.array_w + tick.external_w
    assert np.all(
        np.abs(source_w - tick.load_w - tick.stored_w - tick.battery_heat_w) < 1e-9 * scale_w
    )
    assert np.all(np.abs(demand_w - tick.load_w - tick.unserved_w) < 1e-9 * scale_w)
    terminals_w = tick.array_w / params.converter_efficiency_frac
    assert np.all(np.abs(terminals_w - tick.array_w - tick.converter_heat_w) < 1e-9 * scale_w)
    assert np.all(tick.battery_heat_w >= -1e-9 * scale_w)
    assert np.all(tick.array_w <= array_w)
    assert np.all((tick.array_w >= 0.0) & (tick.external_w >= 0.0))
    assert np.all(tick.external_w <= external_w + 1e-9 * scale_w)


@given(
    compute_w=watts,
    array_w=watts,
    soc=shares,
    step_s=st.floats(0.1, 86400.0),
    capacity_j=st.sampled_from([0.0, 1e3, 1e6, 1e8]),
)
def test_law_charge_stays_between_empty_and_full(
    compute_w: float, array_w: float, soc: float, step_s: float, capacity_j: float
) -> None:
    params = class_params(battery_capacity_j=capacity_j)
    tick = balance(compute_w, array_w, np.full(CLASSES, soc), params, step_s)
    assert np.all((tick.soc_frac >= 0.0) & (tick.soc_frac <= 1.0))
    assert np.all(tick.unserved_w >= 0.0)
    if capacity_j == 0.0:
        assert np.all(tick.current_a == 0.0)
        assert np.all(tick.soc_frac == soc)


def test_law_an_empty_battery_leaves_power_unserved_and_the_payload_pays_first() -> None:
    params = class_params()
    tick = balance(1000.0, 0.0, np.zeros(CLASSES), params)
    assert np.allclose(tick.unserved_w, 1000.0 + params.bus_power_w + 50.0)
    tick = balance(1000.0, params.bus_power_w[0] + 250.0, np.zeros(CLASSES), params)
    assert tick.compute_w[0] == pytest.approx(200.0)
    assert tick.load_w[0] == pytest.approx(params.bus_power_w[0] + 250.0)


def drift_j(step_s: float) -> FloatArray:
    """Booked stored energy less the change of the charge's own energy over 1000 s of discharge."""
    params = class_params()
    soc, booked = np.full(CLASSES, 0.9), np.zeros(CLASSES)
    for _ in range(round(1000.0 / step_s)):
        tick = balance(4000.0, 0.0, soc, params, step_s)
        booked += tick.stored_w * step_s
        soc = tick.soc_frac
    return np.abs(booked - (stored_j(soc, params) - stored_j(np.full(CLASSES, 0.9), params)))


def test_law_booked_energy_becomes_the_charges_energy_as_ticks_shrink() -> None:
    coarse, fine = drift_j(50.0), drift_j(25.0)
    assert np.all(coarse < 5e-5 * 4000.0 * 1000.0)
    assert np.all(coarse / fine > 2.5)  # second order, but for the kinks of the curve


def test_law_charging_is_constant_current_then_constant_voltage() -> None:
    params = class_params()
    soc, current, voltage = np.full(CLASSES, 0.5), [], []
    for _ in range(4 * 3600):
        tick = balance(0.0, 200e3, soc, params)
        soc = tick.soc_frac
        current.append(tick.current_a)
        voltage.append(tick.voltage_v / params.battery_cells_in_series_count)
    limit_a = params.battery_charge_limit_c * params.battery_capacity_j / 3600.0
    limit_a = limit_a / (3.712 * params.battery_cells_in_series_count)
    assert np.allclose(current[0], limit_a, rtol=1e-3)
    assert np.all(np.max(voltage, axis=0) <= 4.2 + 1e-9)
    assert np.all(current[-1] < 0.5 * current[0])
    assert np.all(soc > 0.99)


def test_law_no_charge_below_freezing() -> None:
    tick = balance(0.0, 200e3, np.full(CLASSES, 0.5), class_params(), temp_k=272.0)
    assert np.all(tick.current_a == 0.0)
