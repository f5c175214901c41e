"""When a rule's condition became physically true: the rule's own condition on perfect readings.

A window that only steadies a reading (least, largest, mean) is taken as the newest value: the
instant is that of the physics, not of the rule. Windows that are the quantity itself (growth,
spread, how many) stay, and so do those of a field that is held against its own newest or oldest
value: a largest part that shrinks is a drop only beside what it was. Perfect readings are looked
at every step of the drill.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from twin.alert_arrays import History, Judge
from twin.alert_conditions import Comparison, Condition, Expression, Operation, Reading
from twin.alert_rule import Rule
from twin.drill_telemetry import Columns
from twin.state import BoolArray, FloatArray, IntArray

_STEADYING = ("min", "max", "mean")


def instant_condition(condition: Condition) -> Condition:
    """The condition on newest values where its windows only steady them."""
    values = (condition.value, *(one.value for one in condition.when))
    readings = [reading for value in values for reading in _readings(value)]
    compared = frozenset(one.field for one in readings if one.reducer in ("last", "first"))
    return replace(
        condition,
        value=_instant(condition.value, compared),
        when=tuple(
            Comparison(_instant(one.value, compared), one.above, one.below)
            for one in condition.when
        ),
    )


def _readings(expression: Expression) -> Iterator[Reading]:
    if isinstance(expression, Reading):
        yield expression
    elif isinstance(expression, Operation):
        yield from _readings(expression.left)
        yield from _readings(expression.right)


def _instant(expression: Expression, compared: frozenset[str]) -> Expression:
    """compared: fields whose windows are held against one of their values, and stay."""
    if isinstance(expression, Reading):
        steadies = expression.reducer in _STEADYING and expression.field not in compared
        return Reading(expression.field, "last") if steadies else expression
    if isinstance(expression, Operation):
        left, right = _instant(expression.left, compared), _instant(expression.right, compared)
        return Operation(expression.sign, left, right)
    return expression


class Record:
    """Verdicts of some rules over a run: the value that is compared, and whether it breaches."""

    def __init__(self, rules: Sequence[Rule], counts: Mapping[str, int], *, instant: bool) -> None:
        """instant: conditions as of the instant, for perfect readings."""
        self._conditions = {
            rule.name: instant_condition(rule.condition) if instant else rule.condition
            for rule in rules
        }
        self._history = History(self._conditions.values(), counts)
        self._judges = {
            name: Judge(condition, self._history) for name, condition in self._conditions.items()
        }
        self.times_s: list[float] = []
        self._values: dict[str, list[FloatArray]] = {rule.name: [] for rule in rules}
        self._fires: dict[str, list[BoolArray]] = {rule.name: [] for rule in rules}

    def measurement(self, rule: str) -> str:
        """Whose series the rule's verdicts are of."""
        return self._conditions[rule].measurement

    @property
    def fields(self) -> Mapping[str, tuple[str, ...]]:
        """Fields by measurement that are asked for."""
        return self._history.fields

    def observe(
        self,
        time_s: float,
        columns: Mapping[str, Columns],
        rows: Mapping[str, IntArray] | None = None,
    ) -> None:
        """What was measured at an instant, as the evaluator takes it."""
        for measurement, fields in columns.items():
            chosen = None if rows is None else rows.get(measurement)
            self._history.observe(time_s, measurement, fields, chosen)

    def take(self, time_s: float) -> None:
        """Verdicts now."""
        self.times_s.append(time_s)
        for name, judge in self._judges.items():
            found = judge(time_s)
            self._values[name].append(found.value)
            self._fires[name].append(found.fires)

    def values(self, rule: str) -> FloatArray:
        """What is compared, (times, series)."""
        return np.array(self._values[rule])

    def first_true_s(self, rule: str, series: int, from_s: float) -> float:
        """The first instant from `from_s` on at which the condition held; nan for never.

        Between two looks the value is taken to go straight: the instant is where it crosses the
        threshold. Where it was unknown before, or a `when` is what changed, it is the look's.
        """
        times_s = np.array(self.times_s)
        held = np.array(self._fires[rule])[:, series] & (times_s >= from_s)
        if not held.any():
            return float("nan")
        at = int(np.argmax(held))
        if at == 0:
            return float(times_s[0])
        values = self.values(rule)[at - 1 : at + 1, series]
        share = _crossing_frac(self._conditions[rule], float(values[0]), float(values[1]))
        since_s = times_s[at - 1] + share * (times_s[at] - times_s[at - 1])
        return float(max(since_s, from_s))


def _crossing_frac(condition: Condition, before: float, after: float) -> float:
    """Where between two looks a value crosses the threshold that it breaches at the second, 0-1."""
    for threshold, sign in ((condition.above, 1.0), (condition.below, -1.0)):
        if threshold is None or sign * (after - threshold.value) <= 0.0:
            continue
        if sign * (before - threshold.value) < 0.0:
            return (threshold.value - before) / (after - before)
    return 1.0
