"""Rules moved a little: if no drill notices, no drill guards that number."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from twin.alert_conditions import Condition, Expression, Number, Operation, Reading, Threshold
from twin.alert_rule import INTERVAL_S, Rule
from twin.channels import by_name

MOVED_FRAC: Final = 0.25  # of the threshold: far enough to matter to an operator; assumption
MOVED_WHOLE: Final = 1.0  # of thresholds between whole numbers at least: the next that differs
WAIT_FROM_ZERO_S: Final = 60.0  # of rules that fire at once; assumption
_WHOLE_FIELD: Final = re.compile(r"_(count|up|level_max)$|_total(_|$)")
"""Names of whole numbers beside the dictionary's: of the fleet, of services."""


class Mutant(NamedTuple):
    """A rule with one number moved; `what` says which, `rule` has a name of its own."""

    of: str
    what: str  # above_up, above_down, below_up, below_down, for_longer, for_shorter, when_1_gone
    rule: Rule


def mutants(rules: Sequence[Rule]) -> list[Mutant]:
    """Every rule with each of its thresholds and its `for` moved both ways, and each `when` gone.

    A rule that fires at once can only wait longer. A threshold of what is always a whole number
    (counts, states) moves by one at least: less would be the same rule.
    """
    found: list[Mutant] = []
    for rule in rules:
        for what, changed in _changes(rule):
            named = replace(changed, name=f"mutant_{len(found)}")
            found.append(Mutant(rule.name, what, named))
    return found


def _changes(rule: Rule) -> Iterator[tuple[str, Rule]]:
    for side in ("above", "below"):
        threshold: Threshold | None = getattr(rule.condition, side)
        if threshold is None:
            continue
        by = abs(threshold.value) * MOVED_FRAC
        if is_whole(rule.condition.value):
            by = max(by, MOVED_WHOLE)
        for word, value in (("up", threshold.value + by), ("down", threshold.value - by)):
            moved = _moved(rule.condition, side, replace(threshold, value=value))
            yield f"{side}_{word}", replace(rule, condition=moved)
    for index in range(len(rule.condition.when)):
        when = rule.condition.when
        left = replace(rule.condition, when=(*when[:index], *when[index + 1 :]))
        yield f"when_{index + 1}_gone", replace(rule, condition=left)
    yield "for_longer", replace(rule, for_s=2.0 * rule.for_s or WAIT_FROM_ZERO_S)
    if rule.for_s > 0.0:
        shorter_s = rule.for_s / 2.0 // INTERVAL_S * INTERVAL_S
        yield "for_shorter", replace(rule, for_s=shorter_s)


def is_whole(value: Expression) -> bool:
    """Whether a value is always a whole number: states, counters, counts, their sums."""
    if isinstance(value, Operation):
        return value.sign in "+-" and is_whole(value.left) and is_whole(value.right)
    if not isinstance(value, Reading):
        return isinstance(value, Number) and value.value.is_integer()
    if value.reducer == "mean":
        return False
    channel = by_name().get(value.field)
    if channel is not None:
        return channel.kind != "float"
    return value.reducer == "count" or bool(_WHOLE_FIELD.search(value.field))


def _moved(condition: Condition, side: str, threshold: Threshold) -> Condition:
    """The condition with one threshold moved; the clearing one gives way where it must."""
    clear = condition.clear
    if clear is not None and side == "above":
        clear = replace(clear, value=min(clear.value, threshold.value))
    elif clear is not None:
        clear = replace(clear, value=max(clear.value, threshold.value))
    if side == "above":
        return replace(condition, above=threshold, clear=clear)
    return replace(condition, below=threshold, clear=clear)
