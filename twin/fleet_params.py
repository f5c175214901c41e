"""From operators' units to the SI arrays of the physics: the one place where they are turned."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from twin.constants import CELSIUS_ZERO_K
from twin.preset_library import AcceleratorProfile, accelerator_profiles
from twin.preset_values import PresetValues
from twin.shielding import shield_dose_frac, shield_electron_rad_cm2, shield_spe_frac
from twin.sizing import (
    HEATER_W_PER_WH,
    battery_resistance_ohm,
    chain_drop_k,
    conductances,
    heat_capacities_j_k,
)
from twin.state import FleetParams, FloatArray
from twin.thermal import BUS_TO_RADIATOR_FRAC, equilibrium_temp_k

JOULE_PER_KWH: Final = 3.6e6  # exact
EMPTY_CHAIN_W: Final = 100.0
"""A relay has no payload; its die and plate are sized as for this, idle and regular nodes."""
Fields = dict[str, Any]
Column = Callable[[str], FloatArray]


def class_params(values: Sequence[PresetValues]) -> FleetParams:
    """Parameters of each class of satellites, (classes,); spread with `FleetParams.take`."""
    profiles = [accelerator_profiles()[one.accelerator] for one in values]

    def column(name: str) -> FloatArray:
        return np.array([getattr(one, name) for one in values], dtype=np.float64)

    fields: Fields = {
        **_platform(values, column),
        **_payload(values, profiles, column),
        **_thermal(values, profiles, column),
        **_network(values, column),
    }
    return FleetParams(**fields)


def _platform(values: Sequence[PresetValues], column: Column) -> Fields:
    """Mass, array, battery and bus, (classes,)."""
    battery_wh = column("battery_capacity_kwh") * 1000.0
    cells = column("battery_cells_count")
    resistance = [
        battery_resistance_ohm(one.battery_cells_count, one.battery_capacity_kwh * 1000.0)
        for one in values
    ]
    return {
        "mass_kg": column("mass_kg"),
        "drag_area_m2": column("drag_area_m2"),
        "array_power_w": column("array_power_kw") * 1000.0,
        "array_area_m2": column("array_area_m2"),
        "array_health_frac": column("array_health_pct") / 100.0,
        "array_loss_frac_per_year": column("array_loss_pct_year") / 100.0,
        "array_temp_coeff_per_k": column("array_temp_coeff_pct_c") / 100.0,
        "converter_efficiency_frac": column("converter_efficiency_pct") / 100.0,
        "external_power_w": column("external_power_kw") * 1000.0,
        "battery_capacity_j": column("battery_capacity_kwh") * JOULE_PER_KWH,
        "battery_cells_in_series_count": cells,
        "battery_resistance_ohm": np.array(resistance),
        "battery_charge_limit_c": column("battery_charge_limit_c"),
        "battery_discharge_limit_c": column("battery_discharge_limit_c"),
        "battery_coulombic_frac": column("battery_coulombic_pct") / 100.0,
        "battery_depth_limit_frac": column("battery_depth_limit_pct") / 100.0,
        "bus_voltage_v": column("bus_voltage_v"),
        "bus_power_w": column("bus_power_kw") * 1000.0,
        "heater_power_w": battery_wh * HEATER_W_PER_WH,
    }


def _payload(
    values: Sequence[PresetValues], profiles: Sequence[AcceleratorProfile], column: Column
) -> Fields:
    """Accelerators, hosts, duty and radiation response, (classes,)."""
    limit_w = column("accel_power_limit_w")
    idle_w = np.array([float(one.idle_w.value) for one in profiles])
    speed = np.array([float(one.tokens_per_s.value) for one in profiles])
    tdp_w = np.array([float(one.tdp_w.value) for one in profiles])
    shields_mm = [one.shield_mm_al for one in values]
    return {
        "accel_count": np.array([one.accel_count for one in values], dtype=np.int64),
        "accel_power_limit_w": limit_w,
        "accel_idle_w": np.minimum(idle_w, 0.5 * limit_w),
        "accel_clock_hz": np.array([float(one.clock_mhz.value) for one in profiles]) * 1e6,
        "host_power_w": column("host_power_kw") * 1000.0,
        "compute_average_w": column("compute_average_kw") * 1000.0,
        "compute_peak_w": column("compute_peak_kw") * 1000.0,
        "burst_period_s": column("burst_period_min") * 60.0,
        "burst_on_s": column("burst_on_min") * 60.0,
        "eclipse_compute_frac": column("eclipse_compute_pct") / 100.0,
        "training_frac": column("training_pct") / 100.0,
        "checkpoint_interval_s": column("checkpoint_interval_s"),
        # a capped part is taken as slower in proportion to its cap; assumption
        "tokens_per_accel_s": speed * np.minimum(limit_w / tdp_w, 1.0),
        "shield_dose_frac": np.array([shield_dose_frac(mm) for mm in shields_mm]),
        "shield_spe_frac": np.array([shield_spe_frac(mm) for mm in shields_mm]),
        "shield_electron_rad_cm2": np.array([shield_electron_rad_cm2(mm) for mm in shields_mm]),
        "see_sensitivity_frac": np.array([float(p.see_sensitivity_frac.value) for p in profiles]),
        "sel_per_accel_year": column("sel_per_accel_year"),
        "hard_fail_per_accel_year": column("hard_fail_per_accel_year"),
    }


def _thermal(
    values: Sequence[PresetValues], profiles: Sequence[AcceleratorProfile], column: Column
) -> Fields:
    """Radiator, limits, and the network that `twin.sizing` derives, (classes,) and (classes, 7)."""
    capacities, links = [], []
    for one, profile in zip(values, profiles, strict=True):
        # The payload may draw its peak: what the hosts do not take is heat of the dies.
        full_w = max(one.compute_peak_kw * 1000.0, EMPTY_CHAIN_W)
        accelerator_w = max(full_w - one.host_power_kw * 1000.0, 0.1 * full_w)
        housekeeping_kw = BUS_TO_RADIATOR_FRAC * one.bus_power_kw
        radiator_k = equilibrium_temp_k(
            (one.compute_average_kw + housekeeping_kw) * 1000.0,
            one.radiator_emissivity * one.radiator_area_m2,
            one.radiator_sink_k,
        )
        links.append(
            conductances(
                full_compute_w=full_w,
                accelerator_w=accelerator_w,
                bus_power_w=one.bus_power_kw * 1000.0,
                drop_k=chain_drop_k(float(radiator_k), float(profile.throttle_c.value)),
            )
        )
        capacities.append(
            heat_capacities_j_k(
                accelerator_w=accelerator_w,
                full_compute_w=full_w,
                coolant_kg=one.coolant_kg,
                radiator_area_m2=one.radiator_area_m2,
                radiator_heat_store_j_k=one.radiator_heat_store_kj_k * 1000.0,
                battery_wh=one.battery_capacity_kwh * 1000.0,
                mass_kg=one.mass_kg,
                array_area_m2=one.array_area_m2,
            )
        )
    return {
        "thermal_class": np.arange(len(values), dtype=np.int64),
        "heat_capacity_j_k": np.array(capacities),
        "die_plate_w_k": np.array([link.die_plate_w_k for link in links]),
        "plate_loop_w_k": np.array([link.plate_loop_w_k for link in links]),
        "loop_radiator_w_k": np.array([link.loop_radiator_w_k for link in links]),
        "battery_bus_w_k": np.array([link.battery_bus_w_k for link in links]),
        "bus_radiator_w_k": np.array([link.bus_radiator_w_k for link in links]),
        "coolant_kg": column("coolant_kg"),
        "radiator_area_m2": column("radiator_area_m2"),
        "radiator_emissivity_frac": column("radiator_emissivity"),
        "radiator_absorptivity_frac": column("radiator_absorptivity"),
        "radiator_sink_k": column("radiator_sink_k"),
        "accel_throttle_k": _kelvin([float(p.throttle_c.value) for p in profiles]),
        "accel_trip_k": _kelvin([float(p.trip_c.value) for p in profiles]),
    }


def _network(values: Sequence[PresetValues], column: Column) -> Fields:
    """Links between satellites and to the ground, (classes,)."""
    return {
        "link_rate_bit_s": column("link_rate_gbps") * 1e9,
        "link_range_limit_m": column("link_range_limit_km") * 1000.0,
        "link_reference_range_m": column("link_reference_range_km") * 1000.0,
        "link_acquire_s": column("link_acquire_s"),
        "ground_rate_bit_s": column("ground_rate_mbps") * 1e6,
        "ground_relayed": np.array([one.ground_relayed for one in values]),
    }


def _kelvin(celsius: Sequence[float]) -> FloatArray:
    return np.array(celsius, dtype=np.float64) + CELSIUS_ZERO_K
