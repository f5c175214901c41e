"""The roll-up fields as people read them: label, and the channel each one is made of.

`fleet_state` and `plane_state` hold the same fields, written by the service with every batch,
so that no panel has to read ten thousand series. Units, limits and colours of a roll-up are
those of its channel; a count has none of its own except that any critical satellite is red.
"""

from dataclasses import dataclass, replace

from dashboards.panels import FieldStyle, Step
from dashboards.style import AMBER, BLUE, MAGENTA, channel, description, style


@dataclass(frozen=True)
class Rollup:
    """One roll-up field: its name in the store, its label, what it is, its channel."""

    field: str
    label: str
    meaning: str
    channel: str | None = None
    alarm_colour: str | None = None

    def described(self) -> str:
        """Text of a panel: what the roll-up is, then what the dictionary says."""
        return f"{self.meaning}.\n\n{description(self.channel)}" if self.channel else self.meaning

    def style(self, name: str | None = None, *, lines: bool = False) -> FieldStyle:
        """Unit, limits and colours; `name` picks a series, None is the whole panel."""
        if self.channel is None:
            if self.field.endswith("_pct"):
                return FieldStyle("percent", name, low=0, high=100, steps=(Step(None, BLUE),))
            alarm = (Step(1, self.alarm_colour),) if self.alarm_colour else ()
            return FieldStyle("short", name, decimals=0, steps=(Step(None, BLUE), *alarm), low=0)
        if channel(self.channel).kind == "state":
            return style(self.channel, name)
        return replace(style(self.channel, name, lines=lines), decimals=None)


