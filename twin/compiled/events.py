"""Consequences of events in a compiled fleet: the numpy path's own code on the few concerned."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np

from twin import radiation
from twin.compiled import rows as r
from twin.compiled.accelerators import COUNTS, Touched
from twin.compiled.classes import Classes
from twin.state import SEE_KINDS, Fleet, FleetState, FloatArray, IntArray, KeyArray
from twin.upsets import CANARY_INTERVAL_S, with_canaries, with_upsets

_CHANGED: Final = {
    "host_down_s": r.HOST_DOWN,
    "delivered_s": r.DELIVERED,
    "lost_s": r.LOST,
    "at_risk_s": r.AT_RISK,
    "checkpoint_age_s": r.AGE,
    "utilisation_frac": r.UTILISATION,
}
"""Fields that events read or change, and their rows."""


@dataclass
class EventDesk:
    """Draws events for some satellites of a fleet and remembers what comes of them."""

    classes: Classes
    keys: KeyArray
    vendors: Sequence[str]  # (n,) or one for all
    seed: int
    step_s: float

    def __post_init__(self) -> None:
        self.touched: dict[int, Touched] = {}
        self._calendar: dict[int, set[int]] = {}

    def next_tick(self) -> int | None:
        """The next tick at which a satellite must be looked at though no event is due."""
        return min(self._calendar) if self._calendar else None

    def handle(
        self, s: FloatArray, due: IntArray, hazard_count: FloatArray, tick: int, elapsed_s: float
    ) -> None:
        """Events of a tick: rows (d,) with due ones and their hazards (d, 7); then what is planned.

        `s` (ROWS, n) is changed in place.
        """
        planned = self._calendar.pop(tick, set())
        rows = np.union1d(due, np.array(sorted(planned), dtype=np.int64))
        if not rows.size:
            return
        full = np.zeros((rows.size, len(SEE_KINDS)))
        full[np.searchsorted(rows, due)] = hazard_count
        fleet = self._fleet(rows)
        state = self._state(s, rows, fleet, tick, full)
        events = self._drawn(state, fleet)
        after = replace(
            state,
            see_threshold_count=events.threshold_count,
            see_event_count=events.event_count,
        )
        after = with_upsets(after, events.new_event_count, fleet, self.seed)
        phase = s[r.PHASE, rows]
        after = with_canaries(after, fleet, phase, elapsed_s, self.step_s)
        self._store(s, rows, after, tick, elapsed_s)

    def _drawn(self, state: FleetState, fleet: Fleet) -> radiation.Hazard:
        before = radiation.Hazard(
            state.see_hazard_count,
            state.see_threshold_count,
            state.see_event_count,
            state.see_event_count,
        )
        none = np.zeros_like(state.see_hazard_count)
        return radiation.advance_hazard(before, none, 0.0, self.seed, fleet.satellite_key)

    def _fleet(self, rows: IntArray) -> Fleet:
        params = self.classes.params.take(self.classes.of_row[rows])
        count = rows.size
        names = ("",) * count
        vendors = tuple(self.vendors[row] for row in rows.tolist())
        return Fleet(
            name="",
            satellite_ids=names,
            satellite_names=names,
            planes=names,
            presets=names,
            accelerators=names,
            vendors=vendors,
            report_interval_s=np.ones(count),
            neighbour_index=np.full((count, 4), -1, dtype=np.int64),
            satellite_key=self.keys[rows],
            params=params,
        )

    def _state(
        self, s: FloatArray, rows: IntArray, fleet: Fleet, tick: int, hazard: FloatArray
    ) -> FleetState:
        empty: Any = np.zeros(0)
        values: dict[str, Any] = {one.name: empty for one in fields(FleetState)}
        values |= {name: s[row, rows] for name, row in _CHANGED.items()}
        kinds = slice(r.COUNT, r.COUNT + len(SEE_KINDS))
        values["job_kill_count"] = s[r.KILLS, rows].astype(np.int64)
        values["see_event_count"] = s[kinds, rows].T.astype(np.int64)
        values["see_threshold_count"] = s[r.THRESHOLD : r.COUNT, rows].T.copy()
        # Nothing is due where only something planned is: the threshold is then out of reach.
        values["see_hazard_count"] = hazard
        counts = fleet.params.accel_count.tolist()
        parts = []
        for row, count in zip(rows.tolist(), counts, strict=True):
            one = self.touched.get(row) or Touched.fresh(count)
            one.settle(tick, self.step_s, float(s[r.UNIT_ENERGY, row]))
            parts.append(one)
        values["accel_down_s"] = np.concatenate([one.down_at(tick, self.step_s) for one in parts])
        for name in COUNTS:
            values[name] = np.concatenate([one.counts[name] for one in parts])
        return FleetState(**values)

    def _store(
        self, s: FloatArray, rows: IntArray, after: FleetState, tick: int, elapsed_s: float
    ) -> None:
        for name, row in _CHANGED.items():
            s[row, rows] = getattr(after, name)
        s[r.KILLS, rows] = after.job_kill_count
        s[r.THRESHOLD : r.COUNT, rows] = after.see_threshold_count.T
        s[r.COUNT : r.COUNT + len(SEE_KINDS), rows] = after.see_event_count.T
        counts = self.classes.params.accel_count[self.classes.of_row[rows]].tolist()
        begin = 0
        for row, count in zip(rows.tolist(), counts, strict=True):
            span = slice(begin, begin + count)
            begin += count
            self._store_one(s, row, count, after, span, tick, elapsed_s)

    def _store_one(
        self,
        s: FloatArray,
        row: int,
        count: int,
        after: FleetState,
        span: slice,
        tick: int,
        elapsed_s: float,
    ) -> None:
        one = self.touched.get(row)
        if one is None:
            one = self.touched[row] = Touched.fresh(count)
        energy_j = float(s[r.UNIT_ENERGY, row])
        one.fall(tick, after.accel_down_s[span], self.step_s, energy_j)
        for name in COUNTS:
            one.counts[name] = getattr(after, name)[span].copy()
        s[r.UP_COUNT, row] = count - int((one.down_at(tick, self.step_s) > 0.0).sum())
        change = one.next_change(tick, self.step_s)
        if change is not None:
            self._plan(change, row)
        if one.counts["accel_sdc_pending_count"].any():
            self._plan(self._canary_tick(float(s[r.PHASE, row]), tick, elapsed_s), row)

    def _plan(self, tick: int, row: int) -> None:
        self._calendar.setdefault(tick, set()).add(row)

    def _canary_tick(self, phase: float, tick: int, elapsed_s: float) -> int:
        # The first tick after this one that twin/upsets.py finds due.
        ahead = np.arange(1, int(CANARY_INTERVAL_S / self.step_s) + 3)
        turn = (tick + ahead) * self.step_s
        turn = (turn + (elapsed_s - tick * self.step_s)) / CANARY_INTERVAL_S + phase
        due = np.floor(turn) > np.floor(turn - self.step_s / CANARY_INTERVAL_S)
        return tick + int(ahead[np.flatnonzero(due)[0]])
