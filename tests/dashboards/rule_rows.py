"""Rows that put an alert rule to the test: series on both sides of every threshold it has."""

import math
from collections.abc import Iterator

import numpy as np

from twin.alert_arrays import Verdict, verdict
from twin.alert_conditions import TAGS, Condition, Reading
from twin.alert_history import History
from twin.alert_rule import Rule
from twin.channels import by_name
from twin.state import FloatArray

REPORTS = 24
CANDIDATES = 1000
KEEP = 6  # series on each side of the verdict
ABSENT_FRAC = 0.05  # of the cells: a sensor that is lost for a report


def rule_columns(rule: Rule, step_s: float) -> dict[str, FloatArray]:
    """Fields (reports, series) of some series, half of them in breach at the last report.

    Drawn about the rule's thresholds and its counters, then chosen by the verdict on arrays.
    """
    random = np.random.default_rng(sum(map(ord, rule.name)))
    condition = rule.condition
    fields = sorted({reading.field for reading in condition.readings()})
    pool = _pool(condition)
    columns = {}
    for field in fields:
        own = np.concatenate([pool, _pool_of(condition, field)])
        start = random.choice(own, CANDIDATES)
        walk = random.choice(own, (REPORTS, CANDIDATES))
        # A third stands still, a third grows steadily, a third jumps.
        kind = random.integers(0, 3, CANDIDATES)
        growing = start + np.arange(REPORTS)[:, np.newaxis] * random.choice(own, CANDIDATES)
        values = np.where(kind == 0, start, np.where(kind == 1, growing, walk))
        wanted = _breaching(condition, field)
        if wanted.size:  # half of the series stand where this field is in breach
            values[:, ::2] = random.choice(wanted, CANDIDATES)[::2]
        values[random.random(values.shape) < ABSENT_FRAC] = np.nan
        row = by_name().get(field)
        columns[field] = np.round(values) if row is not None and row.is_integer else values
    fires = fired(rule, columns, step_s).fires
    chosen = np.concatenate([np.flatnonzero(fires)[:KEEP], np.flatnonzero(~fires)[:KEEP]])
    return {field: values[:, chosen] for field, values in columns.items()}


def fired(rule: Rule, columns: dict[str, FloatArray], step_s: float) -> Verdict:
    """The arrays' verdict (series,) after the last report; the first is at one step."""
    count = next(iter(columns.values())).shape[1]
    history = History([rule.condition], {rule.condition.measurement: count})
    for report in range(REPORTS):
        now = {field: values[report] for field, values in columns.items()}
        history.observe((report + 1) * step_s, rule.condition.measurement, now)
    return verdict(rule.condition, history, REPORTS * step_s)


def step_of(rule: Rule) -> float:
    """Time between reports so that some of them fall out of the rule's window."""
    return max(10.0, rule.condition.window_s // 180.0 * 10.0)


def tag_values(rule: Rule, number: int) -> dict[str, str]:
    """Tags of one series that no other rule's rows have."""
    return dict.fromkeys(TAGS[rule.condition.measurement], f"{rule.name}-{number}")


def rows(rule: Rule, columns: dict[str, FloatArray], start_ns: int, step_s: float) -> Iterator[str]:
    """Line protocol; the first report is one step after start_ns."""
    for report in range(REPORTS):
        time_ns = start_ns + round((report + 1) * step_s * 1e9)
        for number in range(next(iter(columns.values())).shape[1]):
            cells = [
                f"{field}={_cell(field, values[report, number])}"
                for field, values in columns.items()
                if not math.isnan(values[report, number])
            ]
            tags = ",".join(f"{key}={value}" for key, value in tag_values(rule, number).items())
            if cells:
                yield f"{rule.condition.measurement},{tags} {','.join(cells)} {time_ns}"


def _cell(field: str, value: float) -> str:
    row = by_name().get(field)
    return f"{round(value)}i" if row is not None and row.is_integer else repr(float(value))


def _pool(condition: Condition) -> FloatArray:
    """Numbers on both sides of every threshold of a condition."""
    found = [0.0, 1.0]
    for comparison in (condition.fires, condition.stays, *condition.when):
        for threshold in (comparison.above, comparison.below):
            if threshold is not None:
                value = threshold.value
                step = max(abs(value) * 0.1, 0.01)
                found += [value - step, value, value + step, 2.0 * value]
    return np.array(found)


def _breaching(condition: Condition, field: str) -> FloatArray:
    """Numbers that pass every comparison with this field alone."""
    found = _pool_of(condition, field)
    for comparison in (condition.fires, *condition.when):
        value = comparison.value
        if not (isinstance(value, Reading) and value.field == field):
            continue
        above = found > comparison.above.value if comparison.above else np.zeros(found.size, bool)
        below = found < comparison.below.value if comparison.below else np.zeros(found.size, bool)
        found = found[above | below]
    return found


def _pool_of(condition: Condition, field: str) -> FloatArray:
    """Numbers of the size of one field: its thresholds, its dictionary's limits and range."""
    found = []
    for comparison in (condition.fires, *condition.when):
        value = comparison.value
        single = isinstance(value, Reading) and value.field == field
        for threshold in (comparison.above, comparison.below):
            if single and threshold is not None:
                step = max(abs(threshold.value) * 0.2, 0.01)
                found += [threshold.value - step, threshold.value + step] * 3
    row = by_name().get(field)
    if row is not None and row.low is not None and row.high is not None and row.high < 1e5:
        found += [row.low, row.high, 0.5 * (row.low + row.high)]
    return np.array(found or [0.0, 1.0, 10.0, 100.0])
