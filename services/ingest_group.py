"""Several ingesters on one stream: what each has stored is told to all of them.

The broker deals every batch to one ingester of the group, and deals again what a dead one has
not acknowledged (NATS JetStream), or leaves it to the publisher's resend (shared subscriptions of
MQTT, whose brokers may drop it). No single ingester sees every number of a shard, so each one
tells "stored: these" on `fleet/v1/<fleet>/stored/<shard>`, and all merge the same notes into the
same marks: any of them can publish the watermark, and whoever starts late reads the retained one.

A note that is lost makes no hole for ever: the watermark stops before it, the publisher sends
that batch again, and whoever gets it stores the same row and tells of it. A watermark that is
lower than one before it says nothing new: publishers ignore it.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson

from services.batches import Batch
from services.stored_marks import ShardKey, StoredMarks
from services.topics import Topics, parse
from services.watermark import REPEATED_S

HOLE_S = 3.0  # notes take half a second; our choice
NOTE_LIMIT = 1_000  # numbers in one note; our choice: 8 kB


@dataclass
class Note:
    """Batches of one shard that one ingester has stored."""

    base: int
    seqs: set[int] = field(default_factory=set)


@dataclass
class Group:
    """One ingester's view of its group; `name` is the same in every one of them."""

    name: str
    marks: StoredMarks
    _untold: dict[ShardKey, Note] = field(default_factory=dict)
    _holes: dict[ShardKey, tuple[int, float]] = field(default_factory=dict)  # which, since when
    _told: dict[ShardKey, tuple[int, float]] = field(default_factory=dict)  # mark, and when

    def __post_init__(self) -> None:
        self.marks.is_shared = True

    def look_for_holes(self, now_s: float) -> None:
        """Count as a gap what nobody has told of for HOLE_S while later numbers are stored, once.

        Call it now and then.
        """
        before, self._holes = self._holes, {}
        for key, seq in self.marks.holes():
            known, since_s = before.get(key, (-1, now_s))
            since_s = since_s if known == seq else now_s
            if now_s - since_s > HOLE_S:
                self.marks.gaps_count += 1
                since_s = math.inf
            self._holes[key] = seq, since_s

    def shared(self, filters: Iterable[str]) -> list[str]:
        """Filters whose messages are dealt out among the group (MQTT 5, section 4.8.2)."""
        return [f"$share/{self.name}/{one}" for one in filters]

    def filters(self) -> tuple[str, str]:
        """What every ingester of the group hears: the others' notes, and watermarks."""
        return Topics().stored(), Topics().watermark()

    def stored(self, batch: Batch) -> None:
        """This ingester has made a batch durable."""
        if batch.key is None:
            return
        shard, seq = batch.key
        note = self._untold.setdefault(shard, Note(batch.base))
        note.base = max(note.base, batch.base)
        note.seqs.add(seq)

    def take_notes(self) -> list[tuple[ShardKey, Note]]:
        """What the others have not been told; give back what could not be sent."""
        notes, self._untold = self._untold, {}
        return sorted(notes.items())

    def give_back(self, notes: Iterable[tuple[ShardKey, Note]]) -> None:
        """Notes that did not leave."""
        for key, note in notes:
            mine = self._untold.setdefault(key, Note(note.base))
            mine.base = max(mine.base, note.base)
            mine.seqs |= note.seqs

    def hear(self, topic: str, payload: bytes, now_s: float) -> ShardKey | None:
        """Merge a note or a watermark; the shard it tells of, None if it cannot be read."""
        address = parse(topic)
        try:
            told = orjson.loads(payload)
            run, base, seqs = str(told["run"]), told.get("base", 0), told.get("seqs", [])
            mark = told.get("seq", -1)
            if not all(isinstance(one, int) for one in [base, mark, *seqs]):
                return None
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return None
        if address is None or address.lane not in {"stored", "wm"}:
            return None
        key = (address.fleet, run, address.leaf)
        if address.lane == "wm":
            self._told[key] = (mark, now_s)
            self.marks.settle_base(key, mark + 1)
        else:
            self.marks.settle_base(key, base)
            for seq in seqs:
                self.marks.store(key, seq)
        return key

    def worth_telling(self, marks: dict[ShardKey, int], now_s: float) -> dict[ShardKey, int]:
        """Marks beyond what was told, and those that have not moved since: a publisher waits."""
        found = {}
        for key, seq in marks.items():
            before, at_s = self._told.get(key, (-2, 0.0))
            if seq > before or (seq == before and now_s - at_s > REPEATED_S):
                found[key] = seq
                self._told[key] = (seq, now_s)
        for gone in self._told.keys() - self.marks.keys():
            del self._told[gone]  # of an earlier run
        return found


def note_bytes(key: ShardKey, note: Note) -> list[tuple[str, bytes]]:
    """Topics and payloads of a note, cut where it is long."""
    fleet, run, shard = key
    seqs = sorted(note.seqs)
    topic = Topics(fleet).stored(shard)
    return [
        (
            topic,
            orjson.dumps({"run": run, "base": note.base, "seqs": seqs[at : at + NOTE_LIMIT]}),
        )
        for at in range(0, len(seqs), NOTE_LIMIT)
    ]
