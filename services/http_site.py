"""Where our HTTP servers listen: a bounded number of connections, and no room for silent ones.

aiohttp waits for ever for the first request of a connection (its keep-alive limit begins after
one). Here a connection that has made no whole request after some seconds is closed, and when
the room is full the oldest such connection makes way for the new one, so that somebody who
opens sockets and says nothing, or rubbish, keeps nobody else out.
"""

import asyncio
import hmac
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

CONNECTIONS_LIMIT = 256
SILENT_S = 8.0
HANDSHAKE_S = 8.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Room:
    """The connections of one server, in order of arrival."""

    def __init__(self, limit: int, silent_s: float) -> None:
        self.limit, self.silent_s = limit, silent_s
        self.guests: dict[Guest, None] = {}

    def enter(self, guest: "Guest") -> None:
        """One more; if that is too many, the oldest that has asked nothing leaves."""
        self.guests[guest] = None
        if len(self.guests) > self.limit:
            silent = (other for other in self.guests if not other.has_asked)
            next(silent, guest).leave()


class Guest(asyncio.Protocol):
    """One connection: passes everything on to aiohttp's handler, and knows if it ever asked."""

    def __init__(self, room: Room, handler: asyncio.Protocol) -> None:
        self._room, self._handler = room, handler
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.has_asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it in."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._handler.connection_made(transport)
        self._timer = asyncio.get_running_loop().call_later(self._room.silent_s, self._time_is_up)
        self._room.enter(self)

    def _time_is_up(self) -> None:
        if not self.has_asked:
            self.leave()

    def leave(self) -> None:
        """Close at once, without waiting for what the other side may still say."""
        if self._transport is not None:
            self._transport.abort()
        self._room.guests.pop(self, None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it out."""
        if self._timer is not None:
            self._timer.cancel()
        self._room.guests.pop(self, None)
        self._handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self._handler.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._handler.eof_received()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._handler.resume_writing()


@web.middleware
async def welcome(request: web.Request, handler: Handler) -> web.StreamResponse:
    """First middleware of every server of ours: this connection has made a whole request."""
    guest = request.transport.get_protocol() if request.transport else None
    if isinstance(guest, Guest):
        guest.has_asked = True
    return await handler(request)


def asks_for(token: str) -> Any:
    """A middleware that answers 401 unless the request bears the token; none asked if empty."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if token and not bears(request, token):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        return await handler(request)

    return guard


def bears(request: web.Request, token: str) -> bool:
    """Whether the request's Authorization header has this token, compared in constant time."""
    given = request.headers.get("Authorization", "").encode()
    return hmac.compare_digest(given, f"Bearer {token}".encode())


class Site(web.BaseSite):
    """A TCP address with a bounded room; in place of aiohttp's TCPSite."""

    def __init__(
        self,
        runner: web.AppRunner,
        host: str,
        port: int,
        *,
        ssl_context: ssl.SSLContext | None = None,
        limit: int = CONNECTIONS_LIMIT,
        silent_s: float = SILENT_S,
    ) -> None:
        super().__init__(runner, ssl_context=ssl_context)
        self._host, self._port = host, port
        self._room = Room(limit, silent_s)

    @property
    def name(self) -> str:
        """The address as a URL."""
        return f"{'https' if self._ssl_context else 'http'}://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen; the runner's clean-up ends it."""
        await super().start()
        server = self._runner.server
        assert server is not None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Guest(self._room, server()),
            self._host,
            self._port,
            ssl=self._ssl_context,
            ssl_handshake_timeout=HANDSHAKE_S if self._ssl_context else None,
            backlog=self._backlog,
        )
