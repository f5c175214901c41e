"""Channels that say what an undamaged satellite would show here and now: what alerts judge against.

Each function gives the values (r,) of some channels, in operators' units, for the given rows, from
the same models as the physics but without faults. A reading beside its model tells a storm from a
place, and a worn part from a hot day.
"""

from typing import Final

import numpy as np

from twin.constants import EARTH_EQUATOR_RADIUS_M, EARTH_GM_M3_S2, EARTH_J2, SECONDS_PER_DAY
from twin.coolant import is_pumped
from twin.fault_effects import FaultEffects
from twin.heat_network import LOOP, RADIATOR
from twin.radiation import dose_rate_rad_s, see_rate_per_s
from twin.replacing import replace
from twin.state import SEE_KINDS, Environment, Fleet, FleetState, FloatArray, Rows
from twin.thermal import radiator_absorbed_w

SEASON_HORIZON_DAY: Final = 32.0  # a month ahead, and a step; by definition
SEASON_STEP_DAY: Final = 2.0  # the Sun moves 2 deg, a season lasts weeks; by definition
LEAST_DROP_K: Final = 1.0  # a smaller drop is lost in what heating and cooling make; assumption
_FARTHEST_M: Final = 1.0e8  # beyond it, it is no satellite of the Earth; by definition
_OBLIQUITY_RAD: Final = 0.4090928  # IAU 1976 at J2000, 23.4393 deg; public
_AT_ONCE: Final = 4096  # satellites looked at together; bounds the memory
_SUN_RAD_DAY: Final = 2.0 * np.pi / 365.2422  # mean motion; public


def radiation_model(
    rows: Rows, fleet: Fleet, environment: Environment, broken: FaultEffects
) -> dict[str, FloatArray]:
    """Dose and uncorrectable errors that map and cosmic rays make here, without any storm.

    Validity: as `radiation.dose_rate_rad_s` and `radiation.see_rate_per_s`.
    Source: by definition: those two with the flux of faults and of solar particles taken out.
    """
    quiet_cm2_s = environment.proton_flux_cm2_s[rows] - broken.proton_added_cm2_s[rows]
    quiet = replace(
        environment,
        proton_flux_cm2_s=quiet_cm2_s,
        spe_flux_cm2_s=0.0 * quiet_cm2_s,
        electron_flux_cm2_s=environment.electron_flux_cm2_s[rows],
        gcr_flux_cm2_s=environment.gcr_flux_cm2_s[rows],
    )
    params = fleet.params.take(rows)
    uecc_per_s = see_rate_per_s(quiet, params)[:, SEE_KINDS.index("hbm_uecc")]
    return {
        "rad_dose_model_rad_day": dose_rate_rad_s(quiet, params) * SECONDS_PER_DAY,
        "see_uecc_model_per_h": uecc_per_s * 3600.0,
    }


def heat_model(
    rows: Rows, fleet: Fleet, state: FleetState, environment: Environment
) -> dict[str, FloatArray]:
    """Heat absorbed beyond the clean radiator's, and the loop's drop over that of its design.

    Absorbed: 100 (Q / Q_model - 1) for the whole radiator as built. Drop: 100 (T_loop - T_rad) G /
    P with G the design's conductance and P the payload's power; 100 in a steady state, 70 with a
    mixing valve stuck open; absent without a pumped loop and where the design drops less than 1 K.

    Validity: steady load and sunlight; heating up and cooling down look like a fault for minutes.
    Source: by definition: residuals against `thermal.radiator_absorbed_w` and the design's network.
    """
    params = fleet.params.take(rows)
    around = replace(
        environment,
        earth_ir_flux_w_m2=environment.earth_ir_flux_w_m2[rows],
        albedo_flux_w_m2=environment.albedo_flux_w_m2[rows],
        solar_flux_w_m2=environment.solar_flux_w_m2[rows],
    )
    model_w = radiator_absorbed_w(around, params)
    excess_frac = state.absorbed_power_w[rows] / np.maximum(model_w, 1e-9) - 1.0
    power_w = state.compute_power_w[rows]
    design_k = power_w / np.maximum(params.loop_radiator_w_k, 1e-9)
    loaded = (design_k > LEAST_DROP_K) & is_pumped(params)
    drop_k = state.node_temp_k[rows, LOOP] - state.node_temp_k[rows, RADIATOR]
    share = drop_k / np.maximum(design_k, LEAST_DROP_K)
    return {
        "tcs_absorbed_excess_pct": np.clip(100.0 * excess_frac, -100.0, 1000.0),
        "tcs_loop_drop_pct": np.clip(np.where(loaded, 100.0 * share, np.nan), -1000.0, 1000.0),
    }


