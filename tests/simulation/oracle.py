"""What must hold at every moment and at the end, judged from outside the services."""

import hashlib
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import orjson
from small_fleet import Row, rows_of

from services.topics import parse
from twin.frames import FrameError, open_batch

CANARY = b"ops,"
BatchName = tuple[str, int]


@lru_cache(maxsize=1024)
def _opened(payload: bytes) -> tuple[str, tuple[Row, ...]]:
    """Shard, number and rows of a batch; the same bytes come by again and again."""
    try:
        header, body = open_batch(payload)
    except FrameError:
        return "", ()
    return f"{header.shard}/{header.seq}", tuple(row for row, _ in rows_of(body))


class Oracle:
    """Truth against what passes the broker and what the store holds; also the trace's hash."""

    def __init__(
        self,
        truth: dict[BatchName, dict[Row, bytes]],
        poison: frozenset[Row],
        now_s: Callable[[], float],
        letters: "Journals",
        spools: "Journals",
    ) -> None:
        self.truth = truth
        self.now_s = now_s
        self.expected = {row: values for batch in truth.values() for row, values in batch.items()}
        self.faults: list[str] = []
        self.stored: dict[Row, bytes] = {}
        self.letters = letters
        self.spools = spools
        self.poison = poison
        self._checked: dict[str, int] = {}
        self._trace = hashlib.sha256()
        self.events: list[str] = []

    def note(self, event: str) -> None:
        """One line of the trace."""
        line = f"{self.now_s():.6f} {event}"
        self._trace.update(line.encode() + b"\n")
        self.events.append(line)

    @property
    def trace_hash(self) -> str:
        return self._trace.hexdigest()

    def blame(self, fault: str) -> None:
        self.note(f"FAULT {fault}")
        self.faults.append(f"{self.now_s():.3f} s: {fault}")

    # -- while it runs

    def on_row(self, row: Row, values: bytes) -> None:
        """The store keeps a row: it must be one that the fleet made, to the byte."""
        if row[0].startswith(CANARY):
            return
        if self.expected.get(row) != values:
            kind = "a changed" if row in self.expected else "an unknown"
            self.blame(f"the store was given {kind} row {row[0].decode()} {row[1].decode()}")
        self.stored[row] = values

    def is_durable(self, row: Row) -> bool:
        if row in self.stored or row in self.letters.rows or row in self.spools.rows:
            return True
        return row in self.letters.read().rows or row in self.spools.read().rows

    def on_publish(self, client: str, topic: str, payload: bytes) -> None:
        """A watermark must never pass what is not durable."""
        digest = hashlib.blake2b(payload, digest_size=8).hexdigest()
        self.note(f"publish {client} {topic} {digest}")
        address = parse(topic)
        if address is None or address.lane != "wm":
            return
        seq = orjson.loads(payload)["seq"]
        for one in range(self._checked.get(address.leaf, -1) + 1, seq + 1):
            batch = self.truth.get((address.leaf, one))
            if batch is None or not all(map(self.is_durable, batch)):
                self.blame(f"watermark {seq} of {address.leaf}, but {one} is not durable")
                return
            self._checked[address.leaf] = one

    def on_acknowledged(self, client: str, topic: str, payload: bytes) -> None:
        """A batch may be acknowledged once every row of it is durable."""
        address = parse(topic)
        if address is None or address.lane != "tlm":
            return
        name, rows = _opened(payload)
        if not name:
            return
        self.note(f"acknowledged {client} {name}")
        if not all(map(self.is_durable, rows)):
            self.blame(f"{name} was acknowledged before it was durable")

    # -- at the end

    def missing(self) -> list[Row]:
        """Rows that are neither stored nor dead letters; some may wait in a spool."""
        return sorted(self.expected.keys() - self.stored.keys() - self.letters.read().rows)

    def judge(self, owed_frames: int, unknown_acknowledgements: int) -> None:
        """issued = stored + dead-lettered + owed, and owed = 0."""
        letters, missing = self.letters.read().rows, self.missing()
        if owed_frames:
            self.blame(f"{owed_frames} frames still owed")
        if missing:
            head, stamp = missing[0]
            self.blame(f"{len(missing)} rows lost, the first {head.decode()} {stamp.decode()}")
        if stray := letters - self.poison:
            self.blame(f"{len(stray)} dead letters of rows that the store takes")
        if unknown_acknowledgements:
            self.blame(f"{unknown_acknowledgements} messages acknowledged twice")
        self.note(f"end {len(self.stored)} stored {len(letters)} dead-lettered")


class Journals:
    """What the ingesters' files have ever held, read as a stranger would, only what is new."""

    def __init__(self, folder: Path, name: str, query: str) -> None:
        self.folder = folder
        self.name = name  # of the file; spools carry the instance before it
        self.query = query  # number and blob of what has a higher number than the one given
        self._open: dict[Path, sqlite3.Connection] = {}
        self._seen: dict[Path, int] = {}
        self.counts: dict[str, int] = {}
        self.rows: set[Row] = set()

    def read(self) -> "Journals":
        for path in sorted(self.folder.glob(f"*/*{self.name}")):
            if path not in self._open:
                self._open[path] = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            for number, blob in self._open[path].execute(self.query, [self._seen.get(path, 0)]):
                self._seen[path] = number
                self.rows.update(row for row, _ in rows_of(blob))
                self.counts[path.parent.name] = self.counts.get(path.parent.name, 0) + 1
        return self

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
