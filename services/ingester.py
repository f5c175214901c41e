"""The ingester's core: checked batches into the store, each one stored, a dead letter or owed.

    receive -> check -> [spool] -> bounded queue -> writers -> store

A batch is acknowledged once it is durable: in the store, or in the spool where there is one. A
full queue stops the receiving, the broker's window fills, and the publisher waits: memory is
bounded from end to end. Rows that the store refuses are found beside the queue, not in it.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from services.batches import Batch, BatchKey
from services.dead_letters import DeadLetters
from services.lanes import Lanes, RefusedMessageError
from services.mqtt import Message
from services.pace import SYSTEM_CLOCK, Clock
from services.poison import Guard
from services.spool import Spool
from services.store import Store
from services.stored_marks import ShardKey, StoredMarks
from services.writers_queue import WritersQueue

LOG = logging.getLogger(__name__)
SALVAGES_AT_ONCE = 2
IDLE_LOOK_S = 0.2
STALE_STORE_S = 5.0  # something is due and nothing was stored for so long: not ready


@dataclass
class Counts:
    """What became of everything that arrived."""

    messages: int = 0
    batches: int = 0
    frames_stored: int = 0
    rows_stored: int = 0
    values_stored: int = 0
    duplicates: int = 0
    foreign: int = 0


@dataclass
class Ingester:
    """One ingester; `store` and `dead_letters` are injected so that it runs without servers."""

    store: Store
    dead_letters: DeadLetters
    clock: Clock = SYSTEM_CLOCK
    counts: Counts = field(default_factory=Counts)
    marks: StoredMarks = field(default_factory=StoredMarks)
    queue: WritersQueue = field(default_factory=WritersQueue)
    lanes: Lanes = field(default_factory=Lanes)
    spool: Spool | None = None
    request_bytes: int = 2_000_000  # a write to the store is joined from batches up to this size
    broker_is_up: bool = False
    broker_dropped: int = 0  # as the broker itself says
    on_stored: Callable[[Batch], None] = lambda _batch: None
    on_durable: Callable[[Batch], None] = lambda _batch: None
    queued_bytes: int = 0
    _waiting: dict[BatchKey, list[Callable[[], None]]] = field(default_factory=dict)
    _arrived_s: dict[BatchKey, float] = field(default_factory=dict)  # oldest first
    _due_since_s: dict[int, float] = field(default_factory=dict)  # by identity of a taken batch
    _changed: set[ShardKey] = field(default_factory=set)
    _salvages: set["asyncio.Task[None]"] = field(default_factory=set)
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.guard = Guard(self.store, self.clock)
        self._beds = asyncio.Semaphore(SALVAGES_AT_ONCE)

    @property
    def store_is_up(self) -> bool:
        """False from a failed canary until the next row is stored."""
        return self.guard.store_is_up

    async def receive(self, message: Message) -> None:
        """Check one message and pass it on; waits while the queue is full."""
        self.counts.messages += 1
        try:
            batch = self.lanes.check(message)
        except RefusedMessageError as error:
            self.dead_letters.add(
                message.topic,
                str(error),
                message.payload,
                kind=error.kind,
                kept=message.acknowledge,
            )
            return
        if batch is not None and batch.refused:
            batch = self._letters_first(batch)
        if batch is None or (batch.key is None and not batch.body):
            self.counts.foreign += 1
            (batch or message).acknowledge()
        elif not self._came_before(batch):
            await (self.queue.put(batch) if self.spool is None else self.spool.put(batch))

    def _letters_first(self, batch: Batch) -> Batch:
        """The batch, acknowledged once its refused lines are kept too."""
        left = len(batch.refused) + 1

        def done() -> None:
            nonlocal left
            left -= 1
            if not left:
                batch.acknowledge()

        for line, reason in batch.refused:
            self.dead_letters.add(batch.topic, reason, line, kind="schema", kept=done)
        return replace(batch, acknowledge=done, refused=())

    def _came_before(self, batch: Batch) -> bool:
        """A copy is acknowledged when the first one is durable; it is not written again."""
        if batch.key is None:
            return False
        shard, seq = batch.key
        self.marks.settle_base(shard, batch.base)
        self.marks.arrive(shard, seq)
        if self.marks.is_stored(shard, seq):
            batch.acknowledge()
            self._changed.add(shard)  # its publisher seems not to know
        elif batch.key in self._waiting:
            self._waiting[batch.key].append(batch.acknowledge)
        else:
            self._waiting[batch.key] = []
            self._arrived_s[batch.key] = asyncio.get_running_loop().time()
            self.queued_bytes += len(batch.body)
            return False
        self.counts.duplicates += 1
        return True

    def durable(self, batch: Batch) -> None:
        """A batch is where nothing of it can be lost: acknowledge it, and its copies."""
        batch.acknowledge()
        if batch.key is None:
            return
        shard, seq = batch.key
        self.marks.store(shard, seq)
        self._changed.add(shard)
        self.on_durable(batch)
        self._forget(batch)
        for acknowledge in self._waiting.pop(batch.key, []):
            acknowledge()

    def _forget(self, batch: Batch) -> None:
        if batch.key is not None and self._arrived_s.pop(batch.key, None) is not None:
            self.queued_bytes -= len(batch.body)

    def oldest_wait_s(self) -> float:
        """How long the oldest batch that is not durable has waited [s]."""
        if not self._arrived_s:
            return 0.0
        return asyncio.get_running_loop().time() - next(iter(self._arrived_s.values()))

    def adopt(self, left: list[Batch]) -> None:
        """Batches that an earlier process has acknowledged and left in the spool."""
        for batch in left:
            if batch.key is not None:
                self.marks.store(*batch.key)

    async def write_for_ever(self) -> None:
        """One writer: the oldest batch that waits and what goes well with it in one request."""
        try:
            while True:
                batches = await self.queue.get_joined(self.request_bytes)
                if self.spool is not None:
                    self.spool.room()
                await self._write(batches)
        finally:
            for task in self._salvages:
                task.cancel()

    async def _write(self, batches: list[Batch]) -> None:
        mark = id(batches[0])
        self._due_since_s[mark] = asyncio.get_running_loop().time()
        lines = b"".join(batch.body for batch in batches)
        try:
            # Batches of satellites out of contact are empty.
            reason = await self.guard.write(lines) if lines else None
        finally:
            del self._due_since_s[mark]
        if reason is None:
            for batch in batches:
                self._settle(batch)
            return
        await self._beds.acquire()  # a flood of poison is let in at the pace of its treatment
        task = asyncio.create_task(self._salvage(batches, reason))
        self._salvages.add(task)
        task.add_done_callback(self._salvages.discard)

    async def _salvage(self, batches: list[Batch], reason: str) -> None:
        """Store the good rows of a refused request and keep the bad ones as dead letters."""
        try:
            lines = [line for batch in batches for line in batch.body.splitlines(keepends=True)]
            bad = await self.guard.isolate(lines, reason)
        finally:
            self._beds.release()
        first = 0
        for batch in batches:
            mine = [index for index in sorted(bad) if first <= index < first + batch.lines]
            first += batch.lines
            self._settle_but(batch, [(lines[index], bad[index]) for index in mine])
        LOG.warning("%d of %d rows refused by the store: %s", len(bad), len(lines), reason)

    def _settle_but(self, batch: Batch, refused: list[tuple[bytes, str]]) -> None:
        """Settle a batch once its refused rows are kept as dead letters."""
        left = len(refused)
        if not left:
            self._settle(batch)
            return

        def kept() -> None:
            nonlocal left
            left -= 1
            if not left:
                self._settle(batch)

        for line, reason in refused:
            frames = int(line.startswith(b"sat_state,"))
            self.counts.frames_stored -= frames
            self.counts.rows_stored -= 1
            self.dead_letters.add(
                batch.topic, f"store refused: {reason}", line, frames, kind="row", kept=kept
            )

    def _settle(self, batch: Batch) -> None:
        self.counts.batches += 1
        self.counts.frames_stored += batch.frames
        self.counts.rows_stored += batch.lines
        self.counts.values_stored += batch.values
        if batch.spool_id and self.spool is not None:
            self.spool.stored(batch)
        else:
            self.durable(batch)
        self.on_stored(batch)
        self._settled.set()

    def learnt(self, key: ShardKey) -> None:
        """Another ingester of the group has told of this shard."""
        self._changed.add(key)

    def changed_marks(self) -> dict[ShardKey, int]:
        """Watermarks to publish: those that moved, or that a publisher seems not to know."""
        changed, self._changed = self._changed, set()
        return {key: self.marks.seq(key) for key in sorted(changed)}

    @property
    def waiting_count(self) -> int:
        """Batches that are neither stored nor a dead letter yet."""
        spooled = self.spool.batches_count if self.spool else 0
        return len(self._waiting) + spooled

    async def until_idle(self) -> None:
        """Until every batch that came is stored or a dead letter."""
        while self.waiting_count or self.queue.qsize() or self._due_since_s or self._salvages:
            self._settled.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_LOOK_S):
                    await self._settled.wait()

    def store_lag_s(self) -> float:
        """How long rows have waited for the store without anything being stored [s]."""
        if not self._due_since_s:
            return 0.0
        since_s = max(min(self._due_since_s.values()), self.guard.last_stored_s or 0.0)
        return asyncio.get_running_loop().time() - since_s

    def checks(self) -> dict[str, bool]:
        """Readiness: connected, rows go through, room in the queue."""
        return {
            "broker": self.broker_is_up,
            "store": self.store_is_up and self.store_lag_s() < STALE_STORE_S,
            "queue": self.queue.fill_frac < 0.8,
            "dead_letters": not self.dead_letters.waiting_count,
        }

    def status(self) -> dict[str, object]:
        """Counters for the retained service state."""
        spool = self.spool
        return {
            "frames_stored": self.counts.frames_stored,
            "rows_stored": self.counts.rows_stored,
            "values_stored": self.counts.values_stored,
            "batches": self.counts.batches,
            "duplicates": self.counts.duplicates,
            "dead_lettered": self.dead_letters.count,
            "dead_lettered_frames": self.dead_letters.frames_count,
            "gaps": self.marks.gaps_count,
            "retries": self.guard.retries_count,
            "queued": self.queue.qsize(),
            "spooled": spool.batches_count if spool else 0,
            "spooled_frames": spool.frames_count if spool else 0,
            "dropped_frames": spool.dropped_frames if spool else 0,
            "store_up": self.store_is_up,
        }
