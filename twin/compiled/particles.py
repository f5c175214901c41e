"""Particles at each satellite of a tile, compiled: fluxes, and the exposure they add up to.

The equations are those of twin/geometry.py, twin/trapped.py, twin/cosmic_rays.py and
twin/radiation.py, which stay the oracle.
"""

import math
from typing import Any, Final

import numpy as np
from numba import njit

from twin.ageing import ERROR_GAIN_PER_KRAD, ONSET_RAD
from twin.compiled import classes as k
from twin.compiled.functions import (
    arctan2,
    clipped,
    exact_kernel,
    inverse_root,
    kernel,
)
from twin.compiled.rows import (
    COSMIC,
    DOSE,
    DOSE_RATE,
    DRIFT,
    DUE,
    DUE_FLUENCE,
    DUE_MEMORY,
    DUE_S,
    EAST,
    ELECTRONS,
    EXPOSED,
    FLUENCE,
    HOST_DOWN,
    MEMORY_FLUENCE,
    NORTH,
    OTHER_EAST,
    PLANNED,
    PROTONS,
    TICK,
    TILE,
    TURN,
    UP,
    VIEW,
    X,
    Y,
    Z,
)
from twin.constants import EARTH_EQUATOR_RADIUS_M, EARTH_FLATTENING_FRAC
from twin.radiation import GCR_RAD_CM2

_E2: Final = EARTH_FLATTENING_FRAC * (2.0 - EARTH_FLATTENING_FRAC)
_RADIUS_KM: Final = EARTH_EQUATOR_RADIUS_M * 1e-3
_POLAR_M: Final = EARTH_EQUATOR_RADIUS_M * (1.0 - EARTH_FLATTENING_FRAC)
_SECOND: Final = _E2 / (1.0 - _E2) * _POLAR_M
_DEG: Final = 180.0 / math.pi
_TURN: Final = 2.0 * math.pi


@njit(error_model="numpy", inline="always")
def _between(begin: Any, end: Any, part: Any) -> Any:
    return (end - begin) * part + begin


@njit(error_model="numpy", inline="always")
def _across(words: Any, at: Any, part: Any, zero: Any) -> Any:
    # Between two float32 that lie side by side in one 64-bit word: one load instead of two.
    # zero is 0, which the compiler must not know: it would make a pair of the two halves, and
    # no vectors of pairs.
    word = words[at]
    left = np.uint32(np.uint32(word & np.uint64(0xFFFFFFFF)) ^ zero).view(np.float32)
    right = np.uint32(np.uint32(word >> np.uint64(32)) ^ zero).view(np.float32)
    return _between(left, right, part)


@njit(error_model="numpy", inline="always")
def _trilinear(words: Any, field: Any, at: Any, layer: Any, row: Any, parts: Any, zero: Any) -> Any:
    # A cell holds 1/L of itself and its eastern neighbour, then ln(B/B0) of both, and float32
    # arithmetic is like the numpy path's. field: 0 or 1.
    up, north, east = parts
    two = np.uint64(2)
    a = at * two + field
    b, c = a + row * two, a + layer * two
    low = _between(_across(words, a, east, zero), _across(words, b, east, zero), north)
    d = c + row * two
    high = _between(_across(words, c, east, zero), _across(words, d, east, zero), north)
    return _between(low, high, up)


@njit(error_model="numpy", inline="always")
def _corner(axes: Any, up: float, north: float, east: float) -> Any:
    # Lower corner of the cell and the parts of the way to the upper one.
    k = min(np.floor(up), axes[0, 2] - 2.0)
    j = min(np.floor(north), axes[1, 2] - 2.0)
    m = min(np.floor(east), axes[2, 2] - 2.0)
    at = (np.uint64(k) * np.uint64(axes[1, 2]) + np.uint64(j)) * np.uint64(axes[2, 2])
    parts = np.float32(up - k), np.float32(north - j), np.float32(east - m)
    return at + np.uint64(m), parts


