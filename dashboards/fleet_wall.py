"""The first page: is anything wrong, where, since when; answered within five seconds."""

from dashboards.influxql import (
    FLEET_VARIABLE,
    OF_FLEET,
    last_of_each_satellite,
    over_time,
    worst,
)
from dashboards.panels import DashboardSpec, FieldStyle, Grid, MapLayer, PanelSpec, QuerySpec
from dashboards.rollups import ROLLUPS
from dashboards.style import INDIGO, LEVEL_COLOURS, channel, description, style
from twin.channels import FLEET_MEASUREMENT, PLANE_MEASUREMENT

UID = "twin-fleet"
SATELLITE_LINK = (
    "/d/twin-satellite?var-fleet=${fleet:raw}&var-plane=${__data.fields.plane}"
    "&var-sat=${__data.fields.sat}&${__url_time_range}"
)
KPI_FIELDS = (
    "sats_count",
    "critical_count",
    "warning_count",
    "eclipse_count",
    "in_saa_count",
    "soc_min_pct",
    "die_max_t_c",
    "goodput_mean_pct",
)
ROWS_IN_TABLE = 12


def _rollup_query(*fields: str, reduce: str = "last") -> QuerySpec:
    columns = {ROLLUPS[name].label: name for name in fields}
    return over_time(FLEET_MEASUREMENT, columns, where=OF_FLEET, reduce=reduce)


def _kpi(field: str, index: int) -> PanelSpec:
    rollup = ROLLUPS[field]
    return PanelSpec(
        key=f"kpi-{field}",
        kind="stat",
        title=rollup.label,
        description=rollup.described(),
        grid=Grid(index * 3, 0, 3, 4),
        queries=(_rollup_query(field),),
        style=rollup.style(),
    )


def _trend(key: str, title: str, fields: tuple[str, ...], grid: Grid) -> PanelSpec:
    """Roll-ups of one unit over time; limits are drawn when all share one channel."""
    rollups = [ROLLUPS[name] for name in fields]
    alone = len({rollup.channel for rollup in rollups}) == 1
    return PanelSpec(
        key=key,
        kind="timeseries",
        title=title,
        description="\n\n".join(f"**{row.label}**: {row.described()}" for row in rollups),
        grid=grid,
        queries=(_rollup_query(*fields, reduce="mean"),),
        style=rollups[0].style(lines=alone),
    )


def _link(name: str) -> FieldStyle:
    return FieldStyle("none", name, link=SATELLITE_LINK)


def _worst_table(field: str, pick: str, title: str, grid: Grid) -> PanelSpec:
    label = channel(field).label
    return PanelSpec(
        key=f"worst-{field}",
        kind="table",
        title=title,
        description=f"Newest value of each satellite, worst first; a name opens the satellite. "
        f"{description(field)}",
        grid=grid,
        queries=(worst(field, label, pick, ROWS_IN_TABLE),),
        style=FieldStyle("none"),
        overrides=(style(field, label), _link("sat"), FieldStyle("none", "Time", hidden=True)),
        sort_by=label,
        sort_descending=pick == "top",
    )


def _map(grid: Grid) -> PanelSpec:
    columns = {
        "lat": "orb_lat_deg",
        "lon": "orb_lon_deg",
        "Health": "sat_health",
        "Power mode": "eps_mode",
        "Sunlit": "orb_sunlit_frac",
    }
    return PanelSpec(
        key="positions",
        kind="geomap",
        title="Where the fleet is now",
        description="Newest position of every satellite, coloured by health, over day and night. "
        "The base map comes with Grafana; nothing is fetched from the internet. "
        + description("orb_lat_deg", "orb_lon_deg", "sat_health"),
        grid=grid,
        queries=(last_of_each_satellite(columns),),
        style=FieldStyle("none"),
        overrides=(
            style("orb_lat_deg", "lat"),
            style("orb_lon_deg", "lon"),
            style("sat_health", "Health"),
            style("eps_mode", "Power mode"),
            style("orb_sunlit_frac", "Sunlit"),
            _link("sat"),
        ),
        layers=(MapLayer("markers", "Satellites", "A", colour_field="Health"),),
    )


