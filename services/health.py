"""`/healthz` and `/readyz` of a service, on a port of its own, loopback unless told otherwise.

Liveness asks nothing of the outside systems: it answers while the event loop turns. Readiness
says whether the service does its work, and names the check that fails.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from services.http_site import Site, welcome
from services.settings import host_and_port

Checks = Callable[[], Mapping[str, bool]]


@asynccontextmanager
async def health_server(listen: str | None, checks: Checks) -> AsyncIterator[None]:
    """Serve health while the body runs; nothing at all if `listen` is None."""
    if listen is None:
        yield
        return
    host, port = host_and_port(listen, "TWIN_HEALTH_LISTEN")

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(_: web.Request) -> web.Response:
        found = dict(checks())
        return web.json_response(found, status=200 if all(found.values()) else 503)

    app = web.Application(middlewares=[welcome])
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await Site(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
