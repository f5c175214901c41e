"""How old the newest report of every satellite is, and how overdue the next: what no query can ask.

A store knows rows, not the absence of rows, so whoever watches a fleet keeps these two numbers
and writes them down as measurement `sat_watch`. A satellite out of contact is late, not dead: it
records, and plays the gap back at the next pass, so that time does not count as overdue. How many
are silent of those that could send is `fleet_watch`, for the rules of the fleet.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from twin.alert_conditions import FLEET_WATCH_MEASUREMENT, WATCH_MEASUREMENT
from twin.state import BoolArray, FloatArray, IntArray

NS_PER_S: Final = 10**9  # exact
FIELDS: Final = ("age_s", "late_s")
"""Fields of the measurement `sat_watch`."""
FLEET_FIELDS: Final = ("silent_count", "reachable_count")
"""Fields of the measurement `fleet_watch`."""
SILENT_S: Final = 120.0
"""Overdue by more is silent [s]: telemetry age to warn at, fleet survey 5.3 (assumption)."""
_NEVER: Final = 0


class ReportAges:
    """Newest report of each satellite, (n,); satellites are added as they appear.

    Simulated time in nanoseconds since 1970. A satellite counts as in contact until somebody
    says otherwise, which the ground does where satellites record and play back.
    """

    def __init__(self, count: int = 0) -> None:
        self._stamp_ns: IntArray = np.zeros(0, dtype=np.int64)  # of the newest report
        self._heard_ns: IntArray = np.zeros(0, dtype=np.int64)  # when any report came last
        self._interval_ns: IntArray = np.zeros(0, dtype=np.int64)  # shortest seen; 0 = unknown
        self._contact_ns: IntArray = np.zeros(0, dtype=np.int64)  # in contact since then
        self._in_contact: BoolArray = np.zeros(0, dtype=np.bool_)
        self.grow(count)

    def __len__(self) -> int:
        return len(self._stamp_ns)

    def grow(self, count: int) -> None:
        """Make room for satellites up to number `count` - 1; those there are stay as they are."""
        more = max(count - len(self), 0)
        nothing = np.zeros(more, np.int64)
        self._stamp_ns = np.concatenate([self._stamp_ns, nothing])
        self._heard_ns = np.concatenate([self._heard_ns, nothing])
        self._interval_ns = np.concatenate([self._interval_ns, nothing])
        self._contact_ns = np.concatenate([self._contact_ns, nothing])
        self._in_contact = np.concatenate([self._in_contact, np.ones(more, np.bool_)])

    def hear(self, rows: IntArray | Sequence[int], stamps_ns: IntArray, now_ns: int) -> None:
        """Reports came at `now_ns`; rows and their own times stamps_ns: (r,), in any order."""
        rows, stamps_ns = np.asarray(rows, np.int64), np.asarray(stamps_ns, np.int64)
        order = np.argsort(stamps_ns, kind="stable")  # the newest of a satellite is written last
        rows, stamps_ns = rows[order], stamps_ns[order]
        np.maximum.at(self._heard_ns, rows, now_ns)
        newer = stamps_ns > self._stamp_ns[rows]
        rows, stamps_ns = rows[newer], stamps_ns[newer]
        before_ns = self._stamp_ns[rows]
        step_ns, known_ns = stamps_ns - before_ns, self._interval_ns[rows]
        shorter = (before_ns != _NEVER) & ((known_ns == 0) | (step_ns < known_ns))
        self._interval_ns[rows[shorter]] = step_ns[shorter]
        self._stamp_ns[rows] = stamps_ns

    def retire(self, rows: IntArray | Sequence[int]) -> None:
        """These satellites, (r,), have left the fleet: as if they had never been heard."""
        rows = np.asarray(rows, np.int64)
        for one in (self._stamp_ns, self._heard_ns, self._interval_ns, self._contact_ns):
            one[rows] = _NEVER
        self._in_contact[rows] = True

    def contact(self, rows: IntArray | Sequence[int], is_on: bool, now_ns: int) -> None:
        """These satellites, (r,), came into contact or went out of it at `now_ns`."""
        rows = np.asarray(rows, np.int64)
        if is_on:
            begins = rows[~self._in_contact[rows]]
            self._contact_ns[begins] = now_ns
        self._in_contact[rows] = is_on

    def at(self, now_ns: int) -> FloatArray:
        """Age and overdue time [s] at `now_ns`, (n, 2) in the order of FIELDS.

        age_s = now - stamp of the newest report. late_s = now - the last instant at which any
        report came or contact began - the shortest interval between its reports; 0 out of
        contact and below. nan for satellites that were never heard.
        """
        age_ns = np.maximum(now_ns - self._stamp_ns, 0)
        since_ns = np.maximum(self._heard_ns, self._contact_ns)
        late_ns = np.maximum(now_ns - since_ns - self._interval_ns, 0) * self._in_contact
        table = np.column_stack([age_ns, late_ns]) / NS_PER_S
        table[self._stamp_ns == _NEVER] = np.nan
        return table

    def silence(self, ages_s: FloatArray) -> FloatArray:
        """Satellites overdue by more than SILENT_S, and those heard once and in contact now, (2,).

        In the order of FLEET_FIELDS; ages_s: what `at` has just said, (n, 2).
        """
        reachable = np.isfinite(ages_s[:, 0]) & self._in_contact
        silent = reachable & (ages_s[:, 1] > SILENT_S)
        return np.array([np.count_nonzero(silent), np.count_nonzero(reachable)], dtype=np.float64)


def watch_columns(
    ages_s: FloatArray, silence_count: FloatArray
) -> dict[str, dict[str, FloatArray]]:
    """What `at` and `silence` said as the alert evaluator takes it, by measurement and field."""
    return {
        WATCH_MEASUREMENT: dict(zip(FIELDS, ages_s.T, strict=True)),
        FLEET_WATCH_MEASUREMENT: dict(zip(FLEET_FIELDS, silence_count[:, np.newaxis], strict=True)),
    }
