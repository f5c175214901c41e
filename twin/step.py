"""One tick of the whole fleet: the only place where the subsystems meet.

Order: events, wishes of the workload, power, heat, work done, links. Every function is pure.
"""

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from twin import (
    battery_ageing,
    eclipse,
    jobs,
    network,
    power,
    power_ahead,
    radiation,
    thermal,
    workload,
)
from twin.ageing import clock_margin_frac, memory_error_gain
from twin.battery import FULL_SOC_FRAC, cell_open_circuit_v
from twin.coolant import conductance_level
from twin.fault_effects import FaultEffects
from twin.faulted import (
    SAFE_RATE_RAD_S,
    Broken,
    under_faults,
    with_faulted_links,
    with_plant,
    with_restarts,
)
from twin.heat_network import ARRAY, BATTERY, DIE
from twin.state import BoolArray, Environment, Fleet, FleetState, FloatArray
from twin.upsets import (
    UECC,
    accelerator_rows,
    accelerators_up_count,
    aged_outages,
    first_corrected_count,
    with_canaries,
    with_corrected_errors,
    with_upsets,
)

INITIAL_SOC_FRAC: Final = 0.90  # at the epoch, between full and an orbit's depth; assumption


class _Tick(NamedTuple):
    """What every part of a tick may look at."""

    fleet: Fleet
    environment: Environment
    step_s: float
    elapsed_s: float
    seed: int
    phase_frac: FloatArray  # (n,) spreads bursts and canaries over the satellites
    broken: Broken | None  # the fleet under faults; None = no fault has begun


def initial_state(fleet: Fleet, environment: Environment, seed: int) -> FleetState:
    """State at the epoch: charged to 90 %, warm at the planned load, nothing offered or broken.

    Same shapes as FleetState. A satellite without a battery counts as full.
    """
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
        node_temp_k=thermal.initial_temp_k(params, environment),
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


def step(
    state: FleetState,
    fleet: Fleet,
    environment: Environment,
    step_s: float,
    elapsed_s: float,
    seed: int,
    effects: FaultEffects | None = None,
) -> FleetState:
    """State one tick of step_s later; `environment` and elapsed_s are those of the tick's end.

    Pure: same arguments, same bytes, whichever satellites share the arrays. Events do not
    depend on the tick; temperatures and charge converge at first order in it. Ticks of 0.1 to
    60 s; thermal accuracy in twin/thermal.py. `effects` are those of the faults at elapsed_s
    (twin/faults.py); None is a fleet without any.
    """
    aged = battery_ageing.aged_params(fleet.params, state.battery_health_frac)
    fleet = replace(fleet, params=aged)
    broken = None
    if effects is not None:
        state = with_plant(state, fleet, effects, step_s)
        broken = under_faults(fleet, environment, state, effects)
        fleet, environment = broken.fleet, broken.environment
    tick = _Tick(fleet, environment, step_s, elapsed_s, seed, _phase_frac(fleet), broken)
    kills = state.job_kill_count
    state = _after_events(state, tick)
    rows = accelerator_rows(fleet.params.accel_count)
    up_count = accelerators_up_count(state.accel_down_s, rows)
    demand = workload.work_demand(
        state,
        environment,
        fleet.params,
        up_count=up_count,
        phase_frac=tick.phase_frac,
        step_s=step_s,
        clock_frac=clock_margin_frac(state.dose_rad),
        troubles=_troubles(effects),
    )
    wish = None
    if fleet.tenants.count:
        killed = state.job_kill_count != kills
        demand, wish = jobs.tenant_demand(
            state, demand, fleet, environment, killed=killed, up_count=up_count, step_s=step_s
        )
    state, balance = _after_power(state, tick, demand)
    accel_w = workload.accelerator_power_w(balance.compute_w, up_count, fleet.params)
    state = _after_heat(state, tick, balance, accel_w)
    if wish is None:
        done = workload.work_done(
            state, demand, balance.compute_w, fleet.params, step_s, _troubles(effects)
        )
        state = replace(state, **done._asdict())
    else:
        served = jobs.tenant_done(
            state, demand, wish, fleet, compute_power_w=balance.compute_w, step_s=step_s
        )
        state = replace(state, **served)  # type: ignore[arg-type]  # all of them float arrays
    if effects is not None:
        state = with_restarts(state, effects, step_s)
    state = _after_links(state, tick)
    each_w = (accel_w / np.maximum(up_count, 1))[rows.owner]
    energy_j = state.accel_energy_j + each_w * (state.accel_down_s <= 0.0) * step_s
    return replace(state, accel_energy_j=energy_j)


