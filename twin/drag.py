"""The thin air of low orbit: its density, the drag it makes and the height it costs."""

from typing import Final

import numpy as np

from twin.constants import EARTH_GM_M3_S2, EARTH_ROTATION_RAD_S
from twin.state import FloatArray

DRAG_COEFFICIENT: Final = 2.2  # free molecular flow on a box; usual practice; assumption

_DENSITY_BY_KM: Final = (
    # Vallado 2013, table 8-4 (US76 and CIRA-72); public
    (150.0, 2.070e-9),
    (180.0, 5.464e-10),
    (200.0, 2.789e-10),
    (250.0, 7.248e-11),
    # mid-cycle, the fleet survey's table of November 2026; assumption
    (325.0, 1.1e-11),
    (350.0, 7.0e-12),
    (420.0, 2.0e-12),
    (535.0, 2.8e-13),
    (600.0, 1.1e-13),
    (650.0, 6.0e-14),
    (725.0, 2.5e-14),
    # Vallado 2013, table 8-4
    (800.0, 1.170e-14),
    (900.0, 5.245e-15),
    (1000.0, 3.019e-15),
    (2000.0, 7.2e-17),  # scale height of 268 km above 1000 km carried on
)
_ALTITUDE_M: Final = np.array([row[0] for row in _DENSITY_BY_KM]) * 1e3
_LN_DENSITY: Final = np.log([row[1] for row in _DENSITY_BY_KM])


def air_density_kg_m3(altitude_m: FloatArray, density_frac: float = 1.0) -> FloatArray:
    """Density of the quiet mid-cycle thermosphere times a factor [kg/m3], (n,).

    Linear in the logarithm between the table's heights, 150-2000 km, held at its ends. Day and
    night differ by a factor of two to five at 500 km, solar minimum and maximum by ten: the
    scenario's factor carries the cycle, 0.3 to 3. nan gives nan.

    Validity: 150-2000 km, mean solar activity, no day and night.
    Source: Vallado 2013, Fundamentals of Astrodynamics, table 8-4; 325-725 km at mid-cycle:
    assumption, beside the table in `twin/drag.py`.
    """
    ln_density = np.interp(altitude_m, _ALTITUDE_M, _LN_DENSITY)
    return np.asarray(np.exp(ln_density) * density_frac)


def sma_decay_m_s(
    position_teme_m: FloatArray,
    velocity_teme_m_s: FloatArray,
    density_kg_m3: FloatArray,
    area_over_mass_m2_kg: FloatArray,
) -> FloatArray:
    """Height of the semi-major axis lost to drag [m/s], (n,), positive while it shrinks.

    a_drag = -1/2 rho Cd (A/m) |w| w with w the velocity through air that turns with the Earth;
    da/dt = 2 a^2 / mu (v . a_drag) (Gauss's equation; Vallado 2013, section 9.3). On a circle
    rho Cd (A/m) sqrt(mu a), less some 4 % in the sense of rotation. Cd 2.2. The orbit itself
    follows its SGP4 elements: storms change this rate, not the path. Hyperbolic orbits give nan.

    Validity: free molecular flow, bound orbits; density good to a factor of two.
    Source: Vallado 2013, Fundamentals of Astrodynamics, section 9.3 (Gauss's equation); Cd:
    assumption, beside it in `twin/drag.py`.
    """
    x, y, z = (velocity_teme_m_s[:, axis] for axis in range(3))
    through_x = x + EARTH_ROTATION_RAD_S * position_teme_m[:, 1]
    through_y = y - EARTH_ROTATION_RAD_S * position_teme_m[:, 0]
    airspeed_m_s = np.sqrt(through_x * through_x + through_y * through_y + z * z)
    braking_m_s2 = 0.5 * DRAG_COEFFICIENT * density_kg_m3 * area_over_mass_m2_kg * airspeed_m_s
    power_m2_s3 = braking_m_s2 * (x * through_x + y * through_y + z * z)
    radius_m = np.sqrt(np.sum(position_teme_m * position_teme_m, axis=1))
    sma_m = 1.0 / (2.0 / radius_m - (x * x + y * y + z * z) / EARTH_GM_M3_S2)
    decay_m_s = 2.0 * sma_m * sma_m / EARTH_GM_M3_S2 * power_m2_s3
    return np.where(sma_m > 0.0, decay_m_s, np.nan)
