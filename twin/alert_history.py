"""What alert rules have to remember of telemetry: newest values, and windows in bounded memory.

Nothing is kept that no rule asks for. A newest value costs two arrays per field; a window costs a
ring of at most 31 buckets (`twin/alert_rings.py`), whatever the report interval.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from twin.alert_conditions import Condition, Reading, Reducer
from twin.alert_fields import ALL, Fields, Reader, Rows, rows_of
from twin.alert_rings import Rings
from twin.state import FloatArray, IntArray


class Newest:
    """The newest value of some fields, (f, n), and when each was measured."""

    def __init__(self, fields: Sequence[str], count: int) -> None:
        self._fields = Fields(fields)
        self._value = np.full((len(fields), count), np.nan)
        self._time_s = np.full((len(fields), count), -np.inf)
        self._known: dict[tuple[int, float], tuple[float, FloatArray]] = {}

    @property
    def fields(self) -> tuple[str, ...]:
        """Their names."""
        return self._fields.names

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self._value.nbytes + self._time_s.nbytes

    def add(self, time_s: float, columns: Mapping[str, FloatArray], rows: Rows) -> None:
        """Take columns (r,) of these rows; nan is nothing, older than what is known too."""
        self._known.clear()
        for group, values in self._fields.blocks(columns):
            times_s, known = self._time_s[group], self._value[group]
            if rows is ALL:
                newer = ~np.isnan(values) & (times_s <= time_s)
                np.copyto(known, values, where=newer)
                np.copyto(times_s, time_s, where=newer)
            else:
                newer = ~np.isnan(values) & (times_s[:, rows] <= time_s)
                known[:, rows] = np.where(newer, values, known[:, rows])
                times_s[:, rows] = np.where(newer, time_s, times_s[:, rows])

    def reader(self, field: str, window_s: float) -> Reader:
        """The newest value of a field at an instant; nan where it is older than the window."""

        def read(time_s: float) -> FloatArray:
            group, inside = self._fields.group_of(field, self._value.shape[1])
            found = self._known.get((group.start, window_s))
            if found is None or found[0] != time_s:
                fresh = self._time_s[group] >= time_s - window_s
                found = time_s, np.where(fresh, self._value[group], np.nan)
                self._known[group.start, window_s] = found
            row: FloatArray = found[1][inside]
            return row

        return read

    def grow(self, count: int) -> None:
        """Room for more series."""
        self._known.clear()
        more = (len(self._fields.names), count - self._value.shape[1])
        self._value = np.concatenate([self._value, np.full(more, np.nan)], axis=1)
        self._time_s = np.concatenate([self._time_s, np.full(more, -np.inf)], axis=1)


class History:
    """What the conditions of some rules have to remember."""

    def __init__(self, conditions: Iterable[Condition], counts: Mapping[str, int]) -> None:
        """counts: series of each measurement, n."""
        self.counts = dict(counts)
        last: dict[str, set[str]] = {}
        windows: dict[tuple[str, float], dict[str, set[Reducer]]] = {}
        for one in conditions:
            for reading in one.readings():
                if reading.reducer == "last":
                    last.setdefault(one.measurement, set()).add(reading.field)
                else:
                    asked = windows.setdefault((one.measurement, one.window_s), {})
                    asked.setdefault(reading.field, set()).add(reading.reducer)
        self._newest = {
            name: Newest(sorted(fields), self.counts[name]) for name, fields in sorted(last.items())
        }
        self._rings = {
            key: Rings(windows[key], self.counts[key[0]], key[1]) for key in sorted(windows)
        }
        self._takers: dict[str, list[Newest | Rings]] = {}
        for name, newest in self._newest.items():
            self._takers.setdefault(name, []).append(newest)
        for (name, _), rings in self._rings.items():
            self._takers.setdefault(name, []).append(rings)
        self.fields: Final[dict[str, tuple[str, ...]]] = {
            name: tuple(sorted({field for taker in takers for field in taker.fields}))
            for name, takers in sorted(self._takers.items())
        }
        """Fields of each measurement that some condition reads."""

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(taker.nbytes for takers in self._takers.values() for taker in takers)

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
        chosen = rows_of(rows, self.counts[measurement]) if measurement in self.fields else ALL
        for taker in self._takers.get(measurement, ()):
            taker.add(time_s, columns, chosen)

    def reader(self, condition: Condition, reading: Reading) -> Reader:
        """How to get one reading of a condition, again and again."""
        if reading.reducer == "last":
            return self._newest[condition.measurement].reader(reading.field, condition.window_s)
        rings = self._rings[condition.measurement, condition.window_s]
        return rings.reader(reading.field, reading.reducer)

    def grow(self, measurement: str, count: int) -> None:
        """Room for more series of a measurement."""
        self.counts[measurement] = count
        for taker in self._takers.get(measurement, ()):
            taker.grow(count)
