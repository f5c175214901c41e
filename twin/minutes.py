"""Roll-ups over a minute: a tenth of the bytes, kept ten times as long.

A row of `sat_1m` says of one satellite and one minute of UTC what its reports said: smallest, mean
and largest of a few channels, largest of a few states, and how many reports there were. It is made
where the reports are made, from the numbers that they carry, and leaves with one of the satellite's
first reports of a later minute: over the same recorder, by the same batch, late if that is late.
Shards take turns, so that the roll-ups of a large fleet are no burst. So it is a pure function of
scenario and seed, whatever was lost or repeated on the way.

Those of the fleet and its planes are in `rollup_minutes.py`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from twin.channels import (
    BUS_CHANNELS,
    BUS_MEASUREMENT,
    CHANNEL_SETS,
    SAT_MINUTE_MEASUREMENT,
    by_name,
)
from twin.frames import FieldLayout, encode_rows
from twin.reports import EncodeRows, Shard
from twin.state import BoolArray, Fleet, FloatArray, IntArray

MINUTE_NS: Final = 60 * 10**9

MINUTE_CHANNELS: Final = (
    "orb_sunlit_frac",
    "eps_soc_pct",
    "eps_array_w",
    "eps_load_w",
    "eps_compute_w",
    "tcs_die_max_t_c",
    "tcs_coldplate_t_c",
    "tcs_rad_t_k",
    "tcs_batt_t_c",
    "rad_dose_rate_rad_day",
    "job_goodput_pct",
    "gnd_backlog_gb",
)
"""Channels that dashboards show over days: smallest, mean and largest of each."""
MINUTE_STATES: Final = ("eps_mode", "sat_health")
"""States whose larger codes are the worse ones: the largest of each."""
MEAN_DECIMALS: Final = 2  # of a mean, beyond its channel's; our choice


_DECIMALS: Final = np.array([by_name()[name].decimals for name in MINUTE_CHANNELS])
_SCALE: Final = 10.0**_DECIMALS

SAT_LAYOUT: Final = FieldLayout(
    floats=(
        *(f"{name}_{how}" for how in ("min", "mean", "max") for name in MINUTE_CHANNELS),
        "reports_count",
    ),
    integers=tuple(f"{name}_max" for name in MINUTE_STATES),
    decimals=np.concatenate([_DECIMALS, _DECIMALS + MEAN_DECIMALS, _DECIMALS, [0]]),
)
"""Fields of `sat_1m`."""


def minute_of(time_ns: int) -> int:
    """Number of a minute since 1970."""
    return time_ns // MINUTE_NS


class MinuteRows(NamedTuple):
    """Finished minutes of some satellites of a shard."""

    places: IntArray  # in the shard's rows
    body: bytes  # a line of each, in their order


class _Gathered:
    """One minute of each satellite, (n,) and (n, channels) numbers; minute -1 = nothing."""

    def __init__(self, count: int) -> None:
        shape = (count, len(MINUTE_CHANNELS))
        self.minute = np.full(count, -1, dtype=np.int64)
        self.reports_count = np.zeros(count)
        self.low, self.high = np.full(shape, np.inf), np.full(shape, -np.inf)
        self.total, self.there = np.zeros(shape), np.zeros(shape)
        self.worst = np.zeros((count, len(MINUTE_STATES)))

    def move(self, rows: IntArray, other: "_Gathered") -> None:
        """Give these satellites' minutes to `other`."""
        for name in _SAVED:
            getattr(other, name)[rows] = getattr(self, name)[rows]
        self.forget(rows)

    def forget(self, rows: IntArray) -> None:
        """Nothing is known of these satellites."""
        self.minute[rows] = -1
        self.reports_count[rows] = 0.0
        self.low[rows], self.high[rows] = np.inf, -np.inf
        self.total[rows] = self.there[rows] = 0.0
        self.worst[rows] = 0.0

    def take(self, other: "_Gathered", before: IntArray) -> None:
        """What `other` has; before: (n,) its row of each of ours, -1 of one that it has not."""
        kept = before >= 0
        for name in _SAVED:
            getattr(self, name)[kept] = getattr(other, name)[before[kept]]

    def columns(self, rows: IntArray) -> tuple[FloatArray, IntArray]:
        """Floats and states of SAT_LAYOUT."""
        there = self.there[rows]
        some = there > 0.0
        mean = self.total[rows] / np.where(some, there, 1.0)
        parts = [
            *(np.where(some, part, np.nan) for part in (self.low[rows], mean, self.high[rows])),
            self.reports_count[rows, None],
        ]
        return np.column_stack(parts), self.worst[rows].astype(np.int64)

    def saved(self, prefix: str) -> dict[str, FloatArray]:
        """Arrays for a checkpoint, (n, ...) each."""
        return {f"{prefix}_{name}": getattr(self, name).astype(np.float64) for name in _SAVED}

    def restore(self, prefix: str, saved: Mapping[str, FloatArray]) -> None:
        """Go on from what `saved` gave. Raises KeyError where it lacks a part."""
        for name in _SAVED:
            mine = getattr(self, name)
            mine[:] = saved[f"{prefix}_{name}"].reshape(mine.shape)


_SAVED: Final = ("minute", "reports_count", "low", "high", "total", "there", "worst")


