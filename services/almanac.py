"""The door to Skyfield: time scales, JPL's ephemeris and satellites, from files of a package.

Nothing is downloaded. Skyfield's own Earth-orientation table ends with its release; beyond it
UT1 is extrapolated, to about 0.1 s.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from sgp4.api import Satrec
from skyfield.api import EarthSatellite, Loader, wgs84
from skyfield_data import get_skyfield_data_path

from twin.constants import SECONDS_PER_DAY
from twin.network import GroundStation
from twin.state import FloatArray


@dataclass(frozen=True)
class Almanac:
    """Skyfield's time scale and the planets of DE421 (1899-2053)."""

    timescale: Any
    planets: Any

    def times(self, unix_s: FloatArray) -> Any:
        """Skyfield's instants of UTC seconds since 1970, (t,)."""
        # By calendar day: seconds counted from 1970 would meet leap seconds.
        day, of_day_s = np.divmod(unix_s, SECONDS_PER_DAY)
        return self.timescale.utc(1970, 1, 1 + day, 0, 0, of_day_s)

    def satellite(self, satrec: Satrec) -> EarthSatellite:
        """Skyfield's satellite with the same elements."""
        return EarthSatellite.from_satrec(satrec, self.timescale)


def station_position(station: GroundStation) -> Any:
    """A ground station as Skyfield's place on WGS84."""
    return wgs84.latlon(station.latitude_deg, station.longitude_deg, station.height_m)


@contextmanager
def open_almanac() -> Iterator[Almanac]:
    """Skyfield with its ephemeris open; closed at the end."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*finals2000A.all has expired.*")
        load = Loader(get_skyfield_data_path(), verbose=False)
    planets = load("de421.bsp")
    try:
        yield Almanac(load.timescale(builtin=True), planets)
    finally:
        planets.close()
