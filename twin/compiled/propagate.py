"""SGP4 for near-Earth orbits over arrays of mean elements, compiled.

The theory of Hoots & Roehrich (1980, Spacetrack Report No. 3) in the revision of Vallado et al.
(2006, AIAA 2006-6753), WGS72, periods below 225 minutes; longer ones need the deep-space part,
which is not here (`is_near_earth`). Against the sgp4 library: below 1 mm and 1 um/s over a month
(tests/val/test_val_compiled_orbit.py). Every constant that follows from the elements is computed
anew at each call, so a satellite costs 64 bytes, not a record; calls are a minute apart.
"""

import math
from typing import Any, Final

import numpy as np
from numba import njit, prange

from twin.state import BoolArray, FloatArray

RADIUS_KM: Final = 6378.135  # WGS72; Hoots & Roehrich 1980
GM_KM3_S2: Final = 398_600.8  # WGS72
J2: Final = 0.001082616  # WGS72
J3: Final = -0.00000253881  # WGS72
J4: Final = -0.00000165597  # WGS72
XKE: Final = 60.0 / math.sqrt(RADIUS_KM**3 / GM_KM3_S2)  # (earth radii)^1.5 per minute
DEEP_SPACE_MIN: Final = 225.0  # period from which SGP4 adds resonances; Hoots & Roehrich 1980
_J3_OVER_J2: Final = J3 / J2
_THIRDS: Final = 2.0 / 3.0
_TAU: Final = 2.0 * math.pi
_VELOCITY_M_S: Final = RADIUS_KM * XKE / 60.0 * 1000.0
_RADIUS_M: Final = RADIUS_KM * 1000.0

ELEMENTS: Final = (
    "mean_motion_rad_min",  # Kozai
    "ecc_frac",
    "inclination_rad",
    "raan_rad",
    "arg_perigee_rad",
    "mean_anomaly_rad",
    "bstar_per_radius",
    "age_min",  # of the elements at the epoch of the run
)
"""Rows of the (8, n) array of elements."""


def is_near_earth(element_rows: FloatArray) -> BoolArray:
    """True where the period is below 225 minutes, (n,) from (8, n)."""
    return np.asarray(_TAU / unkozai_motion(*element_rows[:3]) < DEEP_SPACE_MIN)


@njit(error_model="numpy", cache=True)
def unkozai_motion(motion: Any, ecc: Any, inclination: Any) -> Any:
    """Brouwer mean motion [rad/min] of a Kozai mean motion; Hoots & Roehrich 1980, section 6."""
    square = 1.0 - ecc * ecc
    cosine = np.cos(inclination)
    first = (XKE / motion) ** _THIRDS
    shape = 0.75 * J2 * (3.0 * cosine * cosine - 1.0) / (np.sqrt(square) * square)
    delta = shape / (first * first)
    second = first * (1.0 - delta * delta - delta * (1.0 / 3.0 + 134.0 * delta * delta / 81.0))
    return motion / (1.0 + shape / (second * second))


@njit(error_model="numpy", cache=True)
def _atmosphere(perigee_radii: float) -> tuple[float, float]:
    # Lower bound s of the density model [radii] and (q0 - s)^4: lowered for low perigees.
    perigee_km = (perigee_radii - 1.0) * RADIUS_KM
    base_km = 78.0
    if perigee_km < 156.0:
        base_km = max(perigee_km - 78.0, 20.0)
    return base_km / RADIUS_KM + 1.0, ((120.0 - base_km) / RADIUS_KM) ** 4


@njit(error_model="numpy", cache=True)
def _secular_rates(no: float, sma: float, ecc: float, cosine: float) -> tuple[float, float, float]:
    # Rates of mean anomaly, argument of perigee and node [rad/min] by J2, J2^2 and J4.
    c2 = cosine * cosine
    c4 = c2 * c2
    square = 1.0 - ecc * ecc
    beta = math.sqrt(square)
    inverse = 1.0 / (sma * square) ** 2
    first = 1.5 * J2 * inverse * no
    second = 0.5 * first * J2 * inverse
    fourth = -0.46875 * J4 * inverse * inverse * no
    anomaly = no + 0.5 * first * beta * (3.0 * c2 - 1.0)
    anomaly += 0.0625 * second * beta * (13.0 - 78.0 * c2 + 137.0 * c4)
    perigee = -0.5 * first * (1.0 - 5.0 * c2) + 0.0625 * second * (7.0 - 114.0 * c2 + 395.0 * c4)
    perigee += fourth * (3.0 - 36.0 * c2 + 49.0 * c4)
    node = 0.5 * second * (4.0 - 19.0 * c2) + 2.0 * fourth * (3.0 - 7.0 * c2)
    return anomaly, perigee, (node - first) * cosine


