"""Days and weeks: the same figures from the roll-ups over a minute, which are kept for 90 days.

Grafana cannot choose a measurement by the length of the time range, so long ranges have a dashboard
of their own, as fast over a month as over a day (docs/dashboards.md says why no variable does it).
"""

from dataclasses import replace

from dashboards.influxql import DRILL_DOWN, of_cells
from dashboards.panels import DashboardSpec, FieldStyle, PanelSpec
from dashboards.parts import ANNOTATIONS, NOWHERE, PLANE_LINK, Row, heading, placed
from dashboards.rollups import ROLLUPS
from dashboards.shapes import Cell, Reduce
from dashboards.style import channel, description, style
from twin.channels import (
    FLEET_MINUTE_MEASUREMENT,
    PLANE_MINUTE_MEASUREMENT,
    SAT_MINUTE_MEASUREMENT,
)

UID = "twin-weeks"
EVERY = "1m"
PLANE_EVERY = "10m"


def _fleet(key: str, title: str, fields: dict[str, Reduce]) -> PanelSpec:
    """Roll-ups of the fleet, each reduced as what it is: a mean, a smallest, a largest."""
    rollups = [ROLLUPS[name] for name in fields]
    cells = [Cell(row.label, row.field, fields[row.field]) for row in rollups]
    alone = len({row.channel for row in rollups}) == 1
    return PanelSpec(
        key=key,
        kind="timeseries",
        title=title,
        description="\n\n".join(f"**{row.label}**: {row.described()}" for row in rollups),
        grid=NOWHERE,
        queries=(of_cells(FLEET_MINUTE_MEASUREMENT, cells),),
        style=rollups[0].style(lines=alone),
        min_interval=EVERY,
    )


def _planes(field: str, title: str, reduce: Reduce, uid: str) -> PanelSpec:
    rollup = ROLLUPS[field]
    cells = (Cell(rollup.label, field, reduce),)
    return PanelSpec(
        key=f"planes-{field}",
        kind="status-history",
        title=title,
        description=f"One row for each plane, at most 300. {rollup.described()}",
        grid=NOWHERE,
        queries=(of_cells(PLANE_MINUTE_MEASUREMENT, cells, by="plane"),),
        style=replace(rollup.style(), link=PLANE_LINK.format(uid=uid)),
        min_interval=PLANE_EVERY,
    )


def _satellite(name: str) -> PanelSpec:
    """Smallest, mean and largest of a channel of the chosen satellite."""
    row = channel(name)
    hows: tuple[tuple[str, Reduce], ...] = (
        ("smallest", "min"),
        ("mean", "mean"),
        ("largest", "max"),
    )
    cells = [Cell(label, f"{name}_{how}", how) for label, how in hows]
    return PanelSpec(
        key=f"sat-{name}",
        kind="timeseries",
        title=row.label,
        description=f"Smallest, mean and largest of what was reported. {description(name)}",
        grid=NOWHERE,
        queries=(of_cells(SAT_MINUTE_MEASUREMENT, cells, scope="satellite"),),
        style=style(name, lines=True),
        min_interval=EVERY,
    )


def _states() -> PanelSpec:
    names = ("eps_mode", "sat_health")
    cells = [Cell(channel(name).label, f"{name}_max", "max") for name in names]
    return PanelSpec(
        key="sat-states",
        kind="state-timeline",
        title="Worst mode and health of ${sat}",
        description=f"The worst of each interval. {description(*names)}",
        grid=NOWHERE,
        queries=(of_cells(SAT_MINUTE_MEASUREMENT, cells, scope="satellite"),),
        style=FieldStyle("short"),
        overrides=tuple(style(name, channel(name).label) for name in names),
        min_interval=EVERY,
    )


def weeks() -> DashboardSpec:
    """The dashboard for long ranges."""
    rows = (
        Row(
            8,
            (
                _fleet("charge", "State of charge", {"soc_mean_pct": "mean", "soc_min_pct": "min"}),
                _fleet("die", "Hottest die", {"die_max_t_c": "max"}),
                _fleet("dose", "Highest dose rate", {"dose_rate_max_rad_day": "max"}),
            ),
        ),
        Row(
            8,
            (
                _fleet("health", "Satellites in warning and critical",
                       {"warning_count": "max", "critical_count": "max"}),
                _fleet("work", "Goodput and utilisation",
                       {"goodput_mean_pct": "mean", "util_mean_pct": "mean"}),
                _fleet("power", "Fleet power",
                       {"array_w": "mean", "load_w": "mean", "compute_w": "mean"}),
            ),
        ),
        Row(
            8,
            (
                _fleet("sats", "Satellites that report", {"sats_count": "min"}),
                _fleet("tokens", "Tokens", {"tokens_s": "mean"}),
                _fleet("backlog", "Downlink backlog", {"backlog_gb": "max"}),
            ),
        ),
        heading("Planes"),
        Row(
            9,
            (
                _planes("soc_min_pct", "Lowest charge by plane", "min", "twin-power"),
                _planes("critical_count", "Critical satellites by plane", "max", "twin-power"),
            ),
        ),
        heading("The chosen satellite: ${sat}"),
        Row(8, [_satellite(one) for one in ("eps_soc_pct", "tcs_die_max_t_c", "eps_load_w")]),
        Row(
            8,
            (
                _satellite("rad_dose_rate_rad_day"),
                _satellite("job_goodput_pct"),
                _states(),
            ),
        ),
    )  # fmt: skip
    return DashboardSpec(
        uid=UID,
        title="Days and weeks",
        description="The fleet, its planes and one satellite over days, from minutes.",
        file_name="weeks.json",
        variables=DRILL_DOWN,
        links=("orbital-twin",),
        annotations=ANNOTATIONS,
        panels=placed(rows),
        time_from="now-7d",
        refresh="1m",
    )
