"""A broker in memory with the MQTT semantics that lose data when they are forgotten.

Sessions persistent or clean, QoS 1 with a window and redelivery with DUP, PUBACK before anything
is durable, bounded queues that drop in silence, retained messages, last wills, takeover by client
id; a crash brings back the last snapshot of sessions and retained messages, or nothing.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from memory_network import Link, Network, answered, caller

from services.mqtt import KEEPALIVE_S, PUBLISH_WINDOW, LostConnectionError, Message, ServiceState
from services.settings import Settings

CALL_LIMIT_S = 10.0  # aiomqtt's default time-out of every call
CONNECT_LIMIT_S = 5.0  # paho's
Packet = tuple[str, bytes, bool]
"""Topic, payload, retained."""


@lru_cache(maxsize=4096)
def matches(pattern: str, topic: str) -> bool:
    """MQTT's filters, of which we use `+` only."""
    parts, names = pattern.split("/"), topic.split("/")
    return len(parts) == len(names) and all(
        part in {"+", name} for part, name in zip(parts, names, strict=True)
    )


@dataclass
class Session:
    """What the broker keeps of one client."""

    persistent: bool
    filters: list[str] = field(default_factory=list)
    queue: deque[Packet] = field(default_factory=deque)
    in_flight: OrderedDict[int, Packet] = field(default_factory=OrderedDict)
    connection: "MemoryConnection | None" = None
    number: int = 0

    def copy(self) -> "Session":
        return Session(
            True, [*self.filters], deque(self.queue), OrderedDict(self.in_flight), None, self.number
        )


class MemoryBroker:
    """The server; `on_publish` and `on_acknowledged` are told what passes."""

    def __init__(self, network: Network, *, queue_limit: int, window: int) -> None:
        self.network = network
        self.queue_limit = queue_limit
        self.window = window
        self.alive = True
        self.duplicate_frac = 0.0
        self.dropped = 0
        self.unknown_acknowledgements = 0
        self.sessions: dict[str, Session] = {}
        self.retained: dict[str, bytes] = {}
        self._saved: tuple[dict[str, Session], dict[str, bytes]] = ({}, {})
        self.on_publish: Callable[[str, str, bytes], None] = lambda *_: None
        self.on_acknowledged: Callable[[str, str, bytes], None] = lambda *_: None

    # -- life

    def save(self) -> None:
        """mosquitto's autosave."""
        kept = {name: one.copy() for name, one in self.sessions.items() if one.persistent}
        self._saved = (kept, dict(self.retained))

    def crash(self) -> None:
        """kill -9: connections break, wills are not said, what was not saved is forgotten."""
        self.alive = False
        for session in self.sessions.values():
            if session.connection is not None:
                session.connection.break_off()
        sessions, retained = self._saved
        self.sessions = {name: one.copy() for name, one in sessions.items()}
        self.retained = dict(retained)

    def start(self) -> None:
        self.alive = True

    # -- protocol

    def attach(self, connection: "MemoryConnection", persistent: bool) -> None:
        old = self.sessions.get(connection.client_id)
        if old is not None and old.connection is not None:
            self.detach(old.connection, gracefully=False)  # takeover
        session = self.sessions.get(connection.client_id)
        if session is None or not (persistent and session.persistent):
            session = self.sessions[connection.client_id] = Session(persistent)
        session.connection = connection
        for number, packet in session.in_flight.items():  # again, with DUP
            connection.down.send(connection.on_message, number, packet)
        self._deliver(session)

    def detach(self, connection: "MemoryConnection", *, gracefully: bool) -> None:
        session = self.sessions.get(connection.client_id)
        connection.break_off()
        if session is None or session.connection is not connection:
            return
        session.connection = None
        if not session.persistent:
            del self.sessions[connection.client_id]
        if connection.will is not None and not gracefully:
            self._route(connection.client_id, *connection.will, True)

    def publish(
        self, connection: "MemoryConnection", number: int, topic: str, payload: bytes, retain: bool
    ) -> None:
        connection.down.send(connection.on_puback, number)
        self._route(connection.client_id, topic, payload, retain)

    def _route(self, client_id: str, topic: str, payload: bytes, retain: bool) -> None:
        self.on_publish(client_id, topic, payload)
        if retain:
            self.retained[topic] = payload
        copies = 1 + int(self.network.random.random() < self.duplicate_frac)
        for session in self.sessions.values():
            for _ in range(copies * any(matches(one, topic) for one in session.filters)):
                if len(session.queue) >= self.queue_limit:
                    self.dropped += 1
                else:
                    session.queue.append((topic, payload, False))
            self._deliver(session)

    def subscribe(self, connection: "MemoryConnection", number: int, filters: list[str]) -> None:
        session = self.sessions[connection.client_id]
        session.filters = list(dict.fromkeys([*session.filters, *filters]))
        connection.down.send(connection.on_puback, number)
        for topic, payload in self.retained.items():
            if any(matches(one, topic) for one in filters):
                session.queue.append((topic, payload, True))
        self._deliver(session)

    def acknowledge(self, connection: "MemoryConnection", number: int) -> None:
        session = self.sessions[connection.client_id]
        packet = session.in_flight.pop(number, None)
        if packet is None:
            self.unknown_acknowledgements += 1
            return
        self.on_acknowledged(connection.client_id, packet[0], packet[1])
        self._deliver(session)

    def _deliver(self, session: Session) -> None:
        while session.connection and session.queue and len(session.in_flight) < self.window:
            session.number = session.number % 65535 + 1
            packet = session.in_flight[session.number] = session.queue.popleft()
            session.connection.down.send(session.connection.on_message, session.number, packet)


