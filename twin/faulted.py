"""The fleet and its surroundings under faults: what is broken, as parameters of the physics.

Every function gives back its arguments unchanged, bit by bit, under neutral effects.
"""

from typing import Any, NamedTuple

import numpy as np

from twin import attitude, coolant
from twin.constants import EARTH_EQUATOR_RADIUS_M
from twin.cosmic_rays import open_sky_frac
from twin.environment import earth_view_frac
from twin.fault_effects import FaultEffects
from twin.network import link_margin_db
from twin.replacing import replace
from twin.solar_particles import s_level, spe_flux_cm2_s
from twin.state import (
    BoolArray,
    Environment,
    Fleet,
    FleetParams,
    FleetState,
    FloatArray,
    IntArray,
)

SAFE_RATE_RAD_S = float(np.deg2rad(0.5))  # body rate at which control goes safe; assumption
LOST_LINK_DB = 120.0  # a terminal that does not point: beyond any margin; assumption
LOST_LINK_RAD = float(np.deg2rad(1.0))  # coarse pointing of a terminal follows the body this far


class Broken(NamedTuple):
    """A fleet under faults at one tick."""

    fleet: Fleet  # with the parameters as they are now
    sized: FleetParams  # as designed: what bodies were sized for, and the heat network's classes
    environment: Environment
    effects: FaultEffects
    sun: attitude.SunAngles


def under_faults(
    fleet: Fleet, environment: Environment, state: FleetState, effects: FaultEffects
) -> Broken:
    """The fleet, its surroundings and its attitude to the Sun under faults at one tick."""
    params = _broken_thermal(_broken_power(fleet.params, effects), state, effects)
    error_rad = attitude.total_error_rad(state.sun_error_rad, effects.slew_error_rad)
    drive_cos = attitude.stuck_drive_cos(
        environment, effects.drive_stuck_frac, effects.drive_stuck_s
    )
    sun = attitude.sun_angles(error_rad, drive_cos)
    params = replace(params, array_health_frac=params.array_health_frac * sun.array_cos)
    around = broken_environment(environment, effects)
    return Broken(replace(fleet, params=params), fleet.params, around, effects, sun)


def with_plant(state: FleetState, fleet: Fleet, effects: FaultEffects, step_s: float) -> FleetState:
    """State with attitude, coolant loop, dose and job restarts advanced by one tick."""
    turned = attitude.next_attitude(
        attitude.Attitude(state.sun_error_rad, state.body_rate_rad_s),
        effects.tumble_rate_rad_s,
        step_s,
    )
    loop = coolant.next_loop(
        coolant.Loop(state.flow_frac, state.coolant_lost_kg, state.radiator_isolated_frac),
        pump_frac=effects.pump_frac,
        leak_frac_s=effects.leak_frac_s,
        puncture_frac=effects.puncture_frac,
        puncture_leak_frac_s=effects.puncture_leak_frac_s,
        params=fleet.params,
        step_s=step_s,
    )
    return replace(
        state,
        **turned._asdict(),
        **loop._asdict(),
        dose_rad=state.dose_rad + effects.dose_added_rad_s * step_s,
        restart_count=state.restart_count + effects.restart_rate_per_s * step_s,
        host_down_s=np.where(
            effects.host_down, np.maximum(state.host_down_s, 2.0 * step_s), state.host_down_s
        ),
    )


def with_restarts(state: FleetState, effects: FaultEffects, step_s: float) -> FleetState:
    """Work that restarts, retries and reboots undo.

    A host held in reboot loses all training since the last checkpoint; restarts at a rate r lose
    it at r / accelerators, one job each; wasted_frac of the tick's work is done in vain.
    """
    held = effects.host_down & (state.at_risk_s > 0.0)
    if not (held.any() or effects.wasted_frac.any()):
        return state
    undone_s = np.where(held, state.at_risk_s, 0.0)
    served_s = state.utilisation_frac * step_s * effects.wasted_frac
    lost_s = np.minimum(undone_s + served_s, state.delivered_s)
    return replace(
        state,
        delivered_s=state.delivered_s - lost_s,
        lost_s=state.lost_s + lost_s,
        at_risk_s=np.where(held, 0.0, np.minimum(state.at_risk_s, state.delivered_s - lost_s)),
        checkpoint_age_s=np.where(held, 0.0, state.checkpoint_age_s),
    )


def with_faulted_links(state: FleetState, fleet: Fleet, effects: FaultEffects) -> FleetState:
    """Links less those that faults take, both ends alike; they too must be acquired again.

    A link is lost when the losses of its two terminals eat its margin, between islands, and to a
    satellite that is not there. A body turned by more than 1 deg points no terminal.
    """
    error_rad = attitude.total_error_rad(state.sun_error_rad, effects.slew_error_rad)
    lost = (error_rad > LOST_LINK_RAD)[:, np.newaxis]
    loss_db = effects.link_loss_db + LOST_LINK_DB * lost
    island = np.where(effects.in_service, effects.island, -1)
    if not (loss_db.any() or island.any() or state.link_acquire_s.any()):
        return state
    neighbour = fleet.neighbour_index
    far, back = np.maximum(neighbour, 0), _back_links(neighbour)
    both_db = loss_db + np.where(back >= 0, loss_db[far, np.maximum(back, 0)], 0.0)
    margin_db = link_margin_db(state.link_range_m, fleet.params)
    here = island[:, np.newaxis]
    cut = (island[far] != here) | (here < 0) | ((both_db > 0.0) & (margin_db < both_db))
    needed_s = fleet.params.link_acquire_s[:, np.newaxis]
    acquire_s = np.where(cut & np.isfinite(state.link_range_m), needed_s, state.link_acquire_s)
    up = ~cut & (acquire_s <= 0.0)
    return replace(
        state,
        link_range_m=np.where(up, state.link_range_m, np.nan),
        link_acquire_s=acquire_s,
    )


