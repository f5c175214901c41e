"""A fleet whose ticks are compiled: the same physics as twin/step.py, many ticks in a call.

Held per satellite: about 0.9 kB (83 float64 rows, elements, three knots), accelerators only
where something has happened. Faults are not in the kernels: a run under faults steps by numpy.
"""

import math
from typing import Final

import numba
import numpy as np

from twin.compiled import draws
from twin.compiled import rows as r
from twin.compiled.almanac import tick_table
from twin.compiled.held import HeldFleet
from twin.compiled.ticks import run
from twin.orbit import KNOT_INTERVAL_S
from twin.state import FloatArray

THREADS_FROM_COUNT: Final = 20_000
_TICKS_LIMIT: Final = 600  # in one call; keeps the table of ticks small


class CompiledFleet(HeldFleet):
    """State of n satellites, advanced by compiled ticks of one length.

    Rows are in the order of the roster outside and by class inside. Raises NotCompiledError
    for what the kernels do not have: the Sun at its maximum, solar particle events and storms.
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
        exposed_s = self._exposed_at(ticks)
        elapsed_s: FloatArray = np.asarray(ticks * step_s, dtype=np.float64)
        table = tick_table(elapsed_s, exposed_s, index, self.epoch_unix_s, self.settings)
        done = 0
        while done < len(table):
            planned = self._desk.next_tick()
            stop = planned == first + done
            limit = len(table)
            if planned is not None and not stop:
                limit = min(limit, planned - first)
            done = self._run_ticks(begin, end, table, (done, limit), stop)
        self._prefetch(index + 2, inside - first + 1)
        self.tick = inside

    def _run_ticks(
        self,
        begin: FloatArray,
        end: FloatArray,
        table: FloatArray,
        span: tuple[int, int],
        stop: bool,
    ) -> int:
        reached, found = self._go(begin, end, table, span, False, stop)
        if reached == span[1]:
            return reached
        self._events(self.tick + 1 + reached, table[reached], found)
        self._go(begin, end, table, (reached, reached + 1), True, False)
        return reached + 1

    def _go(
        self,
        begin: FloatArray,
        end: FloatArray,
        table: FloatArray,
        span: tuple[int, int],
        resume: bool,
        stop: bool,
    ) -> tuple[int, int]:
        reached, found = run(
            self._s,
            begin,
            end,
            self._bounds,
            self._table.constants,
            self._table.matrices,
            table,
            *span,
            resume,
            stop,
            self._sky,
            self.step_s,
            self._of_row,
            self._keys,
            self._stream,
            self._found,
        )
        return int(reached), int(found)

    def _events(self, tick: int, now: FloatArray, found: int) -> None:
        due = self._found[:found].copy()
        hazard_count = self._hazard(due, float(now[r.EXPOSED]))
        self._desk.handle(self._s, due, hazard_count, tick, float(now[r.ELAPSED]))
        for row in due.tolist():
            draws.set_due(self._s, row, self._table.constants[self._of_row[row]])

    def _prefetch(self, index: int, ticks: int) -> None:
        """A share of the next knot, so that no tick waits for all of it."""
        if self._spare is None or self._spare[0] != index:
            self._spare = (index, np.empty((6, self.count)), 0)
        _, motion, first = self._spare
        share = math.ceil(self.count * ticks * self.step_s / KNOT_INTERVAL_S)
        last = min(first + share, self.count)
        self._propagate(motion, index, first, last)
        self._spare = (index, motion, last)
