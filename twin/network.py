"""Links: between satellites by geometry and range, to the ground by passes over real stations."""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from twin.constants import (
    EARTH_EQUATOR_RADIUS_M,
    EARTH_FLATTENING_FRAC,
    EARTH_MEAN_RADIUS_M,
    SPEED_OF_LIGHT_M_S,
)
from twin.state import BoolArray, Environment, FleetParams, FloatArray, IntArray

LINKS: Final = 4  # inter-satellite terminals of a satellite, second axis of (n, 4)
GRAZING_HEIGHT_M: Final = 80_000.0  # laser links stay above the denser air; usual practice
ELEVATION_MASK_RAD: Final = float(np.deg2rad(10.0))  # usual for Ka band and optical; assumption
# Mean path of a relayed satellite: some hops of a low-orbit constellation and the gateway's
# slant range. Not valid for a geostationary relay (about 72,000 km); assumption.
RELAY_PATH_M: Final = 5.0e6


class GroundStation(NamedTuple):
    """A site that receives satellites: public name and geodetic position."""

    name: str
    latitude_deg: float
    longitude_deg: float
    height_m: float


# Commercial and agency sites, positions to about 0.1 deg from public maps and station pages
# (KSAT, SSC, ESA ESTRACK, NASA Near Space Network); confidence: memory.
GROUND_STATIONS: Final = (
    GroundStation("Svalbard", 78.23, 15.40, 450.0),
    GroundStation("Inuvik", 68.32, -133.55, 50.0),
    GroundStation("Fairbanks", 64.86, -147.85, 250.0),
    GroundStation("Kiruna", 67.86, 20.96, 400.0),
    GroundStation("Wallops", 37.95, -75.46, 10.0),
    GroundStation("White Sands", 32.54, -106.61, 1470.0),
    GroundStation("South Point", 19.01, -155.66, 370.0),
    GroundStation("Punta Arenas", -52.94, -70.85, 50.0),
    GroundStation("Hartebeesthoek", -25.89, 27.69, 1540.0),
    GroundStation("Singapore", 1.40, 103.83, 15.0),
    GroundStation("Dongara", -29.05, 115.35, 250.0),
    GroundStation("TrollSat", -72.01, 2.53, 1270.0),
)
RELAY_STATION_INDEX: Final = len(GROUND_STATIONS)
STATION_NAMES: Final = (*(site.name for site in GROUND_STATIONS), "relay")
"""Names by ground_station_index; -1 is none in view."""


class GroundContact(NamedTuple):
    """Best station of each satellite, (n,)."""

    station_index: IntArray  # -1 = none, RELAY_STATION_INDEX = relay constellation
    range_m: FloatArray  # slant range, nan = none


class Site(NamedTuple):
    """A ground station in the Earth's frame."""

    position_m: tuple[float, ...]  # Earth-fixed
    up_unit: tuple[float, ...]  # geodetic vertical
    height_m: float  # of the site over the plane through the Earth's centre along its horizon


