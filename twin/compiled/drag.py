"""What SGP4 shares among its kernels, and what drag does to the mean elements.

Equations and sources as in twin/compiled/propagate.py, which calls these.
"""

import math
from typing import Any, Final

import numpy as np
from numba import njit

from twin.compiled.functions import exact_kernel, sine_cosine

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

# Rows of the room to work in, one column per satellite.
_MOTION, _SMA, _ECC, _NODE, _ARGP, _MEAN, _AXN, _AYN = range(8)
_LONGITUDE, _GUESS, _SINE, _COSINE, _BUSY, _ERROR = range(8, 14)
_WORK_ROWS: Final = 14
_BASE, _COEF, _COEF1 = _AXN, _AYN, _LONGITUDE  # of the air, before those are known


@njit(error_model="numpy", cache=True)
def unkozai_motion(motion: Any, ecc: Any, inclination: Any) -> Any:
    """Brouwer mean motion [rad/min] of a Kozai mean motion; Hoots & Roehrich 1980, section 6."""
    return _unkozai(motion, ecc, np.cos(inclination), (XKE / motion) ** _THIRDS)


@njit(error_model="numpy", inline="always")
def _unkozai(motion: Any, ecc: Any, cosine: Any, first: Any) -> Any:
    # first: semi-major axis [radii] that the Kozai motion would have.
    square = 1.0 - ecc * ecc
    shape = 0.75 * J2 * (3.0 * cosine * cosine - 1.0) / (np.sqrt(square) * square)
    delta = shape / (first * first)
    second = first * (1.0 - delta * delta - delta * (1.0 / 3.0 + 134.0 * delta * delta / 81.0))
    return motion / (1.0 + shape / (second * second))


@njit(error_model="numpy", inline="always")
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
    length = ((t5 * time_min + t4) * time_min + t3) * (time_min * time_min * time_min)
    return factor, length


@exact_kernel
def _air(elements: Any, w: Any) -> None:
    # Semi-major axis, density model and its coefficients where there is drag, rounded as in the
    # library: a low orbit's high powers of 1 / (a - s) make 0.1 m a month of a last digit.
    for i in range(w.shape[1]):
        if elements[6, i] != 0.0:
            ecc = elements[1, i]
            no = unkozai_motion(elements[0, i], ecc, elements[2, i])
            sma = (XKE / no) ** _THIRDS
            # Lower bound s [radii] and (q0 - s)^4: lowered for low perigees.
            perigee_km = (sma * (1.0 - ecc) - 1.0) * RADIUS_KM
            base_km = max(perigee_km - 78.0, 20.0) if perigee_km < 156.0 else 78.0
            base = base_km / RADIUS_KM + 1.0
            xi = 1.0 / (sma - base)
            coef = ((120.0 - base_km) / RADIUS_KM) ** 4 * xi**4
            w[_MOTION, i], w[_SMA, i], w[_BASE, i], w[_COEF, i] = no, sma, base, coef
            w[_COEF1, i] = coef / abs(1.0 - (sma * ecc * xi) * (sma * ecc * xi)) ** 3.5


@exact_kernel
def _dragged(elements: Any, elapsed_min: float, w: Any) -> None:
    # What drag does to the mean elements by now, where there is any.
    for i in range(w.shape[1]):
        ecc, bstar, time_min = elements[1, i], elements[6, i], elements[7, i] + elapsed_min
        no, sma = w[_MOTION, i], w[_SMA, i]
        sine, cosine = sine_cosine(elements[2, i])
        sin_p, cos_p = sine_cosine(elements[4, i])
        sin_m, cos_m = sine_cosine(elements[5, i])
        square, c2 = 1.0 - ecc * ecc, cosine * cosine
        perigee = sma * (1.0 - ecc)
        base, coef, coef1 = w[_BASE, i], w[_COEF, i], w[_COEF1, i]
        xi = 1.0 / (sma - base)
        eta = sma * ecc * xi
        eta2, eeta = eta * eta, ecc * eta
        psi2 = abs(1.0 - eta2)
        con41 = 3.0 * c2 - 1.0
        oblate = 0.375 * J2 * xi / psi2 * con41 * (8.0 + 3.0 * eta2 * (8.0 + eta2))
        cc1 = bstar * coef1 * no * (sma * (1.0 + 1.5 * eta2 + eeta * (4.0 + eta2)) + oblate)
        turning = -3.0 * con41 * (1.0 - 2.0 * eeta + eta2 * (1.5 - 0.5 * eeta))
        cos_2p = 1.0 - 2.0 * sin_p * sin_p
        turning += 0.75 * (1.0 - c2) * (2.0 * eta2 - eeta * (1.0 + eta2)) * cos_2p
        cc4 = eta * (2.0 + 0.5 * eta2) + ecc * (0.5 + 2.0 * eta2)
        cc4 = 2.0 * no * coef1 * sma * square * (cc4 - J2 * xi / (sma * psi2) * turning)
        node_rate = -1.5 * J2 / ((sma * square) * (sma * square)) * no * cosine
        d_node = 3.5 * square * node_rate * cc1 * time_min * time_min
        factor, d_ecc = 1.0 - cc1 * time_min, bstar * cc4 * time_min
        d_length = 1.5 * cc1 * time_min * time_min
        # From a perigee of 220 km up, and of these for orbits that are not round.
        high = perigee >= 220.0 / RADIUS_KM + 1.0
        round_not = high & (ecc > 1e-4)
        cc3 = -2.0 * coef * xi * _J3_OVER_J2 * no * sine / ecc
        now, then = 1.0 + eta * sine_cosine(w[_MEAN, i])[1], 1.0 + eta * cos_m
        swing = now * now * now - then * then * then
        d_mean = bstar * cc3 * cos_p * time_min - _THIRDS * coef * bstar / eeta * swing
        d_mean = d_mean if round_not else 0.0
        cc5 = 2.0 * coef1 * sma * square * (1.0 + 2.75 * (eta2 + eeta) + eeta * eta2)
        swing = sine_cosine(w[_MEAN, i] + d_mean)[0] - sin_m
        less, more = _high_powers(cc1, sma, base, xi, time_min)
        d_ecc += bstar * cc5 * swing if high else 0.0
        factor -= less if high else 0.0
        d_length += more if high else 0.0
        drags = bstar != 0.0
        w[_MEAN, i] = w[_MEAN, i] + d_mean + no * d_length if drags else w[_MEAN, i]
        w[_ARGP, i] -= d_mean if drags else 0.0
        w[_NODE, i] += d_node if drags else 0.0
        w[_SMA, i] = sma * factor * factor if drags else sma
        w[_ECC, i] = ecc - d_ecc if drags else ecc
