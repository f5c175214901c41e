"""What comes in from MQTT, checked before it may go to the store.

The main lane carries batches of our own simulators. Their rows pass through as bytes: no value is
parsed. What is checked is the header (who, which, how many, checksum), the head of every row
(measurement and tags) against the heads that this shard may send, and that each row has fields
and a stamp and no text. A head is examined once; after that it is one look-up in a set. The lanes
of satellites that we do not simulate are in `foreign_lanes.py`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.batches import Batch
from services.foreign_lanes import ForeignError, document_batch, lines_batch
from services.mqtt import Message
from services.topics import SIMULATOR_SHARD, Address, parse
from twin.frames import ROLLUP_SHARD, FrameError, FrameHeader, open_batch

HEAD = re.compile(rb"[a-z_0-9]+((?:,[a-z_0-9]+=[A-Za-z0-9_.:-]+)+)")
LONGEST_STAMP = 20  # characters of a signed 64-bit number
STAMP = re.compile(rb"-?[0-9]{1,%d}" % (LONGEST_STAMP - 1))
SPACE, EQUALS = 32, 61
ROW_MARKS = np.array([SPACE, SPACE, 10], dtype=np.uint8)  # what a row has that does not print
HEADS_PER_SHARD_LIMIT = 16_384
FLEETS_LIMIT = 1_000

Octets = NDArray[np.uint8]
Places = NDArray[np.int64]
ShardOwners = Mapping[str, Mapping[str, str]]
"""Fleet -> satellite -> the shard that may name it."""


class RefusedMessageError(Exception):
    """A message that nobody can use; `kind` is one of a few, the text says why."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


@dataclass
class _Fleet:
    """What is known of the newest run of a fleet."""

    run: str
    owners: dict[str, str] = field(default_factory=dict)  # satellite -> shard
    heads: dict[str, dict[bytes, int]] = field(default_factory=dict)  # shard -> good head -> tags


