"""Constellations as SGP4 mean elements, so that one propagator serves catalogued and planned.

Altitude means the mean (Brouwer) semi-major axis minus the equatorial radius of WGS72, the
geopotential of SGP4: the osculating height varies a few km about it. Orbits carry no drag
(BSTAR 0). Angles are in the TEME frame of the epoch.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from twin.constants import EARTH_EQUATOR_RADIUS_M, EARTH_GM_M3_S2, EARTH_J2, SECONDS_PER_DAY
from twin.mean_elements import GeneratedRecords, MeanElements
from twin.neighbours import LINKS, lattice_links, neighbour_links
from twin.state import FloatArray, IntArray

# WGS72, the constants inside SGP4 (Hoots & Roehrich 1980; Vallado et al. 2006, AIAA 2006-6753).
SGP4_RADIUS_M: Final = 6_378_135.0
SGP4_GM_M3_S2: Final = 3.986008e14
SGP4_J2: Final = 1.082616e-3
_J2000_UNIX_S: Final = 946_728_000.0  # 2000-01-01T12:00:00Z
TROPICAL_YEAR_DAYS: Final = 365.2421897  # IAU, mean tropical year at J2000

CLUSTER_REFERENCE_ECC: Final = 2.0e-4
"""Eccentricity of a cluster's reference orbit. Not zero: SGP4 raises anything below 1e-6 to
1e-6 (7 m in LEO), and only differences of eccentricity vectors shape the cluster. Large against
the 7e-5 of a 500 m ellipse so that no member lands there, small so that the second-order
distortion (e_ref times 500 m) stays near 0.1 m."""


@dataclass(frozen=True)
class Constellation:
    """Mean elements at the epoch, (n,) each, with plane and slot of every satellite."""

    sma_m: FloatArray
    ecc_frac: FloatArray
    inclination_rad: FloatArray
    raan_rad: FloatArray
    arg_perigee_rad: FloatArray
    mean_anomaly_rad: FloatArray
    plane_index: IntArray
    slot_index: IntArray
    neighbour_index: IntArray  # (n, 4), -1 = no link

    @property
    def count(self) -> int:
        """Number of satellites."""
        return len(self.sma_m)


def walker(
    planes: int,
    per_plane: int,
    phasing: int,
    altitude_m: float,
    inclination_rad: float,
    *,
    star: bool = False,
    raan_rad: float = 0.0,
    topology: str = "plus_grid",
) -> Constellation:
    """Walker delta (planes over 360 deg) or star (over 180 deg) i:T/P/F, T = planes x per_plane.

    Adjacent planes are shifted by F * 360/T degrees (Walker 1984, J. Brit. Interplanet. Soc. 37).
    A star has a seam: the last plane and the first move against each other and are not linked.

    Validity: circular orbits of one height and inclination.
    Source: Walker 1984, J. Brit. Interplanet. Soc. 37, 559.
    """
    plane = np.repeat(np.arange(planes), per_plane)
    slot = np.tile(np.arange(per_plane), planes)
    spread = math.pi if star else math.tau
    latitude_arg_rad = math.tau * (slot / per_plane + phasing * plane / (planes * per_plane))
    links = neighbour_links(topology, planes, per_plane, phasing, seam=star)
    return _circular(
        altitude_m=altitude_m,
        inclination_rad=inclination_rad,
        raan_rad=np.asarray(raan_rad + spread * plane / planes, dtype=np.float64),
        latitude_arg_rad=np.asarray(latitude_arg_rad, dtype=np.float64),
        plane_index=plane,
        slot_index=slot,
        links=links,
    )


def sso_ring(
    count: int,
    altitude_m: float,
    ltan_h: float,
    epoch_unix_s: float,
    *,
    inclination_rad: float | None = None,
    topology: str = "ring",
) -> Constellation:
    """One plane of `count` evenly spaced satellites, sun-synchronous unless told otherwise."""
    tilt = (
        sun_synchronous_inclination_rad(altitude_m) if inclination_rad is None else inclination_rad
    )
    slot = np.arange(count)
    links = neighbour_links(topology, 1, count, 0)
    node = np.full(count, raan_from_ltan_rad(ltan_h, epoch_unix_s))
    return _circular(
        altitude_m=altitude_m,
        inclination_rad=tilt,
        raan_rad=node,
        latitude_arg_rad=np.asarray(math.tau * slot / count, dtype=np.float64),
        plane_index=slot * 0,
        slot_index=slot,
        links=links,
    )


def train(
    count: int,
    altitude_m: float,
    ltan_h: float,
    gap_m: float,
    epoch_unix_s: float,
    *,
    inclination_rad: float | None = None,
) -> Constellation:
    """`count` satellites one behind the other, `gap_m` of arc apart; linked as an open chain."""
    tilt = (
        sun_synchronous_inclination_rad(altitude_m) if inclination_rad is None else inclination_rad
    )
    slot = np.arange(count)
    links = np.full((count, LINKS), -1, dtype=np.int64)
    links[1:, 0], links[:-1, 1] = slot[:-1], slot[1:]
    node = np.full(count, raan_from_ltan_rad(ltan_h, epoch_unix_s))
    arc = slot * gap_m / (SGP4_RADIUS_M + altitude_m)
    return _circular(
        altitude_m=altitude_m,
        inclination_rad=tilt,
        raan_rad=node,
        latitude_arg_rad=np.asarray(arc, dtype=np.float64),
        plane_index=slot * 0,
        slot_index=slot,
        links=links,
    )


def planar_cluster(
    rings: int,
    radial_pitch_m: float,
    altitude_m: float,
    ltan_h: float,
    epoch_unix_s: float,
) -> Constellation:
    """Free-flying planar cluster on a lattice of pitch d radially and 2 d along the track.

    Members are the integer points (i, j) with i^2 + j^2 <= rings^2 (81 for 5), at the epoch
    x = d i radially and y = 2 d j along the track. A relative eccentricity vector of length
    rho / a, rho = sqrt(x^2 + (y/2)^2), moves each on the 2:1 ellipse of the free-fall solution
    x = -a (ex cos u + ey sin u), y = 2 a (ex sin u - ey cos u)
    (Clohessy & Wiltshire 1960; relative eccentricity vectors: D'Amico & Montenbruck 2006,
    J. Guid. Control Dyn. 29). In (x, y/2) the whole lattice turns rigidly, so neighbours stay
    between d and 2 d apart. Layout: Google Suncatcher, arXiv:2511.19468.

    Validity: two bodies, separations far below the orbit's radius; no differential drag or J2.
    Source: Clohessy & Wiltshire 1960, J. Aerosp. Sci. 27, 653; D'Amico & Montenbruck 2006, J.
    Guid. Control Dyn. 29, 554.
    """
    steps = np.arange(-rings, rings + 1)
    i, j = (axis.ravel() for axis in np.meshgrid(steps, steps, indexing="ij"))
    inside = i**2 + j**2 <= rings**2
    i, j = i[inside], j[inside]
    sma_m = SGP4_RADIUS_M + altitude_m
    # at u = 0: x = -a ex, y = -2 a ey
    ex = CLUSTER_REFERENCE_ECC - radial_pitch_m * i / sma_m
    ey = -radial_pitch_m * j / sma_m
    perigee = np.arctan2(ey, ex)
    node = np.full(len(i), raan_from_ltan_rad(ltan_h, epoch_unix_s))
    slot = np.arange(len(i))
    return Constellation(
        sma_m=np.full(len(i), sma_m),
        ecc_frac=np.hypot(ex, ey),
        inclination_rad=np.full(len(i), sun_synchronous_inclination_rad(altitude_m)),
        raan_rad=node,
        arg_perigee_rad=perigee % math.tau,
        mean_anomaly_rad=-perigee % math.tau,
        plane_index=slot * 0,
        slot_index=slot,
        neighbour_index=lattice_links(i, j),
    )


def sun_synchronous_inclination_rad(altitude_m: float) -> float:
    """Inclination [rad] whose J2 node drift is one turn per tropical year, circular orbit.

    cos i = -2 a^(7/2) node_rate / (3 J2 R^2 sqrt(GM)) (Vallado 2013, eq. 9-41), WGS84, from 0 to
    about 5,970 km; raises ValueError above, where no inclination precesses fast enough.

    Validity: circular orbits from 0 to 5,970 km; J2 only.
    Source: Vallado 2013, Fundamentals of Astrodynamics, eq. 9-41.
    """
    sma_m = EARTH_EQUATOR_RADIUS_M + altitude_m
    rate_rad_s = math.tau / (TROPICAL_YEAR_DAYS * SECONDS_PER_DAY)
    strength = 1.5 * EARTH_J2 * EARTH_EQUATOR_RADIUS_M**2 * math.sqrt(EARTH_GM_M3_S2)
    cosine = -rate_rad_s * sma_m**3.5 / strength
    if cosine < -1.0:
        raise ValueError(f"no sun-synchronous inclination at {altitude_m / 1000:.0f} km")
    return math.acos(cosine)


def raan_from_ltan_rad(ltan_h: float, epoch_unix_s: float) -> float:
    """Right ascension of the node [rad] for a local mean solar time of the ascending node [h].

    Mean Sun: L = 280.460 + 0.9856474 d degrees, d days from J2000 (Astronomical Almanac,
    low-precision Sun, C5), good to 0.01 deg of the fictitious mean Sun in 1950-2050.

    Validity: 1950-2050, 0.01 deg.
    Source: Astronomical Almanac, low-precision Sun (section C5, 2010 edition).
    """
    days = (epoch_unix_s - _J2000_UNIX_S) / SECONDS_PER_DAY
    sun_deg = 280.460 + 0.9856474 * days
    return math.radians((sun_deg + 15.0 * (ltan_h - 12.0)) % 360.0)


def mean_elements(orbits: Constellation, epoch_unix_s: float) -> MeanElements:
    """The constellation's elements at the epoch as SGP4 takes them, (n,) arrays."""
    return MeanElements(
        epoch_unix_s=epoch_unix_s,
        sma_m=orbits.sma_m,
        ecc_frac=orbits.ecc_frac,
        inclination_rad=orbits.inclination_rad,
        raan_rad=orbits.raan_rad % math.tau,
        arg_perigee_rad=orbits.arg_perigee_rad % math.tau,
        mean_anomaly_rad=orbits.mean_anomaly_rad % math.tau,
        mean_motion_rad_min=kozai_mean_motion_rad_min(
            orbits.sma_m, orbits.ecc_frac, orbits.inclination_rad
        ),
    )


