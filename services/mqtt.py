"""The door to MQTT: the only module that knows aiomqtt, but for what it lacks (mqtt_gaps.py).

One connection does four things: publish at QoS 1 with a bounded window, receive with
acknowledgement by the reader (after its work is durable, not before), announce the service
by a retained state with a last will, and come back after a loss with full-jitter back-off.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    suppress,
)
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Protocol

import aiomqtt
import orjson
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from services.mqtt_gaps import PublishAnswers, add_writers_to_open_sockets
from services.pace import SYSTEM_CLOCK, Clock, full_jitter_s
from services.rivals import Rivals
from services.settings import Settings
from twin.errors import DependencyUnavailableError

LOG = logging.getLogger(__name__)
PUBLISH_WINDOW = 64
KEEPALIVE_S = 20
LEAVE_S = 1.0
RESUBSCRIBE_S, RESUBSCRIBE_LIMIT_S = 0.2, 5.0  # waits between two askings; our choice
SESSION_KEPT_S = 7 * 86_400  # as the broker's persistent_client_expiration
NO_MATCHING_SUBSCRIBERS = 0x10  # reason codes of MQTT 5, section 2.4
FIRST_FAILURE = 0x80

LostConnectionError = aiomqtt.MqttError
"""What every call of a connection raises once it is lost, or was never made."""

# aiomqtt warns at every publish beyond ten in flight; the window here is on purpose.
QUIET_LOG = logging.getLogger("services.mqtt.aiomqtt")
QUIET_LOG.setLevel(logging.ERROR)


@dataclass(frozen=True)
class Message:
    """A received message; `acknowledge` sends its PUBACK (call it in the event loop)."""

    topic: str
    payload: bytes
    retained: bool
    acknowledge: Callable[[], None]


class Connection(Protocol):
    """A live connection. Raises LostConnectionError from any call when it is lost."""

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Publish at QoS 1 and wait for the broker's PUBACK.

        False where the broker says that nobody is there to hear it (MQTT 5 only): it has the
        message acknowledged and thrown away, so it is not delivered.
        """

    async def say_last(self, topic: str, payload: bytes) -> None:
        """Publish a retained farewell if the connection still stands."""

    async def subscribe(self, *filters: str) -> None:
        """Subscribe at QoS 1. Filters must not overlap: a broker delivers once for each."""

    def messages(self) -> AsyncIterator[Message]:
        """Messages as they come; whoever reads acknowledges."""


class Connector(Protocol):
    """Makes connections: `connect` below, or a broker in memory."""

    def __call__(
        self,
        settings: Settings,
        client_id: str,
        service: "ServiceState | None",
        *,
        persistent: bool = False,
    ) -> AbstractAsyncContextManager[Connection]:
        """One connection, announced as online. Raises LostConnectionError."""


class RefusedPublishError(aiomqtt.MqttError):
    """The broker did not take a message and said so (MQTT 5; 3.1.1 has no word for it)."""


class BrokerConnection:
    """A connection to a real broker."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._window = asyncio.Semaphore(PUBLISH_WINDOW)
        self._answers = PublishAnswers(client)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Publish at QoS 1 and wait for the broker's PUBACK; at most PUBLISH_WINDOW at once.

        False where nobody was there to hear it. Raises RefusedPublishError where the broker
        says that this user may not, or that it will not.
        """
        async with self._window:
            await self._client.publish(topic, payload, qos=1, retain=retain)
        answer = self._answers.of_this_task()
        if answer >= FIRST_FAILURE:
            raise RefusedPublishError(f"{topic} refused with reason 0x{answer:02x}")
        return answer != NO_MATCHING_SUBSCRIBERS

    async def say_last(self, topic: str, payload: bytes) -> None:
        """Publish a retained farewell if the connection still stands."""
        with suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._client.publish(topic, payload, qos=1, retain=True)

    async def subscribe(self, *filters: str) -> None:
        """Subscribe at QoS 1. Filters must not overlap: a broker delivers once for each.

        What is refused is asked for again until it is granted: NATS refuses while its cluster has
        no leader, and who went on without would hear nothing for ever. Only what a broker says
        of itself (`$SYS/`) may be missing: many tell it to nobody.
        """
        waits_s = full_jitter_s(RESUBSCRIBE_S, RESUBSCRIBE_LIMIT_S)
        wanted, is_told = list(filters), False
        while wanted:
            answers: Iterable[Any] = await self._client.subscribe([(name, 1) for name in wanted])
            codes = [getattr(answer, "value", answer) for answer in answers]
            pairs = zip(wanted, codes, strict=True)
            refused = [name for name, code in pairs if code >= FIRST_FAILURE]
            wanted = [name for name in refused if not name.startswith("$SYS/")]
            if wanted:
                if not is_told:
                    LOG.warning("the broker refuses subscriptions to %s; asking again", wanted)
                is_told = True
                await asyncio.sleep(next(waits_s))

    async def messages(self) -> AsyncIterator[Message]:
        """Messages as they come; whoever reads acknowledges."""
        async for message in self._client.messages:
            payload = message.payload
            yield Message(
                topic=str(message.topic),
                payload=bytes(payload) if isinstance(payload, bytes | bytearray) else b"",
                retained=message.retain,
                acknowledge=self._acknowledger(message.mid, message.qos),
            )

    def _acknowledger(self, message_id: int, qos: int) -> Callable[[], None]:
        def acknowledge() -> None:
            if qos:
                # aiomqtt has no public manual acknowledgement (its issue 345).
                self._client._client.ack(message_id, qos)

        return acknowledge