def _troubles(effects: FaultEffects | None) -> workload.Troubles | None:
    if effects is None:
        return None
    return workload.Troubles(
        effects.arrival_gain, effects.training_stop_frac, effects.checkpoint_rate_frac
    )


def _phase_frac(fleet: Fleet) -> FloatArray:
    # Bursts and canaries are spread by the satellite's name, so that they do not beat together.
    return (fleet.satellite_key >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _after_events(state: FleetState, tick: _Tick) -> FleetState:
    fleet, params, step_s, seed = tick.fleet, tick.fleet.params, tick.step_s, tick.seed
    before = radiation.Hazard(
        state.see_hazard_count,
        state.see_threshold_count,
        state.see_event_count,
        state.see_event_count,
    )
    rate_per_s = radiation.see_rate_per_s(tick.environment, params)
    rate_per_s[:, UECC] *= memory_error_gain(state.dose_rad)
    if tick.broken is not None:
        has_accel = (params.accel_count > 0)[:, np.newaxis]
        rate_per_s = rate_per_s + tick.broken.effects.event_rate_per_s * has_accel
    hazard = radiation.advance_hazard(before, rate_per_s, step_s, seed, fleet.satellite_key)
    dose_rate_rad_s = radiation.dose_rate_rad_s(tick.environment, params)
    state = replace(
        aged_outages(state, step_s),
        dose_rate_rad_s=dose_rate_rad_s,
        dose_rad=state.dose_rad + dose_rate_rad_s * step_s,
        see_hazard_count=hazard.hazard_count,
        see_threshold_count=hazard.threshold_count,
        see_event_count=hazard.event_count,
    )
    state = with_upsets(state, hazard.new_event_count, fleet, seed)
    state = with_corrected_errors(state, fleet, seed)
    return with_canaries(state, fleet, tick.phase_frac, tick.elapsed_s, step_s)


def _after_power(
    state: FleetState, tick: _Tick, demand: workload.WorkDemand
) -> tuple[FleetState, power.PowerBalance]:
    params, environment, step_s = tick.fleet.params, tick.environment, tick.step_s
    battery_k = state.node_temp_k[:, BATTERY]
    mode, dwell_s = power.next_mode(
        mode=state.mode,
        dwell_s=state.mode_dwell_s,
        soc_frac=state.soc_frac,
        sunlit_frac=environment.sunlit_frac,
        unserved_power_w=state.unserved_power_w,
        params=params,
        step_s=step_s,
        commanded=_safe_commanded(state, tick.broken),
    )
    array_w = power.array_available_w(
        environment.solar_flux_w_m2, state.node_temp_k[:, ARRAY], tick.elapsed_s, params
    )
    heater_w = thermal.heater_demand_w(battery_k, state.heater_power_w, params)
    if tick.broken is not None:
        heater_w = np.where(tick.broken.effects.heater_stuck_on, params.heater_power_w, heater_w)
    essential_w = params.bus_power_w + heater_w
    ahead = power_ahead.rows_to_check(
        environment, state.soc_frac, demand.power_w + essential_w, params
    )
    compute_w = power.payload_grant_w(
        demand_w=demand.power_w,
        idle_w=demand.idle_w,
        available_w=array_w + params.external_power_w,
        essential_w=essential_w,
        mode=mode,
        soc_frac=state.soc_frac,
        params=params,
        ahead_w=power_ahead.ahead_cap_w(
            rows=ahead,
            remaining_s=eclipse.shadow_left_s(
                environment.position_teme_m[ahead],
                environment.velocity_teme_m_s[ahead],
                environment.sun_unit,
            ),
            essential_w=essential_w,
            array_w=array_w,
            mode=mode,
            soc_frac=state.soc_frac,
            params=params,
        ),
    )
    balance = power.power_balance(
        compute_w=compute_w,
        heater_w=heater_w,
        array_w=array_w,
        soc_frac=state.soc_frac,
        battery_temp_k=battery_k,
        params=params,
        step_s=step_s,
    )
    full = balance.soc_frac >= FULL_SOC_FRAC
    lowest_frac = np.minimum(state.eclipse_low_soc_frac, balance.soc_frac)
    state = replace(
        state,
        soc_frac=balance.soc_frac,
        battery_current_a=balance.current_a,
        battery_voltage_v=balance.voltage_v,
        battery_throughput_j=state.battery_throughput_j + balance.discharge_w * step_s,
        eclipse_low_soc_frac=np.where(full, balance.soc_frac, lowest_frac),
        array_power_w=balance.array_w,
        load_power_w=balance.load_w,
        compute_power_w=balance.compute_w,
        heater_power_w=balance.heater_w,
        unserved_power_w=balance.unserved_w,
        mode=mode,
        mode_dwell_s=dwell_s,
        array_available_w=array_w,
    )
    state = battery_ageing.with_ageing(state, battery_k, params, step_s, tick.elapsed_s)
    return state, balance


def _safe_commanded(state: FleetState, broken: Broken | None) -> BoolArray | None:
    if broken is None:
        return None
    out = broken.effects.safe_commanded | ~broken.effects.in_service
    return out | (state.body_rate_rad_s > SAFE_RATE_RAD_S)


def _after_heat(
    state: FleetState, tick: _Tick, balance: power.PowerBalance, accel_w: FloatArray
) -> FleetState:
    params = tick.fleet.params
    loads = thermal.HeatLoads(
        die_w=accel_w,
        plate_w=balance.compute_w - accel_w,
        battery_w=balance.battery_heat_w + balance.heater_w,
        bus_w=balance.load_w - balance.compute_w - balance.heater_w,
        converter_w=balance.converter_heat_w,
        array_electrical_w=balance.array_w + balance.converter_heat_w,
    )
    changed = None
    if tick.broken is not None:
        effects, sun = tick.broken.effects, tick.broken.sun
        changed = thermal.Changed(
            tick.broken.sized,
            conductance_level(state.flow_frac, effects.valve_stuck_frac),
            sun.array_cos,
            sun.radiator_sin,
            effects.radiator_sky_w_m2,
        )
    after = thermal.advance_temperatures(
        state.node_temp_k, loads, tick.environment, params, tick.step_s, changed
    )
    return replace(
        state,
        node_temp_k=after.node_temp_k,
        radiated_power_w=after.radiated_w,
        absorbed_power_w=after.absorbed_w,
        throttle_frac=thermal.next_throttle_frac(
            state.throttle_frac, after.node_temp_k[:, DIE], params, tick.step_s
        ),
    )


def _after_links(state: FleetState, tick: _Tick) -> FleetState:
    fleet, environment = tick.fleet, tick.environment
    closed = () if tick.broken is None else tick.broken.effects.closed_stations
    contact = network.ground_contact(environment, fleet.params, closed)
    range_m = network.link_range_m(environment.position_teme_m, fleet.neighbour_index, fleet.params)
    acquire_s = network.next_acquire_s(
        state.link_acquire_s, range_m, fleet.neighbour_index, fleet.params, tick.step_s
    )
    state = replace(
        state,
        ground_backlog_bit=network.next_backlog_bit(
            state.ground_backlog_bit,
            workload.result_bit_s(state.utilisation_frac, fleet.params),
            contact.station_index >= 0,
            fleet.params,
            tick.step_s,
        ),
        ground_station_index=contact.station_index,
        ground_range_m=contact.range_m,
        link_range_m=range_m,
        link_acquire_s=acquire_s,
    )
    if tick.broken is not None:
        return with_faulted_links(state, fleet, tick.broken.effects)
    if acquire_s.any():
        state = replace(state, link_range_m=np.where(acquire_s > 0.0, np.nan, range_m))
    return state
