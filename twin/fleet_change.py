"""A running fleet that satellites join and leave: who stays stays as it is, to the bit.

A satellite's noise, faults and orbit follow its name, not its row, so nothing of a satellite that
stays depends on who else is there, but for laser links to one that leaves: they are cut. Who joins
begins like the whole fleet at its epoch (twin/initial.py), at the instant of joining. Satellites
that stay keep their shard, and with it their report times; those that join make shards of their
own, after the last. One that left and comes back reports by the shard that it had.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import compress
from typing import Any, Final

import numpy as np
from sgp4.api import Satrec

from twin.checkpoint import accelerator_index
from twin.faults import FaultPlan, PlacedFault
from twin.fleet_build import FleetBuild
from twin.reports import Shard, plan_shards, shard_of
from twin.shards import take_fleet
from twin.state import BoolArray, Fleet, FleetParams, FleetState, IntArray
from twin.surroundings import Places, chosen_places

_ORBIT: Final = (
    *("ecco", "inclo", "nodeo", "argpo", "mo", "no_kozai", "bstar"),
    *("jdsatepoch", "jdsatepochF"),
)
"""What makes an SGP4 record the same orbit (sgp4 2.x, names of its C++ structure)."""
_LABELS: Final = {
    "satellite_names": "name",
    "planes": "plane",
    "presets": "preset",
    "accelerators": "accelerator",
    "report_interval_s": "report_interval_s",
    "channel_set_index": "channels",
    "tenant_share_frac": "tenants' shares",
}


class UnlikeError(ValueError):
    """A satellite that stays would not stay as it is; `satellite` names it."""

    def __init__(self, satellite: str, message: str) -> None:
        super().__init__(f"{satellite} {message}")
        self.satellite = satellite


@dataclass(frozen=True)
class FleetChange:
    """What a fleet becomes: those that stay first, in their order, then those that join."""

    build: FleetBuild
    before: IntArray  # (n,) row in the old fleet; -1 for those that join
    leaving: BoolArray  # (old n,)

    @property
    def joined(self) -> tuple[str, ...]:
        """Ids of those that join."""
        return tuple(compress(self.build.fleet.satellite_ids, self.before < 0))


def fleet_change(old: Fleet, old_places: Places, build: FleetBuild) -> FleetChange:
    """From a fleet to the one that was built anew. Raises UnlikeError."""
    found = build.fleet
    row_of = {name: row for row, name in enumerate(found.satellite_ids)}
    stays = np.array([row_of.get(name, -1) for name in old.satellite_ids], dtype=np.int64)
    kept = np.flatnonzero(stays >= 0)
    is_new = np.ones(found.count, dtype=np.bool_)
    is_new[stays[kept]] = False
    order = np.concatenate([stays[kept], np.flatnonzero(is_new)])
    fleet, places = take_fleet(found, order), chosen_places(build.places, order)
    before = np.concatenate([kept, np.full(int(is_new.sum()), -1, dtype=np.int64)])
    _refuse_unlike(old, fleet, kept)
    _refuse_other_places(old, old_places, places, kept)
    _refuse_other_links(old, fleet, kept)
    _refuse_other_jobs(old, fleet, kept)
    is_sites = bool(build.sites)
    new_build = replace(
        build,
        fleet=fleet,
        satrecs=() if is_sites else places,
        sites=tuple(places) if is_sites else (),
    )
    return FleetChange(new_build, before, stays < 0)


def _refuse_unlike(old: Fleet, new: Fleet, kept: IntArray) -> None:
    for name, label in _LABELS.items():
        mine, theirs = getattr(old, name), getattr(new, name)
        if mine is None and theirs is None:
            continue
        for place, row in enumerate(kept.tolist()):
            one = 0 if mine is None else mine[row]
            other = 0 if theirs is None else theirs[place]
            if not np.array_equal(one, other):
                raise UnlikeError(old.satellite_ids[row], f"would have another {label}")
    for one in fields(FleetParams):
        if one.name == "thermal_class":  # a number among the groups: what it stands for is compared
            continue
        mine, theirs = getattr(old.params, one.name)[kept], getattr(new.params, one.name)
        theirs = theirs[: kept.size]
        differs = ~np.isclose(mine, theirs, rtol=0.0, atol=0.0, equal_nan=True)
        if differs.any():
            row = int(kept[np.argwhere(differs)[0][0]])
            raise UnlikeError(old.satellite_ids[row], f"would have another {one.name}")


def _refuse_other_places(old: Fleet, old_places: Places, places: Places, kept: IntArray) -> None:
    mine, theirs = list(chosen_places(old_places, kept)), list(places)[: kept.size]
    for row, one, other in zip(kept.tolist(), mine, theirs, strict=True):
        if isinstance(one, Satrec) and isinstance(other, Satrec):
            same = all(getattr(one, name) == getattr(other, name) for name in _ORBIT)
        else:
            same = one == other
        if not same:
            raise UnlikeError(old.satellite_ids[row], "would have another orbit")


def _refuse_other_links(old: Fleet, new: Fleet, kept: IntArray) -> None:
    """The same neighbours, less those that leave."""
    place = np.full(old.count + 1, -1, dtype=np.int64)
    place[kept] = np.arange(kept.size)
    wanted = place[old.neighbour_index[kept]]
    differs = (wanted != new.neighbour_index[: kept.size]).any(axis=1)
    if differs.any():
        row = int(kept[np.flatnonzero(differs)[0]])
        raise UnlikeError(old.satellite_ids[row], "would have other neighbours")


def _refuse_other_jobs(old: Fleet, new: Fleet, kept: IntArray) -> None:
    """Jobs that several satellites share keep all their members."""
    mine, theirs = old.tenant_group_index, new.tenant_group_index
    if mine is None or theirs is None:
        return
    for tenant in range(mine.shape[1]):
        now, later = mine[kept, tenant], theirs[: kept.size, tenant]
        # Numbers of jobs change with the fleet; who is in them must not.
        whole = np.bincount(mine[:, tenant])[now] == np.bincount(theirs[:, tenant])[later]
        pairs = np.unique(np.column_stack([now, later]), axis=0)
        split = [np.unique(pairs[:, k], return_counts=True) for k in (0, 1)]
        alone = [
            np.isin(one, names[counts == 1])
            for one, (names, counts) in zip((now, later), split, strict=True)
        ]
        differs = ~(whole & alone[0] & alone[1])
        if differs.any():
            name = old.tenants.tenants[tenant].name
            row = int(kept[np.flatnonzero(differs)[0]])
            raise UnlikeError(old.satellite_ids[row], f"would share a job of {name} with others")


def homes_in(shards: tuple[Shard, ...], fleet: Fleet) -> dict[str, str]:
    """Satellite -> the shard that it reports by."""
    return {fleet.satellite_ids[row]: one.name for one in shards for row in one.rows.tolist()}


def changed_shards(
    shards: tuple[Shard, ...],
    old: Fleet,
    change: FleetChange,
    step_s: float,
    retired: Mapping[str, str],
) -> tuple[Shard, ...]:
    """The shards afterwards; emptied ones stay, so that no name is given twice.

    retired: shard that satellites had that left earlier. Raises UnlikeError where one comes back
    as something that its shard cannot report.
    """
    fleet = change.build.fleet
    owner = np.repeat(np.arange(old.count), old.params.accel_count)
    place = np.full(old.count, -1, dtype=np.int64)
    kept = change.before >= 0
    place[change.before[kept]] = np.flatnonzero(kept)
    found = []
    for shard in shards:
        left = shard.without(change.leaving, owner)
        rows = place[left.rows]
        accelerators = accelerator_index(fleet.params.accel_count, rows)
        found.append(replace(left, rows=rows, accelerators=accelerators))
    new_rows = np.flatnonzero(~kept)
    back = {row: retired.get(fleet.satellite_ids[row], "") for row in new_rows.tolist()}
    number = {shard.name: index for index, shard in enumerate(found)}
    for row, name in back.items():
        if name:
            found[number[name]] = _with(found[number[name]], fleet, row, step_s)
    fresh = np.array([row for row, name in back.items() if not name], dtype=np.int64)
    if fresh.size:
        for shard in plan_shards(take_fleet(fleet, fresh), step_s, len(found)):
            rows = fresh[shard.rows]
            accelerators = accelerator_index(fleet.params.accel_count, rows)
            found.append(replace(shard, rows=rows, accelerators=accelerators))
    return tuple(found)


def _with(shard: Shard, fleet: Fleet, row: int, step_s: float) -> Shard:
    """A shard with one more satellite, which it had before."""
    one = shard_of(fleet, row, row + 1, int(shard.name[1:]), step_s)
    for name in ("period_ticks", "bus", "accelerator_layout"):
        if repr(getattr(one, name)) != repr(getattr(shard, name)):
            raise UnlikeError(
                fleet.satellite_ids[row],
                f"flew in this run before and reported otherwise ({name}); "
                "it comes back as it was, or under another id",
            )
    return replace(
        shard,
        rows=np.append(shard.rows, row),
        accelerators=np.append(shard.accelerators, one.accelerators),
        bus_heads=(*shard.bus_heads, *one.bus_heads),
        accelerator_heads=(*shard.accelerator_heads, *one.accelerator_heads),
    )


def changed_state(
    state: FleetState, old: Fleet, fresh: FleetState, change: FleetChange
) -> FleetState:
    """The state of those that stay, and `fresh`, of the whole new fleet, for those that join."""
    fleet = change.build.fleet
    rows = np.flatnonzero(change.before >= 0)
    from_rows = change.before[rows]
    to_flat = accelerator_index(fleet.params.accel_count, rows)
    from_flat = accelerator_index(old.params.accel_count, from_rows)
    merged: dict[str, Any] = {}
    for one in fields(FleetState):
        values = np.array(getattr(fresh, one.name))
        is_flat = one.name.startswith("accel_")
        source = getattr(state, one.name)
        values[to_flat if is_flat else rows] = source[from_flat if is_flat else from_rows]
        merged[one.name] = values
    return FleetState(**merged)


def changed_faults(
    plan: FaultPlan, wanted: FaultPlan, change: FleetChange, elapsed_s: float
) -> FaultPlan:
    """The plan of faults afterwards.

    Those that stay keep their faults. Those that join have what the scenario plans on them
    (`wanted`, on the new fleet) where it is neither over nor was healed; commands of before were
    not for them.
    """
    fleet, kept = change.build.fleet, change.before >= 0
    place = np.full(plan.fleet.count, -1, dtype=np.int64)
    place[change.before[kept]] = np.flatnonzero(kept)
    placed = []
    for one in plan.placed:
        rows = place[one.rows]
        placed.append(PlacedFault(one.fault, rows[rows >= 0]))
    known = [one.fault for one in plan.placed]
    for one in wanted.placed:
        rows = one.rows[~kept[one.rows]]
        if rows.size and one.fault in known and one.fault.end_s > elapsed_s:
            placed.append(PlacedFault(one.fault, rows))
    return FaultPlan(fleet, plan.seed, tuple(placed))
