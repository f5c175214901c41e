"""Latest values of many satellites in arrays that grow: what a picture of the fleet is made of."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from services.console.simclock import NS
from twin.state import FloatArray, IntArray

Values = np.ndarray[Any, np.dtype[np.float32]]
ROOM_MINIMUM = 64


class Latest:
    """Last report of each satellite by its row, and the time and place of the one before.

    The first two columns are latitude and longitude [deg]. Arrays are views over the satellites
    that have a row, (n, ...).
    """

    def __init__(self, columns_count: int) -> None:
        self.count = 0
        self._values = np.zeros((0, columns_count), np.float32)
        self._time_ns = np.zeros(0, np.int64)
        self._interval_s = np.zeros(0)
        self._mark = np.zeros(0, np.int64)
        self._previous = np.zeros((0, 2), np.float32)
        self._previous_ns = np.zeros(0, np.int64)

    @property
    def values(self) -> Values:
        """Latest values, (n, channels); NaN = not known or sensor lost."""
        return self._values[: self.count]

    @property
    def time_ns(self) -> IntArray:
        """Simulated time of each satellite's last report; 0 = none yet."""
        return self._time_ns[: self.count]

    @property
    def interval_s(self) -> FloatArray:
        """Simulated seconds between the last two reports; NaN = fewer than two."""
        return self._interval_s[: self.count]

    @property
    def previous_position_deg(self) -> Values:
        """Latitude and longitude at the report before the last, (n, 2)."""
        return self._previous[: self.count]

    @property
    def previous_time_ns(self) -> IntArray:
        """Simulated time of the report before the last; 0 = none."""
        return self._previous_ns[: self.count]

    @property
    def mark(self) -> IntArray:
        """Number of the picture in which each row is new."""
        return self._mark[: self.count]

    def grow(self, count: int) -> None:
        """Rows for so many satellites; nothing is known of the new ones."""
        room = self._time_ns.size
        self.count = count
        if count <= room:
            return
        extra = max(count, 2 * room, ROOM_MINIMUM) - room
        unknown = np.full((extra, self._values.shape[1]), np.nan, np.float32)
        self._values = np.concatenate([self._values, unknown])
        self._previous = np.concatenate([self._previous, unknown[:, :2]])
        self._interval_s = np.concatenate([self._interval_s, np.full(extra, np.nan)])
        nothing = np.zeros(extra, np.int64)
        self._time_ns = np.concatenate([self._time_ns, nothing])
        self._mark = np.concatenate([self._mark, nothing])
        self._previous_ns = np.concatenate([self._previous_ns, nothing])

    def drop(self, rows: Sequence[int], mark: int) -> None:
        """Satellites that are gone; the rows after each move up, so all are new from `mark` on."""
        kept = np.delete(np.arange(self.count), rows)
        for name in ("_values", "_time_ns", "_interval_s", "_previous", "_previous_ns", "_mark"):
            setattr(self, name, getattr(self, name)[kept])
        self.count = kept.size
        self._mark[:] = mark

    def write(
        self,
        columns: tuple[int, ...],
        rows: IntArray,
        times_ns: IntArray,
        values: Values,
        mark: int,
    ) -> IntArray:
        """Take reports with these columns, (k, columns); what is no newer is left out.

        Returns the times [ns] of those that were taken, in order of time.
        """
        fresh = times_ns > self._time_ns[rows]
        order = np.argsort(times_ns[fresh], kind="stable")  # the last of a row wins
        rows, times_ns, values = rows[fresh][order], times_ns[fresh][order], values[fresh][order]
        self._previous[rows] = self._values[rows, :2]
        self._previous_ns[rows] = self._time_ns[rows]
        self._time_ns[rows] = times_ns
        known = self._previous_ns[rows] > 0
        step_s = (times_ns - self._previous_ns[rows]) / NS
        self._interval_s[rows[known]] = step_s[known]
        self._values[rows] = np.nan  # a field that is not in the report is not known any more
        self._values[rows[:, None], np.array(columns, np.int64)] = values
        self._mark[rows] = mark
        return times_ns
