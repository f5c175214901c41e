"""The life of a fleet: launches that slip and fail, deployment, spares, failures, re-entry.

A planned cadence meets a launcher's losses and delays; satellites enter service after
deployment, fail, are replaced from the next launch, and re-enter at the end of their life. The
draws are counter-based (`twin.noise`): launch k and its passenger j always have the same fate,
whatever the length of the plan or the cadence asked for.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from twin.constants import SECONDS_PER_DAY, SECONDS_PER_JULIAN_YEAR
from twin.deployment import service_start_s
from twin.errors import ConfigurationError, Problem
from twin.launchers import Launcher, launcher
from twin.life_values import LifeValues
from twin.noise import exponential, satellite_keys, uniform
from twin.preset_values import PresetValues
from twin.state import BoolArray, FloatArray, IntArray

MAX_DRAWS: Final = 50_000_000
MAX_REPORTS: Final = 2000
_SEATS: Final = 2**20  # counters of one launch: more than the passengers that a plan may have
SPARES_WARNING_PCT: Final = 25.0  # of the planned spares; fleets.md 5.3, ops row; assumption
SPARES_CRITICAL_PCT: Final = 15.0  # the same


@dataclass(frozen=True)
class LifePlan:
    """What is to be built up and kept, SI."""

    name: str
    target_count: int  # satellites in service
    spares_count: int  # in orbit beyond them
    mass_kg: float
    compute_w: float  # planned payload power of one satellite
    life_s: float
    failure_rate_s: float  # 1/s, whole satellite
    early_failure_frac: float
    per_launch_count: int
    launch_interval_s: float
    slip_mean_s: float
    loss_frac: float
    stand_down_s: float  # of all later launches after a loss
    service_after_s: float  # from orbit to service

    @property
    def reorder_count(self) -> int:
        """Missing satellites that are worth a flight: half of the spares or a full load."""
        return max(1, min(self.per_launch_count, math.ceil(self.spares_count / 2)))

    @property
    def filled_s(self) -> float:
        """When target and spares would all be in service by the plan."""
        flights = math.ceil((self.target_count + self.spares_count) / self.per_launch_count)
        return (flights - 1) * self.launch_interval_s + self.service_after_s


@dataclass(frozen=True)
class FleetLife:
    """A plan and what became of it, (k,) over report times unless said."""

    plan: LifePlan
    time_s: FloatArray
    planned_service_count: IntArray  # without slips, losses and failures
    in_orbit_count: IntArray
    in_service_count: IntArray  # spares included
    deploying_count: IntArray  # in orbit, not yet in service
    active_count: IntArray  # in service, at most the target
    spares_left_pct: FloatArray  # of the planned spares
    planned_capacity_w: FloatArray
    capacity_w: FloatArray
    lost_at_launch_count: IntArray  # running totals from here on
    failed_count: IntArray
    launches_count: IntArray
    launches_lost_count: IntArray
    launched_mass_kg: FloatArray
    reentered_mass_kg: FloatArray
    launch_planned_s: FloatArray  # (launches,) flown, in order
    launch_s: FloatArray  # (launches,)
    launch_lost: BoolArray  # (launches,)

    @property
    def reentry_kg_per_s(self) -> float:
        """Mean over the last year of the plan."""
        last = np.searchsorted(self.time_s, self.time_s[-1] - SECONDS_PER_JULIAN_YEAR)
        since_s = self.time_s[-1] - self.time_s[last]
        fallen_kg = self.reentered_mass_kg[-1] - self.reentered_mass_kg[last]
        return float(fallen_kg / since_s) if since_s > 0 else 0.0


@dataclass(frozen=True)
class _Flown:
    """Launches that happened, and their satellites as flat arrays."""

    slot: IntArray
    planned_s: FloatArray
    at_s: FloatArray
    lost: BoolArray
    seats: IntArray
    entered_s: FloatArray  # (satellites,) begin of service, inf = never
    ended_s: FloatArray  # (satellites,) re-entry
    orbited_s: FloatArray  # (satellites,) begin in orbit


def life_plan(
    name: str, values: PresetValues, life: LifeValues, target_count: int, by: Launcher | None = None
) -> LifePlan:
    """A plan from a preset's numbers and a launcher, by default the preset's own.

    `satellites_per_launch` holds where it is not 0, else as many as the payload lifts.

    Raises ConfigurationError for an unknown launcher and for a satellite that no flight can lift.
    """
    vehicle = by or launcher(life.launcher)
    capacity_kg = vehicle.values.payload_kg
    per_launch = life.satellites_per_launch or math.floor(capacity_kg / values.mass_kg)
    if per_launch < 1:
        message = f"{values.mass_kg:,.0f} kg does not fit: {vehicle.name} lifts {capacity_kg:,.0f}"
        raise ConfigurationError([Problem("life", None, f"{name}.mass_kg", message)])
    yearly = 1.0 / SECONDS_PER_JULIAN_YEAR
    return LifePlan(
        name=name,
        target_count=target_count,
        spares_count=math.ceil(target_count * life.spares_pct / 100.0),
        mass_kg=values.mass_kg,
        compute_w=values.compute_average_kw * 1000.0,
        life_s=life.life_year * SECONDS_PER_JULIAN_YEAR,
        failure_rate_s=-math.log1p(-min(life.failure_pct_year, 99.9) / 100.0) * yearly,
        early_failure_frac=life.early_failure_pct / 100.0,
        per_launch_count=per_launch,
        launch_interval_s=SECONDS_PER_JULIAN_YEAR / life.launches_per_year,
        slip_mean_s=life.slip_mean_day * SECONDS_PER_DAY,
        loss_frac=vehicle.values.loss_pct / 100.0,
        stand_down_s=vehicle.values.stand_down_day * SECONDS_PER_DAY,
        service_after_s=service_start_s(life),
    )


def live(plan: LifePlan, years: float, seed: int, reports_count: int = 61) -> FleetLife:
    """Play a plan for some years; `reports_count` evenly spaced instants, both ends included.

    A launch slot is used when at least `reorder_count` of target and spares are missing, with as
    many satellites as are missing and fit. Raises ConfigurationError for years outside 0 to 100
    and for plans beyond MAX_DRAWS satellites.
    """
    slots = _checked_slots(plan, years, reports_count)
    horizon_s = years * SECONDS_PER_JULIAN_YEAR
    flown = _played(plan, slots, horizon_s, seed)
    time_s = np.linspace(0.0, horizon_s, reports_count)
    return _reported(plan, flown, time_s)


def launch_times_s(plan: LifePlan, slots: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Planned times and draws of loss of the launch slots, (slots,) each; slips come in `live`."""
    planned_s = np.asarray(np.arange(slots) * plan.launch_interval_s, dtype=np.float64)
    key = satellite_keys([plan.name])
    return planned_s, uniform(seed, "launch_loss", key, np.arange(slots, dtype=np.int64))


