"""Conditions of alert rules on arrays: the verdict on every series at an instant."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from twin.alert_conditions import Comparison, Condition, Expression, Number, Operation, Reading
from twin.alert_history import History
from twin.state import BoolArray, FloatArray

__all__ = ["History", "Judge", "Verdict", "verdict"]

_Evaluate = Callable[[float], FloatArray | float]


class Verdict(NamedTuple):
    """What a condition says of every series, (n,)."""

    value: FloatArray  # what is compared and shown; nan = nothing known
    fires: BoolArray  # breaches
    stays: BoolArray  # breaches, or has not come back beyond the clearing threshold
    present: BoolArray  # in the answer of the rule's query: stays, or reported well or ill
    is_empty: bool  # no series is present


class Judge:
    """A condition over a history, made ready to be asked at every evaluation."""

    def __init__(self, condition: Condition, history: History) -> None:
        self._condition, self._history = condition, history
        self._value = _evaluation(condition.value, condition, history)
        self._fires, self._stays = condition.fires, condition.stays
        self._when = [(_evaluation(one.value, condition, history), one) for one in condition.when]
        self._clears_apart = condition.clear is not None

    def __call__(self, time_s: float) -> Verdict:
        """What the condition says of every series at an instant.

        What must hold besides is looked at only where the value itself is in breach somewhere.
        """
        value = self._filled(self._value(time_s))
        only_breaches = self._condition.breach_only
        present = _outside(value, self._stays) if only_breaches else ~np.isnan(value)
        is_empty = not np.count_nonzero(present)
        for evaluate, comparison in self._when:
            if is_empty:
                break
            present = present & _outside(self._filled(evaluate(time_s)), comparison)
            is_empty = not np.count_nonzero(present)
        stays = present if only_breaches else present & _outside(value, self._stays)
        fires = stays
        if self._clears_apart:
            fires = present & _outside(value, self._fires)
        return Verdict(value, fires, stays, present, is_empty)

    def _filled(self, value: FloatArray | float) -> FloatArray:
        """One number for each series where an expression has no reading."""
        if isinstance(value, float):
            return np.full(self._history.counts[self._condition.measurement], value)
        return value


def verdict(condition: Condition, history: History, time_s: float) -> Verdict:
    """What a condition says of every series at an instant."""
    return Judge(condition, history)(time_s)


def _evaluation(expression: Expression, condition: Condition, history: History) -> _Evaluate:
    """An expression over a condition's readings, (n,); nan in gives nan, x / 0 gives 0."""
    if isinstance(expression, Reading):
        return history.reader(condition, expression)
    if isinstance(expression, Number):
        value = expression.value
        return lambda _time_s: value
    assert isinstance(expression, Operation)
    left = _evaluation(expression.left, condition, history)
    right = _evaluation(expression.right, condition, history)
    if expression.sign == "+":
        return lambda time_s: left(time_s) + right(time_s)
    if expression.sign == "-":
        return lambda time_s: left(time_s) - right(time_s)
    if expression.sign == "*":
        return lambda time_s: left(time_s) * right(time_s)
    return lambda time_s: _quotient(left(time_s), right(time_s))


def _quotient(left: FloatArray | float, right: FloatArray | float) -> FloatArray | float:
    if isinstance(right, float):
        return left / right if right != 0.0 else left * 0.0
    nothing = right == 0.0
    if not nothing.any():
        return np.asarray(left / right)
    return np.where(nothing, left * 0.0, left / np.where(nothing, 1.0, right))


def _outside(value: FloatArray, comparison: Comparison) -> BoolArray:
    above, below = comparison.above, comparison.below
    if below is None:
        assert above is not None
        return np.asarray(value > above.value)
    if above is None:
        return np.asarray(value < below.value)
    return np.asarray((value > above.value) | (value < below.value))
