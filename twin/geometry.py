"""Where a satellite is as seen from the Earth and the Sun. Vectors are TEME, SI units.

The Sun is turned to TEME's own equinox, so that positions and Sun share one frame. Never mix
with J2000 vectors: 0.38 deg in 2026.
"""

import math
from typing import Final, NamedTuple

import numpy as np

from twin.clock import days_since_j2000
from twin.constants import (
    ASTRONOMICAL_UNIT_M,
    EARTH_EQUATOR_RADIUS_M,
    EARTH_FLATTENING_FRAC,
)
from twin.state import FloatArray
from twin.sun import sun_place

_ECCENTRICITY_SQUARED: Final = EARTH_FLATTENING_FRAC * (2.0 - EARTH_FLATTENING_FRAC)
_POLAR_RADIUS_M: Final = EARTH_EQUATOR_RADIUS_M * (1.0 - EARTH_FLATTENING_FRAC)


class SunVector(NamedTuple):
    """Direction (3,) from the Earth's centre and distance [m] of the Sun."""

    unit: FloatArray
    distance_m: float


class GeodeticPoint(NamedTuple):
    """Geodetic latitude [rad], east longitude [rad] in [-pi, pi], height [m]; (n,) each."""

    latitude_rad: FloatArray
    longitude_rad: FloatArray
    altitude_m: FloatArray


class LookAngles(NamedTuple):
    """Elevation [rad] above the geodetic horizon and slant range [m], (n, stations)."""

    elevation_rad: FloatArray
    range_m: FloatArray


def sun_vector(epoch_unix_s: float, elapsed_s: float = 0.0) -> SunVector:
    """Unit vector (3,) to the Sun in TEME and its distance [m].

    s = (cos L, cos e sin L, sin e sin L) on the true equator and equinox of date, turned about
    the pole by the equation of the equinoxes to TEME's mean equinox; L, e and the distance are
    those of twin.sun.sun_place. Validity 1950-2100; error against JPL DE421 in 2000-2050 below
    0.0011 deg: 0.02 s of a low orbit's eclipse, 0.3 s of a geostationary one. Source:
    Bretagnon & Francou 1988 (VSOP87); Vallado et al. 2006, AIAA 2006-6753 (TEME).
    """
    place = sun_place(days_since_j2000(epoch_unix_s, elapsed_s))
    along, across = math.cos(place.longitude_rad), math.sin(place.longitude_rad)
    right_ascension = math.atan2(math.cos(place.obliquity_rad) * across, along)
    right_ascension -= place.equinox_shift_rad
    height = math.sin(place.obliquity_rad) * across
    aside = math.sqrt(1.0 - height * height)
    unit = np.array([aside * math.cos(right_ascension), aside * math.sin(right_ascension), height])
    return SunVector(unit, place.distance_au * ASTRONOMICAL_UNIT_M)


def geodetic_point(position_teme_m: FloatArray, sidereal_rad: float) -> GeodeticPoint:
    """Sub-satellite point on WGS84 and height above it, (n,) from positions (n, 3).

    Longitude is right ascension minus Greenwich mean sidereal time. Latitude by Bowring 1976
    (Survey Review 23, 323), one step from the reduced latitude tan t = (a/b) z/p:
    tan phi = (z + e'^2 b sin^3 t) / (p - e^2 a cos^3 t); error below 1e-6 deg at any height.
    Height h = p cos phi + z sin phi - a sqrt(1 - e^2 sin^2 phi). UT1 - UTC
    and polar motion are left out: 45 m on the ground in 2026, at most 420 m by the definition of
    UTC. Not valid within 50 km of the centre.

    Validity: heights above -5,000 km; not within 50 km of the centre.
    Source: Bowring 1976, Survey Review 23, 323.
    """
    x, y, z = position_teme_m[:, 0], position_teme_m[:, 1], position_teme_m[:, 2]
    axis_m = np.sqrt(x * x + y * y)
    longitude = _wrapped_rad(np.arctan2(y, x) - sidereal_rad)
    scaled_z, scaled_p = z * EARTH_EQUATOR_RADIUS_M, axis_m * _POLAR_RADIUS_M
    scale = 1.0 / np.sqrt(scaled_z * scaled_z + scaled_p * scaled_p)
    sin_t, cos_t = scaled_z * scale, scaled_p * scale
    second = _ECCENTRICITY_SQUARED / (1.0 - _ECCENTRICITY_SQUARED) * _POLAR_RADIUS_M
    north = z + second * (sin_t * sin_t * sin_t)
    outward = axis_m - _ECCENTRICITY_SQUARED * EARTH_EQUATOR_RADIUS_M * (cos_t * cos_t * cos_t)
    scale = 1.0 / np.sqrt(north * north + outward * outward)
    sin_lat, cos_lat = north * scale, outward * scale
    surface_m = EARTH_EQUATOR_RADIUS_M * np.sqrt(1.0 - _ECCENTRICITY_SQUARED * sin_lat * sin_lat)
    altitude = axis_m * cos_lat + z * sin_lat - surface_m
    return GeodeticPoint(np.arctan2(north, outward), longitude, altitude)


