"""What roll-ups are made of: the reductions, and the fields of fleet_state and plane_state.

`FIELDS` are taken by every run; `LIVE_FIELDS` only where telemetry is sent, because a run of a
million satellites as pure physics holds every column that it rolls up.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from twin.channels import by_name
from twin.state import MODES, BoolArray, FloatArray, IntArray

PENUMBRA_FRAC: Final = 0.999  # in eclipse = any part of the Sun hidden

Reduce = Callable[[FloatArray, IntArray, int], FloatArray]


def _sum(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
    weights = np.where(np.isnan(values), 0.0, values)
    return np.bincount(group, weights, groups_count).astype(np.float64)


def _mean(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
    """Mean of the values that are there; nan where none is."""
    count = _sum((~np.isnan(values)).astype(np.float64), group, groups_count)
    with np.errstate(invalid="ignore"):
        return _sum(values, group, groups_count) / count


def _max(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
    """Largest of the values that are there; nan where none is."""
    largest = np.full(groups_count, -np.inf)
    np.fmax.at(largest, group, values)
    return np.where(np.isneginf(largest), np.nan, largest)


def _min(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
    return -_max(-values, group, groups_count)


def _min_ahead(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
    """Smallest value above 0; nan where none is: 0 is now, not ahead."""
    return _min(np.where(values > 0.0, values, np.nan), group, groups_count)


def _count(test: Callable[[FloatArray], np.ndarray[tuple[int], np.dtype[np.bool_]]]) -> Reduce:
    def count(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
        return _sum(test(values).astype(np.float64), group, groups_count)

    return count


def _parts(values: FloatArray, group: IntArray) -> tuple[IntArray, FloatArray]:
    """Group and number of members of every part that a group has members in, (p,) each."""
    there = ~np.isnan(values)
    top = int(np.max(values, where=there, initial=0.0)) + 1
    key = group[there] * top + values[there].astype(np.int64)
    found, count = np.unique(key, return_counts=True)
    return found // top, count.astype(np.float64)


def _distinct(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
    """How many different values a group has; nan where none is there."""
    owner, _ = _parts(values, group)
    count = np.bincount(owner, minlength=groups_count).astype(np.float64)
    return np.where(count > 0.0, count, np.nan)


def _largest_pct(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
    """Share of the commonest value among those that are there [%]; nan where none is."""
    owner, count = _parts(values, group)
    most, total = np.zeros(groups_count), np.bincount(owner, count, groups_count)
    np.maximum.at(most, owner, count)
    with np.errstate(invalid="ignore"):
        return 100.0 * most / total


def _throttled(clock_pct: FloatArray) -> BoolArray:
    limit_pct = by_name()["tcs_throttle_pct"].limits.warning_low
    assert limit_pct is not None
    return clock_pct < limit_pct


SAFE_MODE: Final = float(MODES.index("safe"))

PART: Final = "isl_part"
"""Number of the connected part of the link graph; not a channel: it takes the whole fleet."""

FIELDS: Final[dict[str, tuple[str, Reduce, int]]] = {
    # field: channel, how it is reduced, decimals
    "sats_count": ("tm_seq", _count(lambda seq: ~np.isnan(seq)), 0),
    "out_of_service_count": ("sat_service", _sum, 0),
    "sunlit_count": ("orb_sunlit_frac", _count(lambda lit: lit >= PENUMBRA_FRAC), 0),
    "eclipse_count": ("orb_sunlit_frac", _count(lambda lit: lit < PENUMBRA_FRAC), 0),
    "in_saa_count": ("orb_in_saa", _count(lambda inside: inside > 0.0), 0),
    "nominal_count": ("sat_health", _count(lambda health: health == 0.0), 0),
    "warning_count": ("sat_health", _count(lambda health: health == 1.0), 0),
    "critical_count": ("sat_health", _count(lambda health: health == 2.0), 0),
    "mode_max": ("eps_mode", _max, 0),
    "compute_w": ("eps_compute_w", _sum, 1),
    "array_w": ("eps_array_w", _sum, 1),
    "soc_mean_pct": ("eps_soc_pct", _mean, 2),
    "soc_min_pct": ("eps_soc_pct", _min, 2),
    "die_max_t_c": ("tcs_die_max_t_c", _max, 2),
    "dose_rate_max_rad_day": ("rad_dose_rate_rad_day", _max, 4),
    "goodput_mean_pct": ("job_goodput_pct", _mean, 3),
    "tokens_s": ("job_tokens_s", _sum, 1),
    "backlog_gb": ("gnd_backlog_gb", _sum, 4),
    "isl_parts_count": (PART, _distinct, 0),
    "isl_largest_pct": (PART, _largest_pct, 2),
}
"""Roll-up fields of fleet_state and plane_state."""

Field = tuple[str, Reduce, int]

LIVE_FIELDS: Final[dict[str, Field]] = {
    # power
    "load_w": ("eps_load_w", _sum, 1),
    "heater_w": ("eps_heater_w", _sum, 1),
    "unserved_w": ("eps_unserved_w", _sum, 1),
    "array_loss_max_pct": ("eps_array_loss_pct", _max, 2),
    "soc_forecast_min_pct": ("eps_soc_eclipse_end_pct", _min, 2),
    "batt_health_min_pct": ("eps_batt_health_pct", _min, 3),
    "safe_count": ("eps_mode", _count(lambda mode: mode == SAFE_MODE), 0),
    # orbit
    "decay_mean_m_day": ("orb_sma_decay_m_day", _mean, 4),
    "decay_model_mean_m_day": ("orb_decay_model_m_day", _mean, 4),
    "season_min_day": ("orb_eclipse_season_day", _min_ahead, 0),
    # heat
    "throttled_count": ("tcs_throttle_pct", _count(_throttled), 0),
    "batt_min_t_c": ("tcs_batt_t_c", _min, 2),
    "batt_max_t_c": ("tcs_batt_t_c", _max, 2),
    "throttle_min_pct": ("tcs_throttle_pct", _min, 2),
    "rad_max_t_k": ("tcs_rad_t_k", _max, 2),
    "rad_w": ("tcs_rad_w", _sum, 1),
    "absorbed_w": ("tcs_absorbed_w", _sum, 1),
    "flow_min_pct": ("tcs_loop_flow_pct", _min, 2),
    "accum_min_pct": ("tcs_accum_level_pct", _min, 2),
    # radiation
    "dose_rate_mean_rad_day": ("rad_dose_rate_rad_day", _mean, 5),
    "dose_max_rad": ("rad_tid_rad", _max, 5),
    "dose_mean_rad": ("rad_tid_rad", _mean, 5),
    "canary_fail_count": ("see_canary_fail_count", _sum, 0),
    "uecc_count": ("see_uecc_count", _sum, 0),
    "sefi_count": ("see_accel_sefi_count", _sum, 0),
    "reboot_count": ("see_host_reboot_count", _sum, 0),
    "latchup_count": ("see_latchup_count", _sum, 0),
    "hard_fail_count": ("see_hard_fail_count", _sum, 0),
    "s_level_max": ("swx_s_level", _max, 0),
    "g_level_max": ("swx_g_level", _max, 0),
    # work
    "host_down_count": ("obc_host_state", _count(lambda host: host > 0.0), 0),
    "new_image_count": ("obc_fw_version", _count(lambda image: image > 0.0), 0),
    "util_mean_pct": ("job_util_pct", _mean, 3),
    "queue_max_s": ("job_queue_s", _max, 1),
    "ckpt_age_max_s": ("job_ckpt_age_s", _max, 1),
    "restarts_count": ("job_restarts_count", _sum, 0),
    "lost_s": ("job_lost_s", _sum, 1),
    "accel_available_mean_pct": ("accel_available_pct", _mean, 3),
    # network
    "isl_up_mean_pct": ("isl_up_pct", _mean, 3),
    "isl_margin_min_db": ("isl_margin_db", _min, 2),
    "isl_rate_gbps": ("isl_rate_gbps", _sum, 3),
    "contact_count": ("gnd_contact", _count(lambda contact: contact > 0.0), 0),
    "gnd_delay_mean_ms": ("gnd_delay_ms", _mean, 3),
    "gnd_delay_max_ms": ("gnd_delay_ms", _max, 3),
}
"""Roll-up fields that only live telemetry has."""


def over_time(field: Field) -> str:
    """How a field is taken over a minute: `max`, `min` or `mean`.

    The worst of what is a largest or a smallest already; a counter since the epoch, which only
    grows, is what it has reached.
    """
    channel, reduce, _ = field
    if reduce in {_min, _min_ahead, _largest_pct}:
        return "min"
    is_counter = channel != PART and by_name()[channel].kind == "counter"
    return "max" if is_counter or reduce in {_max, _distinct} else "mean"
