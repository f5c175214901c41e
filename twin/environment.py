"""What surrounds every satellite: place, Sun, shadow, Earth's light, particles, thin air."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from sgp4.api import Satrec

from twin.checks import check_number
from twin.clock import gmst_rad
from twin.constants import ASTRONOMICAL_UNIT_M, EARTH_MEAN_RADIUS_M
from twin.cosmic_rays import (
    cutoff_rigidity_gv,
    gcr_flux_cm2_s,
    lowered_inverse_l,
    open_sky_frac,
)
from twin.drag import air_density_kg_m3
from twin.eclipse import sunlit_frac
from twin.geometry import (
    GeodeticPoint,
    beta_angle_rad,
    geodetic_point,
    local_solar_time_h,
    solar_zenith_cosine,
    sun_vector,
)
from twin.orbit import Motion, Orbits
from twin.solar_particles import spe_flux_cm2_s
from twin.space_weather import SpaceWeather, SpaceWeatherNow, space_weather_at
from twin.state import BoolArray, Environment, FloatArray, IntArray
from twin.trapped import (
    electron_flux_at,
    magnetic_columns,
    magnetic_place,
    proton_flux_at,
    saa_drift_rad,
    shell_inverse_l,
)
from twin.trapped_table import FIELD_1960, FIELD_1970


@dataclass(frozen=True)
class EnvironmentSettings:
    """The Sun and the Earth as sources of heat and of particles."""

    # Kopp & Lean 2011, GRL 38, L01706 (1360.8 +- 0.5, solar minimum); public
    solar_constant_w_m2: float = 1361.0
    # Gilmore 2002, Spacecraft Thermal Control Handbook, mean of 220-275; public
    earth_ir_w_m2: float = 237.0
    # same, global mean; single scenes 0.1-0.5; public
    albedo_frac: float = 0.30
    oblate_shadow: bool = True  # False: a sphere of the equatorial radius, as other tools have it
    space_weather: SpaceWeather = field(default_factory=SpaceWeather)

    def __post_init__(self) -> None:
        """Raises OutOfRangeError for numbers that no Sun and no Earth have."""
        check_number("solar_constant_w_m2", self.solar_constant_w_m2, 0.0, 2000.0)
        check_number("earth_ir_w_m2", self.earth_ir_w_m2, 0.0, 500.0)
        check_number("albedo_frac", self.albedo_frac, 0.0, 1.0)


class Moving(Protocol):
    """Whatever says where n satellites are: twin.orbit.Orbits, or a compiled fleet."""

    def at(self, elapsed_s: float) -> Motion:
        """Position and velocity (n, 3) at an instant [s after the epoch]."""

    def error_codes(self, elapsed_s: float) -> IntArray:
        """SGP4 error code of each satellite around an instant, (n,); 0 = propagates."""

    def failed(self, elapsed_s: float) -> BoolArray:
        """True where a satellite has no valid motion at an instant, (n,)."""

    def __len__(self) -> int:
        """Number of satellites."""


class EnvironmentModel:
    """Environment of n satellites from their mean elements; any instant, in any order."""

    def __init__(
        self,
        satrecs: Sequence[Satrec],
        epoch_unix_s: float,
        settings: EnvironmentSettings | None = None,
    ) -> None:
        self._orbits: Moving = Orbits(satrecs, epoch_unix_s)
        self._epoch_unix_s = epoch_unix_s
        self._settings = settings or EnvironmentSettings()

    @classmethod
    def along(
        cls, orbits: Moving, epoch_unix_s: float, settings: EnvironmentSettings | None = None
    ) -> "EnvironmentModel":
        """The same for satellites whose motion something else knows."""
        model = cls([], epoch_unix_s, settings)
        model._orbits = orbits
        return model

    def at(self, elapsed_s: float) -> Environment:
        """Environment at an instant [s after the epoch], (n,) arrays.

        Rows of satellites that do not propagate are nan: see `error_codes`.
        """
        position, velocity = self._orbits.at(elapsed_s)
        sun = sun_vector(self._epoch_unix_s, elapsed_s)
        sidereal = gmst_rad(self._epoch_unix_s, elapsed_s)
        point = geodetic_point(position, sidereal)
        lit = sunlit_frac(position, sun.unit, sun.distance_m, self._settings.oblate_shadow)
        irradiance = solar_irradiance_w_m2(sun.distance_m, self._settings.solar_constant_w_m2)
        view = earth_view_frac(position)
        now = space_weather_at(self._settings.space_weather, elapsed_s)
        return Environment(
            elapsed_s=elapsed_s,
            position_teme_m=position,
            velocity_teme_m_s=velocity,
            sun_unit=sun.unit,
            sun_distance_m=sun.distance_m,
            latitude_rad=point.latitude_rad,
            longitude_rad=point.longitude_rad,
            altitude_m=point.altitude_m,
            sunlit_frac=lit,
            beta_rad=beta_angle_rad(position, velocity, sun.unit),
            local_solar_time_h=local_solar_time_h(point.longitude_rad, sidereal, sun.unit),
            solar_flux_w_m2=irradiance * lit,
            albedo_flux_w_m2=albedo_flux_w_m2(
                solar_zenith_cosine(position, sun.unit),
                view,
                irradiance,
                self._settings.albedo_frac,
            ),
            earth_ir_flux_w_m2=self._settings.earth_ir_w_m2 * view,
            air_density_kg_m3=air_density_kg_m3(point.altitude_m, now.density_frac),
            s_level=np.full(len(self._orbits), now.s_level),
            g_level=np.full(len(self._orbits), now.g_level),
            **self._particles(elapsed_s, point, view, now),
        )

    def _particles(
        self, elapsed_s: float, point: GeodeticPoint, view: FloatArray, now: SpaceWeatherNow
    ) -> dict[str, Any]:
        """Fluxes of particles, (n,): trapped ones on the drifted map, others by the cutoff."""
        weather, unix_s = self._settings.space_weather, self._epoch_unix_s + elapsed_s
        columns, east = magnetic_columns(point.latitude_rad, point.altitude_m), point.longitude_rad
        electron_place = magnetic_place(columns, east, saa_drift_rad(unix_s, FIELD_1960))
        proton_place = electron_place
        if weather.solar_cycle == "max":
            proton_place = magnetic_place(
                columns, east, saa_drift_rad(unix_s, FIELD_1970), FIELD_1970
            )
        inverse_l, sky = shell_inverse_l(columns, east), open_sky_frac(view)
        if now.cutoff_lowering_rad > 0.0:
            inverse_l = lowered_inverse_l(inverse_l, now.cutoff_lowering_rad)
        cutoff_gv = cutoff_rigidity_gv(inverse_l)
        return {
            "proton_flux_cm2_s": proton_flux_at(
                proton_place, point.altitude_m, weather.solar_cycle
            ),
            "electron_flux_cm2_s": electron_flux_at(
                electron_place, point.altitude_m, weather.solar_cycle
            ),
            "gcr_flux_cm2_s": gcr_flux_cm2_s(inverse_l, sky, weather.potential_mv),
            "spe_flux_cm2_s": spe_flux_cm2_s(cutoff_gv, sky, now.solar_particle_pfu),
            "cutoff_gv": cutoff_gv,
        }

    def error_codes(self, elapsed_s: float) -> IntArray:
        """SGP4 error code per satellite around an instant, (n,); 0 = propagates (see Orbits)."""
        return self._orbits.error_codes(elapsed_s)

    def failed(self, elapsed_s: float) -> BoolArray:
        """True where a satellite does not propagate at an instant, (n,)."""
        return self._orbits.failed(elapsed_s)


def solar_irradiance_w_m2(sun_distance_m: float, solar_constant_w_m2: float) -> float:
    """Irradiance normal to the Sun [W/m2]: S0 (1 AU / d)^2, +-3.4 % over the year.

    Validity: any distance; the constant varies by 0.1 % over the solar cycle.
    Source: inverse square law; S0 = 1361 W/m2 of Kopp & Lean 2011, Geophys. Res. Lett. 38,
    L01706.
    """
    return solar_constant_w_m2 * (ASTRONOMICAL_UNIT_M / sun_distance_m) ** 2


def earth_view_frac(position_teme_m: FloatArray) -> FloatArray:
    """View factor from a nadir-facing plate to the Earth, (n,): (R / r)^2.

    Exact for a sphere that the plate sees whole (Gilmore 2002, chapter 2): 0.848 at 550 km. R is
    the mean radius.

    Validity: a plate that faces nadir, the Earth as its mean sphere.
    Source: Gilmore 2002, Spacecraft Thermal Control Handbook, chapter 2 (closed form).
    """
    x, y, z = (position_teme_m[:, i] for i in range(3))
    return EARTH_MEAN_RADIUS_M**2 / (x * x + y * y + z * z)


def albedo_flux_w_m2(
    zenith_cosine: FloatArray, view_frac: FloatArray, irradiance_w_m2: float, albedo_frac: float
) -> FloatArray:
    """Sunlight reflected by the Earth onto a nadir-facing plate [W/m2], (n,).

    a S max(0, cos z) (R/r)^2 with z the Sun's zenith angle below the satellite: a Lambert
    sphere lit as at the sub-satellite point (Gilmore 2002, chapter 2). Too low close to the
    terminator, where a satellite still sees lit ground: below 3 % of the noon value at 550 km.

    Validity: `zenith_cosine` [1]; away from the terminator.
    Source: Gilmore 2002, Spacecraft Thermal Control Handbook, chapter 2.
    """
    return albedo_frac * irradiance_w_m2 * view_frac * np.maximum(zenith_cosine, 0.0)
