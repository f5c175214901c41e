"""The battery beside its flow, compiled: the look ahead to the end of an eclipse, and ageing.

Equations: twin/power_ahead.py, twin/eclipse.py, twin/battery_ageing.py, which stay the oracle.
"""

import math
from typing import Any, Final

import numpy as np
from numba import njit

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
from twin.compiled.functions import arctan2, clipped, inverse_root, kernel
from twin.compiled.pieces import OCV, cell_v, next_mode
from twin.compiled.rows import (
    AHEAD,
    ARRAY,
    BATTERY,
    DWELL,
    HEALTH,
    HEATER_DEMAND_W,
    KNOT_U,
    KNOT_V,
    KNOT_W,
    KNOT_X,
    KNOT_Y,
    KNOT_Z,
    LIFE,
    LIT,
    MODE,
    POINTS,
    REVERSAL,
    SOC,
    SUN,
    TILE,
    TURNED,
    UNSERVED_W,
    WEIGHTS,
    X,
    Y,
    Z,
)
from twin.constants import EARTH_EQUATOR_RADIUS_M, EARTH_FLATTENING_FRAC
from twin.power import SAFE_SOC_FRAC
from twin.power_ahead import _LEAST_ENERGY_FRAC, _SOON_S, AHEAD_MARGIN_FRAC

_STRETCH: Final = 1.0 / (1.0 - EARTH_FLATTENING_FRAC)
_AREA_STEPS: Final = 10
_BLOCK: Final = 16  # two vectors of eight
_AREA_V: Final = _area_v(np.arange(_AREA_STEPS + 1) / _AREA_STEPS)  # at the ends of the segments


@njit(error_model="numpy", inline="always")
def _stored_frac(soc: float) -> float:
    # twin/battery.py, stored_j over the capacity.
    at = clipped(soc, 0.0, 1.0) * _AREA_STEPS
    lower = min(np.floor(at), _AREA_STEPS - 1.0)
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
    per_size = inverse_root(hx * hx + hy * hy + hz * hz)
    radius2 = x * x + y * y + z * z
    sin_beta = (hx * sun_x + hy * sun_y + hz * sun_z) * per_size
    per_cos = inverse_root(max(1.0 - sin_beta * sin_beta, 1e-30))
    toward = -(x * sun_x + y * sun_y + z * sun_z)
    onward = hx * (y * sun_z - z * sun_y) + hy * (z * sun_x - x * sun_z)
    onward = (onward + hz * (x * sun_y - y * sun_x)) * per_size
    psi = arctan2(onward, toward)
    half2 = max(1.0 - EARTH_EQUATOR_RADIUS_M**2 / radius2, 0.0)
    half = min(half2 * inverse_root(half2) * per_cos, 1.0)
    rest2 = 1.0 - half * half
    phi = arctan2(rest2 * inverse_root(rest2), half)
    return (phi - psi) * radius2 * per_size if abs(psi) < phi else 0.0


@kernel
def look_ahead(
    s: Any,
    w: Any,
    c: Any,
    now: Any,
    begin: Any,
    end: Any,
    rated_w: float,
    chosen: Any,
    spare_w: Any,
) -> None:
    """What the payload may draw so that the eclipse ends above the trigger [W], for those in need.

    Where `wish` left AHEAD at 0; inf stays. begin, end: knots (6 TILE,). chosen, spare_w (TILE,)
    are room to work in: those in need side by side, in blocks that fill vectors.
    """
    count = 0
    for i in range(TILE):
        chosen[count] = i
        count += 1 if w[AHEAD + i] == 0.0 else 0
    blocks = (count + _BLOCK - 1) // _BLOCK
    for at in range(count, blocks * _BLOCK):
        chosen[at] = chosen[0]
    for block in range(blocks):
        _forecast(s, w, c, now, begin, end, rated_w, chosen, spare_w, block * _BLOCK)
    for at in range(count):
        w[AHEAD + chosen[at]] = spare_w[at]


