"""Where messages and rows go that nobody can use: kept, counted, capped, never silent.

A letter is durable before its message is acknowledged. When the disk takes nothing, letters wait
in a bounded memory and are tried again; beyond that their messages stay unacknowledged, so that
the broker or the publisher still has them. The live path never waits for any of this.
"""

import asyncio
import logging
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.journal import DiskError, Journal, Offload

LOG = logging.getLogger(__name__)
FILE_NAME = "dead_letters.db"
LETTERS_LIMIT = 10_000
BYTES_LIMIT = 100_000_000
WAITING_LIMIT = 1_000  # letters that wait in memory for a disk
WAITING_BYTES_LIMIT = 32_000_000
REASONS_LIMIT = 256  # distinct texts that are counted apart
RETRY_S = 5.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL,
    topic TEXT NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL
);
"""


@dataclass(frozen=True)
class Letter:
    """One refused message, or one refused row (kind `row`)."""

    at: float  # unix seconds
    kind: str  # frame, owner, schema: a whole message; row: one line that the store refused
    topic: str
    reason: str
    payload: bytes
    id: int = 0


def _nothing() -> None:
    return None


class DeadLetters:
    """The ingester's side: adds letters, the oldest give way beyond the caps."""

    def __init__(
        self,
        path: Path,
        unix_s: Callable[[], float] = time.time,
        offload: Offload | None = None,
    ) -> None:
        self._file = LetterFile(path)
        self._unix_s = unix_s
        self._offload = offload
        self._waiting: deque[tuple[Letter, Callable[[], None]]] = deque()
        self._waiting_bytes = 0
        self._keeper: asyncio.Task[None] | None = None
        self._disk_is_well = True
        self.by_reason: Counter[str] = Counter()
        self.by_kind: Counter[str] = Counter()
        self.frames_count = 0
        self.evicted_count = 0
        self.disk_failures_count = 0
        self.unkept_count = 0

    @property
    def count(self) -> int:
        """Messages and rows refused since the start."""
        return sum(self.by_reason.values())

    @property
    def waiting_count(self) -> int:
        """Letters that no disk has taken yet."""
        return len(self._waiting)

    def add(
        self,
        topic: str,
        reason: str,
        payload: bytes,
        frames: int = 0,
        *,
        kind: str = "frame",
        kept: Callable[[], None] = _nothing,
    ) -> None:
        """Keep one letter; `kept` is called in the event loop once it is durable."""
        self._count(topic, reason, frames, kind)
        if (
            len(self._waiting) >= WAITING_LIMIT
            or self._waiting_bytes + len(payload) > WAITING_BYTES_LIMIT
        ):
            self.unkept_count += 1
            return
        letter = Letter(self._unix_s(), kind, topic, reason, payload)
        self._waiting.append((letter, kept))
        self._waiting_bytes += len(payload)
        if self._offload is None:
            self._keep_now()
        elif self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep_in_background(self._offload))

    def _count(self, topic: str, reason: str, frames: int, kind: str) -> None:
        text = reason.partition(":")[0]
        if text not in self.by_reason and len(self.by_reason) >= REASONS_LIMIT:
            text = "other"
        if not self.by_reason[text]:
            LOG.warning("dead letter from %s: %s", topic, reason)
        self.by_reason[text] += 1
        self.by_kind[kind] += 1
        self.frames_count += frames

    def _keep_now(self) -> None:
        taken = list(self._waiting)
        try:
            evicted = self._file.add([letter for letter, _ in taken])
        except DiskError as error:
            self._failed(error)
        else:
            self._kept(taken, evicted)

    async def _keep_in_background(self, offload: Offload) -> None:
        while self._waiting:
            taken = list(self._waiting)
            letters = [letter for letter, _ in taken]
            try:
                evicted = await offload(lambda rows=letters: self._file.add(rows))  # type: ignore[misc]
            except DiskError as error:
                self._failed(error)
                await asyncio.sleep(RETRY_S)
            else:
                self._kept(taken, evicted)

    def _kept(self, taken: list[tuple[Letter, Callable[[], None]]], evicted: int) -> None:
        if not self._disk_is_well:
            LOG.warning("dead letters are kept again")
        self._disk_is_well = True
        self.evicted_count += evicted
        for letter, kept in taken:
            self._waiting.popleft()
            self._waiting_bytes -= len(letter.payload)
            kept()

    def _failed(self, error: DiskError) -> None:
        self.disk_failures_count += 1
        if self._disk_is_well:
            LOG.error("dead letters cannot be kept: %s; their messages stay unacknowledged", error)
        self._disk_is_well = False

    async def close(self) -> None:
        """Let a running transaction end, then let go of the file."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        self._file.close()


class LetterFile:
    """The letters on disk; also what `twin dlq` reads and clears."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal = Journal(path, SCHEMA)

    def add(self, letters: list[Letter]) -> int:
        """Keep letters; returns how many old ones gave way. Raises DiskError."""

        def work(connection: sqlite3.Connection) -> int:
            connection.executemany(
                "INSERT INTO letters (at, kind, topic, reason, payload) VALUES (?, ?, ?, ?, ?)",
                [(one.at, one.kind, one.topic, one.reason, one.payload) for one in letters],
            )
            return _evict(connection)

        return self._journal.transact(work)

    def read(self, ids: list[int] | None = None) -> Iterator[Letter]:
        """Letters in the order they came, all of them or those named."""
        if not self.path.exists():
            return
        known = self._journal.transact(
            lambda connection: connection.execute("SELECT id FROM letters ORDER BY id").fetchall()
        )
        for (number,) in known:
            if ids is None or number in ids:
                yield from self._one(number)

    def _one(self, number: int) -> Iterator[Letter]:
        query = "SELECT at, kind, topic, reason, payload, id FROM letters WHERE id = ?"
        row = self._journal.transact(
            lambda connection: connection.execute(query, [number]).fetchone()
        )
        if row is not None:
            yield Letter(*row)

    def remove(self, ids: list[int]) -> None:
        """Forget letters. Raises DiskError."""
        self._journal.transact(
            lambda connection: connection.executemany(
                "DELETE FROM letters WHERE id = ?", [(number,) for number in ids]
            )
        )

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()


def _evict(connection: sqlite3.Connection) -> int:
    """Delete the oldest letters beyond the caps; returns how many."""
    rows = connection.execute("SELECT count(*), total(length(payload)) FROM letters").fetchone()
    count, size = int(rows[0]), float(rows[1])
    if count <= LETTERS_LIMIT and size <= BYTES_LIMIT:
        return 0
    gone = []
    for number, length in connection.execute("SELECT id, length(payload) FROM letters ORDER BY id"):
        if count <= LETTERS_LIMIT and size <= BYTES_LIMIT:
            break
        gone.append((number,))
        count, size = count - 1, size - length
    connection.executemany("DELETE FROM letters WHERE id = ?", gone)
    return len(gone)
