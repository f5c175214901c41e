"""The battery beside its flow, compiled: the look ahead to the end of an eclipse, and ageing.

Equations: twin/power_ahead.py, twin/eclipse.py, twin/battery_ageing.py, which stay the oracle.
"""

import math
from typing import Any, Final

import numpy as np
from numba import njit, prange

from twin.battery import CELL_MEAN_V, _area_v
from twin.battery_ageing import (
    CALENDAR_PER_S,
    CHARGE_REFERENCE_FRAC,
    CHARGE_STRESS,
    DEPTH_K1,
    DEPTH_K2,
    DEPTH_K3,
    FILM_RATE,
    FILM_SHARE_FRAC,
    RESISTANCE_GROWTH_PER_FADE,
    REVERSALS,
    TEMPERATURE_REFERENCE_K,
    TEMPERATURE_STRESS_PER_K,
)
from twin.compiled import classes as k
from twin.compiled.functions import arctan2, clipped
from twin.compiled.pieces import OCV, cell_v, clock_frac, heater_demand_w, is_on, next_mode
from twin.constants import EARTH_EQUATOR_RADIUS_M, EARTH_FLATTENING_FRAC, EARTH_GM_M3_S2
from twin.power import ECLIPSE_SUNLIT_FRAC, SAFE_SOC_FRAC
from twin.power_ahead import _LEAST_ENERGY_FRAC, _SOON_S, AHEAD_MARGIN_FRAC
from twin.workload import DIURNAL_AMPLITUDE_FRAC

_STRETCH: Final = 1.0 / (1.0 - EARTH_FLATTENING_FRAC)
_AREA_STEPS: Final = 10
_AREA_V: Final = _area_v(np.arange(_AREA_STEPS + 1) / _AREA_STEPS)  # at the ends of the segments


@njit(error_model="numpy", inline="always")
def _stored_frac(soc: float) -> float:
    # twin/battery.py, stored_j over the capacity.
    at = clipped(soc, 0.0, 1.0) * _AREA_STEPS
    lower = min(math.floor(at), _AREA_STEPS - 1.0)
    begin_v = OCV[int(lower)]
    mean_v = begin_v + 0.5 * (at - lower) * (OCV[int(lower) + 1] - begin_v)
    return (_AREA_V[int(lower)] + (at - lower) * mean_v / _AREA_STEPS) / CELL_MEAN_V


@njit(error_model="numpy", inline="always")
def _shadow_left_s(
    x: float,
    y: float,
    z: float,
    u: float,
    v: float,
    w: float,
    sun_x: float,
    sun_y: float,
    sun_z: float,
) -> float:
    # twin/eclipse.py, shadow_left_s; the polar axis and the Sun stretched already.
    hx, hy, hz = y * w - z * v, z * u - x * w, x * v - y * u
    size = math.sqrt(hx * hx + hy * hy + hz * hz)
    radius2 = x * x + y * y + z * z
    sin_beta = (hx * sun_x + hy * sun_y + hz * sun_z) / size
    cos_beta = math.sqrt(max(1.0 - sin_beta * sin_beta, 1e-30))
    toward = -(x * sun_x + y * sun_y + z * sun_z)
    onward = hx * (y * sun_z - z * sun_y) + hy * (z * sun_x - x * sun_z)
    onward = (onward + hz * (x * sun_y - y * sun_x)) / size
    psi = arctan2(onward, toward)
    half = math.sqrt(max(1.0 - EARTH_EQUATOR_RADIUS_M**2 / radius2, 0.0)) / cos_beta
    half = min(half, 1.0)
    phi = arctan2(math.sqrt(1.0 - half * half), half)
    return (phi - psi) * radius2 / size if abs(psi) < phi else 0.0


