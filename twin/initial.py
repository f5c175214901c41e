"""The state of a fleet at its epoch."""

from typing import Final

import numpy as np

from twin import battery_ageing, jobs, network, power, radiation
from twin.battery import cell_open_circuit_v
from twin.checks import check_fleet
from twin.constants import STEFAN_BOLTZMANN_W_M2_K4 as SIGMA
from twin.state import Environment, Fleet, FleetParams, FleetState, FloatArray
from twin.thermal import (
    ARRAY_EMISSIVITY_FRAC,
    BUS_DESIGN_K,
    array_absorbed_w,
    radiator_design_k,
)
from twin.upsets import first_corrected_count

INITIAL_SOC_FRAC: Final = 0.90  # at the epoch, between full and an orbit's depth; assumption


def initial_state(fleet: Fleet, environment: Environment, seed: int) -> FleetState:
    """State at the epoch: charged to 90 %, warm at the planned load, nothing offered or broken.

    Same shapes as FleetState. A satellite without a battery counts as full. Raises
    OutOfRangeError for a fleet with numbers that cannot be.
    """
    check_fleet(fleet)
    params, count = fleet.params, fleet.count
    total = int(params.accel_count.sum())
    hazard = radiation.initial_hazard(seed, fleet.satellite_key)
    soc_frac = np.where(params.battery_capacity_j > 0.0, INITIAL_SOC_FRAC, 1.0)
    cells_count = np.maximum(params.battery_cells_in_series_count, 1.0)
    contact = network.ground_contact(environment, params)
    dark = environment.sunlit_frac < power.ECLIPSE_SUNLIT_FRAC
    eclipsed = dark & (params.external_power_w <= 0.0)
    satellites, accelerators = np.zeros(count), np.zeros(total)
    none = np.zeros(total, dtype=np.int64)
    return FleetState(
        soc_frac=soc_frac,
        battery_current_a=satellites,
        battery_voltage_v=cell_open_circuit_v(soc_frac) * cells_count,
        battery_throughput_j=satellites,
        eclipse_low_soc_frac=soc_frac,
        array_power_w=satellites,
        load_power_w=satellites,
        compute_power_w=satellites,
        heater_power_w=satellites,
        unserved_power_w=satellites,
        mode=np.where(eclipsed, power.ECLIPSE, power.NOMINAL).astype(np.int64),
        mode_dwell_s=satellites,
        array_available_w=satellites,
        sun_error_rad=satellites,
        body_rate_rad_s=satellites,
        battery_life_used=satellites,
        battery_health_frac=np.ones(count),
        cycle_extreme_frac=soc_frac,
        cycle_reversal_frac=battery_ageing.no_reversals_frac(soc_frac),
        node_temp_k=initial_temp_k(params, environment),
        throttle_frac=np.ones(count),
        radiated_power_w=satellites,
        absorbed_power_w=satellites,
        flow_frac=np.ones(count),
        coolant_lost_kg=satellites,
        radiator_isolated_frac=satellites,
        dose_rad=satellites,
        dose_rate_rad_s=satellites,
        see_hazard_count=hazard.hazard_count,
        see_threshold_count=hazard.threshold_count,
        see_event_count=hazard.event_count,
        cecc_threshold_count=first_corrected_count(seed, fleet.satellite_key),
        cecc_event_count=np.zeros(count, dtype=np.int64),
        queue_s=satellites,
        checkpoint_age_s=satellites,
        delivered_s=satellites,
        offered_s=satellites,
        lost_s=satellites,
        refused_s=satellites,
        at_risk_s=satellites,
        utilisation_frac=satellites,
        host_down_s=satellites,
        restart_count=satellites,
        job_kill_count=np.zeros(count, dtype=np.int64),
        **jobs.no_tenants(count, fleet.tenants.count),
        ground_backlog_bit=satellites,
        ground_station_index=contact.station_index,
        ground_range_m=contact.range_m,
        link_range_m=network.link_range_m(
            environment.position_teme_m, fleet.neighbour_index, params
        ),
        link_acquire_s=np.zeros((count, network.LINKS)),
        accel_down_s=accelerators,
        accel_uecc_count=none,
        accel_cecc_count=none,
        accel_sdc_count=none,
        accel_sdc_pending_count=none,
        accel_xid=none,
        accel_energy_j=accelerators,
    )


def initial_temp_k(params: FleetParams, environment: Environment) -> FloatArray:
    """Temperatures near the working point [K], (n, 7): planned load, array in balance.

    Validity: a start near the working point; one orbit forgets it.
    Source: closed form: each node at the temperature that carries its heat at the planned load
    (Stefan-Boltzmann law).
    """
    payload_w = params.compute_average_w
    accel_w = np.maximum(payload_w - params.host_power_w, 0.0)
    radiator_k = radiator_design_k(params)
    loop_k = radiator_k + payload_w / params.loop_radiator_w_k
    plate_k = loop_k + payload_w / params.plate_loop_w_k
    die_k = plate_k + accel_w / params.die_plate_w_k
    bus_k = np.full_like(payload_w, BUS_DESIGN_K)
    area_m2 = np.maximum(params.array_area_m2, 1e-9)
    taken_w = params.bus_power_w + payload_w
    array_w = np.maximum(array_absorbed_w(environment, params) - taken_w, 100.0 * area_m2)
    array_k = np.sqrt(np.sqrt(array_w / (2.0 * ARRAY_EMISSIVITY_FRAC * SIGMA * area_m2)))
    array_k = np.where(params.array_area_m2 > 0.0, array_k, BUS_DESIGN_K)
    return np.stack([die_k, plate_k, loop_k, radiator_k, bus_k, bus_k, array_k], axis=1)
