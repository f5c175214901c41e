"""One drill off line: the twin steps, the rules look, operators act; deterministic.

The same physics, sensors, commands and evaluator as in a live run; what is left out are the
processes between them. A report arrives at the instant at which it is made.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from services.orders import Orders
from twin.alert_conditions import OPS_MEASUREMENT, WATCH_MEASUREMENT
from twin.alert_rule import INTERVAL_S, Rule
from twin.alert_states import Evaluator, Series, Transition
from twin.drill_load import Drill
from twin.drill_plan import plan_of
from twin.drill_telemetry import Columns, Sample, Sampler
from twin.drill_truth import Record
from twin.drills import Plan
from twin.errors import ConfigurationError
from twin.fleet_build import FleetBuild
from twin.pipeline_model import SERVICES, service_numbers
from twin.report_ages import FIELDS, NS_PER_S, ReportAges
from twin.sensors import snapshot
from twin.state import Fleet, IntArray
from twin.step import initial_state, step
from twin.surroundings import surroundings

KEY_OF_SCOPE = {"satellite": "sat", "plane": "plane", "fleet": "fleet", "pipeline": "service"}


@dataclass(frozen=True)
class Trace:
    """What happened in one run of a drill."""

    drill: Drill
    plan: Plan
    fleet: Fleet
    series: Series
    transitions: tuple[Transition, ...]
    exact: Record  # of perfect readings: rules that are expected
    readings: Record  # of the readings as reported: rules that are expected or forbidden


def key_of(change: Transition) -> str:
    """The satellite, plane, fleet or service that an alert is on; empty for the rule itself."""
    return change.labels.get(KEY_OF_SCOPE[change.rule.scope], "")


def rules_shown(drill: Drill) -> list[str]:
    """Rules that the drill expects or forbids, each once."""
    expected = [row.rule for row in drill.keys.expect]
    return list(dict.fromkeys([*expected, *(row.rule for row in drill.keys.forbid)]))


class DrillRun:
    """A drill in motion."""

    def __init__(self, drill: Drill, build: FleetBuild, rules: Sequence[Rule]) -> None:
        """rules: all that are evaluated, among them every one that the drill names.

        Raises ConfigurationError for targets that are not in the fleet.
        """
        self._drill, self._design = drill, build.fleet.params
        fleet, scenario = build.fleet, drill.scenario
        assert scenario.epoch_unix_s is not None
        by_name = {rule.name: rule for rule in rules}
        self._plan, faults = plan_of(drill, fleet, by_name)
        every = np.arange(fleet.count)
        self._orders = Orders(faults, fleet, every, np.ones(fleet.count, np.bool_), scenario.step_s)
        self._fleet, self._epoch_ns = fleet, round(scenario.epoch_unix_s) * NS_PER_S
        self._model = surroundings(
            build.places, scenario.epoch_unix_s, scenario.environment.settings()
        )
        self._series = Series(fleet.name, fleet.satellite_ids, fleet.planes, SERVICES)
        self._evaluator = Evaluator(self._series, rules)
        counts = self._series.counts
        shown = [by_name[name] for name in rules_shown(drill)]
        expected = {one.rule for one in drill.keys.expect}
        self._exact = Record([one for one in shown if one.name in expected], counts, instant=True)
        self._readings = Record(shown, counts, instant=False)
        self._sampler = Sampler(fleet, self._evaluator.fields, self._exact.fields)
        self._ages = ReportAges(fleet.count)
        self._transitions: list[Transition] = []

    def run(self, moved: Callable[[float], None] | None = None) -> Trace:
        """From the epoch to the end; `moved` is told the share that is done."""
        scenario = self._drill.scenario
        last = round(self._drill.keys.run_s / scenario.step_s)
        state = initial_state(self._fleet, self._model.at(0.0), scenario.seed)
        actions = self._actions()
        due = next(actions, None)
        for tick in range(last + 1):
            elapsed_s = tick * scenario.step_s
            while due is not None and due[0] <= elapsed_s + 1e-9:
                self._act(due[1], tick)
                due = next(actions, None)
            environment = self._model.at(elapsed_s)
            effects = self._orders.faults.effects_at(elapsed_s)
            state = step(
                state,
                self._fleet,
                environment,
                scenario.step_s,
                elapsed_s,
                scenario.seed,
                effects,
            )
            seen = snapshot(self._fleet, state, environment, scenario.seed, tick, effects)
            self._look(self._sampler.sample(seen, elapsed_s), elapsed_s)
            if moved is not None:
                moved(tick / last)
        return Trace(
            self._drill,
            self._plan,
            self._fleet,
            self._series,
            tuple(self._transitions),
            self._exact,
            self._readings,
        )

    def _actions(self) -> Iterator[tuple[float, int]]:
        rows = enumerate(self._drill.keys.actions)
        return iter(sorted((one.at_s, index) for index, one in rows))

    def _act(self, index: int, tick: int) -> None:
        action = self._drill.keys.actions[index]
        body = orjson.dumps({"id": f"action-{index}", **action.command()})
        done, event = self._orders.obey(action.target, body, tick, 0)
        if not done:
            reason: dict[str, Any] = orjson.loads(event)
            problem = self._drill.problem(("actions", index), str(reason["reason"]))
            raise ConfigurationError([problem])
        self._fleet = replace(self._fleet, params=self._orders.limited(self._design))

    def _look(self, sample: Sample, elapsed_s: float) -> None:
        """Give a sample to the rules and evaluate at every instant until the next."""
        sends = np.flatnonzero(sample.sends)
        numbers = service_numbers(self._drill.pipeline, elapsed_s)
        ops = _ops_columns(numbers)
        now_ns = self._epoch_ns + round(elapsed_s * NS_PER_S)
        stamps_ns = now_ns + np.round(sample.clock_offset_s[sends] * NS_PER_S).astype(np.int64)
        self._ages.hear(sends, stamps_ns, now_ns)
        rows: dict[str, IntArray] = {"sat_state": sends}
        self._evaluator.observe(elapsed_s, {**sample.readings, OPS_MEASUREMENT: ops}, rows)
        for record, columns in ((self._readings, sample.readings), (self._exact, sample.exact)):
            for measurement, fields in columns.items():
                chosen = sends if measurement == "sat_state" else None
                record.observe(elapsed_s, measurement, fields, chosen)
            record.observe(elapsed_s, OPS_MEASUREMENT, ops)
        for at_s in _instants(elapsed_s, self._drill.scenario.step_s):
            ages = self._ages.at(self._epoch_ns + round(at_s * NS_PER_S))
            watch: Columns = dict(zip(FIELDS, ages.T, strict=True))
            self._evaluator.observe(at_s, {WATCH_MEASUREMENT: watch})
            self._transitions += self._evaluator.evaluate(at_s)
            for record in (self._readings, self._exact):
                record.observe(at_s, WATCH_MEASUREMENT, watch)
                record.take(at_s)


def _instants(elapsed_s: float, step_s: float) -> list[float]:
    """Instants of evaluation from this step to before the next."""
    first = int(np.ceil(elapsed_s / INTERVAL_S - 1e-9))
    stop = int(np.ceil((elapsed_s + step_s) / INTERVAL_S - 1e-9))
    return [number * INTERVAL_S for number in range(first, stop)]


def _ops_columns(numbers: dict[tuple[str, str], float]) -> Columns:
    """Fields of `ops`, one row per service; nan where a service does not count it."""
    services = [service for service, _ in SERVICES]
    columns: Columns = {}
    for (service, name), value in numbers.items():
        column = columns.setdefault(name, np.full(len(services), np.nan))
        column[services.index(service)] = value
    return columns
