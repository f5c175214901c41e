"""Small equations that several kernels share, inlined; each is that of the module it names."""

import math
from typing import Final

import numpy as np
from numba import njit

from twin.ageing import CLOCK_FLOOR_FRAC, CLOCK_LOSS_PER_KRAD, ONSET_RAD
from twin.battery import _CELL_OCV_V
from twin.compiled.functions import clipped
from twin.power import RECOVERY_DWELL_S, RECOVERY_SOC_FRAC, SAFE_SOC_FRAC, STARVED_W
from twin.thermal_control import HEATER_OFF_K, HEATER_ON_K

OCV: Final = _CELL_OCV_V  # of one cell, at equal steps of charge
_OCV: Final = OCV
_SEGMENTS: Final = float(len(_CELL_OCV_V) - 1)


@njit(error_model="numpy", inline="always")
def cell_v(soc_frac: float) -> float:
    """Open-circuit voltage of one cell [V]: twin/battery.py."""
    at = clipped(soc_frac, 0.0, 1.0) * _SEGMENTS
    segment = min(np.floor(at), _SEGMENTS - 1.0)
    lower = int(segment)
    return _OCV[lower] + (at - segment) * (_OCV[lower + 1] - _OCV[lower])


@njit(error_model="numpy", inline="always")
def source_current_a(power_w: float, open_v: float, resistance_ohm: float) -> float:
    """Current of a source of power behind a resistance [A]: twin/battery.py."""
    square = max(open_v * open_v + 4.0 * resistance_ohm * power_w, 0.0)
    return 2.0 * power_w / (open_v + math.sqrt(square))


@njit(error_model="numpy", inline="always")
def next_mode(
    soc_frac: float,
    was_mode: float,
    dark: bool,
    dwell_s: float,
    unserved_w: float,
    shed_soc_frac: float,
    exit_soc_frac: float,
) -> float:
    """Power mode: twin/power.py, next_mode; exit: charge at which load shed is left."""
    rested = dwell_s >= RECOVERY_DWELL_S
    leaves_safe = rested & (soc_frac >= SAFE_SOC_FRAC + RECOVERY_SOC_FRAC)
    leaves_shed = rested & (soc_frac >= exit_soc_frac)
    safe = (soc_frac < SAFE_SOC_FRAC) | (unserved_w > STARVED_W)
    safe = safe | ((was_mode == 3.0) & (not leaves_safe))
    shed = (soc_frac < shed_soc_frac) | (was_mode == 3.0) | ((was_mode == 2.0) & (not leaves_shed))
    now = 1.0 if dark else 0.0
    now = 2.0 if shed else now
    return 3.0 if safe else now


@njit(error_model="numpy", inline="always")
def is_on(elapsed_s: float, phase: float, period_s: float, on_s: float) -> float:
    """1 while the payload may run, else 0: twin/workload.py, burst_is_on."""
    turns = elapsed_s / max(period_s, 1e-9) + phase
    position = (turns - np.floor(turns)) * period_s
    return 1.0 if (period_s <= 0.0) | (position < on_s) else 0.0


@njit(error_model="numpy", inline="always")
def heater_demand_w(full_w: float, battery_temp_k: float, heater_w: float) -> float:
    """Battery heater [W]: twin/thermal_control.py, heater_demand_w."""
    warm = (heater_w > 0.0) & (battery_temp_k < HEATER_OFF_K)
    return full_w if (battery_temp_k < HEATER_ON_K) | warm else 0.0


@njit(error_model="numpy", inline="always")
def clock_frac(dose_rad: float) -> float:
    """Clock that total dose leaves [0.5-1]: twin/ageing.py, clock_margin_frac."""
    loss = (CLOCK_LOSS_PER_KRAD / 1000.0) * max(dose_rad - ONSET_RAD, 0.0)
    return max(1.0 - loss, CLOCK_FLOOR_FRAC)
