"""What nobody has published, as distributions: kW per tonne, W per m2 of radiator, failures.

Triangular, from a low to a high end that presets/economics.yaml states, with the preset's own
number as the mode; independent of each other. Draws are counter-based: same seed, same result.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from twin.economic_inputs import EconomicInputs, economics_file
from twin.economics import (
    FleetEconomics,
    fleet_economics,
    rated_power_kw,
)
from twin.errors import ConfigurationError, Problem
from twin.launchers import Launcher
from twin.life_values import LifeValues
from twin.noise import satellite_keys, uniform
from twin.preset_values import PresetValues
from twin.state import FloatArray
from twin.thermal import BUS_TO_RADIATOR_FRAC

MAX_SAMPLES: Final = 100_000
PERCENTILES: Final = (10, 50, 90)


@dataclass(frozen=True)
class Triangle:
    """A triangular distribution and where its ends come from."""

    name: str
    low: float
    mode: float
    high: float
    sources: tuple[str, str]


@dataclass(frozen=True)
class MonteCarlo:
    """Percentiles of every result, by name, in the order of PERCENTILES."""

    samples_count: int
    seed: int
    triangles: tuple[Triangle, ...]
    percentiles: dict[str, tuple[float, ...]]


def triangular(share: FloatArray, low: float, mode: float, high: float) -> FloatArray:
    """Inverse of the triangular distribution at cumulative shares in (0, 1), same shape.

    Below F(m) = (m - l) / (h - l): l + sqrt(u (h - l)(m - l)); above: h - sqrt((1 - u)(h - l)
    (h - m)). All low where the ends coincide.
    """
    span = high - low
    if span <= 0.0:
        return np.full_like(share, mode)
    rising = low + np.sqrt(share * span * (mode - low))
    falling = high - np.sqrt((1.0 - share) * span * (high - mode))
    return np.asarray(np.where(share < (mode - low) / span, rising, falling), dtype=np.float64)


def triangles(
    values: PresetValues, life: LifeValues, ends: Mapping[str, float] | None = None
) -> tuple[Triangle, ...]:
    """The three unknowns of a preset; an end gives way where the preset lies beyond it.

    `ends` replaces shipped ends, by `NAME.low` and `NAME.high`.
    """
    own = ends or {}
    heat_w = 1000.0 * (values.compute_average_kw + BUS_TO_RADIATOR_FRAC * values.bus_power_kw)
    modes = {
        "specific_power_kw_t": 1000.0 * rated_power_kw(values, life) / values.mass_kg,
        "radiator_w_m2": heat_w / (values.radiator_area_m2 / 2.0),
        "failure_pct_year": life.failure_pct_year,
    }
    found = []
    for name, mode in modes.items():
        bounds = economics_file().distributions[name]
        low = own.get(f"{name}.low", float(bounds.low.value))
        high = own.get(f"{name}.high", float(bounds.high.value))
        cited = (
            "changed" if f"{name}.low" in own else bounds.low.source,
            "changed" if f"{name}.high" in own else bounds.high.source,
        )
        found.append(Triangle(name, min(low, mode), mode, max(high, mode), cited))
    return tuple(found)


def monte_carlo(
    name: str,
    values: PresetValues,
    life: LifeValues,
    count: int,
    vehicle: Launcher,
    inputs: EconomicInputs,
    usd_per_kg: float | None,
    samples_count: int,
    seed: int,
    ends: Mapping[str, float] | None = None,
) -> MonteCarlo:
    """Percentiles of costs and footprint over `samples_count` draws.

    Mass follows from rated power over kW/t; a radiator larger than the preset's adds its panel
    mass (`radiator_kg_m2`), a smaller one takes it off, down to a tenth of the mass. Raises
    ConfigurationError for a number of samples outside 1 to MAX_SAMPLES.
    """
    if not 1 <= samples_count <= MAX_SAMPLES:
        message = f"{samples_count} is out of range; allowed 1 to {MAX_SAMPLES:,}"
        raise ConfigurationError([Problem("economics", None, "monte-carlo", message)])
    shapes = triangles(values, life, ends)
    key, counter = satellite_keys([name]), np.arange(samples_count, dtype=np.int64)
    specific, flux, failures = (
        triangular(uniform(seed, one.name, key, counter), one.low, one.mode, one.high)
        for one in shapes
    )
    heat_w = shapes[1].mode * values.radiator_area_m2 / 2.0
    planform_m2 = heat_w / flux
    dry_kg = 1000.0 * rated_power_kw(values, life) / specific
    extra_kg = inputs.radiator_kg_m2 * (planform_m2 - values.radiator_area_m2 / 2.0)
    mass_kg = np.maximum(dry_kg + extra_kg, 0.1 * dry_kg)
    columns: dict[str, list[float]] = {}
    for mass, failure in zip(mass_kg.tolist(), failures.tolist(), strict=True):
        drawn = fleet_economics(
            name,
            values.model_copy(update={"mass_kg": mass}),
            life.model_copy(update={"failure_pct_year": failure, "satellites_per_launch": 0}),
            count,
            vehicle,
            inputs,
            usd_per_kg,
        )
        for label, number in _results(drawn).items():
            columns.setdefault(label, []).append(number)
    columns["mass_kg"], columns["radiator_planform_m2"] = mass_kg.tolist(), planform_m2.tolist()
    percentiles = {
        label: tuple(float(one) for one in np.percentile(column, PERCENTILES))
        for label, column in columns.items()
    }
    return MonteCarlo(samples_count, seed, shapes, percentiles)


def _results(drawn: FleetEconomics) -> dict[str, float]:
    found = {
        "launched_power_usd_per_kw_year": drawn.launched_power_usd_per_kw_year,
        "usd_per_kw_year": drawn.usd_per_kw_year,
        "reentry_t_year": drawn.reentry_t_year,
        "launches_per_year": drawn.launches_per_year,
    }
    if drawn.usd_per_accelerator_hour is not None:
        found["usd_per_accelerator_hour"] = drawn.usd_per_accelerator_hour
    return found
