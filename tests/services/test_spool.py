"""The spool: durable before acknowledged, across kill -9, a full quota and a broken disk."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from services.batches import Batch
from services.dead_letters import DeadLetters
from services.ingester import Ingester
from services.journal import DiskError, in_thread
from services.mqtt import Message
from services.pace import Clock
from services.spool import Spool
from services.spool_file import SpoolFile
from services.store import StoreUnavailableError
from services.writers_queue import WritersQueue
from twin.frames import FRAME_VERSION, FrameHeader, batch

HEADER = FrameHeader(FRAME_VERSION, "f", "run", "s0000", 0, 0, 10, 1, 0, 0)
TOPIC = "fleet/v1/f/tlm/s0000"


def body(seq: int) -> bytes:
    return b"sat_state,fleet=f,plane=p,sat=A a=%d.0 10\n" % seq


@dataclass
class Shelf:
    """A store that can be down."""

    is_up: bool = True
    rows: list[bytes] = field(default_factory=list)

    async def write(self, lines: bytes) -> None:
        await asyncio.sleep(0)
        if not self.is_up:
            raise StoreUnavailableError("down")
        self.rows += [row for row in lines.splitlines(keepends=True) if row.startswith(b"sat")]


@dataclass
class Bench:
    """An ingester with a spool, its writers and the numbers that were acknowledged."""

    ingester: Ingester
    store: Shelf
    acknowledged: list[int] = field(default_factory=list)

    @property
    def spool(self) -> Spool:
        assert self.ingester.spool is not None
        return self.ingester.spool

    async def send(self, seq: int) -> None:
        payload = batch(replace(HEADER, seq=seq), body(seq))
        message = Message(TOPIC, payload, False, lambda: self.acknowledged.append(seq))
        await self.ingester.receive(message)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20.0):
            while not condition():  # noqa: ASYNC110 - any state may be waited for
                await asyncio.sleep(0.001)


@asynccontextmanager
async def bench(
    home: Path, *, up: bool = True, quota: int = 10**9, drops: bool = False, queue: int = 256
) -> AsyncIterator[Bench]:
    shelf = Shelf(up)
    ingester = Ingester(
        shelf,  # type: ignore[arg-type]
        DeadLetters(home / "dead.db"),
        Clock(uniform=lambda _low, _high: 0.002),
        queue=WritersQueue(queue),
    )
    ingester.spool = Spool(
        home / "spool.db", ingester.queue, quota, drops, in_thread, ingester.durable
    )
    ingester.adopt(ingester.spool.open())
    tasks = [asyncio.create_task(ingester.write_for_ever()) for _ in range(2)]
    tasks.append(asyncio.create_task(ingester.spool.run()))
    try:
        yield Bench(ingester, shelf)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await ingester.spool.close()


async def test_a_batch_is_acknowledged_while_the_store_is_down(tmp_path: Path) -> None:
    async with bench(tmp_path, up=False) as one:
        for seq in range(5):
            await one.send(seq)
        await one.until(lambda: one.acknowledged == [0, 1, 2, 3, 4])
        assert one.ingester.changed_marks() == {("f", "run", "s0000"): 4}
        assert one.store.rows == []
        assert one.ingester.status()["spooled"] == 5
        one.store.is_up = True
        await one.until(lambda: one.ingester.status()["spooled"] == 0)
        assert one.store.rows == [body(seq) for seq in range(5)]
        assert one.ingester.status()["frames_stored"] == 5


async def test_what_an_earlier_process_spooled_is_stored_first_and_known(tmp_path: Path) -> None:
    async with bench(tmp_path, up=False) as first:
        for seq in range(3):
            await first.send(seq)
        await first.until(lambda: len(first.acknowledged) == 3)
    async with bench(tmp_path) as second:
        await second.send(1)  # the publisher never heard of the acknowledgement
        assert second.acknowledged == [1]
        assert second.ingester.counts.duplicates == 1
        await second.until(lambda: len(second.store.rows) == 3)
        await second.until(lambda: second.spool.batches_count == 0)
    assert sorted(second.store.rows) == [body(seq) for seq in range(3)]
    assert SpoolFile(tmp_path / "spool.db").waiting() == ([], 0)


async def test_more_than_memory_takes_is_read_back_from_the_disk_in_order(tmp_path: Path) -> None:
    async with bench(tmp_path, up=False, queue=4) as one:
        for seq in range(60):
            await one.send(seq)
        await one.until(lambda: len(one.acknowledged) == 60)
        assert one.ingester.queue.qsize() <= 4
        one.store.is_up = True
        await one.until(lambda: len(one.store.rows) == 60)
        assert sorted(one.store.rows) == sorted(body(seq) for seq in range(60))
        assert one.store.rows[10:] != sorted(one.store.rows)[10:]  # sent order, not text order


async def test_a_full_spool_waits_for_the_store_and_loses_nothing(tmp_path: Path) -> None:
    quota = 3 * len(body(0))
    async with bench(tmp_path, up=False, quota=quota) as one:
        for seq in range(5):
            await one.send(seq)
            await one.until(lambda seq=seq: len(one.acknowledged) == min(seq + 1, 3))  # type: ignore[misc]
        assert one.spool.bytes_count == quota
        one.store.is_up = True
        await one.until(lambda: len(one.acknowledged) == 5)
        assert one.spool.dropped_batches == 0
        await one.until(lambda: len(one.store.rows) == 5)


async def test_a_full_spool_that_may_drop_drops_the_oldest_and_counts(tmp_path: Path) -> None:
    async with bench(tmp_path, up=False, quota=12 * len(body(0)), drops=True, queue=1) as one:
        for seq in range(10, 40):
            await one.send(seq)
            await one.until(lambda seq=seq: len(one.acknowledged) == seq - 9)  # type: ignore[misc]
        assert one.spool.bytes_count <= 12 * len(body(10))
        dropped = one.spool.dropped_frames
        assert dropped == one.ingester.status()["dropped_frames"] > 0
        one.store.is_up = True
        await one.until(lambda: len(one.store.rows) == 30 - dropped)
        assert body(39) in one.store.rows


async def test_a_broken_disk_lets_the_live_path_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path) as one:
        whole = SpoolFile.commit
        broken = True

        def commit(self: SpoolFile, arrived: list[Batch], stored: list[int]) -> list[int]:
            if broken:
                raise DiskError("fsync: Input/output error")
            return whole(self, arrived, stored)

        monkeypatch.setattr(SpoolFile, "commit", commit)
        monkeypatch.setattr("services.spool.DISK_RETRY_S", 0.05)
        one.store.is_up = False
        await one.send(0)
        await one.until(lambda: one.spool.disk_failures > 0)
        assert one.acknowledged == []  # neither on the disk nor in the store
        one.store.is_up = True
        await one.until(lambda: one.acknowledged == [0])
        assert one.store.rows == [body(0)]
        broken = False
        await one.until(lambda: one.spool.disk_is_well)
        one.store.is_up = False
        await one.send(1)
        await one.until(lambda: one.acknowledged == [0, 1])
        assert one.spool.batches_count == 1


def test_a_transaction_that_fails_keeps_nothing(tmp_path: Path) -> None:
    """A real limit of the operating system: files may not grow beyond 64 KiB."""
    script = """
import resource, signal, sys
from pathlib import Path
from services.batches import Batch
from services.journal import DiskError
from services.spool_file import SpoolFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = SpoolFile(Path(sys.argv[1]))
file.commit([Batch("t", b"small", 1, 1)], [])
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
try:
    file.commit([Batch("t", b"small", 1, 1), Batch("t", b"x" * 200_000, 1, 1)], [])
except DiskError as error:
    print("refused", error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
file.commit([Batch("t", b"after", 1, 1)], [])
print([one.body for one in file.after(0, 10)])
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "s.db")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "refused" in done.stdout
    assert "[b'small', b'after']" in done.stdout


def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from services.batches import Batch
from services.spool_file import SpoolFile
file = SpoolFile(Path(sys.argv[1]))
number = 0
while True:
    file.commit([Batch("t", b"%d" % number, 1, 1)], [])
    print(number, flush=True)
    number += 1
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "s.db")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(20)]
    os.kill(process.pid, signal.SIGKILL)
    told += [int(line) for line in process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    kept = [int(one.body) for one in SpoolFile(tmp_path / "s.db").after(0, 10**6)]
    assert kept[: len(told)] == told
    assert len(kept) - len(told) in {0, 1}
