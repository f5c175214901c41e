"""SGP4 for near-Earth orbits over arrays of mean elements, compiled.

The theory of Hoots & Roehrich (1980, Spacetrack Report No. 3) in the revision of Vallado et al.
(2006, AIAA 2006-6753), WGS72, periods below 225 minutes; longer ones need the deep-space part,
which is not here (`is_near_earth`). Against the sgp4 library: below 1 mm and 1 um/s over a month
(tests/val/test_val_compiled_orbit.py). Every constant that follows from the elements is computed
anew at each call, so a satellite costs 64 bytes, not a record; calls are a minute apart. Straight
code over rows of satellites without branches, so that it vectorises.
"""

import math
from typing import Any, Final

import numpy as np
from numba import njit, prange

from twin.compiled.drag import (
    _ARGP,
    _AXN,
    _AYN,
    _BUSY,
    _COSINE,
    _ECC,
    _ERROR,
    _GUESS,
    _J3_OVER_J2,
    _LONGITUDE,
    _MEAN,
    _MOTION,
    _NODE,
    _RADIUS_M,
    _SINE,
    _SMA,
    _TAU,
    _VELOCITY_M_S,
    _WORK_ROWS,
    DEEP_SPACE_MIN,
    J2,
    J4,
    XKE,
    _air,
    _dragged,
    _unkozai,
    unkozai_motion,
)
from twin.compiled.functions import inverse_cube_root, kernel, sine_cosine
from twin.state import BoolArray, FloatArray

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


@njit(error_model="numpy", inline="always")
def _secular_rates(no: float, sma: float, ecc: float, cosine: float) -> tuple[float, float, float]:
    # Rates of mean anomaly, argument of perigee and node [rad/min] by J2, J2^2 and J4.
    c2 = cosine * cosine
    c4 = c2 * c2
    square = 1.0 - ecc * ecc
    beta = math.sqrt(square)
    inverse = 1.0 / ((sma * square) * (sma * square))
    first = 1.5 * J2 * inverse * no
    second = 0.5 * first * J2 * inverse
    fourth = -0.46875 * J4 * inverse * inverse * no
    anomaly = no + 0.5 * first * beta * (3.0 * c2 - 1.0)
    anomaly += 0.0625 * second * beta * (13.0 - 78.0 * c2 + 137.0 * c4)
    perigee = -0.5 * first * (1.0 - 5.0 * c2) + 0.0625 * second * (7.0 - 114.0 * c2 + 395.0 * c4)
    perigee += fourth * (3.0 - 36.0 * c2 + 49.0 * c4)
    node = 0.5 * second * (4.0 - 19.0 * c2) + 2.0 * fourth * (3.0 - 7.0 * c2)
    return anomaly, perigee, (node - first) * cosine


@kernel
def _secular(elements: Any, elapsed_min: float, w: Any) -> int:
    # Mean elements by now without drag; how many satellites have drag.
    count = 0
    for i in range(w.shape[1]):
        ecc, time_min, bstar = elements[1, i], elements[7, i] + elapsed_min, elements[6, i]
        cosine = sine_cosine(elements[2, i])[1]
        root = inverse_cube_root(elements[0, i] * (1.0 / XKE))
        no = _unkozai(elements[0, i], ecc, cosine, root * root)
        root = inverse_cube_root(no * (1.0 / XKE))
        d_anomaly, d_perigee, d_node = _secular_rates(no, root * root, ecc, cosine)
        w[_MOTION, i] = no
        w[_SMA, i] = root * root
        w[_ECC, i] = ecc
        w[_NODE, i] = elements[3, i] + d_node * time_min
        w[_ARGP, i] = elements[4, i] + d_perigee * time_min
        w[_MEAN, i] = elements[5, i] + d_anomaly * time_min
        count += 1 if bstar != 0.0 else 0
    return count


@kernel
def _long_period(elements: Any, w: Any) -> None:
    # Long-period terms of J3, the start of Kepler's equation; errors 1, 2 and 4.
    for i in range(w.shape[1]):
        error = 0.0 if (w[_ECC, i] >= -0.001) & (w[_ECC, i] < 1.0) else 1.0
        error = error if w[_MOTION, i] > 0.0 else 2.0
        ecc, sma, argp = max(w[_ECC, i], 1e-6), w[_SMA, i], w[_ARGP, i]
        sine, cosine = sine_cosine(elements[2, i])
        sin_p, cos_p = sine_cosine(argp)
        inverse = 1.0 / (sma * (1.0 - ecc * ecc))
        axn, ayn = ecc * cos_p, ecc * sin_p - inverse * 0.5 * _J3_OVER_J2 * sine
        divisor = 1.0 + cosine
        divisor = 1.5e-12 if abs(divisor) < 1.5e-12 else divisor
        long_period = -0.25 * _J3_OVER_J2 * sine * (3.0 + 5.0 * cosine) / divisor
        mean = w[_MEAN, i] - np.floor(w[_MEAN, i] * (1.0 / _TAU)) * _TAU
        longitude = mean + argp + inverse * long_period * axn
        longitude -= np.floor(longitude * (1.0 / _TAU)) * _TAU
        sound = sma * (1.0 - (axn * axn + ayn * ayn)) >= 0.0
        w[_AXN, i] = axn
        w[_AYN, i] = ayn
        w[_LONGITUDE, i] = longitude
        w[_GUESS, i] = longitude
        w[_BUSY, i] = 1.0
        w[_ERROR, i] = 4.0 if (error == 0.0) & (not sound) else error


