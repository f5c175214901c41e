"""Reports: who reports when, and what one shard's batch says.

A shard is a run of neighbouring satellites that report together. Shards of a slow fleet take
turns over the report interval, so that 10,000 satellites every 10 s are a steady stream and
not a burst. A satellite's report times are `phase + k * period` ticks: a pure function of the
fleet, so every process knows them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import compress

import numpy as np

from twin.channels import (
    ACCEL_CHANNELS,
    ACCEL_MEASUREMENT,
    BUS_CHANNELS,
    BUS_MEASUREMENT,
    CHANNEL_SETS,
    Channel,
)
from twin.frames import FieldLayout, encode_rows, row_template
from twin.sensors import Snapshot, accelerator_telemetry, bus_readings, in_wire_order
from twin.state import BoolArray, Fleet, FloatArray, IntArray
from twin.upsets import accelerator_rows

SATELLITES_PER_SHARD = 128  # at least, in a fleet that has them
LARGE_SHARD = 512  # satellites, at most (docs/pipeline.md)
SHARDS_WANTED = 20  # of a large fleet: its messages get larger, not more; our choice
LINES_PER_SHARD = 640  # with those of accelerators
VALUES_PER_SHARD = 30_000  # of 21 bytes on the wire: below the 1 MB that EMQX and NATS take
ROWS_AT_ONCE = 4096  # whose values are read in one go; our choice
MINUTES_SPREAD_S = 45.0  # over which the shards' finished minutes leave; our choice
COMPILED_FROM_ROWS = 500  # a tick: from here on a compiled encoder is worth its start; ours
BUS_LAYOUT = FieldLayout.of(BUS_CHANNELS)

EncodeRows = Callable[[Sequence[bytes], FieldLayout, FloatArray, IntArray, int], bytes]
"""`twin.frames.encode_rows`, or what gives the same bytes."""
NoteValues = Callable[[IntArray, Mapping[str, FloatArray]], None]
"""Rows of the fleet, and their readings by channel."""


@dataclass(frozen=True)
class BusColumns:
    """What a satellite reports of its bus."""

    layout: FieldLayout
    channels: tuple[Channel, ...]


@cache
def _bus_columns() -> tuple[BusColumns, ...]:
    """One for each of CHANNEL_SETS."""
    return tuple(
        BusColumns(FieldLayout.of(one.channels), tuple(one.channels)) for one in CHANNEL_SETS
    )


@dataclass(frozen=True)
class Shard:
    """Satellites that report in one batch."""

    name: str
    rows: IntArray  # of the fleet
    accelerators: IntArray  # of the flattened accelerators
    period_ticks: int
    phase_ticks: int
    bus_heads: tuple[bytes, ...]
    accelerator_heads: tuple[bytes, ...]
    accelerator_layout: FieldLayout
    bus: BusColumns
    minute_delay_ns: int  # from the end of a minute until its roll-ups may leave

    @property
    def lines(self) -> int:
        """Rows of its report."""
        return len(self.bus_heads) + len(self.accelerator_heads)

    def is_due(self, tick: int) -> bool:
        """True at this shard's report times."""
        return tick % self.period_ticks == self.phase_ticks

    def seq(self, tick: int) -> int:
        """Number of the report at this tick, from 0."""
        return tick // self.period_ticks

    def without(self, lost: BoolArray, owner: IntArray) -> "Shard":
        """The same shard without lost satellites.

        lost: (n,) over the fleet; owner: (m,) satellite of each accelerator.
        """
        rows_stay = ~lost[self.rows]
        accelerators_stay = ~lost[owner[self.accelerators]]
        return replace(
            self,
            rows=self.rows[rows_stay],
            accelerators=self.accelerators[accelerators_stay],
            bus_heads=tuple(compress(self.bus_heads, rows_stay)),
            accelerator_heads=tuple(compress(self.accelerator_heads, accelerators_stay)),
        )


def plan_shards(fleet: Fleet, step_s: float, first: int = 0) -> tuple[Shard, ...]:
    """Cut the fleet into shards of like satellites, in row order, numbered from `first` on.

    Like are those of the same report interval, vendor and set of channels.

    step_s: tick [s]; a report interval is rounded to whole ticks, at least one.
    """
    return tuple(
        shard_of(fleet, start, stop, number, step_s)
        for number, (start, stop) in enumerate(_runs(fleet), first)
    )


