"""A fleet in parts: which satellites a process simulates, and the neighbours it must know.

The virtual shards are the report shards of the whole fleet (twin/reports.py): a pure function of
the fleet, whatever the number of processes. Process k of n takes a run of them, and beside them
the halo: satellites of other processes that its own are linked to, needed for the geometry.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from twin.reports import Shard
from twin.state import Fleet, FleetParams, IntArray


@dataclass(frozen=True)
class FleetPart:
    """What one process of several simulates."""

    rows: IntArray  # of the whole fleet, ascending: own satellites and halo
    own: IntArray  # positions in `rows` of the satellites that are this process's to report
    fleet: Fleet
    shards: tuple[Shard, ...]  # of its own satellites, rows as in `fleet`


def part_bounds(total: int, index: int, count: int) -> tuple[int, int]:
    """First and one past the last item of part `index` of `count` near-equal parts."""
    return index * total // count, (index + 1) * total // count


def fleet_part(fleet: Fleet, shards: tuple[Shard, ...], index: int, count: int) -> FleetPart:
    """Part `index` (from 0) of `count` of a fleet whose report shards are `shards`.

    Raises ValueError where a part would be empty: fewer shards than processes.
    """
    if not 0 <= index < count <= len(shards):
        raise ValueError(f"part {index} of {count}: this fleet has {len(shards)} shards to share")
    begin, end = part_bounds(len(shards), index, count)
    mine = shards[begin:end]
    own_rows = np.concatenate([shard.rows for shard in mine])
    rows = halo_rows(fleet, own_rows)
    first = np.cumsum(fleet.params.accel_count) - fleet.params.accel_count
    part = take_fleet(fleet, rows)
    part_first = np.cumsum(part.params.accel_count) - part.params.accel_count
    moved = []
    for shard in mine:
        place = np.searchsorted(rows, shard.rows)
        shift = part_first[place[0]] - first[shard.rows[0]] if place.size else 0
        moved.append(replace(shard, rows=place, accelerators=shard.accelerators + shift))
    return FleetPart(rows, np.searchsorted(rows, np.sort(own_rows)), part, tuple(moved))


def take_fleet(fleet: Fleet, rows: IntArray) -> Fleet:
    """The same satellites in another order or number; links to left-out satellites are cut."""
    place = np.full(fleet.count + 1, -1, dtype=np.int64)
    place[rows] = np.arange(rows.size)
    chosen: dict[str, Any] = {}
    for one in fields(Fleet):
        value = getattr(fleet, one.name)
        if isinstance(value, tuple):
            chosen[one.name] = tuple(value[row] for row in rows.tolist())
        elif isinstance(value, np.ndarray):
            chosen[one.name] = value[rows]
    chosen["neighbour_index"] = place[fleet.neighbour_index[rows]]
    chosen["params"] = fleet.params.take(rows)
    return replace(fleet, **chosen)


def fleet_slice(fleet: Fleet, begin: int, end: int) -> Fleet:
    """Satellites `begin` up to `end` as views of the arrays: no parameter is copied.

    Links keep the rows of the whole fleet, also to satellites outside the slice.
    """
    span = slice(begin, end)
    cut: dict[str, Any] = {
        one.name: value[span]
        for one in fields(Fleet)
        if isinstance(value := getattr(fleet, one.name), tuple | np.ndarray)
    }
    params = {one.name: getattr(fleet.params, one.name)[span] for one in fields(FleetParams)}
    return replace(fleet, **cut, params=FleetParams(**params))


def halo_rows(fleet: Fleet, own_rows: IntArray) -> IntArray:
    """Own satellites and those that they cannot be simulated without, ascending rows.

    Neighbours that they are linked to, and all members of the tenants' groups they belong to: a
    job is one, so whoever simulates a member simulates them all, and gets the same bytes.
    """
    linked = fleet.neighbour_index[own_rows]
    rows = np.union1d(own_rows, linked[linked >= 0])
    if fleet.tenant_group_index is not None:
        for group in fleet.tenant_group_index.T:
            rows = np.union1d(rows, np.flatnonzero(np.isin(group, group[own_rows])))
    return rows
