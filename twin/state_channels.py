"""Channels of a satellite that follow from its state: orbit, power, heat, radiation, work, links.

Each function gives the values (r,) of some channels, in operators' units, for the given rows.
Those that only faults move are in `twin/plant_channels.py`, single accelerators in
`twin/accel_channels.py`.
"""

from typing import Final

import numpy as np

from twin.accel_channels import hottest_die_temp_k
from twin.ageing import clock_margin_frac
from twin.constants import CELSIUS_ZERO_K, EARTH_GM_M3_S2, SECONDS_PER_DAY
from twin.drag import sma_decay_m_s
from twin.fault_effects import FaultEffects
from twin.heat_network import ARRAY, BATTERY, BUS, DIE, LOOP, PLATE, RADIATOR
from twin.jobs import images_per_s, text_frac
from twin.network import link_margin_db, one_way_delay_s
from twin.power_ahead import eclipse_end_soc_frac
from twin.state import (
    SEE_KINDS,
    Environment,
    Fleet,
    FleetParams,
    FleetState,
    FloatArray,
    Rows,
)
from twin.trapped import in_saa
from twin.upsets import accelerator_rows, accelerators_up_count
from twin.workload import goodput_frac, tokens_per_s

BUS_DROOP_FRAC: Final = 0.01  # at peak load; regulated bus of ECSS-E-ST-20C class (assumption)
BITS_PER_GB: Final = 8e9  # by definition
J_PER_WH: Final = 3600.0  # by definition


def orbit(rows: Rows, params: FleetParams, environment: Environment) -> dict[str, FloatArray]:
    """Place, speed, decay, sunlight and the local time."""
    radius_m = np.linalg.norm(environment.position_teme_m[rows], axis=1)
    speed_m_s = np.linalg.norm(environment.velocity_teme_m_s[rows], axis=1)
    decay_m_s = sma_decay_m_s(
        environment.position_teme_m[rows],
        environment.velocity_teme_m_s[rows],
        environment.air_density_kg_m3[rows],
        params.drag_area_m2[rows] / params.mass_kg[rows],
    )
    vis_viva_per_m = 2.0 / radius_m - speed_m_s**2 / EARTH_GM_M3_S2
    return {
        "orb_lat_deg": np.degrees(environment.latitude_rad[rows]),
        "orb_lon_deg": np.degrees(environment.longitude_rad[rows]),
        "orb_alt_km": environment.altitude_m[rows] / 1e3,
        "orb_speed_km_s": speed_m_s / 1e3,
        "orb_sma_km": 1e-3 / vis_viva_per_m,
        "orb_sma_decay_m_day": decay_m_s * SECONDS_PER_DAY,
        "orb_beta_deg": np.degrees(environment.beta_rad[rows]),
        "orb_sunlit_frac": environment.sunlit_frac[rows],
        "orb_solar_w_m2": environment.solar_flux_w_m2[rows],
        "orb_albedo_w_m2": environment.albedo_flux_w_m2[rows],
        "orb_local_time_h": environment.local_solar_time_h[rows],
        "orb_in_saa": in_saa(environment.proton_flux_cm2_s[rows]).astype(np.float64),
    }


