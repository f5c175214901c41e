"""`/healthz`, `/readyz`, `/startupz` and `/metrics` of a service, on a port of its own.

Loopback unless told otherwise. Liveness asks nothing of the outside systems: it answers while the
event loop turns. Readiness says whether the service does its work, and names the check that
fails. Started is who has been ready once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from services.http_site import Site, welcome
from services.metrics import Metrics
from services.settings import host_and_port

Checks = Callable[[], Mapping[str, bool]]
LOOP_LIMIT_S = 5.0


class Health:
    """The answers; also mounted by services that serve HTTP anyway."""

    def __init__(self, checks: Checks, metrics: Metrics | None = None) -> None:
        self._checks = checks
        self._metrics = metrics
        self._was_ready = False

    def add_to(self, app: web.Application, *, healthz: bool = True) -> None:
        """Routes of the health addresses; `healthz` False where the service has its own."""
        if healthz:
            app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/startupz", self.startupz)
        if self._metrics is not None:
            app.router.add_get("/metrics", self.metrics)

    async def healthz(self, _: web.Request) -> web.Response:
        """Alive: the loop has turned lately."""
        turned_s = self._metrics.last_turn_s if self._metrics else None
        late = turned_s is not None and (
            asyncio.get_running_loop().time() - turned_s > LOOP_LIMIT_S
        )
        return web.json_response({"alive": not late}, status=503 if late else 200)

    async def readyz(self, _: web.Request) -> web.Response:
        """Each check by name."""
        found = dict(self._checks())
        ready = all(found.values())
        self._was_ready |= ready
        return web.json_response(found, status=200 if ready else 503)

    async def startupz(self, _: web.Request) -> web.Response:
        """Whether it has been ready once."""
        self._was_ready = self._was_ready or all(self._checks().values())
        status = 200 if self._was_ready else 503
        return web.json_response({"started": self._was_ready}, status=status)

    async def metrics(self, _: web.Request) -> web.Response:
        """Prometheus text format."""
        assert self._metrics is not None
        text = "text/plain; version=0.0.4"
        return web.Response(
            body=self._metrics.exposition(), headers={"Content-Type": f"{text}; charset=utf-8"}
        )


@asynccontextmanager
async def health_server(
    listen: str | None, checks: Checks, metrics: Metrics | None = None
) -> AsyncIterator[None]:
    """Serve health while the body runs; nothing at all if `listen` is None."""
    if listen is None:
        yield
        return
    host, port = host_and_port(listen, "TWIN_HEALTH_LISTEN")
    app = web.Application(middlewares=[welcome])
    Health(checks, metrics).add_to(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await Site(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
