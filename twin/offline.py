"""A run as pure physics: the fleet or a part of it, advanced tick by tick and looked at.

No reports, no wire: what is taken at an instant are the roll-ups of twin/rollups.py and the
channels of the satellites that are asked for, both by the same sensors as in a live run. Ticks
are numbered as there: tick 0 is the epoch, after one tick that lets loads and heat flow.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from twin.channels import BUS_CHANNELS
from twin.environment import EnvironmentSettings
from twin.errors import TwinError
from twin.faults import FaultPlan
from twin.rollup_fields import PART
from twin.rollups import (
    LAYOUT,
    TENANT_FIELDS,
    TENANT_LAYOUT,
    channel_columns,
    linked_parts,
    plane_groups,
    rollup_table,
    tenant_table,
)
from twin.sensors import Snapshot, bus_readings, in_wire_order, snapshot
from twin.shards import fleet_slice, halo_rows, part_bounds, take_fleet
from twin.state import BoolArray, Fleet, FloatArray, IntArray
from twin.step import initial_state, step
from twin.surroundings import Places, chosen_places, surroundings


class EmptyPartError(TwinError):
    """A part of a fleet in which there would be no satellite."""

    exit_code = 2


class Part(NamedTuple):
    """What one process simulates: a run of the fleet's satellites, and those it cannot be without.

    `rows` of the whole fleet, ascending; the process's own are rows begin to end of them.
    """

    fleet: Fleet
    places: Places
    rows: IntArray
    begin: int
    end: int


class View(NamedTuple):
    """Some of a part's own satellites at one instant."""

    seen: Snapshot
    rows: IntArray  # of the snapshot's fleet
    first: int  # number of the first among the part's own, which follow one another


class OfflineRun(Protocol):
    """A fleet in motion, by whichever engine."""

    @property
    def tick(self) -> int:
        """The last tick that was run; -1 before the epoch's."""

    def advance(self, ticks: int) -> None:
        """Run some ticks."""

    def views(self) -> Iterator[View]:
        """The part's own satellites after the last tick, in order."""

    def event_counts(self) -> IntArray:
        """Events so far of the part's own satellites by kind, corrected errors last, (8,)."""

    def failed(self) -> BoolArray:
        """True for own satellites that no longer propagate."""


class Observed(NamedTuple):
    """What is taken at one instant, rounded as in reports; nan where there is nothing."""

    fleet: FloatArray  # (fields,) in the order of rollups.FIELDS
    planes: FloatArray  # (planes, fields)
    tenants: FloatArray  # (tenants, 6) in the order of rollups.TENANT_FIELDS
    floats: FloatArray  # (satellites, f) of those asked for, in wire order
    states: IntArray  # (satellites, s)


def fleet_part_rows(fleet: Fleet, places: Places, index: int = 0, count: int = 1) -> Part:
    """Part `index` (from 0) of `count`: near-equal runs of satellites in the fleet's order.

    Raises EmptyPartError where there are fewer satellites than parts.
    """
    begin, end = part_bounds(fleet.count, index, count)
    if begin == end:
        raise EmptyPartError(f"part {index} of {count}: the fleet has {fleet.count} satellites")
    if count == 1:
        return Part(fleet, places, np.arange(fleet.count), 0, fleet.count)
    rows = halo_rows(fleet, np.arange(begin, end))
    own = int(np.searchsorted(rows, begin))
    records = chosen_places(places, rows)
    return Part(take_fleet(fleet, rows), records, rows, own, own + end - begin)


