"""The ingester without servers: a store that fails in every way, and messages of every kind."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from services.dead_letters import DeadLetters, LetterFile
from services.ingest import Ingester
from services.mqtt import Message
from services.store import RejectedRowsError, StoreUnavailableError
from services.writers_queue import WritersQueue
from twin.frames import FRAME_VERSION, FrameHeader, batch

TOPIC = "fleet/v1/f/tlm/s0000"
HEADER = FrameHeader(FRAME_VERSION, "f", "run", "s0000", 0, 0, 10, 2, 0, 0)
ROWS = b"sat_state,fleet=f,plane=p,sat=%s a=%d.0 10\n"
BODY = ROWS % (b"A", 1) + ROWS % (b"B", 2)


@dataclass
class FakeStore:
    """Keeps what it takes; `refuse` is asked before each write and may raise."""

    rows: list[bytes] = field(default_factory=list)
    refuse: Callable[[bytes], None] = lambda _lines: None

    async def write(self, lines: bytes) -> None:
        """Take rows, or not."""
        await asyncio.sleep(0)
        self.refuse(lines)
        self.rows += lines.splitlines(keepends=True)


@dataclass
class Bench:
    """An ingester with its writers running."""

    store: FakeStore
    ingester: Ingester
    acknowledged: list[int] = field(default_factory=list)

    async def send(self, payload: bytes, topic: str = TOPIC) -> int:
        """Deliver one message; returns its number."""
        number = self._count = getattr(self, "_count", -1) + 1
        message = Message(topic, payload, False, lambda: self.acknowledged.append(number))
        await self.ingester.receive(message)
        return number

    async def until(self, condition: Callable[[], bool]) -> None:
        """Turn the loop until something holds."""
        async with asyncio.timeout(20.0):
            while not condition():  # noqa: ASYNC110 - any state may be waited for
                await asyncio.sleep(0.001)


@pytest.fixture
async def bench(tmp_path: Path) -> Any:
    store = FakeStore()
    ingester = Ingester(store, DeadLetters(tmp_path / "dead.db"))  # type: ignore[arg-type]
    writers = [asyncio.create_task(ingester.write_for_ever()) for _ in range(3)]
    yield Bench(store, ingester)
    for writer in writers:
        writer.cancel()
    await asyncio.gather(*writers, return_exceptions=True)


async def test_a_batch_is_acknowledged_after_it_is_stored(bench: Bench) -> None:
    number = await bench.send(batch(HEADER, BODY))
    assert bench.acknowledged == []
    await bench.until(lambda: bench.acknowledged == [number])
    assert bench.store.rows == BODY.splitlines(keepends=True)
    assert bench.ingester.changed_marks() == {("f", "run", "s0000"): 0}
    assert bench.ingester.status()["frames_stored"] == 2
    assert bench.ingester.status()["values_stored"] == 2


async def test_a_repeated_batch_is_acknowledged_but_not_written_again(bench: Bench) -> None:
    await bench.send(batch(HEADER, BODY))
    await bench.until(lambda: len(bench.acknowledged) == 1)
    await bench.send(batch(HEADER, BODY))
    assert len(bench.acknowledged) == 2
    assert len(bench.store.rows) == 2
    assert bench.ingester.status()["duplicates"] == 1
    assert bench.ingester.changed_marks() == {("f", "run", "s0000"): 0}


async def test_a_store_that_is_down_is_tried_until_it_is_back(bench: Bench) -> None:
    tries = 0

    def down_twice(_lines: bytes) -> None:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise StoreUnavailableError("down")

    bench.store.refuse = down_twice
    await bench.send(batch(HEADER, BODY))
    await bench.until(lambda: len(bench.acknowledged) == 1)
    assert bench.ingester.guard.retries_count == 2
    assert bench.ingester.store_is_up
    assert bench.ingester.dead_letters.count == 0


async def test_only_the_bad_row_of_a_batch_becomes_a_dead_letter(
    bench: Bench, tmp_path: Path
) -> None:
    def poison(lines: bytes) -> None:
        if b"a=3.0" in lines:
            raise RejectedRowsError("400: field type conflict")

    bench.store.refuse = poison
    body = b"".join(ROWS % (b"S%d" % index, index) for index in range(7))
    await bench.send(batch(replace(HEADER, frames=7), body))
    await bench.until(lambda: len(bench.acknowledged) == 1)
    stored = [row for row in bench.store.rows if row.startswith(b"sat_state")]
    assert sorted(stored) == sorted(
        row for row in body.splitlines(keepends=True) if b"a=3.0" not in row
    )
    (letter,) = LetterFile(tmp_path / "dead.db").read()
    assert (letter.topic, letter.kind) == (TOPIC, "row")
    assert letter.payload == ROWS % (b"S3", 3)
    assert "field type conflict" in letter.reason
    status = bench.ingester.status()
    assert (status["dead_lettered"], status["dead_lettered_frames"]) == (1, 1)
    assert status["frames_stored"] == 6


@pytest.mark.parametrize(
    ("payload", "topic", "reason"),
    [
        (b"garbage", TOPIC, "no #twin header"),
        (b"", TOPIC, "no #twin header"),
        (batch(HEADER, BODY), "fleet/v1/other/tlm/s0000", "on another topic"),
        (batch(HEADER, BODY), "fleet/v1/f/tlm/s0001", "on another topic"),
        (batch(HEADER, BODY.replace(b"fleet=f", b"fleet=g", 1)), TOPIC, "another fleet"),
        (batch(HEADER, b"sat_state a=1.0 10\n"), TOPIC, "another fleet"),
        (batch(HEADER, BODY)[:-3], TOPIC, "no end of a row"),
    ],
)
async def test_what_cannot_be_used_is_a_dead_letter_and_acknowledged(
    bench: Bench, payload: bytes, topic: str, reason: str
) -> None:
    await bench.send(payload, topic)
    assert len(bench.acknowledged) == 1
    assert any(reason in row for row in bench.ingester.dead_letters.by_reason)
    assert bench.store.rows == []


async def test_a_foreign_topic_is_counted_and_let_go(bench: Bench) -> None:
    await bench.send(b"x", "some/other/topic")
    assert len(bench.acknowledged) == 1
    assert bench.ingester.counts.foreign == 1


async def test_a_full_queue_makes_the_receiver_wait(tmp_path: Path) -> None:
    ingester = Ingester(FakeStore(), DeadLetters(tmp_path / "dead"), queue=WritersQueue(2))
    bench = Bench(FakeStore(), ingester)
    for seq in range(2):
        await bench.send(batch(replace(HEADER, seq=seq), BODY))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await bench.send(batch(replace(HEADER, seq=2), BODY))
    assert not ingester.checks()["queue"]
