"""What a fleet reports at one instant of a drill: rows of the measurements that rules ask.

Twice: as the sensors have it (noise, wire resolution, frames that are lost), which is what the
rules see, and as perfect sensors would have it, from which the instant is taken at which a
condition is physically true.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from twin.channels import (
    BUS_CHANNELS,
    BUS_MEASUREMENT,
    FLEET_MEASUREMENT,
    PLANE_MEASUREMENT,
)
from twin.rollup_fields import PART
from twin.rollups import REPORTED, linked_parts, plane_groups, rollup_table
from twin.sensors import Snapshot, bus_values, reported
from twin.state import BoolArray, Fleet, FloatArray, IntArray

Columns = dict[str, FloatArray]
HEALTH_CHANNELS: Final = ("sat_health", "sat_warning_count", "sat_critical_count")
_DECIMALS: Final = {one.name: one.decimals for one in BUS_CHANNELS}
Fields = Mapping[str, tuple[str, ...]]
"""Fields by measurement."""


class Sample(NamedTuple):
    """One instant. Columns by measurement, in the order of the fleet, its planes, the fleet."""

    elapsed_s: float
    sends: BoolArray  # (n,) whose frames arrive
    contact: BoolArray  # (n,) a ground station is in view
    clock_offset_s: FloatArray  # (n,) on-board clocks ahead of UTC
    readings: Mapping[str, Columns]
    exact: Mapping[str, Columns]


class Sampler:
    """Takes samples of one fleet: the fields that somebody wants and no others."""

    def __init__(self, fleet: Fleet, wanted: Fields, wanted_exact: Fields) -> None:
        """wanted: of the readings; wanted_exact: of perfect sensors."""
        self._fleet, self._wanted = fleet, (wanted, wanted_exact)
        self._rows = np.arange(fleet.count)
        _, self._plane_of = plane_groups(fleet.planes)
        self._whole: IntArray = np.zeros(fleet.count, dtype=np.int64)
        self._links: tuple[bytes, FloatArray] = (b"", np.zeros(0))
        self._on_the_wire = wanted.get(BUS_MEASUREMENT, ())
        self._scale = np.array([[10.0 ** _DECIMALS[name]] for name in self._on_the_wire])
        # Health follows from all channels: asked for by rules and by the roll-ups of others.
        of_satellites = set(wanted_exact.get(BUS_MEASUREMENT, ()))
        others = wanted_exact.keys() & {PLANE_MEASUREMENT, FLEET_MEASUREMENT}
        self._judges_health = bool(others or of_satellites & set(HEALTH_CHANNELS))

    def sample(self, seen: Snapshot, elapsed_s: float, number: IntArray) -> Sample:
        """The rows of this instant; number: of each satellite's report since the epoch, (n,)."""
        values = bus_values(self._rows, seen, number)
        readings = reported(values, self._rows, seen)
        exact = values
        if seen.broken.sensors or self._judges_health:
            exact = reported(values, self._rows, seen, noise=False)
        if self._on_the_wire:
            raw = np.array([readings[name] for name in self._on_the_wire])
            rounded = np.round(raw * self._scale) / self._scale
            readings.update(zip(self._on_the_wire, rounded, strict=True))
        both = [
            self._chosen(columns, wanted, seen)
            for columns, wanted in zip((readings, exact), self._wanted, strict=True)
        ]
        broken = seen.broken
        sends = broken.in_service & ~broken.frame_lost
        contact = seen.state.ground_station_index >= 0
        return Sample(elapsed_s, sends, contact, broken.clock_offset_s, both[0], both[1])

    def _chosen(self, columns: Columns, wanted: Fields, seen: Snapshot) -> dict[str, Columns]:
        found = {BUS_MEASUREMENT: {name: columns[name] for name in wanted.get(BUS_MEASUREMENT, ())}}
        groups = {PLANE_MEASUREMENT: self._plane_of, FLEET_MEASUREMENT: self._whole}
        asked = {
            one: {name: REPORTED[name] for name in wanted[one]} for one in groups if wanted.get(one)
        }
        if asked:
            channels = {row[0] for fields in asked.values() for row in fields.values()}
            values = self._rollup_values(columns, seen, channels)
            for measurement, fields in asked.items():
                group = groups[measurement]
                table = rollup_table(values, group, int(group.max()) + 1, fields)
                scale = 10.0 ** np.array([row[2] for row in fields.values()])
                rounded = np.round(table * scale) / scale
                found[measurement] = {name: rounded[:, index] for index, name in enumerate(fields)}
        return found

    def _rollup_values(self, columns: Columns, seen: Snapshot, channels: set[str]) -> Columns:
        """What the wanted roll-ups are made of."""
        values = {name: columns[name] for name in channels - {PART}}
        if PART in channels:
            values[PART] = self._parts(seen.state.link_range_m)
        there = seen.broken.in_service
        if not there.all():
            for name in values.keys() - {"sat_service"}:
                values[name] = np.where(there, values[name], np.nan)
        return values

    def _parts(self, link_range_m: FloatArray) -> FloatArray:
        """Connected parts of the link graph, worked out again when a link comes or goes."""
        up = np.packbits(np.isfinite(link_range_m)).tobytes()
        if up != self._links[0]:
            fleet = self._fleet
            found = linked_parts(link_range_m, fleet.neighbour_index, fleet.params)
            self._links = (up, found)
        return self._links[1]
