"""A fleet whose ticks are compiled: the same physics as twin/step.py, many ticks in a call.

Held per satellite: about 0.9 kB (72 float64 rows, elements, three knots), accelerators only
where something has happened. Faults are not in the kernels: a run under faults steps by numpy.
"""

import math
from typing import Final

import numba
import numpy as np

from twin.compiled import rows as r
from twin.compiled.almanac import tick_table
from twin.compiled.held import HeldFleet
from twin.compiled.ticks import run
from twin.orbit import KNOT_INTERVAL_S
from twin.state import FloatArray, IntArray

THREADS_FROM_COUNT: Final = 20_000
_TICKS_LIMIT: Final = 600  # in one call; keeps the table of ticks small


class CompiledFleet(HeldFleet):
    """State of n satellites, advanced by compiled ticks of one length.

    Rows are in the order of the roster outside and in tiles of one class inside. Raises
    NotCompiledError for what the kernels do not have: the Sun at its maximum, solar particle
    events and storms.
    """

    def advance(self, ticks: int) -> None:
        """Run some ticks."""
        last = self.tick + ticks
        before = numba.get_num_threads()
        # Below this, waking threads costs more than their share of the work; bits are the same.
        if self.count < THREADS_FROM_COUNT:
            numba.set_num_threads(1)
        try:
            while self.tick < last:
                self._run_interval(last)
        finally:
            numba.set_num_threads(before)

    def _run_interval(self, last: int) -> None:
        """Ticks up to `last` that lie between the same two knots."""
        first, step_s = self.tick + 1, self.step_s
        index = math.floor(first * step_s / KNOT_INTERVAL_S)
        inside = first
        while inside - first < _TICKS_LIMIT and inside < last:
            if math.floor((inside + 1) * step_s / KNOT_INTERVAL_S) != index:
                break
            inside += 1
        begin, end = self._knot(index), self._knot(index + 1)
        ticks = np.arange(first, inside + 1)
        elapsed_s: FloatArray = np.asarray(ticks * step_s, dtype=np.float64)
        exposed_s = self._exposed_at(ticks)
        table, sites = tick_table(elapsed_s, exposed_s, index, self.epoch_unix_s, self.settings)
        table[:, r.TICK] = ticks
        todo = np.arange(self._tiles.count)
        reached, resume = np.zeros(todo.size, dtype=np.int64), False
        while todo.size:
            self._run_tiles(todo, reached, resume, begin, end, table, sites)
            todo, resume = np.flatnonzero(reached < ticks.size), True
            if todo.size:
                self._events(todo, reached, table)
        self._prefetch(index + 2, inside - first + 1)
        self.tick = inside

    def _run_tiles(
        self,
        todo: IntArray,
        reached: IntArray,
        resume: bool,
        begin: FloatArray,
        end: FloatArray,
        table: FloatArray,
        sites: FloatArray,
    ) -> None:
        run(
            todo,
            reached,
            resume,
            self._due,
            self._s,
            begin.reshape(self._tiles.count, -1),
            end.reshape(self._tiles.count, -1),
            self._tiles.class_of,
            self._table.constants,
            self._table.matrices,
            self._keys,
            table,
            sites,
            *self._sky,
            self.step_s,
            self._stream,
        )

    def _events(self, todo: IntArray, reached: IntArray, table: FloatArray) -> None:
        """The events at which tiles stopped, all of them together whatever their tick."""
        tile, lane = np.nonzero(self._due[todo])
        tile = todo[tile]
        self._desk.handle(self._s, tile, lane, table[reached[tile]], self._keys, self.step_s)

    def _prefetch(self, index: int, ticks: int) -> None:
        """A share of the next knot, so that no tick waits for all of it."""
        if self._spare is None or self._spare[0] != index:
            self._spare = (index, self._room(), 0)
        _, motion, first = self._spare
        share = math.ceil(self._tiles.count * ticks * self.step_s / KNOT_INTERVAL_S)
        last = min(first + share, self._tiles.count)
        self._propagate(motion, index, first, last)
        self._spare = (index, motion, last)