@kernel
def _kepler(w: Any) -> int:
    # sin and cos of E + omega from the mean longitude less node: one of Newton's steps, held to
    # 0.95, for those that still need one; how many need another.
    count = 0
    for i in range(w.shape[1]):
        axn, ayn, guess, busy = w[_AXN, i], w[_AYN, i], w[_GUESS, i], w[_BUSY, i] > 0.0
        sine, cosine = sine_cosine(guess)
        slope = 1.0 - cosine * axn - sine * ayn
        change = (w[_LONGITUDE, i] - ayn * cosine + axn * sine - guess) / slope
        change = min(max(change, -0.95), 0.95)
        w[_SINE, i] = sine if busy else w[_SINE, i]
        w[_COSINE, i] = cosine if busy else w[_COSINE, i]
        w[_GUESS, i] = guess + change
        again = busy & (abs(change) >= 1e-12)
        w[_BUSY, i] = 1.0 if again else 0.0
        count += 1 if again else 0
    return count


@kernel
def _vectors(elements: Any, w: Any, motion: Any) -> None:
    # Short-period terms of J2, then the vectors; error 6 below the ground, nan for any.
    for i in range(w.shape[1]):
        sma, axn, ayn, tilt = w[_SMA, i], w[_AXN, i], w[_AYN, i], elements[2, i]
        sin_e, cos_e = w[_SINE, i], w[_COSINE, i]
        sine, cosine = sine_cosine(tilt)
        c2 = cosine * cosine
        con41, con7, x1 = 3.0 * c2 - 1.0, 7.0 * c2 - 1.0, 1.0 - c2
        e_cos, e_sin = axn * cos_e + ayn * sin_e, axn * sin_e - ayn * cos_e
        square = axn * axn + ayn * ayn
        latus = sma * (1.0 - square)
        radius, beta = sma * (1.0 - e_cos), np.sqrt(1.0 - square)
        part = e_sin / (1.0 + beta)
        sin_u = sma / radius * (sin_e - ayn - axn * part)
        cos_u = sma / radius * (cos_e - axn + ayn * part)
        sin_2u, cos_2u = 2.0 * cos_u * sin_u, 1.0 - 2.0 * sin_u * sin_u
        first = 0.5 * J2 / latus
        second = first / latus
        true_r = radius * (1.0 - 1.5 * second * beta * con41) + 0.5 * first * x1 * cos_2u
        rate = first / (sma * np.sqrt(sma))
        outward = np.sqrt(sma) * e_sin / radius - rate * x1 * sin_2u
        across = np.sqrt(latus) / radius + rate * (x1 * cos_2u + 1.5 * con41)
        error = w[_ERROR, i]
        error = 6.0 if (error == 0.0) & (true_r < 1.0) else error
        # u less its short-period term: two turns instead of an angle.
        sin_d, cos_d = sine_cosine(0.25 * second * con7 * sin_2u)
        unit = 1.0 / np.sqrt(sin_u * sin_u + cos_u * cos_u)
        sin_u, cos_u = (
            (sin_u * cos_d - cos_u * sin_d) * unit,
            (cos_u * cos_d + sin_u * sin_d) * unit,
        )
        sin_n, cos_n = sine_cosine(w[_NODE, i] + 1.5 * second * cosine * sin_2u)
        sin_i, cos_i = sine_cosine(tilt + 1.5 * second * cosine * sine * cos_2u)
        ux, uy = cos_n * cos_u - sin_n * cos_i * sin_u, sin_n * cos_u + cos_n * cos_i * sin_u
        vx, vy = -cos_n * sin_u - sin_n * cos_i * cos_u, -sin_n * sin_u + cos_n * cos_i * cos_u
        uz, vz = sin_i * sin_u, sin_i * cos_u
        size, out, on = true_r * _RADIUS_M, outward * _VELOCITY_M_S, across * _VELOCITY_M_S
        total = size + out + on + ux + uy + uz
        error = error if (error != 0.0) | (total - total == 0.0) else -1.0
        nothing = 0.0 if error == 0.0 else math.nan
        motion[0, i] = size * ux + nothing
        motion[1, i] = size * uy + nothing
        motion[2, i] = size * uz + nothing
        motion[3, i] = out * ux + on * vx + nothing
        motion[4, i] = out * uy + on * vy + nothing
        motion[5, i] = out * uz + on * vz + nothing
        w[_ERROR, i] = error


@njit(error_model="numpy", cache=True)
def propagate(elements: Any, elapsed_min: float, motion: Any, code: Any) -> None:
    """Fill motion (6, n) [m, m/s] and code (n,).

    Elements (8, n) in the order of ELEMENTS; elapsed minutes since the epoch of the run. Codes
    as in twin/orbit.py: rows with a code other than 0 are nan, -1 is a result that is not finite.
    """
    w = np.empty((_WORK_ROWS, code.size))
    if _secular(elements, elapsed_min, w) > 0:
        _air(elements, w)
        _dragged(elements, elapsed_min, w)
    _long_period(elements, w)
    for _ in range(10):
        if _kepler(w) == 0:
            break
    _vectors(elements, w, motion)
    for i in range(code.size):
        code[i] = int(w[_ERROR, i])


@njit(parallel=True, error_model="numpy", cache=True)
def propagate_tiles(
    elements: Any, elapsed_min: float, first: int, last: int, motion: Any, code: Any
) -> None:
    """`propagate` for tiles first to last: (tiles, 8, TILE), (tiles, 6, TILE), (tiles, TILE)."""
    for tile in prange(first, last):
        propagate(elements[tile], elapsed_min, motion[tile], code[tile])
