"""What the sensors report: fleet state in SI to channels in operator units, with noise.

The only way out of SI. Values come in the order of the wire (`FieldLayout`): floats first,
then states. Noise is a pure function of (seed, channel, satellite, tick), so any shard reports
the same bytes. NaN means that the satellite has no such sensor, or that it is lost.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np

from twin.ageing import clock_margin_frac
from twin.channels import ACCEL_CHANNELS, BUS_CHANNELS, Channel, Limits
from twin.constants import (
    CELSIUS_ZERO_K,
    EARTH_GM_M3_S2,
    SECONDS_PER_DAY,
)
from twin.drag import sma_decay_m_s
from twin.fault_effects import FaultEffects, neutral_effects
from twin.faulted import broken_environment
from twin.jobs import images_per_s, text_frac
from twin.network import link_margin_db, one_way_delay_s
from twin.noise import derived_keys, normal
from twin.plant_channels import (
    array_model,
    attitude,
    break_sensors,
    cells,
    coolant,
    drag_area_gain,
    platform,
)
from twin.power_ahead import eclipse_end_soc_frac
from twin.state import (
    SEE_KINDS,
    THERMAL_NODES,
    Environment,
    Fleet,
    FleetParams,
    FleetState,
    FloatArray,
    IntArray,
    KeyArray,
)
from twin.trapped import in_saa
from twin.upsets import accelerator_rows, accelerators_up_count
from twin.workload import goodput_frac, tokens_per_s

DIE, PLATE, LOOP, RADIATOR, BATTERY, BUS, ARRAY = range(len(THERMAL_NODES))
BUS_DROOP_FRAC: Final = 0.01  # at peak load; regulated bus of ECSS-E-ST-20C class (assumption)
BITS_PER_GB: Final = 8e9
J_PER_WH: Final = 3600.0
MEMORY_LEAD_K: Final = 8.0  # HBM above the die at full load (assumption; physics.md 4.4)
DIE_SPREAD_FRAC: Final = 0.05  # part-to-part spread of the rise over the plate (assumption)
REASON_POWER_CAP: Final = 0x4  # DCGM clock event reasons, fleets.md 5.2 (S45)
REASON_THERMAL: Final = 0x20


class Snapshot(NamedTuple):
    """The fleet at one tick: all that sensors can look at; make it with `snapshot`."""

    fleet: Fleet
    state: FleetState
    environment: Environment
    seed: int
    tick: int
    effects: FaultEffects | None = None  # of the faults at this tick

    @property
    def broken(self) -> FaultEffects:
        """Effects of faults, neutral where there are none."""
        return neutral_effects(self.fleet.count) if self.effects is None else self.effects


def snapshot(
    fleet: Fleet,
    state: FleetState,
    environment: Environment,
    seed: int,
    tick: int,
    effects: FaultEffects | None = None,
) -> Snapshot:
    """The fleet at one tick in its surroundings as faults leave them."""
    if effects is not None:
        environment = broken_environment(environment, effects)
    return Snapshot(fleet, state, environment, seed, tick, effects)


def bus_telemetry(rows: IntArray, seen: Snapshot, seq: int) -> tuple[FloatArray, IntArray]:
    """Floats (r, f) and states (r, s) of the given satellites, in wire order.

    seq: number of this report since the epoch.
    """
    fleet, state, environment = seen.fleet, seen.state, seen.environment
    values = _orbit(rows, fleet.params, environment)
    values["orb_sma_decay_m_day"] *= drag_area_gain(rows, state, seen.broken)
    values |= attitude(rows, environment, state, seen.broken)
    values |= _power(rows, fleet, state, environment)
    values |= array_model(rows, fleet, state, environment)
    values |= cells(rows, fleet, state, seen.broken)
    values |= _thermal(rows, fleet, state)
    values |= coolant(rows, fleet, state, seen.broken)
    values |= _radiation(rows, environment, state)
    values |= _jobs(rows, fleet, state)
    values |= _links(rows, fleet, state, seen.broken)
    values |= platform(rows, seen.broken)
    values["tm_seq"] = np.full(len(rows), float(seq))
    _add_noise(values, BUS_CHANNELS, fleet.satellite_key[rows], seen)
    break_sensors(values, rows, seen.broken)
    _add_health(values)
    return _in_wire_order(values, BUS_CHANNELS)


def accelerator_telemetry(accelerators: IntArray, seen: Snapshot) -> tuple[FloatArray, IntArray]:
    """Floats (r, f) and states (r, s) of the given flattened accelerators, in wire order."""
    fleet, state = seen.fleet, seen.state
    layout = accelerator_rows(fleet.params.accel_count)
    sat = layout.owner[accelerators]
    keys = derived_keys(fleet.satellite_key[sat], accelerators - layout.first[sat])
    params, down_s = fleet.params, state.accel_down_s[accelerators]
    is_up = (down_s <= 0.0) & (state.compute_power_w[sat] > 0.0)
    util = state.utilisation_frac[sat] * is_up
    idle_w, limit_w = params.accel_idle_w[sat], params.accel_power_limit_w[sat]
    die_c = _die_temp_k(keys, sat, state) - CELSIUS_ZERO_K
    uecc = state.accel_uecc_count[accelerators].astype(np.float64)
    values: dict[str, FloatArray] = {
        "accel_temp_c": die_c,
        "accel_mem_temp_c": die_c + MEMORY_LEAD_K * util,
        "accel_power_w": (idle_w + (limit_w - idle_w) * util) * is_up,
        "accel_clock_mhz": params.accel_clock_hz[sat]
        / 1e6
        * state.throttle_frac[sat]
        * is_up
        * clock_margin_frac(state.dose_rad[sat]),
        "accel_util_pct": 100.0 * util,
        "accel_energy_mj": 1e3 * state.accel_energy_j[accelerators],
        "accel_ecc_sbe_count": state.accel_cecc_count[accelerators].astype(np.float64),
        "accel_ecc_dbe_count": uecc,
        "accel_remapped_rows_count": uecc,
        "accel_error_code": state.accel_xid[accelerators].astype(np.float64),
        "accel_throttle_reasons": _throttle_reasons(sat, util, state, params),
        "accel_state": np.where(np.isinf(down_s), 2.0, (down_s > 0.0).astype(np.float64)),
    }
    _add_noise(values, ACCEL_CHANNELS, keys, seen)
    return _in_wire_order(values, ACCEL_CHANNELS)


def _die_temp_k(keys: KeyArray, sat: IntArray, state: FleetState) -> FloatArray:
    """Die temperature of single accelerators [K]: the mean die's rise over the plate, spread.

    Mounting and silicon differ from part to part by a fixed share of the rise; the share is
    drawn once per accelerator from its key.
    """
    plate_k = state.node_temp_k[sat, PLATE]
    spread = np.clip(normal(0, "die_spread", keys, 0), -2.0, 2.0)
    rise_k = state.node_temp_k[sat, DIE] - plate_k
    die_k: FloatArray = plate_k + rise_k * (1.0 + DIE_SPREAD_FRAC * spread)
    return die_k


def _hottest_die_temp_k(rows: IntArray, fleet: Fleet, state: FleetState) -> FloatArray:
    """Hottest accelerator of each satellite [K], (r,); the mean die where there is none."""
    counts = fleet.params.accel_count[rows]
    sat = np.repeat(rows, counts)
    index = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    single_k = _die_temp_k(derived_keys(fleet.satellite_key[sat], index), sat, state)
    hottest_k: FloatArray = state.node_temp_k[rows, DIE].copy()
    hottest_k[counts > 0] = -np.inf
    np.maximum.at(hottest_k, np.repeat(np.arange(len(rows)), counts), single_k)
    return hottest_k


def _throttle_reasons(
    sat: IntArray, util: FloatArray, state: FleetState, params: FleetParams
) -> FloatArray:
    """Bit mask of DCGM: heat holds the clock down; the power mode caps a busy part."""
    hot = state.throttle_frac[sat] < 1.0
    capped = (util > 0.0) & (state.mode[sat] > 0)
    capped &= state.compute_power_w[sat] < params.compute_peak_w[sat]
    return REASON_THERMAL * hot.astype(np.float64) + REASON_POWER_CAP * capped.astype(np.float64)


def _orbit(rows: IntArray, params: FleetParams, environment: Environment) -> dict[str, FloatArray]:
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


def _power(
    rows: IntArray, fleet: Fleet, state: FleetState, environment: Environment
) -> dict[str, FloatArray]:
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


def _thermal(rows: IntArray, fleet: Fleet, state: FleetState) -> dict[str, FloatArray]:
    temp_c = state.node_temp_k[rows] - CELSIUS_ZERO_K
    hottest_k = _hottest_die_temp_k(rows, fleet, state)
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


def _radiation(
    rows: IntArray, environment: Environment, state: FleetState
) -> dict[str, FloatArray]:
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


def _jobs(rows: IntArray, fleet: Fleet, state: FleetState) -> dict[str, FloatArray]:
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


def _links(
    rows: IntArray, fleet: Fleet, state: FleetState, broken: FaultEffects
) -> dict[str, FloatArray]:
    """Links that should exist are counted; ranges and margins are of those that are up."""
    rate_bit_s = fleet.params.link_rate_bit_s[rows]
    expected = (fleet.neighbour_index[rows] >= 0).sum(axis=1) * (rate_bit_s > 0.0)
    links = np.where(expected > 0, expected, np.nan)
    range_m = state.link_range_m[rows]
    up = np.isfinite(range_m)
    up_count = np.where(up.any(axis=1), up.sum(axis=1), np.nan)
    longest_m = np.where(up, range_m, 0.0).max(axis=1, initial=0.0) * up_count / up_count
    loss_db = np.where(up, broken.link_loss_db[rows], 0.0).max(axis=1, initial=0.0)
    reference = fleet.params.take(rows)
    ground_m = state.ground_range_m[rows]
    return {
        "isl_up_pct": 100.0 * up.sum(axis=1) / links,
        "isl_range_km": np.where(up, range_m, 0.0).sum(axis=1) / up_count / 1e3,
        "isl_margin_db": link_margin_db(longest_m[:, np.newaxis], reference)[:, 0] - loss_db,
        "isl_rate_gbps": up.sum(axis=1) * rate_bit_s / 1e9,
        "gnd_contact": (state.ground_station_index[rows] >= 0).astype(np.float64),
        "gnd_station": state.ground_station_index[rows].astype(np.float64),
        "gnd_range_km": ground_m / 1e3,
        "gnd_delay_ms": 1e3 * one_way_delay_s(ground_m),
        "gnd_backlog_gb": state.ground_backlog_bit[rows] / BITS_PER_GB,
    }


def _add_noise(
    values: dict[str, FloatArray], channels: Sequence[Channel], keys: KeyArray, seen: Snapshot
) -> None:
    """Gaussian sensor noise of each channel's sigma, kept inside the channel's range."""
    for channel in channels:
        if channel.noise > 0.0:
            noisy = values[channel.name] + channel.noise * normal(
                seen.seed, channel.name, keys, seen.tick
            )
            values[channel.name] = np.clip(noisy, channel.low, channel.high)


def _add_health(values: dict[str, FloatArray]) -> None:
    """Channels outside their limits, and the worst of them, from the values as reported."""
    warnings, criticals = limit_violations(values)
    values["sat_warning_count"] = warnings.astype(np.float64)
    values["sat_critical_count"] = criticals.astype(np.float64)
    values["sat_health"] = np.where(criticals > 0, 2.0, np.where(warnings > 0, 1.0, 0.0))


def limit_violations(values: Mapping[str, FloatArray]) -> tuple[IntArray, IntArray]:
    """How many channels are outside a warning limit and outside a critical one, (r,) each."""
    names, limits = _limit_table()
    matrix = np.array([values[name] for name in names])
    warn_low, warn_high, crit_low, crit_high = limits[:, :, None]
    critical = (matrix < crit_low) | (matrix > crit_high)
    warning = ((matrix < warn_low) | (matrix > warn_high)) & ~critical
    return warning.sum(axis=0), critical.sum(axis=0)


@cache
def _limit_table() -> tuple[tuple[str, ...], FloatArray]:
    """Bus channels that have limits, and (4, c) of them; nan where there is none."""
    limited = [
        channel
        for channel in BUS_CHANNELS
        if channel.subsystem != "sat" and channel.limits != Limits()
    ]
    order = ("warning_low", "warning_high", "critical_low", "critical_high")
    rows = [[getattr(channel.limits, name) for channel in limited] for name in order]
    return tuple(channel.name for channel in limited), np.array(rows, dtype=np.float64)


def _in_wire_order(
    values: Mapping[str, FloatArray], channels: Sequence[Channel]
) -> tuple[FloatArray, IntArray]:
    floats = np.column_stack([values[c.name] for c in channels if not c.is_integer])
    states = np.column_stack([values[c.name] for c in channels if c.is_integer])
    return floats, states.astype(np.int64)
