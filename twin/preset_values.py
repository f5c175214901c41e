"""The numbers that describe one kind of satellite, in operators' units, with their bounds.

A preset gives all of them, each with a source; a scenario's `overrides` may replace any of
them. `twin.fleet_params` turns them into SI arrays. The bounds are wide: they stop slips of unit
and sign, not opinions.
"""

from typing import Any, Literal

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, ConfigDict, Field, model_validator

Topology = Literal["none", "ring", "plus_grid", "chain", "lattice"]


def _number(low: float, high: float, meaning: str) -> Any:
    return Field(ge=low, le=high, description=meaning)


class StrictModel(BaseModel):
    """No unknown keys, no silent conversion, no infinities, no change after the check."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class PresetValues(StrictModel):
    """One class of satellites. `_c` is degrees Celsius except in C-rates, which say so."""

    mass_kg: float = Field(gt=0, le=1e6, description="mass in orbit")
    drag_area_m2: float = _number(0, 1e6, "mean area across the flow")
    array_power_kw: float = _number(0, 1e7, "begin of life, 1 AU, normal, 28 C; 0 = none")
    array_area_m2: float = _number(0, 1e8, "cell area")
    array_health_pct: float = _number(0, 100, "remaining power at the epoch")
    array_loss_pct_year: float = _number(0, 50, "yearly loss")
    array_temp_coeff_pct_c: float = _number(-2, 0, "output per degree above 28 C")
    converter_efficiency_pct: float = _number(10, 100, "array to bus")
    external_power_kw: float = _number(0, 1e4, "supply of a host platform; 0 = free flyer")
    battery_capacity_kwh: float = _number(0, 1e6, "nameplate; 0 = the host platform supplies")
    battery_cells_count: int = _number(1, 1000, "cells in series")
    battery_charge_limit_c: float = _number(0.01, 20, "C-rate")
    battery_discharge_limit_c: float = _number(0.01, 20, "C-rate")
    battery_coulombic_pct: float = _number(50, 100, "charge efficiency")
    battery_depth_limit_pct: float = _number(1, 100, "deepest planned discharge")
    bus_voltage_v: float = _number(5, 10_000, "nominal")
    bus_power_kw: float = _number(0, 1e4, "housekeeping, without compute and heaters")
    accelerator: str = Field(min_length=1, description="name in profiles/accelerators.yaml")
    accel_count: int = _number(0, 100_000, "accelerators per satellite; 0 = relay or storage")
    accel_power_limit_w: float = _number(1, 10_000, "power cap of one accelerator")
    host_power_kw: float = _number(0, 1e5, "all hosts of the satellite")
    compute_average_kw: float = _number(0, 1e6, "planned sustained payload, hosts included")
    compute_peak_kw: float = _number(0, 1e6, "largest payload power allowed")
    burst_period_min: float = _number(0, 100_000, "0 = continuous duty")
    burst_on_min: float = _number(0, 100_000, "on time in each period")
    eclipse_compute_pct: float = _number(0, 100, "planned payload cap in eclipse")
    training_pct: float = _number(0, 100, "share of work that is synchronous training")
    checkpoint_interval_s: float = _number(1, 1e6, "between training checkpoints")
    radiator_area_m2: float = Field(gt=0, le=1e8, description="emitting, both sides")
    radiator_emissivity: float = _number(0.01, 1, "infrared")
    radiator_absorptivity: float = _number(0, 1, "solar")
    radiator_sink_k: float = _number(3, 350, "design sink")
    radiator_heat_store_kj_k: float = _number(0, 1e6, "phase-change or added mass")
    coolant_kg: float = _number(0, 1e6, "fluid in the loops; heat pipes count as loop")
    shield_mm_al: float = _number(0.5, 100, "aluminium equivalent")
    sel_per_accel_year: float = _number(0, 1000, "latch-ups")
    hard_fail_per_accel_year: float = _number(0, 100, "permanent failures")
    link_topology: Topology = Field(description="inter-satellite links")
    link_rate_gbps: float = _number(0, 1e6, "one link; 0 = none")
    link_range_limit_km: float = _number(0, 1e5, "line of sight or pointing limit")
    link_reference_range_km: float = _number(0, 1e5, "where the link margin is 0 dB")
    link_acquire_s: float = _number(0, 3600, "until a lost link carries data again")
    ground_rate_mbps: float = _number(0, 1e8, "one pass, downlink")
    ground_relayed: bool = Field(description="through a relay constellation, at all times")

    @model_validator(mode="after")
    def _consistent(self) -> "PresetValues":
        if self.burst_on_min > self.burst_period_min:
            raise ValueError(
                f"burst_on_min {self.burst_on_min:g} is longer than burst_period_min "
                f"{self.burst_period_min:g}; allowed 0 to burst_period_min"
            )
        if self.battery_capacity_kwh <= 0.0 and self.external_power_kw <= 0.0:
            raise ValueError(
                f"battery_capacity_kwh {self.battery_capacity_kwh:g} without a host platform's "
                "supply; allowed above 0 to 1,000,000, or external_power_kw above 0"
            )
        if self.compute_average_kw > self.compute_peak_kw:
            raise ValueError(
                f"compute_average_kw {self.compute_average_kw:g} is above compute_peak_kw "
                f"{self.compute_peak_kw:g}; allowed 0 to compute_peak_kw"
            )
        return self


def allowed_ranges(model: type[BaseModel]) -> dict[str, str]:
    """`low to high` of every bounded field of a model, by key."""
    found = {}
    for name, info in model.model_fields.items():
        low: object = None
        high: object = None
        above = ""
        for bound in info.metadata:
            if isinstance(bound, Gt):
                low, above = bound.gt, "above "
            elif isinstance(bound, Ge):
                low = bound.ge
            elif isinstance(bound, Le):
                high = bound.le
        if low is not None and high is not None:
            found[name] = f"{above}{_plain(low)} to {_plain(high)}"
    return found


def _plain(bound: object) -> str:
    """1e8 as 100,000,000: people compare it with what they typed."""
    number = float(str(bound))
    return f"{number:,.0f}" if number.is_integer() else f"{number:g}"