def steady_reentry_kg_per_s(count: int, mass_kg: float, life_s: float) -> float:
    """Mass that re-enters once a fleet has its age mix [kg/s]: n m / L."""
    return count * mass_kg / life_s


def _checked_slots(plan: LifePlan, years: float, reports_count: int) -> int:
    if not 0.0 < years <= 100.0:
        message = f"{years:g} is out of range; allowed above 0 to 100"
        raise ConfigurationError([Problem("life", None, "years", message)])
    if not 2 <= reports_count <= MAX_REPORTS:
        message = f"{reports_count} is out of range; allowed 2 to {MAX_REPORTS}"
        raise ConfigurationError([Problem("life", None, "reports", message)])
    slots = math.floor(years * SECONDS_PER_JULIAN_YEAR / plan.launch_interval_s) + 1
    if slots * plan.per_launch_count > MAX_DRAWS:
        message = (
            f"{slots} launches of {plan.per_launch_count} satellites; allowed {MAX_DRAWS} in all"
        )
        raise ConfigurationError([Problem("life", None, "launches_per_year", message)])
    return slots


def _played(plan: LifePlan, slots: int, horizon_s: float, seed: int) -> _Flown:
    """Walk through the launches in the order they fly; ends of lives are kept in daily bins.

    Each launch slips by itself (several pads); a loss holds back all that follow it.
    """
    key = satellite_keys([plan.name])
    planned_s, fate = launch_times_s(plan, slots, seed)
    slip_s = plan.slip_mean_s * exponential(seed, "launch_slip", key, np.arange(slots))
    ready_s = planned_s + slip_s
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
        lost = bool(fate[slot] < plan.loss_frac)
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
) -> _Flown:
    slot = np.array([row[0] for row in rows], dtype=np.int64)
    at_s = np.array([row[1] for row in rows], dtype=np.float64)
    lost = np.array([row[2] for row in rows], dtype=np.bool_)
    seats = np.array([row[3] for row in rows], dtype=np.int64)
    nobody = np.empty(0)
    entered_s = np.concatenate([one for one, _ in lives] or [nobody])
    ended_s = np.concatenate([one for _, one in lives] or [nobody])
    orbited_s = np.repeat(at_s[~lost], seats[~lost])
    return _Flown(slot, planned_s[slot], at_s, lost, seats, entered_s, ended_s, orbited_s)


