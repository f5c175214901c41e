"""What alert rules have to remember of telemetry: newest values, and windows in bounded memory.

Nothing is kept that no rule asks for. A newest value costs two arrays per field; a window costs a
ring of at most 31 buckets, whatever the report interval.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from twin.alert_conditions import Condition, Reading, Reducer
from twin.state import FloatArray, IntArray

BUCKET_S: Final = 10.0
"""Finest resolution of a window."""
BUCKETS: Final = 30
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


Rows = IntArray | slice
_ALL: Final = slice(None)


class Newest:
    """The newest value of one field, (n,), and when it was measured."""

    def __init__(self, count: int) -> None:
        self._value, self._time_s = np.full(count, np.nan), np.full(count, -np.inf)

    def add(self, time_s: float, values: FloatArray, rows: Rows) -> None:
        """Take values (r,) of these rows; nan is nothing, older than what is known too."""
        newer = ~np.isnan(values) & (self._time_s[rows] <= time_s)
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
        self._newest: int | None = None  # number of the newest bucket; those before it follow back

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(part.nbytes for part in self._parts.values())

    def add(self, time_s: float, values: FloatArray, rows: Rows) -> None:
        """Take values (r,) of these rows; a time before the whole ring is ignored."""
        number, slots = math.ceil(time_s / self._size_s), self._buckets + 1
        newest = number - slots if self._newest is None else self._newest
        if number <= newest - slots:
            return
        for fresh in range(max(newest + 1, number - slots + 1), number + 1):
            for name, part in self._parts.items():
                part[fresh % slots] = _EMPTY[name]
        self._newest = max(newest, number)
        there = ~np.isnan(values)
        for name, part in self._parts.items():
            now = part[number % slots, rows]
            if name == "min":
                now = np.minimum(now, np.where(there, values, np.inf))
            elif name == "max":
                now = np.maximum(now, np.where(there, values, -np.inf))
            elif name == "sum":
                now = now + np.where(there, values, 0.0)
            elif name == "count":
                now = now + there
            else:
                now = np.where(np.isnan(now), values, now)
            part[number % slots, rows] = now

    def reduced(self, time_s: float, reducer: Reducer) -> FloatArray:
        """The reducer over the window that ends at time_s, (n,); nan without any value."""
        if reducer == "first":
            return self._first(time_s)
        if reducer == "spread":
            return np.asarray(self.reduced(time_s, "max") - self.reduced(time_s, "min"))
        if reducer in {"mean", "count"}:
            count = self._merged(time_s, "count", np.add)
            none = np.where(count > 0.0, 1.0, np.nan)
            if reducer == "count":
                return np.asarray(count * none)
            return np.asarray(self._merged(time_s, "sum", np.add) / (count * none))
        found = self._merged(time_s, reducer, np.minimum if reducer == "min" else np.maximum)
        return np.where(np.isinf(found), np.nan, found)

    def _first(self, time_s: float) -> FloatArray:
        part = self._parts["first"]
        found = np.full(part.shape[1], np.nan)
        for view in self._views(time_s, "first"):
            found = np.where(np.isnan(found), view[0], found)  # mostly all of it
            unknown = np.flatnonzero(np.isnan(found))
            if unknown.size == 0:
                return found
            oldest = (~np.isnan(view[:, unknown])).argmax(axis=0)
            found[unknown] = view[oldest, unknown]
        return found

    def _merged(self, time_s: float, name: str, merge: np.ufunc) -> FloatArray:
        found = np.full(self._parts[name].shape[1], _EMPTY[name])
        for view in self._views(time_s, name):
            found = merge(found, merge.reduce(view, axis=0))
        return found

    def _views(self, time_s: float, name: str) -> list[FloatArray]:
        # The window's buckets, oldest first: a run of the ring, cut where it begins again.
        if self._newest is None:
            return []
        slots, part = self._buckets + 1, self._parts[name]
        last = min(math.ceil(time_s / self._size_s), self._newest)
        first = max(math.floor(time_s / self._size_s) - self._buckets + 1, self._newest - slots + 1)
        if last < first:
            return []
        begin, end = first % slots, last % slots + 1
        return [part[begin:end]] if begin < end else [part[begin:], part[:end]]

    def grow(self, count: int) -> None:
        """Room for more series."""
        for name, part in self._parts.items():
            more = np.full((part.shape[0], count - part.shape[1]), _EMPTY[name])
            self._parts[name] = np.concatenate([part, more], axis=1)


class History:
    """What the conditions of some rules have to remember."""

    def __init__(self, conditions: Iterable[Condition], counts: Mapping[str, int]) -> None:
        """counts: series of each measurement, n."""
        self.counts = dict(counts)
        wanted: dict[tuple[str, str, float], set[Reducer]] = {}
        last: set[tuple[str, str]] = set()
        for one in conditions:
            for reading in one.readings():
                if reading.reducer == "last":
                    last.add((one.measurement, reading.field))
                else:
                    window = (one.measurement, reading.field, one.window_s)
                    wanted.setdefault(window, set()).add(reading.reducer)
        self._newest = {key: Newest(self.counts[key[0]]) for key in sorted(last)}
        self._rings = {
            key: Ring(self.counts[key[0]], key[2], wanted[key]) for key in sorted(wanted)
        }
        self._takers: dict[str, list[tuple[str, Newest | Ring]]] = {}
        for (measurement, field), newest in self._newest.items():
            self._takers.setdefault(measurement, []).append((field, newest))
        for (measurement, field, _), ring in self._rings.items():
            self._takers.setdefault(measurement, []).append((field, ring))
        self._known: dict[tuple[str, Reading, float], FloatArray] = {}
        self._known_s = math.nan

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """Fields of each measurement that some condition reads."""
        return {
            measurement: tuple(sorted({field for field, _ in takers}))
            for measurement, takers in sorted(self._takers.items())
        }

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        newest = 16 * sum(self.counts[measurement] for measurement, _ in self._newest)
        return newest + sum(ring.nbytes for ring in self._rings.values())

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
        chosen: Rows = _ALL if rows is None else rows
        for field, taker in self._takers.get(measurement, ()):
            if field in columns:
                taker.add(time_s, columns[field], chosen)
        self._known_s = math.nan

    def reading(self, condition: Condition, reading: Reading, time_s: float) -> FloatArray:
        """One reading of every series, (n,); nan where the window holds no value."""
        if time_s != self._known_s:
            self._known, self._known_s = {}, time_s
        measurement, window_s = condition.measurement, condition.window_s
        key = (measurement, reading, window_s)
        if key not in self._known:
            if reading.reducer == "last":
                found = self._newest[measurement, reading.field].within(time_s, window_s)
            else:
                ring = self._rings[measurement, reading.field, window_s]
                found = ring.reduced(time_s, reading.reducer)
            self._known[key] = found
        return self._known[key]

    def grow(self, measurement: str, count: int) -> None:
        """Room for more series of a measurement."""
        self.counts[measurement] = count
        self._known_s = math.nan
        for _, taker in self._takers.get(measurement, ()):
            taker.grow(count)
