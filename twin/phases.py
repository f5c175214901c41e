"""The phases of a tick: events, power, heat, links; `twin/step.py` puts them in order.

Each takes the state and what the whole tick may look at, and gives the state after it.
"""

from typing import NamedTuple

import numpy as np

from twin import (
    battery_ageing,
    eclipse,
    network,
    power,
    power_ahead,
    radiation,
    thermal,
    thermal_control,
    workload,
)
from twin.ageing import memory_error_gain
from twin.battery import FULL_SOC_FRAC
from twin.coolant import conductance_level
from twin.faulted import SAFE_RATE_RAD_S, Broken, with_faulted_links
from twin.heat_network import ARRAY, BATTERY, DIE
from twin.replacing import replace
from twin.state import BoolArray, Environment, Fleet, FleetState, FloatArray
from twin.upsets import UECC, aged_outages, with_canaries, with_corrected_errors, with_upsets


class Tick(NamedTuple):
    """What every part of a tick may look at."""

    fleet: Fleet
    environment: Environment
    step_s: float
    elapsed_s: float
    seed: int
    phase_frac: FloatArray  # (n,) spreads bursts and canaries over the satellites
    broken: Broken | None  # the fleet under faults; None = no fault has begun


def after_events(state: FleetState, tick: Tick) -> FleetState:
    """Dose, upsets and what they break, corrected errors, canaries."""
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


def after_power(
    state: FleetState, tick: Tick, demand: workload.WorkDemand
) -> tuple[FleetState, power.PowerBalance]:
    """Mode, grant to the payload, and the balance of bus and battery."""
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
    heater_w = thermal_control.heater_demand_w(battery_k, state.heater_power_w, params)
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


def after_heat(
    state: FleetState, tick: Tick, balance: power.PowerBalance, accel_w: FloatArray
) -> FleetState:
    """Temperatures, heat in and out, and throttling."""
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
        throttle_frac=thermal_control.next_throttle_frac(
            state.throttle_frac, after.node_temp_k[:, DIE], params, tick.step_s
        ),
    )


def after_links(state: FleetState, tick: Tick) -> FleetState:
    """Ground contacts and backlog, and the links between satellites."""
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
