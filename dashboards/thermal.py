"""Heat: dies, coolant, radiators and batteries of the fleet, its planes, one satellite."""

from dashboards.influxql import DRILL_DOWN
from dashboards.panels import DashboardSpec
from dashboards.parts import (
    ANNOTATIONS,
    Row,
    by_plane,
    heading,
    heat,
    kpi,
    placed,
    strip,
    trend,
    worst_table,
)

UID = "twin-thermal"


def thermal() -> DashboardSpec:
    """The dashboard of thermal control."""
    gauges = ("die_max_t_c", "batt_max_t_c", "batt_min_t_c", "throttle_min_pct")
    stats = ("flow_min_pct", "accum_min_pct", "rad_max_t_k", "eclipse_count")
    rows = (
        Row(5, [*(kpi(one, "gauge") for one in gauges), *(kpi(one) for one in stats)]),
        Row(
            8,
            (
                trend("heat", "Heat radiated and absorbed", ("rad_w", "absorbed_w")),
                trend("die", "Hottest die", ("die_max_t_c",), "max"),
                trend("batteries", "Battery temperatures", ("batt_min_t_c", "batt_max_t_c")),
            ),
        ),
        Row(
            8,
            (
                heat("tcs_die_max_t_c", "Hottest die over the fleet"),
                trend("throttle", "Slowest clock", ("throttle_min_pct",), "min"),
                trend("accum", "Least coolant", ("accum_min_pct",), "min"),
            ),
        ),
        heading("Planes"),
        Row(
            10,
            (
                by_plane("die_max_t_c", "Hottest die by plane", UID, "max"),
                by_plane("accum_min_pct", "Least coolant by plane", UID, "min"),
            ),
        ),
        heading("Satellites"),
        Row(
            8,
            (
                worst_table("tcs_die_max_t_c", "top", "Hottest dies"),
                worst_table("tcs_accum_level_pct", "bottom", "Least coolant"),
                worst_table("tcs_batt_t_c", "bottom", "Coldest batteries"),
            ),
        ),
        heading("The chosen satellite: ${sat}"),
        Row(
            8,
            (
                strip("From die to loop", "tcs_die_max_t_c", "tcs_coldplate_t_c",
                      "tcs_loop_return_t_c", "tcs_loop_supply_t_c"),
                strip("Radiator", "tcs_rad_t_k"),
                strip("Heat radiated and absorbed", "tcs_rad_w", "tcs_absorbed_w"),
            ),
        ),
        Row(
            8,
            (
                strip("Coolant flow", "tcs_loop_flow_pct"),
                strip("Accumulator", "tcs_accum_level_pct"),
                strip("Battery", "tcs_batt_t_c"),
            ),
        ),
    )  # fmt: skip
    return DashboardSpec(
        uid=UID,
        title="Thermal",
        description="From die to radiator: temperatures, flow and what the radiators emit.",
        file_name="thermal.json",
        variables=DRILL_DOWN,
        links=("orbital-twin",),
        annotations=ANNOTATIONS,
        panels=placed(rows),
    )
