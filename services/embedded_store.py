"""The embedded store: DuckDB behind loopback HTTP, so that no server is needed.

DuckDB lets one process open a file, so this process owns it and answers the same questions
that the console asks of InfluxDB. One table per measurement, columns as fields come
(`embedded_database.py`). Writes and reads run in one worker thread each; a write is committed
before it is answered.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import orjson
from aiohttp import web

from services.config_hash import settings_text
from services.embedded_database import Database
from services.health import Health
from services.http_site import Site, asks_for, welcome
from services.line_protocol import LineProtocolError
from services.metrics import Metrics
from services.service_metrics import watch_store
from services.settings import Settings
from services.telemetry import observed
from twin.channels import by_name

MAXIMUM_BODY_BYTES = 32 * 1024 * 1024
PRUNE_EVERY_S = 60.0


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
        ask = request.query
        channels = [name for name in ask["channels"].split(",") if name in by_name()]
        points = max(1, min(5000, int(ask["max_points"])))
        return await self._answer(
            self._database.series, ask["sat"], channels, *_between(request), points
        )

    async def _frames(self, request: web.Request) -> web.Response:
        question = request.query["fleet"], *_between(request)
        return await self._answer(self._database.frames_per_satellite, *question)

    async def _rows(self, request: web.Request) -> web.Response:
        ask = request.query
        question = ask["measurement"], ask["fleet"], *_between(request), ask["field"]
        return await self._answer(self._database.rows, *question)

    async def _shape(self, request: web.Request) -> web.Response:
        return await self._answer(self._database.shape, dict(request.query))

    async def _answer(self, read: Callable[..., Any], *question: Any) -> web.Response:
        self.queries_count += 1
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._reader, read, *question)
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


def _between(request: web.Request) -> tuple[int, int]:
    """The span of time that is asked about [ns]."""
    return int(request.query["start_ns"]), int(request.query["stop_ns"])


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
