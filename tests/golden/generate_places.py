"""Sub-points, heights and beta angles by Skyfield and satkit: writes places.json.

Skyfield: SGP4, ITRS with UT1, WGS84, Sun of JPL DE421. satkit: its own SGP4, TEME to ITRF
without Earth-orientation data (as ours), its own Sun.
"""

import math
import warnings
from contextlib import closing
from typing import Any

import numpy as np
import satkit
from numpy.typing import NDArray
from orbits import ORBITS, is_high, satrec, write_reference
from satellites import STARCLOUD_TLE, STARLINK_TLE, almanac, skyfield_times
from sgp4.exporter import export_tle
from skyfield.api import EarthSatellite, wgs84
from skyfield.sgp4lib import TEME

Array = NDArray[np.float64]


def by_skyfield(
    elements: dict[str, Any], unix_s: Array, planets: Any, timescale: Any
) -> list[list[float]]:
    times = skyfield_times(timescale, unix_s)
    place = EarthSatellite.from_satrec(satrec(elements), timescale).at(times)
    point = wgs84.geographic_position_of(place)
    sun = planets["earth"].at(times).observe(planets["sun"]).apparent().frame_xyz(TEME).au
    position, velocity = (part for part in place.frame_xyz_and_velocity(TEME))
    momentum = np.cross(position.km, velocity.km_per_s, axis=0)
    sine = np.sum(momentum * sun, axis=0)
    sine /= np.linalg.norm(momentum, axis=0) * np.linalg.norm(sun, axis=0)
    columns = (
        point.latitude.degrees,
        point.longitude.degrees,
        point.elevation.m,
        np.degrees(np.arcsin(sine)),
    )
    return np.round(np.column_stack(columns), 7).tolist()


def by_satkit(elements: dict[str, Any], unix_s: Array) -> list[list[float]]:
    lines = {"starlink": STARLINK_TLE, "starcloud": STARCLOUD_TLE}.get(elements.get("tle", ""))
    tle = satkit.TLE.from_lines(list(lines or export_tle(satrec(elements))))
    tle = tle[0] if isinstance(tle, list) else tle
    rows = []
    for instant in unix_s:
        time = satkit.time.from_unixtime(float(instant))
        place_m, velocity_m_s = satkit.sgp4(tle, time, gravconst=satkit.sgp4_gravconst.wgs72)
        place_m, velocity_m_s = np.ravel(place_m), np.ravel(velocity_m_s)
        point = satkit.itrfcoord(satkit.frametransform.qteme2itrf(time) * place_m)
        turn = satkit.frametransform.qteme2gcrf(time)
        momentum = np.cross(turn * place_m, turn * velocity_m_s)
        sun = satkit.sun.pos_gcrf(time)
        sine = momentum @ sun / np.linalg.norm(momentum) / np.linalg.norm(sun)
        beta_deg = math.degrees(math.asin(sine))
        rows.append([point.latitude_deg, point.longitude_deg, point.altitude, beta_deg])
    return np.round(rows, 7).tolist()


def main() -> None:
    warnings.filterwarnings("ignore")
    sky = almanac()
    timescale = sky.timescale(builtin=True)
    cases = []
    with closing(sky("de421.bsp")) as planets:
        for name, elements in ORBITS.items():
            elapsed_s = np.linspace(0.0, 2.0 * 86_400.0 if is_high(elements) else 60_000.0, 24)
            unix_s = elements["epoch_unix_s"] + np.round(elapsed_s, 3)
            cases.append(
                {
                    "orbit": name,
                    "elements": elements,
                    "elapsed_s": np.round(elapsed_s, 3).tolist(),
                    "skyfield": by_skyfield(elements, unix_s, planets, timescale),
                    "satkit": by_satkit(elements, unix_s),
                }
            )
    write_reference(
        "places",
        ["skyfield", "satkit", "sgp4"],
        "generate_places.py",
        {"columns": ["latitude_deg", "longitude_deg", "altitude_m", "beta_deg"], "cases": cases},
    )


if __name__ == "__main__":
    main()
