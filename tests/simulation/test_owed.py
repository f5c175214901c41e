"""A run whose end the store does not take says so by its exit code; told to stop it has no time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
import small_fleet
from virtual_time import VirtualLoop

from services.children import STILL_OWED_EXIT
from services.control import Control
from services.mqtt import LostConnectionError
from services.pace import Clock
from services.settings import Settings
from services.simulate import StillOwedError, run_simulate
from services.world import World

RUN_S = 30.0
DRAIN_S = 60.0


@asynccontextmanager
async def no_broker(*_given: Any, **_named: Any) -> AsyncIterator[Any]:
    raise LostConnectionError("no route to host")
    yield


def simulated(tmp_path: Path, *, cancelled_after_s: float | None, drained_after_s: float) -> float:
    """Virtual seconds until a simulator without a broker has ended. Raises what it raises."""
    loop = VirtualLoop(Random(1))

    async def run() -> float:
        clock = Clock(lambda: 1_790_000_000.0 + loop.time(), loop.random.uniform)
        control, begun_s = Control(), loop.time()
        work = run_simulate(
            Settings(state_dir=tmp_path),
            small_fleet.plan(RUN_S, clock.unix_s()),
            DRAIN_S,
            World(clock, no_broker),
            control,
        )
        task = asyncio.create_task(work)
        loop.call_later(drained_after_s, control.draining.set)
        if cancelled_after_s is not None:
            loop.call_later(cancelled_after_s, task.cancel)
        await asyncio.wait({task})
        task.result()
        return loop.time() - begun_s

    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()


@pytest.mark.parametrize("drained_after_s", [10.0, 1e9])
def test_what_is_owed_at_the_end_is_told_and_ends_with_75(
    tmp_path: Path, drained_after_s: float
) -> None:
    with pytest.raises(StillOwedError, match=r"^\d+ frames still owed to the store") as told:
        simulated(tmp_path, cancelled_after_s=None, drained_after_s=drained_after_s)
    assert told.value.exit_code == STILL_OWED_EXIT
    assert not str(told.value).startswith("0 ")


def test_told_to_stop_it_ends_within_five_seconds_and_well(tmp_path: Path) -> None:
    ended_s = simulated(tmp_path, cancelled_after_s=10.0, drained_after_s=1e9)
    assert 10.0 < ended_s < 15.0