class Lanes:
    """Checks messages; knows which satellites each shard may name.

    `owners` says so for the fleets it lists. Of other fleets the first shard of a run that
    names a satellite owns it for as long as the run lasts. A shard that is not named like a
    simulator's is a satellite's own and speaks for the satellite of its name and no other; rows
    of a whole fleet come from the roll-up shard only.
    """

    def __init__(self, owners: Callable[[], ShardOwners] = dict) -> None:
        self._owners = owners
        self._fleets: dict[str, _Fleet] = {}

    def forget(self) -> None:
        """The owners have changed: every head is examined again."""
        self._fleets.clear()

    def check(self, message: Message) -> Batch | None:
        """A batch to store; None for a topic that is not ours. Raises RefusedMessageError."""
        address = parse(message.topic)
        if address is None or address.lane not in {"tlm", "sat", "lp"}:
            return None
        if address.lane == "tlm":
            return self._own_batch(message, address)
        try:
            return self._foreign_batch(message, address)
        except ForeignError as error:
            raise RefusedMessageError(error.kind, str(error)) from None

    def _foreign_batch(self, message: Message, address: Address) -> Batch:
        fleet = self._fleets.get(address.fleet)
        if address.lane == "sat":
            live = fleet.run if fleet and address.leaf in fleet.owners else None
            batch, satellites = document_batch(message, address, live), {address.leaf}
        else:
            batch, satellites = lines_batch(message, address)
        listed = self._owners().get(address.fleet)
        for satellite in satellites if batch.body else ():
            claimed = fleet.owners.get(satellite, address.leaf) if fleet else address.leaf
            if (claimed if listed is None else listed.get(satellite)) != address.leaf:
                reason = f"a row of a satellite of another shard: {satellite}"
                raise ForeignError("owner", reason)
        return batch

    def check_row(self, topic: str, row: bytes) -> bytes:
        """A single row that the store refused before. Raises RefusedMessageError."""
        address = parse(topic)
        if address is None or not row.endswith(b"\n") or row.count(b"\n") != 1:
            raise RefusedMessageError("owner", "not a row on a topic of ours")
        if _tags(row.partition(b" ")[0]).get("fleet") != address.fleet:
            raise RefusedMessageError("owner", "a row of another fleet")
        return row

    def _own_batch(self, message: Message, address: Address) -> Batch:
        try:
            header, body = open_batch(message.payload)
        except FrameError as error:
            raise RefusedMessageError("frame", str(error)) from None
        if (header.fleet, header.shard) != (address.fleet, address.leaf):
            reason = f"header of {header.fleet}/{header.shard} on another topic"
            raise RefusedMessageError("owner", reason)
        values = self._check_rows(header, body)
        key = ((header.fleet, header.run, header.shard), header.seq)
        return Batch(
            message.topic,
            body,
            header.frames,
            header.lines,
            message.acknowledge,
            key,
            header.t_ns,
            base=header.base,
            values=values,
        )

    def _check_rows(self, header: FrameHeader, body: bytes) -> int:
        """Every row is one of this shard's, has fields, a stamp and no text; counts the values."""
        if not body:
            return 0
        if b'"' in body or b"\\" in body:
            raise RefusedMessageError("schema", "a row with text or escapes")
        octets = np.frombuffer(body, dtype=np.uint8)
        places = np.flatnonzero(octets <= SPACE)  # and whatever else does not print
        if places.size % 3 or (octets[places].reshape(-1, 3) != ROW_MARKS).any():
            raise RefusedMessageError("schema", "a row that is not `head fields stamp`")
        marks = places.reshape(-1, 3)
        if len(marks) != header.lines:
            reason = f"{len(marks)} lines where the header says {header.lines}"
            raise RefusedMessageError("frame", reason)
        begins = np.concatenate([[0], marks[:-1, 2] + 1])
        if (np.diff(marks, axis=1, prepend=begins[:, None] - 1) < 2).any():
            raise RefusedMessageError("schema", "a row that is not `head fields stamp`")
        cuts = zip(begins.tolist(), marks[:, 0].tolist(), strict=True)
        tags_count = self._check_heads(header, [body[begin:end] for begin, end in cuts])
        if not all(map(STAMP.fullmatch, _stamps(body, octets, marks[:, 1] + 1, marks[:, 2]))):
            raise RefusedMessageError("schema", "a row whose stamp is not a whole number")
        return int(np.count_nonzero(octets == EQUALS)) - tags_count

    def _check_heads(self, header: FrameHeader, heads: list[bytes]) -> int:
        """Every head is one that this shard may send; how many tags they have in all."""
        fleet = self._fleets.get(header.fleet)
        if fleet is None or fleet.run != header.run:
            if len(self._fleets) >= FLEETS_LIMIT:
                self._fleets.pop(next(iter(self._fleets)))
            fleet = self._fleets[header.fleet] = _Fleet(header.run)
        known = fleet.heads.setdefault(header.shard, {})
        unknown = set(heads).difference(known)
        if unknown:
            self._examine(header, fleet, unknown)
            found = {head: head.count(b"=") for head in unknown}
            if len(known) + len(found) > HEADS_PER_SHARD_LIMIT:
                known = known | found
            else:
                known |= found
        return sum(map(known.__getitem__, heads))

    def _examine(self, header: FrameHeader, fleet: _Fleet, heads: set[bytes]) -> None:
        """Heads that this shard has not sent before. Raises RefusedMessageError."""
        listed = self._owners().get(header.fleet)
        claims: set[str] = set()
        for head in heads:
            tags = _tags(head)
            if tags.get("fleet") != header.fleet:
                raise RefusedMessageError("owner", "a row of another fleet")
            satellite = tags.get("sat")
            if satellite is None:
                if header.shard != ROLLUP_SHARD:
                    raise RefusedMessageError("owner", "a row of no satellite")
                continue
            if not SIMULATOR_SHARD.fullmatch(header.shard) and satellite != header.shard:
                reason = f"a row of {satellite} from a lane of its own"
                raise RefusedMessageError("owner", reason)
            claimed = fleet.owners.get(satellite, header.shard)
            owner = claimed if listed is None else listed.get(satellite)
            if owner != header.shard:
                reason = f"a row of a satellite of another shard: {satellite}"
                raise RefusedMessageError("owner", reason)
            claims.add(satellite)
        fleet.owners |= dict.fromkeys(claims, header.shard)


def _stamps(body: bytes, octets: Octets, begins: Places, ends: Places) -> set[bytes]:
    """The stamps of rows. A report's are alike: numpy sees that at a fifth of the cost."""
    length = int(ends[0] - begins[0])
    if length <= LONGEST_STAMP and (ends - begins == length).all():
        rows = octets[begins[:, None] + np.arange(length)]
        if (rows == rows[0]).all():
            return {rows[0].tobytes()}
    cuts = zip(begins.tolist(), ends.tolist(), strict=True)
    return {body[begin:end] for begin, end in cuts}


def _tags(head: bytes) -> dict[str, str]:
    """Tags of a row's head; empty for one that is not `measurement,tag=value,...`."""
    match = HEAD.fullmatch(head)
    if match is None:
        return {}
    pairs = [pair.partition(b"=") for pair in match[1][1:].split(b",")]
    if len({name for name, _, _ in pairs}) != len(pairs):
        return {}
    return {name.decode(): value.decode() for name, _, value in pairs}
