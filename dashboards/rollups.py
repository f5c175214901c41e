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
            alarm = (Step(1, self.alarm_colour),) if self.alarm_colour else ()
            return FieldStyle("short", name, decimals=0, steps=(Step(None, BLUE), *alarm), low=0)
        if channel(self.channel).kind == "state":
            return style(self.channel, name)
        return replace(style(self.channel, name, lines=lines), decimals=None)


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
        "Largest network part [%]",
        "Satellites of the largest connected part over all that have laser links",
    ),
)

ROLLUPS = {row.field: row for row in _ROWS}
