"""Power: array, battery and loads of the fleet, of each plane, of the chosen satellite."""

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

UID = "twin-power"


def power() -> DashboardSpec:
    """The dashboard of electrical power."""
    gauges = ("soc_min_pct", "soc_mean_pct", "soc_forecast_min_pct", "batt_health_min_pct")
    stats = ("unserved_w", "array_loss_max_pct", "mode_max", "eclipse_count")
    rows = (
        Row(5, [*(kpi(one, "gauge") for one in gauges), *(kpi(one) for one in stats)]),
        Row(
            8,
            (
                trend("power", "Array and loads", ("array_w", "load_w", "compute_w", "heater_w")),
                trend("charge", "State of charge", ("soc_mean_pct", "soc_min_pct")),
            ),
        ),
        Row(
            8,
            (
                heat("eps_soc_pct", "State of charge over the fleet"),
                trend("forecast", "Lowest charge forecast", ("soc_forecast_min_pct",), "min"),
                trend("unserved", "Power not served", ("unserved_w",), "max"),
            ),
        ),
        heading("Planes"),
        Row(
            10,
            (
                by_plane("soc_min_pct", "Lowest charge by plane", UID, "min"),
                by_plane("mode_max", "Worst power mode by plane", UID, "max", "state-timeline"),
            ),
        ),
        heading("Satellites"),
        Row(
            8,
            (
                worst_table("eps_soc_pct", "bottom", "Lowest batteries"),
                worst_table("eps_soc_eclipse_end_pct", "bottom", "Lowest after this eclipse"),
                worst_table("eps_array_loss_pct", "top", "Largest array losses"),
            ),
        ),
        heading("The chosen satellite: ${sat}"),
        Row(
            8,
            (
                strip("Array against its model", "eps_array_w", "eps_array_avail_w",
                      "eps_array_model_w"),
                strip("Loads", "eps_load_w", "eps_compute_w", "eps_bus_w", "eps_heater_w"),
                strip("State of charge", "eps_soc_pct"),
            ),
        ),
        Row(
            8,
            (
                strip("Battery power", "eps_batt_w"),
                strip("Cell imbalance", "eps_batt_cell_dv_mv"),
                strip("Battery health", "eps_batt_health_pct"),
            ),
        ),
    )  # fmt: skip
    return DashboardSpec(
        uid=UID,
        title="Power",
        description="Solar arrays, batteries and loads: margins to their limits.",
        file_name="power.json",
        variables=DRILL_DOWN,
        links=("orbital-twin",),
        annotations=ANNOTATIONS,
        panels=placed(rows),
    )
