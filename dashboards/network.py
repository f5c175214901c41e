"""Network and latency: laser links, the graph they make, ground contacts and delay."""

from dashboards.influxql import DRILL_DOWN
from dashboards.panels import DashboardSpec
from dashboards.parts import (
    ANNOTATIONS,
    Row,
    by_plane,
    heading,
    kpi,
    placed,
    strip,
    trend,
    worst_table,
)

UID = "twin-network"


def network() -> DashboardSpec:
    """The dashboard of links."""
    gauges = ("isl_up_mean_pct", "isl_largest_pct")
    stats = ("isl_parts_count", "isl_margin_min_db", "contact_count", "gnd_delay_mean_ms",
             "backlog_gb")  # fmt: skip
    rows = (
        Row(5, [*(kpi(one, "gauge") for one in gauges), *(kpi(one) for one in stats)]),
        Row(
            8,
            (
                trend("up", "Laser links up", ("isl_up_mean_pct",)),
                trend("parts", "Parts of the network", ("isl_parts_count",), "max"),
                trend("margin", "Weakest link", ("isl_margin_min_db",), "min"),
            ),
        ),
        Row(
            8,
            (
                trend("rate", "Laser capacity", ("isl_rate_gbps",)),
                trend("delay", "Delay to the ground", ("gnd_delay_mean_ms", "gnd_delay_max_ms")),
                trend("contact", "Satellites in contact", ("contact_count",)),
            ),
        ),
        Row(
            8,
            (
                trend("largest", "Largest part of the network", ("isl_largest_pct",), "min"),
                trend("backlog", "Downlink backlog", ("backlog_gb",)),
            ),
        ),
        heading("Planes"),
        Row(
            10,
            (
                by_plane("isl_up_mean_pct", "Laser links up by plane", UID, "min"),
                by_plane("isl_margin_min_db", "Weakest link by plane", UID, "min"),
            ),
        ),
        heading("Satellites"),
        Row(
            8,
            (
                worst_table("isl_margin_db", "bottom", "Weakest links"),
                worst_table("isl_up_pct", "bottom", "Fewest links up"),
                worst_table("gnd_backlog_gb", "top", "Largest backlogs"),
            ),
        ),
        heading("The chosen satellite: ${sat}"),
        Row(
            8,
            (
                strip("Link margin", "isl_margin_db"),
                strip("Delay to the station", "gnd_delay_ms"),
                strip("Backlog", "gnd_backlog_gb"),
            ),
        ),
        Row(
            8,
            (
                strip("Range to the neighbours and the station", "isl_range_km", "gnd_range_km"),
                strip("Laser capacity", "isl_rate_gbps"),
                strip("Station in use", "gnd_station"),
            ),
        ),
    )
    return DashboardSpec(
        uid=UID,
        title="Network and latency",
        description="Laser links, the parts they fall into, ground contacts, delay and backlog.",
        file_name="network.json",
        variables=DRILL_DOWN,
        links=("orbital-twin",),
        annotations=ANNOTATIONS,
        panels=placed(rows),
    )
