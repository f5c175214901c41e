"""One drill off line: the twin steps, the rules look, operators act; deterministic.

The same physics, sensors, commands and evaluator as in a live run; what is left out are the
processes between them. A report arrives at the instant at which it is made.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from services.orders import Orders
from twin.alert_conditions import OPS_MEASUREMENT
from twin.alert_rule import INTERVAL_S, Rule
from twin.alert_states import Evaluator, Series, Transition
from twin.channels import BUS_MEASUREMENT
from twin.drill_load import Drill
from twin.drill_plan import plan_of
from twin.drill_telemetry import Columns, Sample, Sampler
from twin.drill_truth import Record
from twin.drills import Plan
from twin.errors import ConfigurationError
from twin.fleet_build import FleetBuild
from twin.pipeline_model import SERVICES, is_cut, service_numbers
from twin.report_ages import NS_PER_S, ReportAges, watch_columns
from twin.sensors import snapshot
from twin.state import BoolArray, Fleet, IntArray
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
    """The satellite, plane, fleet or service that an alert is on; `*` for the rule itself.

    A rule is alone with no series when it has no data: then it speaks for all of them.
    """
    return change.labels.get(KEY_OF_SCOPE[change.rule.scope], "*")


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
        self._period_ticks = np.round(fleet.report_interval_s / scenario.step_s).astype(np.int64)
        self._transitions: list[Transition] = []

    def run(self, moved: Callable[[float], None] | None = None) -> Trace:
        """From the epoch to the end; `moved` is told the share that is done."""
        scenario = self._drill.scenario
        last = round(self._drill.keys.run_s / scenario.step_s)
        state = initial_state(self._fleet, self._model.at(0.0), scenario.seed)
        actions = self._actions()
        acts = next(actions, None)
        for tick in range(last + 1):
            elapsed_s = tick * scenario.step_s
            while acts is not None and acts[0] <= elapsed_s + 1e-9:
                self._act(acts[1], tick)
                acts = next(actions, None)
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
            due = tick % self._period_ticks == 0
            if due.any() and not is_cut(self._drill.pipeline, elapsed_s):
                seen = snapshot(self._fleet, state, environment, scenario.seed, tick, effects)
                number = tick // self._period_ticks
                self._hear(self._sampler.sample(seen, elapsed_s, number), due)
            self._judge(elapsed_s)
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

    def _hear(self, sample: Sample, due: BoolArray) -> None:
        """Give the reports of a sample to the rules: of satellites that are due and get through."""
        elapsed_s = sample.elapsed_s
        now_ns = self._epoch_ns + round(elapsed_s * NS_PER_S)
        sends = due & sample.sends
        if self._drill.scenario.playback:
            self._ages.contact(np.flatnonzero(sample.contact), True, now_ns)
            self._ages.contact(np.flatnonzero(~sample.contact), False, now_ns)
            sends &= sample.contact
        heard = np.flatnonzero(sends)
        stamps_ns = now_ns + np.round(sample.clock_offset_s[heard] * NS_PER_S).astype(np.int64)
        self._ages.hear(heard, stamps_ns, now_ns)
        rows = None if heard.size == sends.size else {BUS_MEASUREMENT: heard}
        readings, exact = _of_rows(sample.readings, rows), _of_rows(sample.exact, rows)
        self._evaluator.observe(elapsed_s, readings, rows)
        self._readings.observe(elapsed_s, readings, rows)
        self._exact.observe(elapsed_s, exact, rows)

    def _judge(self, elapsed_s: float) -> None:
        """Evaluate at every instant from this step to before the next."""
        for at_s in _instants(elapsed_s, self._drill.scenario.step_s):
            ages = self._ages.at(self._epoch_ns + round(at_s * NS_PER_S))
            watch = watch_columns(ages, self._ages.silence(ages))
            ops = _ops_columns(service_numbers(self._drill.pipeline, at_s))
            own = watch | {OPS_MEASUREMENT: ops}
            self._evaluator.observe(at_s, own)
            self._transitions += self._evaluator.evaluate(at_s)
            for record in (self._readings, self._exact):
                record.observe(at_s, own)
                record.take(at_s)


def _of_rows(
    columns: Mapping[str, Columns], rows: Mapping[str, IntArray] | None
) -> Mapping[str, Columns]:
    """The columns of these rows, where only some of a measurement's are heard."""
    return {
        measurement: fields
        if rows is None or measurement not in rows
        else {name: column[rows[measurement]] for name, column in fields.items()}
        for measurement, fields in columns.items()
    }


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
