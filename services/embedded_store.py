"""The embedded store: DuckDB behind loopback HTTP, so that no server is needed.

DuckDB lets one process open a file, so this process owns it and answers the same questions
that the console asks of InfluxDB. One table per measurement, columns as fields come. Writes
and reads run in one worker thread each; a write is committed before it is answered.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np
import orjson
from aiohttp import web

from services.config_hash import settings_text
from services.embedded_rows import STORED_AT, TAGS, NewestTimes, Row, read_rows_of
from services.health import Health
from services.http_site import Site, asks_for, welcome
from services.line_protocol import LineProtocolError, read_rows
from services.metrics import Metrics
from services.retention import is_minute
from services.service_metrics import watch_store
from services.settings import Settings
from services.shape_sql import Moment, ShapeReader
from services.telemetry import observed
from twin.channels import BUS_MEASUREMENT, by_name

LOG = logging.getLogger(__name__)
MAXIMUM_BODY_BYTES = 32 * 1024 * 1024
PRUNE_EVERY_S = 60.0


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


class StoreServer:
    """HTTP in front of the database. Loopback only; `token` is asked of everybody if given."""

    def __init__(
        self,
        database: Database,
        retention_h: float,
        token: str = "",
        minutes_retention_h: float = 2160.0,
    ) -> None:
        self._token = token
        self._database = database
        self._retention_s = retention_h * 3600.0, minutes_retention_h * 3600.0
        self._writer = ThreadPoolExecutor(1, "store-write")
        self._reader = ThreadPoolExecutor(1, "store-read")
        self.rows_count = 0
        self.writes_count = 0
        self.refused_count = 0
        self.queries_count = 0
        self.metrics = Metrics("store")
        watch_store(self.metrics, self)

    def application(self) -> web.Application:
        """Routes: POST /write; GET /series, /frames, /rows, and those of health."""
        app = web.Application(
            client_max_size=MAXIMUM_BODY_BYTES, middlewares=[welcome, asks_for(self._token)]
        )
        app.router.add_post("/write", self._write)
        app.router.add_get("/series", self._series)
        app.router.add_get("/frames", self._frames)
        app.router.add_get("/rows", self._rows)
        app.router.add_get("/shape", self._shape)
        app.router.add_get("/healthz", self._health)
        Health(lambda: {"file": True}, self.metrics).add_to(app, healthz=False)
        return app

    async def _write(self, request: web.Request) -> web.Response:
        try:
            await self.write(await request.read())
        except (LineProtocolError, duckdb.DataError, duckdb.ProgrammingError) as error:
            self.refused_count += 1
            return web.Response(status=400, text=str(error))
        self.writes_count += 1
        return web.Response(status=204)

    async def write(self, body: bytes) -> None:
        """Rows of line protocol into the file; committed when it returns."""
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        self.rows_count += await loop.run_in_executor(self._writer, self._database.write, body)
        self.metrics.store_write_s.observe(loop.time() - begun_s)

    async def _series(self, request: web.Request) -> web.Response:
        self.queries_count += 1
        ask = request.query
        channels = [name for name in ask["channels"].split(",") if name in by_name()]
        answer = await asyncio.get_running_loop().run_in_executor(
            self._reader,
            self._database.series,
            ask["sat"],
            channels,
            int(ask["start_ns"]),
            int(ask["stop_ns"]),
            max(1, min(5000, int(ask["max_points"]))),
        )
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    async def _frames(self, request: web.Request) -> web.Response:
        self.queries_count += 1
        ask = request.query
        answer = await asyncio.get_running_loop().run_in_executor(
            self._reader,
            self._database.frames_per_satellite,
            ask["fleet"],
            int(ask["start_ns"]),
            int(ask["stop_ns"]),
        )
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    async def _rows(self, request: web.Request) -> web.Response:
        self.queries_count += 1
        ask = request.query
        answer = await asyncio.get_running_loop().run_in_executor(
            self._reader,
            self._database.rows,
            ask["measurement"],
            ask["fleet"],
            int(ask["start_ns"]),
            int(ask["stop_ns"]),
            ask["field"],
        )
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    async def _shape(self, request: web.Request) -> web.Response:
        self.queries_count += 1
        answer = await asyncio.get_running_loop().run_in_executor(
            self._reader, self._database.shape, dict(request.query)
        )
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"rows": self.rows_count})

    async def prune_for_ever(self) -> None:
        """Keep the file within its retention."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            await loop.run_in_executor(self._writer, self._database.prune, *self._retention_s)

    def close(self) -> None:
        """Let the writer finish, then close the file."""
        self._writer.shutdown()
        self._reader.shutdown()
        self._database.close()


async def run_store(settings: Settings, host: str, port: int, path: Path | None) -> None:
    """Serve until cancelled."""
    token = settings.store_token.get_secret_value() if settings.store_token else ""
    kept_h = settings.store_retention_h, settings.store_retention_1m_h
    server = StoreServer(Database(path), kept_h[0], token, kept_h[1])
    server.metrics.configured("settings", settings_text(settings))
    runner = web.AppRunner(server.application(), access_log=None)
    await runner.setup()
    try:
        await Site(runner, host, port).start()
        async with observed(None, dict, server.metrics, server):
            await server.prune_for_ever()
    finally:
        await runner.cleanup()
        server.close()
