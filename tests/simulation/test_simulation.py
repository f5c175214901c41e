"""The delivery promise on virtual time: 30 seeds hold, a seed replays, planted bugs are found."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pipeline_run import LIMIT_S, run_seed
from planted_bugs import PLANTED
from virtual_time import PROCESS, StuckError, VirtualLoop

from services.mqtt import LostConnectionError, keep_connected
from services.pace import Clock, Pace
from services.settings import Settings

SEEDS = 30
FAULT_WORDS = {
    *("kill", "stop", "pause", "crash", "store", "cut", "slow", "reset", "wall", "duplicates"),
}
SEEDS_TO_FIND_A_BUG = 50
ROOT = Path(__file__).parents[2]


result_of = cache(run_seed)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_fails_everything_is_stored_once_and_unchanged(seed: int) -> None:
    result = result_of(seed)
    assert result.faults == [], f"replay: python tests/simulation/nightly.py --seed {seed}"
    assert result.drained_s is not None
    assert result.drained_s < LIMIT_S
    assert result.figures["kills"] > 0


def test_the_seeds_try_every_fault() -> None:
    events = [event.split()[1:] for seed in range(8) for event in result_of(seed).events]
    assert {words[1] for words in events if words[0] == "fault"} == FAULT_WORDS


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Callable[[], AbstractContextManager[Any]]) -> None:
    with plant():
        assert any(run_seed(seed).faults for seed in range(SEEDS_TO_FIND_A_BUG))


def test_a_seed_replays_identically_in_another_process() -> None:
    code = "from pipeline_run import run_seed; print(run_seed(3).trace_hash)"
    env = os.environ | {"PYTHONPATH": f"{Path(__file__).parent}:{ROOT}", "PYTHONHASHSEED": "12345"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == result_of(3).trace_hash
    assert result_of(4).trace_hash != result_of(3).trace_hash


# -- the loop itself


@pytest.fixture
def loop() -> Any:
    one = VirtualLoop(Random(1))
    yield one
    one.close()


def test_time_passes_only_where_everybody_waits(loop: VirtualLoop) -> None:
    async def wait() -> None:
        await loop.run_in_executor(None, lambda: None)
        before_s = loop.time()
        async with asyncio.timeout(3600.0):
            await asyncio.sleep(3599.0)
        assert 3599.0 <= loop.time() - before_s < 3600.0

    loop.run_until_complete(wait())


def test_a_killed_process_never_runs_again_and_a_paused_one_goes_on(loop: VirtualLoop) -> None:
    ticks: dict[str, int] = {"killed": 0, "paused": 0}

    async def tick(name: str) -> None:
        PROCESS.set(name)
        try:
            while True:
                await asyncio.sleep(1.0)
                ticks[name] += 1
        finally:
            ticks[name] = -1

    async def watch() -> None:
        tasks = [loop.create_task(tick(name)) for name in ticks]
        await asyncio.sleep(3.5)
        loop.stop_process("killed")
        loop.stop_process("paused")
        await asyncio.sleep(10.0)
        assert ticks == {"killed": 3, "paused": 3}
        loop.start_process("paused")
        await asyncio.sleep(2.7)
        assert ticks == {"killed": 3, "paused": 6}
        loop.start_all()
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0.0)
        await asyncio.sleep(0.0)

    loop.run_until_complete(watch())
    assert ticks == {"killed": -1, "paused": -1}


def test_everybody_waiting_for_everybody_is_told(loop: VirtualLoop) -> None:
    async def wait() -> None:
        await loop.create_future()

    task = loop.create_task(wait())
    with pytest.raises(StuckError):
        loop.run_until_complete(task)
    task.cancel()
    loop.call_later(1.0, lambda: None)
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)


def test_a_service_told_to_stop_while_its_connection_breaks_ends(loop: VirtualLoop) -> None:
    uses = 0

    @asynccontextmanager
    async def connect(*_given: Any, **_named: Any) -> AsyncIterator[None]:
        yield None

    async def use(_connection: Any) -> None:
        nonlocal uses
        uses += 1
        try:
            await asyncio.sleep(3600.0)
        except asyncio.CancelledError:
            raise LostConnectionError("gone") from None

    async def stop() -> None:
        work = keep_connected(Settings(), "service", None, use, connector=connect)
        task = asyncio.create_task(work)
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.wait({task}, timeout=60.0)
        assert task.cancelled()

    loop.run_until_complete(stop())
    assert uses == 1


@pytest.mark.parametrize("jump_s", [-3600.0, 86_400.0, 2_592_000.0])
def test_a_clock_set_in_mid_run_changes_no_tick(loop: VirtualLoop, jump_s: float) -> None:
    wall_s = [1000.0]

    async def run() -> None:
        pace = Pace(2.0, 1000.0, Clock(lambda: wall_s[0] + loop.time()))
        for second in range(20):
            if second == 7:
                wall_s[0] += jump_s
            await pace.until(float(second))
            assert abs(loop.time() - second / 2.0) < 1e-6
            assert pace.lag_s < 1e-6

    loop.run_until_complete(run())


def test_a_start_under_a_wrong_clock_waits_no_longer_than_the_clock_is_wrong(
    loop: VirtualLoop,
) -> None:
    wall_s = [1000.0 - 3600.0]

    async def run() -> None:
        pace = Pace(1.0, 1000.0, Clock(lambda: wall_s[0] + loop.time()))
        loop.call_later(30.0, wall_s.__setitem__, 0, 1000.0)
        await pace.until(5.0)
        assert loop.time() < 32.0

    loop.run_until_complete(run())
