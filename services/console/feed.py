"""The live picture of a fleet: the latest value of every live channel, in one array.

Telemetry batches go in (`ingest`), once a second a picture is published (`tick`), and browsers
take what changed since the picture they have (`changed_since`). A browser that is slow skips
pictures and gets the newest: nothing queues, so memory does not grow with browsers or with time.
"""

import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.console.latest import Latest, Values
from services.console.lines import (
    LineReader,
    RowGroups,
    lines_of,
    parse_fields,
    parse_head,
    split_line,
)
from services.console.roster import SATELLITES_LIMIT, Roster
from services.console.runs import Runs
from services.console.simclock import NS, DataClock
from twin.channels import ACCEL_MEASUREMENT, BUS_MEASUREMENT
from twin.state import BoolArray, FloatArray, IntArray

LIVE_CHANNELS = (
    "orb_lat_deg",
    "orb_lon_deg",
    "orb_alt_km",
    "orb_sunlit_frac",
    "orb_in_saa",
    "orb_beta_deg",
    "eps_soc_pct",
    "eps_array_w",
    "eps_compute_w",
    "eps_mode",
    "tcs_die_max_t_c",
    "tcs_batt_t_c",
    "rad_dose_rate_rad_day",
    "accel_available_pct",
    "job_util_pct",
    "job_tokens_s",
    "isl_up_pct",
    "gnd_contact",
    "sat_health",
)
"""Channels every browser gets for every satellite; the others are fetched per satellite."""

STAMP_DIGITS = 19
HEADS_LIMIT = 2_000_000
SILENT_INTERVALS = 3.0
"""A satellite is stale after this many of its own report intervals without a report."""
SLACK_WALL_S = 2.0
RESTART_QUIET_S = 15.0
RESTART_STEP_BACK_NS = 60 * NS


@dataclass
class Counts:
    """What came in and what could not be used, since the start."""

    messages: int = 0
    lines: int = 0
    rejected: int = 0
    late: int = 0
    pictures_skipped: int = 0
    restarts: int = 0


