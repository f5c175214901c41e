"""The console service: the live picture from MQTT, history from the store, one web page."""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from services.config_hash import settings_text
from services.console.alerts import AlertBoard
from services.console.app import LOOPBACK_HOSTS, create_app
from services.console.feed import LiveFleet
from services.fleet_events import FLEET_CHANGED, names_in
from services.http_site import Site
from services.metrics import Metrics
from services.mqtt import Connection, Message, ServiceState, keep_connected
from services.settings import Settings, host_and_port, refuse_public_bind
from services.store import open_store
from services.telemetry import observed, ops_store
from services.topics import Topics, parse
from twin.errors import ConfigurationError, Problem

LOG = logging.getLogger(__name__)
EVENTS_KEPT = 100


class PipelineStatus:
    """What the services say of themselves, for the page's status strip."""

    def __init__(self) -> None:
        self._services: dict[str, dict[str, object]] = {}
        self._events: list[dict[str, object]] = []
        self.broker_is_up = False
        self.messages_count = 0

    def checks(self) -> dict[str, bool]:
        """Readiness: connected to the broker."""
        return {"broker": self.broker_is_up}

    def on_service(self, name: str, payload: bytes) -> None:
        """A retained service state; unreadable ones are shown as such."""
        try:
            state = orjson.loads(payload)
        except orjson.JSONDecodeError:
            state = {"state": "unreadable"}
        self._services[name] = state if isinstance(state, dict) else {"state": "unreadable"}

    def service(self, name: str) -> dict[str, object]:
        """What a service said last; nothing if it has not spoken."""
        return self._services.get(name, {})

    def on_event(self, event: Mapping[str, Any]) -> None:
        """The newest events, a bounded number; names of satellites are on the map."""
        shown = {name: value for name, value in event.items() if not isinstance(value, list)}
        self._events = [shown, *self._events][:EVENTS_KEPT]

    def _sum(self, counter: str) -> int:
        values = (state.get(counter) for state in self._services.values())
        return sum(value for value in values if isinstance(value, int))

    def __call__(self) -> dict[str, object]:
        """What the page shows."""
        return {
            "services": {name: row.get("state") for name, row in self._services.items()},
            "owed": self._sum("owed"),
            "dead_lettered": self._sum("dead_lettered"),
            "details": self._services,
            "events": self._events,
        }


async def run_console(settings: Settings) -> None:
    """Serve the console until cancelled."""
    host, port = host_and_port(settings.console_listen, "TWIN_CONSOLE_LISTEN")
    refuse_public_bind(host, settings)
    tls = _tls(settings)
    token = settings.console_token.get_secret_value() if settings.console_token else ""
    live, status, alerts = LiveFleet(), PipelineStatus(), AlertBoard()
    extra = [name.strip() for name in settings.console_allowed_hosts.split(",") if name.strip()]
    metrics = Metrics("console")
    metrics.configured("settings", settings_text(settings))
    service = ServiceState(Topics("all").service("console"), "console", lambda: metrics.config_hash)
    metrics.messages(lambda: {"received": status.messages_count})
    metrics.gauge("broker_up", "1 while connected", lambda: int(status.broker_is_up))
    async with (
        open_store(settings) as store,
        ops_store(settings, open_store) as ops,
        observed(settings.health_listen, status.checks, metrics, ops),
        asyncio.TaskGroup() as tasks,
    ):
        app = create_app(
            live,
            store,
            status,
            alerts=alerts,
            allowed_hosts=[*LOOPBACK_HOSTS, *extra],
            token=token,
            cookie_over_tls=tls is not None,
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await (site := Site(runner, host, port, ssl_context=tls)).start()
            LOG.info("console on %s/", site.name)

            async def use(connection: Connection) -> None:
                status.broker_is_up = True
                metrics.connections += 1
                try:
                    await _listen(connection, live, status, alerts)
                finally:
                    status.broker_is_up = False

            tasks.create_task(keep_connected(settings, "console", service, use))
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """TLS if a certificate is given. Raises ConfigurationError for one that does not load."""
    certificate, key = settings.console_certificate_file, settings.console_key_file
    if not certificate or not key:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        problem = Problem("environment", None, "TWIN_CONSOLE_CERTIFICATE_FILE", str(error))
        raise ConfigurationError([problem]) from None
    return context


async def _listen(
    connection: Connection, live: LiveFleet, status: PipelineStatus, alerts: AlertBoard
) -> None:
    """Everything a person may want to see, of every fleet."""
    topics = Topics()
    await connection.subscribe(
        topics.telemetry(), topics.state(), topics.service(), topics.event(), topics.alerts()
    )
    async for message in connection.messages():
        message.acknowledge()
        status.messages_count += 1
        _show(message, live, status, alerts)


def _show(message: Message, live: LiveFleet, status: PipelineStatus, alerts: AlertBoard) -> None:
    address = parse(message.topic)
    if address is None:
        return
    if address.lane == "tlm":
        live.ingest(message.payload)
    elif address.lane == "state":
        live.on_state(address.leaf, message.payload)
    elif address.lane == "service":
        status.on_service(address.leaf, message.payload)
        alerts.on_service(address.leaf, status.service(address.leaf))
    elif address.lane == "alerts":
        alerts.on_states(address.fleet, message.payload)
    elif address.lane == "event":
        _show_event(message.payload, address.fleet, live, status)


def _show_event(payload: bytes, fleet: str, live: LiveFleet, status: PipelineStatus) -> None:
    try:
        event = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return
    if not isinstance(event, dict):
        return
    status.on_event(event)
    if event.get("kind") == FLEET_CHANGED and fleet == live.fleet_name:
        live.change_fleet(names_in(event, "joined"), names_in(event, "left"))
