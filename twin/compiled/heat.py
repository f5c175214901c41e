"""Temperatures of a tile of satellites for one tick, compiled.

The equations are those of twin/thermal.py and twin/heat_network.py, which stay the oracle.
"""

from typing import Any

from numba import njit

from twin.compiled import classes as k
from twin.compiled.functions import kernel
from twin.compiled.rows import (
    ABSORBED,
    ARRAY,
    ARRAY_W,
    BATTERY,
    BATTERY_HEAT,
    BUS,
    COMPUTE_W,
    DIE,
    HEATER_W,
    IRRADIANCE,
    LIT,
    LOAD_W,
    LOOP,
    PLATE,
    RADIATED,
    RADIATOR,
    THROTTLE,
    TILE,
    UP_COUNT,
    VIEW,
    ZENITH,
)
from twin.thermal import (
    ARRAY_ABSORPTIVITY_FRAC,
    ARRAY_EDGE_VIEW_FRAC,
    ARRAY_EMISSIVITY_FRAC,
    ARRAY_POINTING_COS,
    BUS_ABSORPTIVITY_FRAC,
    BUS_EARTH_VIEW_FRAC,
    BUS_EMISSIVITY_FRAC,
    BUS_TO_RADIATOR_FRAC,
    RADIATOR_SUN_SIN,
)
from twin.thermal_control import (
    THROTTLE_BAND_K,
    THROTTLE_DOWN_PER_S,
    THROTTLE_FLOOR_FRAC,
    THROTTLE_UP_PER_S,
    TRIP_RECOVERY_K,
)


@njit(error_model="numpy", inline="always")
def _chain(
    m: Any, r: int, t0: float, t1: float, t2: float, t3: float, t4: float, t5: float
) -> float:
    total = m[r, 0] * t0 + m[r, 1] * t1 + m[r, 2] * t2
    return total + m[r, 3] * t3 + m[r, 4] * t4 + m[r, 5] * t5


@njit(error_model="numpy", inline="always")
def _heated(m: Any, r: int, q0: float, q1: float, q3: float, q4: float, q5: float) -> float:
    total = m[r, 6] * q0 + m[r, 7] * q1 + m[r, 8] * q3
    return total + m[r, 9] * q4 + m[r, 10] * q5