def satrecs(orbits: Constellation, epoch_unix_s: float) -> GeneratedRecords:
    """SGP4 records of the constellation at the epoch, numbered from 1, BSTAR 0, WGS72."""
    return GeneratedRecords(mean_elements(orbits, epoch_unix_s))


def kozai_mean_motion_rad_min(
    sma_m: FloatArray, ecc_frac: FloatArray, inclination_rad: FloatArray
) -> FloatArray:
    """Mean motion [rad/min] in the Kozai sense for a Brouwer semi-major axis [m], (n,).

    Inverts the first lines of SGP4's initialisation (Hoots & Roehrich 1980, section 6):
    n_kozai = n (1 + d), d = 3/4 J2 (3 cos^2 i - 1) / (1 - e^2)^(3/2) (R / a')^2, where a' is
    found from n_kozai; the fixed point converges to 1e-15 in three turns.

    Validity: orbits that SGP4 takes; eccentricity below 1.
    Source: Hoots & Roehrich 1980, Spacetrack Report 3, section 6.
    """
    brouwer = np.sqrt(SGP4_GM_M3_S2 / sma_m**3) * 60.0
    shape = (3.0 * np.cos(inclination_rad) ** 2 - 1.0) / (1.0 - ecc_frac**2) ** 1.5
    d1 = 0.75 * SGP4_J2 * shape
    kozai = brouwer.copy()
    for _ in range(4):
        first = (60.0 * math.sqrt(SGP4_GM_M3_S2 / SGP4_RADIUS_M**3) / kozai) ** (2.0 / 3.0)
        delta = d1 / first**2
        second = first * (1.0 - delta * (1.0 / 3.0 + delta * (1.0 + delta * 134.0 / 81.0)))
        kozai = brouwer * (1.0 + d1 / second**2)
    return np.asarray(kozai, dtype=np.float64)


def _circular(
    *,
    altitude_m: float,
    inclination_rad: float,
    raan_rad: FloatArray,
    latitude_arg_rad: FloatArray,
    plane_index: IntArray,
    slot_index: IntArray,
    links: IntArray,
) -> Constellation:
    """Circular orbits; the perigee is put at the node, so mean anomaly = argument of latitude."""
    zero = np.zeros(len(raan_rad))
    return Constellation(
        sma_m=zero + SGP4_RADIUS_M + altitude_m,
        ecc_frac=zero,
        inclination_rad=zero + inclination_rad,
        raan_rad=raan_rad,
        arg_perigee_rad=zero,
        mean_anomaly_rad=latitude_arg_rad,
        plane_index=plane_index,
        slot_index=slot_index,
        neighbour_index=links,
    )
