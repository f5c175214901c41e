"""What surrounds each satellite of a tile, compiled: place, shadow, light and contact.

The equations are those of twin/environment.py, twin/geometry.py, twin/eclipse.py and
twin/network.py, which stay the oracle.
"""

import math
from typing import Any, Final

from numba import njit

from twin.compiled.functions import inverse_root, kernel
from twin.compiled.rows import (
    CONTACT,
    DIURNAL,
    KNOT_U,
    KNOT_V,
    KNOT_W,
    KNOT_X,
    KNOT_Y,
    KNOT_Z,
    LIT,
    SUN,
    TILE,
    VIEW,
    WEIGHTS,
    ZENITH,
    X,
    Y,
    Z,
)
from twin.constants import EARTH_EQUATOR_RADIUS_M, EARTH_MEAN_RADIUS_M, SUN_RADIUS_M

_ROOT_HALF: Final = math.sqrt(0.5)


@njit(error_model="numpy", inline="always")
def _height_radii(
    x: float, y: float, z: float, sun_x: float, sun_y: float, sun_z: float, stretch: float
) -> float:
    # Height of the Sun's centre over the limb in radii of its disc: twin/eclipse.py.
    z = z * stretch
    to_x, to_y, to_z = sun_x - x, sun_y - y, sun_z * stretch - z
    to_sun2 = to_x * to_x + to_y * to_y + to_z * to_z
    nearness = inverse_root(to_sun2)
    behind = -(x * to_x + y * to_y + z * to_z) * nearness
    square = x * x + y * y + z * z
    aside = math.sqrt(max(square - behind * behind, 0.0))
    tangent = math.sqrt(max(square - EARTH_EQUATOR_RADIUS_M**2, 0.0))
    above = (aside * tangent - behind * EARTH_EQUATOR_RADIUS_M) * (to_sun2 * nearness)
    height = above / (square * SUN_RADIUS_M)
    return 1.0 if behind <= 0.0 else height


@kernel
def places(begin: Any, end: Any, now: Any, stretch_frac: float, w: Any) -> int:
    """Position by Hermite between two knots, view of the Earth, Sun's zenith angle and light.

    begin, end: knots (6 TILE,); now: row of the table of ticks. Diurnal: cosine of local solar
    time after 15 h. Returns how many satellites are in penumbra: there LIT is the height of the
    Sun's centre over the limb in its radii, which `discs` turns into a fraction.
    """
    w0, w1, w2, w3 = now[WEIGHTS], now[WEIGHTS + 1], now[WEIGHTS + 2], now[WEIGHTS + 3]
    sun_x, sun_y, sun_z = now[SUN], now[SUN + 1], now[SUN + 2]
    ux, uy, uz, across = now[SUN + 3], now[SUN + 4], now[SUN + 5], now[SUN + 6]
    earth2 = EARTH_MEAN_RADIUS_M**2
    partly = 0
    for i in range(TILE):
        x = begin[KNOT_X + i] * w0 + end[KNOT_X + i] * w1
        x += begin[KNOT_U + i] * w2 + end[KNOT_U + i] * w3
        y = begin[KNOT_Y + i] * w0 + end[KNOT_Y + i] * w1
        y += begin[KNOT_V + i] * w2 + end[KNOT_V + i] * w3
        z = begin[KNOT_Z + i] * w0 + end[KNOT_Z + i] * w1
        z += begin[KNOT_W + i] * w2 + end[KNOT_W + i] * w3
        axis2 = x * x + y * y
        nearness = inverse_root(axis2 + z * z)
        w[X + i] = x
        w[Y + i] = y
        w[Z + i] = z
        w[VIEW + i] = earth2 * (nearness * nearness)
        w[ZENITH + i] = (x * ux + y * uy + z * uz) * nearness
        # Hour angle of the Sun below: its cosine and sine without an angle.
        scale = _ROOT_HALF * across * inverse_root(axis2)
        w[DIURNAL + i] = ((x * ux + y * uy) + (y * ux - x * uy)) * scale
    for i in range(TILE):
        x, y, z = w[X + i], w[Y + i], w[Z + i]
        height = _height_radii(x, y, z, sun_x, sun_y, sun_z, stretch_frac)
        whole = 1.0 if height >= 1.0 else 0.0
        part = (height < 1.0) & (height > -1.0)
        w[LIT + i] = height if part else whole
        partly += 1 if part else 0
    return partly


@kernel
def discs(w: Any) -> None:
    """Heights of the Sun over the limb in its radii -> visible fractions, in place."""
    for i in range(TILE):
        height = w[LIT + i]
        if (height < 1.0) & (height > -1.0) & (height != 0.0):
            covered = math.acos(height) - height * math.sqrt(1.0 - height * height)
            w[LIT + i] = 1.0 - covered / math.pi


@kernel
def contacts(sites: Any, sin2: float, w: Any) -> None:
    """1 where any site (k, 7) sees the satellite above the mask, else 0.

    A site: position [m] and vertical in the frame of the satellites, height of its horizon [m].
    (r - s) . u > sin(mask) |r - s|, squared.
    """
    for i in range(TILE):
        w[CONTACT + i] = 0.0
    for k in range(sites.shape[0]):
        sx, sy, sz, horizon = sites[k, 0], sites[k, 1], sites[k, 2], sites[k, 6]
        ux, uy, uz = sites[k, 3], sites[k, 4], sites[k, 5]
        for i in range(TILE):
            x, y, z = w[X + i], w[Y + i], w[Z + i]
            height = x * ux + y * uy + z * uz - horizon
            dx, dy, dz = x - sx, y - sy, z - sz
            range2 = dx * dx + dy * dy + dz * dz
            above = (height > 0.0) & (height * height > sin2 * range2)
            w[CONTACT + i] = 1.0 if above else w[CONTACT + i]
