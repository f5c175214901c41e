"""A fleet whose ticks are compiled: the same physics as twin/step.py, many ticks in a call.

Held per satellite: about 0.9 kB (83 float64 rows, elements, three knots), accelerators only
where something has happened. Faults are not in the kernels: a run under faults steps by numpy.
"""

import math
from dataclasses import fields
from typing import Any, Final

import numba
import numpy as np

from twin import network, noise
from twin.compiled import classes as k
from twin.compiled import draws
from twin.compiled import rows as r
from twin.compiled.accelerators import COUNTS
from twin.compiled.almanac import static_sky, tick_table
from twin.compiled.classes import Classes, class_table
from twin.compiled.events import EventDesk
from twin.compiled.propagate import propagate
from twin.compiled.roster import Roster
from twin.compiled.ticks import run
from twin.environment import EnvironmentSettings
from twin.orbit import KNOT_INTERVAL_S
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
THREADS_FROM_COUNT: Final = 20_000
_TICKS_LIMIT: Final = 600  # in one call; keeps the table of ticks small


class CompiledFleet:
    """State of n satellites, advanced by compiled ticks of one length.

    Rows are in the order of the roster outside and by class inside. Raises ValueError for what
    the kernels do not have: the Sun at its maximum, solar particle events and storms.
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
        self._of_row = who.classes.of_row[order]
        self._classes = Classes(who.classes.params, self._of_row)
        self._elements = np.ascontiguousarray(who.elements[:, order])
        self._keys = who.keys[order]
        self.count = order.size
        self.step_s, self.seed, self.epoch_unix_s = step_s, seed, epoch_unix_s
        self.settings = settings or EnvironmentSettings()
        weather = self.settings.space_weather
        if weather.events or weather.solar_cycle != "min":
            raise ValueError("space weather beyond a quiet Sun is not in the compiled tick")
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
        self._begun_s = 0.0
        self.tick = self._begun_tick = 0

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays that are held for the satellites."""
        knots = sum(one.nbytes for one in self._knots.values())
        spare = self._spare[1].nbytes if self._spare else 0
        arrays = (self._s, self._elements, self._keys, self._of_row, self._order)
        return knots + spare + sum(one.nbytes for one in (*arrays, self._codes, self._found))

    def load(self, state: FleetState, tick: int, rows: IntArray | None = None) -> None:
        """Take the state after a tick; `rows` (m,) of the roster, all of them by default.

        A state with outages or counts of accelerators cannot be loaded in parts.
        """
        place = np.empty(self.count, dtype=np.int64)
        place[self._order] = np.arange(self.count)
        at = place if rows is None else place[rows]
        s = self._s
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
        if rows is None:
            known = {*r.STATE_ROWS}
            self._kept = {
                one.name: getattr(state, one.name)
                for one in fields(FleetState)
                if one.name not in known
            }
        if state.accel_down_s.any() or any(getattr(state, name).any() for name in COUNTS):
            raise ValueError("a compiled fleet starts from a state without accelerator events")
        draws.set_all_due(s, self._of_row, self._table.constants)
        self.tick = self._begun_tick = tick

    def _exposed_at(self, tick: IntArray | int) -> Any:
        """Time since the epoch during which accelerators could fail [s]."""
        return self._begun_s + (tick - self._begun_tick) * self.step_s

    def _load_fluences(self, state: FleetState, at: IntArray) -> None:
        rates = self._table.constants[self._of_row[at], k.RATES : k.RATES + _KINDS]
        per = np.where(rates > 0.0, state.see_hazard_count / np.maximum(rates, 1e-300), 0.0)
        self._s[r.FLUENCE, at], self._s[r.MEMORY_FLUENCE, at] = per[:, 0], per[:, UECC]
        # A product of the tick, never a running sum, so that every path agrees.
        self._begun_s = float(per[:, _KINDS - 1].max(initial=0.0))

    def advance(self, ticks: int) -> None:
        """Run some ticks."""
        last = self.tick + ticks
        before = numba.get_num_threads()
        # Below this, waking threads costs more than their share of the work; bits are the same.
        if self.count < THREADS_FROM_COUNT:
            numba.set_num_threads(1)
        try:
            while self.tick < last:
                self._run_interval(last)
        finally:
            numba.set_num_threads(before)

    def state(self, fleet: Fleet, environment: Environment) -> FleetState:
        """The state after the last tick, in the order of the roster; arrays of its own.

        `fleet` and `environment` are of the same satellites; links and contacts are computed from
        them, as nothing in the plant depends on which link or station it is.
        """
        place = np.empty(self.count, dtype=np.int64)
        place[self._order] = np.arange(self.count)
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
            environment.position_teme_m, fleet.neighbour_index, fleet.params
        )
        values |= self._accelerators(fleet, place, values["cecc_event_count"])
        missing = {one.name for one in fields(FleetState)} - values.keys()
        values |= {name: self._kept[name] for name in missing}
        return FleetState(**values)

    def _accelerators(self, fleet: Fleet, place: IntArray, corrected: IntArray) -> dict[str, Any]:
        rows = accelerator_rows(fleet.params.accel_count)
        energy_j = self._s[r.UNIT_ENERGY, place][rows.owner]
        values: dict[str, Any] = {
            name: np.zeros(rows.owner.size, dtype=np.int64) for name in COUNTS
        }
        down_s = np.zeros(rows.owner.size)
        for row, one in self._desk.touched.items():
            outside = int(self._order[row])
            span = slice(int(rows.first[outside]), int(rows.first[outside + 1]))
            down_s[span] = one.down_at(self.tick, self.step_s)
            energy = float(self._s[r.UNIT_ENERGY, row])
            energy_j[span] = one.energy_j(self.tick, self.step_s, energy)
            for name in COUNTS:
                values[name][span] = one.counts[name]
        errors = np.zeros(rows.owner.size, dtype=np.int64)
        owner = np.repeat(np.arange(self.count), corrected)
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

    def _run_interval(self, last: int) -> None:
        """Ticks up to `last` that lie between the same two knots."""
        first, step_s = self.tick + 1, self.step_s
        index = math.floor(first * step_s / KNOT_INTERVAL_S)
        inside = first
        while inside - first < _TICKS_LIMIT and inside < last:
            if math.floor((inside + 1) * step_s / KNOT_INTERVAL_S) != index:
                break
            inside += 1
        begin, end = self._knot(index), self._knot(index + 1)
        ticks = np.arange(first, inside + 1)
        exposed_s = self._exposed_at(ticks)
        elapsed_s: FloatArray = np.asarray(ticks * step_s, dtype=np.float64)
        table = tick_table(elapsed_s, exposed_s, index, self.epoch_unix_s, self.settings)
        done = 0
        while done < len(table):
            planned = self._desk.next_tick()
            stop = planned == first + done
            limit = len(table)
            if planned is not None and not stop:
                limit = min(limit, planned - first)
            done = self._run_ticks(begin, end, table, (done, limit), stop)
        self._prefetch(index + 2, inside - first + 1)
        self.tick = inside

    def _run_ticks(
        self,
        begin: FloatArray,
        end: FloatArray,
        table: FloatArray,
        span: tuple[int, int],
        stop: bool,
    ) -> int:
        reached, found = self._go(begin, end, table, span, False, stop)
        if reached == span[1]:
            return reached
        self._events(self.tick + 1 + reached, table[reached], found)
        self._go(begin, end, table, (reached, reached + 1), True, False)
        return reached + 1

    def _go(
        self,
        begin: FloatArray,
        end: FloatArray,
        table: FloatArray,
        span: tuple[int, int],
        resume: bool,
        stop: bool,
    ) -> tuple[int, int]:
        reached, found = run(
            self._s,
            begin,
            end,
            self._bounds,
            self._table.constants,
            self._table.matrices,
            table,
            *span,
            resume,
            stop,
            self._sky,
            self.step_s,
            self._of_row,
            self._keys,
            self._stream,
            self._found,
        )
        return int(reached), int(found)

    def _events(self, tick: int, now: FloatArray, found: int) -> None:
        due = self._found[:found].copy()
        hazard_count = self._hazard(due, float(now[r.EXPOSED]))
        self._desk.handle(self._s, due, hazard_count, tick, float(now[r.ELAPSED]))
        for row in due.tolist():
            draws.set_due(self._s, row, self._table.constants[self._of_row[row]])

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

    def _prefetch(self, index: int, ticks: int) -> None:
        """A share of the next knot, so that no tick waits for all of it."""
        if self._spare is None or self._spare[0] != index:
            self._spare = (index, np.empty((6, self.count)), 0)
        _, motion, first = self._spare
        share = math.ceil(self.count * ticks * self.step_s / KNOT_INTERVAL_S)
        last = min(first + share, self.count)
        self._propagate(motion, index, first, last)
        self._spare = (index, motion, last)