def earth_fixed_position_m(
    latitude_rad: FloatArray, longitude_rad: FloatArray, altitude_m: FloatArray
) -> FloatArray:
    """Earth-fixed Cartesian position [m], (n, 3), of geodetic points on WGS84.

    N = a / sqrt(1 - e^2 sin^2 phi); x + iy = (N + h) cos phi e^(i lambda);
    z = (N (1 - e^2) + h) sin phi (e.g. Vallado 2013, section 3.4).

    Validity: all latitudes and heights; WGS84.
    Source: Vallado 2013, Fundamentals of Astrodynamics, section 3.4.
    """
    sin_lat = np.sin(latitude_rad)
    normal_m = EARTH_EQUATOR_RADIUS_M / np.sqrt(1.0 - _ECCENTRICITY_SQUARED * sin_lat * sin_lat)
    axis_m = (normal_m + altitude_m) * np.cos(latitude_rad)
    out = np.empty((3, latitude_rad.size))
    out[0] = axis_m * np.cos(longitude_rad)
    out[1] = axis_m * np.sin(longitude_rad)
    out[2] = (normal_m * (1.0 - _ECCENTRICITY_SQUARED) + altitude_m) * sin_lat
    return out.T


def look_angles(point: GeodeticPoint, station: GeodeticPoint) -> LookAngles:
    """Elevation [rad] and slant range [m] of n satellites from m ground points, (n, m).

    sin e = (r - s) . u / |r - s| with u the station's geodetic vertical (Vallado 2013, section
    4.4). Geometric: no
    refraction (which lifts the horizon by 0.5 deg) and no terrain.

    Validity: straight rays; below 5 deg of elevation refraction lifts by more than 0.15 deg.
    Source: Vallado 2013, Fundamentals of Astrodynamics, section 4.4.
    """
    satellite = earth_fixed_position_m(*point)
    ground = earth_fixed_position_m(*station)
    cos_lat = np.cos(station.latitude_rad)
    vertical = (
        cos_lat * np.cos(station.longitude_rad),
        cos_lat * np.sin(station.longitude_rad),
        np.sin(station.latitude_rad),
    )
    squared_m2 = np.zeros((satellite.shape[0], ground.shape[0]))
    height_m = np.zeros_like(squared_m2)
    for axis in range(3):
        offset_m = satellite[:, axis, np.newaxis] - ground[:, axis]
        squared_m2 += offset_m * offset_m
        height_m += offset_m * vertical[axis]
    range_m = np.sqrt(squared_m2)
    # Rounding may leave the ratio an ulp outside [-1, 1] straight overhead.
    return LookAngles(np.arcsin(np.clip(height_m / range_m, -1.0, 1.0)), range_m)


def beta_angle_rad(
    position_teme_m: FloatArray, velocity_teme_m_s: FloatArray, sun_unit: FloatArray
) -> FloatArray:
    """Angle between the orbit plane and the Sun [rad], (n,), positive on the side of r x v.

    sin beta = h . s / |h| (Vallado 2013, section 5.3). From the osculating plane, so it carries
    the frame's error only.

    Validity: orbits that are not straight lines.
    Source: Vallado 2013, Fundamentals of Astrodynamics, section 5.3.
    """
    x, y, z = (position_teme_m[:, i] for i in range(3))
    u, v, w = (velocity_teme_m_s[:, i] for i in range(3))
    momentum = (y * w - z * v, z * u - x * w, x * v - y * u)
    size = np.sqrt(momentum[0] ** 2 + momentum[1] ** 2 + momentum[2] ** 2)
    toward = momentum[0] * sun_unit[0] + momentum[1] * sun_unit[1] + momentum[2] * sun_unit[2]
    return np.asarray(np.arcsin(np.clip(toward / size, -1.0, 1.0)))


def local_solar_time_h(
    longitude_rad: FloatArray, sidereal_rad: float, sun_unit: FloatArray
) -> FloatArray:
    """Apparent solar time at the sub-satellite point [h] in [0, 24), (n,).

    12 h + (right ascension of the point - right ascension of the Sun) / 15 deg. It follows the
    true Sun; mean solar time differs by the equation of time, up to 16 minutes.

    Validity: all longitudes; at the poles it has no meaning.
    Source: by definition of apparent solar time (Meeus 1998, chapter 28).
    """
    sun_right_ascension = math.atan2(sun_unit[1], sun_unit[0])
    hours = 12.0 + (longitude_rad + (sidereal_rad - sun_right_ascension)) * (12.0 / math.pi)
    turned = hours - 24.0 * np.floor(hours / 24.0)
    # A tiny negative hour rounds up to exactly 24.
    return np.where(turned >= 24.0, 0.0, turned)


def solar_zenith_cosine(position_teme_m: FloatArray, sun_unit: FloatArray) -> FloatArray:
    """Cosine of the Sun's zenith angle below the satellite, (n,), on a spherical Earth.

    Validity: the point below the satellite on a sphere; the ellipsoid's normal differs by up to
    0.2 deg.
    Source: by definition: cos z = r . s / |r|.
    """
    x, y, z = (position_teme_m[:, i] for i in range(3))
    toward = x * sun_unit[0] + y * sun_unit[1] + z * sun_unit[2]
    return np.asarray(toward / np.sqrt(x * x + y * y + z * z))


def _wrapped_rad(angle_rad: FloatArray) -> FloatArray:
    return angle_rad - (2.0 * math.pi) * np.round(angle_rad / (2.0 * math.pi))
