"""Batches on disk between their arrival and the store."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from services.batches import Batch, batch_from
from services.journal import Journal

SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, facts BLOB NOT NULL,
    body BLOB NOT NULL
);
"""


@dataclass(frozen=True)
class Dropped:
    """What gave way to the quota."""

    batches: int = 0
    frames: int = 0
    bytes: int = 0


class SpoolFile:
    """The SQLite file; every method is one durable transaction. Raises DiskError."""

    def __init__(self, path: Path) -> None:
        self._journal = Journal(path, SCHEMA)

    def waiting(self) -> tuple[list[Batch], int]:
        """All batches without their bodies, and the bytes of the bodies."""

        def work(connection: sqlite3.Connection) -> tuple[list[Batch], int]:
            rows = connection.execute("SELECT topic, facts, id FROM batches ORDER BY id").fetchall()
            size = connection.execute("SELECT total(length(body)) FROM batches").fetchone()[0]
            return [batch_from(topic, facts, b"", number) for topic, facts, number in rows], int(
                size
            )

        return self._journal.transact(work)

    def commit(self, arrived: list[Batch], stored_ids: list[int]) -> list[int]:
        """Keep what arrived and forget what is stored; the numbers of what arrived."""

        def work(connection: sqlite3.Connection) -> list[int]:
            connection.executemany(
                "DELETE FROM batches WHERE id = ?", [(number,) for number in stored_ids]
            )
            numbers = []
            for one in arrived:
                done = connection.execute(
                    "INSERT INTO batches (topic, facts, body) VALUES (?, ?, ?)",
                    [one.topic, one.facts(), one.body],
                )
                assert done.lastrowid is not None
                numbers.append(done.lastrowid)
            return numbers

        return self._journal.transact(work)

    def after(self, number: int, limit_count: int) -> list[Batch]:
        """The next batches after a number, in order."""

        def work(connection: sqlite3.Connection) -> list[Batch]:
            rows = connection.execute(
                "SELECT topic, facts, body, id FROM batches WHERE id > ? ORDER BY id LIMIT ?",
                [number, limit_count],
            )
            return [batch_from(*row) for row in rows.fetchall()]

        return self._journal.transact(work)

    def drop_oldest(self, after: int, wanted_bytes: int) -> Dropped:
        """Drop the oldest batches after a number until their bodies make up the wanted bytes."""

        def work(connection: sqlite3.Connection) -> Dropped:
            gone, frames, size = [], 0, 0
            rows = connection.execute(
                "SELECT id, topic, facts, length(body) FROM batches WHERE id > ? ORDER BY id",
                [after],
            )
            for number, topic, facts, length in rows:
                if size >= wanted_bytes:
                    break
                gone.append((number,))
                frames += batch_from(topic, facts, b"", number).frames
                size += length
            connection.executemany("DELETE FROM batches WHERE id = ?", gone)
            return Dropped(len(gone), frames, size)

        return self._journal.transact(work)

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()
