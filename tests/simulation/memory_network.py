"""Links between processes and servers: latency, order, partitions, resets; nothing is real."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from random import Random
from typing import Any

from virtual_time import PROCESS, VirtualLoop

Link = tuple[str, str]
"""Process (whatever its incarnation) and server."""
LATENCY_S = (0.0005, 0.005)


def caller() -> str:
    """The process that runs now, without the number of its incarnation."""
    return (PROCESS.get() or "harness").partition("#")[0]


class Network:
    """What all links share: the clock, the dice, who is cut off."""

    def __init__(self, loop: VirtualLoop, random: Random) -> None:
        self.loop = loop
        self.random = random
        self.outside = Context()  # servers belong to no process
        self.extra_s: dict[Link, float] = {}
        self._cut: set[Link] = set()
        self._wires: list[Wire] = []

    def latency_s(self, link: Link) -> float:
        return self.random.uniform(*LATENCY_S) + self.random.random() * self.extra_s.get(link, 0.0)

    def later(self, wait_s: float, call: Callable[..., Any], *args: Any) -> None:
        """Run something outside every process."""
        self.loop.call_at(self.loop.time() + wait_s, call, *args, context=self.outside)

    def is_cut(self, link: Link) -> bool:
        return link in self._cut

    def cut(self, link: Link) -> None:
        self._cut.add(link)

    def heal(self, link: Link) -> None:
        self._cut.discard(link)
        for wire in [wire for wire in self._wires if wire.link == link]:
            wire.flush()

    def wire(self, link: Link) -> "Wire":
        self._wires = [wire for wire in self._wires if wire.is_open]
        self._wires.append(Wire(self, link))
        return self._wires[-1]


class Wire:
    """One direction of one connection: in order, delayed, held while the link is cut."""

    def __init__(self, network: Network, link: Link) -> None:
        self.network = network
        self.link = link
        self.is_open = True
        self._due_s = 0.0
        self._held: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()

    def send(self, call: Callable[..., Any], *args: Any) -> None:
        now_s = self.network.loop.time()
        self._due_s = max(self._due_s + 1e-6, now_s + self.network.latency_s(self.link))
        self.network.later(self._due_s - now_s, self._arrive, call, args)

    def _arrive(self, call: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if not self.is_open:
            return
        if self._held or self.network.is_cut(self.link):
            self._held.append((call, args))
        else:
            call(*args)

    def flush(self) -> None:
        while self._held and self.is_open:
            call, args = self._held.popleft()
            call(*args)

    def close(self) -> None:
        self.is_open = False
        self._held.clear()


async def answered(future: "asyncio.Future[Any]", limit_s: float) -> Any:
    """An answer, or TimeoutError."""
    async with asyncio.timeout(limit_s):
        return await future
