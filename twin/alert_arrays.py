"""Conditions of alert rules on arrays: the history that their windows need, and their verdicts.

Nothing is kept that no rule asks for. A newest value costs two arrays per field; a window costs a
ring of at most 61 buckets, so memory is bounded whatever the report interval.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np

from twin.alert_conditions import (
    Comparison,
    Condition,
    Expression,
    Number,
    Operation,
    Reading,
    Reducer,
)
from twin.state import BoolArray, FloatArray, IntArray

BUCKET_S: Final = 10.0
"""Finest resolution of a window."""
BUCKETS: Final = 60
"""A longer window has this many buckets."""
_PARTS: Final[Mapping[Reducer, tuple[str, ...]]] = {
    "min": ("min",),
    "max": ("max",),
    "spread": ("min", "max"),
    "mean": ("sum", "count"),
    "count": ("count",),
    "first": ("first",),
}
_EMPTY: Final[Mapping[str, float]] = {
    "min": math.inf, "max": -math.inf, "sum": 0.0, "count": 0.0, "first": math.nan,
}  # fmt: skip


class Verdict(NamedTuple):
    """What a condition says of every series, (n,)."""

    value: FloatArray  # what is compared and shown; nan = nothing known
    fires: BoolArray  # breaches
    present: BoolArray  # breaches, or has not come back beyond the clearing threshold


class Newest:
    """The newest value of one field, (n,), and when it was measured."""

    def __init__(self, count: int) -> None:
        self._value, self._time_s = np.full(count, np.nan), np.full(count, -np.inf)

    def add(self, time_s: float, values: FloatArray, rows: IntArray) -> None:
        """Take values (r,) of these rows; nan is nothing, older than what is known too."""
        newer = ~np.isnan(values) & (time_s >= self._time_s[rows])
        self._value[rows] = np.where(newer, values, self._value[rows])
        self._time_s[rows] = np.where(newer, time_s, self._time_s[rows])

    def within(self, time_s: float, window_s: float) -> FloatArray:
        """Values not older than the window, nan elsewhere, (n,)."""
        return np.where(self._time_s >= time_s - window_s, self._value, np.nan)

    def grow(self, count: int) -> None:
        """Room for more series."""
        more = count - self._value.size
        self._value = np.append(self._value, np.full(more, np.nan))
        self._time_s = np.append(self._time_s, np.full(more, -np.inf))


class Ring:
    """One field over a window, in buckets (k, n): what its reducers need and no more.

    A bucket holds rows with (number - 1) x size < time <= number x size, so on the grid of buckets
    the window is (time - window, time]; off it, up to one bucket longer.
    """

    def __init__(self, count: int, window_s: float, reducers: Iterable[Reducer]) -> None:
        self._size_s = max(BUCKET_S, window_s / BUCKETS)
        self._buckets = math.ceil(window_s / self._size_s)
        names = {part for reducer in reducers for part in _PARTS[reducer]}
        shape = (self._buckets + 1, count)
        self._parts = {name: np.full(shape, _EMPTY[name]) for name in sorted(names)}
        self._number = np.full(self._buckets + 1, np.iinfo(np.int64).min)

    def add(self, time_s: float, values: FloatArray, rows: IntArray) -> None:
        """Take values (r,) of these rows; a time before the whole ring is ignored."""
        number = math.ceil(time_s / self._size_s)
        slot = number % self._number.size
        if number < self._number[slot]:
            return
        if number > self._number[slot]:
            self._number[slot] = number
            for name, part in self._parts.items():
                part[slot] = _EMPTY[name]
        there = ~np.isnan(values)
        for name, part in self._parts.items():
            now = part[slot, rows]
            if name == "min":
                now = np.fmin(now, values)
            elif name == "max":
                now = np.fmax(now, values)
            elif name == "sum":
                now = now + np.where(there, values, 0.0)
            elif name == "count":
                now = now + there
            else:
                now = np.where(np.isnan(now), values, now)
            part[slot, rows] = now

    def reduced(self, time_s: float, reducer: Reducer) -> FloatArray:
        """The reducer over the window that ends at time_s, (n,); nan without any value."""
        number = math.ceil(time_s / self._size_s)
        oldest = math.floor(time_s / self._size_s) - self._buckets + 1
        slots = np.flatnonzero((self._number >= oldest) & (self._number <= number))
        slots = slots[np.argsort(self._number[slots])]
        if reducer == "first":
            found = np.full(self._parts["first"].shape[1], np.nan)
            for slot in slots:
                found = np.where(np.isnan(found), self._parts["first"][slot], found)
            return found
        if reducer in {"mean", "count"}:
            count = self._parts["count"][slots].sum(axis=0)
            none = np.where(count > 0.0, 1.0, np.nan)
            if reducer == "count":
                return np.asarray(count * none)
            return np.asarray(self._parts["sum"][slots].sum(axis=0) / (count * none))
        if reducer == "spread":
            return np.asarray(self.reduced(time_s, "max") - self.reduced(time_s, "min"))
        part, merge = self._parts[reducer], np.minimum if reducer == "min" else np.maximum
        found = merge.reduce(part[slots], axis=0, initial=_EMPTY[reducer])
        return np.where(np.isinf(found), np.nan, found)

    def grow(self, count: int) -> None:
        """Room for more series."""
        for name, part in self._parts.items():
            more = np.full((part.shape[0], count - part.shape[1]), _EMPTY[name])
            self._parts[name] = np.concatenate([part, more], axis=1)


class History:
    """What the conditions of some rules have to remember, and their verdicts from it."""

    def __init__(self, conditions: Iterable[Condition], counts: Mapping[str, int]) -> None:
        """counts: series of each measurement, n."""
        self.counts = dict(counts)
        wanted: dict[tuple[str, str, float], set[Reducer]] = {}
        self._newest: dict[tuple[str, str], Newest] = {}
        for one in conditions:
            for reading in one.readings():
                if reading.reducer == "last":
                    key = (one.measurement, reading.field)
                    self._newest.setdefault(key, Newest(self.counts[one.measurement]))
                else:
                    window = (one.measurement, reading.field, one.window_s)
                    wanted.setdefault(window, set()).add(reading.reducer)
        self._rings = {
            key: Ring(self.counts[key[0]], key[2], reducers) for key, reducers in wanted.items()
        }

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """Fields of each measurement that some condition reads."""
        found: dict[str, set[str]] = {}
        for measurement, field in [*self._newest, *(key[:2] for key in self._rings)]:
            found.setdefault(measurement, set()).add(field)
        return {measurement: tuple(sorted(names)) for measurement, names in found.items()}

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        rings = [part for ring in self._rings.values() for part in ring._parts.values()]
        return sum(part.nbytes for part in rings) + 16 * sum(
            self.counts[measurement] for measurement, _ in self._newest
        )

    def observe(
        self,
        time_s: float,
        measurement: str,
        columns: Mapping[str, FloatArray],
        rows: IntArray | None = None,
    ) -> None:
        """Take one report time of a measurement: fields (r,) of these rows, or (n,) of all.

        Fields that no rule reads are ignored, a field that is missing is nothing.
        """
        chosen = np.arange(self.counts[measurement]) if rows is None else rows
        for (of, field), newest in self._newest.items():
            if of == measurement and field in columns:
                newest.add(time_s, columns[field], chosen)
        for (of, field, _), ring in self._rings.items():
            if of == measurement and field in columns:
                ring.add(time_s, columns[field], chosen)

    def reading(self, condition: Condition, reading: Reading, time_s: float) -> FloatArray:
        """One reading of every series, (n,); nan where the window holds no value."""
        measurement, window_s = condition.measurement, condition.window_s
        if reading.reducer == "last":
            return self._newest[measurement, reading.field].within(time_s, window_s)
        return self._rings[measurement, reading.field, window_s].reduced(time_s, reading.reducer)

    def grow(self, measurement: str, count: int) -> None:
        """Room for more series of a measurement."""
        self.counts[measurement] = count
        for (of, _), newest in self._newest.items():
            if of == measurement:
                newest.grow(count)
        for (of, _, _), ring in self._rings.items():
            if of == measurement:
                ring.grow(count)


def verdict(condition: Condition, history: History, time_s: float) -> Verdict:
    """What a condition says of every series at an instant."""
    readings = {one: history.reading(condition, one, time_s) for one in condition.readings()}
    count = history.counts[condition.measurement]
    value = evaluated(condition.value, readings, count)
    holds = np.ones(count, dtype=np.bool_)
    for comparison in condition.when:
        holds &= _outside(evaluated(comparison.value, readings, count), comparison)
    fires = holds & _outside(value, condition.fires)
    present = fires if condition.clear is None else holds & _outside(value, condition.stays)
    return Verdict(value, fires, present)


def evaluated(
    expression: Expression, readings: Mapping[Reading, FloatArray], count: int
) -> FloatArray:
    """An expression over readings, (n,); nan in gives nan, x / 0 gives 0."""
    if isinstance(expression, Reading):
        return readings[expression]
    if isinstance(expression, Number):
        return np.full(count, expression.value)
    assert isinstance(expression, Operation)
    left = evaluated(expression.left, readings, count)
    right = evaluated(expression.right, readings, count)
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
