"""Windows of telemetry in bounded memory: what the reducers of some fields need, in buckets."""

import math
from collections.abc import Collection, Mapping
from typing import Final

import numpy as np

from twin.alert_conditions import Reducer
from twin.alert_fields import ALL, Fields, Reader, Rows
from twin.state import FloatArray

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
_MERGE: Final[Mapping[str, np.ufunc]] = {
    "min": np.minimum, "max": np.maximum, "sum": np.add, "count": np.add,
}  # fmt: skip


class _Part:
    """One aggregate of some fields, (f, buckets, n)."""

    def __init__(self, name: str, fields: Collection[str], slots: int, count: int) -> None:
        self.fields = Fields(sorted(fields))
        self.array = np.full((len(self.fields.names), slots, count), _EMPTY[name])


class Rings:
    """Some fields over one window, in buckets.

    A bucket holds rows with (number - 1) x size < time <= number x size, so on the grid of buckets
    the window is (time - window, time]; off it, up to one bucket longer.
    """

    def __init__(
        self, wanted: Mapping[str, Collection[Reducer]], count: int, window_s: float
    ) -> None:
        """wanted: the reducers that are asked of each field; count: of series, n."""
        self._size_s = max(BUCKET_S, window_s / BUCKETS)
        self._buckets = math.ceil(window_s / self._size_s)
        by_part: dict[str, set[str]] = {}
        for field, reducers in wanted.items():
            for part in (part for reducer in reducers for part in _PARTS[reducer]):
                by_part.setdefault(part, set()).add(field)
        self.fields: Final = tuple(sorted(wanted))
        self._parts = {
            name: _Part(name, by_part[name], self._buckets + 1, count) for name in sorted(by_part)
        }
        self._newest: int | None = None  # number of the newest bucket; those before it follow back
        self._known: dict[tuple[str, int], tuple[float, FloatArray]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(part.array.nbytes for part in self._parts.values())

    def add(self, time_s: float, columns: Mapping[str, FloatArray], rows: Rows) -> None:
        """Take columns (r,) of these rows; a time before the whole ring is ignored."""
        number, slots = math.ceil(time_s / self._size_s), self._buckets + 1
        newest = number - slots if self._newest is None else self._newest
        if number <= newest - slots:
            return
        self._known.clear()
        for fresh in range(max(newest + 1, number - slots + 1), number + 1):
            for name, part in self._parts.items():
                part.array[:, fresh % slots] = _EMPTY[name]
        self._newest = max(newest, number)
        for name, part in self._parts.items():
            for group, values in part.fields.blocks(columns):
                layer = part.array[group, number % slots]
                if rows is ALL:
                    _take(name, layer, values)
                else:
                    chosen = layer[:, rows]
                    _take(name, chosen, values)
                    layer[:, rows] = chosen

    def reader(self, field: str, reducer: Reducer) -> Reader:
        """A field's reducer over the window that ends at an instant; nan without any value."""
        if reducer == "spread":
            high, low = self.reader(field, "max"), self.reader(field, "min")
            return lambda time_s: high(time_s) - low(time_s)
        if reducer in {"mean", "count"}:
            return self._mean(field) if reducer == "mean" else self._count(field)
        return lambda time_s: self._group(reducer, field, time_s)

    def _count(self, field: str) -> Reader:
        def read(time_s: float) -> FloatArray:
            count = self._group("count", field, time_s)
            return np.where(count > 0.0, count, np.nan)

        return read

    def _mean(self, field: str) -> Reader:
        def read(time_s: float) -> FloatArray:
            count = self._group("count", field, time_s)
            none = np.where(count > 0.0, count, np.nan)
            return np.asarray(self._group("sum", field, time_s) / none)

        return read

    def _group(self, name: str, field: str, time_s: float) -> FloatArray:
        """A part of a field over the window; its whole group is made at once."""
        part = self._parts[name]
        group, inside = part.fields.group_of(field, part.array.shape[2])
        found = self._known.get((name, group.start))
        if found is None or found[0] != time_s:
            whole = part.array[group]
            made = (
                self._first(whole, time_s) if name == "first" else self._merged(name, whole, time_s)
            )
            found = self._known[name, group.start] = (time_s, made)
        row: FloatArray = found[1][inside]
        return row

    def _first(self, whole: FloatArray, time_s: float) -> FloatArray:
        found = np.full((whole.shape[0], whole.shape[2]), np.nan)
        for view in self._views(whole, time_s):
            np.copyto(found, view[:, 0], where=np.isnan(found))  # mostly all of it
            field, series = np.nonzero(np.isnan(found))
            if field.size == 0:
                return found
            values = view[field, :, series]
            oldest = (~np.isnan(values)).argmax(axis=1)
            found[field, series] = values[np.arange(field.size), oldest]
        return found

    def _merged(self, name: str, whole: FloatArray, time_s: float) -> FloatArray:
        merge = _MERGE[name]
        found = np.full((whole.shape[0], whole.shape[2]), _EMPTY[name])
        for view in self._views(whole, time_s):
            merge(found, merge.reduce(view, axis=1), out=found)
        if name in {"min", "max"}:
            found[np.isinf(found)] = np.nan
        return found

    def _views(self, whole: FloatArray, time_s: float) -> list[FloatArray]:
        # The window's buckets, oldest first: a run of the ring, cut where it begins again.
        if self._newest is None:
            return []
        slots = self._buckets + 1
        last = min(math.ceil(time_s / self._size_s), self._newest)
        first = max(math.floor(time_s / self._size_s) - self._buckets + 1, self._newest - slots + 1)
        if last < first:
            return []
        begin, end = first % slots, last % slots + 1
        if begin < end:
            return [whole[:, begin:end]]
        return [whole[:, begin:], whole[:, :end]]

    def grow(self, count: int) -> None:
        """Room for more series."""
        self._known.clear()
        for name, part in self._parts.items():
            fields, slots, old = part.array.shape
            more = np.full((fields, slots, count - old), _EMPTY[name])
            part.array = np.concatenate([part.array, more], axis=2)


def _take(name: str, known: FloatArray, values: FloatArray) -> None:
    """Values (f, r) into an aggregate of the same shape, in place; nan is nothing."""
    if name == "first":
        np.copyto(known, values, where=np.isnan(known))
    elif name == "count":
        known += ~np.isnan(values)
    elif name == "sum":
        known += np.where(np.isnan(values), 0.0, values)
    else:
        (np.fmin if name == "min" else np.fmax)(known, values, out=known)