def link_range_m(
    position_teme_m: FloatArray,
    neighbour_index: IntArray,
    params: FleetParams,
    far_teme_m: FloatArray | None = None,
) -> FloatArray:
    """Range of each inter-satellite link that is up [m], (n, 4); nan where it is not.

    Up: a neighbour exists, the rate is not 0, the range is within the limit and the straight
    line stays 80 km above the mean sphere: |r1 x r2| / d > R + h, unless the nearest point of
    the line to the Earth's centre lies outside the segment. Refraction is neglected.
    `far_teme_m` (m, 3) is what the neighbours are rows of, by default the satellites themselves.

    Validity: straight lines, spherical Earth with 80 km of air.
    Source: closed form: distance of a line from the Earth's centre (Vallado 2013, section 5.3,
    line of sight).
    """
    exists = neighbour_index >= 0
    x_m, y_m, z_m = (np.ascontiguousarray(position_teme_m[:, axis]) for axis in range(3))
    far = np.maximum(neighbour_index, 0).T
    here = (x_m, y_m, z_m)
    there = here if far_teme_m is None else tuple(far_teme_m.T)
    delta = tuple(to_m.take(far) - axis_m for to_m, axis_m in zip(there, here, strict=True))
    square_m2 = delta[0] * delta[0] + delta[1] * delta[1] + delta[2] * delta[2]
    along_m2 = here[0] * delta[0] + here[1] * delta[1] + here[2] * delta[2]
    radius_m2 = x_m * x_m + y_m * y_m + z_m * z_m
    # Squared distance of the line from the centre times d^2: r^2 d^2 - (r . d)^2.
    miss_m4 = radius_m2 * square_m2 - along_m2 * along_m2
    clear_m2 = (EARTH_MEAN_RADIUS_M + GRAZING_HEIGHT_M) ** 2
    beside = (along_m2 >= 0.0) | (along_m2 <= -square_m2)
    clear = beside | (miss_m4 > clear_m2 * square_m2)
    near = square_m2 <= params.link_range_limit_m * params.link_range_limit_m
    up = exists.T & clear & near & (params.link_rate_bit_s > 0.0)
    return np.where(up, np.sqrt(square_m2), np.nan).T


def next_acquire_s(
    acquire_s: FloatArray,
    range_m: FloatArray,
    neighbour_index: IntArray,
    params: FleetParams,
    step_s: float,
) -> FloatArray:
    """Time until each link carries data again [s], (n, 4); 0 = it does, or there is none.

    A link that geometry forbids (range_m nan) needs params.link_acquire_s of pointing and
    tracking once it is possible again: 15 s to 60 s are published.

    Validity: ticks below the acquisition time.
    Source: by definition; times are the preset's, with their sources.
    """
    wanted = (neighbour_index >= 0) & (params.link_rate_bit_s > 0.0)[:, np.newaxis]
    missing = wanted & np.isnan(range_m)
    if not (missing.any() or acquire_s.any()):
        return acquire_s
    waiting_s = np.maximum(acquire_s - step_s, 0.0)
    return np.where(missing, params.link_acquire_s[:, np.newaxis], waiting_s)


def link_margin_db(range_m: FloatArray, params: FleetParams) -> FloatArray:
    """Free-space margin of each link [dB], (n, k): 20 log10(d_ref / d), 0 at the reference.

    Square law of power density (Friis 1946); pointing loss is in the reference range.

    Validity: links in free space beyond the near field.
    Source: Friis 1946, Proc. IRE 34, 254, eq. 1.
    """
    reference_m = params.link_reference_range_m[:, np.newaxis]
    return np.asarray(20.0 * np.log10(reference_m / np.maximum(range_m, 1.0)))


def ground_contact(
    environment: Environment, params: FleetParams, closed: tuple[int, ...] = ()
) -> GroundContact:
    """Station with the highest elevation above 10 deg and its slant range, (n,).

    sin(elevation) = (r - s) . u / |r - s| with u the geodetic vertical of the site (Vallado 2013,
    section 4.4). A satellite
    with ground_relayed is always in contact over a relay path of 5,000 km, or the straight way to
    the ground where that is longer. `closed`: indices of
    stations (and of the relay) that are out of service.

    Validity: as `geometry.look_angles`; one contact at a time.
    Source: Vallado 2013, Fundamentals of Astrodynamics, section 4.4; mask of 10 deg:
    assumption, beside it in `twin/network.py`.
    """
    x_m, y_m, z_m = satellite_fixed_m(environment)
    best_sine = np.full(x_m.size, np.sin(ELEVATION_MASK_RAD))
    index, slant_m = np.full(x_m.size, -1, dtype=np.int64), np.full(x_m.size, np.nan)
    for station, site in enumerate(sites()):
        if station in closed:
            continue
        height_m = x_m * site.up_unit[0] + y_m * site.up_unit[1] + z_m * site.up_unit[2]
        seen = np.flatnonzero(height_m > site.height_m)  # above the horizontal plane: few are
        offset_m = [
            axis[seen] - at for axis, at in zip((x_m, y_m, z_m), site.position_m, strict=True)
        ]
        range_m = np.sqrt(offset_m[0] ** 2 + offset_m[1] ** 2 + offset_m[2] ** 2)
        sine = (height_m[seen] - site.height_m) / range_m
        better = sine > best_sine[seen]
        chosen = seen[better]
        best_sine[chosen], slant_m[chosen], index[chosen] = sine[better], range_m[better], station
    if RELAY_STATION_INDEX not in closed:
        index[params.ground_relayed] = RELAY_STATION_INDEX
        straight_m = np.linalg.norm(environment.position_teme_m, axis=1) - EARTH_MEAN_RADIUS_M
        relay_m = np.maximum(RELAY_PATH_M, straight_m)  # the Moon is farther than any relay
        slant_m[params.ground_relayed] = relay_m[params.ground_relayed]
    return GroundContact(index, slant_m)