def power(
    rows: Rows, fleet: Fleet, state: FleetState, environment: Environment
) -> dict[str, FloatArray]:
    """Battery, array, loads and mode; NaN where there is no battery or array."""
    params = fleet.params
    health = state.battery_health_frac[rows]
    capacity_j = params.battery_capacity_j[rows] * health
    absent = np.where(capacity_j > 0.0, 1.0, np.nan)  # a hosted payload has no battery or array
    no_array = np.where(params.array_power_w[rows] > 0.0, 1.0, np.nan)
    soc_frac = state.soc_frac[rows] * absent
    voltage_v, current_a = state.battery_voltage_v[rows], state.battery_current_a[rows]
    load_w = state.load_power_w[rows]
    full_w = params.bus_power_w[rows] + params.compute_peak_w[rows]
    served = state.unserved_power_w[rows] <= 0.0
    droop = 1.0 - BUS_DROOP_FRAC * load_w / np.maximum(full_w, 1.0)
    years = environment.elapsed_s / (365.25 * SECONDS_PER_DAY)
    ageing = np.maximum(0.0, 1.0 - params.array_loss_frac_per_year[rows] * years)
    bus_w = load_w - state.compute_power_w[rows] - state.heater_power_w[rows]
    forecast_frac = eclipse_end_soc_frac(rows, state, environment, params)
    return {
        "eps_soc_pct": 100.0 * soc_frac,
        "eps_dod_pct": 100.0 * (1.0 - state.eclipse_low_soc_frac[rows]) * absent,
        "eps_batt_energy_wh": soc_frac * capacity_j / J_PER_WH,
        "eps_batt_v": voltage_v * absent,
        "eps_batt_a": current_a * absent,
        "eps_batt_w": voltage_v * current_a * absent,
        "eps_batt_cycles_count": state.battery_throughput_j[rows] / (capacity_j / health / absent),
        "eps_batt_health_pct": 100.0 * health * absent,
        "eps_soc_eclipse_end_pct": 100.0 * forecast_frac * absent,
        "eps_array_w": state.array_power_w[rows] * no_array,
        "eps_array_t_c": (state.node_temp_k[rows, ARRAY] - CELSIUS_ZERO_K) * no_array,
        "eps_array_health_pct": 100.0 * params.array_health_frac[rows] * ageing * no_array,
        "eps_bus_w": np.maximum(0.0, bus_w),
        "eps_compute_w": state.compute_power_w[rows],
        "eps_heater_w": state.heater_power_w[rows],
        "eps_load_w": load_w,
        "eps_unserved_w": state.unserved_power_w[rows],
        "eps_bus_v": params.bus_voltage_v[rows] * np.where(served, droop, 0.9 * droop),
        "eps_mode": state.mode[rows].astype(np.float64),
    }


def heat(rows: Rows, fleet: Fleet, state: FleetState) -> dict[str, FloatArray]:
    """Temperatures of the network, heat radiated and absorbed, and the margin to throttling."""
    temp_c = state.node_temp_k[rows] - CELSIUS_ZERO_K
    hottest_k = hottest_die_temp_k(rows, fleet, state)
    no_battery = np.where(fleet.params.battery_capacity_j[rows] > 0.0, 1.0, np.nan)
    return {
        "tcs_die_t_c": temp_c[:, DIE],
        "tcs_die_max_t_c": hottest_k - CELSIUS_ZERO_K,
        "tcs_coldplate_t_c": temp_c[:, PLATE],
        "tcs_loop_return_t_c": temp_c[:, LOOP],
        "tcs_rad_t_k": state.node_temp_k[rows, RADIATOR],
        "tcs_batt_t_c": temp_c[:, BATTERY] * no_battery,
        "tcs_bus_t_c": temp_c[:, BUS],
        "tcs_rad_w": state.radiated_power_w[rows],
        "tcs_absorbed_w": state.absorbed_power_w[rows],
        "tcs_throttle_pct": 100.0 * state.throttle_frac[rows],
        "tcs_margin_k": fleet.params.accel_throttle_k[rows] - hottest_k,
    }


def radiation(rows: Rows, environment: Environment, state: FleetState) -> dict[str, FloatArray]:
    """Fluxes, cutoff, dose, space-weather levels and single-event counts."""
    events = state.see_event_count[rows].astype(np.float64)
    kind = {name: events[:, index] for index, name in enumerate(SEE_KINDS)}
    return {
        "rad_proton_flux_cm2_s": environment.proton_flux_cm2_s[rows],
        "rad_electron_flux_cm2_s": environment.electron_flux_cm2_s[rows],
        "rad_gcr_flux_cm2_s": environment.gcr_flux_cm2_s[rows],
        "rad_spe_flux_cm2_s": environment.spe_flux_cm2_s[rows],
        "rad_cutoff_gv": environment.cutoff_gv[rows],
        "swx_s_level": environment.s_level[rows].astype(np.float64),
        "swx_g_level": environment.g_level[rows].astype(np.float64),
        "rad_dose_rate_rad_day": state.dose_rate_rad_s[rows] * SECONDS_PER_DAY,
        "rad_tid_rad": state.dose_rad[rows],
        "see_uecc_count": kind["hbm_uecc"],
        "see_accel_sefi_count": kind["accel_sefi"],
        "see_host_reboot_count": kind["host_cpu_sefi"] + kind["host_ram_sefi"],
        "see_latchup_count": kind["sel"],
        "see_hard_fail_count": kind["hard_fail"],
    }


