"""The evaluator on arrays is a slow scalar one, written from Grafana's semantics series by series.

The reference keeps every row and asks it again at every tick, as a database would.
"""

import math
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.alert_conditions import Comparison, Condition, Number, Operation, Reading, growth
from twin.alert_rule import Rule
from twin.alert_states import GRAFANA_9, GRAFANA_12, Evaluator, Semantics, Series
from twin.alerts import RULES, Threshold, last, rule_by_name
from twin.channels import BUS_MEASUREMENT

SATS = ("A", "B", "C")
FIELDS = ("x", "y")
TICKS = 14
Rows = list[tuple[float, dict[str, list[float]]]]


@dataclass
class Slow:
    """One rule, one Python object per series: Grafana's cache of states."""

    rule: Rule
    semantics: Semantics
    rows: Rows = field(default_factory=list)
    cache: dict[str, dict[str, Any]] = field(default_factory=dict)

    def tick(self, now_s: float) -> dict[str, str]:
        """States by series after one evaluation; the rule's own series is ''."""
        found = {}
        for index, sat in enumerate(SATS):
            one = self._query(index, now_s)
            if one is not None:
                found[sat] = one
        if found:
            for sat, (breach, beyond) in found.items():
                state = self.cache.get(sat, {"state": "Normal", "reason": ""})
                loaded = state["state"] in {"Alerting", "Pending"} and not state["reason"]
                hit = breach or (self.semantics.recovers and loaded and beyond)
                self._result(sat, "Alerting" if hit else "Normal", now_s, "")
        else:
            known = list(self.cache) if self.semantics.no_data_to_all else []
            for sat in known or [""]:
                kind = "Normal" if self.rule.no_data == "ok" else "Alerting"
                self._result(sat, kind, now_s, "NoData")
        states = {sat: one["state"] for sat, one in self.cache.items()}
        evals = self.rule.missing_evals if self.semantics.missing_evals else 2
        for sat, one in list(self.cache.items()):
            if one["seen_s"] + evals * 10.0 <= now_s:
                del self.cache[sat]
                states[sat] = "Normal"
        return states

    def _result(self, sat: str, kind: str, now_s: float, reason: str) -> None:
        one = self.cache.setdefault(sat, {"state": "Normal", "reason": "", "since_s": now_s})
        one["seen_s"] = now_s
        was, since_s = one["state"], one["since_s"]
        new = was
        if kind == "Alerting":
            if was == "Pending":
                new = "Alerting" if now_s - since_s >= self.rule.for_s else "Pending"
            elif was != "Alerting":
                waits = was != "Recovering" and self.rule.for_s > 0.0
                new = "Pending" if waits else "Alerting"
        else:
            keep_s = self.rule.keep_firing_s if self.semantics.keeps_firing else 0.0
            if was == "Recovering":
                new = "Normal" if now_s - since_s >= keep_s else "Recovering"
            elif was == "Alerting" and keep_s > 0.0:
                new = "Recovering"
            else:
                new = "Normal"
        if new != was:
            one.update(state=new, reason=reason, since_s=now_s)

    def _query(self, index: int, now_s: float) -> tuple[bool, bool] | None:
        """Does a series breach, is it beyond the clearing threshold; None: not in the answer."""
        condition = self.rule.condition
        begin_s = now_s - condition.window_s
        readings = {}
        for one in condition.readings():
            values = [
                row[one.field][index]
                for time_s, row in self.rows
                if time_s <= now_s
                and (time_s > begin_s or (one.reducer == "last" and time_s == begin_s))
                and not math.isnan(row[one.field][index])
            ]
            readings[one] = _reduced(one.reducer, values)
        holds = all(_outside(_value(c.value, readings), c) for c in condition.when)
        value = _value(condition.value, readings)
        told = _outside(value, condition.stays) if condition.breach_only else not math.isnan(value)
        if not (holds and told):
            return None
        return _outside(value, condition.fires), _outside(value, condition.stays)


def _reduced(reducer: str, values: list[float]) -> float:
    if not values:
        return math.nan
    return {
        "last": lambda: values[-1],
        "first": lambda: values[0],
        "min": lambda: min(values),
        "max": lambda: max(values),
        "spread": lambda: max(values) - min(values),
        "mean": lambda: sum(values) / len(values),
        "count": lambda: float(len(values)),
    }[reducer]()


def _value(node: Any, readings: dict[Reading, float]) -> float:
    if isinstance(node, Reading):
        return readings[node]
    if isinstance(node, Number):
        return node.value
    left, right = _value(node.left, readings), _value(node.right, readings)
    if node.sign == "/":
        return left * 0.0 if right == 0.0 else left / right
    return {"+": left + right, "-": left - right, "*": left * right}[node.sign]


def _outside(value: float, one: Comparison) -> bool:
    return (one.above is not None and value > one.above.value) or (
        one.below is not None and value < one.below.value
    )


