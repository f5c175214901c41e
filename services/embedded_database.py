"""Tables of measurements in a DuckDB file: rows in, and the answers to the console's questions."""

import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np

from services.embedded_rows import STORED_AT, TAGS, NewestTimes, Row, read_rows_of
from services.line_protocol import read_rows
from services.retention import is_minute
from services.shape_sql import Moment, ShapeReader
from twin.channels import BUS_MEASUREMENT, by_name


class Database:
    """Tables of measurements in one DuckDB file."""

    def __init__(self, path: Path | None, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = duckdb.connect(str(path) if path else ":memory:")
        self._connection.execute("SET threads TO 1")
        self._columns = self._columns_in_file()
        self._newest = NewestTimes(self._connection)

    def _columns_in_file(self) -> dict[str, set[str]]:
        """Columns of each table, as the file has them."""
        columns: dict[str, set[str]] = {}
        rows = self._connection.execute("SELECT table_name, column_name FROM duckdb_columns()")
        for table, column in rows.fetchall():
            columns.setdefault(table, set()).add(column)
        return columns

    def write(self, body: bytes) -> int:
        """Insert rows in one transaction; returns how many. Raises LineProtocolError."""
        groups = read_rows(body)
        count = 0
        self._connection.execute("BEGIN")
        try:
            for measurement, parts in groups.items():
                for columns in parts:
                    count += self._insert(measurement, columns.arrays())
        except Exception:
            self._connection.execute("ROLLBACK")
            self._columns = self._columns_in_file()  # columns added in vain are gone again
            raise
        self._connection.execute("COMMIT")
        return count

    def _insert(
        self, measurement: str, table: dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]
    ) -> int:
        table = table | {STORED_AT: np.full(len(table["time"]), int(self._now_s()))}
        self._make_room(measurement, table)
        self._newest.make_way(measurement, table, self._columns[measurement])
        names = ",".join(_name(column) for column in table)
        cells = ",".join(f"rows.{_name(column)}" for column in table)
        rows = table
        self._connection.execute(
            f"INSERT INTO {_name(measurement)} ({names}) SELECT {cells} FROM rows"
        )
        return len(rows["time"])

    def _make_room(
        self, measurement: str, table: dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]
    ) -> None:
        known = self._columns.setdefault(measurement, set())
        missing = [column for column in table if column not in known]
        if not missing:
            return
        self._connection.execute(
            f"CREATE TABLE IF NOT EXISTS {_name(measurement)} (time BIGINT NOT NULL)"
        )
        for column in missing:
            kind = _kind(column, table[column])
            self._connection.execute(
                f"ALTER TABLE {_name(measurement)} ADD COLUMN IF NOT EXISTS {_name(column)} {kind}"
            )
        known.update(missing)

    def series(
        self, sat: str, channels: list[str], start_ns: int, stop_ns: int, max_points: int
    ) -> dict[str, list[float | int | None]]:
        """Means of floats and last values of states over equal intervals, in time order."""
        known = self._columns.get(BUS_MEASUREMENT, set())
        every_ns = max(1_000_000_000, (stop_ns - start_ns) // max_points)
        cells = ",".join(_aggregate(name, name in known) for name in channels)
        answer: dict[str, list[float | int | None]] = {"time_ns": []}
        answer |= {name: [] for name in channels}
        if not known:
            return answer
        rows = self._connection.cursor().execute(
            f"SELECT time // {every_ns} * {every_ns} AS slot, {cells} FROM {BUS_MEASUREMENT}"
            " WHERE sat = ? AND time BETWEEN ? AND ? GROUP BY slot ORDER BY slot",
            [sat, start_ns, stop_ns],
        )
        for column, values in zip(answer, zip(*rows.fetchall(), strict=True), strict=False):
            answer[column] = list(values)
        return answer

    def frames_per_satellite(self, fleet: str, start_ns: int, stop_ns: int) -> dict[str, int]:
        """Distinct times of each satellite's rows, start and stop included."""
        if BUS_MEASUREMENT not in self._columns:
            return {}
        rows = self._connection.cursor().execute(
            f"SELECT sat, count(DISTINCT time) FROM {BUS_MEASUREMENT}"
            " WHERE fleet = ? AND time BETWEEN ? AND ? GROUP BY sat",
            [fleet, start_ns, stop_ns],
        )
        return dict(rows.fetchall())

    def rows(
        self, measurement: str, fleet: str, start_ns: int, stop_ns: int, field: str
    ) -> list[Row]:
        """Tags, time and values of a fleet's rows; with a field only that one."""
        known = self._columns.get(measurement, set())
        cursor = self._connection.cursor()
        return read_rows_of(cursor, known, measurement, [fleet, start_ns, stop_ns], field)

    def shape(self, ask: dict[str, str]) -> list[dict[str, object]]:
        """Series of a dashboard's query, named by its key, as InfluxDB would give them."""
        from services.console.boards import query_of  # dashboards take time to make

        times_ns = (int(ask[name]) for name in ("start_ns", "stop_ns", "every_ns"))
        shape = query_of(ask["key"]).query.shape
        assert shape is not None
        reader = ShapeReader(self._connection.cursor(), self._columns)
        return reader.answer(shape, Moment(ask, *times_ns))

    def prune(self, retention_s: float, minutes_retention_s: float) -> None:
        """Delete rows that were stored longer ago than that; roll-ups over a minute have their own.

        By the wall clock of the write, not by the rows' own time: runs of the past and of the
        present share the file, and simulated time may be any.
        """
        now_s = self._now_s()
        for measurement, columns in self._columns.items():
            kept_s = minutes_retention_s if is_minute(measurement) else retention_s
            before_s = int(now_s - kept_s)
            if STORED_AT in columns:
                self._connection.execute(
                    f"DELETE FROM {_name(measurement)} WHERE {STORED_AT} < ?", [before_s]
                )

    def close(self) -> None:
        """Write everything to the file and let go of it."""
        self._connection.close()


def _name(identifier: str) -> str:
    """A quoted SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def _kind(column: str, values: np.ndarray[tuple[int], np.dtype[np.generic]]) -> str:
    if column in TAGS or values.dtype == object:
        return "VARCHAR"
    return "BIGINT" if values.dtype.kind == "i" else "DOUBLE"


def _aggregate(channel: str, known: bool) -> str:
    if not known:
        return "NULL"
    if by_name()[channel].is_integer:
        return f"arg_max({_name(channel)}, time)"
    return f"avg({_name(channel)})"
