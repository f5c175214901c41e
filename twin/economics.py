"""What a fleet costs and leaves behind, beside data centres on the ground.

Plain yearly sums, no interest and no tax: capital is written off evenly over its life. Every
input has a source (presets, presets/launchers.yaml, presets/economics.yaml) and can be replaced.
No figure for CO2: no source for one is at hand, and none is invented.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from twin.constants import SECONDS_PER_JULIAN_YEAR
from twin.economic_inputs import EconomicInputs
from twin.errors import ConfigurationError, Problem
from twin.launchers import Launcher
from twin.life_values import LifeValues
from twin.preset_values import PresetValues
from twin.site_presets import GroundPreset

HOURS_PER_YEAR: Final = SECONDS_PER_JULIAN_YEAR / 3600.0  # by definition
UNALLOCATED: Final = "unallocated"


@dataclass(frozen=True)
class FleetEconomics:
    """One fleet in orbit, per year of steady state."""

    name: str
    satellites_count: int
    usd_per_kg: float
    rated_power_kw: float  # of one satellite, what launch prices are quoted for
    launched_power_usd_per_kw_year: float
    compute_kw: float  # whole fleet, planned mean
    accelerators_count: int
    accelerator_hours_year: float
    energy_kwh_year: float  # payload
    usd_year: dict[str, float]  # launch, platform, servers, operations
    usd_per_kw_year: float  # all in, per kW of payload
    usd_per_accelerator_hour: float | None  # None for a relay
    replaced_per_year: float
    launches_per_year: float
    reentry_t_year: float  # spares and failures included
    reentry_design_t_year: float  # satellites in service over their design life
    water_litre_year: float  # 0 in orbit


@dataclass(frozen=True)
class GroundEconomics:
    """A site on the ground, scaled to the same payload power as a fleet."""

    name: str
    title: str
    it_power_kw: float
    site_power_kw: float  # with PUE
    accelerator_hours_year: float
    energy_kwh_year: float  # drawn from the grid
    water_litre_year: float
    land_acre: float
    usd_per_kw_year: float
    usd_per_accelerator_hour: float


@dataclass(frozen=True)
class TenantShare:
    """What one tenant used in a year."""

    tenant: str
    accelerator_hours: float
    energy_kwh: float


def launched_power_usd_per_kw_year(
    usd_per_kg: float, mass_kg: float, power_kw: float, life_year: float
) -> float:
    """Price of launching one kilowatt for a year: usd_per_kg * (mass / power) / life.

    Suncatcher paper, arXiv:2511.19468, section on launch costs: 575 kg, 28 kW, 5 years give
    14,786 USD at 3,600 USD/kg and 821 at 200 (the paper prints 14,700 and 810).

    Validity: no discounting.
    Source: Google Suncatcher paper 2025, arXiv:2511.19468, section on launch costs.
    """
    return usd_per_kg * mass_kg / power_kw / life_year


def mean_surviving_frac(hard_fail_per_year: float, life_year: float) -> float:
    """Mean share of accelerators alive over a life of constant failure rate r, none replaced.

    (1 - exp(-r L)) / (r L); 1 without failures.

    Validity: constant failure rate.
    Source: closed form: mean of exp(-r t) over a life.
    """
    exponent = hard_fail_per_year * life_year
    return -math.expm1(-exponent) / exponent if exponent > 0.0 else 1.0


def reentry_t_per_year(satellites_count: float, mass_kg: float, life_year: float) -> float:
    """Mass that re-enters each year in steady state [t]: n m / L / 1000.

    One million of 3 t and 5 years: 200,000 re-entries, 600,000 t (SpaceX filing).

    Validity: steady state, all satellites re-enter.
    Source: by definition: n m / L; count of the SpaceX filing to the FCC of 2026-01-30.
    """
    return satellites_count * mass_kg / life_year / 1000.0


def rated_power_kw(values: PresetValues, life: LifeValues) -> float:
    """What launch prices are quoted for: the preset's figure, else planned payload, else bus.

    Validity: presets with a quoted, a payload or a bus power.
    Source: by definition: the power that launch prices are quoted for.
    """
    return life.rated_power_kw or values.compute_average_kw or values.bus_power_kw


def fleet_economics(
    name: str,
    values: PresetValues,
    life: LifeValues,
    count: int,
    vehicle: Launcher,
    inputs: EconomicInputs,
    usd_per_kg: float | None = None,
) -> FleetEconomics:
    """Costs and footprint of a fleet of `count` in service, with its spares, in steady state.

    Launch and platform are written off over the satellite's life, losses at launch paid for by
    1 / (1 - loss); failed satellites shorten the mean life to (1 - exp(-f L)) / f. Spares are
    launched and built, not sold. Servers are bought for the satellites in service.
    """
    price = vehicle.values.usd_per_kg if usd_per_kg is None else usd_per_kg
    mean_life = life.life_year * mean_surviving_frac(life.failure_pct_year / 100.0, life.life_year)
    built = count * (1.0 + life.spares_pct / 100.0) / (1.0 - life.early_failure_pct / 100.0)
    yearly = built / mean_life
    flown = yearly / (1.0 - vehicle.values.loss_pct / 100.0)
    compute_kw = count * values.compute_average_kw
    platform_usd = 1000.0 * inputs.platform_usd_per_w * values.array_power_kw
    usd = {
        "launch": flown * values.mass_kg * price,
        "platform": flown * platform_usd,
        "servers": inputs.server_usd_per_kw_year * compute_kw,
    }
    capital = built * (values.mass_kg * price + platform_usd)
    usd["operations"] = inputs.operations_pct_year / 100.0 * capital
    alive = mean_surviving_frac(values.hard_fail_per_accel_year, life.life_year)
    accelerators = count * values.accel_count
    hours = accelerators * HOURS_PER_YEAR * alive * inputs.availability_pct / 100.0
    rated = rated_power_kw(values, life)
    per_launch = life.satellites_per_launch or max(
        math.floor(vehicle.values.payload_kg / values.mass_kg), 1
    )
    total = sum(usd.values())
    return FleetEconomics(
        name=name,
        satellites_count=count,
        usd_per_kg=price,
        rated_power_kw=rated,
        launched_power_usd_per_kw_year=launched_power_usd_per_kw_year(
            price, values.mass_kg, rated, life.life_year
        ),
        compute_kw=compute_kw,
        accelerators_count=accelerators,
        accelerator_hours_year=hours,
        energy_kwh_year=compute_kw * HOURS_PER_YEAR * inputs.availability_pct / 100.0,
        usd_year=usd,
        usd_per_kw_year=total / (compute_kw or count * rated),
        usd_per_accelerator_hour=total / hours if hours else None,
        replaced_per_year=yearly,
        launches_per_year=flown / per_launch,
        reentry_t_year=reentry_t_per_year(built, values.mass_kg, mean_life),
        reentry_design_t_year=reentry_t_per_year(count, values.mass_kg, life.life_year),
        water_litre_year=0.0,
    )


def ground_economics(
    preset: GroundPreset, inputs: EconomicInputs, it_power_kw: float | None = None
) -> GroundEconomics:
    """A ground site, or the part of it with the given server power.

    Servers, energy times PUE, building written off over its life, operations of the building.
    """
    site = preset.site
    whole_kw = site.it_power_mw * 1000.0
    share = 1.0 if it_power_kw is None else it_power_kw / whole_kw
    power_kw = whole_kw * share
    building = 1000.0 * site.facility_usd_per_w
    per_kw = site.server_usd_per_kw_year + site.energy_usd_per_kw_year * site.pue
    per_kw += building / site.facility_life_year
    per_kw += building * inputs.ground_operations_pct_year / 100.0
    used = HOURS_PER_YEAR * inputs.availability_pct / 100.0
    hours = site.accel_count * share * used
    return GroundEconomics(
        name=preset.name,
        title=preset.title,
        it_power_kw=power_kw,
        site_power_kw=power_kw * site.pue,
        accelerator_hours_year=hours,
        energy_kwh_year=power_kw * site.pue * used,
        water_litre_year=power_kw * used * site.water_litre_per_kwh,
        land_acre=site.land_acre * share,
        usd_per_kw_year=per_kw,
        usd_per_accelerator_hour=per_kw * power_kw / hours,
    )


def showback(
    accelerator_hours: float, energy_kwh: float, shares: Mapping[str, float]
) -> tuple[TenantShare, ...]:
    """A planned year split over tenants; the rows sum to the total (a run bills in `twin.jobs`).

    `shares` are parts of 1; what they leave is `unallocated`. Raises ConfigurationError for a
    share outside 0 to 1 and for shares that sum to more than 1.
    """
    wrong = [
        Problem("economics", None, f"tenant {name}", f"{part:g} is out of range; allowed 0 to 1")
        for name, part in shares.items()
        if not 0.0 <= part <= 1.0
    ]
    total = math.fsum(shares.values())
    if not wrong and total > 1.0 + 1e-9:
        wrong = [Problem("economics", None, "tenants", f"shares sum to {total:g}; allowed up to 1")]
    if wrong:
        raise ConfigurationError(wrong)
    rest = max(1.0 - total, 0.0)
    parts = {**shares, UNALLOCATED: rest} if rest > 1e-9 else dict(shares)
    return tuple(
        TenantShare(name, accelerator_hours * part, energy_kwh * part)
        for name, part in parts.items()
    )
