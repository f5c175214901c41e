"""Telemetry out of a NATS JetStream, behind the same connection as MQTT.

Publishers speak MQTT to any server of the cluster. A stream of the cluster keeps what they
publish on the telemetry subjects, on several servers, and one durable pull consumer deals it out
among the ingesters of a group. A message is acknowledged after it is durable with us; what a dead
ingester has not acknowledged goes to another one after ACK_WAIT_S. An ingester that is only slow
says "in progress" for what it holds. Everything else (watermarks, notes, states) goes by MQTT.

A full stream refuses (nothing old is dropped), and PUBACK does not speak for our stream: what it
does not take is sent again, because the publisher waits for the watermark.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.mqtt import Connection, Connector, LostConnectionError, Message, ServiceState
from services.nats_subjects import subject_of, topic_of
from services.settings import Settings
from twin.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js.client import JetStreamContext

STREAM = "TELEMETRY"
ACK_WAIT_S = 5.0
IN_PROGRESS_S = ACK_WAIT_S / 3.0
ACK_PENDING_LIMIT = 2_000  # messages with all ingesters together
FETCH_COUNT = 64
FETCH_S = 1.0
CALL_S = 5.0
PING_S = 2
LOST_PINGS = 2
SHARE = "$share/"
ACK, IN_PROGRESS = b"+ACK", b"+WPI"


@dataclass
class StreamConnection:
    """MQTT for what is said, a pull consumer for what is to be stored."""

    mqtt: Connection
    client: "Client"
    settings: Settings
    _incoming: asyncio.Queue[Message] = field(default_factory=lambda: asyncio.Queue(1))
    _held: set[str] = field(default_factory=set)  # reply subjects of what is not acknowledged
    _acknowledged: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    _pull: "JetStreamContext.PullSubscription | None" = None

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """By MQTT: retained messages are MQTT's."""
        return await self.mqtt.publish(topic, payload, retain=retain)

    async def say_last(self, topic: str, payload: bytes) -> None:
        """By MQTT."""
        await self.mqtt.say_last(topic, payload)

    async def subscribe(self, *filters: str) -> None:
        """What is shared comes from the stream, which is made where it is not there yet."""
        shared = [one for one in filters if one.startswith(SHARE)]
        if shared:
            groups, lanes = zip(*(one.split("/", 2)[1:] for one in shared), strict=True)
            with _as_lost():
                self._pull = await self._bind(groups[0], [subject_of(lane) for lane in lanes])
        await self.mqtt.subscribe(*(one for one in filters if not one.startswith(SHARE)))

    async def _bind(self, group: str, subjects: list[str]) -> "JetStreamContext.PullSubscription":
        from nats.js.api import (
            AckPolicy,
            ConsumerConfig,
            DiscardPolicy,
            RetentionPolicy,
            StorageType,
            StreamConfig,
        )

        stream = self.client.jetstream(timeout=CALL_S)
        await stream.add_stream(
            StreamConfig(
                name=STREAM,
                subjects=subjects,
                retention=RetentionPolicy.WORK_QUEUE,
                storage=StorageType.FILE,
                discard=DiscardPolicy.NEW,
                max_bytes=int(self.settings.nats_stream_gb * 1e9),
                num_replicas=self.settings.nats_replicas,
            )
        )
        await stream.add_consumer(
            STREAM,
            ConsumerConfig(
                durable_name=group,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT_S,
                max_ack_pending=ACK_PENDING_LIMIT,
                max_deliver=-1,  # what nobody can use becomes a dead letter, never nothing
            ),
        )
        return await stream.pull_subscribe_bind(group, STREAM)

    async def messages(self) -> AsyncIterator[Message]:
        """Both kinds as they come; nothing more is fetched while the reader is busy."""
        pumps = [asyncio.ensure_future(self._pump_mqtt())]
        if self._pull is not None:
            works = (self._pump_stream(self._pull), self._answer(), self._say_in_progress())
            pumps += [asyncio.ensure_future(work) for work in works]
        coming = asyncio.ensure_future(self._incoming.get())
        try:
            while True:
                await asyncio.wait({coming, *pumps}, return_when=asyncio.FIRST_COMPLETED)
                for pump in pumps:
                    if pump.done():
                        pump.result()
                        raise LostConnectionError("the broker sends nothing more")
                message = coming.result()
                coming = asyncio.ensure_future(self._incoming.get())
                yield message
        finally:
            for task in (coming, *pumps):
                task.cancel()

    async def _pump_mqtt(self) -> None:
        async for message in self.mqtt.messages():
            await self._incoming.put(message)

    async def _pump_stream(self, pull: "JetStreamContext.PullSubscription") -> None:
        import nats.errors

        while True:
            if not self.client.is_connected:
                raise LostConnectionError("the connection to JetStream is lost")
            try:
                found = await pull.fetch(FETCH_COUNT, timeout=FETCH_S)
            except TimeoutError:  # nats-py raises its own, and that of asyncio
                continue
            except nats.errors.ConnectionClosedError as error:
                raise LostConnectionError(f"JetStream: {error!r}") from None
            except nats.errors.Error:  # no leader at this moment: another one will be elected
                await asyncio.sleep(FETCH_S)
                continue
            self._held |= {one.reply for one in found}
            for one in found:
                topic, acknowledge = topic_of(one.subject), self._acknowledger(one.reply)
                await self._incoming.put(Message(topic, one.data, False, acknowledge))

    def _acknowledger(self, reply: str) -> Callable[[], None]:
        def acknowledge() -> None:
            self._held.discard(reply)
            self._acknowledged.put_nowait(reply)

        return acknowledge

    async def _answer(self) -> None:
        with _as_lost():
            while True:
                await self.client.publish(await self._acknowledged.get(), ACK)

    async def _say_in_progress(self) -> None:
        """What waits here for the store is not for another ingester."""
        with _as_lost():
            while True:
                await asyncio.sleep(IN_PROGRESS_S)
                for reply in list(self._held):
                    await self.client.publish(reply, IN_PROGRESS)