@njit(error_model="numpy", cache=True)
def _drag(one: Any, no: float, sma: float, time_min: float, mean_df: float) -> Any:
    # What drag does by now: factor on sqrt(a), change of e, of l / n, of M and of the node.
    ecc, tilt, argp, anomaly, bstar = one[1], one[2], one[4], one[5], one[6]
    cosine, square = math.cos(tilt), 1.0 - ecc * ecc
    c2 = cosine * cosine
    perigee = sma * (1.0 - ecc)
    base, height4 = _atmosphere(perigee)
    xi = 1.0 / (sma - base)
    eta = sma * ecc * xi
    eta2, eeta = eta * eta, ecc * eta
    psi2 = abs(1.0 - eta2)
    coef = height4 * xi**4
    coef1 = coef / psi2**3.5
    con41 = 3.0 * c2 - 1.0
    oblate = 0.375 * J2 * xi / psi2 * con41 * (8.0 + 3.0 * eta2 * (8.0 + eta2))
    cc1 = bstar * coef1 * no * (sma * (1.0 + 1.5 * eta2 + eeta * (4.0 + eta2)) + oblate)
    turning = -3.0 * con41 * (1.0 - 2.0 * eeta + eta2 * (1.5 - 0.5 * eeta))
    turning += 0.75 * (1.0 - c2) * (2.0 * eta2 - eeta * (1.0 + eta2)) * math.cos(2.0 * argp)
    cc4 = eta * (2.0 + 0.5 * eta2) + ecc * (0.5 + 2.0 * eta2)
    cc4 = 2.0 * no * coef1 * sma * square * (cc4 - J2 * xi / (sma * psi2) * turning)
    node_rate = -1.5 * J2 / (sma * square) ** 2 * no * cosine
    d_node = 3.5 * square * node_rate * cc1 * time_min * time_min
    factor, d_ecc = 1.0 - cc1 * time_min, bstar * cc4 * time_min
    d_mean, d_length = 0.0, 1.5 * cc1 * time_min * time_min
    if perigee >= 220.0 / RADIUS_KM + 1.0:
        if ecc > 1e-4:
            cc3 = -2.0 * coef * xi * _J3_OVER_J2 * no * math.sin(tilt) / ecc
            d_mean = bstar * cc3 * math.cos(argp) * time_min
            swing = (1.0 + eta * math.cos(mean_df)) ** 3 - (1.0 + eta * math.cos(anomaly)) ** 3
            d_mean -= _THIRDS * coef * bstar / eeta * swing
        cc5 = 2.0 * coef1 * sma * square * (1.0 + 2.75 * (eta2 + eeta) + eeta * eta2)
        d_ecc += bstar * cc5 * (math.sin(mean_df + d_mean) - math.sin(anomaly))
        more = _high_powers(cc1, sma, base, xi, time_min)
        factor, d_length = factor - more[0], d_length + more[1]
    return factor, d_ecc, d_length, d_mean, d_node


@njit(error_model="numpy", cache=True)
def _high_powers(
    cc1: float, sma: float, base: float, xi: float, time_min: float
) -> tuple[float, float]:
    # Terms of the third to fifth power of time.
    square = cc1 * cc1
    d2 = 4.0 * sma * xi * square
    common = d2 * xi * cc1 / 3.0
    d3 = (17.0 * sma + base) * common
    d4 = 0.5 * common * sma * xi * (221.0 * sma + 31.0 * base) * cc1
    t3 = d2 + 2.0 * square
    t4 = 0.25 * (3.0 * d3 + cc1 * (12.0 * d2 + 10.0 * square))
    t5 = 3.0 * d4 + 12.0 * cc1 * d3 + 6.0 * d2 * d2 + 15.0 * square * (2.0 * d2 + square)
    t5 *= 0.2
    factor = ((d4 * time_min + d3) * time_min + d2) * time_min * time_min
    length = ((t5 * time_min + t4) * time_min + t3) * time_min**3
    return factor, length


@njit(error_model="numpy", cache=True)
def _kepler(longitude: float, axn: float, ayn: float) -> tuple[float, float]:
    # sin and cos of E + omega from the mean longitude less node, by Newton's steps held to 0.95.
    guess, sine, cosine = longitude, 0.0, 1.0
    for _ in range(10):
        sine, cosine = math.sin(guess), math.cos(guess)
        slope = 1.0 - cosine * axn - sine * ayn
        change = (longitude - ayn * cosine + axn * sine - guess) / slope
        change = min(max(change, -0.95), 0.95)
        guess += change
        if abs(change) < 1e-12:
            break
    return sine, cosine


