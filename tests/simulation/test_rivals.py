"""Two processes with one client id, on virtual time: one goes on, the other stays away (R17)."""

import asyncio
from contextvars import copy_context
from random import Random

import pytest
from memory_broker import MemoryBroker, connector
from memory_network import Network
from virtual_time import PROCESS, VirtualLoop

from services.mqtt import Connection, keep_connected
from services.pace import Clock
from services.rivals import FREE_COUNT, LONGEST_WAIT_S, YOUNG_S, Rivals
from services.settings import Settings

MINUTES = 20


@pytest.mark.parametrize("seed", range(5))
def test_one_wins_and_the_other_stays_away(seed: int) -> None:
    loop = VirtualLoop(Random(seed))
    broker = MemoryBroker(Network(loop, loop.random), queue_limit=100, window=20)
    up: set[str] = set()
    connected_s: dict[str, float] = {}
    opened_s: list[float] = []
    clock = Clock(loop.time, loop.random.uniform)

    async def run(name: str) -> None:
        async def use(connection: Connection) -> None:
            begun_s = loop.time()
            opened_s.append(begun_s)
            up.add(name)
            try:
                async for _ in connection.messages():
                    pass
            finally:
                up.discard(name)
                connected_s[name] = connected_s.get(name, 0.0) + loop.time() - begun_s

        make = connector(broker)
        await keep_connected(Settings(), "ingest-1", None, use, connector=make, clock=clock)

    async def both() -> None:
        tasks = []
        for name in ("first", "second"):
            context = copy_context()
            context.run(PROCESS.set, name)
            tasks.append(loop.create_task(run(name), context=context))
            await asyncio.sleep(60.0)
        await asyncio.sleep(60.0 * MINUTES)
        assert len(up) == 1  # somebody does the work
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    loop.run_until_complete(both())
    loop.close()
    after_s = [one for one in opened_s if one > 75.0]  # the second came at 60 s
    assert len(after_s) <= 3 * MINUTES
    most = max(sum(t <= s < t + 60.0 for s in after_s) for t in after_s)
    assert most <= 3  # in any minute but the first; a try and the winner's return are two
    assert sum(connected_s.values()) > 0.98 * (60.0 * MINUTES + 60.0)


def test_an_outage_or_an_old_session_is_nobodys_rival() -> None:
    rivals = Rivals(Clock(uniform=lambda _low, high: high))
    assert [rivals.wait_s(1.0) for _ in range(FREE_COUNT + 1)] == [0.0, 0.0, 60.0]
    assert rivals.wait_s(None) == 0.0
    assert rivals.wait_s(1.0) == 0.0
    assert rivals.wait_s(YOUNG_S) == 0.0
    assert max(rivals.wait_s(1.0) for _ in range(20)) == LONGEST_WAIT_S
