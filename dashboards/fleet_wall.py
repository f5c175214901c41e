"""The first page: is anything wrong, where, since when; answered within five seconds."""

from dashboards.influxql import FLEET_VARIABLE, last_of_each_satellite
from dashboards.panels import DashboardSpec, FieldStyle, MapLayer, PanelSpec
from dashboards.parts import (
    ANNOTATIONS,
    NOW_MIN,
    NOWHERE,
    Row,
    by_plane,
    heading,
    heat,
    kpi,
    link,
    placed,
    rolled,
    trend,
    worst_table,
)
from dashboards.rollups import ROLLUPS
from dashboards.style import INDIGO, LEVEL_COLOURS, description, style

UID = "twin-fleet"
POWER = "twin-power"  # where a plane is looked at first
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


def _map() -> PanelSpec:
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
        grid=NOWHERE,
        queries=(last_of_each_satellite(columns),),
        style=FieldStyle("none"),
        overrides=(
            style("orb_lat_deg", "lat"),
            style("orb_lon_deg", "lon"),
            style("sat_health", "Health"),
            style("eps_mode", "Power mode"),
            style("orb_sunlit_frac", "Sunlit"),
            link("sat"),
        ),
        time_from=NOW_MIN,
        layers=(MapLayer("markers", "Satellites", "A", colour_field="Health"),),
    )


def _health() -> PanelSpec:
    fields = ("nominal_count", "warning_count", "critical_count")
    colours = dict(zip(fields, LEVEL_COLOURS.values(), strict=True))
    return PanelSpec(
        key="health",
        kind="timeseries",
        title="Satellites by health",
        description=description("sat_health"),
        grid=NOWHERE,
        queries=(rolled(fields, "last"),),
        style=FieldStyle("short", decimals=0, low=0),
        overrides=tuple(
            FieldStyle("short", ROLLUPS[name].label, colour=colours[name]) for name in fields
        ),
        stacked=True,
    )


def _sunlight() -> PanelSpec:
    fields = ("sunlit_count", "eclipse_count", "in_saa_count")
    return PanelSpec(
        key="sunlight",
        kind="timeseries",
        title="Sunlight, eclipse and the Anomaly",
        description=description("orb_sunlit_frac", "orb_in_saa"),
        grid=NOWHERE,
        queries=(rolled(fields, "last"),),
        style=FieldStyle("short", decimals=0, low=0),
        overrides=(FieldStyle("short", ROLLUPS["eclipse_count"].label, colour=INDIGO),),
    )


def fleet_wall() -> DashboardSpec:
    """The dashboard of a whole fleet."""
    tables = (
        worst_table("eps_soc_pct", "bottom", "Lowest batteries"),
        worst_table("tcs_die_max_t_c", "top", "Hottest dies"),
    )
    rows = (
        Row(4, [kpi(field) for field in KPI_FIELDS]),
        Row(12, (_map(),)),
        Row(8, tables),
        Row(
            9,
            (
                by_plane("critical_count", "Critical satellites by plane", POWER, "max"),
                by_plane("mode_max", "Worst power mode by plane", POWER, "max", "state-timeline"),
            ),
        ),
        Row(8, (_health(), _sunlight())),
        heading("Power and heat"),
        Row(
            8,
            (
                trend("power", "Fleet power", ("array_w", "load_w", "compute_w")),
                heat("eps_soc_pct", "State of charge over the fleet"),
                heat("tcs_die_max_t_c", "Hottest die over the fleet"),
            ),
        ),
        heading("Radiation, work and links"),
        Row(
            8,
            (
                trend("dose", "Highest dose rate", ("dose_rate_max_rad_day",)),
                trend("goodput", "Goodput and utilisation", ("goodput_mean_pct", "util_mean_pct")),
                trend("tokens", "Tokens", ("tokens_s",)),
            ),
        ),
        Row(
            8,
            (
                trend("parts", "Network parts", ("isl_parts_count",)),
                trend("largest", "Largest network part", ("isl_largest_pct",)),
                trend("backlog", "Downlink backlog", ("backlog_gb",)),
            ),
        ),
    )
    return DashboardSpec(
        uid=UID,
        title="Fleet wall",
        description="A fleet of orbital compute nodes: health, power, heat, radiation, work.",
        file_name="fleet-wall.json",
        variables=(FLEET_VARIABLE,),
        links=("orbital-twin",),
        annotations=ANNOTATIONS,
        panels=placed(rows),
    )
