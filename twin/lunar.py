"""Environment of nodes on the lunar surface, in the same arrays as that of satellites.

The Moon turns once a synodic month under the Sun, so that a place on it has half a month of day
and half a month of night. The model is deliberately plain: mean synodic month, the Sun in the
Moon's equator (its true tilt is 1.54 deg, Williams & Boggs 2009), the Earth at its mean distance.
Validity: latitudes below 80 deg, where neither the tilt nor the local horizon decides; times of
sunrise within a day (libration and the eccentric orbit move them by up to 14 h).
"""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from twin.constants import (
    ASTRONOMICAL_UNIT_M,
    SECONDS_PER_DAY,
    SPEED_OF_LIGHT_M_S,
    STEFAN_BOLTZMANN_W_M2_K4,
    SUN_RADIUS_M,
)
from twin.cosmic_rays import gcr_flux_cm2_s
from twin.geometry import sun_vector
from twin.site_presets import LunarSite
from twin.solar_particles import spe_flux_cm2_s
from twin.space_weather import SpaceWeather, space_weather_at
from twin.state import BoolArray, Environment, FloatArray, IntArray

SYNODIC_MONTH_S: Final = 29.530588 * SECONDS_PER_DAY  # Chapront-Touze & Chapront 1988, mean
SIDEREAL_MONTH_S: Final = 27.321662 * SECONDS_PER_DAY  # the same source
MOON_DISTANCE_M: Final = 384_400_000.0  # mean; IAU/NASA fact sheet
MOON_RADIUS_M: Final = 1_737_400.0  # IAU 2015, mean
NEW_MOON_UNIX_S: Final = 947_182_440.0  # 2000-01-06T18:14Z, Meeus 1998, table 49: k = 0
SUN_HALF_WIDTH_RAD: Final = SUN_RADIUS_M / ASTRONOMICAL_UNIT_M


@dataclass(frozen=True)
class LunarEnvironmentModel:
    """Environment of n nodes on the Moon at any instant; the same calls as EnvironmentModel."""

    sites: tuple[LunarSite, ...]
    epoch_unix_s: float
    solar_constant_w_m2: float = 1361.0  # Kopp & Lean 2011
    space_weather: SpaceWeather = field(default_factory=SpaceWeather)

    def at(self, elapsed_s: float) -> Environment:
        """Environment at an instant [s after the epoch], (n,) arrays.

        The Sun's elevation h follows sin h = cos(latitude) cos(hour angle); the hour angle is
        -180 deg + 360 deg x phase + longitude, phase 0 at new Moon, when the far side has noon.
        Regolith below: T = T_night + (T_day - T_night) max(0, sin h)^(1/4), radiating as a grey
        plate; cells track the Sun. No trapped particles at the Moon's distance;
        cosmic rays and solar particles without a cutoff over half the sky.
        """
        latitude, longitude = self._column("latitude_deg"), self._column("longitude_deg")
        sine = sun_elevation_sine(latitude, longitude, self.epoch_unix_s + elapsed_s)
        lit = disc_above_horizon_frac(sine)
        sun = sun_vector(self.epoch_unix_s, elapsed_s)
        irradiance = self.solar_constant_w_m2 * (ASTRONOMICAL_UNIT_M / sun.distance_m) ** 2
        night, day = self._column("surface_night_k"), self._column("surface_day_k")
        ground_k = night + (day - night) * np.maximum(sine, 0.0) ** 0.25
        emitted = self._column("regolith_emissivity") * STEFAN_BOLTZMANN_W_M2_K4 * ground_k**4
        zero = np.zeros(len(self.sites))
        now = space_weather_at(self.space_weather, elapsed_s)
        moon, speed = _moon_motion(self.epoch_unix_s + elapsed_s, sun.unit)
        hour = np.degrees(_hour_angle_rad(longitude, self.epoch_unix_s + elapsed_s)) / 15.0
        return Environment(
            elapsed_s=elapsed_s,
            position_teme_m=np.tile(moon, (len(self.sites), 1)),
            velocity_teme_m_s=np.tile(speed, (len(self.sites), 1)),
            sun_unit=sun.unit,
            sun_distance_m=sun.distance_m,
            latitude_rad=np.radians(latitude),
            longitude_rad=np.radians(longitude),
            altitude_m=zero,
            sunlit_frac=lit,
            beta_rad=zero,
            local_solar_time_h=(hour + 12.0) % 24.0,
            solar_flux_w_m2=irradiance * lit,
            albedo_flux_w_m2=self._column("regolith_albedo") * irradiance * np.maximum(sine, 0.0),
            earth_ir_flux_w_m2=emitted,
            proton_flux_cm2_s=zero,
            electron_flux_cm2_s=zero,
            gcr_flux_cm2_s=gcr_flux_cm2_s(zero, zero + 1.0, self.space_weather.potential_mv),
            spe_flux_cm2_s=spe_flux_cm2_s(zero, zero + 1.0, now.solar_particle_pfu),
            cutoff_gv=zero,
            air_density_kg_m3=zero,
            s_level=np.full(len(self.sites), now.s_level),
            g_level=np.full(len(self.sites), now.g_level),
        )

    def error_codes(self, elapsed_s: float) -> IntArray:  # noqa: ARG002 - as EnvironmentModel
        """No node on the ground fails to propagate, (n,) of zeros."""
        return np.zeros(len(self.sites), dtype=np.int64)

    def failed(self, elapsed_s: float) -> BoolArray:
        """True nowhere, (n,)."""
        return np.asarray(self.error_codes(elapsed_s) != 0)

    def _column(self, name: str) -> FloatArray:
        return np.array([getattr(one, name) for one in self.sites], dtype=np.float64)


