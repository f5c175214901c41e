"""Half-light edges of eclipses by Basilisk, brahe and satkit: writes eclipse.json.

Basilisk and brahe are given Skyfield's satellite (SGP4, GCRS) and JPL's Sun (DE421, apparent);
satkit uses its own SGP4, frames and Sun. All three take the Earth for a sphere.
"""

import warnings
from collections.abc import Callable
from contextlib import closing
from typing import Any

import brahe
import numpy as np
import satkit
from Basilisk.architecture import messaging
from Basilisk.simulation import eclipse
from numpy.typing import NDArray
from orbits import ORBITS, is_high, satrec, write_reference
from satellites import STARCLOUD_TLE, STARLINK_TLE, almanac, skyfield_times
from sgp4.exporter import export_tle
from skyfield.api import EarthSatellite

Array = NDArray[np.float64]
Light = Callable[[Array], Array]


def basilisk(satellite_m: Array, sun_m: Array) -> Array:
    """Illumination by Basilisk's module, one call per row of positions (n, 3)."""
    module = eclipse.Eclipse()
    place, sun = messaging.SCStatesMsgPayload(), messaging.SpicePlanetStateMsgPayload()
    earth = messaging.SpicePlanetStateMsgPayload()
    earth.PlanetName = "earth"
    earth.PositionVector = [0.0, 0.0, 0.0]
    place_msg = messaging.SCStatesMsg().write(place)
    sun_msg, earth_msg = messaging.SpicePlanetStateMsg(), messaging.SpicePlanetStateMsg()
    module.addSpacecraftToModel(place_msg)
    module.addPlanetToModel(earth_msg.write(earth))
    module.sunInMsg.subscribeTo(sun_msg.write(sun))
    module.Reset(0)
    seen = np.empty(len(satellite_m))
    for row in range(len(satellite_m)):
        place.r_BN_N, sun.PositionVector = satellite_m[row].tolist(), sun_m[row].tolist()
        place_msg.write(place)
        sun_msg.write(sun)
        module.UpdateState(row)
        seen[row] = module.eclipseOutMsgs[0].read().shadowFactor
    return seen


def tools(elements: dict[str, Any], planets: Any, timescale: Any) -> dict[str, Light]:
    """The visible fraction of the Sun at unix times (n,), by each tool."""
    record = satrec(elements)
    flown = EarthSatellite.from_satrec(record, timescale)
    lines = {"starlink": STARLINK_TLE, "starcloud": STARCLOUD_TLE}.get(elements.get("tle", ""))
    tle = satkit.TLE.from_lines(list(lines or export_tle(record)))
    tle = tle[0] if isinstance(tle, list) else tle

    def places(unix_s: Array) -> tuple[Array, Array]:
        times = skyfield_times(timescale, unix_s)
        sun = planets["earth"].at(times).observe(planets["sun"]).apparent()
        return (
            np.ascontiguousarray(flown.at(times).position.m.T),
            np.ascontiguousarray(sun.position.m.T),
        )

    def with_satkit(unix_s: Array) -> Array:
        times = [satkit.time.from_unixtime(float(t)) for t in unix_s]
        place_m, _ = satkit.sgp4(tle, times, gravconst=satkit.sgp4_gravconst.wgs72)
        sun_m = satkit.sun.pos_gcrf(times)
        turns = satkit.frametransform.qteme2gcrf(times)
        return np.array(
            [satkit.sun.shadowfunc(s, q * r) for s, q, r in zip(sun_m, turns, place_m, strict=True)]
        )

    def with_brahe(unix_s: Array) -> Array:
        rows = zip(*places(unix_s), strict=True)
        return np.array([brahe.eclipse_conical(r, s) for r, s in rows])

    return {
        "basilisk": lambda unix_s: basilisk(*places(unix_s)),
        "brahe": with_brahe,
        "satkit": with_satkit,
    }


def edges(light: Light, epoch_unix_s: float, span_s: float, coarse_s: float) -> list[float]:
    """Elapsed times [s] at which the light crosses one half, to 1 ms."""
    grid = np.arange(0.0, span_s, coarse_s)
    lit = light(epoch_unix_s + grid) >= 0.5
    turns = np.flatnonzero(lit[1:] != lit[:-1])
    low, high, before = grid[turns], grid[turns + 1], lit[turns]
    while low.size and (high - low).max() > 1e-3:
        middle = 0.5 * (low + high)
        same = (light(epoch_unix_s + middle) >= 0.5) == before
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return [round(float(t), 3) for t in 0.5 * (low + high)]


def main() -> None:
    warnings.filterwarnings("ignore")
    sky = almanac()
    timescale = sky.timescale(builtin=True)
    cases = []
    with closing(sky("de421.bsp")) as planets:
        for name, elements in ORBITS.items():
            high = is_high(elements)
            span_s, coarse_s = (3.0 * 86_400.0, 120.0) if high else (12 * 3600.0, 20.0)
            found = {
                tool: edges(light, elements["epoch_unix_s"], span_s, coarse_s)
                for tool, light in tools(elements, planets, timescale).items()
            }
            print(name, {tool: len(times) for tool, times in found.items()})
            cases.append({"orbit": name, "elements": elements, "span_s": span_s, "edges_s": found})
    write_reference(
        "eclipse",
        ["bsk", "brahe", "satkit", "skyfield", "sgp4"],
        "generate_eclipse.py",
        {"what": "elapsed seconds at half light, spherical Earth", "cases": cases},
    )


if __name__ == "__main__":
    main()
