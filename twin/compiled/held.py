"""What a compiled fleet holds for its satellites: taken from a FleetState, and given as one.

Arrays by class inside, in the order of the roster outside. Of accelerators only those are held to
which something has happened.
"""

import math
from dataclasses import fields
from typing import Any, Final

import numpy as np

from twin import network, noise
from twin.compiled import classes as k
from twin.compiled import draws
from twin.compiled import rows as r
from twin.compiled.accelerators import COUNTS
from twin.compiled.almanac import static_sky
from twin.compiled.classes import Classes, class_table
from twin.compiled.coverage import check_weather
from twin.compiled.events import EventDesk
from twin.compiled.propagate import propagate
from twin.compiled.roster import Roster
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
from twin.upsets import UECC, accelerator_rows

_NODES: Final = len(THERMAL_NODES)
_KINDS: Final = len(SEE_KINDS)
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

    Rows are in the order of the roster outside and by class inside. Raises NotCompiledError
    for what the kernels do not have: the Sun at its maximum, solar particle events and storms.
    """

    def __init__(
        self,
        who: Roster,
        epoch_unix_s: float,
        step_s: float,
        seed: int,
        settings: EnvironmentSettings | None = None,
    ) -> None:
        order = np.argsort(who.classes.of_row, kind="stable")
        self._order: IntArray = order
        self._place = np.argsort(order, kind="stable")  # where each row of the roster is inside
        self._of_row = who.classes.of_row[order]
        self._classes = Classes(who.classes.params, self._of_row)
        self._elements = np.ascontiguousarray(who.elements[:, order])
        self._keys = who.keys[order]
        self.count = order.size
        self.step_s, self.seed, self.epoch_unix_s = step_s, seed, epoch_unix_s
        self.settings = settings or EnvironmentSettings()
        check_weather(self.settings)
        vendors = who.vendors
        if len(set(vendors)) > 1:
            vendors = tuple(vendors[row] for row in order.tolist())
        self._desk = EventDesk(self._classes, self._keys, vendors, seed, step_s)
        self._table = class_table(who.classes.params, step_s)
        total = len(who.classes.params.mass_kg)
        self._bounds = np.searchsorted(self._of_row, np.arange(total + 1))
        self._s = np.zeros((r.ROWS, self.count))
        self._knots: dict[int, FloatArray] = {}
        self._spare: tuple[int, FloatArray, int] | None = None
        self._codes = np.zeros(self.count, dtype=np.int64)
        self._sky = static_sky(self.settings)
        self._stream = np.uint64(noise.stream_key(seed, "cecc"))
        self._found = np.zeros(self.count, dtype=np.int64)
        self._kept: dict[str, Any] = {}
        self._seen: tuple[float, FloatArray] | None = None
        self._begun_s = 0.0
        self.tick = self._begun_tick = 0

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays that are held for the satellites."""
        knots = sum(one.nbytes for one in self._knots.values())
        spare = self._spare[1].nbytes if self._spare else 0
        arrays = (self._s, self._elements, self._keys, self._of_row, self._order, self._place)
        return knots + spare + sum(one.nbytes for one in (*arrays, self._codes, self._found))

    def load(self, state: FleetState, tick: int, rows: IntArray | None = None) -> None:
        """Take the state after a tick; `rows` (m,) of the roster, all of them by default.

        A state with outages or counts of accelerators cannot be loaded in parts.
        """
        at = self._place if rows is None else self._place[rows]
        s = self._s
        if state.accel_down_s.any() or any(getattr(state, name).any() for name in COUNTS):
            raise ValueError("a compiled fleet starts from a state without accelerator events")
        for name, row in r.STATE_ROWS.items():
            s[row, at] = getattr(state, name)
        s[r.TEMPERATURE : r.TEMPERATURE + _NODES, at] = state.node_temp_k.T
        s[r.THRESHOLD : r.THRESHOLD + _KINDS, at] = state.see_threshold_count.T
        s[r.COUNT : r.COUNT + _KINDS, at] = state.see_event_count.T
        s[r.REVERSAL :, at] = state.cycle_reversal_frac.T
        s[r.PHASE, at] = (self._keys[at] >> np.uint64(11)).astype(np.float64) * 2.0**-53
        s[r.UP_COUNT, at] = self._table.constants[self._of_row[at], k.ACCEL_COUNT]
        self._load_fluences(state, at)
        count = self._classes.params.accel_count[self._of_row[at]]
        if state.accel_energy_j.size:  # nothing has happened yet: a satellite's are alike
            first = np.minimum(np.cumsum(count) - count, state.accel_energy_j.size - 1)
            s[r.UNIT_ENERGY, at] = state.accel_energy_j[first]
        self._keep(state, at)
        draws.set_all_due(s, self._of_row, self._table.constants)
        self.tick = self._begun_tick = tick

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
            if not np.array_equal(kept[at], given):
                kept = kept.copy()
                kept[at] = given
            self._kept[one.name] = kept

    def motion(self, elapsed_s: float, rows: IntArray | None = None) -> Motion:
        """Place and speed (m, 3) of these rows of the roster at an instant, all by default.

        [s after the epoch]; as in twin/orbit.py, but for the compiled SGP4 at the knots.
        """
        at = self._place if rows is None else self._place[rows]
        index = math.floor(elapsed_s / KNOT_INTERVAL_S)
        begin, end = self._knot(index), self._knot(index + 1)
        weights = hermite_weights((elapsed_s - index * KNOT_INTERVAL_S) / KNOT_INTERVAL_S)
        out = []
        for four in (weights[:4], weights[4:]):
            curve = begin[:3, at] * four[0]
            curve += end[:3, at] * four[1]
            curve += begin[3:, at] * four[2]
            curve += end[3:, at] * four[3]
            out.append(curve.T)
        return Motion(*out)

    def event_counts(self, rows: IntArray | None = None) -> IntArray:
        """Events so far by kind, (7,), and corrected errors last: (8,), of these rows."""
        at = self._place if rows is None else self._place[rows]
        counts = [*range(r.COUNT, r.COUNT + _KINDS), r.CECC_COUNT]
        return np.array([self._s[row, at].sum() for row in counts], dtype=np.int64)

    def loaded_links(self) -> tuple[int, FloatArray]:
        """The tick whose state was loaded, and link_acquire_s (n, 4) in it."""
        return self._begun_tick, np.array(self._kept["link_acquire_s"][self._place])

    def _exposed_at(self, tick: IntArray | int) -> Any:
        """Time since the epoch during which accelerators could fail [s]."""
        return self._begun_s + (tick - self._begun_tick) * self.step_s

    def _load_fluences(self, state: FleetState, at: IntArray) -> None:
        rates = self._table.constants[self._of_row[at], k.RATES : k.RATES + _KINDS]
        per = np.where(rates > 0.0, state.see_hazard_count / np.maximum(rates, 1e-300), 0.0)
        self._s[r.FLUENCE, at], self._s[r.MEMORY_FLUENCE, at] = per[:, 0], per[:, UECC]
        # A product of the tick, never a running sum, so that every path agrees.
        self._begun_s = float(per[:, _KINDS - 1].max(initial=0.0))

    def state(
        self, fleet: Fleet, environment: Environment, rows: IntArray | None = None
    ) -> FleetState:
        """The state after the last tick of these rows of the roster, all by default.

        `fleet` and `environment` are of the same satellites, in that order, and the links of
        `fleet` go to rows of the roster; links and contacts are computed from them, as nothing in
        the plant depends on which link or station it is. Arrays of its own.
        """
        place = self._place if rows is None else self._place[rows]
        s = self._s[:, place]
        values: dict[str, Any] = {name: s[row] for name, row in r.STATE_ROWS.items()}
        values["mode"] = values["mode"].astype(np.int64)
        for name in ("cecc_event_count", "job_kill_count"):
            values[name] = values[name].astype(np.int64)
        values["node_temp_k"] = s[r.TEMPERATURE : r.TEMPERATURE + _NODES].T.copy()
        values["see_hazard_count"] = self._hazard(place, self._exposed_at(self.tick))
        values["see_threshold_count"] = s[r.THRESHOLD : r.THRESHOLD + _KINDS].T.copy()
        values["see_event_count"] = s[r.COUNT : r.COUNT + _KINDS].T.astype(np.int64)
        values["cycle_reversal_frac"] = s[r.REVERSAL :].T.copy()
        contact = network.ground_contact(environment, fleet.params)
        values["ground_station_index"] = contact.station_index
        values["ground_range_m"] = contact.range_m
        values["link_range_m"] = network.link_range_m(
            environment.position_teme_m,
            fleet.neighbour_index,
            fleet.params,
            None if rows is None else self._positions(environment.elapsed_s),
        )
        values |= self._accelerators(fleet, place, values["cecc_event_count"])
        values |= {name: kept[place] for name, kept in self._kept.items()}
        return FleetState(**values)

    def _positions(self, elapsed_s: float) -> FloatArray:
        if self._seen is None or self._seen[0] != elapsed_s:
            self._seen = (elapsed_s, self.motion(elapsed_s).position_teme_m)
        return self._seen[1]

    def _accelerators(self, fleet: Fleet, place: IntArray, corrected: IntArray) -> dict[str, Any]:
        rows = accelerator_rows(fleet.params.accel_count)
        energy_j = self._s[r.UNIT_ENERGY, place][rows.owner]
        values: dict[str, Any] = {
            name: np.zeros(rows.owner.size, dtype=np.int64) for name in COUNTS
        }
        down_s = np.zeros(rows.owner.size)
        touched = np.fromiter(self._desk.touched, dtype=np.int64)
        _, outside, which = np.intersect1d(place, touched, return_indices=True)
        for index, row in zip(outside.tolist(), touched[which].tolist(), strict=True):
            one = self._desk.touched[row]
            span = slice(int(rows.first[index]), int(rows.first[index + 1]))
            down_s[span] = one.down_at(self.tick, self.step_s)
            energy = float(self._s[r.UNIT_ENERGY, row])
            energy_j[span] = one.energy_j(self.tick, self.step_s, energy)
            for name in COUNTS:
                values[name][span] = one.counts[name]
        errors = np.zeros(rows.owner.size, dtype=np.int64)
        owner = np.repeat(np.arange(place.size), corrected)
        number = np.arange(owner.size) - np.repeat(np.cumsum(corrected) - corrected, corrected)
        draw = noise.uniform(self.seed, "cecc_target", fleet.satellite_key[owner], number)
        at = rows.first[owner] + (draw * fleet.params.accel_count[owner]).astype(np.int64)
        np.add.at(errors, at, 1)
        return {
            "accel_down_s": down_s,
            "accel_energy_j": energy_j,
            "accel_cecc_count": errors,
            **values,
        }

    def _hazard(self, at: IntArray, exposed_s: float) -> FloatArray:
        rates = self._table.constants[self._of_row[at], k.RATES : k.RATES + _KINDS]
        fluence = np.repeat(self._s[r.FLUENCE, at][:, np.newaxis], _KINDS, axis=1)
        fluence[:, UECC] = self._s[r.MEMORY_FLUENCE, at]
        fluence[:, _KINDS - 2 :] = exposed_s
        return np.asarray(rates * fluence)

    def _knot(self, index: int) -> FloatArray:
        if index not in self._knots:
            motion, first = np.empty((6, self.count)), 0
            if self._spare is not None and self._spare[0] == index:
                _, motion, first = self._spare
                self._spare = None
            self._propagate(motion, index, first, self.count)
            self._knots = {i: one for i, one in self._knots.items() if abs(i - index) <= 1}
            self._knots[index] = motion
        return self._knots[index]

    def _propagate(self, motion: FloatArray, index: int, first: int, last: int) -> None:
        if last > first:
            minutes = index * KNOT_INTERVAL_S / 60.0
            propagate(self._elements, minutes, first, last, motion, self._codes)