@dataclass(frozen=True)
class ServiceState:
    """What a service says of itself, retained; the last will says `offline` for it."""

    topic: str
    name: str
    config_hash: Callable[[], int] = lambda: 0  # changes when settings or files do

    def payload(self, state: str, **counts: object) -> bytes:
        """JSON of the state, of what the service was told, and of its counters."""
        told = {"service": self.name, "state": state, "config_hash": self.config_hash()}
        return orjson.dumps(told | counts)


@asynccontextmanager
async def connect(
    settings: Settings, client_id: str, service: ServiceState | None, *, persistent: bool = False
) -> AsyncIterator[Connection]:
    """One connection, announced as online; `persistent` keeps the session and its queue.

    Raises LostConnectionError when the broker cannot be reached or refuses.
    """
    will = None
    if service is not None:
        will = aiomqtt.Will(service.topic, service.payload("offline", lost=True), 1, True)
    client = aiomqtt.Client(
        hostname=settings.mqtt.hostname or "",
        port=settings.mqtt_port,
        username=settings.mqtt_username,
        password=settings.mqtt_password.get_secret_value() if settings.mqtt_password else None,
        identifier=client_id,
        **_session(settings, persistent),
        keepalive=KEEPALIVE_S,
        will=will,
        tls_context=_tls(settings),
        max_inflight_messages=PUBLISH_WINDOW,
        logger=QUIET_LOG,
    )
    client.pending_calls_threshold = 10 * PUBLISH_WINDOW
    # Set before connecting: set later, the first queued messages are acknowledged unseen.
    client._client.manual_ack_set(True)
    add_writers_to_open_sockets(client)
    await client.__aenter__()
    try:
        connection = BrokerConnection(client)
        if service is not None:
            await connection.publish(service.topic, service.payload("online"), retain=True)
        yield connection
    finally:
        # aiomqtt waits ten seconds for a broker that does not listen any more: a service that is
        # told to stop has five, and one that comes back takes its old session over anyway.
        with suppress(TimeoutError, aiomqtt.MqttError):
            async with asyncio.timeout(LEAVE_S):
                await client.__aexit__(None, None, None)


def _session(settings: Settings, persistent: bool) -> dict[str, Any]:
    """What asks for a session that is kept, or not, in each version of MQTT."""
    if settings.mqtt_protocol == "3.1.1":
        return {"clean_session": not persistent}
    kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    kept.SessionExpiryInterval = SESSION_KEPT_S if persistent else 0
    return {
        "protocol": aiomqtt.ProtocolVersion.V5,
        "clean_start": not persistent,
        "properties": kept,
    }


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.mqtt.scheme != "mqtts":
        return None
    return ssl.create_default_context(cafile=settings.mqtt_ca_file)


async def keep_connected(
    settings: Settings,
    client_id: str,
    service: ServiceState | None,
    use: Callable[[Connection], Awaitable[None]],
    *,
    persistent: bool = False,
    connector: Connector | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Run `use(connection)` again after every loss, until it returns by itself.

    Another process with the same client id is left alone for a while (services/rivals.py).
    Raises DependencyUnavailableError if the broker was never reached within
    `startup_timeout_s` (0 = try for ever).
    """
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + settings.startup_timeout_s if settings.startup_timeout_s else None
    waits_s, down, lost = full_jitter_s(clock=clock), False, ""
    make, rivals = connector or connect, Rivals(clock)
    opened_s: float | None = None
    for at_broker in cycle(settings.by_broker()):
        try:
            async with make(at_broker, client_id, service, persistent=persistent) as connection:
                if down:
                    LOG.warning("broker %s is back", settings.mqtt_url)
                deadline_s, waits_s, down = None, full_jitter_s(clock=clock), False
                opened_s = loop.time()
                await use(connection)
                return
        except* LostConnectionError as group:
            lost = str(group.exceptions[0])
        if (task := asyncio.current_task()) and task.cancelling():
            # A task group that fails while it is cancelled tells of the failure alone.
            raise asyncio.CancelledError
        if deadline_s is not None and loop.time() > deadline_s:
            limit_s = settings.startup_timeout_s
            raise DependencyUnavailableError(
                f"broker {settings.mqtt_url} not reached in {limit_s:g} s: {lost}"
            )
        if not down:
            LOG.warning("broker %s: %s; trying again", settings.mqtt_url, lost)
        down = True
        away_s = rivals.wait_s(None if opened_s is None else loop.time() - opened_s)
        if away_s:
            text = "%s: %d short sessions in a row: is there another %s? next try in %.0f s"
            LOG.warning(text, settings.mqtt_url, rivals.young_count, client_id, away_s)
        opened_s = None
        await asyncio.sleep(max(away_s, next(waits_s)))
