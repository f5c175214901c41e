"""A store in memory that fails as real ones do: what an error says is not what was kept.

Rows are idempotent by series and time, as in InfluxDB. Poison rows are refused for good, with or
without the good rows of their request (1.x keeps them, others refuse the whole).
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, Self

from memory_network import Network, answered, caller
from small_fleet import Row, rows_of

from services.store import REQUEST_TIMEOUT_S, RejectedRowsError, Series, StoreUnavailableError

MODES = ("down", "slow", "hang", "partial", "lost_answer", "disk_full", "refusing", "span")


SPAN_NS = 7 * 86_400 * 10**9  # InfluxDB keeps the rows of a week apart


class MemoryStore:
    """The server. `mode` None is health; `on_row` judges every row that is kept."""

    def __init__(self, network: Network, poison: frozenset[Row]) -> None:
        self.network = network
        self.poison = poison
        self.mode: str | None = None
        self.rows: dict[Row, bytes] = {}
        self.requests = 0
        self.span = min(int(stamp) for _, stamp in poison) // SPAN_NS  # the fleet's
        self.on_row: Callable[[Row, bytes], None] = lambda *_: None
        self.on_request: Callable[[str, bytes], None] = lambda *_: None

    def serve(self, lines: bytes, answer: Callable[[Exception | None], None]) -> None:
        """One write: what is kept now, and what is said of it later."""
        random, mode = self.network.random, self.mode
        self.requests += 1
        self.on_request(mode or "ok", lines)
        if mode == "down":
            answer(StoreUnavailableError("Connection refused"))
            return
        rows = list(rows_of(lines))
        if mode in {"partial", "disk_full"}:
            self._keep(rows[: random.randint(0, len(rows))])
            answer(StoreUnavailableError("500 no space left on device", 500))
            return
        if mode == "span" and any(int(stamp) // SPAN_NS == self.span for (_, stamp), _ in rows):
            # One span of time is broken, the others work.
            answer(StoreUnavailableError("500 engine: error writing WAL entry", 500))
            return
        if mode == "refusing":  # an outage that looks like bad rows
            answer(RejectedRowsError("400 unable to parse"))
            return
        refused = [row for row, _ in rows if row in self.poison]
        if refused:
            if random.random() < 0.5:
                self._keep(rows)
            answer(RejectedRowsError("400 partial write: field type conflict"))
            return
        self._keep(rows)
        if mode == "lost_answer":
            answer(StoreUnavailableError("Connection reset"))
        elif mode == "slow":
            self.network.later(random.uniform(1.0, 1.2 * REQUEST_TIMEOUT_S), answer, None)
        elif mode != "hang":
            answer(None)

    def _keep(self, rows: list[tuple[Row, bytes]]) -> None:
        for row, values in rows:
            if row not in self.poison:
                self.on_row(row, values)
                self.rows[row] = values


class StoreClient:
    """The store as an ingester sees it."""

    def __init__(self, server: MemoryStore) -> None:
        self.server = server
        self.link = (caller(), "store")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def prepare(self) -> None:
        await asyncio.sleep(self.server.network.latency_s(self.link))
        if self.server.mode == "down" or self.server.network.is_cut(self.link):
            raise StoreUnavailableError("Connection refused")

    async def write(self, lines: bytes) -> None:
        network, done = self.server.network, asyncio.get_running_loop().create_future()
        there, back = network.wire(self.link), network.wire(self.link)

        def answer(error: Exception | None) -> None:
            back.send(_settle, done, error)

        there.send(self.server.serve, lines, answer)
        try:
            error = await answered(done, REQUEST_TIMEOUT_S)
        except TimeoutError:
            raise StoreUnavailableError("TimeoutError()") from None
        finally:
            there.close()
            back.close()
        if error is not None:
            raise error

    async def series(self, *_: Any) -> Series:
        raise NotImplementedError

    async def frames_per_satellite(self, *_: Any) -> dict[str, int]:
        raise NotImplementedError


def _settle(done: "asyncio.Future[Any]", error: Exception | None) -> None:
    if not done.done():
        done.set_result(error)


def draw_poison(rows: list[Row], random: Random, count: int) -> frozenset[Row]:
    """Rows that the store will never take."""
    return frozenset(random.sample(rows, count))
