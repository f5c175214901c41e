"""Roll-ups of a run in several processes: each sends its satellites' columns, the first combines.

A part is owed like any batch: its process keeps it, and sends it again, until the roll-up made of
it is known to be stored. The first process makes the roll-ups in order, each when all its parts are
there, with the very function that a process with the whole fleet uses: the same bytes.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import orjson

from services.watermark import WINDOW_BATCHES
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


Shapes = Mapping[str, tuple[int, ...]]
"""Columns by name: how large each is."""
UNREADABLE = (
    *(ValueError, KeyError, TypeError, OSError, EOFError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)
"""What numpy and zipfile raise for archives that are none, are cut, packed or locked."""


def read_part(payload: bytes, shapes: tuple[Shapes, ...]) -> RollupPart:
    """Another process's part in a message; `shapes`: each process's columns, in their order.

    Raises PartError for anything else; executes nothing of it, and reads no array before its
    header says that it fits.
    """
    text, _, body = payload.partition(b"\n")
    try:
        head = orjson.loads(text)
        run, seq, index = head["run"], head["seq"], head["index"]
        if not (isinstance(run, str) and type(seq) is int and type(index) is int):
            raise PartError("run, seq or index is not what it should be")
        if not 0 < index < len(shapes):
            raise PartError(f"process {index}, not 1 to {len(shapes) - 1}")
        return RollupPart(run, seq, index, _read_columns(body, shapes[index]))
    except UNREADABLE as error:
        raise PartError(f"not a part of a roll-up: {error}") from None


def _read_columns(body: bytes, shapes: Shapes) -> Columns:
    """Arrays of these names and shapes from a numpy archive; raises one of UNREADABLE."""
    columns = {}
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        if sorted(archive.namelist()) != sorted(f"{name}.npy" for name in shapes):
            raise PartError("other columns than this fleet has")
        for name, shape in shapes.items():
            with archive.open(f"{name}.npy") as stream:
                np.lib.format.read_magic(stream)
                found, _, dtype = np.lib.format.read_array_header_1_0(stream)
                if found != shape or dtype != np.float64:
                    raise PartError(f"{name} is {dtype} {found}, not float64 {shape}")
            with archive.open(f"{name}.npy") as stream:
                columns[name] = np.lib.format.read_array(stream, allow_pickle=False)
    return columns


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
        """Roll-ups that are whole now, in order: number and columns of the whole fleet.

        No process sends further ahead than its outbox's window: what says so is not kept.
        """
        ahead = part.seq - self.next_seq
        if 0 <= ahead < WINDOW_BATCHES or (ahead >= 0 and part.index == 0):
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
