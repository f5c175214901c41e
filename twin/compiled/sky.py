"""What surrounds each satellite, compiled: place, shadow, light, contact and trapped protons.

The equations are those of twin/environment.py, twin/geometry.py, twin/eclipse.py,
twin/network.py and twin/radiation.py, which stay the oracle.
"""

import math
from typing import Any, Final

import numpy as np
from numba import njit, prange

from twin.compiled.functions import arctan2, clipped
from twin.constants import (
    EARTH_EQUATOR_RADIUS_M,
    EARTH_FLATTENING_FRAC,
    EARTH_MEAN_RADIUS_M,
    SUN_RADIUS_M,
)
from twin.network import GROUND_STATIONS

_E2: Final = EARTH_FLATTENING_FRAC * (2.0 - EARTH_FLATTENING_FRAC)
_POLAR_M: Final = EARTH_EQUATOR_RADIUS_M * (1.0 - EARTH_FLATTENING_FRAC)
_SECOND: Final = _E2 / (1.0 - _E2) * _POLAR_M
_ROOT_HALF: Final = math.sqrt(0.5)
_DEG: Final = 180.0 / math.pi
_TURN: Final = 2.0 * math.pi
_SITES: Final = len(GROUND_STATIONS)


@njit(error_model="numpy", inline="always")
def _height_radii(
    x: float, y: float, z: float, sun_x: float, sun_y: float, sun_z: float, stretch: float
) -> float:
    # Height of the Sun's centre over the limb in radii of its disc: twin/eclipse.py.
    z = z * stretch
    to_x, to_y, to_z = sun_x - x, sun_y - y, sun_z * stretch - z
    to_sun = math.sqrt(to_x * to_x + to_y * to_y + to_z * to_z)
    behind = -(x * to_x + y * to_y + z * to_z) / to_sun
    square = x * x + y * y + z * z
    aside = math.sqrt(max(square - behind * behind, 0.0))
    tangent = math.sqrt(max(square - EARTH_EQUATOR_RADIUS_M**2, 0.0))
    above = (aside * tangent - behind * EARTH_EQUATOR_RADIUS_M) / square
    height = above * to_sun / SUN_RADIUS_M
    return 1.0 if behind <= 0.0 else height


@njit(error_model="numpy", inline="always")
def _between(begin: Any, end: Any, part: Any) -> Any:
    return (end - begin) * part + begin


@njit(error_model="numpy", inline="always")
def _trilinear(
    edges: Any, field: Any, at: Any, layer: Any, row: Any, up: Any, north: Any, east: Any
) -> Any:
    # A cell holds 1/L of itself and its eastern neighbour, then ln(B/B0): four float32, and
    # float32 arithmetic like the numpy path's. field: 0 or 2.
    four, one = np.uint64(4), np.uint64(1)
    a = at * four + field
    b, c = a + row * four, a + layer * four
    d = c + row * four
    low_south = _between(edges[a], edges[a + one], east)
    low_north = _between(edges[b], edges[b + one], east)
    high_south = _between(edges[c], edges[c + one], east)
    high_north = _between(edges[d], edges[d + one], east)
    low = _between(low_south, low_north, north)
    return _between(low, _between(high_south, high_north, north), up)


@njit(error_model="numpy", inline="always")
def _corner(axes: Any, up: float, north: float, east: float) -> Any:
    # Lower corner of the cell and the parts of the way to the upper one.
    k = min(math.floor(up), axes[0, 2] - 2.0)
    j = min(math.floor(north), axes[1, 2] - 2.0)
    m = min(math.floor(east), axes[2, 2] - 2.0)
    at = (np.uint64(k) * np.uint64(axes[1, 2]) + np.uint64(j)) * np.uint64(axes[2, 2])
    parts = np.float32(up - k), np.float32(north - j), np.float32(east - m)
    return at + np.uint64(m), *parts


@njit(error_model="numpy", inline="always")
def _flux(flux: Any, axes: Any, first: int, inverse_l: Any, ln_ratio: Any) -> float:
    # Bilinear in (L, ln B/B0); axes from row `first`.
    shell = 1.0 / max(np.float64(inverse_l), 0.02)
    shell = clipped((shell - axes[first, 0]) * axes[first, 1], 0.0, axes[first, 2] - 1.0)
    level = (np.float64(ln_ratio) - axes[first + 1, 0]) * axes[first + 1, 1]
    level = clipped(level, 0.0, axes[first + 1, 2] - 1.0)
    k = min(math.floor(shell), axes[first, 2] - 2.0)
    j = min(math.floor(level), axes[first + 1, 2] - 2.0)
    row, one = np.uint64(axes[first + 1, 2]), np.uint64(1)
    at = np.uint64(k) * row + np.uint64(j)
    part = np.float32(level - j)
    low = _between(flux[at], flux[at + one], part)
    high = _between(flux[at + row], flux[at + row + one], part)
    return np.float64(_between(low, high, np.float32(shell - k)))


