"""What is stored, per shard, without a gap; and what the publisher still owes.

Both ends of the same promise: the ingester marks batches stored and publishes "stored up to
N"; the publisher keeps every batch until that mark has passed it. Plain data, no I/O, so the
promise can be tested without a broker.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

ShardKey = tuple[str, str, str]
"""Fleet, run and shard: sequence numbers compare only inside one run."""


@dataclass
class Mark:
    """Everything up to and including `seq` is stored; `beyond` is stored past a gap."""

    seq: int = -1
    beyond: set[int] = field(default_factory=set)
    newest_arrived: int = -1


class StoredMarks:
    """The ingester's side."""

    def __init__(self) -> None:
        self._marks: dict[ShardKey, Mark] = {}
        self._newest_run: dict[tuple[str, str], str] = {}
        self.gaps_count = 0

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
        """A batch came in: one that skips numbers shows a gap on the way."""
        mark = self._marks.setdefault(key, Mark())
        self.gaps_count += int(seq > mark.newest_arrived + 1)
        mark.newest_arrived = max(mark.newest_arrived, seq)

    def store(self, key: ShardKey, seq: int) -> None:
        """A batch is durable."""
        mark = self._marks.setdefault(key, Mark())
        if seq > mark.seq:
            mark.beyond.add(seq)
            self._advance(mark)

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


@dataclass
class Owed:
    """One batch that is not known to be stored."""

    shard: str
    seq: int
    frames: int
    payload: bytes
    sent_s: float | None = None
    sends_count: int = 0


class Outbox:
    """The publisher's side: batches in order, kept until the watermark has passed them."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.bytes_count = 0
        self.frames_count = 0
        self._shards: dict[str, OrderedDict[int, Owed]] = {}

    @property
    def is_full(self) -> bool:
        """True when nothing more may be added: the simulator waits."""
        return self.bytes_count >= self.limit_bytes

    def base(self, shard: str, next_seq: int) -> int:
        """Lowest sequence number of this shard that is still owed."""
        return next(iter(self._shards.get(shard, ())), next_seq)

    def add(self, owed: Owed) -> None:
        """Keep a batch until it is known to be stored."""
        self._shards.setdefault(owed.shard, OrderedDict())[owed.seq] = owed
        self.bytes_count += len(owed.payload)
        self.frames_count += owed.frames

    def release(self, shard: str, stored_seq: int) -> int:
        """Let go of everything up to the watermark; returns the frames released."""
        batches = self._shards.get(shard, OrderedDict())
        frames = 0
        while batches and next(iter(batches)) <= stored_seq:
            _, owed = batches.popitem(last=False)
            self.bytes_count -= len(owed.payload)
            frames += owed.frames
        self.frames_count -= frames
        return frames

    def newest(self) -> dict[str, int]:
        """The last batch of each shard that is owed now."""
        return {shard: next(reversed(owed)) for shard, owed in self._shards.items() if owed}

    def owes_any(self, newest: dict[str, int]) -> bool:
        """Whether anything is still owed of what `newest` told of."""
        return any(self.base(shard, seq + 1) <= seq for shard, seq in newest.items())

    def due(self, now_s: float, patience_s: float) -> Iterator[Owed]:
        """Batches never sent, and those sent so long ago that they may be lost.

        The patience doubles with every send, so that a slow store is not flooded.
        """
        for batches in self._shards.values():
            for owed in batches.values():
                if owed.sent_s is None or now_s - owed.sent_s > patience_s * 2.0 ** min(
                    owed.sends_count - 1, 6
                ):
                    yield owed

    def forget_sends(self) -> None:
        """After a lost connection nothing in flight can be relied on."""
        for batches in self._shards.values():
            for owed in batches.values():
                owed.sent_s = None
