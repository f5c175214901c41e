"""The life of a fleet: launches that slip and fail, deployment, spares, failures, re-entry.

A planned cadence meets a launcher's losses and delays; satellites enter service after
deployment, fail, are replaced from the next launch, and re-enter at the end of their life.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from twin.constants import SECONDS_PER_JULIAN_YEAR
from twin.errors import ConfigurationError, Problem
from twin.flown_launches import Flown, played
from twin.life_plan import LifePlan, life_plan
from twin.state import BoolArray, FloatArray, IntArray

__all__ = ["FleetLife", "LifePlan", "life_plan", "live", "steady_reentry_kg_per_s"]

MAX_DRAWS: Final = 50_000_000
MAX_REPORTS: Final = 2000
SPARES_WARNING_PCT: Final = 25.0  # of the planned spares; assumption
SPARES_CRITICAL_PCT: Final = 15.0  # the same


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
    replaced_count: IntArray  # launched beyond the first target and spares
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


def live(plan: LifePlan, years: float, seed: int, reports_count: int = 61) -> FleetLife:
    """Play a plan for some years; `reports_count` evenly spaced instants, both ends included.

    A launch slot is used when at least `reorder_count` of target and spares are missing, with as
    many satellites as are missing and fit. Raises ConfigurationError for years outside 0 to 100
    and for plans beyond MAX_DRAWS satellites.
    """
    slots = _checked_slots(plan, years, reports_count)
    horizon_s = years * SECONDS_PER_JULIAN_YEAR
    flown = played(plan, slots, horizon_s, seed)
    time_s = np.linspace(0.0, horizon_s, reports_count)
    return _reported(plan, flown, time_s)


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


def _reported(plan: LifePlan, flown: Flown, time_s: FloatArray) -> FleetLife:
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
        replaced_count=np.maximum(orbited - plan.target_count - plan.spares_count, 0),
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