def shard_of(fleet: Fleet, start: int, stop: int, number: int, step_s: float) -> Shard:
    """Shard `number`: satellites `start` up to `stop`, which are alike."""
    period_ticks = max(1, round(float(fleet.report_interval_s[start]) / step_s))
    before = int(fleet.params.accel_count[:start].sum())
    count = int(fleet.params.accel_count[start:stop].sum())
    return Shard(
        name=f"s{number:04d}",
        rows=np.arange(start, stop),
        accelerators=np.arange(before, before + count),
        period_ticks=period_ticks,
        phase_ticks=number % period_ticks,
        bus_heads=tuple(_bus_head(fleet, row) for row in range(start, stop)),
        accelerator_heads=tuple(
            head for row in range(start, stop) for head in _accelerator_heads(fleet, row)
        ),
        accelerator_layout=FieldLayout.of(ACCEL_CHANNELS, fleet.vendors[start]),
        bus=_bus_columns()[_channel_set(fleet, start)],
        minute_delay_ns=_minute_delay_ns(number, period_ticks, step_s),
    )


def _minute_delay_ns(number: int, period_ticks: int, step_s: float) -> int:
    """Shards that report at the same ticks take turns with their roll-ups over a minute.

    All at once would be as much as three quarters of a report more in one second.
    """
    turns = 1 + int(MINUTES_SPREAD_S / step_s) // period_ticks
    turn = number // period_ticks % turns
    return round(turn * period_ticks * step_s * 1e9)


def encode_report(shard: Shard, seen: Snapshot, time_ns: int) -> bytes:
    """Line protocol of one shard's report: its satellites, then their accelerators."""
    return next(encode_reports([shard], seen, time_ns))


def encoder_for(shards: Sequence[Shard]) -> EncodeRows:
    """How to print the rows of these shards: compiled if there are many of them a tick.

    Both ways give the same bytes; the compiled one takes some seconds once on a machine.
    """
    rows = sum((len(one.rows) + len(one.accelerators)) / one.period_ticks for one in shards)
    if rows < COMPILED_FROM_ROWS:
        return encode_rows
    from twin.compiled.text import encode_rows_compiled

    layout = FieldLayout(("x",), ("y",), np.zeros(1, dtype=np.int64))
    encode_rows_compiled([b"m"], layout, np.zeros((1, 1)), np.zeros((1, 1), dtype=np.int64), 0)
    return encode_rows_compiled


def encode_reports(
    shards: Sequence[Shard],
    seen: Snapshot,
    time_ns: int,
    encode: EncodeRows = encode_rows,
    note: NoteValues = lambda _rows, _readings: None,
) -> Iterator[bytes]:
    """Line protocol of the reports of several shards at one tick, in order, as `encode_report`.

    Values are read of many shards at once, because a shard is too small for numpy. A satellite
    whose clock is off stamps its rows with its own time. `note` hears the satellites' values.
    """
    for group in _groups(shards):
        for shard, body in zip(group, _encoded(group, seen, time_ns, encode, note), strict=True):
            yield _with_own_clocks(shard, seen, time_ns, body)


def _groups(shards: Sequence[Shard]) -> Iterator[list[Shard]]:
    """Shards of about ROWS_AT_ONCE rows together: few calls, and arrays that a cache can hold."""
    group: list[Shard] = []
    rows = 0
    for shard in shards:
        group.append(shard)
        rows += len(shard.rows) + len(shard.accelerators)
        if rows >= ROWS_AT_ONCE:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _with_own_clocks(shard: Shard, seen: Snapshot, time_ns: int, body: bytes) -> bytes:
    offset_s = seen.broken.clock_offset_s
    if not offset_s[shard.rows].any():
        return body
    owner = accelerator_rows(seen.fleet.params.accel_count).owner
    sat = np.concatenate([shard.rows, owner[shard.accelerators]])
    stamps_ns = time_ns + np.round(offset_s[sat] * 1e9).astype(np.int64)
    lines = [
        b"%b %d\n" % (line.rpartition(b" ")[0], stamp_ns)
        for line, stamp_ns in zip(body.splitlines(), stamps_ns.tolist(), strict=True)
    ]
    return b"".join(lines)


