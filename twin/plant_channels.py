"""Channels of the platform that faults show in: attitude, array, cells, coolant, deployment.

Each function gives the values (r,) of some channels, in operators' units, for the given rows.
"""

from typing import Final

import numpy as np

from twin.attitude import total_error_rad
from twin.battery import cell_open_circuit_v
from twin.channels import by_name
from twin.constants import CELSIUS_ZERO_K
from twin.coolant import (
    PUMP_NOMINAL_RPM,
    accumulator_frac,
    is_pumped,
    loop_pressure_pa,
    supply_temp_k,
)
from twin.fault_effects import FaultEffects
from twin.heat_network import ARRAY, LOOP, RADIATOR
from twin.power import array_available_w
from twin.state import Environment, Fleet, FleetState, FloatArray, IntArray, Rows

FULL_SUN_FRAC: Final = 0.999  # no shadow to speak of: the array can be judged; assumption
TURNED_AREA_GAIN: Final = 9.0  # wings across the flow, over edge-on; Starlink 2022; public
CELL_SPREAD_V: Final = 0.006  # of a balanced string at rest (assumption)
CELL_SPREAD_FRAC: Final = 0.10  # of a cell's resistance, from cell to cell (assumption)


def attitude(
    rows: Rows, environment: Environment, state: FleetState, broken: FaultEffects
) -> dict[str, FloatArray]:
    """Body rate and angle from the Sun attitude."""
    radius_m = np.linalg.norm(environment.position_teme_m[rows], axis=1)
    speed_m_s = np.linalg.norm(environment.velocity_teme_m_s[rows], axis=1)
    extra_rad_s = state.body_rate_rad_s[rows] + broken.slew_rate_rad_s[rows]
    error_rad = total_error_rad(state.sun_error_rad[rows], broken.slew_error_rad[rows])
    return {
        "aocs_rate_deg_s": np.degrees(np.hypot(speed_m_s / radius_m, extra_rad_s)),
        "aocs_sun_err_deg": np.degrees(error_rad),
    }


def drag_area_gain(rows: Rows, state: FleetState, broken: FaultEffects) -> FloatArray:
    """Area across the flow over that of the edge-on attitude, (r,): 1 + 9 |sin(error)|.

    A turned body shows its wings: 10 to 20 times the area; 10 here.
    """
    error_rad = total_error_rad(state.sun_error_rad[rows], broken.slew_error_rad[rows])
    return np.asarray(1.0 + TURNED_AREA_GAIN * np.abs(np.sin(error_rad)))


def array_model(
    rows: Rows, fleet: Fleet, state: FleetState, environment: Environment
) -> dict[str, FloatArray]:
    """What the array could give, and what an undamaged one would: the same model, no faults."""
    params = fleet.params.take(rows)
    no_array = np.where(params.array_power_w > 0.0, 1.0, np.nan)
    array_k = state.node_temp_k[rows, ARRAY]
    model_w = array_available_w(
        environment.solar_flux_w_m2[rows], array_k, environment.elapsed_s, params
    )
    available_w = state.array_available_w[rows]
    lit = np.where(environment.sunlit_frac[rows] >= FULL_SUN_FRAC, no_array, np.nan)
    loss_frac = 1.0 - available_w / np.maximum(model_w, 1e-9)
    return {
        "eps_array_avail_w": available_w * no_array,
        "eps_array_model_w": model_w * no_array,
        "eps_array_loss_pct": np.clip(100.0 * loss_frac, -100.0, 100.0) * lit,
    }


def cells(
    rows: Rows, fleet: Fleet, state: FleetState, broken: FaultEffects
) -> dict[str, FloatArray]:
    """Spread of the string's cells: their own, that of their resistances, and dead ones."""
    params = fleet.params
    cells = np.maximum(params.battery_cells_in_series_count[rows], 1.0)
    cell_ohm = params.battery_resistance_ohm[rows] / cells
    bad_ohm = cell_ohm * cells * (broken.battery_resistance_gain[rows] - 1.0)
    drop_v = np.abs(state.battery_current_a[rows]) * (CELL_SPREAD_FRAC * cell_ohm + bad_ohm)
    dead_v = cell_open_circuit_v(state.soc_frac[rows]) * (broken.battery_cells_lost_count[rows] > 0)
    there = np.where(params.battery_capacity_j[rows] > 0.0, 1.0, np.nan)
    spread_v = np.minimum(CELL_SPREAD_V + drop_v + dead_v, 5.0)
    return {"eps_batt_cell_dv_mv": 1e3 * spread_v * there}


def coolant(
    rows: Rows, fleet: Fleet, state: FleetState, broken: FaultEffects
) -> dict[str, FloatArray]:
    """The pumped loop; nan where there are heat pipes, but for their supply temperature."""
    params = fleet.params.take(rows)
    pumped = np.where(is_pumped(params), 1.0, np.nan)
    loop_k, radiator_k = state.node_temp_k[rows, LOOP], state.node_temp_k[rows, RADIATOR]
    flow_frac, lost_kg = state.flow_frac[rows], state.coolant_lost_kg[rows]
    area_frac = broken.radiator_deployed_frac[rows] * (1.0 - state.radiator_isolated_frac[rows])
    supply_k = supply_temp_k(loop_k, radiator_k, flow_frac, broken.valve_stuck_frac[rows], params)
    return {
        "tcs_loop_supply_t_c": supply_k - CELSIUS_ZERO_K,
        "tcs_loop_flow_pct": 100.0 * flow_frac * pumped,
        "tcs_pump_rpm": PUMP_NOMINAL_RPM * broken.pump_frac[rows] * pumped,
        "tcs_accum_level_pct": 100.0 * accumulator_frac(lost_kg, params) * pumped,
        "tcs_loop_pressure_kpa": loop_pressure_pa(lost_kg, params) / 1e3 * pumped,
        "tcs_rad_area_pct": 100.0 * area_frac,
    }


def platform(rows: Rows, broken: FaultEffects) -> dict[str, FloatArray]:
    """Deployment, service, firmware and clock."""
    deployed = np.minimum(broken.array_deployed_frac[rows], broken.radiator_deployed_frac[rows])
    return {
        "obc_fw_version": broken.firmware_version[rows].astype(np.float64),
        "obc_clock_offset_ms": 1e3 * broken.clock_offset_s[rows],
        "sat_deploy": np.where(deployed <= 0.0, 2.0, (deployed < 1.0).astype(np.float64)),
        "sat_service": (~broken.in_service[rows]).astype(np.float64),
    }


def break_sensors(values: dict[str, FloatArray], rows: IntArray, broken: FaultEffects) -> None:
    """Faults of sensors: readings that stick or drift, kept inside the channel's range."""
    for sensor in broken.sensors:
        if sensor.channel in values:
            channel = by_name()[sensor.channel]
            stuck, reading = sensor.stuck[rows], values[sensor.channel] + sensor.bias[rows]
            reading = np.where(np.isnan(stuck), reading, stuck)
            values[sensor.channel] = np.clip(reading, channel.low, channel.high)
