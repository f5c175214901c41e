"""On-board recorders: reports made out of contact wait there and are played back at contact.

A satellite's reports leave in the order they were made, stamps unchanged; while older ones wait,
new ones queue behind them. Batches keep their numbers: a shard sends one for every report time,
an empty one if nobody is in contact, so "stored up to N" means what it always did. A recorder is
bounded; when it is full the oldest report is overwritten and counted.
"""

from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

import orjson

from twin.minutes import MinuteRows
from twin.reports import Shard
from twin.state import BoolArray, IntArray

RECORDERS_BYTES: Final = 512 * 1024 * 1024  # of all satellites together
RECORDER_LIMIT_BYTES: Final = 16 * 1024 * 1024  # of one: hours of telemetry; assumption
PLAYBACK_BYTES: Final = 1_000_000  # waiting reports that one batch takes along


@dataclass(frozen=True)
class Transmission:
    """What one shard sends at one report time."""

    body: bytes
    frames: int  # reports in it
    late: int  # of these, made at an earlier report time


@dataclass
class _Recorder:
    reports: deque[tuple[int, bytes]] = field(default_factory=deque)  # (report time, lines)
    bytes_count: int = 0


class Recorders:
    """The recorders of a fleet; a satellite has none until it first needs one."""

    def __init__(self, satellites: int, limit_bytes: int | None = None) -> None:
        """satellites: of the whole fleet, also where a process has a part of it."""
        share = RECORDERS_BYTES // max(satellites, 1)
        self.limit_bytes = min(RECORDER_LIMIT_BYTES, share) if limit_bytes is None else limit_bytes
        self._dropped: dict[int, int] = {}
        self._recorders: dict[int, _Recorder] = {}

    @property
    def dropped_count(self) -> int:
        """Reports that were overwritten."""
        return sum(self._dropped.values())

    @property
    def held_count(self) -> int:
        """Reports that wait on board."""
        return sum(len(one.reports) for one in self._recorders.values())

    def saved(self, satellites: int) -> tuple[bytes, ...]:
        """What each of so many satellites holds, as bytes for a checkpoint, (n,); b"" = nothing."""
        found = [b""] * satellites
        for row in self._recorders.keys() | self._dropped.keys():
            reports = self._recorders.get(row, _Recorder()).reports
            sizes = [[made, len(lines)] for made, lines in reports]
            head = orjson.dumps({"dropped": self._dropped.get(row, 0), "reports": sizes})
            found[row] = head + b"\n" + b"".join(lines for _, lines in reports)
        return tuple(found)

    def moved(self, satellites: int, before: IntArray) -> "Recorders":
        """The same for a changed fleet; before: (n,) row of each until now, -1 of a new one.

        satellites: how many there were. What waits on board one that leaves is gone with it.
        """
        found, held = Recorders(satellites, self.limit_bytes), self.saved(satellites)
        found.restore(tuple(held[row] if row >= 0 else b"" for row in before.tolist()))
        return found

    def restore(self, saved: tuple[bytes, ...]) -> None:
        """Hold what `saved` gave; () is nothing for anybody."""
        self._recorders.clear()
        self._dropped.clear()
        for row, one in enumerate(saved):
            if not one:
                continue
            text, _, body = one.partition(b"\n")
            head, begin = orjson.loads(text), 0
            if head["dropped"]:
                self._dropped[row] = head["dropped"]
            recorder = _Recorder()
            for made, size in head["reports"]:
                recorder.reports.append((made, body[begin : begin + size]))
                begin += size
            if recorder.reports:
                recorder.bytes_count = begin
                self._recorders[row] = recorder

    def transmit(
        self,
        shard: Shard,
        seq: int,
        body: bytes,
        contact: BoolArray,
        accel_count: IntArray,
        minutes: MinuteRows | None = None,
    ) -> Transmission:
        """What leaves now of the shard's report `body`, and what waits.

        contact: which satellites of the fleet reach the ground, (n,); accel_count (n,); minutes:
        finished minutes of some of them, which go with their reports.
        """
        rows = shard.rows.tolist()
        waiting = any(row in self._recorders for row in rows)
        if not waiting and contact[shard.rows].all():
            return Transmission(body + (minutes.body if minutes else b""), len(rows), 0)
        reports = _by_satellite(body, len(rows), accel_count[shard.rows])
        if minutes is not None:
            lines = minutes.body.splitlines(keepends=True)
            for place, line in zip(minutes.places.tolist(), lines, strict=True):
                reports[place] += line
        sent: list[bytes] = []
        late, room = 0, PLAYBACK_BYTES
        for row, report in zip(rows, reports, strict=True):
            if contact[row] and row not in self._recorders:
                sent.append(report)
                continue
            self._record(row, seq, report)
            if contact[row]:
                played, room = self._play(row, room)
                late += sum(made < seq for made, _ in played)
                sent += [lines for _, lines in played]
        return Transmission(b"".join(sent), len(sent), late)

    def _record(self, row: int, seq: int, report: bytes) -> None:
        recorder = self._recorders.setdefault(row, _Recorder())
        recorder.reports.append((seq, report))
        recorder.bytes_count += len(report)
        while recorder.bytes_count > self.limit_bytes and recorder.reports:
            recorder.bytes_count -= len(recorder.reports.popleft()[1])
            self._dropped[row] = self._dropped.get(row, 0) + 1

    def _play(self, row: int, room: int) -> tuple[list[tuple[int, bytes]], int]:
        """The oldest reports of a satellite that fit, and the room left."""
        recorder = self._recorders[row]
        played = []
        while recorder.reports and room > 0:
            made, lines = recorder.reports.popleft()
            recorder.bytes_count -= len(lines)
            room -= len(lines)
            played.append((made, lines))
        if not recorder.reports:
            del self._recorders[row]
        return played, room


def _by_satellite(body: bytes, satellites: int, accel_count: IntArray) -> list[bytes]:
    """The lines of each satellite: its own, then its accelerators'."""
    lines = body.splitlines(keepends=True)
    ends = list(accumulate(accel_count.tolist(), initial=satellites))
    if len(lines) != ends[-1]:  # accelerators do not report in this shard
        ends = [satellites] * (satellites + 1)
    return [
        lines[place] + b"".join(lines[ends[place] : ends[place + 1]]) for place in range(satellites)
    ]