class MemoryConnection:
    """What services/mqtt.py calls a connection, ended as aiomqtt's ends."""

    def __init__(
        self, broker: MemoryBroker, client_id: str, will: tuple[str, bytes] | None
    ) -> None:
        self.broker = broker
        self.client_id = client_id
        self.will = will
        self.link: Link = (caller(), "broker")
        self.up, self.down = broker.network.wire(self.link), broker.network.wire(self.link)
        self.is_lost = False
        self._number = 0
        self._pending: dict[int, asyncio.Future[None]] = {}
        self._incoming: deque[Message] = deque()
        self._news = asyncio.Event()
        self._window = asyncio.Semaphore(PUBLISH_WINDOW)

    # -- as services see it

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        async with self._window:
            await self._call(self.broker.publish, topic, payload, retain)
        return True  # as MQTT 3.1.1 says it, whoever was there to hear

    async def say_last(self, topic: str, payload: bytes) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._call(self.broker.publish, topic, payload, True)
        except (LostConnectionError, TimeoutError):
            return

    async def subscribe(self, *filters: str) -> None:
        await self._call(self.broker.subscribe, list(filters))

    async def messages(self) -> AsyncIterator[Message]:
        while True:
            while self._incoming:
                yield self._incoming.popleft()
            if self.is_lost:
                raise LostConnectionError("Disconnected during message iteration")
            self._news.clear()
            await self._news.wait()

    async def _call(self, serve: Callable[..., None], *args: Any) -> None:
        if self.is_lost:
            raise LostConnectionError("Disconnected")
        self._number += 1
        number, done = self._number, asyncio.get_running_loop().create_future()
        self._pending[number] = done
        self.up.send(serve, self, number, *args)
        try:  # aiomqtt does not end this wait when the connection is lost, only after its time
            await answered(done, CALL_LIMIT_S)
        except TimeoutError:
            raise LostConnectionError("Operation timed out") from None
        finally:
            self._pending.pop(number, None)

    # -- as the network sees it

    def on_puback(self, number: int) -> None:
        done = self._pending.get(number)
        if done is not None and not done.done():
            done.set_result(None)

    def on_message(self, number: int, packet: Packet) -> None:
        def acknowledge() -> None:
            if not self.is_lost:
                self.up.send(self.broker.acknowledge, self, number)

        self._incoming.append(Message(*packet, acknowledge))
        self._news.set()

    def break_off(self) -> None:
        """Reset: what is on the way is gone, the client notices."""
        self.up.close()
        self.down.close()
        self.is_lost = True
        self._news.set()


def connector(broker: MemoryBroker) -> Any:
    """The broker's side of `services.mqtt.connect`."""

    @asynccontextmanager
    async def connect(
        settings: Settings,  # noqa: ARG001
        client_id: str,
        service: ServiceState | None,
        *,
        persistent: bool = False,
    ) -> AsyncIterator[MemoryConnection]:
        will = None
        if service is not None:
            will = (service.topic, service.payload("offline", lost=True))
        connection = MemoryConnection(broker, client_id, will)
        await _shake_hands(connection, persistent)
        try:
            if service is not None:
                await connection.publish(service.topic, service.payload("online"), retain=True)
            yield connection
        finally:
            if not connection.is_lost:
                connection.up.send(_leave, broker, connection)

    return connect


def _leave(broker: MemoryBroker, connection: MemoryConnection) -> None:
    broker.detach(connection, gracefully=True)


async def _shake_hands(connection: MemoryConnection, persistent: bool) -> None:
    broker = connection.broker
    await asyncio.sleep(broker.network.latency_s(connection.link))
    if not broker.alive:
        connection.break_off()
        raise LostConnectionError("Connection refused")
    accepted = asyncio.get_running_loop().create_future()

    def accept() -> None:
        if not broker.alive or accepted.done():
            connection.break_off()
            return
        broker.attach(connection, persistent)
        accepted.set_result(None)

    connection.up.send(accept)
    try:
        await answered(accepted, CONNECT_LIMIT_S)
    except TimeoutError:
        connection.break_off()
        raise LostConnectionError("Operation timed out") from None


def notice_partition(broker: MemoryBroker, link: Link) -> None:
    """Keep-alives of a link that was cut a while ago: both ends give the connection up."""
    if not broker.network.is_cut(link):
        return
    for session in list(broker.sessions.values()):
        if session.connection is not None and session.connection.link == link:
            broker.detach(session.connection, gracefully=False)


PARTITION_NOTICED_S = (KEEPALIVE_S, 1.5 * KEEPALIVE_S)
