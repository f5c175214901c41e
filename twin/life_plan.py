"""What a fleet is to become: the plan of its launches, spares and replacements, SI."""

import math
from dataclasses import dataclass

from twin.constants import SECONDS_PER_DAY, SECONDS_PER_JULIAN_YEAR
from twin.deployment import service_start_s
from twin.errors import ConfigurationError, Problem
from twin.launchers import Launcher, launcher
from twin.life_values import LifeValues
from twin.preset_values import PresetValues


@dataclass(frozen=True)
class LaunchSlip:
    """What befalls the launches of some satellites, besides their own draws."""

    from_s: float  # planned launches from here on
    satellites_count: int  # as many launches as carry these
    slip_s: float  # inf = lost


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
    slips: tuple[LaunchSlip, ...] = ()

    @property
    def reorder_count(self) -> int:
        """Missing satellites that are worth a flight: half of the spares or a full load."""
        return max(1, min(self.per_launch_count, math.ceil(self.spares_count / 2)))

    @property
    def filled_s(self) -> float:
        """When target and spares would all be in service by the plan."""
        flights = math.ceil((self.target_count + self.spares_count) / self.per_launch_count)
        return (flights - 1) * self.launch_interval_s + self.service_after_s


def life_plan(
    name: str,
    values: PresetValues,
    life: LifeValues,
    target_count: int,
    by: Launcher | None = None,
    slips: tuple[LaunchSlip, ...] = (),
) -> LifePlan:
    """A plan from a preset's numbers and a launcher, by default the preset's own.

    `satellites_per_launch` holds where it is not 0, else as many as the payload lifts. `slips`:
    launches that a scenario holds back or loses.

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
        slips=slips,
    )
