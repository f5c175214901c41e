"""Reports: who reports when, and what one shard's batch says.

A shard is a run of neighbouring satellites that report together. Shards of a slow fleet take
turns over the report interval, so that 10,000 satellites every 10 s are a steady stream and
not a burst. A satellite's report times are `phase + k * period` ticks: a pure function of the
fleet, so every process knows them.
"""

from dataclasses import dataclass, replace
from itertools import compress

import numpy as np

from twin.channels import ACCEL_CHANNELS, ACCEL_MEASUREMENT, BUS_CHANNELS, BUS_MEASUREMENT
from twin.frames import FieldLayout, encode_rows, row_template
from twin.sensors import Snapshot, accelerator_telemetry, bus_telemetry
from twin.state import BoolArray, Fleet, IntArray
from twin.upsets import accelerator_rows

SATELLITES_PER_SHARD = 128
LINES_PER_SHARD = 640  # keeps a batch below about 400 kB, well under every broker's limit
BUS_LAYOUT = FieldLayout.of(BUS_CHANNELS)


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


def plan_shards(fleet: Fleet, step_s: float) -> tuple[Shard, ...]:
    """Cut the fleet into shards of like satellites (report interval, vendor), in row order.

    step_s: tick [s]; a report interval is rounded to whole ticks, at least one.
    """
    first_accelerator = np.concatenate([[0], np.cumsum(fleet.params.accel_count)])
    shards: list[Shard] = []
    for start, stop in _runs(fleet):
        period_ticks = max(1, round(float(fleet.report_interval_s[start]) / step_s))
        rows = np.arange(start, stop)
        accelerators = np.arange(first_accelerator[start], first_accelerator[stop])
        shards.append(
            Shard(
                name=f"s{len(shards):04d}",
                rows=rows,
                accelerators=accelerators,
                period_ticks=period_ticks,
                phase_ticks=len(shards) % period_ticks,
                bus_heads=tuple(_bus_head(fleet, row) for row in range(start, stop)),
                accelerator_heads=tuple(
                    head for row in range(start, stop) for head in _accelerator_heads(fleet, row)
                ),
                accelerator_layout=FieldLayout.of(ACCEL_CHANNELS, fleet.vendors[start]),
            )
        )
    return tuple(shards)


def encode_report(shard: Shard, seen: Snapshot, time_ns: int) -> bytes:
    """Line protocol of one shard's report: its satellites, then their accelerators.

    A satellite whose clock is off stamps its rows with its own time.
    """
    body = _encoded(shard, seen, time_ns)
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


def _encoded(shard: Shard, seen: Snapshot, time_ns: int) -> bytes:
    if not shard.rows.size:
        return b""
    bus = bus_telemetry(shard.rows, seen, shard.seq(seen.tick))
    body = encode_rows(shard.bus_heads, BUS_LAYOUT, *bus, time_ns)
    if not shard.accelerators.size:
        return body
    values = accelerator_telemetry(shard.accelerators, seen)
    return body + encode_rows(shard.accelerator_heads, shard.accelerator_layout, *values, time_ns)


def _runs(fleet: Fleet) -> list[tuple[int, int]]:
    """Row ranges of like satellites, none above the shard limits."""
    runs: list[tuple[int, int]] = []
    start, lines = 0, 0
    for row in range(fleet.count):
        more = 1 + int(fleet.params.accel_count[row])
        unlike = (
            fleet.report_interval_s[row] != fleet.report_interval_s[start]
            or fleet.vendors[row] != fleet.vendors[start]
        )
        full = row - start >= SATELLITES_PER_SHARD or lines + more > LINES_PER_SHARD
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