@njit(parallel=True, fastmath=False, error_model="numpy", cache=True)
def places(
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
    weights: Any,
    sun: Any,
    stretch_gain: float,
    xs: Any,
    ys: Any,
    zs: Any,
    view: Any,
    zenith: Any,
    diurnal: Any,
    lit: Any,
) -> None:
    """Position by Hermite between two knots, view of the Earth, Sun's zenith angle and light.

    b*: position and velocity at the knot before, e*: after; every row an array of its own, so
    that the compiler knows that they do not overlap. sun (7,): vector [m], unit vector, inverse
    of its projection on the equator. diurnal: cosine of local solar time after 15 h. lit: height
    of the Sun's centre over the limb in its radii, which `discs` turns into a fraction.
    """
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    sun_x, sun_y, sun_z = sun[0], sun[1], sun[2]
    ux, uy, uz, across = sun[3], sun[4], sun[5], sun[6]
    earth2 = EARTH_MEAN_RADIUS_M**2
    for i in prange(xs.size):
        x = bx[i] * w0 + ex[i] * w1 + bu[i] * w2 + eu[i] * w3
        y = by[i] * w0 + ey[i] * w1 + bv[i] * w2 + ev[i] * w3
        z = bz[i] * w0 + ez[i] * w1 + bw[i] * w2 + ew[i] * w3
        square = x * x + y * y + z * z
        xs[i] = x
        ys[i] = y
        zs[i] = z
        view[i] = earth2 / square
        zenith[i] = (x * ux + y * uy + z * uz) / math.sqrt(square)
        # Hour angle of the Sun below: its cosine and sine without an angle.
        scale = _ROOT_HALF * across / math.sqrt(x * x + y * y)
        diurnal[i] = ((x * ux + y * uy) + (y * ux - x * uy)) * scale
        lit[i] = _height_radii(x, y, z, sun_x, sun_y, sun_z, stretch_gain)


@njit(parallel=True, fastmath=False, error_model="numpy", cache=True)
def discs(lit: Any) -> None:
    """Heights of the Sun over the limb in its radii -> visible fractions, in place.

    Apart from `places` because few satellites are in penumbra and the rest is a loop without
    calls.
    """
    for i in prange(lit.size):
        height = lit[i]
        if height >= 1.0:
            lit[i] = 1.0
        elif height <= -1.0:
            lit[i] = 0.0
        else:
            covered = math.acos(height) - height * math.sqrt(1.0 - height * height)
            lit[i] = 1.0 - covered / math.pi


@njit(parallel=True, fastmath=False, error_model="numpy", cache=True)
def contacts(sites: Any, sin2: float, xs: Any, ys: Any, zs: Any, seen: Any) -> None:
    """1 where any site (k, 7) sees the satellite above the mask, else 0.

    A site: position [m] and vertical in the frame of the satellites, height of its horizon [m].
    (r - s) . u > sin(mask) |r - s|, squared.
    """
    for i in prange(xs.size):
        x, y, z = xs[i], ys[i], zs[i]
        above = False
        for k in range(_SITES):  # a constant, so that it is unrolled and the outer loop vectorised
            height = x * sites[k, 3] + y * sites[k, 4] + z * sites[k, 5] - sites[k, 6]
            dx, dy, dz = x - sites[k, 0], y - sites[k, 1], z - sites[k, 2]
            range2 = dx * dx + dy * dy + dz * dz
            above = above | ((height > 0.0) & (height * height > sin2 * range2))
        seen[i] = 1.0 if above else 0.0


