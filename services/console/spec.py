"""What the page must know before the first number: channels, limits, panels, colours of states.

Rendered from the telemetry dictionary, so the page holds no unit, limit or label of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.console.feed import LIVE_CHANNELS, SILENT_INTERVALS
from twin.channels import Channel


@dataclass(frozen=True)
class Strip:
    """One time strip of the satellite view; channels of at most two units."""

    title: str
    channels: tuple[str, ...]
    limits_of: str = ""  # channel whose limits are drawn as lines


STRIPS = (
    Strip("Power", ("eps_array_w", "eps_load_w", "eps_compute_w")),
    Strip("Battery", ("eps_soc_pct", "eps_batt_w"), "eps_soc_pct"),
    Strip(
        "Temperatures",
        ("tcs_die_max_t_c", "tcs_coldplate_t_c", "tcs_loop_return_t_c", "tcs_rad_t_k"),
        "tcs_die_max_t_c",
    ),
    Strip("Battery temperature", ("tcs_batt_t_c", "eps_heater_w"), "tcs_batt_t_c"),
    Strip("Radiation", ("rad_dose_rate_rad_day", "rad_tid_rad")),
    Strip("Compute", ("job_util_pct", "tcs_throttle_pct", "job_tokens_s")),
    Strip("Jobs", ("job_queue_s", "job_ckpt_age_s", "job_goodput_pct")),
    Strip("Network", ("isl_up_pct", "gnd_backlog_gb"), "isl_up_pct"),
)

BANDS = {"sunlit": "orb_sunlit_frac", "saa": "orb_in_saa"}
PAINTS = (
    "sat_health",
    "eps_mode",
    "eps_soc_pct",
    "tcs_die_max_t_c",
    "eps_compute_w",
    "rad_dose_rate_rad_day",
    "job_util_pct",
    "isl_up_pct",
)
"""Channels that wall and globe can be coloured by."""

UNITS_PER_STRIP = 2


def build_spec(bus: Sequence[Channel], accelerators: Sequence[Channel]) -> dict[str, Any]:
    """The page's specification, JSON-ready; strips leave out what the dictionary lacks."""
    known = {channel.name: channel for channel in bus}
    return {
        "channels": [_row(channel) for channel in bus],
        "accelerator_channels": [_row(channel) for channel in accelerators],
        "live_channels": LIVE_CHANNELS,
        "paints": [name for name in PAINTS if name in known],
        "strips": [strip for strip in (_strip(s, known) for s in STRIPS) if strip["channels"]],
        "bands": {band: name for band, name in BANDS.items() if name in known},
        "track_channels": ["orb_lat_deg", "orb_lon_deg"],
        "silent_intervals": SILENT_INTERVALS,
    }


def _strip(strip: Strip, known: dict[str, Channel]) -> dict[str, Any]:
    units: list[str] = []
    taken = []
    for name in strip.channels:
        if name not in known:
            continue
        unit = known[name].unit
        if unit not in units and len(units) == UNITS_PER_STRIP:
            raise ValueError(f"strip {strip.title!r} mixes more than {UNITS_PER_STRIP} units")
        units += [] if unit in units else [unit]
        taken.append(name)
    return {
        "title": strip.title,
        "channels": taken,
        "units": units,
        "limits_of": strip.limits_of if strip.limits_of in taken else "",
    }


def _row(channel: Channel) -> dict[str, Any]:
    limits = channel.limits
    return {
        "name": channel.name,
        "dcgm": channel.dcgm_name,
        "unit": channel.unit,
        "subsystem": channel.subsystem,
        "subsystem_title": channel.subsystem_title,
        "label": channel.label,
        "meaning": channel.meaning,
        "kind": channel.kind,
        "decimals": channel.decimals,
        "low": channel.low,
        "high": channel.high,
        "limits": {
            "warning_low": limits.warning_low,
            "warning_high": limits.warning_high,
            "critical_low": limits.critical_low,
            "critical_high": limits.critical_high,
        },
        "states": {str(code): name for code, name in channel.states.items()},
    }
