"""The spool: batches are durable on our disk before they are acknowledged, and stored after.

    arrived -> one commit for all that waits -> acknowledged -> queue of the writers -> forgotten

A store that is down then costs disk and not the broker's memory, and a broker that crashes has
nothing of ours to lose. Memory stays bounded: what the writers' queue has no room for is read
back from the file, in order. When the quota is used up, either batches wait for the store before
they are acknowledged (`wait`), or the oldest give way and are counted (`drop_oldest`). When the
disk takes nothing, batches go on to the store and are acknowledged after it.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from services.batches import Batch
from services.journal import DiskError, Offload
from services.spool_file import SpoolFile
from services.writers_queue import BatchQueue

T = TypeVar("T")
LOG = logging.getLogger(__name__)
FILE_NAME = "spool.db"
ARRIVED_LIMIT = 128
ARRIVED_BYTES = 18_000_000
READ_BACK_COUNT = 32
DISK_RETRY_S = 5.0
IDLE_COMMIT_S = 0.5  # what is stored is forgotten on disk at least this often


@dataclass
class Spool:
    """One spool in front of the writers' queue `out`."""

    path: Path
    out: asyncio.Queue[Batch]
    quota_bytes: int
    drops_oldest: bool
    offload: Offload | None
    on_durable: Callable[[Batch], None]
    bytes_count: int = 0
    batches_count: int = 0
    frames_count: int = 0
    dropped_batches: int = 0
    dropped_frames: int = 0
    disk_failures: int = 0
    disk_is_well: bool = True
    _arrived: BatchQueue = field(default_factory=lambda: BatchQueue(ARRIVED_LIMIT, ARRIVED_BYTES))
    _stored: list[Batch] = field(default_factory=list)
    _handed_id: int = 0  # everything up to here was given to the writers
    _is_behind: bool = False  # the file holds more than was given to the writers
    _disk_due_s: float = 0.0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._file = SpoolFile(self.path)

    def open(self) -> list[Batch]:
        """What an earlier process left, without bodies. Raises DiskError."""
        left, self.bytes_count = self._file.waiting()
        self.batches_count = len(left)
        self.frames_count = sum(batch.frames for batch in left)
        self._is_behind = bool(left)
        if left:
            LOG.warning("spool: %d batches of an earlier process are stored first", len(left))
        return left

    async def put(self, batch: Batch) -> None:
        """Take a batch in; waits while too many wait for the disk."""
        await self._arrived.put(batch)
        self._wake.set()

    def stored(self, batch: Batch) -> None:
        """A batch of the spool is in the store."""
        self._stored.append(batch)

    def room(self) -> None:
        """The writers took something from their queue."""
        if self._is_behind:
            self._wake.set()

    async def run(self) -> None:
        """Commit, acknowledge and hand over, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._until_something_to_do(loop.time())
            arrived = [self._arrived.get_nowait() for _ in range(self._arrived.qsize())]
            if self.disk_is_well or loop.time() >= self._disk_due_s:
                await self._keep(arrived)
                await self._read_back()
            else:
                await self._pass_on(arrived)

    async def _until_something_to_do(self, now_s: float) -> None:
        can_read = self._is_behind and not self.out.full() and self.disk_is_well
        if can_read or not self._arrived.empty():
            return
        limit_s = IDLE_COMMIT_S if self.batches_count else None
        if not self.disk_is_well:
            limit_s = max(0.0, self._disk_due_s - now_s)
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._wake.wait()

    async def _keep(self, arrived: list[Batch]) -> None:
        """One transaction for everything that waits."""
        spooled, beyond = await self._within_quota(arrived)
        forgotten, self._stored = self._stored, []
        if spooled or forgotten or not self.disk_is_well:
            try:
                numbers = await self._work(
                    lambda: self._file.commit(spooled, [batch.spool_id for batch in forgotten])
                )
            except DiskError as error:
                self._stored = forgotten + self._stored
                self._disk_failed(error)
                await self._pass_on(arrived)
                return
            self._disk_works()
            self._count(forgotten, -1)
            self._count(spooled, 1)
            for batch, number in zip(spooled, numbers, strict=True):
                self.on_durable(batch)
                self._hand_over(replace(batch, spool_id=number))
        await self._pass_on(beyond)

    async def _within_quota(self, arrived: list[Batch]) -> tuple[list[Batch], list[Batch]]:
        """What may be spooled, and what must wait for the store instead."""
        size = sum(len(batch.body) for batch in arrived)
        excess_bytes = self.bytes_count + size - self.quota_bytes
        if excess_bytes <= 0:
            return arrived, []
        if not self.drops_oldest:
            return [], arrived
        try:
            gone = await self._work(lambda: self._file.drop_oldest(self._handed_id, excess_bytes))
        except DiskError as error:
            self._disk_failed(error)
            return [], arrived
        if gone.batches and not self.dropped_batches:
            LOG.error("spool: the quota of %d bytes is used up; the oldest give way", size)
        self.bytes_count -= gone.bytes
        self.batches_count -= gone.batches
        self.frames_count -= gone.frames
        self.dropped_batches += gone.batches
        self.dropped_frames += gone.frames
        if gone.bytes < excess_bytes:  # the rest is with the writers already
            return [], arrived
        return arrived, []

    def _count(self, batches: list[Batch], sign: int) -> None:
        self.batches_count += sign * len(batches)
        self.bytes_count += sign * sum(len(batch.body) for batch in batches)
        self.frames_count += sign * sum(batch.frames for batch in batches)

    def _hand_over(self, batch: Batch) -> None:
        """To the writers if they have room and nothing older waits in the file."""
        if self._is_behind or self.out.full():
            self._is_behind = True
            return
        self.out.put_nowait(batch)
        self._handed_id = batch.spool_id

    async def _read_back(self) -> None:
        if not self._is_behind or self.out.full():
            return
        room = min(READ_BACK_COUNT, self.out.maxsize - self.out.qsize())
        try:
            batches = await self._work(lambda: self._file.after(self._handed_id, room))
        except DiskError as error:
            self._disk_failed(error)
            return
        if not batches:
            self._is_behind = False
        for batch in batches:
            await self.out.put(batch)
            self._handed_id = batch.spool_id

    async def _pass_on(self, batches: list[Batch]) -> None:
        """To the store without the disk: acknowledged after it, at the store's pace."""
        for batch in batches:
            await self.out.put(batch)

    def _disk_failed(self, error: DiskError) -> None:
        self.disk_failures += 1
        if self.disk_is_well:
            LOG.error("spool: %s; acknowledging after the store instead", error)
        self.disk_is_well = False
        self._disk_due_s = asyncio.get_running_loop().time() + DISK_RETRY_S

    def _disk_works(self) -> None:
        if not self.disk_is_well:
            LOG.warning("spool: the disk works again")
        self.disk_is_well = True

    async def _work(self, work: Callable[[], T]) -> T:
        return work() if self.offload is None else await self.offload(work)

    async def close(self) -> None:
        """Forget what is stored, then let go of the file."""
        try:
            if self._stored:
                self._file.commit([], [batch.spool_id for batch in self._stored])
        except DiskError as error:
            LOG.warning("spool: %s; some batches will be stored again", error)
        self._file.close()
