"""Conditions of alert rules on arrays: the verdict on every series at an instant."""

from typing import NamedTuple

import numpy as np

from twin.alert_conditions import Comparison, Condition, Expression, Number, Operation, Reading
from twin.alert_history import History
from twin.state import BoolArray, FloatArray

__all__ = ["History", "Verdict", "evaluated", "verdict"]


class Verdict(NamedTuple):
    """What a condition says of every series, (n,)."""

    value: FloatArray  # what is compared and shown; nan = nothing known
    fires: BoolArray  # breaches
    present: BoolArray  # breaches, or has not come back beyond the clearing threshold


def verdict(condition: Condition, history: History, time_s: float) -> Verdict:
    """What a condition says of every series at an instant.

    What must hold besides is looked at only where the value itself is in breach somewhere.
    """
    value = evaluated(condition.value, condition, history, time_s)
    present = _outside(value, condition.stays) if condition.breach_only else ~np.isnan(value)
    for comparison in condition.when:
        if not present.any():
            break
        present = present & _outside(
            evaluated(comparison.value, condition, history, time_s), comparison
        )
    fires = present
    if condition.clear is not None or not condition.breach_only:
        fires = present & _outside(value, condition.fires)
    return Verdict(value, fires, present)


def evaluated(
    expression: Expression, condition: Condition, history: History, time_s: float
) -> FloatArray:
    """An expression over a condition's readings, (n,); nan in gives nan, x / 0 gives 0."""
    if isinstance(expression, Reading):
        return history.reading(condition, expression, time_s)
    if isinstance(expression, Number):
        return np.full(history.counts[condition.measurement], expression.value)
    assert isinstance(expression, Operation)
    left = evaluated(expression.left, condition, history, time_s)
    right = evaluated(expression.right, condition, history, time_s)
    if expression.sign == "+":
        return np.asarray(left + right)
    if expression.sign == "-":
        return np.asarray(left - right)
    if expression.sign == "*":
        return np.asarray(left * right)
    nothing = right == 0.0
    return np.where(nothing, left * 0.0, left / np.where(nothing, 1.0, right))


def _outside(value: FloatArray, comparison: Comparison) -> BoolArray:
    above, below = comparison.above, comparison.below
    found = np.zeros(value.shape, dtype=np.bool_)
    if above is not None:
        found |= value > above.value
    if below is not None:
        found |= value < below.value
    return found