def satellite_fixed_m(environment: Environment) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Earth-fixed x, y, z [m], (n,) each, from geodetic latitude, longitude and height (WGS84).

    Validity: WGS84.
    Source: Vallado 2013, Fundamentals of Astrodynamics, section 3.4.
    """
    sin_lat = np.sin(environment.latitude_rad)
    cos_lat = np.sqrt(1.0 - sin_lat * sin_lat)  # cheaper than cos; 0.1 m at the poles
    eccentricity2 = EARTH_FLATTENING_FRAC * (2.0 - EARTH_FLATTENING_FRAC)
    normal_m = EARTH_EQUATOR_RADIUS_M / np.sqrt(1.0 - eccentricity2 * sin_lat * sin_lat)
    across_m = (normal_m + environment.altitude_m) * cos_lat
    z_m = (normal_m * (1.0 - eccentricity2) + environment.altitude_m) * sin_lat
    x_m = across_m * np.cos(environment.longitude_rad)
    return x_m, across_m * np.sin(environment.longitude_rad), z_m


def one_way_delay_s(ground_range_m: FloatArray) -> FloatArray:
    """Light time to the ground [s], (n,); nan without contact.

    Validity: vacuum; the atmosphere adds below 10 ns.
    Source: by definition: t = d / c, c of SI 2019.
    """
    return ground_range_m / SPEED_OF_LIGHT_M_S


def next_backlog_bit(
    backlog_bit: FloatArray,
    produced_bit_s: FloatArray,
    contact: BoolArray,
    params: FleetParams,
    step_s: float,
) -> FloatArray:
    """Results waiting for a pass [bit], (n,): grows with work, drains at ground_rate in contact.

    Validity: ticks short against a pass.
    Source: by definition: conservation of bits.
    """
    drained_bit_s = params.ground_rate_bit_s * contact
    return np.maximum(backlog_bit + (produced_bit_s - drained_bit_s) * step_s, 0.0)


@lru_cache(maxsize=1)
def sites() -> tuple[Site, ...]:
    """The ground stations as geometry needs them, in the order of GROUND_STATIONS."""
    return tuple(_site(station) for station in GROUND_STATIONS)


def _site(station: GroundStation) -> Site:
    lat_rad, lon_rad = np.deg2rad(station.latitude_deg), np.deg2rad(station.longitude_deg)
    up = np.array(
        [np.cos(lat_rad) * np.cos(lon_rad), np.cos(lat_rad) * np.sin(lon_rad), np.sin(lat_rad)]
    )
    eccentricity2 = EARTH_FLATTENING_FRAC * (2.0 - EARTH_FLATTENING_FRAC)
    normal_m = EARTH_EQUATOR_RADIUS_M / np.sqrt(1.0 - eccentricity2 * up[2] ** 2)
    squash = np.array([1.0, 1.0, 1.0 - eccentricity2])
    position_m = (normal_m * squash + station.height_m) * up
    return Site(tuple(position_m.tolist()), tuple(up.tolist()), float(np.sum(position_m * up)))