@njit(parallel=True, fastmath=False, error_model="numpy", cache=True)
def map_places(
    axes: Any, turn_rad: float, drift_rad: float, xs: Any, ys: Any, zs: Any, others: Any
) -> None:
    """Positions -> places on the trapped-particle map in grid steps, up, north, east, in place.

    Geodetic latitude and height by Bowring's step; turn_rad: drift of the anomaly less sidereal
    time. others: east without the drift. Height is -1 below the map, where there are no trapped
    particles.
    """
    low_km, up_scale, up_size = axes[0, 0], axes[0, 1], axes[0, 2]
    low_deg, north_scale, north_size = axes[1, 0], axes[1, 1], axes[1, 2]
    west_deg, east_scale, east_size = axes[2, 0], axes[2, 1], axes[2, 2]
    for i in prange(xs.size):
        x, y, z = xs[i], ys[i], zs[i]
        axis = math.sqrt(x * x + y * y)
        scaled_z, scaled_p = z * EARTH_EQUATOR_RADIUS_M, axis * _POLAR_M
        scale = 1.0 / math.sqrt(scaled_z * scaled_z + scaled_p * scaled_p)
        sin_t, cos_t = scaled_z * scale, scaled_p * scale
        north = z + _SECOND * (sin_t * sin_t * sin_t)
        outward = axis - _E2 * EARTH_EQUATOR_RADIUS_M * (cos_t * cos_t * cos_t)
        scale = 1.0 / math.sqrt(north * north + outward * outward)
        sin_lat, cos_lat = north * scale, outward * scale
        surface = EARTH_EQUATOR_RADIUS_M * math.sqrt(1.0 - _E2 * sin_lat * sin_lat)
        altitude_km = (axis * cos_lat + z * sin_lat - surface) * 1e-3
        turns = (arctan2(y, x) + turn_rad) * (1.0 / _TURN)
        east_deg = (turns - math.floor(turns + 0.5)) * 360.0
        turns = turns - drift_rad * (1.0 / _TURN)
        other_deg = (turns - math.floor(turns + 0.5)) * 360.0
        lat_deg = arctan2(north, outward) * _DEG
        up = clipped((altitude_km - low_km) * up_scale, 0.0, up_size - 1.0)
        xs[i] = up if altitude_km >= low_km else -1.0
        ys[i] = clipped((lat_deg - low_deg) * north_scale, 0.0, north_size - 1.0)
        zs[i] = clipped((east_deg - west_deg) * east_scale, 0.0, east_size - 1.0)
        others[i] = clipped((other_deg - west_deg) * east_scale, 0.0, east_size - 1.0)


@njit(parallel=True, fastmath=False, error_model="numpy", cache=True)
def particles(
    edges: Any,
    proton: Any,
    electron: Any,
    axes: Any,
    xs: Any,
    ys: Any,
    zs: Any,
    protons: Any,
    electrons: Any,
) -> None:
    """Fluxes of trapped protons above 50 MeV and electrons above 1 MeV at places on the map.

    The look-ups of twin/trapped.py: place -> 1/L, ln(B/B0), then those -> flux [cm-2 s-1].
    """
    row, layer = np.uint64(axes[2, 2]), np.uint64(axes[1, 2] * axes[2, 2])
    for i in prange(xs.size):
        at, up, north, east = _corner(axes, max(xs[i], 0.0), ys[i], zs[i])
        inverse_l = _trilinear(edges, np.uint64(0), at, layer, row, up, north, east)
        ratio = _trilinear(edges, np.uint64(2), at, layer, row, up, north, east)
        above = xs[i] >= 0.0
        protons[i] = _flux(proton, axes, 3, inverse_l, ratio) if above else 0.0
        electrons[i] = _flux(electron, axes, 5, inverse_l, ratio) if above else 0.0


@njit(parallel=True, fastmath=False, error_model="numpy", cache=True)
def cosmic_rays(
    edges: Any, table: Any, axes: Any, xs: Any, ys: Any, others: Any, view: Any, cosmic: Any
) -> None:
    """Cosmic-ray protons above the cutoff [cm-2 s-1]: twin/cosmic_rays.py, gcr_flux_cm2_s.

    table: flux over half the sky by 1/L; its step and limit in row 7 of axes.
    """
    row, layer = np.uint64(axes[2, 2]), np.uint64(axes[1, 2] * axes[2, 2])
    limit, step, last = axes[7, 0], axes[7, 1], table.size - 2.0
    for i in prange(xs.size):
        at, up, north, east = _corner(axes, max(xs[i], 0.0), ys[i], others[i])
        inverse_l = _trilinear(edges, np.uint64(0), at, layer, row, up, north, east)
        place = clipped(np.float64(inverse_l), 0.0, limit) / step
        index = min(math.floor(place), last)
        low, high = table[np.uint64(index)], table[np.uint64(index) + np.uint64(1)]
        sky = 1.0 + math.sqrt(max(1.0 - view[i], 0.0))
        cosmic[i] = _between(low, high, place - index) * sky