def sun_elevation_sine(
    latitude_deg: FloatArray, longitude_deg: FloatArray, unix_s: float
) -> FloatArray:
    """Sine of the Sun's elevation at places on the Moon, (n,): cos(latitude) cos(hour angle).

    Validity: latitudes below 80 deg; sunrise within a day (libration and the eccentric orbit
    move it by up to 14 h).
    Source: closed form on a sphere, the Sun in the Moon's equator; synodic month of
    Chapront-Touze & Chapront 1988, A&A 190, 342.
    """
    angle = _hour_angle_rad(longitude_deg, unix_s)
    return np.asarray(np.cos(np.radians(latitude_deg)) * np.cos(angle), dtype=np.float64)


def disc_above_horizon_frac(elevation_sine: FloatArray) -> FloatArray:
    """Share of the solar disc above a flat horizon, (n,), by area of the circular segment.

    Validity: `elevation_sine` [1]; a flat horizon.
    Source: closed form: area of a circular segment, f = 1 - (acos x - x sqrt(1 - x^2)) / pi.
    """
    height = np.clip(np.arcsin(np.clip(elevation_sine, -1, 1)) / SUN_HALF_WIDTH_RAD, -1.0, 1.0)
    return np.asarray(0.5 + (np.arcsin(height) + height * np.sqrt(1.0 - height**2)) / math.pi)


def night_duration_s(latitude_deg: float) -> float:
    """Seconds without any part of the Sun's disc in each synodic month.

    14.75 days at the equator: half of the month less the half-degree width of the Sun.

    Validity: latitudes below 80 deg.
    Source: closed form from the elevation of the mean Sun; synodic month of Chapront-Touze &
    Chapront 1988, A&A 190, 342.
    """
    cosine = math.cos(math.radians(latitude_deg))
    dip = min(math.sin(SUN_HALF_WIDTH_RAD) / max(cosine, 1e-12), 1.0)
    return SYNODIC_MONTH_S * math.acos(dip) / math.pi


def round_trip_s(distance_m: float = MOON_DISTANCE_M) -> float:
    """Signal to a node and back [s]: 2 d / c, 2.56 s at the mean distance of the centres.

    Validity: straight path in vacuum.
    Source: by definition: t = 2 d / c, c of SI 2019.
    """
    return 2.0 * distance_m / SPEED_OF_LIGHT_M_S


def _hour_angle_rad(longitude_deg: FloatArray, unix_s: float) -> FloatArray:
    phase = (unix_s - NEW_MOON_UNIX_S) / SYNODIC_MONTH_S % 1.0
    turned = np.radians(longitude_deg) + math.tau * phase - math.pi
    return np.asarray((turned + math.pi) % math.tau - math.pi, dtype=np.float64)


def _moon_motion(unix_s: float, sun_unit: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The Moon in the plane of the ecliptic, as far from the Sun as its mean phase says.

    Position [m] and velocity [m/s], (3,) each, of a circular orbit.
    """
    phase = (unix_s - NEW_MOON_UNIX_S) / SYNODIC_MONTH_S % 1.0 * math.tau
    obliquity = math.radians(23.439)  # IAU 2006, J2000
    pole = np.array([0.0, -math.sin(obliquity), math.cos(obliquity)])
    ahead = np.cross(pole, sun_unit)
    place = math.cos(phase) * sun_unit + math.sin(phase) * ahead
    course = math.cos(phase) * ahead - math.sin(phase) * sun_unit
    speed_m_s = math.tau * MOON_DISTANCE_M / SIDEREAL_MONTH_S
    return np.asarray(MOON_DISTANCE_M * place), np.asarray(speed_m_s * course)