def eclipse_season_day(rows: Rows, environment: Environment) -> FloatArray:
    """Time until the orbit enters the Earth's shadow again [day], (r,): 0 in season, 32 = later.

    A season lasts as long as no 32 days pass without a shadow: the planes of a shell at 53 deg
    leave it for days at a time, which is no end of it and no news.

    An orbit has eclipses while |n . s| < R / a: n its normal, s the Sun, R the Earth's radius, a
    the distance. The normal turns with the nodes at -1.5 J2 sqrt(mu / a^3) (R / a)^2 cos i, the
    Sun along the ecliptic at its mean rate; looked at every 2 days, back
    and ahead. nan beyond 100,000 km.

    Validity: near-circular orbits of the Earth; 2 days and, for the Sun's mean rate, 1 more.
    Source: Vallado 2013, Fundamentals of Astrodynamics, section 9.6 (nodes) and 5.3 (shadow).
    """
    position, velocity = environment.position_teme_m[rows], environment.velocity_teme_m_s[rows]
    distance_m = np.linalg.norm(position, axis=1)
    normal = np.cross(position, velocity)
    normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    limit = EARTH_EQUATOR_RADIUS_M / distance_m
    free = np.flatnonzero(np.abs(normal @ environment.sun_unit) >= limit)
    day = np.where(distance_m < _FARTHEST_M, 0.0, np.nan)
    if free.size == 0:
        return day
    normal, limit, distance_m = normal[free], limit[free], distance_m[free]
    mean_rad_s = np.sqrt(EARTH_GM_M3_S2 / distance_m**3)
    node_rad_s = -1.5 * EARTH_J2 * mean_rad_s * limit**2 * normal[:, 2]
    found = [
        _season_day(normal[part], limit[part], node_rad_s[part], environment.sun_unit)
        for part in (slice(first, first + _AT_ONCE) for first in range(0, free.size, _AT_ONCE))
    ]
    day[free] = np.where(np.isnan(day[free]), np.nan, np.concatenate(found))
    return day


def _season_day(
    normal: FloatArray, limit: FloatArray, node_rad_s: FloatArray, sun_unit: FloatArray
) -> FloatArray:
    # Every look back (0 where it finds a shadow) and ahead at once, (looks, r).
    ahead_day = np.arange(SEASON_STEP_DAY, SEASON_HORIZON_DAY + 0.5, SEASON_STEP_DAY)
    looks_day = np.concatenate([-ahead_day, ahead_day])[:, None]
    sun_x, sun_y, sun_z = _sun_later(sun_unit, looks_day)
    turn = node_rad_s * (looks_day * SECONDS_PER_DAY)
    along, across = np.cos(turn), np.sin(turn)
    sine = (
        (along * normal[:, 0] - across * normal[:, 1]) * sun_x
        + (across * normal[:, 0] + along * normal[:, 1]) * sun_y
        + normal[:, 2] * sun_z
    )
    seen_day = np.where(np.abs(sine) < limit, np.maximum(looks_day, 0.0), SEASON_HORIZON_DAY)
    return np.asarray(seen_day.min(axis=0))


def _sun_later(sun_unit: FloatArray, ahead_day: FloatArray) -> tuple[FloatArray, ...]:
    # Along the ecliptic from where it is.
    longitude = np.arctan2(sun_unit[1], np.cos(_OBLIQUITY_RAD) * sun_unit[0])
    longitude = longitude + _SUN_RAD_DAY * ahead_day
    sine = np.sin(longitude)
    return np.cos(longitude), np.cos(_OBLIQUITY_RAD) * sine, np.sin(_OBLIQUITY_RAD) * sine
