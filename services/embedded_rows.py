"""Rows of the embedded store by key: read back, and written again without a double.

A row's key is its measurement, tags and time, as in InfluxDB: the last one written counts. Rows
come in the order of time but for those that are sent again, so only a row that is not newer than
the newest of its series is looked for before it is inserted.
"""

from collections.abc import Sequence

import duckdb
import numpy as np
from numpy.typing import NDArray

TAGS = frozenset(
    {
        *("fleet", "plane", "sat", "accel", "tenant", "shard", "service", "instance"),
        *("channel", "le", "kind", "target"),
        *("rule", "severity", "drill"),
    }
)
STORED_AT = "stored_at_s"

Table = dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]
Row = tuple[list[tuple[str, str]], int, dict[str, float | int | str]]


class NewestTimes:
    """The newest time of every series, learnt from the file and from what is written."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._newest: dict[str, dict[tuple[tuple[str, str], ...], int]] = {}

    def make_way(self, measurement: str, table: Table, known: set[str]) -> None:
        """Delete the rows that these replace; part of the transaction that inserts them."""
        old = self._not_newer(measurement, table, known)
        if not old.any():
            return
        tags = sorted(name for name in table if name in TAGS)
        rows = {name: table[name][old] for name in ["time", *tags]}
        same = " AND ".join(
            f"kept.{_name(name)} IS NOT DISTINCT FROM "
            + (f"rows.{_name(name)}" if name in table else "NULL")
            for name in ["time", *sorted(known & TAGS)]
        )
        assert rows
        self._connection.execute(f"DELETE FROM {_name(measurement)} kept USING rows WHERE {same}")

    def _not_newer(self, measurement: str, table: Table, known: set[str]) -> NDArray[np.bool_]:
        newest = self._newest.get(measurement)
        if newest is None:
            newest = self._newest[measurement] = self._from_file(measurement, known)
        names = sorted(name for name in table if name in TAGS)
        columns = [table[name].tolist() for name in names]
        times = table["time"].tolist()
        old = np.zeros(len(times), dtype=np.bool_)
        for index, (time_ns, values) in enumerate(
            zip(times, zip(*columns, strict=True) if columns else [()] * len(times), strict=True)
        ):
            series = tuple(zip(names, values, strict=True))
            before = newest.get(series)
            if before is not None and time_ns <= before:
                old[index] = True
            else:
                newest[series] = time_ns
        return old

    def _from_file(
        self, measurement: str, known: set[str]
    ) -> dict[tuple[tuple[str, str], ...], int]:
        tags = sorted(known & TAGS)
        cells = ",".join([*map(_name, tags), "max(time)"])
        group = f" GROUP BY {','.join(map(_name, tags))}" if tags else ""
        answer = self._connection.execute(f"SELECT {cells} FROM {_name(measurement)}{group}")
        return {
            tuple(
                (name, value) for name, value in zip(tags, values, strict=True) if value is not None
            ): time_ns
            for *values, time_ns in answer.fetchall()
            if time_ns is not None
        }


def read_rows_of(
    connection: duckdb.DuckDBPyConnection,
    known: set[str],
    measurement: str,
    interval: Sequence[object],
    field: str,
) -> list[Row]:
    """Tags, time and values of a fleet's rows; with a field only that one.

    known: columns of the measurement; interval: fleet, first and last time [ns]; a fleet without
    a name is every one, and rows of none.
    """
    if not known or (field and field not in known):
        return []
    tags = sorted(known & TAGS)
    values = [field] if field else sorted(known - TAGS - {"time", STORED_AT})
    cells = ",".join(map(_name, ["time", *tags, *values]))
    only = f"AND {_name(field)} IS NOT NULL" if field else ""
    fleet, *times = interval
    of_fleet = "fleet = ? AND" if fleet else ""
    answer = connection.execute(
        f"SELECT {cells} FROM {_name(measurement)}"
        f" WHERE {of_fleet} time BETWEEN ? AND ? {only} ORDER BY {cells}",
        interval if fleet else times,
    )
    found: list[Row] = []
    for time_ns, *rest in answer.fetchall():
        named = zip(tags, rest[: len(tags)], strict=True)
        numbers = zip(values, rest[len(tags) :], strict=True)
        own = [(name, value) for name, value in named if value is not None]
        found.append((own, time_ns, {k: v for k, v in numbers if v is not None}))
    return found


def _name(identifier: str) -> str:
    """A quoted SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'