class LiveFleet:
    """Latest values, (n, channels), with the time of each satellite's last report.

    `clock` is the wall clock in seconds (any origin); simulated time comes from the data alone.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        satellites_limit: int = SATELLITES_LIMIT,
    ) -> None:
        self.channels = LIVE_CHANNELS
        self.counts = Counts()
        self.tick_number = 0
        self._runs = Runs()
        self._wall_s = clock
        self._limit = satellites_limit
        self.roster = Roster(satellites_limit)
        self._reader = LineReader(LIVE_CHANNELS)
        self._restart()

    def _restart(self) -> None:
        self.run = secrets.token_hex(4)
        self.fleet_name = ""
        self.roster = Roster(self._limit, self.roster)
        self._latest = Latest(len(self.channels))
        self._left: set[str] = set()  # satellites that have left the fleet
        self._heads: dict[bytes, tuple[int, str | None] | None] = {}
        self.clock = DataClock(self._wall_s)

    @property
    def values(self) -> Values:
        """Latest values, (n, channels); NaN = not known or sensor lost."""
        return self._latest.values

    @property
    def time_ns(self) -> IntArray:
        """Simulated time of each satellite's last report; 0 = none yet."""
        return self._latest.time_ns

    @property
    def interval_s(self) -> FloatArray:
        """Simulated seconds between the last two reports; NaN = fewer than two."""
        return self._latest.interval_s

    @property
    def previous_position_deg(self) -> Values:
        """Latitude and longitude at the report before the last, (n, 2)."""
        return self._latest.previous_position_deg

    @property
    def previous_time_ns(self) -> IntArray:
        """Simulated time of the report before the last; 0 = none."""
        return self._latest.previous_time_ns

    def ingest(self, payload: bytes) -> None:
        """Take one batch of line protocol, as it came over MQTT; its header may be missing."""
        self.counts.messages += 1
        judgement = self._runs.judge(payload)
        if judgement == "ended":
            self.counts.late += 1
            return
        if judgement == "new":
            self.counts.restarts += 1
            self._restart()
        groups = RowGroups()
        for line in lines_of(payload):
            self.counts.lines += 1
            try:
                self._take(line, groups)
            except (ValueError, UnicodeDecodeError):
                self.counts.rejected += 1
        for columns, rows, times_ns, values in groups.arrays(np.float32):
            run = self.run
            self._write(columns, rows, times_ns, values)
            if run != self.run:  # the rows of the other groups are gone
                return

    def on_state(self, satellite_id: str, payload: bytes | Mapping[str, Any]) -> None:
        """Take a satellite's retained state message: name, preset, plane, accelerators."""
        if not self.roster.describe(satellite_id, payload):
            self.counts.rejected += 1

    def change_fleet(self, joined: Collection[str], left: Collection[str]) -> None:
        """Satellites have joined or left: those that left are no part of the picture any more.

        Browsers start anew. What still comes of those that left is not taken.
        """
        gone = {name: row for name in left if (row := self.roster.row(name)) is not None}
        self._left = (self._left - {*joined}) | gone.keys()
        if not gone:
            return
        self._latest.drop([*gone.values()], self.tick_number + 1)
        self.run, self.roster = secrets.token_hex(4), self.roster.without(gone.keys())
        self._heads = {}

    def tick(self) -> int:
        """Publish the picture; returns its number."""
        self.clock.tick(self.counts.messages, self.counts.lines)
        self.tick_number += 1
        return self.tick_number

    def changed_since(self, tick: int) -> IntArray:
        """Rows with anything new in the pictures after number `tick`."""
        mark = self._latest.mark
        return np.flatnonzero((mark > tick) & (mark <= self.tick_number))

    def stale(self) -> BoolArray:
        """Satellites silent for more than three of their intervals, or never heard, (n,)."""
        usual_s = float(np.nanmedian(self.interval_s)) if np.isfinite(self.interval_s).any() else 10
        interval_s = np.where(np.isfinite(self.interval_s), self.interval_s, usual_s)
        slack_s = SLACK_WALL_S * max(self.clock.rate_or_real_time(), 1.0)
        age_s = (self.clock.now_ns() - self.time_ns) / NS
        silent: BoolArray = age_s > SILENT_INTERVALS * interval_s + slack_s
        never: BoolArray = self.time_ns == 0
        return np.logical_or(silent, never)

    def all_channels(self, satellite_id: str) -> tuple[dict[str, float], int]:
        """Every channel of a known satellite's last report, and its time [ns]; ({}, 0) if none."""
        satellite = self.roster.find(satellite_id)
        if satellite is None:
            raise KeyError(satellite_id)
        return parse_fields(satellite.raw) if satellite.raw else ({}, 0)

    def all_accelerators(self, satellite_id: str) -> dict[str, dict[str, float]]:
        """Every channel of each accelerator's last report, by accelerator index."""
        satellite = self.roster.find(satellite_id)
        if satellite is None:
            raise KeyError(satellite_id)
        return {key: parse_fields(raw)[0] for key, raw in satellite.accelerators.items()}

    # what ingest is made of
    def _take(self, line: bytes, groups: RowGroups) -> None:
        head, rest = split_line(line)
        place = self._heads.get(head, False)
        if place is False:
            place = self._register(head)
        if place is None or isinstance(place, bool):
            return
        row, accelerator = place
        if accelerator is not None:
            self._keep_accelerator(row, accelerator, rest)
            return
        columns, values, time_ns = self._reader.read(rest)
        satellite = self.roster.satellites[row]
        if _stamp(rest) >= _stamp(satellite.raw):
            satellite.raw = rest
        groups.add(row, columns, values, time_ns)

    def _keep_accelerator(self, row: int, accelerator: str, rest: bytes) -> None:
        if not (_stamp(rest).isdigit() and b"=" in rest):
            raise ValueError("no fields or no timestamp")
        kept = self.roster.satellites[row].accelerators
        if _stamp(rest) >= _stamp(kept.get(accelerator, b"")):
            kept[accelerator] = rest

    def _register(self, head: bytes) -> tuple[int, str | None] | None:
        parsed = parse_head(head)
        place: tuple[int, str | None] | None = None
        if parsed.measurement in (BUS_MEASUREMENT, ACCEL_MEASUREMENT):
            satellite = parsed.tags.get("sat", "")
            if satellite in self._left:
                return None
            row = self.roster.admit(satellite, parsed.tags.get("plane", ""))
            if row is None:
                raise ValueError("unfit satellite id, or too many satellites")
            self._latest.grow(len(self.roster))
            self.fleet_name = parsed.tags.get("fleet", self.fleet_name)[:96]
            accelerator = parsed.tags.get("accel")
            if (parsed.measurement == ACCEL_MEASUREMENT) != (accelerator is not None):
                raise ValueError("accelerator tag and measurement disagree")
            if accelerator is not None and not (accelerator.isdigit() and len(accelerator) <= 4):
                raise ValueError("unfit accelerator index")
            place = (row, accelerator)
        if len(self._heads) < HEADS_LIMIT:
            self._heads[head] = place
        return place

    def _write(
        self, columns: tuple[int, ...], rows: IntArray, times_ns: IntArray, values: Values
    ) -> None:
        taken_ns = self._latest.write(columns, rows, times_ns, values, self.tick_number + 1)
        self.counts.late += times_ns.size - taken_ns.size
        if taken_ns.size:
            self.clock.saw(int(taken_ns[-1]))
        else:
            self._restart_if_clock_went_back(int(times_ns.max()))

    def _restart_if_clock_went_back(self, newest_ns: int) -> None:
        """A simulator started again at an earlier epoch: forget, or the page would stay frozen."""
        quiet = self.clock.quiet_s() > RESTART_QUIET_S
        if quiet and newest_ns < self.clock.newest_ns - RESTART_STEP_BACK_NS:
            self.counts.restarts += 1
            self._restart()


def _stamp(rest: bytes) -> bytes:
    """Timestamp of a line as text; 19 digits of nanoseconds (2001 to 2286) sort as they pass."""
    return rest[-STAMP_DIGITS:]
