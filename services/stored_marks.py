"""What is stored, per shard, without a gap: the ingester's side of the watermark.

The ingester marks batches stored and publishes "stored up to N"; the publisher keeps every batch
until that mark has passed it (`watermark.py`). Plain data, no I/O.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

ShardKey = tuple[str, str, str]
"""Fleet, run and shard: sequence numbers compare only inside one run."""


@dataclass
class Mark:
    """Everything up to and including `seq` is stored; `beyond` is stored past a gap."""

    seq: int = -1
    beyond: set[int] = field(default_factory=set)
    newest_arrived: int = -1


class ToldMark(NamedTuple):
    """What a retained watermark message says: this run is stored up to `seq`."""

    run: str
    seq: int


def read_mark(payload: bytes) -> ToldMark | None:
    """A watermark message read; None for anything that is not one."""
    try:
        told = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(told, dict):
        return None
    run, seq = told.get("run"), told.get("seq")
    if not isinstance(run, str) or not isinstance(seq, int) or isinstance(seq, bool):
        return None
    return ToldMark(run, seq)


class StoredMarks:
    """The ingester's side."""

    def __init__(self) -> None:
        self._marks: dict[ShardKey, Mark] = {}
        self._newest_run: dict[tuple[str, str], str] = {}
        self.gaps_count = 0
        self.is_shared = False  # of a group: numbers that are skipped here came to another

    def is_stored(self, key: ShardKey, seq: int) -> bool:
        """True for a batch that came before: it must not be written or counted again."""
        mark = self._marks.get(key)
        return mark is not None and (seq <= mark.seq or seq in mark.beyond)

    def settle_base(self, key: ShardKey, base: int) -> None:
        """The publisher owes nothing below `base`: a new ingester starts from there."""
        self._forget_older_run(key)
        mark = self._marks.setdefault(key, Mark())
        if base - 1 > mark.seq:
            mark.seq = base - 1
            mark.newest_arrived = max(mark.newest_arrived, base - 1)
            self._advance(mark)

    def arrive(self, key: ShardKey, seq: int) -> None:
        """A batch came in: one that skips numbers shows a gap on the way, where all come here."""
        mark = self._marks.setdefault(key, Mark())
        self.gaps_count += int(seq > mark.newest_arrived + 1 and not self.is_shared)
        mark.newest_arrived = max(mark.newest_arrived, seq)

    def store(self, key: ShardKey, seq: int) -> None:
        """A batch is durable."""
        mark = self._marks.setdefault(key, Mark())
        if seq > mark.seq:
            mark.beyond.add(seq)
            self._advance(mark)

    def holes(self) -> Iterator[tuple[ShardKey, int]]:
        """The first number missing of each shard of which later ones are stored."""
        for key, mark in self._marks.items():
            if mark.beyond:
                yield key, mark.seq + 1

    def keys(self) -> Set[ShardKey]:
        """Shards that marks are kept of."""
        return self._marks.keys()

    def seq(self, key: ShardKey) -> int:
        """Stored without a gap up to here; -1 if nothing is."""
        mark = self._marks.get(key)
        return mark.seq if mark else -1

    def _forget_older_run(self, key: ShardKey) -> None:
        """Marks of an earlier run of the same shard are of no more use: memory stays bounded."""
        fleet, run, shard = key
        before = self._newest_run.get((fleet, shard))
        if before != run:
            self._newest_run[fleet, shard] = run
            if before is not None:
                self._marks.pop((fleet, before, shard), None)

    @staticmethod
    def _advance(mark: Mark) -> None:
        while mark.seq + 1 in mark.beyond:
            mark.seq += 1
            mark.beyond.remove(mark.seq)
        mark.beyond = {seq for seq in mark.beyond if seq > mark.seq}
