"""What the satellites of one class share, as the kernels read it: constants and matrices.

A class is a set of satellites with equal parameters. Sizing rules and the exponential of the
heat network are evaluated once per class by the same functions as in the numpy path.
"""

import math
from dataclasses import fields
from types import SimpleNamespace
from typing import Final, NamedTuple, cast

import numpy as np

from twin import battery, power, radiation, thermal, workload
from twin.checks import check_params, check_step_s
from twin.constants import EARTH_MEAN_RADIUS_M
from twin.constants import STEFAN_BOLTZMANN_W_M2_K4 as SIGMA
from twin.heat_network import (
    ARRAY,
    BATTERY,
    BUS,
    DIE,
    PART_LIMIT_S,
    PLATE,
    RADIATOR,
    class_design,
    propagator,
)
from twin.state import SEE_KINDS, Environment, FleetParams, FloatArray, IntArray

_NAMES: Final = [
    "PLANNED_FRAC",
    "TRAINING_FRAC",
    "HAS_ACCEL",
    "ACCEL_COUNT",
    "ACCEL_IDLE_W",
    "HOST_W",
    "DYNAMIC_W",
    "BURST_PERIOD_S",
    "BURST_ON_S",
    "BUS_W",
    "EXTERNAL_W",
    "HEATER_W",
    "SHED_SOC_FRAC",
    "SHED_EXIT_FRAC",
    "PEAK_W",
    "ECLIPSE_W",
    "SHED_W",
    "CONVERTER_FRAC",
    "ARRAY_COEFF",
    "ARRAY_LOSS",
    "ARRAY_W",
    "CELLS",
    "RESISTANCE_OHM",
    "CHARGE_A_S",
    "CAPACITY_J",
    "OUT_LIMIT_C",
    "IN_LIMIT_C",
    "COULOMBIC_FRAC",
    "CHECKPOINT_S",
    "RESULT_BIT_S",
    "GROUND_BIT_S",
    "RELAYED",
    "BODY_M2",
    "ARRAY_M2",
    "RADIATOR_M2",
    "RADIATOR_EMISSIVITY",
    "RADIATOR_ABSORPTIVITY",
    "SINK_VIEW_FRAC",
    "SINK_W_M2",
    "THROTTLE_K",
    "TRIP_K",
    "RAD_PER_PROTON",
    "RAD_PER_ELECTRON",
    "UPSET_FRAC",
]
(
    PLANNED_FRAC,
    TRAINING_FRAC,
    HAS_ACCEL,
    ACCEL_COUNT,
    ACCEL_IDLE_W,
    HOST_W,
    DYNAMIC_W,
    BURST_PERIOD_S,
    BURST_ON_S,
    BUS_W,
    EXTERNAL_W,
    HEATER_W,
    SHED_SOC_FRAC,
    SHED_EXIT_FRAC,
    PEAK_W,
    ECLIPSE_W,
    SHED_W,
    CONVERTER_FRAC,
    ARRAY_COEFF,
    ARRAY_LOSS,
    ARRAY_W,
    CELLS,
    RESISTANCE_OHM,
    CHARGE_A_S,
    CAPACITY_J,
    OUT_LIMIT_C,
    IN_LIMIT_C,
    COULOMBIC_FRAC,
    CHECKPOINT_S,
    RESULT_BIT_S,
    GROUND_BIT_S,
    RELAYED,
    BODY_M2,
    ARRAY_M2,
    RADIATOR_M2,
    RADIATOR_EMISSIVITY,
    RADIATOR_ABSORPTIVITY,
    SINK_VIEW_FRAC,
    SINK_W_M2,
    THROTTLE_K,
    TRIP_K,
    RAD_PER_PROTON,
    RAD_PER_ELECTRON,
    UPSET_FRAC,
) = range(len(_NAMES))
RADIATING: Final = len(_NAMES)  # eps sigma A of radiator, bus and array
LINEAR: Final = RADIATING + 3  # linear part of their radiation
RATES: Final = LINEAR + 3  # events per proton/cm2 (first five kinds), per second (last two)
CONSTANTS: Final = RATES + len(SEE_KINDS)
EARTH_MEAN2_M2: Final = EARTH_MEAN_RADIUS_M**2
REFERENCE_K: Final = power.ARRAY_REFERENCE_K