_COUNTED = "Events since the epoch, summed over the satellites"
_ROWS = (
    Rollup("sats_count", "Satellites", "Satellites reporting"),
    Rollup("out_of_service_count", "Out of service", "Satellites not launched, or lost"),
    Rollup("sunlit_count", "In sunlight", "Satellites with the whole Sun in view"),
    Rollup("eclipse_count", "In eclipse", "Satellites with any part of the Sun hidden"),
    Rollup("in_saa_count", "In the Anomaly", "Satellites inside the South Atlantic Anomaly"),
    Rollup("nominal_count", "Nominal", "Satellites with every channel inside its limits"),
    Rollup(
        "warning_count",
        "Warning",
        "Satellites whose worst channel is outside a warning limit",
        alarm_colour=AMBER,
    ),
    Rollup(
        "critical_count",
        "Critical",
        "Satellites with a channel outside a critical limit",
        alarm_colour=MAGENTA,
    ),
    Rollup("mode_max", "Worst mode", "Highest mode code of all satellites", "eps_mode"),
    Rollup("compute_w", "Compute power", "Sum over the satellites", "eps_compute_w"),
    Rollup("array_w", "Array power", "Sum over the satellites", "eps_array_w"),
    Rollup("soc_mean_pct", "Mean charge", "Mean over the satellites", "eps_soc_pct"),
    Rollup("soc_min_pct", "Lowest charge", "Lowest of all satellites", "eps_soc_pct"),
    Rollup("die_max_t_c", "Hottest die", "Hottest of all satellites", "tcs_die_max_t_c"),
    Rollup(
        "dose_rate_max_rad_day",
        "Highest dose rate",
        "Highest of all satellites",
        "rad_dose_rate_rad_day",
    ),
    Rollup("goodput_mean_pct", "Mean goodput", "Mean over the satellites", "job_goodput_pct"),
    Rollup("tokens_s", "Tokens", "Sum over the satellites", "job_tokens_s"),
    Rollup("backlog_gb", "Downlink backlog", "Sum over the satellites", "gnd_backlog_gb"),
    Rollup(
        "isl_parts_count",
        "Network parts",
        "Connected parts of the graph of laser links that are up; more than planned is a partition",
    ),
    Rollup(
        "isl_largest_pct",
        "Largest network part",
        "Satellites of the largest connected part over all that have laser links",
    ),
    Rollup("safe_count", "Safe mode", "Satellites in safe mode", alarm_colour=MAGENTA),
    Rollup("throttled_count", "Throttled", "Satellites whose clock heat has cut"),
    Rollup("host_down_count", "Hosts down", "Satellites whose payload host reboots"),
    Rollup("new_image_count", "New image", "Satellites whose host booted the rollout's image"),
    Rollup("decay_mean_m_day", "Mean decay", "Mean over the satellites", "orb_sma_decay_m_day"),
    Rollup(
        "decay_model_mean_m_day",
        "Mean decay of the model",
        "Mean over the satellites",
        "orb_decay_model_m_day",
    ),
    Rollup(
        "season_min_day",
        "Next eclipse season",
        "Soonest of the satellites without eclipses now",
        "orb_eclipse_season_day",
    ),
    Rollup("load_w", "Load", "Sum over the satellites", "eps_load_w"),
    Rollup("heater_w", "Heaters", "Sum over the satellites", "eps_heater_w"),
    Rollup("unserved_w", "Unserved", "Sum over the satellites", "eps_unserved_w"),
    Rollup(
        "array_loss_max_pct", "Worst array loss", "Highest of all satellites", "eps_array_loss_pct"
    ),
    Rollup(
        "soc_forecast_min_pct",
        "Lowest charge at the end of this eclipse",
        "Lowest of all satellites",
        "eps_soc_eclipse_end_pct",
    ),
    Rollup(
        "batt_health_min_pct", "Weakest battery", "Lowest of all satellites", "eps_batt_health_pct"
    ),
    Rollup("batt_min_t_c", "Coldest battery", "Lowest of all satellites", "tcs_batt_t_c"),
    Rollup("batt_max_t_c", "Hottest battery", "Highest of all satellites", "tcs_batt_t_c"),
    Rollup("throttle_min_pct", "Slowest clock", "Lowest of all satellites", "tcs_throttle_pct"),
    Rollup("rad_max_t_k", "Hottest radiator", "Highest of all satellites", "tcs_rad_t_k"),
    Rollup("rad_w", "Radiated", "Sum over the satellites", "tcs_rad_w"),
    Rollup("absorbed_w", "Absorbed", "Sum over the satellites", "tcs_absorbed_w"),
    Rollup("flow_min_pct", "Least flow", "Lowest of all satellites", "tcs_loop_flow_pct"),
    Rollup("accum_min_pct", "Least coolant", "Lowest of all satellites", "tcs_accum_level_pct"),
    Rollup(
        "dose_rate_mean_rad_day",
        "Mean dose rate",
        "Mean over the satellites",
        "rad_dose_rate_rad_day",
    ),
    Rollup("dose_max_rad", "Highest dose", "Highest of all satellites", "rad_tid_rad"),
    Rollup("dose_mean_rad", "Mean dose", "Mean over the satellites", "rad_tid_rad"),
    Rollup("canary_fail_count", "Silent corruptions", _COUNTED, "see_canary_fail_count"),
    Rollup("uecc_count", "Double-bit errors", _COUNTED, "see_uecc_count"),
    Rollup("sefi_count", "Accelerator interrupts", _COUNTED, "see_accel_sefi_count"),
    Rollup("reboot_count", "Host reboots", _COUNTED, "see_host_reboot_count"),
    Rollup("latchup_count", "Latch-ups", _COUNTED, "see_latchup_count"),
    Rollup("hard_fail_count", "Accelerators lost", _COUNTED, "see_hard_fail_count"),
    Rollup("s_level_max", "Radiation storm", "The same for every satellite", "swx_s_level"),
    Rollup("g_level_max", "Geomagnetic storm", "The same for every satellite", "swx_g_level"),
    Rollup("util_mean_pct", "Mean utilisation", "Mean over the satellites", "job_util_pct"),
    Rollup("queue_max_s", "Longest queue", "Highest of all satellites", "job_queue_s"),
    Rollup("ckpt_age_max_s", "Oldest checkpoint", "Highest of all satellites", "job_ckpt_age_s"),
    Rollup("restarts_count", "Restarts", "Sum over the satellites", "job_restarts_count"),
    Rollup("lost_s", "Work lost", "Sum over the satellites", "job_lost_s"),
    Rollup(
        "accel_available_mean_pct",
        "Accelerators in service",
        "Mean over the satellites",
        "accel_available_pct",
    ),
    Rollup("isl_up_mean_pct", "Laser links up", "Mean over the satellites", "isl_up_pct"),
    Rollup("isl_margin_min_db", "Weakest link", "Lowest of all satellites", "isl_margin_db"),
    Rollup("isl_rate_gbps", "Laser capacity", "Sum over the satellites", "isl_rate_gbps"),
    Rollup("contact_count", "In contact", "Satellites with a station or a relay in view"),
    Rollup("gnd_delay_mean_ms", "Mean delay", "Mean over those in contact", "gnd_delay_ms"),
    Rollup("gnd_delay_max_ms", "Longest delay", "Highest of those in contact", "gnd_delay_ms"),
)

ROLLUPS = {row.field: row for row in _ROWS}
