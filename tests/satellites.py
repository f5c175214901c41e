"""Satellites for tests of the physics, and the almanac they are checked against."""

import math
import warnings

import numpy as np
from numpy.typing import NDArray
from sgp4.api import WGS72, Satrec
from skyfield.api import Loader
from skyfield.timelib import Time, Timescale
from skyfield_data import get_skyfield_data_path

from twin.constants import EARTH_EQUATOR_RADIUS_M, EARTH_GM_M3_S2

EPOCH_UNIX_S = 1_785_067_200.0  # 2026-07-26T12:00 UTC, within hours of the real elements below

# Catalogued elements of 2026 (Starcloud-1) and 2026-04-30 (a Starlink), public.
STARCLOUD_TLE = (
    "1 66303U 25248L   26207.16029198  .00005005  00000-0  22976-3 0  9991",
    "2 66303  45.3997 271.0639 0006322 268.1150  91.9012 15.21652070 40477",
)
STARLINK_TLE = (
    "1 44714U 19074B   26120.71622129  .00024660  00000+0  50008-3 0  9995",
    "2 44714  53.1549 295.1541 0000918  33.1247 326.9818 15.46261552356866",
)


def from_elements(
    epoch_unix_s: float,
    turns_per_day: float,
    inclination_deg: float,
    *,
    node_deg: float = 0.0,
    anomaly_deg: float = 0.0,
    eccentricity: float = 1e-4,
) -> Satrec:
    """SGP4 record without drag, from mean elements at an epoch."""
    satellite = Satrec()
    satellite.sgp4init(
        WGS72,
        "i",
        99999,
        epoch_unix_s / 86400.0 + 2440587.5 - 2433281.5,
        0.0,
        0.0,
        0.0,
        eccentricity,
        0.0,
        math.radians(inclination_deg),
        math.radians(anomaly_deg),
        turns_per_day * 2.0 * math.pi / 1440.0,
        math.radians(node_deg),
    )
    return satellite


def circular(
    epoch_unix_s: float,
    altitude_km: float,
    inclination_deg: float,
    node_deg: float = 0.0,
    anomaly_deg: float = 0.0,
) -> Satrec:
    """A circular orbit at a height above the equator's radius."""
    radius_m = EARTH_EQUATOR_RADIUS_M + altitude_km * 1e3
    period_s = 2.0 * math.pi * math.sqrt(radius_m**3 / EARTH_GM_M3_S2)
    return from_elements(
        epoch_unix_s,
        86400.0 / period_s,
        inclination_deg,
        node_deg=node_deg,
        anomaly_deg=anomaly_deg,
    )


def starcloud() -> Satrec:
    return Satrec.twoline2rv(*STARCLOUD_TLE)


def starlink() -> Satrec:
    return Satrec.twoline2rv(*STARLINK_TLE)


def almanac() -> Loader:
    """Skyfield's files from the package, never the network."""
    with warnings.catch_warnings():
        # Its Earth-orientation file ends in the past; Skyfield then extrapolates UT1, to 0.1 s.
        warnings.filterwarnings("ignore", message=".*finals2000A.all has expired.*")
        return Loader(get_skyfield_data_path(), verbose=False)


def skyfield_times(timescale: Timescale, unix_s: NDArray[np.float64]) -> Time:
    """UTC instants for Skyfield, by calendar day: seconds counted from 1970 would meet leaps."""
    day, of_day_s = np.divmod(unix_s, 86_400.0)
    return timescale.utc(1970, 1, 1 + day, 0, 0, of_day_s)
