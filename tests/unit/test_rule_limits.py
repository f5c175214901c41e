"""Limits of rules against the satellites there are: no healthy one beyond, no broken one short."""

from twin.alerts import RULES
from twin.battery import capacity_a_s, cell_open_circuit_v
from twin.channels import by_name
from twin.fleet_params import class_params
from twin.plant_channels import CELL_SPREAD_FRAC, CELL_SPREAD_V
from twin.preset_library import list_presets, load_preset
from twin.state import FleetParams, FloatArray


def _with_batteries() -> FleetParams:
    params = class_params([load_preset(name).values for name in list_presets()])
    return params.take((params.battery_capacity_j > 0.0).nonzero()[0])


def _healthy_spread_mv(params: FleetParams) -> FloatArray:
    amperes = params.battery_discharge_limit_c * capacity_a_s(params) / 3600.0
    cell_ohm = params.battery_resistance_ohm / params.battery_cells_in_series_count
    return 1e3 * (CELL_SPREAD_V + CELL_SPREAD_FRAC * amperes * cell_ohm)


def test_the_limits_of_cell_spread_lie_between_any_healthy_string_and_a_dead_cell() -> None:
    params = _with_batteries()
    limits = by_name()["eps_batt_cell_dv_mv"].limits
    assert limits.warning_high is not None and limits.critical_high is not None
    most_mv = float(_healthy_spread_mv(params).max())
    dead_mv = 1e3 * float(cell_open_circuit_v(params.battery_capacity_j * 0.0).min())
    assert 100.0 < most_mv < limits.warning_high < limits.critical_high < dead_mv


def test_the_smallest_heater_of_any_preset_is_seen_when_it_sticks() -> None:
    above = {rule.name: rule.condition.above for rule in RULES}["heater_stuck"]
    assert above is not None
    assert 0.0 < above.value < float(_with_batteries().heater_power_w.min())
