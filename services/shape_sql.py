"""Shapes of dashboard questions in SQL, for the embedded store: the answers that InfluxDB gives.

What a store lacks is no error: a column that nobody wrote is empty, as in InfluxQL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import duckdb

from dashboards.panels import SERIES_LIMIT
from dashboards.shapes import (
    PLACES_LIMIT,
    TRACK_POINTS,
    Cell,
    Newest,
    OverTime,
    Places,
    Ranked,
    Rows,
    Scope,
    Shape,
    Track,
    columns,
)
from services.embedded_rows import TAGS
from twin.channels import BUS_MEASUREMENT

Series = dict[str, object]
_REDUCED = {
    "last": "arg_max({0}, time)",
    "first": "arg_min({0}, time)",
    "mean": "avg({0})",
    "min": "min({0})",
    "max": "max({0})",
    "sum": "sum({0})",
    "count": "count({0})",
    "spread": "max({0}) - min({0})",
}
_MINUTE_NS = 60 * 10**9


@dataclass(frozen=True)
class Moment:
    """Values of the variables, and the time asked for [ns]."""

    values: Mapping[str, str]
    start_ns: int
    stop_ns: int
    every_ns: int


class ShapeReader:
    """Answers shapes from the tables of one connection; `known`: columns by measurement."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, known: Mapping[str, set[str]]):
        self._connection, self._known = connection, known

    def answer(self, shape: Shape, moment: Moment) -> list[Series]:
        """Series as InfluxDB gives them: tags, columns with `time` first, values."""
        measurement = getattr(shape, "measurement", BUS_MEASUREMENT)
        if measurement not in self._known:
            return []
        if isinstance(shape, OverTime):
            return self._over_time(shape, moment)
        table = self._table(shape, measurement, moment)
        return [{"columns": ["time", *columns(shape)], "values": table}] if table else []

    def _where(
        self, measurement: str, scope: Scope, more: Sequence[tuple[str, str]], moment: Moment
    ) -> tuple[str, list[object]]:
        asked = {"fleet": ("fleet",), "plane": ("fleet", "plane"), "satellite": ("fleet", "sat")}
        wanted = [(tag, moment.values[tag]) for tag in asked.get(scope, ())] + list(more)
        known = self._known[measurement]
        parts = ["time BETWEEN ? AND ?"]
        values: list[object] = [moment.start_ns, moment.stop_ns]
        for tag, value in wanted:
            parts.append(f'"{tag}" = ?' if tag in known else "? IS NULL")
            values.append(value)
        return " AND ".join(parts), values

    def _column(self, measurement: str, name: str) -> str:
        if name in self._known[measurement]:
            return f'"{name}"'
        return "NULL::VARCHAR" if name in TAGS else "NULL::DOUBLE"

    def _reduced(self, measurement: str, cell: Cell) -> str:
        text = _REDUCED[cell.reduce].format(self._column(measurement, cell.field))
        if cell.over:
            under = _REDUCED[cell.reduce].format(self._column(measurement, cell.over))
            text = f"({text}) / nullif({under}, 0)"
        return f"({text}) * {cell.factor!r}" if cell.factor != 1.0 else text

    def _over_time(self, shape: OverTime, moment: Moment) -> list[Series]:
        where, values = self._where(shape.measurement, shape.scope, shape.where, moment)
        by = self._column(shape.measurement, shape.by) if shape.by else "''"
        picked = [self._reduced(shape.measurement, cell) for cell in shape.cells]
        inner = ", ".join(f"{text} AS c{index}" for index, text in enumerate(picked))
        outer = ", ".join(_changed(cell, index) for index, cell in enumerate(shape.cells))
        some = " OR ".join(f"c{index} IS NOT NULL" for index in range(len(shape.cells)))
        rows = self._connection.execute(
            f"SELECT * FROM (SELECT b, slot, {outer} FROM (SELECT {by} AS b, "
            f"time // {moment.every_ns} * {moment.every_ns} AS slot, {inner} "
            f'FROM "{shape.measurement}" WHERE {where} GROUP BY b, slot) '
            f"WINDOW w AS (PARTITION BY b ORDER BY slot)) WHERE {some} ORDER BY b, slot",
            values,
        ).fetchall()
        names = ["time", *columns(shape)]
        found: list[Series] = []
        for tag, part in groupby(rows, key=lambda row: row[0]):
            one: Series = {"columns": names, "values": [list(row[1:]) for row in part]}
            found.append(one | {"tags": {shape.by: tag}} if shape.by else one)
        return found[: min(shape.series_limit, SERIES_LIMIT)]

    def _table(self, shape: Shape, measurement: str, moment: Moment) -> list[list[object]]:
        if isinstance(shape, Newest):
            where, values = self._where(measurement, shape.scope, shape.where, moment)
            tags = [self._column(measurement, tag) for tag in shape.tags]
            cells = self._newest(shape, measurement)
            names = ", ".join(f"{text} AS c{index}" for index, text in enumerate([*tags, *cells]))
            groups = ", ".join(f"c{index}" for index in range(len(tags)))
            first = f"c{len(tags)}"
            some = [f"c{index + len(tags)} IS NOT NULL" for index in range(len(cells))]
            test = f"({' OR '.join(some)})"
            if shape.above is not None:
                test += f" AND {first} > {shape.above!r}"
            text = (
                f'SELECT {moment.stop_ns}, * FROM (SELECT {names} FROM "{measurement}" '
                f"WHERE {where} GROUP BY {groups}) WHERE {test} ORDER BY {groups}"
            )
        else:
            text, values = self._raw(shape, measurement, moment)
        return [list(row) for row in self._connection.execute(text, values).fetchall()]

    def _newest(self, shape: Newest, measurement: str) -> list[str]:
        """Each cell reduced by itself, or all of the newest row that has the first."""
        if not shape.whole:
            return [self._reduced(measurement, cell) for cell in shape.cells]
        fields = [self._column(measurement, cell.field) for cell in shape.cells]
        kept = f"FILTER (WHERE {fields[0]} IS NOT NULL)"
        return [f"arg_max_null({one}, time) {kept}" for one in fields]

    def _raw(self, shape: Shape, measurement: str, moment: Moment) -> tuple[str, list[object]]:
        if isinstance(shape, Ranked):
            where, values = self._where(measurement, "fleet", (), moment)
            order = "ASC" if shape.pick == "bottom" else "DESC"
            last = _REDUCED["last"].format(self._column(measurement, shape.field))
            return (
                f"SELECT {moment.stop_ns}, v, sat, plane FROM (SELECT sat, plane, {last} AS v "
                f'FROM "{measurement}" WHERE {where} GROUP BY sat, plane) '
                f"WHERE v IS NOT NULL ORDER BY v {order}, sat LIMIT {shape.count}"
            ), values
        if isinstance(shape, Track):
            where, values = self._where(measurement, "satellite", (), moment)
            both = [self._column(measurement, one) for one in (shape.latitude, shape.longitude)]
            return (
                f'SELECT time, {", ".join(both)} FROM "{measurement}" WHERE {where} '
                f"ORDER BY time LIMIT {TRACK_POINTS}"
            ), values
        if isinstance(shape, Places):
            where, values = self._where(measurement, "plane", (), moment)
            rose = " + ".join(
                f"coalesce({_REDUCED['spread'].format(self._column(measurement, one))}, 0)"
                for one in shape.counters
            )
            place = [
                _REDUCED["last"].format(self._column(measurement, one))
                for one in (shape.latitude, shape.longitude)
            ]
            return (
                f"SELECT slot, sat, plane, n, lat, lon FROM (SELECT time // {_MINUTE_NS} * "
                f"{_MINUTE_NS} AS slot, sat, plane, {rose} AS n, {place[0]} AS lat, "
                f'{place[1]} AS lon FROM "{measurement}" WHERE {where} '
                f"GROUP BY slot, sat, plane) WHERE n > 0 ORDER BY slot LIMIT {PLACES_LIMIT}"
            ), values
        assert isinstance(shape, Rows)
        where, values = self._where(measurement, shape.scope, (), moment)
        picked = ", ".join(self._column(measurement, one) for one in shape.columns)
        return (
            f'SELECT time, {picked} FROM "{measurement}" WHERE {where} '
            f"ORDER BY time DESC LIMIT {shape.limit}"
        ), values


def _changed(cell: Cell, index: int) -> str:
    """A cell of an interval, or how much it rose since the one before; a fall is nothing."""
    if not cell.change:
        return f"c{index}"
    rose = f"(c{index} - lag(c{index}) OVER w)"
    scale = "1" if cell.change == "difference" else "((slot - lag(slot) OVER w) / 1e9)"
    return f"CASE WHEN {rose} >= 0 THEN {rose} / {scale} END AS c{index}"
