"""Launches that happened, and how long each of their satellites lives.

The draws are counter-based (`twin.noise`): launch k and its passenger j always have the same
fate, whatever the length of the plan or the cadence asked for.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from twin.constants import SECONDS_PER_DAY
from twin.life_plan import LifePlan
from twin.noise import exponential, satellite_keys, uniform
from twin.state import BoolArray, FloatArray, IntArray

_SEATS: Final = 2**20  # counters of one launch: more than the passengers that a plan may have


@dataclass(frozen=True)
class Flown:
    """Launches that happened, and their satellites as flat arrays."""

    slot: IntArray
    planned_s: FloatArray
    at_s: FloatArray
    lost: BoolArray
    seats: IntArray
    entered_s: FloatArray  # (satellites,) begin of service, inf = never
    ended_s: FloatArray  # (satellites,) re-entry
    orbited_s: FloatArray  # (satellites,) begin in orbit


def launch_times_s(plan: LifePlan, slots: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Planned times and draws of loss of the launch slots, (slots,) each; slips come in `live`."""
    planned_s = np.asarray(np.arange(slots) * plan.launch_interval_s, dtype=np.float64)
    key = satellite_keys([plan.name])
    return planned_s, uniform(seed, "launch_loss", key, np.arange(slots, dtype=np.int64))


def played(plan: LifePlan, slots: int, horizon_s: float, seed: int) -> Flown:
    """Walk through the launches in the order they fly; ends of lives are kept in daily bins.

    Each launch slips by itself (several pads); a loss holds back all that follow it.
    """
    key = satellite_keys([plan.name])
    planned_s, fate = launch_times_s(plan, slots, seed)
    slip_s = plan.slip_mean_s * exponential(seed, "launch_slip", key, np.arange(slots))
    held_s, doomed = _held_back(plan, planned_s)
    ready_s = planned_s + slip_s + held_s
    days = math.ceil(horizon_s / SECONDS_PER_DAY) + 2
    ends_by_day = np.zeros(days, dtype=np.int64)
    alive, seen_day, delay_s = 0, 0, 0.0
    rows: list[tuple[int, float, bool, int]] = []
    lives: list[tuple[FloatArray, FloatArray]] = []
    for slot in np.argsort(ready_s, kind="stable").tolist():
        at_s = float(ready_s[slot]) + delay_s
        if at_s > horizon_s:
            break
        day = int(at_s // SECONDS_PER_DAY)
        alive -= int(ends_by_day[seen_day:day].sum())
        seen_day = day
        missing = plan.target_count + plan.spares_count - alive
        if missing < plan.reorder_count:
            continue
        seats = min(missing, plan.per_launch_count)
        lost = bool(fate[slot] < plan.loss_frac or doomed[slot])
        rows.append((slot, at_s, lost, seats))
        if lost:
            delay_s += plan.stand_down_s
            continue
        entered_s, ended_s = _lives(plan, slot, seats, at_s, seed)
        bins = np.minimum(ended_s // SECONDS_PER_DAY, days - 1).astype(np.int64)
        ends_by_day += np.bincount(bins, minlength=days)
        alive += seats
        lives.append((entered_s, ended_s))
    return _flattened(rows, lives, planned_s)


def _held_back(plan: LifePlan, planned_s: FloatArray) -> tuple[FloatArray, BoolArray]:
    """What the plan's slips add to each launch slot [s], and which slots they doom, (slots,)."""
    held_s, doomed = np.zeros(planned_s.size), np.zeros(planned_s.size, dtype=np.bool_)
    for slip in plan.slips:
        first = int(np.searchsorted(planned_s, slip.from_s))
        theirs = slice(first, first + math.ceil(slip.satellites_count / plan.per_launch_count))
        if math.isinf(slip.slip_s):
            doomed[theirs] = True
        else:
            held_s[theirs] += slip.slip_s
    return held_s, doomed


def _lives(
    plan: LifePlan, slot: int, seats: int, at_s: float, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Begin of service and re-entry of the passengers of one launch, (seats,) each.

    One that fails early never serves and re-enters when it should have begun to; the others end
    with their design life or with a failure at a constant rate, whichever is first.
    """
    key = satellite_keys([plan.name])
    counter = slot * _SEATS + np.arange(seats, dtype=np.int64)
    begin_s = at_s + plan.service_after_s
    early = uniform(seed, "early_failure", key, counter) < plan.early_failure_frac
    wait = exponential(seed, "satellite_failure", key, counter)
    lifetime_s = np.full(seats, plan.life_s)
    breaks = wait < plan.failure_rate_s * plan.life_s
    lifetime_s[breaks] = wait[breaks] / plan.failure_rate_s
    entered_s = np.where(early, np.inf, begin_s)
    return entered_s, np.where(early, begin_s, begin_s + lifetime_s)


def _flattened(
    rows: list[tuple[int, float, bool, int]],
    lives: list[tuple[FloatArray, FloatArray]],
    planned_s: FloatArray,
) -> Flown:
    slot = np.array([row[0] for row in rows], dtype=np.int64)
    at_s = np.array([row[1] for row in rows], dtype=np.float64)
    lost = np.array([row[2] for row in rows], dtype=np.bool_)
    seats = np.array([row[3] for row in rows], dtype=np.int64)
    nobody = np.empty(0)
    entered_s = np.concatenate([one for one, _ in lives] or [nobody])
    ended_s = np.concatenate([one for _, one in lives] or [nobody])
    orbited_s = np.repeat(at_s[~lost], seats[~lost])
    return Flown(slot, planned_s[slot], at_s, lost, seats, entered_s, ended_s, orbited_s)