@njit(error_model="numpy", inline="always")
def _flux(flux: Any, axes: Any, first: int, inverse_l: Any, ln_ratio: Any, zero: Any) -> float:
    # Bilinear in (L, ln B/B0), flux of a cell and the next beside it; axes from row `first`.
    shell = 1.0 / max(np.float64(inverse_l), 0.02)
    shell = clipped((shell - axes[first, 0]) * axes[first, 1], 0.0, axes[first, 2] - 1.0)
    level = (np.float64(ln_ratio) - axes[first + 1, 0]) * axes[first + 1, 1]
    level = clipped(level, 0.0, axes[first + 1, 2] - 1.0)
    k = min(np.floor(shell), axes[first, 2] - 2.0)
    j = min(np.floor(level), axes[first + 1, 2] - 2.0)
    row = np.uint64(axes[first + 1, 2])
    at = np.uint64(k) * row + np.uint64(j)
    part = np.float32(level - j)
    low, high = _across(flux, at, part, zero), _across(flux, at + row, part, zero)
    return np.float64(_between(low, high, np.float32(shell - k)))


@kernel
def map_places(axes: Any, now: Any, w: Any) -> None:
    """Positions -> places on the trapped-particle map in grid steps, up, north and east.

    Geodetic latitude and height by Bowring's step; TURN: drift of the anomaly less sidereal
    time. OTHER_EAST: without the drift. UP is -1 below the map, where there are no trapped
    particles.
    """
    turn_rad, drift_rad = now[TURN], now[DRIFT]
    low_km, up_scale, up_last = axes[0, 0], axes[0, 1], axes[0, 2] - 1.0
    top_km, low_last = axes[8, 0], axes[8, 1]  # above, layers are even in R / (R + h)
    top_frac, frac_scale = axes[9, 0], axes[9, 1]
    low_deg, north_scale, north_last = axes[1, 0], axes[1, 1], axes[1, 2] - 1.0
    west_deg, east_scale, east_last = axes[2, 0], axes[2, 1], axes[2, 2] - 1.0
    for i in range(TILE):
        x, y, z = w[X + i], w[Y + i], w[Z + i]
        axis2 = x * x + y * y
        axis = axis2 * inverse_root(axis2)
        scaled_z, scaled_p = z * EARTH_EQUATOR_RADIUS_M, axis * _POLAR_M
        scale = inverse_root(scaled_z * scaled_z + scaled_p * scaled_p)
        sin_t, cos_t = scaled_z * scale, scaled_p * scale
        north = z + _SECOND * (sin_t * sin_t * sin_t)
        outward = axis - _E2 * EARTH_EQUATOR_RADIUS_M * (cos_t * cos_t * cos_t)
        scale = inverse_root(north * north + outward * outward)
        sin_lat, cos_lat = north * scale, outward * scale
        bulge2 = 1.0 - _E2 * sin_lat * sin_lat
        surface = EARTH_EQUATOR_RADIUS_M * math.sqrt(bulge2)
        altitude_km = (axis * cos_lat + z * sin_lat - surface) * 1e-3
        turns = (arctan2(y, x) + turn_rad) * (1.0 / _TURN)
        east_deg = (turns - np.floor(turns + 0.5)) * 360.0
        turns = turns - drift_rad * (1.0 / _TURN)
        other_deg = (turns - np.floor(turns + 0.5)) * 360.0
        lat_deg = arctan2(north, outward) * _DEG
        frac = _RADIUS_KM / (_RADIUS_KM + max(altitude_km, 0.0))
        high = low_last + (top_frac - frac) * frac_scale
        low = (altitude_km - low_km) * up_scale
        up = clipped(low if altitude_km <= top_km else high, 0.0, up_last)
        w[UP + i] = up if altitude_km >= low_km else -1.0
        w[NORTH + i] = clipped((lat_deg - low_deg) * north_scale, 0.0, north_last)
        w[EAST + i] = clipped((east_deg - west_deg) * east_scale, 0.0, east_last)
        w[OTHER_EAST + i] = clipped((other_deg - west_deg) * east_scale, 0.0, east_last)


