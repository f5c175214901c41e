"""Roll-ups of a run in several processes: each sends its satellites' columns, the first combines.

A part is owed like any batch: its process keeps it, and sends it again, until the roll-up made of
it is known to be stored. The first process makes the roll-ups in order, each when all its parts are
there, with the very function that a process with the whole fleet uses: the same bytes.
"""

import io
import zipfile
from dataclasses import dataclass, field

import numpy as np
import orjson

from twin.rollups import Columns


class PartError(ValueError):
    """A message that is no part of a roll-up; the text says why."""


@dataclass(frozen=True)
class RollupPart:
    """What one process says of its own satellites at one roll-up."""

    run: str
    seq: int
    index: int  # of the process, from 0
    columns: Columns


def part_bytes(part: RollupPart) -> bytes:
    """A part on the wire: a line of JSON, then the arrays as a numpy archive."""
    head = orjson.dumps({"run": part.run, "seq": part.seq, "index": part.index})
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **part.columns)
    return head + b"\n" + stream.getvalue()


def read_part(payload: bytes) -> RollupPart:
    """The part in a message. Raises PartError; executes nothing of it."""
    text, _, body = payload.partition(b"\n")
    try:
        head = orjson.loads(text)
        with np.load(io.BytesIO(body), allow_pickle=False) as archive:
            columns = {name: archive[name] for name in archive.files}
        return RollupPart(str(head["run"]), int(head["seq"]), int(head["index"]), columns)
    except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise PartError(f"not a part of a roll-up: {error}") from None


@dataclass
class Assembler:
    """Parts that wait for the others, in the first process."""

    count: int  # processes
    next_seq: int = 0
    _waiting: dict[int, dict[int, Columns]] = field(default_factory=dict)

    @property
    def waiting_count(self) -> int:
        """Roll-ups that lack a part."""
        return len(self._waiting)

    def owes_until(self, seq: int) -> bool:
        """Whether a roll-up up to this number still lacks a part."""
        return any(one <= seq for one in self._waiting)

    def add(self, part: RollupPart) -> list[tuple[int, Columns]]:
        """Roll-ups that are whole now, in order: number and columns of the whole fleet."""
        if part.seq >= self.next_seq and 0 <= part.index < self.count:
            self._waiting.setdefault(part.seq, {})[part.index] = part.columns
        found = []
        while len(self._waiting.get(self.next_seq, ())) == self.count:
            parts = self._waiting.pop(self.next_seq)
            ordered = [parts[index] for index in range(self.count)]
            columns = {name: np.concatenate([one[name] for one in ordered]) for name in ordered[0]}
            found.append((self.next_seq, columns))
            self.next_seq += 1
        return found

    def settle(self, stored_seq: int) -> None:
        """Roll-ups up to here are stored: nobody owes their parts any more."""
        self.next_seq = max(self.next_seq, stored_seq + 1)
        for seq in [one for one in self._waiting if one < self.next_seq]:
            del self._waiting[seq]