class ClassTable(NamedTuple):
    """Constants (classes, CONSTANTS) and heat matrices (classes, 7, 13)."""

    constants: FloatArray
    matrices: FloatArray


class Classes(NamedTuple):
    """Which satellites are alike: parameters (classes,), class of each satellite (n,)."""

    params: FleetParams
    of_row: IntArray


def classes_of(params: FleetParams) -> Classes:
    """Satellites with equal parameters, found by value; O(n) for neighbours that are alike."""
    columns = [np.asarray(getattr(params, one.name)) for one in fields(FleetParams)]
    differs = np.zeros(max(len(columns[0]) - 1, 0), dtype=np.bool_)
    for column in columns:
        unlike = column[1:] != column[:-1]
        differs |= unlike.any(axis=1) if unlike.ndim == 2 else unlike
    run = np.concatenate([[0], np.cumsum(differs)])
    first = np.concatenate([[0], np.flatnonzero(differs) + 1])
    seen: dict[bytes, int] = {}
    code = np.empty(first.size, dtype=np.int64)
    kept: list[int] = []
    for index, row in enumerate(first.tolist()):
        text = b"".join(np.ascontiguousarray(column[row]).tobytes() for column in columns)
        if text not in seen:
            seen[text] = len(kept)
            kept.append(row)
        code[index] = seen[text]
    return Classes(params.take(np.array(kept)), code[run])


def class_table(params: FleetParams, step_s: float) -> ClassTable:
    """Constants and matrices of each class for one tick length; params (classes,).

    Raises OutOfRangeError for parameters and ticks that cannot be.
    """
    check_step_s(step_s)
    check_params(params)
    count = len(params.mass_kg)
    table = np.zeros((count, CONSTANTS))
    for name, column in _columns(params).items():
        table[:, _NAMES.index(name)] = column
    radiating, linear = _radiating(params)
    table[:, RADIATING : RADIATING + 3] = radiating
    table[:, LINEAR : LINEAR + 3] = linear
    table[:, RATES:] = _event_rates(params)
    matrices = np.stack([_matrix(params, row, linear[row], step_s) for row in range(count)])
    return ClassTable(table, matrices)