@njit(error_model="numpy", cache=True)
def _place(
    sma: float, motion: float, ecc: float, tilt: float, node: float, argp: float, mean: float
) -> Any:
    # Long- and short-period terms of J2 and J3, then the vectors; error code first.
    cosine, sine = math.cos(tilt), math.sin(tilt)
    c2 = cosine * cosine
    con41, con7, x1 = 3.0 * c2 - 1.0, 7.0 * c2 - 1.0, 1.0 - c2
    inverse = 1.0 / (sma * (1.0 - ecc * ecc))
    axn = ecc * math.cos(argp)
    ayn = ecc * math.sin(argp) - inverse * 0.5 * _J3_OVER_J2 * sine
    divisor = 1.0 + cosine
    if abs(divisor) < 1.5e-12:
        divisor = 1.5e-12
    long_period = -0.25 * _J3_OVER_J2 * sine * (3.0 + 5.0 * cosine) / divisor
    longitude = (mean + argp + inverse * long_period * axn) % _TAU
    sin_e, cos_e = _kepler(longitude, axn, ayn)
    e_cos, e_sin = axn * cos_e + ayn * sin_e, axn * sin_e - ayn * cos_e
    square = axn * axn + ayn * ayn
    latus = sma * (1.0 - square)
    if not latus >= 0.0:
        return 4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    radius, beta = sma * (1.0 - e_cos), math.sqrt(1.0 - square)
    part = e_sin / (1.0 + beta)
    sin_u = sma / radius * (sin_e - ayn - axn * part)
    cos_u = sma / radius * (cos_e - axn + ayn * part)
    sin_2u, cos_2u = 2.0 * cos_u * sin_u, 1.0 - 2.0 * sin_u * sin_u
    first = 0.5 * J2 / latus
    second = first / latus
    true_r = radius * (1.0 - 1.5 * second * beta * con41) + 0.5 * first * x1 * cos_2u
    su = math.atan2(sin_u, cos_u) - 0.25 * second * con7 * sin_2u
    node += 1.5 * second * cosine * sin_2u
    tilt += 1.5 * second * cosine * sine * cos_2u
    rate = motion * first / XKE
    outward = math.sqrt(sma) * e_sin / radius - rate * x1 * sin_2u
    across = math.sqrt(latus) / radius + rate * (x1 * cos_2u + 1.5 * con41)
    code = 6 if true_r < 1.0 else 0
    return (code, *_vectors(true_r, outward, across, su, node, tilt))


@njit(error_model="numpy", cache=True)
def _vectors(
    radius: float, outward: float, across: float, su: float, node: float, tilt: float
) -> Any:
    sin_u, cos_u = math.sin(su), math.cos(su)
    sin_n, cos_n = math.sin(node), math.cos(node)
    sin_i, cos_i = math.sin(tilt), math.cos(tilt)
    ux, uy, uz = (
        cos_n * cos_u - sin_n * cos_i * sin_u,
        sin_n * cos_u + cos_n * cos_i * sin_u,
        sin_i * sin_u,
    )
    vx, vy, vz = (
        -cos_n * sin_u - sin_n * cos_i * cos_u,
        -sin_n * sin_u + cos_n * cos_i * cos_u,
        sin_i * cos_u,
    )
    size, out, on = radius * _RADIUS_M, outward * _VELOCITY_M_S, across * _VELOCITY_M_S
    return (
        size * ux,
        size * uy,
        size * uz,
        out * ux + on * vx,
        out * uy + on * vy,
        out * uz + on * vz,
    )


@njit(error_model="numpy", cache=True)
def _one(one: Any, elapsed_min: float) -> Any:
    # One satellite: error code, position [m], velocity [m/s].
    ecc, tilt = one[1], one[2]
    time_min = one[7] + elapsed_min
    no = unkozai_motion(one[0], ecc, tilt)
    sma = (XKE / no) ** _THIRDS
    d_anomaly, d_perigee, d_node = _secular_rates(no, sma, ecc, math.cos(tilt))
    mean = one[5] + d_anomaly * time_min
    argp, node = one[4] + d_perigee * time_min, one[3] + d_node * time_min
    if one[6] != 0.0:
        factor, d_ecc, d_length, d_mean, more_node = _drag(one, no, sma, time_min, mean)
        mean, argp, node = mean + d_mean + no * d_length, argp - d_mean, node + more_node
        sma, ecc = sma * factor * factor, ecc - d_ecc
    if not no > 0.0:
        return 2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if not -0.001 <= ecc < 1.0:
        return 1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    motion = XKE / sma**1.5
    return _place(sma, motion, max(ecc, 1e-6), tilt, node % _TAU, argp % _TAU, mean % _TAU)


@njit(error_model="numpy", cache=True)
def propagate(
    elements: Any, elapsed_min: float, first: int, last: int, motion: Any, code: Any
) -> None:
    """Fill motion (6, n) [m, m/s] and code (n,) for rows first to last.

    Elements (8, n) in the order of ELEMENTS; elapsed minutes since the epoch of the run. Codes
    as in twin/orbit.py: rows with a code other than 0 are nan, -1 is a result that is not finite.
    """
    for i in range(first, last):
        error, x, y, z, u, v, w = _one(elements[:, i], elapsed_min)
        if error == 0 and not math.isfinite(x + y + z + u + v + w):
            error = -1
        if error != 0:
            x, y, z, u, v, w = math.nan, math.nan, math.nan, math.nan, math.nan, math.nan
        code[i] = error
        motion[0, i], motion[1, i], motion[2, i] = x, y, z
        motion[3, i], motion[4, i], motion[5, i] = u, v, w


@njit(parallel=True, error_model="numpy", cache=True)
def propagate_tiles(
    elements: Any, elapsed_min: float, first: int, last: int, motion: Any, code: Any
) -> None:
    """`propagate` for tiles first to last: (tiles, 8, TILE), (tiles, 6, TILE), (tiles, TILE)."""
    for tile in prange(first, last):
        propagate(elements[tile], elapsed_min, 0, motion.shape[2], motion[tile], code[tile])
