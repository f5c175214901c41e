"""Grafana's alert states on arrays: what every rule says of every series, tick by tick.

Semantics of Grafana 12.4 (`GRAFANA_12`), read in its source (pkg/services/ngalert/state:
state.go, manager.go; schedule/loaded_metrics_reader.go); `GRAFANA_9` leaves out what 9.4 lacks.

- A rule's query returns only series in breach, or not yet back beyond the clearing threshold;
  reduce `last` with mode dropNN, then threshold: in breach Alerting, else Normal.
- Normal to Pending at the first breach (`for` > 0), to Alerting when now - since >= `for`.
- Alerting to Recovering at the first Normal result (keep firing > 0), to Normal after that time; a
  breach meanwhile is Alerting again at once (12.4).
- Between the thresholds a series that is Pending or Alerting, without a reason, stays a breach
  (12.4: recovery threshold; 9.4 has none).
- No series at all is one NoData result. Where that counts as OK or Alerting it goes to every series
  the rule knows (12.4), else to a series of its own without labels.
- A series that is missing for two evaluations or more (12.4: `missing_series_evals_to_resolve`)
  ends as Normal (MissingSeries) and is forgotten.
- An error of the query is Error on the series of its own; the others go missing.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np

from twin.alert_arrays import Judge, Verdict
from twin.alert_conditions import OPS_MEASUREMENT
from twin.alert_history import History
from twin.alert_rule import INTERVAL_S, Rule, Scope
from twin.alert_series import (
    ALERTING,
    ERROR,
    GRAFANA_9,
    GRAFANA_12,
    NORMAL,
    PENDING,
    REASONS,
    RECOVERING,
    STATES,
    Breach,
    RuleState,
    Semantics,
    Series,
    Transition,
)
from twin.state import BoolArray, FloatArray, IntArray

__all__ = [
    "GRAFANA_9",
    "GRAFANA_12",
    "STATES",
    "Evaluator",
    "RuleState",
    "Semantics",
    "Series",
    "Transition",
]

_NONE, _NO_DATA, _ERROR, _MISSING = range(4)  # places in REASONS
_FIRING: Final = (ALERTING, RECOVERING)  # what a notification calls firing


class _Track:
    """One rule's states, (n + 1,): its series and, last, the one without labels."""

    def __init__(self, rule: Rule, count: int) -> None:
        self.rule = rule
        self.state = np.zeros(count + 1, dtype=np.int64)
        self.reason = np.zeros(count + 1, dtype=np.int64)
        self.known = np.zeros(count + 1, dtype=np.bool_)
        self.since_s = np.full(count + 1, np.nan)
        self.seen_s = np.full(count + 1, -np.inf)
        self.value = np.full(count, np.nan)
        self.present = np.zeros(count, dtype=np.bool_)  # in the answer of the rule's query
        self.busy = False  # some state is not Normal

    @property
    def count(self) -> int:
        return self.value.size

    def grow(self, count: int) -> None:
        """Room for more series; the one without labels stays last."""
        old = self.count
        fresh = _Track(self.rule, count)
        for name in ("state", "reason", "known", "since_s", "seen_s"):
            ours, new = getattr(self, name), getattr(fresh, name)
            new[:old], new[-1] = ours[:old], ours[-1]
            setattr(self, name, new)
        self.value = np.append(self.value, np.full(count - old, np.nan))
        self.present = np.append(self.present, np.zeros(count - old, dtype=np.bool_))


