"""The ingester: MQTT batches into the store, acknowledged only when they are durable.

    receive -> check header, checksum, owner -> bounded queue -> writers -> PUBACK, watermark

A full queue stops the receiving, the broker's window fills, and the publisher waits: memory
is bounded from end to end. Every batch ends as stored, as a dead letter, or still owed.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from services.dead_letters import DeadLetters
from services.health import health_server
from services.mqtt import Connection, Message, ServiceState, keep_connected
from services.pace import SYSTEM_CLOCK, Clock, full_jitter_s
from services.settings import Settings
from services.store import RejectedRowsError, Store, StoreUnavailableError
from services.topics import Address, Topics, parse
from services.watermark import ShardKey, StoredMarks
from services.world import REAL_WORLD, World
from twin.frames import FrameError, FrameHeader, open_batch

LOG = logging.getLogger(__name__)
QUEUE_BATCHES = 256
WRITERS_COUNT = 3
REQUEST_BYTES = 2_000_000
WATERMARK_EVERY_S = 0.5


@dataclass(frozen=True)
class Batch:
    """A checked batch on its way to the store."""

    topic: str
    key: ShardKey
    header: FrameHeader
    body: bytes
    acknowledge: Callable[[], None]


@dataclass
class Counts:
    """What became of everything that arrived."""

    batches: int = 0
    frames_stored: int = 0
    rows_stored: int = 0
    values_stored: int = 0
    duplicates: int = 0
    retries: int = 0
    foreign: int = 0


@dataclass
class Ingester:
    """One ingester; `store` and `dead_letters` are injected so that it runs without servers."""

    store: Store
    dead_letters: DeadLetters
    clock: Clock = SYSTEM_CLOCK
    counts: Counts = field(default_factory=Counts)
    marks: StoredMarks = field(default_factory=StoredMarks)
    queue: asyncio.Queue[Batch] = field(default_factory=lambda: asyncio.Queue(QUEUE_BATCHES))
    store_is_up: bool = True
    broker_is_up: bool = False
    _queued: set[tuple[ShardKey, int]] = field(default_factory=set)
    _changed: set[ShardKey] = field(default_factory=set)

    async def receive(self, message: Message) -> None:
        """Check one message and queue it; waits while the queue is full."""
        address = parse(message.topic)
        if address is None or address.lane != "tlm":
            self.counts.foreign += 1
            message.acknowledge()
            return
        try:
            header, body = open_batch(message.payload)
            _check_owner(address, header, body)
        except FrameError as error:
            self.dead_letters.add(message.topic, str(error), message.payload)
            message.acknowledge()
            return
        key = (header.fleet, header.run, header.shard)
        self.marks.settle_base(key, header.base)
        self.marks.arrive(key, header.seq)
        if self.marks.is_stored(key, header.seq) or (key, header.seq) in self._queued:
            self.counts.duplicates += 1
            self._changed.add(key)
            message.acknowledge()
            return
        self._queued.add((key, header.seq))
        await self.queue.put(Batch(message.topic, key, header, body, message.acknowledge))

    async def write_for_ever(self) -> None:
        """One writer: what waits, up to 2 MB, in one request; then acknowledge all of it."""
        while True:
            batches = [await self.queue.get()]
            size = len(batches[0].body)
            while size < REQUEST_BYTES and not self.queue.empty():
                batches.append(self.queue.get_nowait())
                size += len(batches[-1].body)
            await self._write(batches)

    async def _write(self, batches: list[Batch]) -> None:
        lines = b"".join(batch.body for batch in batches)
        try:
            if lines:  # batches of satellites out of contact are empty
                await self._until_taken(lines)
        except RejectedRowsError as error:
            if len(batches) > 1:
                for batch in batches:
                    await self._write([batch])
                return
            await self._salvage(batches[0], str(error))
        for batch in batches:
            self._settle(batch)

    async def _until_taken(self, lines: bytes) -> None:
        """Write again until the store takes it. Raises RejectedRowsError."""
        waits_s = full_jitter_s(0.1, 5.0, self.clock)
        while True:
            try:
                await self.store.write(lines)
            except StoreUnavailableError as error:
                if self.store_is_up:
                    LOG.warning("store: %s; trying again", error)
                self.store_is_up = False
                self.counts.retries += 1
                await asyncio.sleep(next(waits_s))
                continue
            if not self.store_is_up:
                LOG.warning("store is back")
            self.store_is_up = True
            return

    async def _salvage(self, batch: Batch, reason: str) -> None:
        """Store the good rows of a refused batch and keep the bad ones as dead letters."""
        lines = batch.body.splitlines(keepends=True)
        pending = [lines]
        while pending:
            part = pending.pop()
            try:
                await self._until_taken(b"".join(part))
            except RejectedRowsError as error:
                if len(part) == 1:
                    frames = int(part[0].startswith(b"sat_state,"))
                    self.dead_letters.add(batch.topic, f"store refused: {error}", part[0], frames)
                    self.counts.frames_stored -= frames
                    self.counts.rows_stored -= 1
                else:
                    half = len(part) // 2
                    pending += [part[half:], part[:half]]
        LOG.warning("batch %s/%d salvaged: %s", batch.header.shard, batch.header.seq, reason)

    def _settle(self, batch: Batch) -> None:
        self.counts.batches += 1
        self.counts.frames_stored += batch.header.frames
        self.counts.rows_stored += batch.header.lines
        self.counts.values_stored += _values_count(batch.body)
        self.marks.store(batch.key, batch.header.seq)
        self._queued.discard((batch.key, batch.header.seq))
        self._changed.add(batch.key)
        batch.acknowledge()

    def changed_marks(self) -> dict[ShardKey, int]:
        """Watermarks to publish: those that moved, or that a publisher seems not to know."""
        changed, self._changed = self._changed, set()
        return {key: self.marks.seq(key) for key in changed}

    def checks(self) -> dict[str, bool]:
        """Readiness: connected, the last write went through, room in the queue."""
        return {
            "broker": self.broker_is_up,
            "store": self.store_is_up,
            "queue": self.queue.qsize() < 0.8 * self.queue.maxsize,
        }

    def status(self) -> dict[str, object]:
        """Counters for the retained service state."""
        return {
            "frames_stored": self.counts.frames_stored,
            "rows_stored": self.counts.rows_stored,
            "values_stored": self.counts.values_stored,
            "batches": self.counts.batches,
            "duplicates": self.counts.duplicates,
            "dead_lettered": self.dead_letters.count,
            "dead_lettered_frames": self.dead_letters.frames_count,
            "gaps": self.marks.gaps_count,
            "retries": self.counts.retries,
            "queued": self.queue.qsize(),
            "store_up": self.store_is_up,
        }


def _values_count(body: bytes) -> int:
    """Field values in rows of ours: every field and every tag has one `=`."""
    tags = (b",fleet=", b",plane=", b",sat=", b",accel=")
    return body.count(b"=") - sum(body.count(tag) for tag in tags)


def _check_owner(address: Address, header: FrameHeader, body: bytes) -> None:
    """The header must be the topic's, and every row must carry the topic's fleet."""
    if (header.fleet, header.shard) != (address.fleet, address.leaf):
        raise FrameError(f"header of {header.fleet}/{header.shard} on another topic")
    if body.count(b",fleet=" + header.fleet.encode() + b",") + body.count(
        b",fleet=" + header.fleet.encode() + b" "
    ) != body.count(b"\n"):
        raise FrameError("a row of another fleet")


async def run_ingest(settings: Settings, instance: str = "1", world: World = REAL_WORLD) -> None:
    """Ingest until cancelled."""
    letters = DeadLetters(settings.state_dir / "dead_letters.jsonl", world.clock.unix_s)
    service = ServiceState(Topics("all").service(f"ingest-{instance}"), "ingest")
    async with world.open_store(settings) as store:
        ingester = Ingester(store, letters, world.clock)
        async with health_server(settings.health_listen, ingester.checks):
            await _prepare(store, world.clock)
            await _receive_and_write(settings, ingester, f"ingest-{instance}", service, world)


async def _receive_and_write(
    settings: Settings, ingester: Ingester, client_id: str, service: ServiceState, world: World
) -> None:
    async def use(connection: Connection) -> None:
        ingester.broker_is_up = True
        try:
            await _serve(ingester, connection, service)
        finally:
            ingester.broker_is_up = False

    async with asyncio.TaskGroup() as tasks:
        for _ in range(WRITERS_COUNT):
            tasks.create_task(ingester.write_for_ever())
        await keep_connected(
            settings,
            client_id,
            service,
            use,
            persistent=True,
            connector=world.connect,
            clock=world.clock,
        )


async def _prepare(store: Store, clock: Clock) -> None:
    """Start-order free: wait for the store as long as it takes."""
    waits_s, told = full_jitter_s(0.1, 5.0, clock), False
    while True:
        try:
            await store.prepare()
        except StoreUnavailableError as error:
            if not told:
                LOG.warning("store: %s; trying again", error)
            told = True
            await asyncio.sleep(next(waits_s))
        else:
            return


async def _serve(ingester: Ingester, connection: Connection, service: ServiceState) -> None:
    """One connection: receive, and tell publishers what is stored."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_tell(ingester, connection, service))
        await connection.subscribe(Topics().telemetry())
        async for message in connection.messages():
            await ingester.receive(message)


async def _tell(ingester: Ingester, connection: Connection, service: ServiceState) -> None:
    """Watermarks twice a second, the service's own counters every two seconds."""
    turn = 0
    try:
        while True:
            for (fleet, run, shard), seq in ingester.changed_marks().items():
                mark = orjson.dumps({"run": run, "seq": seq})
                await connection.publish(Topics(fleet).watermark(shard), mark, retain=True)
            if turn % 4 == 0:
                state = service.payload("online", **ingester.status())
                await connection.publish(service.topic, state, retain=True)
            turn += 1
            await asyncio.sleep(WATERMARK_EVERY_S)
    finally:
        await connection.say_last(service.topic, service.payload("offline", **ingester.status()))
