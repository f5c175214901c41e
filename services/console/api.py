"""Routes of the console. Every route reads; nothing a browser sends changes the twin."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson
from aiohttp import web

from services.console.alerts import AlertBoard
from services.console.boards import (
    VARIABLES,
    UnknownQueryError,
    answered,
    boards_spec,
    is_of_services,
    moment_of,
    query_of,
)
from services.console.feed import LiveFleet
from services.console.frames import MS_PER_NS, whole_fleet
from services.console.lines import ID_PATTERN
from services.console.saa import AnomalyMap, fleet_altitude_km
from services.console.stream import Pictures, follow, resume_from
from services.store import RejectedRowsError, StoreUnavailableError
from twin.channels import Channel

STATIC = Path(__file__).parent / "static"
CHANNELS_LIMIT = 32
MINUTES_LIMIT = 24 * 60
POINTS_LIMIT = 2_000
POINTS_USUAL = 900
BROWSERS_LIMIT = 64
STORE_TIMEOUT_S = 15.0
NS_PER_MINUTE = 60 * 10**9


class SeriesStore(Protocol):
    """The one question the console asks of a store."""

    async def series(
        self, sat: str, channels: list[str], start_ns: int, stop_ns: int, max_points: int
    ) -> dict[str, list[float | int | None]]:
        """`time_ns` and one list per channel of a satellite, in time order."""


@dataclass
class Console:
    """What the routes work with."""

    live: LiveFleet
    store: SeriesStore
    channels: Mapping[str, Channel]
    spec: dict[str, Any]
    status: Callable[[], dict[str, Any]]
    anomaly: AnomalyMap
    pictures: Pictures
    alerts: AlertBoard
    browsers: int = 0

    def routes(self) -> list[web.RouteDef]:
        """Everything but the static files."""
        return [
            web.get("/", self.page),
            web.get("/healthz", self.healthz),
            web.get("/api/console/spec", self.console_spec),
            web.get("/api/fleet", self.fleet),
            web.get("/api/stream", self.stream),
            web.get("/api/sat/{id}", self.satellite),
            web.get("/api/sat/{id}/series", self.series),
            web.get("/api/saa", self.saa),
            web.get("/api/alerts", self.get_alerts),
            web.get("/api/boards", self.boards),
            web.get("/api/boards/query", self.board_query),
            web.get("/api/status", self.get_status),
        ]

    async def page(self, _request: web.Request) -> web.FileResponse:
        """The page."""
        return web.FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    async def healthz(self, _request: web.Request) -> web.Response:
        """Alive: the event loop turns. Says nothing about broker or store."""
        return answer({"status": "ok"})

    async def console_spec(self, _request: web.Request) -> web.Response:
        """Channels, limits, states and panels."""
        return compressed(self.spec)

    async def fleet(self, _request: web.Request) -> web.Response:
        """Who the satellites are and the newest picture of all of them."""
        return compressed(whole_fleet(self.live))

    async def satellite(self, request: web.Request) -> web.Response:
        """Every channel of one satellite and of its accelerators, as last reported."""
        satellite_id = self._known_id(request)
        satellite = self.live.roster.find(satellite_id)
        assert satellite is not None
        row = self.live.roster.row(satellite_id)
        values, time_ns = self.live.all_channels(satellite_id)
        return answer(
            {
                "id": satellite_id,
                "name": satellite.name,
                "plane": satellite.plane,
                "preset": satellite.preset,
                "details": satellite.details,
                "time_ms": time_ns * MS_PER_NS,
                "stale": bool(self.live.stale()[row]),
                "channels": values,
                "accelerators": self.live.all_accelerators(satellite_id),
            }
        )

    async def series(self, request: web.Request) -> web.Response:
        """History of some channels, from the store, up to the newest report."""
        satellite_id = self._known_id(request)
        names = _names(request.query.get("channels", ""), self.channels)
        minutes = _number(request.query.get("minutes", "30"), 1, MINUTES_LIMIT, "minutes")
        points = _number(request.query.get("points", str(POINTS_USUAL)), 10, POINTS_LIMIT, "points")
        stop_ns = self.live.clock.now_ns()
        start_ns = stop_ns - minutes * NS_PER_MINUTE
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                columns = await self.store.series(satellite_id, names, start_ns, stop_ns, points)
        except (StoreUnavailableError, RejectedRowsError, TimeoutError) as error:
            raise refusal(503, f"store: {error or 'no answer in time'}") from None
        return compressed(columns)

    async def boards(self, _request: web.Request) -> web.Response:
        """Every dashboard, as Grafana is given it too."""
        return compressed(await asyncio.to_thread(boards_spec))

    async def board_query(self, request: web.Request) -> web.Response:
        """Series of one query of a dashboard, named by its key, up to the newest report."""
        ask = request.query
        minutes = _number(ask.get("minutes", "30"), 1, MINUTES_LIMIT, "minutes")
        values = {name: ask[name] for name in VARIABLES if name in ask}
        try:
            one = query_of(ask.get("key", ""))
            now_ns = time.time_ns() if is_of_services(one) else self.live.clock.now_ns()
            moment = moment_of(values, now_ns, minutes)
            async with asyncio.timeout(STORE_TIMEOUT_S):
                found = await answered(self.store, one, moment)
        except UnknownQueryError as error:
            raise refusal(400, str(error)) from None
        except (StoreUnavailableError, RejectedRowsError, TimeoutError) as error:
            raise refusal(503, f"store: {error or 'no answer in time'}") from None
        span = {"start_ns": moment.start_ns, "stop_ns": moment.stop_ns}
        return compressed(span | {"series": found})

    async def saa(self, _request: web.Request) -> web.Response:
        """Trapped-proton flux around the Earth at the fleet's median altitude."""
        grid = await asyncio.to_thread(self.anomaly.at, fleet_altitude_km(self.live))
        return compressed(grid)

    async def get_alerts(self, _request: web.Request) -> web.Response:
        """What fires and what waits, as the watcher last said."""
        return compressed(self.alerts.answer())

    async def get_status(self, _request: web.Request) -> web.Response:
        """State of the pipeline, as its owner tells it, and of this console."""
        counts = self.live.counts
        return answer(
            {
                "pipeline": self.status(),
                "alerts": self.alerts.counts(),
                "console": {
                    "browsers": self.browsers,
                    "messages": counts.messages,
                    "lines": counts.lines,
                    "rejected": counts.rejected,
                    "late": counts.late,
                    "pictures_skipped": counts.pictures_skipped,
                    "restarts": counts.restarts,
                },
            }
        )

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: one picture a second with what changed; the newest if slow."""
        if self.browsers >= BROWSERS_LIMIT:
            raise refusal(503, f"{BROWSERS_LIMIT} browsers are connected already")
        last = request.headers.get("Last-Event-ID") or request.query.get("since", "")
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        self.browsers += 1
        try:
            with suppress(ConnectionError):
                await response.prepare(request)
                await response.write(b"retry: 2000\n\n")
                await follow(self.pictures, response.write, resume_from(self.live, last))
        finally:
            self.browsers -= 1
        return response

    def _known_id(self, request: web.Request) -> str:
        satellite_id = request.match_info["id"]
        if not ID_PATTERN.match(satellite_id):
            raise refusal(400, "a satellite id is a letter, then letters, digits and _")
        if self.live.roster.find(satellite_id) is None:
            raise refusal(404, f"no satellite {satellite_id}")
        return satellite_id


def answer(body: dict[str, Any] | bytes, status: int = 200) -> web.Response:
    """A JSON answer that nobody may keep."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return web.Response(
        body=data,
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def compressed(body: Any) -> web.Response:
    """The same, compressed where the browser can take it."""
    response = answer(body)
    response.enable_compression()
    return response


def refusal(status: int, text: str) -> web.HTTPException:
    """An error with a JSON body; `status` is one of those the console gives."""
    kinds: dict[int, type[web.HTTPException]] = {
        400: web.HTTPBadRequest,
        403: web.HTTPForbidden,
        404: web.HTTPNotFound,
        421: web.HTTPMisdirectedRequest,
        503: web.HTTPServiceUnavailable,
    }
    return kinds[status](
        text=orjson.dumps({"error": text}).decode(), content_type="application/json"
    )


def _names(text: str, known: Mapping[str, Channel]) -> list[str]:
    names = list(dict.fromkeys(text.split(","))) if text else []
    if not 1 <= len(names) <= CHANNELS_LIMIT:
        raise refusal(400, f"channels: 1 to {CHANNELS_LIMIT} names, comma between")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise refusal(400, f"channels: not in the dictionary: {len(unknown)} of {len(names)}")
    return names


def _number(text: str, low: int, high: int, name: str) -> int:
    usable = text.isascii() and text.isdigit() and len(text) <= 6
    if not usable or not low <= int(text) <= high:
        raise refusal(400, f"{name}: a whole number from {low} to {high}")
    return int(text)
