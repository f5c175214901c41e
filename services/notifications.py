"""`twin notifications`: takes the webhooks of Grafana or Alertmanager, says and keeps them.

The receiver of docker-compose.yml, so that every alert goes somewhere without an account
anywhere; a pager's or ticket system's own webhook takes its place. A notification that comes again
is counted once: both senders repeat what was not answered in time.
"""

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson
from aiohttp import web

from services.health import Health
from services.http_site import Site, asks_for, welcome

LOG = logging.getLogger(__name__)

KEPT: Final = 1_000
"""Notifications to look at; what is seen once is known for ten times as many alerts."""
BODY_BYTES: Final = 4 * 1024 * 1024
"""A webhook of 50 alerts is some 100 KB; bodies beyond this are refused."""


@dataclass(frozen=True)
class Notification:
    """One message: who it was for, and how many of its alerts were not known yet."""

    received_unix_s: float
    receiver: str
    status: str
    title: str
    alerts: int
    new_alerts: int
    truncated_alerts: int
    labels: dict[str, str]


class Inbox:
    """What came, the newest first out; alerts by fingerprint, start and status."""

    def __init__(
        self,
        *,
        keep_alerts: bool = False,
        now_s: Callable[[], float] = time.time,
        on_alert: Callable[[dict[str, Any]], None] = lambda _alert: None,
    ) -> None:
        self.messages: deque[Notification] = deque(maxlen=KEPT)
        self.alerts: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()
        self._seen: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._keep_alerts = keep_alerts
        self._now_s = now_s
        self._on_alert = on_alert

    def take(self, receiver: str, body: dict[str, Any]) -> Notification:
        """One webhook. Raises ValueError, TypeError or KeyError for one of another shape."""
        rows = body["alerts"]
        new = [row for row in rows if self._is_new(receiver, row)]
        for row in new:
            self._on_alert(row)
        found = Notification(
            received_unix_s=self._now_s(),
            receiver=receiver,
            status=str(body["status"]),
            title=str(body.get("title") or body.get("groupKey", ""))[:300],
            alerts=len(rows),
            new_alerts=len(new),
            truncated_alerts=int(body.get("truncatedAlerts") or 0),
            labels=dict(body.get("commonLabels") or {}),
        )
        if self._keep_alerts:
            self.alerts += [{**row, "receiver": receiver} for row in new]
        self.messages.append(found)
        self.arrived.set()
        return found

    def _is_new(self, receiver: str, row: dict[str, Any]) -> bool:
        key = (receiver, row["fingerprint"], row["startsAt"], row["status"])
        is_new = key not in self._seen
        self._seen[key] = None
        self._seen.move_to_end(key)
        while len(self._seen) > 10 * KEPT:
            self._seen.popitem(last=False)
        return is_new


def notifications_app(inbox: Inbox, token: str = "") -> web.Application:
    """POST /<receiver> takes a webhook, GET /notifications shows what came.

    With a token, only for who sends it: `Authorization: Bearer TOKEN`.
    """

    async def post(request: web.Request) -> web.Response:
        try:
            found = inbox.take(request.match_info["receiver"], orjson.loads(await request.read()))
        except (ValueError, TypeError, KeyError) as error:
            raise web.HTTPBadRequest(text=f"not a webhook of Grafana: {error!r}") from None
        LOG.info("notification %s", orjson.dumps(asdict(found)).decode())
        return web.json_response({"new_alerts": found.new_alerts})

    async def show(_: web.Request) -> web.Response:
        rows = [asdict(one) for one in reversed(inbox.messages)]
        return web.json_response(rows)

    app = web.Application(middlewares=[welcome, asks_for(token)], client_max_size=BODY_BYTES)
    app.router.add_get("/notifications", show)
    app.router.add_post("/{receiver:[a-z]{1,32}}", post)
    Health(lambda: {"listening": True}).add_to(app)
    return app


async def run_notifications(host: str, port: int, inbox: Inbox | None = None) -> None:
    """Serve until cancelled."""
    runner = web.AppRunner(notifications_app(inbox or Inbox()), access_log=None)
    await runner.setup()
    try:
        await Site(runner, host, port).start()
        LOG.info("notifications on http://%s:%d", host, port)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