@exact_kernel
def trapped(edges: Any, proton: Any, electron: Any, axes: Any, w: Any) -> None:
    """Fluxes of trapped protons above 50 MeV and electrons above 1 MeV at places on the map.

    The look-ups of twin/trapped.py: place -> 1/L, ln(B/B0), then those -> flux [cm-2 s-1].
    """
    row, layer = np.uint64(axes[2, 2]), np.uint64(axes[1, 2] * axes[2, 2])
    zero = np.uint32(axes[7, 2])
    for i in range(TILE):
        place = w[UP + i]
        at, parts = _corner(axes, max(place, 0.0), w[NORTH + i], w[EAST + i])
        inverse_l = _trilinear(edges, np.uint64(0), at, layer, row, parts, zero)
        ratio = _trilinear(edges, np.uint64(1), at, layer, row, parts, zero)
        above = place >= 0.0
        protons = _flux(proton, axes, 3, inverse_l, ratio, zero)
        electrons = _flux(electron, axes, 5, inverse_l, ratio, zero)
        w[PROTONS + i] = protons if above else 0.0
        w[ELECTRONS + i] = electrons if above else 0.0


@exact_kernel
def cosmic_rays(edges: Any, table: Any, axes: Any, w: Any) -> None:
    """Cosmic-ray protons above the cutoff [cm-2 s-1]: twin/cosmic_rays.py, gcr_flux_cm2_s.

    table: flux over half the sky by 1/L; its step and limit in row 7 of axes.
    """
    row, layer = np.uint64(axes[2, 2]), np.uint64(axes[1, 2] * axes[2, 2])
    zero = np.uint32(axes[7, 2])
    limit, step, last = axes[7, 0], axes[7, 1], table.size - 2.0
    for i in range(TILE):
        at, parts = _corner(axes, max(w[UP + i], 0.0), w[NORTH + i], w[OTHER_EAST + i])
        inverse_l = _trilinear(edges, np.uint64(0), at, layer, row, parts, zero)
        place = clipped(np.float64(inverse_l), 0.0, limit) / step
        index = min(np.floor(place), last)
        low, high = table[np.uint64(index)], table[np.uint64(index) + np.uint64(1)]
        sky = 1.0 + math.sqrt(max(1.0 - w[VIEW + i], 0.0))
        w[COSMIC + i] = _between(low, high, place - index) * sky


@kernel
def expose(s: Any, w: Any, c: Any, now: Any, step_s: float) -> int:
    """Fluence, dose and the ageing of host outages over one tick; how many need a look.

    The hazard of every proton effect is its class's rate times the fluence, so one comparison
    with the fluence at which the next of any kind happens stands for five. Memory errors have a
    fluence of their own, which total dose weighs (twin/ageing.py).
    """
    rad_per_proton, rad_per_electron = c[k.RAD_PER_PROTON], c[k.RAD_PER_ELECTRON]
    upset_frac, exposed_s, tick = c[k.UPSET_FRAC], now[EXPOSED], now[TICK]
    gain_per_rad = ERROR_GAIN_PER_KRAD / 1000.0
    count = 0
    for i in range(TILE):
        protons, cosmic, dose = w[PROTONS + i], w[COSMIC + i], s[DOSE + i]
        rate = protons * rad_per_proton + w[ELECTRONS + i] * rad_per_electron
        rate += cosmic * GCR_RAD_CM2
        passed = (protons * upset_frac + cosmic) * step_s
        total = s[FLUENCE + i] + passed
        gain = 1.0 + gain_per_rad * max(dose - ONSET_RAD, 0.0)
        memory = s[MEMORY_FLUENCE + i] + passed * gain
        s[FLUENCE + i] = total
        s[MEMORY_FLUENCE + i] = memory
        s[DOSE_RATE + i] = rate
        s[DOSE + i] = dose + rate * step_s
        s[HOST_DOWN + i] = max(s[HOST_DOWN + i] - step_s, 0.0)
        happens = (total >= s[DUE_FLUENCE + i]) | (memory >= s[DUE_MEMORY + i])
        happens = happens | (exposed_s >= s[DUE_S + i]) | (tick >= s[PLANNED + i])
        w[DUE + i] = 1.0 if happens else 0.0
        count += 1 if happens else 0
    return count