class Evaluator:
    """All rules over a fleet; pure: the same calls give the same transitions.

        evaluator = Evaluator(Series(fleet.name, fleet.satellite_ids, fleet.planes))
        evaluator.observe(time_s, {"sat_state": {"eps_soc_pct": soc_pct, ...}, ...})
        for change in evaluator.evaluate(time_s): ...

    Times are seconds on any one scale. Evaluate every `interval_s`, as Grafana's scheduler does.
    """

    def __init__(
        self,
        series: Series,
        rules: Sequence[Rule],
        interval_s: float = INTERVAL_S,
        semantics: Semantics = GRAFANA_12,
    ) -> None:
        self.series, self.rules = series, tuple(rules)
        self._interval_s, self._semantics = interval_s, semantics
        counts = series.counts
        self._history = History([rule.condition for rule in rules], counts)
        self._judges = {rule.name: Judge(rule.condition, self._history) for rule in rules}
        self._tracks = {
            rule.name: _Track(rule, counts[rule.condition.measurement]) for rule in rules
        }

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """What `observe` wants: fields by measurement; others cost nothing and are ignored."""
        return self._history.fields

    @property
    def nbytes(self) -> int:
        """Bytes of history; it does not grow."""
        return self._history.nbytes

    def observe(
        self,
        time_s: float,
        columns: Mapping[str, Mapping[str, FloatArray]],
        rows: Mapping[str, IntArray] | None = None,
    ) -> None:
        """Take what was measured at time_s: measurement -> field -> (n,) or (r,); nan is nothing.

        rows: which series of a measurement the columns are of; all of them where it is not named.
        Reports may come late and in any order of time.
        """
        for measurement, fields in columns.items():
            chosen = None if rows is None else rows.get(measurement)
            self._history.observe(time_s, measurement, fields, chosen)

    def evaluate(self, time_s: float, errors: Collection[str] = ()) -> list[Transition]:
        """One tick of every rule; the changes in the order of rules and series.

        errors: names of rules whose query failed this time (a live evaluator of a store's answers).
        """
        changes: list[Transition] = []
        for track in self._tracks.values():
            if track.rule.name in errors:
                found = self._failed(track, time_s)
            else:
                found = self._ticked(track, self._judges[track.rule.name](time_s), time_s)
            changes += found
        return changes

    def state(self, rule_name: str) -> RuleState:
        """One rule's states. Raises KeyError for a rule that is not evaluated."""
        track = self._tracks[rule_name]
        rows = slice(0, track.count)
        return RuleState(track.state[rows].copy(), track.since_s[rows].copy(), track.value.copy())

    def breaches(self, scope: Scope) -> list[Breach]:
        """Rules of a scope with series in breach, or not back beyond the clearing threshold.

        At the last evaluation; these are what the rule's query returns to Grafana.
        """
        found = []
        for track in self._tracks.values():
            if track.rule.scope == scope and track.present.any():
                rows = np.flatnonzero(track.present)
                found.append(Breach(track.rule, rows, track.value[rows]))
        return found

    def firing(self) -> list[Transition]:
        """Every alert that is firing now, as the change that would lead to it."""
        return [
            self._transition(track, row, int(track.state[row]), float(track.since_s[row]))
            for track in self._tracks.values()
            for row in np.flatnonzero(_is_in(track.state, *_FIRING)).tolist()
        ]

    def add_services(self, services: Sequence[tuple[str, str]]) -> None:
        """Processes that were not known before, behind those that are."""
        new = [one for one in services if one not in self.series.services]
        if not new:
            return
        self.series.services = (*self.series.services, *dict.fromkeys(new))
        count = len(self.series.services)
        self._history.grow(OPS_MEASUREMENT, count)
        for track in self._tracks.values():
            if track.rule.condition.measurement == OPS_MEASUREMENT:
                track.grow(count)

    def add_satellites(self, satellite_ids: Sequence[str], planes: Sequence[str]) -> None:
        """Satellites that are not among those known, and their planes, behind those that are."""
        self.series.add_satellites(satellite_ids, planes)
        counts = self.series.counts
        for measurement, count in counts.items():
            self._history.grow(measurement, count)
        for track in self._tracks.values():
            track.grow(counts[track.rule.condition.measurement])

    def _ticked(self, track: _Track, found: Verdict, time_s: float) -> list[Transition]:
        track.value, track.present = found.value, found.present
        if track.rule.no_data == "ok" and not track.busy and found.is_empty:
            return []  # nobody was in breach and nobody is: the usual case
        before = track.state.copy()
        rows = np.flatnonzero(found.present)
        if rows.size:
            self._results(track, rows, found, time_s)
        else:
            self._no_data(track, time_s)
        self._forget(track, time_s)
        return self._changes(track, before, time_s)

    def _results(self, track: _Track, rows: IntArray, found: Verdict, time_s: float) -> None:
        state, fires = track.state[rows], found.fires[rows]
        if self._semantics.recovers:
            loaded = _is_in(state, ALERTING, PENDING) & (track.reason[rows] == _NONE)
            fires = fires | (loaded & found.stays[rows])
        self._alerting(track, rows[fires], time_s, _NONE)
        self._normal(track, rows[~fires], time_s, _NONE)

    def _no_data(self, track: _Track, time_s: float) -> None:
        rows = np.array([track.count])
        if self._semantics.no_data_to_all and track.known.any():
            rows = np.flatnonzero(track.known)
        if track.rule.no_data == "ok":
            self._normal(track, rows, time_s, _NO_DATA)
        else:
            self._alerting(track, rows, time_s, _NO_DATA)

    def _failed(self, track: _Track, time_s: float) -> list[Transition]:
        before = track.state.copy()
        row = np.array([track.count])
        self._set(track, row[track.state[row] != ERROR], ERROR, _ERROR, time_s)
        self._seen(track, row, time_s)
        self._forget(track, time_s)
        return self._changes(track, before, time_s)

    def _alerting(self, track: _Track, rows: IntArray, time_s: float, reason: int) -> None:
        state = track.state[rows]
        waits = ~_is_in(state, ALERTING, PENDING, RECOVERING) & (track.rule.for_s > 0.0)
        due = (state == PENDING) & (time_s - track.since_s[rows] >= track.rule.for_s)
        other = ~_is_in(state, ALERTING, PENDING) & ~waits
        self._set(track, rows[waits], PENDING, reason, time_s)
        self._set(track, rows[due | other], ALERTING, reason, time_s)
        self._seen(track, rows, time_s)

    def _normal(self, track: _Track, rows: IntArray, time_s: float, reason: int) -> None:
        state = track.state[rows]
        keep_s = track.rule.keep_firing_s if self._semantics.keeps_firing else 0.0
        recovers = (state == ALERTING) & (keep_s > 0.0)
        waits = (state == RECOVERING) & (time_s - track.since_s[rows] < keep_s)
        ends = (state != NORMAL) & ~recovers & ~waits
        self._set(track, rows[recovers], RECOVERING, reason, time_s)
        self._set(track, rows[ends], NORMAL, reason, time_s)
        self._seen(track, rows, time_s)

    def _forget(self, track: _Track, time_s: float) -> None:
        """End series that were missing too often."""
        evals = track.rule.missing_evals if self._semantics.missing_evals else 2
        stale = track.known & (track.seen_s + evals * self._interval_s <= time_s)
        rows = np.flatnonzero(stale)
        self._set(track, rows[track.state[rows] != NORMAL], NORMAL, _MISSING, time_s)
        track.known[rows] = False

    def _set(self, track: _Track, rows: IntArray, state: int, reason: int, time_s: float) -> None:
        track.state[rows], track.reason[rows], track.since_s[rows] = state, reason, time_s

    def _seen(self, track: _Track, rows: IntArray, time_s: float) -> None:
        track.known[rows], track.seen_s[rows] = True, time_s

    def _changes(self, track: _Track, before: IntArray, time_s: float) -> list[Transition]:
        track.busy = bool(track.state.any())
        rows = np.flatnonzero(track.state != before)
        return [self._transition(track, row, int(before[row]), time_s) for row in rows.tolist()]

    def _transition(self, track: _Track, row: int, before: int, time_s: float) -> Transition:
        own = row < track.count
        measurement = track.rule.condition.measurement
        return Transition(
            time_s=time_s,
            rule=track.rule,
            labels=self.series.labels(measurement, row) if own else {},
            row=row if own else -1,
            before=STATES[before],
            after=STATES[track.state[row]],
            reason=REASONS[track.reason[row]],
            value=float(track.value[row]) if own else float("nan"),
            since_s=float(track.since_s[row]),
        )


def _is_in(state: IntArray, *wanted: int) -> BoolArray:
    found: BoolArray = state == wanted[0]
    for one in wanted[1:]:
        found |= state == one
    return found
