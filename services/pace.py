"""The only place that sleeps: simulated time against the wall clock, and back-off."""

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Pace:
    """Simulated seconds since the epoch against wall seconds since `start_unix_s`.

    rate: simulated seconds per wall second; inf = as fast as possible.
    """

    rate: float
    start_unix_s: float
    lag_s: float = field(default=0.0, init=False)

    async def until(self, elapsed_s: float) -> None:
        """Wait until the given simulated instant is due; gives way to other tasks if it is late."""
        due_unix_s = self.start_unix_s + elapsed_s / self.rate
        wait_s = due_unix_s - time.time()
        self.lag_s = max(0.0, -wait_s) if self.rate != float("inf") else 0.0
        await asyncio.sleep(max(0.0, wait_s) if self.rate != float("inf") else 0.0)


def full_jitter_s(first_s: float = 0.1, limit_s: float = 30.0) -> Iterator[float]:
    """Waits before each further attempt: uniform between 0 and a bound that doubles.

    Brooker (2015), "Exponential backoff and jitter": full jitter.
    """
    bound_s = first_s
    while True:
        yield random.uniform(0.0, bound_s)
        bound_s = min(limit_s, 2.0 * bound_s)
