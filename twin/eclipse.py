"""How much of the Sun's disc a satellite sees past the Earth."""

import numpy as np

from twin.constants import EARTH_EQUATOR_RADIUS_M, EARTH_FLATTENING_FRAC, SUN_RADIUS_M
from twin.state import FloatArray


def sunlit_frac(
    position_teme_m: FloatArray,
    sun_unit: FloatArray,
    sun_distance_m: float,
    oblate: bool = True,
) -> FloatArray:
    """Visible fraction of the Sun's disc, 0 (umbra) to 1, (n,) from positions (n, 3).

    Conical shadow of two discs (Montenbruck & Gill 2000, section 3.4.2): with a the Sun's
    apparent radius, b = asin(R/r) the Earth's and c the angle between their centres, the Sun's
    centre stands c - b above the limb and sin(c - b) = (d sqrt(r^2 - R^2) - p R) / r^2, where
    p and d are the satellite's distances behind the Earth along, and from, the line through
    the Earth's centre parallel to the satellite's view of the Sun. The limb is taken as
    straight across the small disc: with x = sin(c - b) / a,
    fraction = 1 - (acos x - x sqrt(1 - x^2)) / pi.

    `oblate` scales the polar axis by 1 / (1 - f) for satellite and Sun, which turns the WGS84
    ellipsoid into a sphere and keeps straight rays straight; it moves shadow edges by seconds
    in low orbit and by up to 76 s at the edges of a dawn-dusk eclipse season. With False the
    Earth is a sphere of the equatorial radius. Against the exact two-disc overlap the straight
    limb costs about 0.001 in low orbit, 0.004 in geostationary orbit. No atmosphere (refraction
    and absorption soften real edges by about a second). A nan position gives nan.

    Validity: outside the Earth and within 0.1 AU of it.
    Source: Montenbruck & Gill 2000, Satellite Orbits, section 3.4.2; WGS84 (NIMA TR8350.2,
    2000).
    """
    stretch = 1.0 / (1.0 - EARTH_FLATTENING_FRAC) if oblate else 1.0
    x, y, z = position_teme_m[:, 0], position_teme_m[:, 1], position_teme_m[:, 2] * stretch
    sun_m = sun_unit * sun_distance_m
    to_x, to_y, to_z = sun_m[0] - x, sun_m[1] - y, sun_m[2] * stretch - z
    to_sun_m = np.sqrt(to_x * to_x + to_y * to_y + to_z * to_z)
    behind_m = -(x * to_x + y * to_y + z * to_z) / to_sun_m
    squared_m2 = x * x + y * y + z * z
    aside_m = np.sqrt(np.maximum(squared_m2 - behind_m * behind_m, 0.0))
    tangent_m = np.sqrt(np.maximum(squared_m2 - EARTH_EQUATOR_RADIUS_M**2, 0.0))
    above_limb = (aside_m * tangent_m - behind_m * EARTH_EQUATOR_RADIUS_M) / squared_m2
    return _disc_above_line_frac(above_limb * to_sun_m / SUN_RADIUS_M, behind_m)


def shadow_left_s(
    position_teme_m: FloatArray, velocity_teme_m_s: FloatArray, sun_unit: FloatArray
) -> FloatArray:
    """Time until the Sun's centre rises [s], (n,); 0 outside the shadow.

    On a circle of the present radius and rate, a satellite at the angle psi past the midnight
    point of its orbit is in the shadow while |psi| < phi, cos phi = sqrt(1 - (R/r)^2) / cos beta
    (e.g. Wertz 1978, section 5.1), and has (phi - psi) r^2 / h to go. The polar axis is
    stretched as in `sunlit_frac`, so R is the equatorial radius and the Earth oblate. Against
    the half-light instants of the conical shadow within 10 s for eccentricities below 0.002.

    Validity: eccentricities below 0.002 for 10 s; grows with the eccentricity.
    Source: Wertz 1978, Spacecraft Attitude Determination and Control, section 5.1.
    """
    stretch = 1.0 / (1.0 - EARTH_FLATTENING_FRAC)
    x, y, z = position_teme_m[:, 0], position_teme_m[:, 1], position_teme_m[:, 2] * stretch
    u, v, w = velocity_teme_m_s[:, 0], velocity_teme_m_s[:, 1], velocity_teme_m_s[:, 2] * stretch
    sun = sun_unit * np.array([1.0, 1.0, stretch])
    a, b, c = (sun / np.sqrt(sun @ sun)).tolist()
    h_x, h_y, h_z = y * w - z * v, z * u - x * w, x * v - y * u
    size = np.sqrt(h_x * h_x + h_y * h_y + h_z * h_z)
    radius2_m2 = x * x + y * y + z * z
    sin_beta = (h_x * a + h_y * b + h_z * c) / size
    cos_beta = np.sqrt(np.maximum(1.0 - sin_beta * sin_beta, 1e-30))
    # Components of the place along the midnight direction and a quarter turn on, times cos beta.
    toward = -(x * a + y * b + z * c)
    onward = h_x * (y * c - z * b) + h_y * (z * a - x * c) + h_z * (x * b - y * a)
    onward = onward / size
    psi = np.arctan2(onward, toward)
    half = np.sqrt(np.maximum(1.0 - EARTH_EQUATOR_RADIUS_M**2 / radius2_m2, 0.0)) / cos_beta
    phi = np.arccos(np.minimum(half, 1.0))
    return np.where(np.abs(psi) < phi, (phi - psi) * radius2_m2 / size, 0.0)


def _disc_above_line_frac(height: FloatArray, behind_m: FloatArray) -> FloatArray:
    # Full and empty discs are settled by comparison; the few in penumbra get the exact formula.
    fraction = np.where((height >= 1.0) | (behind_m <= 0.0), 1.0, 0.0)
    crossing = np.flatnonzero((np.abs(height) < 1.0) & (behind_m > 0.0))
    chord = height[crossing]
    covered = np.arccos(chord) - chord * np.sqrt(1.0 - chord * chord)
    fraction[crossing] = 1.0 - covered / np.pi
    fraction[np.isnan(height)] = np.nan
    return fraction
