"""Roll-ups that the first of several processes has made, on its disk: minutes go on from them.

The others let go of their parts once a roll-up is stored, so a first process that is started again
cannot make it a second time. What a minute needs of it is here, written before it leaves.
"""

import logging
from pathlib import Path

import numpy as np

from services.checkpoint_files import write_whole
from services.watermark import WINDOW_BATCHES
from twin.rollups import REPORTED, Tables
from twin.state import FloatArray

LOG = logging.getLogger(__name__)
KEPT_COUNT = WINDOW_BATCHES + 64  # roll-ups that may be asked for: the window and a minute; ours
HEAD_COUNT = 2  # numbers before a roll-up's own: run and seq


class RollupJournal:
    """A file of equal records: run, seq, then (1 + planes, fields) numbers."""

    def __init__(self, path: Path, run_id: str, planes_count: int) -> None:
        self._path = path
        self._run = float(int(run_id, 16))  # 48 bits: exact
        self._shape = (1 + planes_count, len(REPORTED))
        self._size = HEAD_COUNT + self._shape[0] * self._shape[1]
        self._written = len(self._read())

    def add(self, seq: int, tables: Tables) -> None:
        """Keep one roll-up. A disk that does not take it costs a restart its minute, no more."""
        numbers = np.concatenate([[self._run, float(seq)], *(one.ravel() for one in tables)])
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._written >= 2 * KEPT_COUNT:
                kept = self._read()[-KEPT_COUNT:]
                write_whole(self._path, kept.astype("<f8").tobytes())
                self._written = len(kept)
            with self._path.open("ab") as stream:
                stream.write(numbers.astype("<f8").tobytes())
            self._written += 1
        except OSError as error:
            LOG.warning("%s: %s", self._path, error)

    def tables(self) -> dict[int, Tables]:
        """Roll-ups of this run by number, as far as they are kept."""
        found = {}
        for record in self._read():
            if record[0] == self._run:
                table = record[HEAD_COUNT:].reshape(self._shape)
                found[int(record[1])] = Tables(table[:1], table[1:])
        return found

    def _read(self) -> FloatArray:
        """Whole records, (k, size); what a crash has cut short is left out."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            data = b""
        whole = len(data) // (8 * self._size) * self._size
        return np.frombuffer(data, "<f8", whole).reshape(-1, self._size)