def work(rows: Rows, fleet: Fleet, state: FleetState) -> dict[str, FloatArray]:
    """Jobs, goodput and what a joule brings."""
    params = fleet.params
    layout = accelerator_rows(params.accel_count)
    up_count = accelerators_up_count(state.accel_down_s, layout)[rows]
    found = np.bincount(layout.owner, weights=state.accel_sdc_count, minlength=fleet.count)
    tokens = tokens_per_s(text_frac(fleet, state), params)[rows]
    images = images_per_s(fleet, state)[rows]
    drawn_w = np.maximum(state.load_power_w[rows], 1e-9)
    goodput = goodput_frac(state.delivered_s[rows], state.offered_s[rows])
    return {
        "see_canary_fail_count": found[rows].astype(np.float64),
        "obc_host_state": (state.host_down_s[rows] > 0.0).astype(np.float64),
        "accel_clock_margin_pct": 100.0 * clock_margin_frac(state.dose_rad[rows]),
        "job_restarts_count": np.floor(state.restart_count[rows]),
        "accel_available_pct": 100.0 * up_count / np.maximum(params.accel_count[rows], 1),
        "job_util_pct": 100.0 * state.utilisation_frac[rows],
        "job_goodput_pct": 100.0 * goodput,
        "job_queue_s": state.queue_s[rows],
        "job_ckpt_age_s": state.checkpoint_age_s[rows],
        "job_lost_s": state.lost_s[rows],
        "job_tokens_s": tokens,
        "job_tokens_per_j": tokens / drawn_w,
        "job_images_s": images,
        "job_images_per_j": images / drawn_w,
    }


def links(
    rows: Rows, fleet: Fleet, state: FleetState, broken: FaultEffects
) -> dict[str, FloatArray]:
    """Links that should exist are counted; ranges and margins are of those that are up."""
    rate_bit_s = fleet.params.link_rate_bit_s[rows]
    expected = (fleet.neighbour_index[rows] >= 0).sum(axis=1) * (rate_bit_s > 0.0)
    wanted = np.where(expected > 0, expected, np.nan)
    range_m = state.link_range_m[rows]
    up = np.isfinite(range_m)
    up_count = np.where(up.any(axis=1), up.sum(axis=1), np.nan)
    longest_m = np.where(up, range_m, 0.0).max(axis=1, initial=0.0) * up_count / up_count
    loss_db = np.where(up, broken.link_loss_db[rows], 0.0).max(axis=1, initial=0.0)
    reference = fleet.params.take(rows)
    ground_m = state.ground_range_m[rows]
    return {
        "isl_up_pct": 100.0 * up.sum(axis=1) / wanted,
        "isl_range_km": np.where(up, range_m, 0.0).sum(axis=1) / up_count / 1e3,
        "isl_margin_db": link_margin_db(longest_m[:, np.newaxis], reference)[:, 0] - loss_db,
        "isl_rate_gbps": up.sum(axis=1) * rate_bit_s / 1e9,
        "gnd_contact": (state.ground_station_index[rows] >= 0).astype(np.float64),
        "gnd_station": state.ground_station_index[rows].astype(np.float64),
        "gnd_range_km": ground_m / 1e3,
        "gnd_delay_ms": 1e3 * one_way_delay_s(ground_m),
        "gnd_backlog_gb": state.ground_backlog_bit[rows] / BITS_PER_GB,
    }