cells = st.one_of(st.integers(0, 9).map(float), st.just(math.nan))
readings = st.builds(
    Reading,
    st.sampled_from(FIELDS),
    st.sampled_from(["last", "first", "min", "max", "mean", "spread", "count"]),
)
expressions = st.one_of(
    readings,
    st.just(growth("x")),
    st.builds(Operation, st.sampled_from(["+", "-", "*", "/"]), readings, readings),
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    high = draw(st.booleans())
    threshold, slack = draw(st.integers(2, 8)), draw(st.integers(0, 2))
    side = Threshold(float(threshold), "test")
    clear = Threshold(float(threshold - slack if high else threshold + slack), "test")
    when = draw(st.lists(st.builds(Comparison, readings, below=st.just(Threshold(7.0, "t"))),
                         max_size=1))  # fmt: skip
    breach_only = draw(st.booleans())
    condition = Condition(
        BUS_MEASUREMENT,
        draw(expressions),
        breach_only=breach_only,
        above=side if high else None,
        below=None if high else side,
        clear=clear if slack else None,
        when=tuple(when),
        window_s=draw(st.sampled_from([10.0, 20.0, 40.0])),
    )
    base = rule_by_name()["battery_critical"]
    return Rule(
        **{
            **{name: getattr(base, name) for name in base.__dataclass_fields__},
            "condition": condition,
            "for_s": draw(st.sampled_from([0.0, 10.0, 20.0])),
            "keep_firing_s": draw(st.sampled_from([0.0, 20.0, 40.0])),
            "no_data": "ok" if breach_only else "alerting",
        }
    )


@settings(max_examples=250, deadline=None)
@given(
    rules(),
    st.sampled_from([GRAFANA_12, GRAFANA_9]),
    st.lists(
        st.tuples(*[st.tuples(*[cells] * len(SATS))] * len(FIELDS)), min_size=TICKS, max_size=TICKS
    ),
)
def test_arrays_tell_the_same_story_as_one_object_per_series(
    rule: Rule, semantics: Semantics, story: list[tuple[tuple[float, ...], ...]]
) -> None:
    evaluator = Evaluator(Series("f", SATS, ("P",) * len(SATS)), [rule], semantics=semantics)
    slow = Slow(rule, semantics)
    states = dict.fromkeys(("", *SATS), "Normal")
    for tick, cells_now in enumerate(story):
        now_s = 10.0 * tick
        row = {name: list(values) for name, values in zip(FIELDS, cells_now, strict=True)}
        slow.rows.append((now_s, row))
        columns = {name: np.array(values) for name, values in row.items()}
        evaluator.observe(now_s, {BUS_MEASUREMENT: columns})
        for change in evaluator.evaluate(now_s):
            sat = change.labels.get("sat", "")
            assert states[sat] == change.before
            states[sat] = change.after
        expected = slow.tick(now_s)
        assert states == dict.fromkeys(states, "Normal") | expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[cells] * len(SATS)), min_size=4, max_size=10), st.permutations(SATS))
def test_permuting_satellites_permutes_alerts(
    story: list[tuple[float, ...]], order: list[str]
) -> None:
    rule = rule_by_name()["battery_critical"]
    index = [SATS.index(sat) for sat in order]
    found = []
    for names, columns in ((SATS, range(len(SATS))), (tuple(order), index)):
        evaluator = Evaluator(Series("f", names, ("P",) * len(SATS)), [rule])
        seen = set()
        for tick, values in enumerate(story):
            now = np.array([4.0 * values[column] for column in columns])
            evaluator.observe(10.0 * tick, {BUS_MEASUREMENT: {"eps_soc_pct": now}})
            seen |= {
                (one.time_s, one.labels.get("sat"), one.after)
                for one in evaluator.evaluate(10.0 * tick)
            }
        found.append(seen)
    assert found[0] == found[1]
    assert last("eps_soc_pct") in rule.condition.readings()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.0, 0.9))
def test_fields_in_groups_and_reports_in_parts_change_nothing(seed: int, missing: float) -> None:
    """All rules on noise in which half of everything is a breach: a group of fields at a time or
    one field, all satellites in one report or some in each."""
    random = np.random.default_rng(seed)
    series = Series("f", SATS, ("P", "P", "Q"), (("ingest", "1"),))
    pair = [Evaluator(series, RULES) for _ in range(2)]
    for tick in range(12):
        columns = {
            measurement: {
                field: np.where(random.random(n) < missing, np.nan, random.normal(50.0, 60.0, n))
                for field in fields
                for n in (series.counts[measurement],)
            }
            for measurement, fields in pair[0].fields.items()
        }
        pair[0].observe(10.0 * tick, columns)
        with patch("twin.alert_fields.GROUP_VALUES", 1):
            for rows in ([2], [0, 1]):
                part = {name: value[rows] for name, value in columns[BUS_MEASUREMENT].items()}
                chosen = {BUS_MEASUREMENT: np.array(rows)}
                pair[1].observe(10.0 * tick, {BUS_MEASUREMENT: part}, chosen)
            pair[1].observe(10.0 * tick, {k: v for k, v in columns.items() if k != BUS_MEASUREMENT})
            apart = pair[1].evaluate(10.0 * tick)
        assert [repr(one) for one in pair[0].evaluate(10.0 * tick)] == [repr(one) for one in apart]