class _as_lost:  # noqa: N801 - reads like `suppress`
    """Failures of NATS as the one error that every caller knows."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: object, _trace: object) -> None:
        import nats.errors

        if kind is not None and issubclass(kind, (nats.errors.Error, TimeoutError, OSError)):
            raise LostConnectionError(f"JetStream: {error!r}") from None


def stream_connector(nats_url: str, connect: Connector) -> Connector:
    """Connections whose telemetry comes from the cluster at `nats_url`.

    Raises ConfigurationError where the client library is not installed.
    """
    try:
        import nats.aio.client  # noqa: F401
    except ImportError:
        message = "needs the NATS client: pip install 'orbital-twin[nats]'"
        problem = Problem("environment", None, "TWIN_NATS_URL", message)
        raise ConfigurationError([problem]) from None

    @asynccontextmanager
    async def connect_both(
        settings: Settings,
        client_id: str,
        service: ServiceState | None,
        *,
        persistent: bool = False,
    ) -> AsyncIterator[Connection]:
        async with AsyncExitStack() as stack:
            client = await _client(nats_url, settings, client_id)
            stack.push_async_callback(_close, client)
            mqtt = await stack.enter_async_context(
                connect(settings, client_id, service, persistent=persistent)
            )
            yield StreamConnection(mqtt, client, settings)

    return connect_both


async def _client(nats_url: str, settings: Settings, client_id: str) -> "Client":
    from nats.aio.client import Client

    client = Client()
    password = settings.mqtt_password.get_secret_value() if settings.mqtt_password else None
    needs_tls = nats_url.startswith("tls://")
    with _as_lost():
        async with asyncio.timeout(CALL_S):
            await client.connect(
                servers=nats_url.split(","),
                name=client_id,
                user=settings.mqtt_username,
                password=password,
                tls=ssl.create_default_context(cafile=settings.mqtt_ca_file) if needs_tls else None,
                # Whoever uses the connection makes a new one, to whichever server is there.
                allow_reconnect=False,
                ping_interval=PING_S,
                max_outstanding_pings=LOST_PINGS,
                error_cb=_ignore,
            )
    return client


async def _ignore(_error: Exception) -> None:
    """The call that failed raises; nats-py would log it a second time."""


async def _close(client: "Client") -> None:
    import nats.errors

    with suppress(nats.errors.Error, TimeoutError, OSError):
        async with asyncio.timeout(1.0):
            await client.close()
