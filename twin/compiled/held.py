"""What a compiled fleet holds for its satellites: taken from a FleetState, and given as one.

In tiles of one class inside, in the order of the roster outside. Of accelerators only those are
held to which something has happened.
"""

import math
from dataclasses import fields
from typing import Any, Final

import numpy as np

from twin import network, noise
from twin.compiled import classes as k
from twin.compiled import draws
from twin.compiled import rows as r
from twin.compiled.almanac import static_tables
from twin.compiled.classes import Classes, class_table
from twin.compiled.coverage import check_weather
from twin.compiled.events import EventDesk
from twin.compiled.propagate import propagate_tiles
from twin.compiled.roster import Roster
from twin.compiled.tiles import Tiles, put
from twin.environment import EnvironmentSettings
from twin.orbit import KNOT_INTERVAL_S, Motion, hermite_weights
from twin.state import (
    SEE_KINDS,
    THERMAL_NODES,
    Environment,
    Fleet,
    FleetState,
    FloatArray,
    IntArray,
)
from twin.upsets import UECC

_NODES: Final = len(THERMAL_NODES)
_KINDS: Final = len(SEE_KINDS)
_REVERSALS: Final = (r.THRESHOLD - r.REVERSAL) // r.TILE
_COMPUTED: Final = frozenset(
    {
        "node_temp_k",
        "see_hazard_count",
        "see_threshold_count",
        "see_event_count",
        "cycle_reversal_frac",
        "ground_station_index",
        "ground_range_m",
        "link_range_m",
        *(one.name for one in fields(FleetState) if one.name.startswith("accel_")),
    }
)
"""Fields that `state` makes; the others are rows of their own or stay as they were loaded."""


