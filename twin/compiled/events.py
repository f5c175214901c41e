"""Events of a compiled fleet: whose satellites, and the records of what came of them."""

import math
from typing import Any, Final

import numpy as np

from twin.compiled import accelerators as units
from twin.compiled import classes, upsets
from twin.compiled.rows import TILE
from twin.compiled.tiles import Tiles
from twin.noise import stream_key, uniform
from twin.state import Fleet, FleetState, FloatArray, IntArray, KeyArray
from twin.upsets import XID_VENDOR, accelerator_rows

COUNTS: Final = {
    "accel_uecc_count": units.UECC_COUNT,
    "accel_sdc_count": units.SDC_COUNT,
    "accel_sdc_pending_count": units.PENDING,
    "accel_xid": units.XID,
}
"""Fields of FleetState, (m,) over accelerators, and where a record has them."""
_STREAMS: Final = ("see", "see_target", "see_outcome")


class EventDesk:
    """Draws the events of satellites at which tiles stopped, and keeps their accelerators.

    An accelerator costs memory (80 bytes) only once something has happened to it.
    """

    def __init__(self, tiles: Tiles, vendors: Any, constants: FloatArray, seed: int) -> None:
        self._tiles, self._constants, self._seed = tiles, constants, seed
        coded = map(XID_VENDOR.__eq__, vendors)
        self._coded = np.fromiter(coded, dtype=np.bool_, count=len(vendors))
        self._streams = np.array([stream_key(seed, one) for one in _STREAMS], dtype=np.uint64)
        self._head = np.full(tiles.slot.size, units.NONE, dtype=np.int32)
        self._whole = np.zeros((0, 7), dtype=np.int64)
        self._other = np.zeros((0, 3))
        self._used = np.zeros(1, dtype=np.int64)
        self._most = int(constants[:, classes.ACCEL_COUNT].max(initial=0.0))

    @property
    def nbytes(self) -> int:
        """Bytes held for satellites and accelerators."""
        return self._coded.nbytes + self._head.nbytes + self._whole.nbytes + self._other.nbytes

    def load(
        self, s: FloatArray, at: IntArray, state: FleetState, tick: int, step_s: float
    ) -> FloatArray:
        """Take the accelerators of satellites `at` (n,) as they are after a tick.

        Their arrays in `s` are the caller's to set before, but for the accelerators in service and
        the tick of the next look. Returns the energy of a sound accelerator of each [J], (n,).
        An outage counts as begun at this tick: what it spared before is in the energies.
        """
        named = ("accel_energy_j", "accel_down_s", *COUNTS)
        if not any(getattr(state, name).any() for name in named):  # as at the epoch
            self._head[at] = units.NONE
            return np.zeros(at.size)
        count = self._constants[self._tiles.class_of[self._tiles.slot[at] // TILE]]
        rows = accelerator_rows(count[:, classes.ACCEL_COUNT].astype(np.int64))
        sound_j = np.zeros(at.size)
        np.maximum.at(sound_j, rows.owner, state.accel_energy_j)
        missed_j = sound_j[rows.owner] - state.accel_energy_j
        happened = (state.accel_down_s > 0.0) | (missed_j > 0.0)
        for name in COUNTS:
            happened |= getattr(state, name) > 0
        unit = np.flatnonzero(happened)
        owner = rows.owner[unit]
        self._head[at] = units.NONE
        begin = int(self._used[0])
        self._make_room(math.ceil(unit.size / max(self._most, 1)))
        mine = slice(begin, begin + unit.size)
        self._used[0] = mine.stop
        number = np.arange(mine.start, mine.stop)
        # Of a satellite's records each points to the one before it, the head to the last.
        first = np.diff(owner, prepend=-1) != 0
        self._whole[mine, units.NEXT] = np.where(first, units.NONE, number - 1)
        self._head[at[owner]] = number
        self._whole[mine, units.INDEX] = unit - rows.first[owner]
        self._whole[mine, units.AT_TICK] = tick
        for name, column in COUNTS.items():
            self._whole[mine, column] = getattr(state, name)[unit]
        self._other[mine, units.DOWN_S] = state.accel_down_s[unit]
        self._other[mine, units.BEGUN_J] = sound_j[owner]
        self._other[mine, units.MISSED_J] = missed_j[unit]
        concerned = np.unique(at[owner])
        upsets.look_again(
            s,
            self._tiles.slot[concerned],
            concerned,
            self._tiles.class_of,
            self._constants,
            tick,
            step_s,
            self._head,
            self._whole,
            self._other,
        )
        return sound_j

    def handle(
        self,
        s: FloatArray,
        tile: IntArray,
        lane: IntArray,
        now: FloatArray,
        keys: KeyArray,
        step_s: float,
    ) -> None:
        """Events of satellites (d,), each at its own row (d, columns) of the table of ticks."""
        rows = self._tiles.row_of[tile, lane]
        self._make_room(rows.size)
        upsets.upset(
            s,
            tile * self._tiles.row_of.shape[1] + lane,
            rows,
            now,
            self._tiles.class_of,
            self._constants,
            keys,
            self._coded[rows],
            self._streams,
            step_s,
            self._head,
            self._whole,
            self._other,
            self._used,
        )

    def _make_room(self, looks: int) -> None:
        # A satellite has at most one record per accelerator.
        need = int(self._used[0]) + looks * self._most
        if need > len(self._whole):
            size = max(need, 2 * len(self._whole))
            whole, other = np.zeros((size, 7), dtype=np.int64), np.zeros((size, 3))
            whole[: len(self._whole)], other[: len(self._other)] = self._whole, self._other
            self._whole, self._other = whole, other

    def accelerators(
        self,
        fleet: Fleet,
        at: IntArray,
        unit_energy_j: FloatArray,
        corrected: IntArray,
        tick: int,
        step_s: float,
    ) -> dict[str, Any]:
        """Fields of FleetState over accelerators, (m,), after a tick, of satellites `at` (n,).

        `at`: rows of the roster; fleet, unit_energy_j and corrected are of the same satellites.
        """
        rows = accelerator_rows(fleet.params.accel_count)
        energy_j, down_s = unit_energy_j[rows.owner], np.zeros(rows.owner.size)
        used = int(self._used[0])
        owner = units.owners(self._head[at], self._whole[:used])
        known = np.flatnonzero(owner >= 0)
        whole, other = self._whole[known], self._other[known]
        index = rows.first[owner[known]] + whole[:, units.INDEX]
        left_s = units.outages_s(whole, other, tick, step_s)
        down_s[index] = left_s
        since_j = np.where(left_s > 0.0, energy_j[index] - other[:, units.BEGUN_J], 0.0)
        energy_j[index] -= other[:, units.MISSED_J] + since_j
        values: dict[str, Any] = {"accel_down_s": down_s, "accel_energy_j": energy_j}
        for name, column in COUNTS.items():
            values[name] = np.zeros(rows.owner.size, dtype=np.int64)
            values[name][index] = whole[:, column]
        values["accel_cecc_count"] = self._corrected(fleet, corrected)
        return values

    def _corrected(self, fleet: Fleet, corrected: IntArray) -> IntArray:
        rows = accelerator_rows(fleet.params.accel_count)
        errors = np.zeros(rows.owner.size, dtype=np.int64)
        owner = np.repeat(np.arange(fleet.count), corrected)
        number = np.arange(owner.size) - np.repeat(np.cumsum(corrected) - corrected, corrected)
        draw = uniform(self._seed, "cecc_target", fleet.satellite_key[owner], number)
        at = rows.first[owner] + (draw * fleet.params.accel_count[owner]).astype(np.int64)
        np.add.at(errors, at, 1)
        return errors