def reporting(shard: Shard, seen: Snapshot) -> Shard:
    """The shard without satellites whose frames are lost, or that are not in service."""
    silent = seen.broken.frame_lost | ~seen.broken.in_service
    if not silent[shard.rows].any():
        return shard
    return shard.without(silent, accelerator_rows(seen.fleet.params.accel_count).owner)


def _encoded(
    shards: Sequence[Shard], seen: Snapshot, time_ns: int, encode: EncodeRows, note: NoteValues
) -> Iterator[bytes]:
    """The reports of some shards, their values read in one go."""
    if not any(one.rows.size for one in shards):
        yield from [b""] * len(shards)
        return
    seq = np.repeat([one.seq(seen.tick) for one in shards], [len(one.rows) for one in shards])
    rows = np.concatenate([one.rows for one in shards])
    readings = bus_readings(rows, seen, seq)
    note(rows, readings)
    tables: dict[int, tuple[FloatArray, IntArray]] = {}  # one for each set of channels
    accelerators = np.concatenate([one.accelerators for one in shards])
    if accelerators.size:
        part_floats, part_states = accelerator_telemetry(accelerators, seen)
    row = part = 0
    for one in shards:
        if id(one.bus) not in tables:
            tables[id(one.bus)] = in_wire_order(readings, one.bus.channels)
        floats, states = tables[id(one.bus)]
        mine = slice(row, row := row + len(one.rows))
        body = encode(one.bus_heads, one.bus.layout, floats[mine], states[mine], time_ns)
        if one.accelerators.size:
            mine = slice(part, part := part + len(one.accelerators))
            values = part_floats[mine], part_states[mine]
            body += encode(one.accelerator_heads, one.accelerator_layout, *values, time_ns)
        yield body


def _channel_set(fleet: Fleet, row: int) -> int:
    return 0 if fleet.channel_set_index is None else int(fleet.channel_set_index[row])


def shard_size(satellites_count: int) -> int:
    """How many satellites a shard holds, at most: of few small batches, of many large ones.

    What a batch costs the ingester whatever it holds (0.8 ms, docs/pipeline.md) is shared by its
    satellites. Small fleets keep small ones: more writers share the work, and less
    waits behind a batch that is sent again.
    """
    return min(LARGE_SHARD, max(SATELLITES_PER_SHARD, satellites_count // SHARDS_WANTED))


def _runs(fleet: Fleet) -> list[tuple[int, int]]:
    """Row ranges of like satellites, none above the shard limits."""
    runs: list[tuple[int, int]] = []
    start, lines, size = 0, 0, shard_size(fleet.count)
    for row in range(fleet.count):
        more = 1 + int(fleet.params.accel_count[row])
        unlike = (
            fleet.report_interval_s[row] != fleet.report_interval_s[start]
            or fleet.vendors[row] != fleet.vendors[start]
            or _channel_set(fleet, row) != _channel_set(fleet, start)
        )
        values = (row - start + 1) * len(CHANNEL_SETS[_channel_set(fleet, row)].channels)
        full = row - start >= size or lines + more > LINES_PER_SHARD or values > VALUES_PER_SHARD
        if row > start and (unlike or full):
            runs.append((start, row))
            start, lines = row, 0
        lines += more
    return [*runs, (start, fleet.count)] if fleet.count else []


def _bus_head(fleet: Fleet, row: int) -> bytes:
    tags = {"fleet": fleet.name, "plane": fleet.planes[row], "sat": fleet.satellite_ids[row]}
    return row_template(BUS_MEASUREMENT, tags)


def _accelerator_heads(fleet: Fleet, row: int) -> list[bytes]:
    tags = {"fleet": fleet.name, "plane": fleet.planes[row], "sat": fleet.satellite_ids[row]}
    head = row_template(ACCEL_MEASUREMENT, tags)
    return [head + b",accel=%d" % index for index in range(int(fleet.params.accel_count[row]))]
