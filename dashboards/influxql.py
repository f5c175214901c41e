"""The few shapes of InfluxQL that our panels use, written once.

Every query filters on the fleet, because one store may hold several. Names reach a query only
from the dictionary; values only as quoted dashboard variables.
"""

from collections.abc import Mapping

from dashboards.panels import QuerySpec, VariableSpec
from twin.channels import BUS_MEASUREMENT, FLEET_MEASUREMENT, PLANE_MEASUREMENT

OF_FLEET = "\"fleet\" = '${fleet:raw}'"
OF_SATELLITE = f"{OF_FLEET} AND \"sat\" = '${{sat:raw}}'"

FLEET_VARIABLE = VariableSpec(
    "fleet", "Fleet", f'SHOW TAG VALUES FROM "{FLEET_MEASUREMENT}" WITH KEY = "fleet"'
)
PLANE_VARIABLE = VariableSpec(
    "plane",
    "Plane",
    f'SHOW TAG VALUES FROM "{PLANE_MEASUREMENT}" WITH KEY = "plane" WHERE {OF_FLEET}',
)
SATELLITE_VARIABLE = VariableSpec(
    "sat",
    "Satellite",
    f'SHOW TAG VALUES FROM "{BUS_MEASUREMENT}" WITH KEY = "sat" '
    f"WHERE {OF_FLEET} AND \"plane\" = '${{plane:raw}}'",
)


def over_time(
    measurement: str,
    columns: Mapping[str, str],
    *,
    where: str,
    reduce: str = "mean",
    by: str | None = None,
    ref_id: str = "A",
) -> QuerySpec:
    """Fields in buckets of $__interval; `columns` maps the legend's label to the field.

    `by` splits into one series per value of that tag. It is never `sat`: ten thousand series
    in one panel answer nothing and take seconds.
    """
    if by == "sat":
        message = "a panel over time never splits by satellite; use a table or one satellite"
        raise ValueError(message)
    picked = ", ".join(f'{reduce}("{field}") AS "{label}"' for label, field in columns.items())
    group = f', "{by}"' if by else ""
    text = (
        f'SELECT {picked} FROM "{measurement}" WHERE {where} AND $timeFilter '
        f"GROUP BY time($__interval){group} fill(none)"
    )
    return QuerySpec(text, ref_id, "time_series", f"$tag_{by}" if by else "$col")


def last_of_each_satellite(columns: Mapping[str, str], ref_id: str = "A") -> QuerySpec:
    """A flat table, one row per satellite: its newest value of each field, plane and name."""
    inner = ", ".join(f'last("{field}") AS "{label}"' for label, field in columns.items())
    outer = ", ".join(f'"{label}"' for label in columns)
    text = (
        f'SELECT "sat", "plane", {outer} FROM (SELECT {inner} FROM "{BUS_MEASUREMENT}" '
        f'WHERE {OF_FLEET} AND $timeFilter GROUP BY "sat", "plane")'
    )
    return QuerySpec(text, ref_id, "table")


def worst(field: str, label: str, pick: str, count: int, ref_id: str = "A") -> QuerySpec:
    """The `count` satellites whose newest value is lowest (`bottom`) or highest (`top`)."""
    text = (
        f'SELECT {pick}("value", "sat", {count}) AS "{label}", "plane" FROM '
        f'(SELECT last("{field}") AS "value" FROM "{BUS_MEASUREMENT}" '
        f'WHERE {OF_FLEET} AND $timeFilter GROUP BY "sat", "plane")'
    )
    return QuerySpec(text, ref_id, "table")


def track(latitude: str, longitude: str, ref_id: str = "A") -> QuerySpec:
    """Ground track of the chosen satellite, one raw point per report, in the order of time."""
    text = (
        f'SELECT "{latitude}" AS "lat", "{longitude}" AS "lon" FROM "{BUS_MEASUREMENT}" '
        f"WHERE {OF_SATELLITE} AND $timeFilter ORDER BY time ASC LIMIT 2000"
    )
    return QuerySpec(text, ref_id, "table")