class SatelliteMinutes:
    """What each satellite's current minute holds so far, and the one before until it leaves."""

    def __init__(self, fleet: Fleet) -> None:
        self._current, self._ended = _Gathered(fleet.count), _Gathered(fleet.count)
        self._reported = _reported(fleet)
        self._now_ns = 0

    def moved(self, fleet: Fleet, before: IntArray) -> "SatelliteMinutes":
        """The same for a changed fleet; before: (n,) row of each until now, -1 of a new one.

        A satellite that leaves takes along what it has not sent.
        """
        found = SatelliteMinutes(fleet)
        found._current.take(self._current, before)
        found._ended.take(self._ended, before)
        return found

    def begin(self, time_ns: int) -> None:
        """The reports that follow are of this time."""
        self._now_ns = time_ns

    def finished(self, shard: Shard, encode: EncodeRows = encode_rows) -> MinuteRows | None:
        """Rows that leave with this report of the shard's satellites; None if there are none."""
        now, begun = minute_of(self._now_ns), self._current.minute[shard.rows]
        over = np.flatnonzero((begun < now) & (begun >= 0))
        # One that has not left yet although another is over (a satellite was silent) goes first.
        early = over[self._ended.minute[shard.rows[over]] >= 0]
        printed = self._printed(shard, early, encode)
        if over.size:
            self._current.move(shard.rows[over], self._ended)
        ended = self._ended.minute[shard.rows]
        in_turn = self._now_ns - now * MINUTE_NS >= shard.minute_delay_ns
        leave = np.flatnonzero((ended >= 0) & (in_turn | (ended < now - 1)))
        printed += self._printed(shard, leave, encode)
        if not printed:
            return None
        places = np.concatenate([one.places for one in printed])
        return MinuteRows(places, b"".join(one.body for one in printed))

    def _printed(self, shard: Shard, places: IntArray, encode: EncodeRows) -> list[MinuteRows]:
        """The ended minutes of some of a shard's satellites, which are forgotten with that."""
        if not places.size:
            return []
        rows = shard.rows[places]
        minutes = self._ended.minute[rows]
        prefix, begun = len(BUS_MEASUREMENT), SAT_MINUTE_MEASUREMENT.encode()
        floats, states = self._ended.columns(rows)
        self._ended.forget(rows)
        found: list[MinuteRows] = []
        # A satellite that was silent for long is behind the others of its shard.
        for minute in np.unique(minutes).tolist():
            of = np.flatnonzero(minutes == minute)
            heads = [begun + shard.bus_heads[place][prefix:] for place in places[of].tolist()]
            body = encode(heads, SAT_LAYOUT, floats[of], states[of], minute * MINUTE_NS)
            found.append(MinuteRows(places[of], body))
        return found

    def note(self, rows: IntArray, readings: Mapping[str, FloatArray]) -> None:
        """Readings of reports, (r,) each, rounded as they are printed; each row once a tick."""
        if not rows.size:
            return
        index: IntArray | slice = rows
        if int(rows[-1]) - int(rows[0]) + 1 == rows.size:  # ascending and without a hole
            index = slice(int(rows[0]), int(rows[-1]) + 1)
        values = np.column_stack([readings[name] for name in MINUTE_CHANNELS])
        values = np.round(values * _SCALE) / _SCALE
        there = np.isfinite(values)
        if self._reported is not None:
            there &= self._reported[index]
        now = self._current
        now.minute[index] = minute_of(self._now_ns)
        now.reports_count[index] += 1.0
        states = np.column_stack([readings[name] for name in MINUTE_STATES])
        now.worst[index] = np.maximum(now.worst[index], states)
        if there.all():
            now.low[index] = np.minimum(now.low[index], values)
            now.high[index] = np.maximum(now.high[index], values)
            now.total[index] += values
            now.there[index] += 1.0
            return
        now.low[index] = np.minimum(now.low[index], np.where(there, values, np.inf))
        now.high[index] = np.maximum(now.high[index], np.where(there, values, -np.inf))
        now.total[index] += np.where(there, values, 0.0)
        now.there[index] += there

    def saved(self) -> dict[str, FloatArray]:
        """Arrays for a checkpoint, (n, ...) each."""
        return self._current.saved("minute") | self._ended.saved("ended_minute")

    def restore(self, saved: Mapping[str, FloatArray]) -> None:
        """Go on from what `saved` gave. Raises KeyError where it lacks a part."""
        self._current.restore("minute", saved)
        self._ended.restore("ended_minute", saved)


def _reported(fleet: Fleet) -> BoolArray | None:
    """Which of MINUTE_CHANNELS each satellite reports, (n, channels); None if all do all."""
    table = np.array(
        [
            [name in {channel.name for channel in one.channels} for name in MINUTE_CHANNELS]
            for one in CHANNEL_SETS
        ]
    )
    if fleet.channel_set_index is None or table[np.unique(fleet.channel_set_index)].all():
        return None
    return np.asarray(table[fleet.channel_set_index], dtype=np.bool_)


def minute_fields() -> list[tuple[str, str]]:
    """Field of `sat_1m` and what it is, in the order of the wire."""
    meanings = {"min": "smallest", "mean": "mean", "max": "largest"}
    labels = {channel.name: channel.meaning for channel in BUS_CHANNELS}
    found = [
        (f"{name}_{how}", f"{meaning} of `{name}`: {labels[name]}")
        for name in MINUTE_CHANNELS
        for how, meaning in meanings.items()
    ]
    found += [(f"{name}_max", f"largest code of `{name}`") for name in MINUTE_STATES]
    return [*found, ("reports_count", "reports of the satellite in this minute")]