@njit(parallel=True, fastmath=False, error_model="numpy", cache=True)
def look_ahead(
    c: Any,
    step_s: float,
    elapsed_s: float,
    rated_w: float,
    weights: Any,
    sun: Any,
    bx: Any,
    by: Any,
    bz: Any,
    bu: Any,
    bv: Any,
    bw: Any,
    ex: Any,
    ey: Any,
    ez: Any,
    eu: Any,
    ev: Any,
    ew: Any,
    lit: Any,
    diurnal: Any,
    phase: Any,
    dose: Any,
    up_count: Any,
    host_down: Any,
    throttle: Any,
    battery_temp: Any,
    array_temp: Any,
    soc: Any,
    health: Any,
    heater_w: Any,
    unserved_w: Any,
    mode: Any,
    dwell: Any,
    queue: Any,
    ahead: Any,
) -> None:
    """What the payload may draw so that the eclipse ends above the trigger [W]; inf elsewhere.

    b*, e*: position and velocity at the knots before and after; weights (8,): of position, then
    of velocity.
    """
    p0, p1, p2, p3 = weights[0], weights[1], weights[2], weights[3]
    v0, v1, v2, v3 = weights[4], weights[5], weights[6], weights[7]
    size = math.sqrt(sun[3] ** 2 + sun[4] ** 2 + (sun[5] * _STRETCH) ** 2)
    sun_x, sun_y, sun_z = sun[3] / size, sun[4] / size, sun[5] * _STRETCH / size
    hosted = c[k.EXTERNAL_W] > 0.0
    shed_soc, shed_exit = c[k.SHED_SOC_FRAC], c[k.SHED_EXIT_FRAC]
    new_capacity, training, cells = c[k.CAPACITY_J], c[k.TRAINING_FRAC], c[k.CELLS]
    planned = c[k.PLANNED_FRAC] * c[k.HAS_ACCEL]
    period, on_s = c[k.BURST_PERIOD_S], c[k.BURST_ON_S]
    accel_count, accel_idle, host_w = max(c[k.ACCEL_COUNT], 1.0), c[k.ACCEL_IDLE_W], c[k.HOST_W]
    peak_w = c[k.PEAK_W]
    dynamic_w, bus_w, heater_full = c[k.DYNAMIC_W], c[k.BUS_W], c[k.HEATER_W]
    temp_coeff, new_resistance = c[k.ARRAY_COEFF], c[k.RESISTANCE_OHM]
    shed_floor = _stored_frac(min(shed_soc + AHEAD_MARGIN_FRAC, 1.0))
    safe_floor = _stored_frac(SAFE_SOC_FRAC + AHEAD_MARGIN_FRAC)
    for i in prange(soc.size):
        dark = (lit[i] < ECLIPSE_SUNLIT_FRAC) & (not hosted)
        x = bx[i] * p0 + ex[i] * p1 + bu[i] * p2 + eu[i] * p3
        y = by[i] * p0 + ey[i] * p1 + bv[i] * p2 + ev[i] * p3
        z = bz[i] * p0 + ez[i] * p1 + bw[i] * p2 + ew[i] * p3
        u = bx[i] * v0 + ex[i] * v1 + bu[i] * v2 + eu[i] * v3
        v = by[i] * v0 + ey[i] * v1 + bv[i] * v2 + ev[i] * v3
        w = bz[i] * v0 + ez[i] * v1 + bw[i] * v2 + ew[i] * v3
        capacity = new_capacity * health[i]
        wave = 1.0 + DIURNAL_AMPLITUDE_FRAC * diurnal[i]
        arrival = planned * (training + (1.0 - training) * wave)
        on = is_on(elapsed_s, phase[i], period, on_s)
        up = up_count[i]
        limit = throttle[i] * clock_frac(dose[i]) * (up / accel_count) * on
        limit = limit if host_down[i] <= 0.0 else 0.0
        wanted = (host_w + up * accel_idle) * on
        wanted += min(arrival + queue[i] / step_s, limit) * dynamic_w
        essential = bus_w + heater_demand_w(heater_full, battery_temp[i], heater_w[i])
        radius2 = x * x + y * y + z * z
        half_s = math.pi * math.sqrt(radius2 * math.sqrt(radius2) / EARTH_GM_M3_S2)
        room = _LEAST_ENERGY_FRAC * capacity * (soc[i] - AHEAD_MARGIN_FRAC - shed_soc)
        needs = (wanted + essential) * half_s > room
        left = _shadow_left_s(x, y, z * _STRETCH, u, v, w * _STRETCH, sun_x, sun_y, sun_z)
        needs = needs & ((peak_w + essential) * left > room)
        now = next_mode(soc[i], mode[i], True, dwell[i], unserved_w[i], shed_soc, shed_exit)
        floor = safe_floor if now == 2.0 else shed_floor
        mean_w = max(_stored_frac(soc[i]) - floor, 0.0) * capacity / max(left, _SOON_S)
        open_v = cell_v(soc[i]) * cells
        resistance = new_resistance * (1.0 + RESISTANCE_GROWTH_PER_FADE * (1.0 - health[i]))
        ohmic = resistance / (open_v * open_v)
        draw = 2.0 * mean_w / (1.0 + math.sqrt(1.0 + 4.0 * ohmic * mean_w))
        warmth = max(1.0 + temp_coeff * (array_temp[i] - k.REFERENCE_K), 0.0)
        spare = max(draw + rated_w * lit[i] * warmth - essential, 0.0)
        ahead[i] = spare if dark & needs & (now != 3.0) else np.inf