def _back_links(neighbour_index: IntArray) -> IntArray:
    # Which of the neighbour's terminals looks back here, (n, 4); -1 = none does.
    far = np.maximum(neighbour_index, 0)
    looks = neighbour_index[far] == np.arange(len(neighbour_index))[:, np.newaxis, np.newaxis]
    looks &= (neighbour_index >= 0)[:, :, np.newaxis]
    return np.where(looks.any(axis=2), np.argmax(looks, axis=2), -1).astype(np.int64)


def _broken_power(params: FleetParams, effects: FaultEffects) -> FleetParams:
    works = effects.in_service.astype(np.float64)
    cells = np.maximum(params.battery_cells_in_series_count, 1.0)
    left_count = np.maximum(cells - effects.battery_cells_lost_count, 1.0)
    left_frac = left_count / cells
    extra_w = effects.latchup_power_w * (params.accel_count > 0)
    return replace(
        params,
        array_health_frac=params.array_health_frac
        * (effects.array_power_frac * effects.array_deployed_frac * works),
        array_area_m2=params.array_area_m2 * effects.array_deployed_frac,
        battery_capacity_j=params.battery_capacity_j * left_frac,
        battery_cells_in_series_count=params.battery_cells_in_series_count * left_frac,
        battery_resistance_ohm=params.battery_resistance_ohm * effects.battery_resistance_gain,
        bus_power_w=params.bus_power_w * works,
        external_power_w=params.external_power_w * works,
        heater_power_w=params.heater_power_w * (works * ~effects.heater_stuck_off),
        host_power_w=params.host_power_w + extra_w,
        compute_average_w=params.compute_average_w + extra_w,
        compute_peak_w=params.compute_peak_w + extra_w,
    )


def _broken_thermal(params: FleetParams, state: FleetState, effects: FaultEffects) -> FleetParams:
    area_frac = effects.radiator_deployed_frac * (1.0 - state.radiator_isolated_frac)
    absorptivity = params.radiator_absorptivity_frac + effects.radiator_absorptivity_added
    return replace(
        params,
        radiator_area_m2=params.radiator_area_m2 * area_frac,
        radiator_absorptivity_frac=np.minimum(absorptivity, 1.0),
    )


def broken_environment(environment: Environment, effects: FaultEffects) -> Environment:
    """What surrounds the satellites where faults change it: shadow, place, particles."""
    sunlit = environment.sunlit_frac * ~in_season_shadow(environment, effects.season_beta_rad)
    dark = sunlit != environment.sunlit_frac
    moved_m = environment.position_teme_m
    if effects.along_track_m.any():
        velocity = environment.velocity_teme_m_s
        ahead = velocity / np.linalg.norm(velocity, axis=1, keepdims=True)
        moved_m = moved_m + effects.along_track_m[:, np.newaxis] * ahead
    return replace(
        environment,
        position_teme_m=moved_m,
        sunlit_frac=sunlit,
        solar_flux_w_m2=np.where(dark, 0.0, environment.solar_flux_w_m2),
        proton_flux_cm2_s=environment.proton_flux_cm2_s + effects.proton_added_cm2_s,
        air_density_kg_m3=environment.air_density_kg_m3 * effects.drag_gain,
        **_solar_protons(environment, effects.solar_proton_pfu),
    )


def _solar_protons(environment: Environment, pfu: FloatArray) -> dict[str, Any]:
    if not pfu.any():
        return {}
    sky = open_sky_frac(earth_view_frac(environment.position_teme_m))
    added = spe_flux_cm2_s(environment.cutoff_gv, sky, pfu)
    return {
        "spe_flux_cm2_s": environment.spe_flux_cm2_s + added,
        "s_level": np.maximum(environment.s_level, s_level(pfu)),
    }


def in_season_shadow(environment: Environment, season_beta_rad: FloatArray) -> BoolArray:
    """True where the Earth hides the Sun at the beta angle of an eclipse season, (n,).

    Cylinder shadow: |phase from the antisolar point| < acos(sqrt(h2 + 2 R h) / (a cos beta)).
    Only where the season's beta is smaller than today's: a season adds eclipses, never light.
    """
    if np.isnan(season_beta_rad).all():
        return np.zeros(environment.sunlit_frac.size, dtype=np.bool_)
    position, velocity = environment.position_teme_m, environment.velocity_teme_m_s
    radius_m = np.linalg.norm(position, axis=1)
    normal = np.cross(position, velocity)
    normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    sun = environment.sun_unit
    in_plane = sun - (normal @ sun)[:, np.newaxis] * normal
    in_plane = in_plane / np.maximum(np.linalg.norm(in_plane, axis=1, keepdims=True), 1e-9)
    phase_cos = -np.sum(in_plane * position, axis=1) / radius_m
    limb = np.sqrt(np.maximum(radius_m**2 - EARTH_EQUATOR_RADIUS_M**2, 0.0)) / radius_m
    beta_cos = np.maximum(np.cos(season_beta_rad), 1e-9)
    nearer = np.abs(environment.beta_rad) > np.abs(season_beta_rad)
    return np.asarray(nearer & (phase_cos > limb / beta_cos))
