"""Trapped protons along orbits by NASA's AP8 itself (aep8, IRBEM): writes trapped.json.

Track by Skyfield; AP8MIN above 50 MeV in its own field (epoch 1960), so to be compared with our
map before its drift. A point every 20 s for a day; the fluence is their sum.
"""

import warnings

import aep8
import numpy as np
from astropy import units as u
from astropy.coordinates import EarthLocation
from astropy.time import Time
from orbits import low, satrec, unix_s, write_reference
from satellites import almanac, skyfield_times
from skyfield.api import EarthSatellite, wgs84

STEP_S = 20.0
EPOCH = unix_s(2026, 11, 21)
TRACKS = {
    "iss 420 km": low(EPOCH, 420.0, 51.64, 75.0),
    "28.5 deg 500 km": low(EPOCH, 500.0, 28.5, 10.0),
    "53 deg 550 km": low(EPOCH, 550.0, 53.0, 200.0),
    "dawn-dusk 650 km": low(EPOCH, 650.0, 97.99, 330.0),
    "70 deg 570 km 2040": low(unix_s(2040, 5, 5), 570.0, 70.0, 120.0),
    "equator 800 km": low(EPOCH, 800.0, 1.0, 0.0),
    "99 deg 1000 km": low(EPOCH, 1000.0, 99.48, 30.0),
    "88 deg 1200 km": low(EPOCH, 1200.0, 87.9, 60.0),
    "45 deg 1600 km": low(EPOCH, 1600.0, 45.0, 90.0),
}


def main() -> None:
    warnings.filterwarnings("ignore")
    timescale = almanac().timescale(builtin=True)
    model = aep8.model(particle="p", solar="min")
    cases = []
    for name, elements in TRACKS.items():
        elapsed_s = np.arange(0.0, 86_400.0, STEP_S)
        times = skyfield_times(timescale, elements["epoch_unix_s"] + elapsed_s)
        point = wgs84.geographic_position_of(
            EarthSatellite.from_satrec(satrec(elements), timescale).at(times)
        )
        place = EarthLocation.from_geodetic(
            point.longitude.degrees * u.deg, point.latitude.degrees * u.deg, point.elevation.m * u.m
        )
        shell, ratio = model.geomagnetic_coordinates(place, Time("2016-01-01"))
        flux = model.integral_flux_for_geomagnetic_coordinates(shell, ratio, 50.0 * u.MeV).value
        flux = np.nan_to_num(flux)
        cases.append(
            {
                "orbit": name,
                "elements": elements,
                "fluence_cm2_day": float(flux.sum() * STEP_S),
                "peak_cm2_s": float(flux.max()),
                "in_saa_frac": float((flux > 100.0).mean()),
                "flux_cm2_s_every_10": np.round(flux[::10], 2).tolist(),
            }
        )
        print(name, f"{flux.mean():.2f} cm-2 s-1, in the anomaly {(flux > 100.0).mean():.1%}")
    write_reference(
        "trapped",
        ["aep8", "skyfield", "sgp4"],
        "generate_trapped.py",
        {"step_s": STEP_S, "energy_mev": 50.0, "cases": cases},
    )


if __name__ == "__main__":
    main()
