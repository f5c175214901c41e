"""Time as the services know it: the wall clock, simulated time against it, and back-off.

Waiting and intervals are the event loop's; what else comes from outside the process, wall time
and chance, comes through a `Clock`, so that a test can run every service on a time of its own.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Clock:
    """Wall time [s since 1970] and a uniform draw between two bounds."""

    unix_s: Callable[[], float] = time.time
    uniform: Callable[[float, float], float] = random.uniform


SYSTEM_CLOCK = Clock()
LOOK_AGAIN_S = 1.0


@dataclass
class Pace:
    """Simulated seconds since the epoch against wall seconds since `start_unix_s`.

    rate: simulated seconds per wall second; inf = as fast as possible. The wall clock counts
    until the first instant is due; from then on the loop's steady time does, so that a wall
    clock that is set in mid-run neither stalls the simulation nor makes it rush.
    """

    rate: float
    start_unix_s: float
    clock: Clock = SYSTEM_CLOCK
    lag_s: float = field(default=0.0, init=False)
    _start_loop_s: float | None = field(default=None, init=False)

    async def until(self, elapsed_s: float) -> None:
        """Wait until the given simulated instant is due; gives way to other tasks if it is late."""
        if self._start_loop_s is None:
            self._start_loop_s = await self._begin(elapsed_s / self.rate)
        due_s = self._start_loop_s + elapsed_s / self.rate
        wait_s = due_s - asyncio.get_running_loop().time()
        self.lag_s = max(0.0, -wait_s) if self.rate != float("inf") else 0.0
        await asyncio.sleep(max(0.0, wait_s) if self.rate != float("inf") else 0.0)

    async def _begin(self, after_s: float) -> float:
        """Wait until about when the first instant is due; the start in the loop's time.

        Looks again and again: a service that starts while the clock is wrong must not wait for
        an hour that the clock has meanwhile been set forward.
        """
        while self.start_unix_s + after_s - self.clock.unix_s() > LOOK_AGAIN_S:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_AGAIN_S)
        return asyncio.get_running_loop().time() + self.start_unix_s - self.clock.unix_s()


def full_jitter_s(
    first_s: float = 0.1, limit_s: float = 30.0, clock: Clock = SYSTEM_CLOCK
) -> Iterator[float]:
    """Waits before each further attempt: uniform between 0 and a bound that doubles.

    Brooker (2015), "Exponential backoff and jitter": full jitter.
    """
    bound_s = first_s
    while True:
        yield clock.uniform(0.0, bound_s)
        bound_s = min(limit_s, 2.0 * bound_s)