@kernel
def _forecast(
    s: Any,
    w: Any,
    c: Any,
    now: Any,
    begin: Any,
    end: Any,
    rated_w: float,
    chosen: Any,
    spare_w: Any,
    first: int,
) -> None:
    v0, v1, v2, v3 = now[WEIGHTS + 4], now[WEIGHTS + 5], now[WEIGHTS + 6], now[WEIGHTS + 7]
    sun_x, sun_y, sun_z = now[SUN + 3], now[SUN + 4], now[SUN + 5] * _STRETCH
    per_size = 1.0 / math.sqrt(sun_x**2 + sun_y**2 + sun_z**2)
    sun_x, sun_y, sun_z = sun_x * per_size, sun_y * per_size, sun_z * per_size
    shed_soc, shed_exit = c[k.SHED_SOC_FRAC], c[k.SHED_EXIT_FRAC]
    new_capacity, cells, new_resistance = c[k.CAPACITY_J], c[k.CELLS], c[k.RESISTANCE_OHM]
    peak_w, bus_w, temp_coeff = c[k.PEAK_W], c[k.BUS_W], c[k.ARRAY_COEFF]
    shed_floor = _stored_frac(min(shed_soc + AHEAD_MARGIN_FRAC, 1.0))
    safe_floor = _stored_frac(SAFE_SOC_FRAC + AHEAD_MARGIN_FRAC)
    for each in range(_BLOCK):
        i = chosen[first + each]
        u = begin[KNOT_X + i] * v0 + end[KNOT_X + i] * v1
        u += begin[KNOT_U + i] * v2 + end[KNOT_U + i] * v3
        v = begin[KNOT_Y + i] * v0 + end[KNOT_Y + i] * v1
        v += begin[KNOT_V + i] * v2 + end[KNOT_V + i] * v3
        vz = begin[KNOT_Z + i] * v0 + end[KNOT_Z + i] * v1
        vz += begin[KNOT_W + i] * v2 + end[KNOT_W + i] * v3
        x, y, z = w[X + i], w[Y + i], w[Z + i] * _STRETCH
        soc, health = s[SOC + i], s[HEALTH + i]
        capacity = new_capacity * health
        essential = bus_w + w[HEATER_DEMAND_W + i]
        room = _LEAST_ENERGY_FRAC * capacity * (soc - AHEAD_MARGIN_FRAC - shed_soc)
        left = _shadow_left_s(x, y, z, u, v, vz * _STRETCH, sun_x, sun_y, sun_z)
        unserved = s[UNSERVED_W + i]
        mode = next_mode(soc, s[MODE + i], True, s[DWELL + i], unserved, shed_soc, shed_exit)
        floor = safe_floor if mode == 2.0 else shed_floor
        mean_w = max(_stored_frac(soc) - floor, 0.0) * capacity / max(left, _SOON_S)
        open_v = cell_v(soc) * cells
        resistance = new_resistance * (1.0 + RESISTANCE_GROWTH_PER_FADE * (1.0 - health))
        ohmic = resistance / (open_v * open_v)
        draw = 2.0 * mean_w / (1.0 + math.sqrt(1.0 + 4.0 * ohmic * mean_w))
        warmth = max(1.0 + temp_coeff * (s[ARRAY + i] - k.REFERENCE_K), 0.0)
        spare = max(draw + rated_w * w[LIT + i] * warmth - essential, 0.0)
        needs = ((peak_w + essential) * left > room) & (mode != 3.0)
        spare_w[first + each] = spare if needs else np.inf


@njit(error_model="numpy", cache=True)
def state_stress(soc_frac: float, temp_k: float) -> float:
    """twin/battery_ageing.py, state_stress."""
    warmth = (temp_k - TEMPERATURE_REFERENCE_K) * TEMPERATURE_REFERENCE_K / temp_k
    charge = CHARGE_STRESS * (soc_frac - CHARGE_REFERENCE_FRAC)
    return math.exp(charge + TEMPERATURE_STRESS_PER_K * warmth)


@kernel
def close_cycles(s: Any, w: Any) -> None:
    """Push the reversals of this tick on their stacks (REVERSALS rows) and use life up.

    TURNED: the reversal's charge, nan where there is none. Three-point rule of ASTM E1049 as in
    twin/battery_ageing.py, at the battery's temperature at the start of the tick.
    """
    for i in range(TILE):
        if math.isnan(w[TURNED + i]):
            continue
        temp_k = s[BATTERY + i]
        w[POINTS] = w[TURNED + i]
        for one in range(REVERSALS):
            w[POINTS + 1 + one] = s[REVERSAL + one * TILE + i]
        while abs(w[POINTS] - w[POINTS + 1]) >= abs(w[POINTS + 1] - w[POINTS + 2]):
            at_start = math.isnan(w[POINTS + 3])
            weight = 0.5 if at_start else 1.0
            s[LIFE + i] += _closed(w[POINTS + 1], w[POINTS + 2], weight, temp_k)
            kept, dropped = (2, REVERSALS) if at_start else (1, 2)
            for one in range(kept, REVERSALS + 1):
                older = one + dropped
                w[POINTS + one] = w[POINTS + older] if older <= REVERSALS else math.nan
        if not math.isnan(w[POINTS + REVERSALS]):
            ends = w[POINTS + REVERSALS - 1], w[POINTS + REVERSALS]
            s[LIFE + i] += _closed(ends[0], ends[1], 0.5, temp_k)
        for one in range(REVERSALS):
            s[REVERSAL + one * TILE + i] = w[POINTS + one]


@njit(error_model="numpy", cache=True)
def _closed(one: float, other: float, weight: float, temp_k: float) -> float:
    depth = max(abs(one - other), 1e-9)
    stress = weight / (DEPTH_K1 * depth**DEPTH_K2 + DEPTH_K3)
    return stress * state_stress(0.5 * (one + other), temp_k)


@kernel
def age(s: Any, lapse_s: float, present: bool) -> None:
    """Calendar stress of some seconds, and the health that the life used leaves."""
    for i in range(TILE):
        s[LIFE + i] += CALENDAR_PER_S * lapse_s * state_stress(s[SOC + i], s[BATTERY + i])
        film = FILM_SHARE_FRAC * math.exp(-FILM_RATE * s[LIFE + i])
        left = film + (1.0 - FILM_SHARE_FRAC) * math.exp(-s[LIFE + i])
        s[HEALTH + i] = left if present else 1.0
