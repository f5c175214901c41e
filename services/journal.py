"""A small durable file: SQLite in write-ahead mode, one transaction at a time.

What `transact` has returned from is on the disk: the log is flushed before it returns. A
transaction that fails for any reason of the disk (full, read-only, an fsync that says EIO) is
rolled back and the file is opened anew before the next one, which writes the rows again: pages
that a failed fsync has left in doubt are never taken for clean.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeVar

T = TypeVar("T")
BUSY_WAIT_S = 5.0  # another process (twin dlq) may hold the file for a moment


class DiskError(Exception):
    """The file did not take the transaction; nothing of it is kept."""


class Offload(Protocol):
    """Does blocking work away from the event loop."""

    async def __call__(self, work: Callable[[], T], /) -> T:
        """The result of `work`, or its exception."""


async def in_thread(work: Callable[[], T], /) -> T:
    """Work in a thread of the loop's pool."""
    return await asyncio.to_thread(work)


class Journal:
    """One SQLite file; made when it is first written."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._schema = schema
        self._connection: sqlite3.Connection | None = None
        self._lock = Lock()

    def transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction. Raises DiskError with nothing kept."""
        with self._lock:
            try:
                connection = self._opened()
                connection.execute("BEGIN IMMEDIATE")
                result = work(connection)
                connection.execute("COMMIT")
            except (sqlite3.Error, OSError) as error:
                self._drop()
                raise DiskError(f"{self.path}: {error}") from None
            except BaseException:
                self._drop()
                raise
            return result

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._drop()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self.path, timeout=BUSY_WAIT_S, isolation_level=None, check_same_thread=False
            )
            self._connection = connection
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.executescript(self._schema)
        return self._connection

    def _drop(self) -> None:
        """Closing rolls an open transaction back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
