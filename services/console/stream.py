"""Pictures to browsers: one ticker for all, and nothing kept for those who are slow."""

import asyncio
from collections.abc import Awaitable, Callable

from services.console.feed import LiveFleet
from services.console.frames import event
from services.pace import Pace

PERIOD_S = 1.0
EVENTS_KEPT = 64


class Pictures:
    """Publishes a picture every second and lets any number of browsers wait for the next.

    Browsers in step share one encoded event. A browser that was busy asks again from the
    picture it has: it gets one merged event, and the pictures it missed are counted.
    """

    def __init__(self, live: LiveFleet) -> None:
        self.live = live
        self.closed = False
        self._turned = asyncio.Condition()
        self._events: dict[int, bytes] = {}

    async def run(self, pace: Pace) -> None:
        """Publish every second until cancelled; seconds that were slept through are left out."""
        due_s = 0.0
        while True:
            await self.turn()
            due_s += PERIOD_S * (1 + int(pace.lag_s))
            await pace.until(due_s)

    async def turn(self) -> None:
        """Publish one picture."""
        async with self._turned:
            self.live.tick()
            self._events.clear()
            self._turned.notify_all()

    async def close(self) -> None:
        """Let every waiting browser go."""
        async with self._turned:
            self.closed = True
            self._turned.notify_all()

    async def next_after(self, tick: int) -> int:
        """Wait for a picture newer than number `tick`; its number."""
        async with self._turned:
            await self._turned.wait_for(lambda: self.closed or self.live.tick_number > tick)
            return self.live.tick_number

    def event_since(self, tick: int) -> bytes:
        """The newest picture for a browser that has number `tick`."""
        body = self._events.get(tick)
        if body is None:
            body = event(self.live, tick)
            if len(self._events) < EVENTS_KEPT:
                self._events[tick] = body
        return body


def resume_from(live: LiveFleet, last_event_id: str) -> int:
    """Number of the picture a browser has, from its Last-Event-ID; 0 when it has to start anew."""
    run, _, tick = last_event_id.partition("-")
    if run != live.run or not (tick.isascii() and tick.isdigit() and len(tick) <= 12):
        return 0
    return min(int(tick), live.tick_number)


async def follow(pictures: Pictures, write: Callable[[bytes], Awaitable[None]], since: int) -> None:
    """Send every picture after number `since` to one browser until the service closes."""
    live = pictures.live
    run = live.run
    while True:
        tick = await pictures.next_after(since)
        if pictures.closed:
            return
        if live.run != run:  # another fleet: what the browser has means nothing
            run, since = live.run, 0
        elif since and tick - since > 1:
            live.counts.pictures_skipped += tick - since - 1
        body = pictures.event_since(since)
        since = tick
        await write(body)