def _columns(params: FleetParams) -> dict[str, FloatArray]:
    idle_w = params.host_power_w + params.accel_count * params.accel_idle_w
    shed_soc = power.shed_soc_frac(params)
    accel_w = params.accel_count * params.accel_power_limit_w
    bursts = params.burst_period_s > 0.0
    planned_w = np.where(bursts, params.compute_peak_w, params.compute_average_w)
    sink_w_m2 = SIGMA * np.square(np.square(params.radiator_sink_k))
    ones = np.ones_like(idle_w)
    return {
        "PLANNED_FRAC": workload.planned_frac(params),
        "TRAINING_FRAC": params.training_frac,
        "HAS_ACCEL": (params.accel_count > 0).astype(np.float64),
        "ACCEL_COUNT": params.accel_count.astype(np.float64),
        "ACCEL_IDLE_W": params.accel_idle_w,
        "HOST_W": params.host_power_w,
        "DYNAMIC_W": np.maximum(params.compute_peak_w - idle_w, 1e-3),
        "BURST_PERIOD_S": params.burst_period_s,
        "BURST_ON_S": params.burst_on_s,
        "BUS_W": params.bus_power_w,
        "EXTERNAL_W": params.external_power_w,
        "HEATER_W": params.heater_power_w * (params.battery_capacity_j > 0.0),
        "SHED_SOC_FRAC": shed_soc,
        "SHED_EXIT_FRAC": np.minimum(
            shed_soc + power.RECOVERY_SOC_FRAC, power.RECOVERY_CEILING_FRAC
        ),
        "PEAK_W": params.compute_peak_w,
        "ECLIPSE_W": params.eclipse_compute_frac * planned_w,
        "SHED_W": params.host_power_w + power.SHED_ACCEL_FRAC * accel_w,
        "CONVERTER_FRAC": params.converter_efficiency_frac,
        "ARRAY_COEFF": params.array_temp_coeff_per_k,
        "ARRAY_LOSS": params.array_loss_frac_per_year,
        "ARRAY_W": params.array_power_w * params.array_health_frac,
        "CELLS": np.maximum(params.battery_cells_in_series_count, 1.0),
        "RESISTANCE_OHM": np.maximum(params.battery_resistance_ohm, 1e-9),
        "CHARGE_A_S": battery.capacity_a_s(params),
        "CAPACITY_J": params.battery_capacity_j,
        "OUT_LIMIT_C": params.battery_discharge_limit_c,
        "IN_LIMIT_C": params.battery_charge_limit_c,
        "COULOMBIC_FRAC": params.battery_coulombic_frac,
        "CHECKPOINT_S": params.checkpoint_interval_s,
        "RESULT_BIT_S": workload.result_bit_s(ones, params),
        "GROUND_BIT_S": params.ground_rate_bit_s,
        "RELAYED": params.ground_relayed.astype(np.float64),
        "BODY_M2": thermal.bus_body_area_m2(params),
        "ARRAY_M2": params.array_area_m2,
        "RADIATOR_M2": params.radiator_area_m2,
        "RADIATOR_EMISSIVITY": params.radiator_emissivity_frac,
        "RADIATOR_ABSORPTIVITY": params.radiator_absorptivity_frac,
        "SINK_VIEW_FRAC": np.minimum(sink_w_m2 / thermal.DESIGN_EARTH_IR_W_M2, 1.0),
        "SINK_W_M2": sink_w_m2,
        "THROTTLE_K": params.accel_throttle_k,
        "TRIP_K": params.accel_trip_k,
        "RAD_PER_PROTON": params.shield_dose_frac / radiation.PROTONS_PER_RAD_CM2,
        "RAD_PER_ELECTRON": params.shield_electron_rad_cm2,
        "UPSET_FRAC": np.minimum(params.shield_dose_frac, 1.0),
    }


def _radiating(params: FleetParams) -> tuple[FloatArray, FloatArray]:
    areas = thermal.radiating_w_k4(params, thermal.bus_body_area_m2(params))
    return areas.T, (4.0 * areas * thermal.REFERENCE_K[:, np.newaxis] ** 3).T


def _event_rates(params: FleetParams) -> FloatArray:
    # Per cosmic-ray proton, which no shield stops: linear but for the rates of the last two kinds.
    none = np.zeros(len(params.mass_kg))

    def rates(gcr_flux: FloatArray) -> FloatArray:
        sky = SimpleNamespace(proton_flux_cm2_s=none, spe_flux_cm2_s=none, gcr_flux_cm2_s=gcr_flux)
        return radiation.see_rate_per_s(cast(Environment, sky), params)

    constant = rates(none)
    per_proton = rates(none + 1.0) - constant
    return np.where(np.arange(len(SEE_KINDS)) < len(SEE_KINDS) - 2, per_proton, constant)


def parts_count(step_s: float) -> int:
    """Equal parts into which twin/heat_network.py cuts a tick."""
    return math.ceil(step_s / PART_LIMIT_S)


def _matrix(params: FleetParams, row: int, linear_w_k: FloatArray, step_s: float) -> FloatArray:
    design = class_design(params, row, tuple(linear_w_k.tolist()))
    found = propagator(design, step_s / parts_count(step_s))
    matrix = np.zeros((7, 13))
    chain = slice(0, ARRAY)
    matrix[chain, :ARRAY] = found.decay[chain, chain]
    heated = np.array([DIE, PLATE, RADIATOR, BATTERY, BUS])
    matrix[chain, 6:11] = found.response_k_w[chain][:, heated]
    matrix[chain, 11:13] = found.correction_k_w[chain][:, [RADIATOR, BUS]]
    matrix[ARRAY, 0] = found.decay[ARRAY, ARRAY]
    matrix[ARRAY, 6] = found.response_k_w[ARRAY, ARRAY]
    matrix[ARRAY, 11] = found.correction_k_w[ARRAY, ARRAY]
    return matrix