class HeldFleet:
    """State of n satellites between two ticks, and SGP4's knots around it.

    Rows are in the order of the roster outside and in tiles of one class inside. Raises
    NotCompiledError for what the kernels do not have: the Sun at its maximum, solar particle
    events and storms.
    """

    def __init__(
        self,
        who: Roster,
        epoch_unix_s: float,
        step_s: float,
        seed: int,
        settings: EnvironmentSettings | None = None,
    ) -> None:
        self.count = who.classes.of_row.size
        self.step_s, self.seed, self.epoch_unix_s = step_s, seed, epoch_unix_s
        self.settings = settings or EnvironmentSettings()
        check_weather(self.settings)
        self._classes = Classes(who.classes.params, who.classes.of_row)
        self._tiles = tiles = Tiles(who.classes.of_row)
        self._elements = tiles.spread(who.elements)
        self._keys = tiles.spread(who.keys[np.newaxis])[:, 0]
        self._table = class_table(who.classes.params, step_s)
        self._desk = EventDesk(tiles, who.vendors, self._table.constants, seed)
        self._s = np.zeros((tiles.count, r.ROWS * r.TILE))
        self._knots: dict[int, FloatArray] = {}
        self._spare: tuple[int, FloatArray, int] | None = None
        self._codes = np.zeros((tiles.count, r.TILE), dtype=np.int8)
        self._due = np.zeros((tiles.count, r.TILE), dtype=np.int8)
        self._sky = static_tables(self.settings)
        self._stream = np.uint64(noise.stream_key(seed, "cecc"))
        self._kept: dict[str, Any] = {}
        self._seen: tuple[float, FloatArray] | None = None
        self._begun_s = 0.0
        self.tick = self._begun_tick = 0

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays that are held for the satellites."""
        knots = sum(one.nbytes for one in self._knots.values())
        spare = self._spare[1].nbytes if self._spare else 0
        arrays = (self._s, self._elements, self._keys, self._classes.of_row, self._codes, self._due)
        total = knots + spare + self._tiles.nbytes + self._desk.nbytes
        return total + sum(one.nbytes for one in arrays)

    def load(self, state: FleetState, tick: int, rows: IntArray | None = None) -> None:
        """Take the state after a tick; `rows` (m,) of the roster, all of them by default.

        Outages, errors and energies of its accelerators along with it: a run goes on from any
        checkpoint. Parts of one state must be of one tick.
        """
        at = np.arange(self.count) if rows is None else rows
        of_row = self._classes.of_row[at]
        for name, row in r.STATE_ROWS.items():
            self._put(row, at, getattr(state, name))
        for node in range(_NODES):
            self._put(r.DIE + node * r.TILE, at, state.node_temp_k[:, node])
        for kind in range(_KINDS):
            self._put(r.THRESHOLD + kind * r.TILE, at, state.see_threshold_count[:, kind])
            self._put(r.COUNT + kind * r.TILE, at, state.see_event_count[:, kind])
        for newest in range(_REVERSALS):
            self._put(r.REVERSAL + newest * r.TILE, at, state.cycle_reversal_frac[:, newest])
        keys = self._keys.ravel()[self._tiles.slot[at]]
        self._put(r.PHASE, at, (keys >> np.uint64(11)).astype(np.float64) * 2.0**-53)
        self._put(r.UP_COUNT, at, self._table.constants[of_row, k.ACCEL_COUNT])
        self._put(r.PLANNED, at, np.full(at.size, np.inf))
        self._load_fluences(state, at, tick)
        sound_j = self._desk.load(self._s, at, state, tick, self.step_s)
        self._put(r.UNIT_ENERGY, at, sound_j)
        self._keep(state, at)
        draws.set_all_due(
            self._s, self._tiles.slot[at], self._tiles.class_of, self._table.constants
        )
        self._tiles.fill_up(self._s)
        self.tick = self._begun_tick = tick

    def _put(self, row: int, at: IntArray, values: Any) -> None:
        flat = np.ascontiguousarray(values, dtype=np.float64)
        put(self._s, row, self._tiles.slot[at], flat)

    def _get(self, row: int, at: IntArray) -> FloatArray:
        slot = self._tiles.slot[at]
        found: FloatArray = self._s[slot // r.TILE, row + slot % r.TILE]
        return found

    def _keep(self, state: FleetState, at: IntArray) -> None:
        """What no kernel changes; a value that all satellites share is held once."""
        for one in fields(FleetState):
            if one.name in _COMPUTED or one.name in r.STATE_ROWS:
                continue
            given = getattr(state, one.name)
            kept = self._kept.get(one.name)
            if kept is None:
                first = given[:1] if at.size else np.zeros((1, *given.shape[1:]), given.dtype)
                kept = np.broadcast_to(first, (self.count, *given.shape[1:]))
            there = kept[:1] if kept.strides[0] == 0 else kept[at]  # one value that all share
            if not (there == given).all():
                kept = kept.copy()
                kept[at] = given
            self._kept[one.name] = kept

    def motion(self, elapsed_s: float, rows: IntArray | None = None) -> Motion:
        """Place and speed (m, 3) of these rows of the roster at an instant, all by default.

        [s after the epoch]; as in twin/orbit.py, but for the compiled SGP4 at the knots.
        """
        slot = self._tiles.slot if rows is None else self._tiles.slot[rows]
        tile, lane = slot // r.TILE, slot % r.TILE
        index = math.floor(elapsed_s / KNOT_INTERVAL_S)
        begin, end = self._knot(index), self._knot(index + 1)
        weights = hermite_weights((elapsed_s - index * KNOT_INTERVAL_S) / KNOT_INTERVAL_S)
        out = []
        for four in (weights[:4], weights[4:]):
            curve = begin[tile, :3, lane] * four[0]
            curve += end[tile, :3, lane] * four[1]
            curve += begin[tile, 3:, lane] * four[2]
            curve += end[tile, 3:, lane] * four[3]
            out.append(curve)
        return Motion(*out)

    def event_counts(self, rows: IntArray | None = None) -> IntArray:
        """Events so far by kind, (7,), and corrected errors last: (8,), of these rows."""
        at = np.arange(self.count) if rows is None else rows
        counts = [*(r.COUNT + kind * r.TILE for kind in range(_KINDS)), r.CECC_COUNT]
        return np.array([self._get(row, at).sum() for row in counts], dtype=np.int64)

    def loaded_links(self) -> tuple[int, FloatArray]:
        """The tick whose state was loaded, and link_acquire_s (n, 4) in it."""
        return self._begun_tick, np.array(self._kept["link_acquire_s"])

    def _exposed_at(self, tick: IntArray | int) -> Any:
        """Time since the epoch during which accelerators could fail [s]."""
        return self._begun_s + (tick - self._begun_tick) * self.step_s

    def _load_fluences(self, state: FleetState, at: IntArray, tick: int) -> None:
        rates = self._table.constants[self._classes.of_row[at], k.RATES : k.RATES + _KINDS]
        per = np.where(rates > 0.0, state.see_hazard_count / np.maximum(rates, 1e-300), 0.0)
        self._put(r.FLUENCE, at, per[:, 0])
        self._put(r.MEMORY_FLUENCE, at, per[:, UECC])
        # A product of the tick, never a running sum, so that every path agrees.
        exposed_s = float(per[:, _KINDS - 2 :].max(initial=0.0))
        self._begun_s = max(exposed_s, self._begun_s if tick == self.tick else 0.0)

    def state(
        self, fleet: Fleet, environment: Environment, rows: IntArray | None = None
    ) -> FleetState:
        """The state after the last tick of these rows of the roster, all by default.

        `fleet` and `environment` are of the same satellites, in that order, and the links of
        `fleet` go to rows of the roster; links and contacts are computed from them, as nothing in
        the plant depends on which link or station it is. Arrays of its own.
        """
        at = np.arange(self.count) if rows is None else rows
        s = self._tiles.gathered(self._s, at)  # (ROWS, m)
        values: dict[str, Any] = {name: s[row // r.TILE] for name, row in r.STATE_ROWS.items()}
        values["mode"] = values["mode"].astype(np.int64)
        for name in ("cecc_event_count", "job_kill_count"):
            values[name] = values[name].astype(np.int64)
        values["node_temp_k"] = _columns(s, r.DIE, _NODES)
        values["see_hazard_count"] = self._hazard(at, self._exposed_at(self.tick))
        values["see_threshold_count"] = _columns(s, r.THRESHOLD, _KINDS)
        values["see_event_count"] = _columns(s, r.COUNT, _KINDS).astype(np.int64)
        values["cycle_reversal_frac"] = _columns(s, r.REVERSAL, _REVERSALS)
        contact = network.ground_contact(environment, fleet.params)
        values["ground_station_index"] = contact.station_index
        values["ground_range_m"] = contact.range_m
        values["link_range_m"] = network.link_range_m(
            environment.position_teme_m,
            fleet.neighbour_index,
            fleet.params,
            None if rows is None else self._positions(environment.elapsed_s),
        )
        values |= self._desk.accelerators(
            fleet,
            at,
            s[r.UNIT_ENERGY // r.TILE],
            values["cecc_event_count"],
            self.tick,
            self.step_s,
        )
        values |= {name: kept[at] for name, kept in self._kept.items()}
        return FleetState(**values)

    def _positions(self, elapsed_s: float) -> FloatArray:
        if self._seen is None or self._seen[0] != elapsed_s:
            self._seen = (elapsed_s, self.motion(elapsed_s).position_teme_m)
        return self._seen[1]

    def _hazard(self, at: IntArray, exposed_s: Any) -> FloatArray:
        rates = self._table.constants[self._classes.of_row[at], k.RATES : k.RATES + _KINDS]
        fluence = np.repeat(self._get(r.FLUENCE, at)[:, np.newaxis], _KINDS, axis=1)
        fluence[:, UECC] = self._get(r.MEMORY_FLUENCE, at)
        fluence[:, _KINDS - 2 :] = exposed_s
        return np.asarray(rates * fluence)

    def _knot(self, index: int) -> FloatArray:
        if index not in self._knots:
            motion, first = self._room(), 0
            if self._spare is not None and self._spare[0] == index:
                _, motion, first = self._spare
                self._spare = None
            self._propagate(motion, index, first, self._tiles.count)
            self._knots = {i: one for i, one in self._knots.items() if abs(i - index) <= 1}
            self._knots[index] = motion
        return self._knots[index]

    def _room(self) -> FloatArray:
        return np.empty((self._tiles.count, 6, r.TILE))

    def _propagate(self, motion: FloatArray, index: int, first: int, last: int) -> None:
        if last > first:
            minutes = index * KNOT_INTERVAL_S / 60.0
            propagate_tiles(self._elements, minutes, first, last, motion, self._codes)


def _columns(s: FloatArray, row: int, count: int) -> FloatArray:
    first = row // r.TILE
    return np.ascontiguousarray(s[first : first + count].T)