class NumpyRun:
    """The definition of the physics, tick by tick: twin/step.py."""

    def __init__(
        self,
        part: Part,
        epoch_unix_s: float,
        step_s: float,
        seed: int,
        settings: EnvironmentSettings,
        faults: FaultPlan,
    ) -> None:
        self._part, self._step_s, self._seed, self._faults = part, step_s, seed, faults
        self._model = surroundings(part.places, epoch_unix_s, settings)
        self._environment = self._model.at(0.0)
        self._state = initial_state(part.fleet, self._environment, seed)
        self.tick = -1

    def advance(self, ticks: int) -> None:
        """Run some ticks."""
        for _ in range(ticks):
            self.tick += 1
            elapsed_s = self.tick * self._step_s
            self._environment = self._model.at(elapsed_s)
            self._state = step(
                self._state,
                self._part.fleet,
                self._environment,
                self._step_s,
                elapsed_s,
                self._seed,
                self._faults.effects_at(elapsed_s),
            )

    def views(self) -> Iterator[View]:
        """All own satellites at once."""
        effects = self._faults.effects_at(self.tick * self._step_s)
        seen = snapshot(
            self._part.fleet, self._state, self._environment, self._seed, self.tick, effects
        )
        yield View(seen, np.arange(self._part.begin, self._part.end), 0)

    def event_counts(self) -> IntArray:
        """Events so far of own satellites by kind, corrected errors last, (8,)."""
        own = slice(self._part.begin, self._part.end)
        kinds = self._state.see_event_count[own].sum(axis=0)
        return np.append(kinds, self._state.cecc_event_count[own].sum())

    def failed(self) -> BoolArray:
        """True for own satellites that no longer propagate."""
        own = slice(self._part.begin, self._part.end)
        return self._model.failed(self.tick * self._step_s)[own]


class Observer:
    """Takes roll-ups and channels of a part's own satellites, view by view.

    Held for the whole part: the dozen channels that roll-ups are made of and the links' ranges.
    """

    def __init__(self, part: Part, wanted: IntArray) -> None:
        """`wanted`: numbers of own satellites whose channels are asked for, ascending."""
        own = slice(part.begin, part.end)
        self.planes, self._plane_of = plane_groups(part.fleet.planes[own])
        self._wanted, self._tenants_count = wanted, part.fleet.tenants.count
        self._count = part.end - part.begin
        self._fleet = fleet_slice(part.fleet, part.begin, part.end)
        # Of the links, those between own satellites: of the others one end is not known.
        ends = self._fleet.neighbour_index - part.begin
        inside = (self._fleet.neighbour_index >= part.begin) & (ends < self._count)
        self._neighbour = np.where(inside, ends, -1)

    def observe(self, run: OfflineRun, number: int) -> Observed:
        """What is to be taken now; `number` of the observation is that of the report."""
        values: dict[str, FloatArray] = {}
        range_m: FloatArray = np.full(self._neighbour.shape, np.nan)
        present = np.ones(self._count, dtype=np.bool_)
        tenants = np.zeros((self._tenants_count, len(TENANT_FIELDS)))
        taken = []
        for seen, rows, first in run.views():
            span = slice(first, first + rows.size)
            readings = bus_readings(rows, seen, seq=number)
            for name, column in channel_columns(rows, seen, readings).items():
                values.setdefault(name, np.empty(self._count))[span] = column
            range_m[span] = seen.state.link_range_m[rows]
            present[span] = seen.broken.in_service[rows]
            if self._tenants_count:
                tenants = tenant_table(seen, rows)
            chosen = self._wanted[(self._wanted >= first) & (self._wanted < span.stop)] - first
            some = {name: values[chosen] for name, values in readings.items()}
            taken.append(in_wire_order(some, BUS_CHANNELS))
        range_m[self._neighbour < 0] = np.nan
        parts = linked_parts(range_m, self._neighbour, self._fleet.params)
        values[PART] = np.where(present, parts, np.nan)
        whole = np.zeros(self._count, dtype=np.int64)
        planes = rollup_table(values, self._plane_of, len(self.planes))
        return Observed(
            rounded(rollup_table(values, whole, 1), LAYOUT.decimals)[0],
            rounded(planes, LAYOUT.decimals),
            rounded(tenants, TENANT_LAYOUT.decimals),
            np.concatenate([one for one, _ in taken]),
            np.concatenate([one for _, one in taken]),
        )


def rounded(values: FloatArray, decimals: IntArray) -> FloatArray:
    """Values at the resolution of their fields, as reports have them (twin/frames.py)."""
    scale = 10.0**decimals
    return np.asarray(np.round(values * scale) / scale)