@njit(error_model="numpy", cache=True)
def state_stress(soc_frac: float, temp_k: float) -> float:
    """twin/battery_ageing.py, state_stress."""
    warmth = (temp_k - TEMPERATURE_REFERENCE_K) * TEMPERATURE_REFERENCE_K / temp_k
    charge = CHARGE_STRESS * (soc_frac - CHARGE_REFERENCE_FRAC)
    return math.exp(charge + TEMPERATURE_STRESS_PER_K * warmth)


@njit(error_model="numpy", cache=True)
def close_cycles(turned: Any, battery_temp: Any, reversal: Any, life: Any) -> None:
    """Push the reversals of this tick on their stacks (REVERSALS, n) and use life up.

    turned (n,): the reversal's charge, nan where there is none. Three-point rule of ASTM E1049
    as in twin/battery_ageing.py. battery_temp: at the start of the tick.
    """
    points = np.empty(REVERSALS + 1)
    for i in range(turned.size):
        if math.isnan(turned[i]):
            continue
        points[0] = turned[i]
        points[1:] = reversal[:, i]
        while abs(points[0] - points[1]) >= abs(points[1] - points[2]):
            at_start = math.isnan(points[3])
            weight = 0.5 if at_start else 1.0
            life[i] += _closed(points[1], points[2], weight, battery_temp[i])
            if at_start:
                points[2:] = math.nan
            else:
                points[1:-2] = points[3:].copy()
                points[-2:] = math.nan
        if not math.isnan(points[REVERSALS]):
            ends = points[REVERSALS - 1], points[REVERSALS]
            life[i] += _closed(ends[0], ends[1], 0.5, battery_temp[i])
        reversal[:, i] = points[:-1]


@njit(error_model="numpy", cache=True)
def _closed(one: float, other: float, weight: float, temp_k: float) -> float:
    depth = max(abs(one - other), 1e-9)
    stress = weight / (DEPTH_K1 * depth**DEPTH_K2 + DEPTH_K3)
    return stress * state_stress(0.5 * (one + other), temp_k)


@njit(parallel=True, fastmath=False, error_model="numpy", cache=True)
def age(lapse_s: float, present: bool, soc: Any, battery_temp: Any, life: Any, health: Any) -> None:
    """Calendar stress of some seconds, and the health that the life used leaves."""
    for i in prange(soc.size):
        life[i] += CALENDAR_PER_S * lapse_s * state_stress(soc[i], battery_temp[i])
        film = FILM_SHARE_FRAC * math.exp(-FILM_RATE * life[i])
        left = film + (1.0 - FILM_SHARE_FRAC) * math.exp(-life[i])
        health[i] = left if present else 1.0
