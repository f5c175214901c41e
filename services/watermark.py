"""What the publisher still owes: its side of the watermark.

Both ends of the same promise: the ingester marks batches stored and publishes "stored up to
N" (`stored_marks.py`); the publisher keeps every batch until that mark has passed it. Plain data,
no I/O, so the promise can be tested without a broker.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

WINDOW_BATCHES = 64  # of one shard on their way, beyond the watermark; our choice
STALLS_LIMIT = 3  # the patience doubles so often at most; our choice
REPEATED_S = 1.0  # two turns of the ingester's watermarks


@dataclass
class Owed:
    """One batch that is not known to be stored."""

    shard: str
    seq: int
    frames: int
    payload: bytes
    sent_s: float | None = None
    sends_count: int = 0


@dataclass
class _Lane:
    """Batches of one shard, and how many of them may be on their way."""

    batches: OrderedDict[int, Owed] = field(default_factory=OrderedDict)
    window: int = WINDOW_BATCHES
    probes_count: int = 0  # resends of the oldest batch since anything was confirmed
    is_repeated: bool = False  # the watermark came again and had not moved
    told_seq: int = -1  # the highest watermark
    lost_before_s: float = -math.inf  # what was sent before the patience ran out over nothing

    @property
    def stalls_count(self) -> int:
        """How often the patience has doubled: after 1, 3, 7 ... probes, one each patience."""
        return (self.probes_count + 1).bit_length() - 1


class Outbox:
    """The publisher's side: batches in order, kept until the watermark has passed them.

    Of each shard a window of batches may be on their way. As in TCP (Jacobson, 1988) it halves
    when nothing is confirmed for the patience, which then doubles, and grows by what is
    confirmed: a broker with short queues, which drops in silence, is not flooded again and again.
    The oldest batch alone is sent again each patience: whoever is there again answers it, and
    that tells the publisher to go on, however long the silence was.

    Brokers do not keep to the windows that a subscriber asks for (mosquitto 2.0.11 goes beyond both
    max_inflight_messages and Receive Maximum once acknowledgements come), so it is here that the
    ingester's memory is bounded: by the bytes that are sent and not known to be stored.

    Lost is what was not confirmed when something sent a patience later was (RACK, RFC 8985), or
    when nothing at all was confirmed for the patience. So a store that is slower than the fleet
    is waited for, however long its queue: whatever is sent twice makes it slower still.
    """

    def __init__(self, limit_bytes: int, ahead_bytes: float = math.inf) -> None:
        """ahead_bytes: of all shards on their way; what the ingester must have room for."""
        self.limit_bytes, self.ahead_bytes = limit_bytes, ahead_bytes
        self._on_way_bytes = 0
        self._held_back = False
        self.bytes_count = 0
        self.frames_count = 0
        self._lanes: dict[str, _Lane] = {}
        self._confirmed_count = 0
        self._confirmed_sent_s = -math.inf  # when the newest of what is confirmed was sent
        self._progress_count = 0  # confirmed when `due` last looked
        self._progress_s = -math.inf  # when it saw more than before

    @property
    def is_full(self) -> bool:
        """True when nothing more may be added: the simulator waits."""
        return self.bytes_count >= self.limit_bytes

    def base(self, shard: str, next_seq: int) -> int:
        """Lowest sequence number of this shard that is still owed."""
        lane = self._lanes.get(shard)
        return next(iter(lane.batches), next_seq) if lane else next_seq

    def add(self, owed: Owed) -> None:
        """Keep a batch until it is known to be stored."""
        self._lanes.setdefault(owed.shard, _Lane()).batches[owed.seq] = owed
        self.bytes_count += len(owed.payload)
        self.frames_count += owed.frames

    def release(self, shard: str, stored_seq: int) -> int:
        """Let go of everything up to the watermark; returns the frames released."""
        lane = self._lanes.get(shard)
        if lane is None or stored_seq < lane.told_seq:
            return 0  # of several ingesters one may be behind the others
        lane.told_seq = stored_seq
        frames = confirmed = 0
        while lane.batches and next(iter(lane.batches)) <= stored_seq:
            _, owed = lane.batches.popitem(last=False)
            self.bytes_count -= len(owed.payload)
            self._on_way_bytes -= len(owed.payload) if owed.sent_s is not None else 0
            frames += owed.frames
            confirmed += 1
            if owed.sends_count == 1 and owed.sent_s is not None:  # else: which copy was it?
                self._confirmed_sent_s = max(self._confirmed_sent_s, owed.sent_s)
        self._confirmed_count += confirmed
        if confirmed:
            lane.probes_count = 0
            lane.window = min(WINDOW_BATCHES, lane.window + confirmed)
        lane.is_repeated = not confirmed
        self.frames_count -= frames
        return frames

    def __iter__(self) -> Iterator[Owed]:
        """Every batch that is owed, each shard's in order."""
        for lane in self._lanes.values():
            yield from lane.batches.values()

    def take(self) -> list[Owed]:
        """Everything that is owed, which is then owed no more."""
        taken = list(self)
        self._lanes.clear()
        self.bytes_count = self.frames_count = self._on_way_bytes = 0
        return taken

    def newest(self) -> dict[str, int]:
        """The last batch of each shard that is owed now."""
        lanes = self._lanes.items()
        return {shard: next(reversed(lane.batches)) for shard, lane in lanes if lane.batches}

    def owes(self, owed: Owed) -> bool:
        """Whether this batch is still not known to be stored."""
        return self.base(owed.shard, owed.seq + 1) <= owed.seq

    def owes_any(self, newest: dict[str, int]) -> bool:
        """Whether anything is still owed of what `newest` told of."""
        return any(self.base(shard, seq + 1) <= seq for shard, seq in newest.items())

    def waits(self, shard: str) -> bool:
        """Whether a shard has a batch that was never sent, or one to send again soon."""
        lane = self._lanes.get(shard)
        if lane is None or not lane.batches:
            return False
        is_new = next(reversed(lane.batches.values())).sent_s is None
        return lane.is_repeated or is_new or self._held_back

    def due(self, now_s: float, patience_s: float) -> list[Owed]:
        """Batches never sent, as many as there is room for, and those that seem lost.

        Where there is not room for all, every shard's oldest go first, one of each at least.
        """
        found = list(self._due(now_s, patience_s))
        room = self.ahead_bytes - self._on_way_bytes
        fresh = [one for one in found if one[1].sent_s is None]
        self._held_back = sum(len(owed.payload) for _, owed in fresh) > room
        if not self._held_back:
            return [owed for _, owed in found]
        chosen = [owed for _, owed in found if owed.sent_s is not None]
        for place, owed in sorted(fresh, key=lambda one: one[0]):
            room -= len(owed.payload)
            if place and room < 0:
                break
            chosen.append(owed)
        return chosen

    def _due(self, now_s: float, patience_s: float) -> Iterator[tuple[int, Owed]]:
        """Of each window, batches never sent and those that seem lost, with their places in it.

        A watermark that is told again without having moved says that something later has come
        and the oldest has not: that one is sent again soon.
        """
        if self._confirmed_count > self._progress_count:
            self._progress_count, self._progress_s = self._confirmed_count, now_s
        for lane in self._lanes.values():
            wait_s = patience_s * 2.0 ** min(lane.stalls_count, STALLS_LIMIT)
            for place, owed in enumerate(islice(lane.batches.values(), lane.window)):
                if owed.sent_s is None:
                    yield place, owed
                    continue
                silence_s = now_s - max(owed.sent_s, self._progress_s)
                if place == 0 and silence_s > patience_s:
                    lane.lost_before_s = now_s - patience_s
                soon = place == 0 and lane.is_repeated and now_s - owed.sent_s > REPEATED_S
                limit_s = wait_s if place else patience_s
                if soon or silence_s > limit_s or self._was_passed(lane, owed.sent_s, patience_s):
                    yield place, owed

    def _was_passed(self, lane: _Lane, sent_s: float, patience_s: float) -> bool:
        """Whether something sent later is confirmed, or the shard's silence is over without it."""
        is_over = not lane.probes_count and sent_s <= lane.lost_before_s
        return is_over or sent_s < self._confirmed_sent_s - patience_s

    def sent(self, owed: Owed, now_s: float) -> None:
        """Note that a batch leaves now."""
        lane = self._lanes[owed.shard]
        if owed.sent_s is not None and next(iter(lane.batches), None) == owed.seq:
            if not lane.is_repeated:
                before = lane.stalls_count
                lane.probes_count += 1
                if lane.stalls_count > before:
                    lane.window = max(1, lane.window // 2)
            lane.is_repeated = False
        self._on_way_bytes += len(owed.payload) if owed.sent_s is None else 0
        owed.sent_s = now_s
        owed.sends_count += 1

    def forget_sends(self) -> None:
        """After a lost connection nothing in flight can be relied on."""
        self._on_way_bytes = 0
        for lane in self._lanes.values():
            lane.probes_count, lane.is_repeated = 0, False
            for owed in lane.batches.values():
                owed.sent_s = None
