"""Attitude as far as power, heat and links feel it: the angle from the Sun attitude, and the rate.

One axis is enough for that: a torque spins the body up, control brakes it and turns it back.
"""

from typing import Final, NamedTuple

import numpy as np

from twin.constants import EARTH_GM_M3_S2
from twin.state import Environment, FloatArray

SPIN_UP_S: Final = 20.0  # a vent or a wheel at its limit against the body's inertia; assumption
DETUMBLE_S: Final = 300.0  # wheels and magnetic torquers brake; minutes to hours; assumption
REPOINT_S: Final = 120.0  # back to the Sun once captured; assumption
CAPTURE_RATE_RAD_S: Final = float(np.deg2rad(0.1))  # wheels take over; assumption
STILL_RAD: Final = 1e-6  # below this the body counts as pointed


class Attitude(NamedTuple):
    """Angle from the Sun attitude [rad] in (-pi, pi] and body rate [rad/s], (n,) each."""

    sun_error_rad: FloatArray
    body_rate_rad_s: FloatArray


class SunAngles(NamedTuple):
    """What the Sun sees of the satellite, (n,)."""

    array_cos: FloatArray  # besides the tracking error that every array has
    radiator_sin: FloatArray  # of the Sun over the radiator's plane, besides its edge-on error


def next_attitude(before: Attitude, tumble_rate_rad_s: FloatArray, step_s: float) -> Attitude:
    """Attitude one tick later, (n,), exact for a torque that is constant in the tick.

    w' = (w_t - w) / tau with w_t the rate that the torque leads to, tau 20 s while it acts and
    300 s while control brakes; the angle is its integral. Below 0.1 deg/s without a torque the
    error decays over 120 s. Validity: one axis, no gyroscopic coupling.

    Source: Wertz 1978, Spacecraft Attitude Determination and Control, section 16.2 (single
    axis), first-order response; time constants are assumptions, beside them in
    `twin/attitude.py`.
    """
    driven = tumble_rate_rad_s > 0.0
    tau_s = np.where(driven, SPIN_UP_S, DETUMBLE_S)
    decay = np.exp(-step_s / tau_s)
    excess_rad_s = before.body_rate_rad_s - tumble_rate_rad_s
    turned_rad = tumble_rate_rad_s * step_s + excess_rad_s * tau_s * (1.0 - decay)
    rate_rad_s = tumble_rate_rad_s + excess_rad_s * decay
    captured = ~driven & (before.body_rate_rad_s < CAPTURE_RATE_RAD_S)
    error_rad = before.sun_error_rad + turned_rad
    error_rad = error_rad - 2.0 * np.pi * np.round(error_rad / (2.0 * np.pi))
    settled_rad = before.sun_error_rad * np.exp(-step_s / REPOINT_S)
    settled_rad = settled_rad * (np.abs(settled_rad) > STILL_RAD)
    return Attitude(
        np.where(captured, settled_rad, error_rad),
        rate_rad_s * ~(captured & (rate_rad_s < STILL_RAD)),
    )


def total_error_rad(sun_error_rad: FloatArray, slew_error_rad: FloatArray) -> FloatArray:
    """Angle between the Sun attitude and the body [rad], (n,), of two turns about crossed axes.

    Validity: two turns about axes at right angles.
    Source: closed form: cos e = cos a cos b (spherical Pythagoras).
    """
    crossed = np.arccos(np.clip(np.cos(sun_error_rad) * np.cos(slew_error_rad), -1.0, 1.0))
    return np.where(slew_error_rad == 0.0, np.abs(sun_error_rad), crossed)


def stuck_drive_cos(
    environment: Environment, stuck_frac: FloatArray, stuck_s: FloatArray
) -> FloatArray:
    """Share of the light that the array still catches with a stuck drive [0-1], (n,).

    The wing stays where it was in the orbit's frame, while the Sun goes round in it:
    cos = sin2(beta) + cos2(beta) cos(n t), n the mean motion, t the time since it stuck;
    dark from behind. A dawn-dusk orbit hardly notices, a noon orbit loses two thirds.

    Validity: circular orbits, `stuck_s` since the drive stopped.
    Source: closed form: projection of the Sun on a normal that turns with the orbit's frame.
    """
    x_m, y_m, z_m = environment.position_teme_m.T
    radius_m = np.sqrt(x_m * x_m + y_m * y_m + z_m * z_m)
    motion_rad_s = np.sqrt(EARTH_GM_M3_S2 / (radius_m * radius_m * radius_m))
    across = np.square(np.sin(environment.beta_rad))
    cosine = across + (1.0 - across) * np.cos(motion_rad_s * stuck_s)
    return np.asarray(1.0 - stuck_frac * (1.0 - np.maximum(cosine, 0.0)))


def sun_angles(error_rad: FloatArray, drive_cos: FloatArray) -> SunAngles:
    """Array cosine and radiator sine of a body turned by error_rad, (n,).

    The array faces the Sun at 0, the radiator is edge-on; a quarter turn changes their places.
    """
    return SunAngles(np.maximum(np.cos(error_rad), 0.0) * drive_cos, np.abs(np.sin(error_rad)))
