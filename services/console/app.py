"""The console as an aiohttp application; whoever starts it chooses address and port."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from aiohttp import hdrs, web

from services.console.alerts import AlertBoard, rules_spec
from services.console.api import STATIC, Console, SeriesStore, refusal
from services.console.feed import LiveFleet
from services.console.saa import AnomalyMap
from services.console.spec import build_spec
from services.console.stream import Pictures
from services.console.token import doorkeeper
from services.http_site import welcome
from services.pace import Pace
from twin.channels import ACCEL_CHANNELS, BUS_CHANNELS, Channel

LOG = logging.getLogger(__name__)
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
BODY_LIMIT_BYTES = 64 * 1024
PORT = re.compile(r":[0-9]{1,5}\Z")
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

PICTURES: web.AppKey[Pictures] = web.AppKey("pictures", Pictures)
"""The ticker of an application, for tests that turn it by hand."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(
    live: LiveFleet,
    store: SeriesStore,
    status: Callable[[], dict[str, Any]],
    *,
    bus_channels: Sequence[Channel] = BUS_CHANNELS,
    accelerator_channels: Sequence[Channel] = ACCEL_CHANNELS,
    anomaly: AnomalyMap | None = None,
    alerts: AlertBoard | None = None,
    allowed_hosts: Sequence[str] = LOOPBACK_HOSTS,
    ticking: bool = True,
    token: str = "",
    cookie_over_tls: bool = False,
    now_s: Callable[[], float] = time.monotonic,
) -> web.Application:
    """The console over a live picture and a store.

    `status` gives the pipeline's state: `services` {name: state}, `owed` and `dead_lettered`
    counts, and anything else worth showing. `allowed_hosts` are Host headers answered, without
    port; others get 421, so that a foreign page cannot reach the console by DNS rebinding.
    `ticking` False leaves the turning of pictures to the caller. `token`, if given, is asked of
    everybody (`doorkeeper`); `cookie_over_tls` keeps the cookie that stands for it off plain HTTP.
    """
    pictures = Pictures(live)
    console = Console(
        live=live,
        store=store,
        channels={channel.name: channel for channel in bus_channels},
        spec=build_spec(bus_channels, accelerator_channels) | {"alert_rules": rules_spec()},
        status=status,
        anomaly=anomaly or AnomalyMap(),
        pictures=pictures,
        alerts=alerts or AlertBoard(),
    )
    app = web.Application(
        middlewares=[
            welcome,
            _guard({host.lower() for host in allowed_hosts}),
            doorkeeper(token, cookie_over_tls, now_s),
        ],
        client_max_size=BODY_LIMIT_BYTES,
    )
    app[PICTURES] = pictures
    app.add_routes(console.routes())
    app.router.add_static("/static/", STATIC, follow_symlinks=False, show_index=False)
    app.on_response_prepare.append(_secure)

    async def let_browsers_go(_app: web.Application) -> None:
        await pictures.close()

    app.on_shutdown.append(let_browsers_go)
    if ticking:
        app.cleanup_ctx.append(_ticker)
    return app


async def _ticker(app: web.Application) -> AsyncIterator[None]:
    task = asyncio.create_task(app[PICTURES].run(Pace(1.0, time.time())))
    task.add_done_callback(_report_end)
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _report_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        LOG.critical("the console's pictures stopped", exc_info=error)


async def _secure(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)
    response.headers.popall(hdrs.SERVER, None)


def _is_own_origin(request: web.Request, allowed_hosts: set[str]) -> bool:
    """False for a page of another host; a WebSocket has to say where it comes from.

    Browsers let any page open a WebSocket anywhere, so its Origin is all there is to go by.
    """
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return request.headers.get(hdrs.UPGRADE, "").lower() != "websocket"
    scheme, separator, host = origin.partition("://")
    known = scheme in {"http", "https"} and bool(separator)
    return known and PORT.sub("", host).lower() in allowed_hosts


def _guard(allowed_hosts: set[str]) -> Any:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = PORT.sub("", request.headers.get(hdrs.HOST, "")).lower()
        if host not in allowed_hosts:
            raise refusal(421, "this host name is not served here")
        if not _is_own_origin(request, allowed_hosts):
            raise refusal(403, "a page of another origin may not ask")
        if request.path.startswith("/static/"):
            response = await handler(request)
            response.headers.setdefault(hdrs.CACHE_CONTROL, "no-cache")
            return response
        return await handler(request)

    return guard
