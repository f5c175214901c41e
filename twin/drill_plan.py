"""A drill's words looked up in its fleet: which satellites, planes and instants are meant."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from twin.alert_rule import INTERVAL_S, Rule
from twin.drill_keys import ExpectKeys
from twin.drill_load import FLEET_PREFIX, GIVEN, Drill
from twin.drills import Clearing, Expected, Named, Plan, RuleFacts
from twin.errors import ConfigurationError, Problem
from twin.faults import FaultError, FaultPlan
from twin.located_yaml import Location, nearest
from twin.state import Fleet, IntArray

PIPELINE_KEYS = ("ingest", "simulate")
"""Services whose numbers a drill makes up; one instance of each."""
SAFE_MODE_KIND = "A2"
"""The fault that leaving safe mode ends."""


def rule_facts(rules: Sequence[Rule]) -> dict[str, RuleFacts]:
    """What the score asks of each rule, by name."""
    return {
        rule.name: RuleFacts(
            rule.name, rule.severity, rule.cause, delaying_window_s(rule), rule.for_s
        )
        for rule in rules
    }


def delaying_window_s(rule: Rule) -> float:
    """How long the rule's window can hold a verdict back [s]; a newest value waits for nothing."""
    waits = any(one.reducer != "last" for one in rule.condition.readings())
    return rule.condition.window_s if waits else 0.0


class Places:
    """Keys of alerts by scope, and what a drill's targets mean in each."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def keys(self, scope: str, rows: IntArray) -> tuple[str, ...]:
        """The keys that stand for these satellites in a scope."""
        if scope == "satellite":
            return tuple(self._fleet.satellite_ids[row] for row in rows.tolist())
        if scope == "plane":
            return tuple(sorted({self._fleet.planes[row] for row in rows.tolist()}))
        return (self._fleet.name,) if scope == "fleet" else PIPELINE_KEYS

    def named(self, scope: str, targets: Sequence[str]) -> tuple[str, ...]:
        """The keys that targets name in a scope. Raises LookupError for one that is not there."""
        found: list[str] = []
        for target in targets:
            if target == "*" or target in self.keys(scope, np.arange(self._fleet.count)):
                found.append(target)
                continue
            if scope == "fleet" and FLEET_PREFIX + target == self._fleet.name:
                found.append(self._fleet.name)  # a drill says its own name
                continue
            rows = [row for row, plane in enumerate(self._fleet.planes) if self._in(plane, target)]
            if not rows:
                raise LookupError(target)
            found += self.keys(scope, np.array(rows))
        return tuple(dict.fromkeys(found))

    @staticmethod
    def _in(plane: str, target: str) -> bool:
        """Whether a plane is the target or one of the group that it names."""
        return plane == target or plane.startswith(f"{target}_")

    def known(self, scope: str) -> list[str]:
        """All keys of a scope."""
        return list(self.keys(scope, np.arange(self._fleet.count)))


def plan_of(drill: Drill, fleet: Fleet, rules: Mapping[str, Rule]) -> tuple[Plan, FaultPlan]:
    """What the drill demands of this fleet, and its faults on it.

    Raises ConfigurationError for targets that are not there, located.
    """
    problems: list[Problem] = []
    faults = FaultPlan(fleet, drill.scenario.seed)
    hit: dict[str, IntArray] = {}
    for index, one in enumerate(drill.keys.inject):
        if one.id not in drill.faults:
            continue
        try:
            faults = faults.with_fault(drill.faults[one.id])
            hit[one.id] = faults.placed[-1].rows
        except FaultError as error:
            problems.append(drill.problem(("inject", index, error.key), error.message))
    places = Places(fleet)

    def keys_of(at: Location, rule: str, targets: Sequence[str], of: str = "") -> tuple[str, ...]:
        scope = rules[rule].scope
        if not targets:
            return places.keys(scope, hit[of]) if of in hit else ()
        try:
            return places.named(scope, targets)
        except LookupError as error:
            known = places.known(scope)
            hint = nearest(error.args[0], known) if len(known) <= 40 else f"such as {known[0]}"
            message = f"no {scope} {error.args[0]!r} in this fleet; {hint}"
            problems.append(drill.problem((*at, "targets"), message))
            return ()

    keys = drill.keys
    begin_s = {GIVEN: 0.0} | {one.id: one.at_s for one in keys.inject}
    expected, clearing = [], []
    for index, want in enumerate(keys.expect):
        named = keys_of(("expect", index), want.rule, want.targets, want.of)
        if not named and not problems:
            message = "give targets: this injection hits no satellite of its own"
            problems.append(drill.problem(("expect", index, "targets"), message))
        expected.append(
            Expected(
                want.rule,
                want.of,
                named,
                begin_s[want.of],
                want.after_s,
                want.within_s,
                want.severity,
                want.cause,
                _stated_s(want, begin_s[want.of]),
            )
        )
    for index, back in enumerate(keys.clear):
        named = keys_of(("clear", index), back.rule, back.targets, back.of)
        clearing.append(Clearing(back.rule, back.of, named, _end_s(drill, back.of), back.within_s))
        if not math.isfinite(clearing[-1].end_s):
            message = f"{back.of!r} does not end in this drill; give it duration_s, or heal it"
            problems.append(drill.problem(("clear", index, "of"), message))
    forbidden = [
        Named(row.rule, keys_of(("forbid", index), row.rule, row.targets), row.reason)
        for index, row in enumerate(keys.forbid)
    ]
    allowed = [
        Named(row.rule, keys_of(("allow", index), row.rule, row.targets), row.reason)
        for index, row in enumerate(keys.allow)
    ]
    if problems:
        raise ConfigurationError(problems)
    plan = Plan(
        keys.quiet_s,
        keys.run_s,
        max(INTERVAL_S, float(fleet.report_interval_s.max()), drill.scenario.step_s),
        tuple(expected),
        tuple(clearing),
        tuple(forbidden),
        tuple(allowed),
    )
    return plan, faults


def _stated_s(want: ExpectKeys, onset_s: float) -> float | None:
    """When the condition is true by the drill's own word; None = by the physics."""
    if want.true_after_s is not None:
        return onset_s + want.true_after_s
    return onset_s if want.true_at == "onset" else None


def _end_s(drill: Drill, of: str) -> float:
    """When an injection is over: its own end, or the first action that heals its kind."""
    if of in drill.pipeline:
        return drill.pipeline[of].end_s
    fault = drill.faults[of]
    ended_by = (fault.kind.id.lower(), fault.kind.name)
    healed = [
        action.at_s
        for action in drill.keys.actions
        if (action.heal is not None and action.heal.lower() in ended_by)
        or (action.safe_mode is False and fault.kind.id == SAFE_MODE_KIND)
    ]
    return min([fault.end_s, *healed])
