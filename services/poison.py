"""The way into the store: told apart are a store that is down and rows that nobody can take.

An answer other than "stored" does not say which it is: InfluxDB answers 400 for one bad row, 500
for a full disk, and 2.x has answered 500 for a type conflict. So before any row is called poison
a canary row is written. If that fails the store is down: everything waits, nothing is given up.
If it passes, the rows are halved until those are found that fail alone, in at most
2 ceil(log2 n) + 2 writes for one bad row among n (the first write, the canary, two per halving).
Three more make sure of it, for the store may have refused everything only for a while: a row is
poison when it fails alone between two canaries that pass.

A write that is not answered within seconds is given up and tried again on another connection:
behind a link that lost its packets the old one could hang for minutes. A store that is only slow
gets more time each time, so that it is not given the same rows for ever.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from services.pace import SYSTEM_CLOCK, Clock, full_jitter_s
from services.store import RejectedRowsError, Store, StoreUnavailableError

LOG = logging.getLogger(__name__)
EQUAL_FAILURES = 3
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0
PATIENCE_S = 5.0  # for the answer to a write; reliability bar R5
LONGEST_PATIENCE_S = 20.0  # of a store that answers slowly
PATIENCE_PER_ANSWER = 4.0  # times what the last answer took
NO_ANSWER = "no answer in time"


def _ignore(_seconds: float) -> None:
    return None


@dataclass
class Guard:
    """Writes to one store, and what is known of its health."""

    store: Store
    clock: Clock = SYSTEM_CLOCK
    store_is_up: bool = True
    retries_count: int = 0
    canaries_count: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    last_stored_s: float | None = None  # of the event loop's clock
    patience_s: float = PATIENCE_S
    observe_write_s: Callable[[float], None] = _ignore

    async def write(self, lines: bytes) -> str | None:
        """None once the rows are stored; the store's reason where the rows are at fault."""
        waits_s = full_jitter_s(FIRST_WAIT_S, LONGEST_WAIT_S, self.clock)
        failure, equal_count = "", 0
        while True:
            try:
                await self._call(lines)
            except RejectedRowsError as error:
                if await self.canary():
                    return str(error)
                failure, equal_count = "", 0
            except StoreUnavailableError as error:
                same = _kind(error) == failure
                failure, equal_count = _kind(error), equal_count + 1 if same else 1
                if equal_count % EQUAL_FAILURES == 0 and await self.canary(lines):
                    return str(error)
                self._note_down(error, known=equal_count >= EQUAL_FAILURES)
            else:
                return None
            self.retries_count += 1
            await asyncio.sleep(next(waits_s))

    async def canary(self, beside: bytes = b"") -> bool:
        """Whether the store takes a row that is certainly good.

        After a failure of the server the canary carries the time of the rows that failed: stores
        keep each span of time apart, and one of them can be full or broken while the others work
        (InfluxDB 1.6.7 with a full disk: the span of today took rows, the one of the run none).
        After a refusal it carries the present: a time that the store refuses is poison.
        """
        self.canaries_count += 1
        stamp = beside.rstrip(b"\n").rpartition(b" ")[2]
        time_ns = int(stamp) if stamp.isdigit() else round(self.clock.unix_s() * 1e9)
        row = b"ops,service=canary probe=1.0 %d\n" % time_ns
        try:
            await self._call(row)
        except (StoreUnavailableError, RejectedRowsError) as error:
            self._note_down(error, known=True)
            return False
        return True

    async def isolate(self, lines: list[bytes], reason: str) -> dict[int, str]:
        """Store the good of `lines`, which fail together; the bad by index, with reasons."""
        bad: dict[int, str] = {}
        doubtful: dict[bool, list[int]] = {True: [], False: []}  # by whether the answer was a 5xx
        parts: list[tuple[int, int, str | None, bool]] = [(0, len(lines), reason, False)]
        while parts:
            start, stop, why, soft = parts.pop()
            if stop - start == 1:
                if why is None:
                    why, soft = await self._attempt(lines[start:stop])
                if why is not None:
                    bad[start] = why
                    doubtful[soft].append(start)
                continue
            middle = (start + stop) // 2
            left, left_soft = await self._attempt(lines[start:middle])
            if left is None:  # then it is the other half, which need not be tried as a whole
                parts.append((middle, stop, None, False))
                continue
            right, right_soft = await self._attempt(lines[middle:stop])
            if right is not None:
                parts.append((middle, stop, right, right_soft))
            parts.append((start, middle, left, left_soft))
        for soft, rows in doubtful.items():
            for index in await self._taken_after_all(lines, rows, soft=soft):
                del bad[index]
        return bad

    async def _taken_after_all(
        self, lines: list[bytes], doubtful: list[int], *, soft: bool
    ) -> list[int]:
        """Which of the rows that have failed alone the store takes when it is well.

        soft: they failed by the store's own failure, so the canary is of their time.
        """
        taken: list[int] = []
        left = doubtful
        while left:
            beside = lines[left[-1]] if soft else b""
            await self._until_up(beside)
            failed = [index for index in left if (await self._attempt([lines[index]]))[0]]
            taken += [index for index in left if index not in failed]
            left = failed
            if left and await self.canary(beside):
                break
        return taken

    async def _attempt(self, lines: list[bytes]) -> tuple[str | None, bool]:
        """Why the store does not take these rows, if so; and whether that is in doubt."""
        body, silences_count = b"".join(lines), 0
        while True:
            try:
                await self._call(body)
            except RejectedRowsError as error:
                return str(error), False
            except StoreUnavailableError as error:
                if error.status is not None:
                    return str(error), True
                if not await self.canary(body):
                    await self._until_up(body)
                    continue
                silences_count += 1  # one may be the end of an outage
                if silences_count == EQUAL_FAILURES:
                    return str(error), True
            else:
                return None, False

    async def _until_up(self, beside: bytes) -> None:
        waits_s = full_jitter_s(FIRST_WAIT_S, LONGEST_WAIT_S, self.clock)
        while not await self.canary(beside):  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(next(waits_s))

    async def _call(self, lines: bytes) -> None:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        try:
            await self._answered(lines)
        except StoreUnavailableError as error:
            self.errors[_kind_class(error)] += 1
            raise
        except RejectedRowsError:
            self.errors["rejected"] += 1
            raise
        self.last_stored_s = loop.time()
        took_s = self.last_stored_s - begun_s
        self.patience_s = min(LONGEST_PATIENCE_S, max(PATIENCE_S, PATIENCE_PER_ANSWER * took_s))
        self.observe_write_s(took_s)
        if not self.store_is_up:
            LOG.warning("store is back")
        self.store_is_up = True

    async def _answered(self, lines: bytes) -> None:
        """One write, given up when its answer takes longer than a store that is well needs."""
        patience_s = self.patience_s
        try:
            async with asyncio.timeout(patience_s):
                await self.store.write(lines)
        except TimeoutError:
            # Of several writers that give up together, each asks for the same.
            self.patience_s = max(self.patience_s, min(LONGEST_PATIENCE_S, 2.0 * patience_s))
            self._note_down(StoreUnavailableError(NO_ANSWER), known=True)
            raise StoreUnavailableError(NO_ANSWER) from None

    def _note_down(self, error: Exception, *, known: bool) -> None:
        if known and self.store_is_up:
            LOG.warning("store: %s; trying again%s", error, _advice(error))
            self.store_is_up = False


def _advice(error: Exception) -> str:
    """What its operator has to know of a store that has failed so."""
    if "no space left" not in str(error):
        return ""
    # Its writer of the log keeps the first error (influxdb#9923, #24460).
    return "; InfluxDB has to be started again if it says so when its disk has room"


def _kind(error: StoreUnavailableError) -> str:
    """Failures of one kind are equal, whatever else their text says."""
    return str(error) if error.status is None else str(error.status)


def _kind_class(error: StoreUnavailableError) -> str:
    """A small set of labels: `5xx`, `4xx`, or `no answer`."""
    return "no answer" if error.status is None else f"{error.status // 100}xx"
