"""Conditions of alert rules as InfluxQL: one row per series in breach, none where all is well.

    SELECT "v" FROM (SELECT last("eps_soc_pct") AS "v", ... FROM "sat_state"
    WHERE $timeFilter GROUP BY "fleet","plane","sat") WHERE "v" < 25 GROUP BY ...

The inner query has one row per series, the outer keeps those that breach, so that a fleet of
ten thousand is one kilobyte of answer. `twin/alert_arrays.py` is the same on arrays.
"""

from dashboards.panels import QuerySpec
from twin.alert_conditions import (
    BREACH_MEASUREMENT,
    TAGS,
    Comparison,
    Condition,
    Expression,
    Number,
    Operation,
    Reading,
)
from twin.alert_rule import Rule


def rule_query(rule: Rule) -> QuerySpec:
    """The query of a rule: exactly one numeric column `v`, tags as labels."""
    return QuerySpec(condition_query(rule.condition), "A", "time_series", "")


def recorded_query(rule: Rule) -> QuerySpec:
    """The same answer from what the watch found: it costs what is in breach, not the fleet."""
    tags = ", ".join(f'"{tag}"' for tag in TAGS[rule.condition.measurement])
    return QuerySpec(
        f'SELECT last("v") AS "v" FROM "{BREACH_MEASUREMENT}" '
        f"WHERE \"rule\" = '{rule.name}' AND $timeFilter GROUP BY {tags}",
        "A",
        "time_series",
        "",
    )


def condition_query(condition: Condition) -> str:
    """InfluxQL of a condition; `$timeFilter` covers its `window_s` up to now."""
    tags = ", ".join(f'"{tag}"' for tag in TAGS[condition.measurement])
    columns = {"v": condition.value}
    tests = []
    for number, comparison in enumerate(condition.when, 1):
        columns[f"w{number}"] = comparison.value
        tests.append(_test(f"w{number}", comparison))
    if condition.breach_only:
        tests.insert(0, _test("v", condition.stays))
    where = f" WHERE {' AND '.join(tests)}" if tests else ""
    picked = ", ".join(f'{_text(value)} AS "{name}"' for name, value in columns.items())
    return (
        f'SELECT "v" FROM (SELECT {picked} FROM "{condition.measurement}" '
        f"WHERE $timeFilter GROUP BY {tags}){where} GROUP BY {tags}"
    )


def _test(name: str, comparison: Comparison) -> str:
    sides = []
    if comparison.above is not None:
        sides.append(f'"{name}" > {comparison.above.value!r}')
    if comparison.below is not None:
        sides.append(f'"{name}" < {comparison.below.value!r}')
    return sides[0] if len(sides) == 1 else f"({' OR '.join(sides)})"


def _text(expression: Expression) -> str:
    if isinstance(expression, Reading):
        if expression.reducer == "spread":  # the same, at half of the cost: 1.x streams these two
            return f'(max("{expression.field}") - min("{expression.field}"))'
        return f'{expression.reducer}("{expression.field}")'
    if isinstance(expression, Number):
        return repr(expression.value)
    assert isinstance(expression, Operation)
    return f"({_text(expression.left)} {expression.sign} {_text(expression.right)})"
