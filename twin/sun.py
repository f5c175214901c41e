"""The Sun's apparent place on the ecliptic of date, from the leading terms of a planetary theory.

One evaluation per tick for the whole fleet, so that two arc seconds cost nothing: the classical
low-precision formula (0.01 deg) moves a geostationary eclipse by more than 2 s.
"""

import math
from typing import Final, NamedTuple

import numpy as np

from twin.clock import DAYS_PER_JULIAN_CENTURY
from twin.constants import SECONDS_PER_DAY
from twin.state import FloatArray

# Terrestrial time ahead of UTC: 32.184 s + 37 leap seconds since 2017 (IERS Bulletin C). It was
# 64.184 s in 2000; the Sun moves 0.2 arc seconds in those five seconds.
TERRESTRIAL_TIME_AHEAD_S: Final = 69.184
ABERRATION_RAD: Final = math.radians(20.4898 / 3600.0)  # at 1 AU; Meeus 1998, eq. 25.10

# Leading terms of VSOP87D for the Earth (Bretagnon & Francou 1988, A&A 202, 309; as tabled by
# Reda & Andreas 2004, NREL/TP-560-34302): amplitude 1e-8 rad or 1e-8 AU, phase rad, rate rad per
# thousand Julian years, for t^0, t^1 and t^2. Public.
_LONGITUDE_0: Final = np.array(
    [
        (175347046.0, 0.0, 0.0),
        (3341656.0, 4.6692568, 6283.07585),
        (34894.0, 4.6261, 12566.1517),
        (3497.0, 2.7441, 5753.3849),
        (3418.0, 2.8289, 3.5231),
        (3136.0, 3.6277, 77713.7715),
        (2676.0, 4.4181, 7860.4194),
        (2343.0, 6.1352, 3930.2097),
        (1324.0, 0.7425, 11506.7698),
        (1273.0, 2.0371, 529.691),
        (1199.0, 1.1096, 1577.3435),
        (990.0, 5.233, 5884.927),
        (902.0, 2.045, 26.298),
        (857.0, 3.508, 398.149),
        (780.0, 1.179, 5223.694),
        (753.0, 2.533, 5507.553),
        (505.0, 4.583, 18849.228),
        (492.0, 4.205, 775.523),
        (357.0, 2.92, 0.067),
        (317.0, 5.849, 11790.629),
    ]
)
_LONGITUDE_1: Final = np.array(
    [
        (628331966747.0, 0.0, 0.0),
        (206059.0, 2.678235, 6283.07585),
        (4303.0, 2.6351, 12566.1517),
        (425.0, 1.59, 3.523),
    ]
)
_LONGITUDE_2: Final = np.array([(52919.0, 0.0, 0.0), (8720.0, 1.0721, 6283.0758)])
_DISTANCE_0: Final = np.array(
    [
        (100013989.0, 0.0, 0.0),
        (1670700.0, 3.0984635, 6283.07585),
        (13956.0, 3.05525, 12566.1517),
        (3084.0, 5.1985, 77713.7715),
        (1628.0, 1.1739, 5753.3849),
        (1576.0, 2.8469, 7860.4194),
    ]
)
_DISTANCE_1: Final = np.array([(103019.0, 1.10749, 6283.07585), (1721.0, 1.0644, 12566.1517)])


class SunPlace(NamedTuple):
    """Where the Sun stands on the ecliptic of date."""

    longitude_rad: float  # apparent: aberration in, nutation in
    distance_au: float
    obliquity_rad: float  # true
    equinox_shift_rad: float  # equation of the equinoxes: true minus mean, along the equator


def sun_place(days: float) -> SunPlace:
    """Apparent ecliptic longitude, distance and true obliquity of date; scalar.

    L = 180 deg + sum over k of tau^k sum_i A_i cos(B_i + C_i tau), tau in thousand Julian years
    of terrestrial time since J2000 (VSOP87D, 34 terms), minus aberration 20.49'' / R, plus
    nutation. The Sun's ecliptic latitude (below 1.2'') is left out. days: since
    2000-01-01T12:00 UTC. Validity 1950-2100; error against JPL DE421 in 2000-2050 below 0.0011
    deg and 3e-5 AU. Source: Bretagnon & Francou 1988; Meeus 1998, chapters 22 and 25.
    """
    days = days + TERRESTRIAL_TIME_AHEAD_S / SECONDS_PER_DAY
    centuries = days / DAYS_PER_JULIAN_CENTURY
    tau = centuries / 10.0
    longitude = _series(_LONGITUDE_0, tau)
    longitude += tau * (_series(_LONGITUDE_1, tau) + tau * _series(_LONGITUDE_2, tau))
    distance_au = _series(_DISTANCE_0, tau) + tau * _series(_DISTANCE_1, tau)
    in_longitude_rad, in_obliquity_rad = nutation_rad(centuries)
    mean_obliquity = math.radians(23.43929111 - (46.8150 * centuries) / 3600.0)
    obliquity = mean_obliquity + in_obliquity_rad
    return SunPlace(
        longitude_rad=longitude + math.pi - ABERRATION_RAD / distance_au + in_longitude_rad,
        distance_au=distance_au,
        obliquity_rad=obliquity,
        equinox_shift_rad=in_longitude_rad * math.cos(obliquity),
    )


def nutation_rad(centuries: float) -> tuple[float, float]:
    """Nutation in longitude and in obliquity [rad], scalars.

    dpsi = -17.20'' sin O - 1.32'' sin 2L - 0.23'' sin 2M + 0.21'' sin 2O;
    deps = 9.20'' cos O + 0.57'' cos 2L + 0.10'' cos 2M - 0.09'' cos 2O, with O the Moon's node,
    L and M the mean longitudes of Sun and Moon. centuries: Julian, since J2000. Error below
    0.5'' and 0.1''. Source: Meeus 1998, chapter 22, after the IAU 1980 theory.

    Validity: `centuries` [Julian centuries of 36,525 d] within 1950-2100.
    """
    node = math.radians(125.04452 - 1934.136261 * centuries)
    sun = math.radians(280.4665 + 36000.7698 * centuries)
    moon = math.radians(218.3165 + 481267.8813 * centuries)
    longitude = -17.20 * math.sin(node) - 1.32 * math.sin(2.0 * sun)
    longitude += -0.23 * math.sin(2.0 * moon) + 0.21 * math.sin(2.0 * node)
    obliquity = 9.20 * math.cos(node) + 0.57 * math.cos(2.0 * sun)
    obliquity += 0.10 * math.cos(2.0 * moon) - 0.09 * math.cos(2.0 * node)
    return math.radians(longitude / 3600.0), math.radians(obliquity / 3600.0)


def _series(terms: FloatArray, tau: float) -> float:
    # math.fsum: the same digits whatever the vector width of the machine.
    waves = terms[:, 0] * np.cos(terms[:, 1] + terms[:, 2] * tau)
    return math.fsum(waves.tolist()) * 1e-8
