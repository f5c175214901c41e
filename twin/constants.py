"""Physical constants, SI, each with its source."""

from typing import Final

STEFAN_BOLTZMANN_W_M2_K4: Final = 5.670374419e-8  # CODATA 2018, exact by definition of SI
SPEED_OF_LIGHT_M_S: Final = 299_792_458.0  # exact, SI
ASTRONOMICAL_UNIT_M: Final = 149_597_870_700.0  # IAU 2012 resolution B2, exact
SUN_RADIUS_M: Final = 695_700_000.0  # IAU 2015 resolution B3, nominal
EARTH_EQUATOR_RADIUS_M: Final = 6_378_137.0  # WGS84 a
EARTH_FLATTENING_FRAC: Final = 1.0 / 298.257223563  # WGS84 f
EARTH_MEAN_RADIUS_M: Final = 6_371_008.8  # IUGG mean radius (2a + b) / 3
EARTH_GM_M3_S2: Final = 3.986004418e14  # WGS84 GM
EARTH_J2: Final = 1.08262668e-3  # WGS84/EGM96 un-normalised J2
EARTH_ROTATION_RAD_S: Final = 7.292115e-5  # WGS84 nominal mean angular velocity
CELSIUS_ZERO_K: Final = 273.15  # exact
SECONDS_PER_DAY: Final = 86_400.0
SECONDS_PER_JULIAN_YEAR: Final = 31_557_600.0  # 365.25 d, IAU
