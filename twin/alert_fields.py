"""Fields of a measurement as rows of one array (f, n), worked on in groups.

Many fields of a small fleet at once, where numpy's calls cost more than their numbers; one field
of a large fleet, whose numbers then stay in the cache.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from twin.state import FloatArray, IntArray

GROUP_VALUES: Final = 16_384
"""Numbers that are worked on at once: 128 kB, half of a core's cache."""
ALL: Final = slice(None)

Rows = IntArray | slice
Reader = Callable[[float], FloatArray]
"""One reading of every series at an instant, (n,); nan where nothing is known."""


class Fields:
    """Names of the rows of an array."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names: Final = tuple(names)
        self._places: dict[tuple[str, int], tuple[slice, int]] = {}

    def groups(self, count: int) -> Iterator[slice]:
        """Rows to work on together where each has `count` numbers."""
        size = max(1, GROUP_VALUES // max(count, 1))
        for start in range(0, len(self.names), size):
            yield slice(start, min(start + size, len(self.names)))

    def group_of(self, name: str, count: int) -> tuple[slice, int]:
        """The group of a field, and its place in it."""
        key = (name, count)
        if key not in self._places:
            place = self.names.index(name)
            found = next(one for one in self.groups(count) if one.start <= place < one.stop)
            self._places[key] = found, place - found.start
        return self._places[key]

    def blocks(self, columns: Mapping[str, FloatArray]) -> Iterator[tuple[slice, FloatArray]]:
        """Rows and their values (g, r), of the fields that the columns (r,) have."""
        here = [name for name in self.names if name in columns]
        if len(here) == len(self.names):
            for group in self.groups(columns[here[0]].size):
                yield group, _block(columns, self.names[group])
            return
        for name in here:
            place = self.names.index(name)
            yield slice(place, place + 1), _block(columns, (name,))


def _block(columns: Mapping[str, FloatArray], names: Sequence[str]) -> FloatArray:
    if len(names) == 1:
        return np.asarray(columns[names[0]])[np.newaxis]
    return np.array([columns[name] for name in names])


def rows_of(rows: IntArray | None, count: int) -> Rows:
    """Rows of which a report is; all of them, in their order, as a slice."""
    if rows is None or (rows.size == count and np.array_equal(rows, np.arange(count))):
        return ALL
    return rows