def _modes(grid: Grid) -> PanelSpec:
    return PanelSpec(
        key="modes",
        kind="state-timeline",
        title="Worst power mode of each plane",
        description="Highest mode code of any satellite of the plane in each interval. "
        + description("eps_mode"),
        grid=grid,
        queries=(
            over_time(
                PLANE_MEASUREMENT, {"mode": "mode_max"}, where=OF_FLEET, reduce="max", by="plane"
            ),
        ),
        style=style("eps_mode"),
        min_interval="30s",
    )


def _health(grid: Grid) -> PanelSpec:
    fields = ("nominal_count", "warning_count", "critical_count")
    colours = dict(zip(fields, LEVEL_COLOURS.values(), strict=True))
    return PanelSpec(
        key="health",
        kind="timeseries",
        title="Satellites by health",
        description=description("sat_health"),
        grid=grid,
        queries=(_rollup_query(*fields),),
        style=FieldStyle("short", decimals=0, low=0),
        overrides=tuple(
            FieldStyle("short", ROLLUPS[name].label, colour=colours[name]) for name in fields
        ),
        stacked=True,
    )


def _sunlight(grid: Grid) -> PanelSpec:
    fields = ("sunlit_count", "eclipse_count", "in_saa_count")
    return PanelSpec(
        key="sunlight",
        kind="timeseries",
        title="Sunlight, eclipse and the Anomaly",
        description=description("orb_sunlit_frac", "orb_in_saa"),
        grid=grid,
        queries=(_rollup_query(*fields),),
        style=FieldStyle("short", decimals=0, low=0),
        overrides=(FieldStyle("short", ROLLUPS["eclipse_count"].label, colour=INDIGO),),
    )


def fleet_wall() -> DashboardSpec:
    """The dashboard of a whole fleet."""
    trends = (
        ("power", "Fleet power", ("array_w", "compute_w"), Grid(12, 16, 12, 8)),
        ("charge", "State of charge", ("soc_mean_pct", "soc_min_pct"), Grid(0, 24, 8, 8)),
        ("thermal", "Hottest die", ("die_max_t_c",), Grid(8, 24, 8, 8)),
        ("dose", "Highest dose rate", ("dose_rate_max_rad_day",), Grid(16, 24, 8, 8)),
        ("goodput", "Mean goodput", ("goodput_mean_pct",), Grid(0, 32, 8, 8)),
        ("tokens", "Tokens", ("tokens_s",), Grid(8, 32, 8, 8)),
        ("backlog", "Downlink backlog", ("backlog_gb",), Grid(16, 32, 8, 8)),
    )
    return DashboardSpec(
        uid=UID,
        title="Fleet wall",
        description="A fleet of orbital compute nodes: health, power, heat, radiation, work.",
        file_name="fleet-wall.json",
        variables=(FLEET_VARIABLE,),
        links=("orbital-twin",),
        panels=(
            *(_kpi(field, index) for index, field in enumerate(KPI_FIELDS)),
            _map(Grid(0, 4, 14, 12)),
            _worst_table("eps_soc_pct", "bottom", "Lowest batteries", Grid(14, 4, 10, 6)),
            _worst_table("tcs_die_max_t_c", "top", "Hottest dies", Grid(14, 10, 10, 6)),
            _modes(Grid(0, 16, 12, 8)),
            *(_trend(*row) for row in trends),
            _health(Grid(0, 40, 12, 8)),
            _sunlight(Grid(12, 40, 12, 8)),
            _trend("parts", "Network parts", ("isl_parts_count",), Grid(0, 48, 12, 8)),
            _trend("largest", "Largest network part", ("isl_largest_pct",), Grid(12, 48, 12, 8)),
        ),
    )
