"""A store that hangs: noticed in five seconds of virtual time, tried again, nothing given up."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any

import pytest
from virtual_time import VirtualLoop

from services.dead_letters import DeadLetters
from services.ingester import Ingester
from services.mqtt import Message
from services.poison import LONGEST_PATIENCE_S, PATIENCE_S
from services.store import StoreUnavailableError
from services.topics import Topics
from twin.frames import FRAME_VERSION, FrameHeader, batch

ROW = b"sat_state,fleet=f,sat=s0000 a=1.0 1\n"
HEADER = FrameHeader(
    v=FRAME_VERSION, fleet="f", run="r", shard="s0000", seq=0, base=0,
    t_ns=1, frames=1, lines=0, crc32=0, late=0,
)  # fmt: skip


class Silent:
    """A store that answers after `answers_in_s`, or fails at once where that is None."""

    def __init__(self, answers_in_s: float | None) -> None:
        self.answers_in_s = answers_in_s
        self.taken: list[bytes] = []

    async def write(self, lines: bytes) -> None:
        if self.answers_in_s is None:
            raise StoreUnavailableError("refused")
        await asyncio.sleep(self.answers_in_s)
        self.taken.append(lines)


def ingesting(
    tmp_path: Path, store: Silent, look: Callable[[Ingester], Coroutine[Any, Any, None]]
) -> Ingester:
    """An ingester with one batch for this store, while somebody looks."""
    loop = VirtualLoop(Random(1))

    async def run() -> Ingester:
        ingester = Ingester(store, DeadLetters(tmp_path / "letters.db", lambda: 0.0))  # type: ignore[arg-type]
        ingester.broker_is_up = True
        writer = asyncio.create_task(ingester.write_for_ever())
        payload = batch(HEADER, ROW)
        await ingester.receive(
            Message(Topics("f").telemetry("s0000"), payload, False, lambda: None)
        )
        assert ingester.queue.qsize() == 1
        await look(ingester)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        return ingester

    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()


def test_a_hung_write_is_noticed_in_five_seconds_and_made_again(tmp_path: Path) -> None:
    store = Silent(1e9)

    async def look(ingester: Ingester) -> None:
        await asyncio.sleep(PATIENCE_S - 0.1)
        assert ingester.checks()["store"]
        await asyncio.sleep(0.2)
        assert not ingester.checks()["store"]
        assert ingester.guard.errors == {"no answer": 1}
        store.answers_in_s = 0.01
        await ingester.until_idle()
        assert ingester.checks()["store"]

    ingester = ingesting(tmp_path, store, look)
    assert store.taken[-1] == ROW
    assert ingester.dead_letters.count == 0


def test_a_store_that_fails_is_not_ready_within_ten_seconds(tmp_path: Path) -> None:
    async def look(ingester: Ingester) -> None:
        await asyncio.sleep(10.0)
        assert not ingester.checks()["store"]
        assert ingester.dead_letters.count == 0

    ingesting(tmp_path, Silent(None), look)


@pytest.mark.parametrize("answers_in_s", [PATIENCE_S + 1.0, LONGEST_PATIENCE_S - 1.0])
def test_a_slow_store_is_given_more_time_and_loses_nothing(
    tmp_path: Path, answers_in_s: float
) -> None:
    store = Silent(answers_in_s)

    async def look(ingester: Ingester) -> None:
        await ingester.until_idle()
        assert ingester.guard.patience_s == LONGEST_PATIENCE_S

    ingester = ingesting(tmp_path, store, look)
    assert ROW in store.taken
    assert ingester.dead_letters.count == 0
    assert ingester.counts.rows_stored == 1
