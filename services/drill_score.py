"""A trace of a drill into its marks: off line or live, the same arithmetic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.drill_notify import Message, fleet_causes, messages
from services.drill_run import Trace, key_of
from twin.alert_rule import Rule
from twin.alert_states import Series, Transition
from twin.drill_plan import rule_facts
from twin.drills import Expected, Firing, Score, firings_of, score


@dataclass(frozen=True)
class Marked:
    """A trace, what fired in it, who was told, and the score."""

    trace: Trace
    firings: tuple[Firing, ...]
    messages: tuple[Message, ...]
    score: Score
    rules: Mapping[str, Rule]


def marked(trace: Trace, rules: Sequence[Rule]) -> Marked:
    """Score a trace by the rules that were evaluated in it."""
    firings = firings_of(fire_changes(trace.transitions))
    sent = messages(trace.transitions, fleet_causes(rules), trace.plan.run_s)
    names = [rule.name for rule in rules]
    result = score(
        trace.plan,
        firings,
        rule_facts(rules),
        lambda one, key: true_s(trace, one, key),
        len(sent),
    )
    return Marked(trace, firings, tuple(sent), result, dict(zip(names, rules, strict=True)))


def fire_changes(transitions: Sequence[Transition]) -> list[tuple[float, str, str, bool]]:
    """What firings are made of: when which rule began or ceased to fire on what."""
    return [
        (one.time_s, one.rule.name, key_of(one), one.fires)
        for one in transitions
        if one.fires or one.resolves
    ]


def true_s(trace: Trace, one: Expected, key: str) -> float:
    """When the condition was physically true on a key: as the drill states, else as measured."""
    if one.true_s is not None:
        return one.true_s
    return trace.exact.first_true_s(one.rule, series_row(trace, one.rule, key), one.onset_s)


def series_row(trace: Trace, rule: str, key: str) -> int:
    """Row of a key among the series of a rule's measurement."""
    measurement = trace.readings.measurement(rule)
    return series_keys(trace.series, measurement).index(key)


def series_keys(series: Series, measurement: str) -> list[str]:
    """Keys of a measurement's series, in order."""
    if measurement == "ops":
        return [service for service, _ in series.services]
    if measurement == "plane_state":
        return list(series.plane_names)
    if measurement in {"fleet_state", "fleet_watch"}:
        return [series.fleet]
    return list(series.satellite_ids)