@kernel
def heat(
    s: Any,
    w: Any,
    c: Any,
    m: Any,
    now: Any,
    albedo_frac: float,
    earth_ir_w_m2: float,
    step_s: float,
    begins: bool,
    ends: bool,
) -> None:
    """Temperatures after a part of a tick of step_s, and the clock that heat allows at its end.

    begins, ends: first and last part of the tick; the radiator's heat is that of its start.

    m (7, 13): rows of nodes; columns 0-5 decay, 6-10 response to heat in die, plate, radiator,
    battery and bus, 11-12 correction for radiator and bus. Row 6, the array: decay, response and
    correction in columns 0, 6 and 11.
    """
    host_w, converter_frac = c[k.HOST_W], 1.0 / c[k.CONVERTER_FRAC] - 1.0
    irradiance = now[IRRADIANCE]
    body_m2, array_m2, radiator_m2 = c[k.BODY_M2], c[k.ARRAY_M2], c[k.RADIATOR_M2]
    emissive, absorptive = c[k.RADIATOR_EMISSIVITY], c[k.RADIATOR_ABSORPTIVITY]
    sink_view, sink_w_m2 = c[k.SINK_VIEW_FRAC], c[k.SINK_W_M2]
    hosted = c[k.EXTERNAL_W] > 0.0
    rad_r, rad_b, rad_a = c[k.RADIATING], c[k.RADIATING + 1], c[k.RADIATING + 2]
    lin_r, lin_b, lin_a = c[k.LINEAR], c[k.LINEAR + 1], c[k.LINEAR + 2]
    throttle_k, trip_k = c[k.THROTTLE_K], c[k.TRIP_K]
    fall, rise = THROTTLE_DOWN_PER_S * step_s, THROTTLE_UP_PER_S * step_s
    for i in range(TILE):
        solar = irradiance * w[LIT + i]
        infrared = earth_ir_w_m2 * w[VIEW + i]
        cosine = abs(w[ZENITH + i])
        albedo = albedo_frac * irradiance * w[VIEW + i] * max(w[ZENITH + i], 0.0)
        # heat from the sky
        warm = sink_w_m2 if hosted else infrared * sink_view
        light = 0.0 if hosted else albedo * sink_view + solar * (0.5 * RADIATOR_SUN_SIN)
        taken = radiator_m2 * (emissive * warm + absorptive * light)
        body = BUS_EMISSIVITY_FRAC * infrared + BUS_ABSORPTIVITY_FRAC * albedo
        body *= body_m2 * BUS_EARTH_VIEW_FRAC
        edge = ARRAY_EDGE_VIEW_FRAC + (1.0 - ARRAY_EDGE_VIEW_FRAC) * cosine
        shine = ARRAY_ABSORPTIVITY_FRAC * (solar * ARRAY_POINTING_COS + albedo * edge)
        shine = array_m2 * (shine + infrared * edge * ARRAY_EMISSIVITY_FRAC)
        # heat from the loads
        converter = s[ARRAY_W + i] * converter_frac
        accel = max(s[COMPUTE_W + i] - host_w, 0.0) if s[UP_COUNT + i] > 0.0 else 0.0
        housekeeping = s[LOAD_W + i] - s[COMPUTE_W + i] - s[HEATER_W + i]
        t0, t1, t2, t3, t4, t5, t6 = (
            s[DIE + i],
            s[PLATE + i],
            s[LOOP + i],
            s[RADIATOR + i],
            s[BATTERY + i],
            s[BUS + i],
            s[ARRAY + i],
        )
        r2, b2, a2 = t3 * t3, t5 * t5, t6 * t6
        excess_r = lin_r * t3 - rad_r * r2 * r2
        excess_b = lin_b * t5 - rad_b * b2 * b2
        excess_a = lin_a * t6 - rad_a * a2 * a2
        q1 = s[COMPUTE_W + i] - accel
        q3 = BUS_TO_RADIATOR_FRAC * housekeeping + taken + excess_r
        q4 = w[BATTERY_HEAT + i] + s[HEATER_W + i]
        q5 = (1.0 - BUS_TO_RADIATOR_FRAC) * housekeeping + converter + body + excess_b
        q6 = shine - (s[ARRAY_W + i] + converter) + excess_a
        # predictor
        n3 = _chain(m, 3, t0, t1, t2, t3, t4, t5) + _heated(m, 3, accel, q1, q3, q4, q5)
        n5 = _chain(m, 5, t0, t1, t2, t3, t4, t5) + _heated(m, 5, accel, q1, q3, q4, q5)
        n6 = m[6, 0] * t6 + m[6, 6] * q6
        r2, b2, a2 = n3 * n3, n5 * n5, n6 * n6
        change_r = (lin_r * n3 - rad_r * r2 * r2) - excess_r
        change_b = (lin_b * n5 - rad_b * b2 * b2) - excess_b
        change_a = (lin_a * n6 - rad_a * a2 * a2) - excess_a
        # corrector
        n0 = _chain(m, 0, t0, t1, t2, t3, t4, t5) + _heated(m, 0, accel, q1, q3, q4, q5)
        n1 = _chain(m, 1, t0, t1, t2, t3, t4, t5) + _heated(m, 1, accel, q1, q3, q4, q5)
        n2 = _chain(m, 2, t0, t1, t2, t3, t4, t5) + _heated(m, 2, accel, q1, q3, q4, q5)
        n4 = _chain(m, 4, t0, t1, t2, t3, t4, t5) + _heated(m, 4, accel, q1, q3, q4, q5)
        n0 += m[0, 11] * change_r + m[0, 12] * change_b
        n3 += m[3, 11] * change_r + m[3, 12] * change_b
        s[DIE + i] = n0
        s[PLATE + i] = n1 + m[1, 11] * change_r + m[1, 12] * change_b
        s[LOOP + i] = n2 + m[2, 11] * change_r + m[2, 12] * change_b
        s[RADIATOR + i] = n3
        s[BATTERY + i] = n4 + m[4, 11] * change_r + m[4, 12] * change_b
        s[BUS + i] = n5 + m[5, 11] * change_r + m[5, 12] * change_b
        s[ARRAY + i] = n6 + m[6, 11] * change_a
        s[ABSORBED + i] = taken
        square = t3 * t3
        s[RADIATED + i] = rad_r * square * square if begins else s[RADIATED + i]
        # clock
        excess, was = n0 - throttle_k, s[THROTTLE + i]
        ramp = max(was - fall, THROTTLE_FLOOR_FRAC) if excess > 0.0 else was
        climbed = min(max(was, THROTTLE_FLOOR_FRAC) + rise, 1.0)
        ramp = climbed if excess < -THROTTLE_BAND_K else ramp
        tripped = (was <= 0.0) & (excess > -TRIP_RECOVERY_K)
        ramp = 0.0 if tripped | (n0 >= trip_k) else ramp
        s[THROTTLE + i] = ramp if ends else was
