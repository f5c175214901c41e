"""Queries of panels: a shape, what it promises, and how Grafana is to read the answer."""

from collections.abc import Iterable, Mapping

from dashboards.panels import SERIES_LIMIT, QuerySpec, VariableSpec
from dashboards.shapes import (
    OF_FLEET,
    Cell,
    Newest,
    OverTime,
    Ranked,
    Reduce,
    Scope,
    Shape,
    Track,
    columns,
    influxql,
)
from twin.channels import BUS_MEASUREMENT, FLEET_MEASUREMENT, PLANE_MEASUREMENT

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
DRILL_DOWN = (FLEET_VARIABLE, PLANE_VARIABLE, SATELLITE_VARIABLE)
"""The same three on every dashboard below the fleet wall, so that a choice is carried along."""


def query(shape: Shape, ref_id: str = "A") -> QuerySpec:
    """A shape as Grafana is given it: series over time, anything else as a table."""
    if isinstance(shape, OverTime):
        alias = f"$tag_{shape.by}" if shape.by else "$col"
        text = influxql(shape)
        return QuerySpec(
            text, ref_id, "time_series", alias, columns(shape), shape.series_limit, shape
        )
    return QuerySpec(influxql(shape), ref_id, "table", "$col", columns(shape), 1, shape)


def over_time(
    measurement: str,
    picked: Mapping[str, str],
    *,
    scope: Scope = "fleet",
    reduce: Reduce = "mean",
    by: str = "",
    ref_id: str = "A",
) -> QuerySpec:
    """Fields in buckets of $__interval; `picked` maps the legend's label to the field.

    `by` splits into one series per value of that tag. It is never `sat`: ten thousand series
    in one panel answer nothing and take seconds.
    """
    cells = [Cell(label, field, reduce) for label, field in picked.items()]
    return of_cells(measurement, cells, scope=scope, by=by, ref_id=ref_id)


def of_cells(
    measurement: str,
    cells: Iterable[Cell],
    *,
    scope: Scope = "fleet",
    by: str = "",
    where: tuple[tuple[str, str], ...] = (),
    ref_id: str = "A",
) -> QuerySpec:
    """Cells over time, split by a tag into at most SERIES_LIMIT series where one is given."""
    limit = SERIES_LIMIT if by else 1
    return query(OverTime(measurement, tuple(cells), scope, by, where, limit), ref_id)


def last_of_each_satellite(picked: Mapping[str, str], ref_id: str = "A") -> QuerySpec:
    """A flat table, one row per satellite: plane, name and fields of its newest report.

    The newest that has the first field, so that a lost sensor leaves a gap and not an old value.
    """
    cells = tuple(Cell(label, field) for label, field in picked.items())
    return query(Newest(BUS_MEASUREMENT, ("sat", "plane"), cells, whole=True), ref_id)


def worst(field: str, label: str, pick: str, count: int, ref_id: str = "A") -> QuerySpec:
    """The `count` satellites whose newest value is lowest (`bottom`) or highest (`top`)."""
    return query(Ranked(field, label, "top" if pick == "top" else "bottom", count), ref_id)


def track(latitude: str, longitude: str, ref_id: str = "A") -> QuerySpec:
    """Ground track of the chosen satellite, one raw point per report, in the order of time."""
    return query(Track(latitude, longitude), ref_id)