def _reported(plan: LifePlan, flown: _Flown, time_s: FloatArray) -> FleetLife:
    served = np.isfinite(flown.entered_s)
    orbited = _until(flown.orbited_s, time_s)
    ended = _until(flown.ended_s, time_s)
    service = _until(flown.entered_s[served], time_s) - _until(flown.ended_s[served], time_s)
    early = _until(flown.ended_s[~served], time_s)
    worn_s = flown.ended_s[served] - flown.entered_s[served]
    # A life that ended within a second of its design length ended as designed.
    broken = _until(flown.ended_s[served][worn_s < plan.life_s - 1.0], time_s)
    active = np.minimum(service, plan.target_count)
    planned = _planned_count(plan, time_s)
    flights = _until(flown.at_s, time_s)
    lost_seats = np.repeat(flown.at_s[flown.lost], flown.seats[flown.lost])
    lost_count = _until(lost_seats, time_s)
    spares_pct = 100.0 * (service - active) / max(plan.spares_count, 1)
    return FleetLife(
        plan=plan,
        time_s=time_s,
        planned_service_count=planned,
        in_orbit_count=orbited - ended,
        in_service_count=service,
        deploying_count=orbited - ended - service,
        active_count=active,
        spares_left_pct=np.asarray(spares_pct if plan.spares_count else spares_pct * np.nan),
        planned_capacity_w=np.asarray(planned * plan.compute_w, dtype=np.float64),
        capacity_w=np.asarray(active * plan.compute_w, dtype=np.float64),
        lost_at_launch_count=lost_count,
        failed_count=early + broken,
        launches_count=flights,
        launches_lost_count=_until(flown.at_s[flown.lost], time_s),
        launched_mass_kg=_mass_kg(plan, orbited + lost_count),
        reentered_mass_kg=_mass_kg(plan, ended),
        launch_planned_s=flown.planned_s,
        launch_s=flown.at_s,
        launch_lost=flown.lost,
    )


def _planned_count(plan: LifePlan, time_s: FloatArray) -> IntArray:
    """Satellites in service by the plan: every launch on its day, every satellite its full life."""
    flights = np.floor((time_s - plan.service_after_s) / plan.launch_interval_s) + 1.0
    grown = np.maximum(flights, 0.0) * plan.per_launch_count
    return np.asarray(np.minimum(grown, plan.target_count), dtype=np.int64)


def _until(events_s: FloatArray, time_s: FloatArray) -> IntArray:
    """Events up to and including each instant, (k,)."""
    return np.asarray(np.searchsorted(np.sort(events_s), time_s, side="right"), dtype=np.int64)


def _mass_kg(plan: LifePlan, count: IntArray) -> FloatArray:
    return np.asarray(count * plan.mass_kg, dtype=np.float64)
