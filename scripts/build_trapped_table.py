"""Build twin/data/trapped_particles.npz: NASA AP8 protons and AE8 electrons as look-up tables.

Run off-line, only when the table must change:  python scripts/build_trapped_table.py
Needs the development dependency aep8 (IRBEM). About ten minutes on one core.

Two steps, because flux itself falls by decades between grid points while the magnetic
coordinates are smooth: (altitude, latitude, longitude) -> (1/L, ln B/B0), then
(L, ln B/B0) -> omnidirectional integral flux, protons above 50 MeV, electrons above 1 MeV.
The models and their internal fields (Jensen & Cain, epoch 1960; for protons at solar maximum
GSFC 12/66, epoch 1970) are static, so the tables do not depend on time; the drift of the South
Atlantic Anomaly since then is applied when a table is read.

Values are stored on 65,536 levels, fluxes by their logarithm; levels are differenced along
every axis, which is lossless and makes them small.
"""

import json
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import aep8
import numpy as np
from astropy import units as u
from astropy.coordinates import EarthLocation
from astropy.time import Time
from numpy.typing import NDArray

OUTPUT = Path(__file__).parents[1] / "twin" / "data" / "trapped_particles.npz"
PROTON_ENERGY_MEV = 50.0
ELECTRON_ENERGY_MEV = 1.0
EARTH_RADIUS_KM = 6378.137  # WGS84
LOW_ALTITUDE_KM = np.arange(150.0, 2000.1, 50.0)
# Above, even in R/(R + h), in which a dipole's 1/L is linear: 2,000 to 60,000 km in 24 layers.
HIGH_RADIUS_FRAC = np.linspace(
    EARTH_RADIUS_KM / (EARTH_RADIUS_KM + 2000.0), EARTH_RADIUS_KM / (EARTH_RADIUS_KM + 60000.0), 25
)
ALTITUDE_KM = np.concatenate(
    [LOW_ALTITUDE_KM, EARTH_RADIUS_KM / HIGH_RADIUS_FRAC[1:] - EARTH_RADIUS_KM]
)
LATITUDE_DEG = np.arange(-90.0, 90.1, 2.0)
LONGITUDE_DEG = np.arange(-180.0, 180.1, 2.0)
PROTON_L = np.arange(1.0, 3.30001, 0.0025)  # AP8 climbs by a third in 0.01 at L = 1.17
PROTON_LN_RATIO = np.arange(-0.01, 2.6001, 0.005)
ELECTRON_L = np.arange(1.0, 12.0001, 0.02)
ELECTRON_LN_RATIO = np.arange(-0.01, 6.8001, 0.02)
INVERSE_L_LIMIT = (0.0, 1.25)
LN_RATIO_LIMIT = (-0.1, 7.5)
LN_FLUX_LIMIT = (-1.0, 18.0)  # level 0 is no flux at all
LEVELS = 65535


def packed(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint16]:
    """Values clipped to [low, high] on 65,536 levels, differenced along every axis mod 2^16."""
    level = np.rint((np.clip(values, low, high) - low) / (high - low) * LEVELS).astype(np.uint16)
    for axis in range(level.ndim):
        level = np.diff(level, axis=axis, prepend=np.zeros_like(level.take([0], axis=axis)))
    return level


def magnetic_coordinates(model: aep8.Model) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """1/L and ln(B/B0) on the geodetic grid; open or failed field lines become 1/L = 0."""
    inverse_l = np.empty((ALTITUDE_KM.size, LATITUDE_DEG.size, LONGITUDE_DEG.size))
    ln_ratio = np.empty_like(inverse_l)
    lat, lon = np.meshgrid(LATITUDE_DEG, LONGITUDE_DEG, indexing="ij")
    for i, altitude_km in enumerate(ALTITUDE_KM):
        place = EarthLocation.from_geodetic(lon * u.deg, lat * u.deg, altitude_km * u.km)
        shell, ratio = (
            np.asarray(a) for a in model.geomagnetic_coordinates(place, Time("2016-01-01"))
        )
        good = (shell > 0.0) & (shell < 50.0) & (ratio > 0.0)
        inverse_l[i] = np.where(good, 1.0 / np.where(good, shell, 1.0), 0.0)
        ln_ratio[i] = np.where(good, np.log(np.where(good, ratio, 1.0)), LN_RATIO_LIMIT[1])
        print(f"{altitude_km:6.0f} km", file=sys.stderr)
    return inverse_l, ln_ratio


def ln_flux(
    particle: str,
    solar: str,
    energy_mev: float,
    axes: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Logarithm of the flux above an energy, cm-2 s-1, over (L, ln B/B0); -inf where none."""
    shell, ln_ratio = np.meshgrid(*axes, indexing="ij")
    model = aep8.model(particle=particle, solar=solar)
    with np.errstate(invalid="ignore", divide="ignore"):
        flux = model.integral_flux_for_geomagnetic_coordinates(
            shell, np.exp(ln_ratio), energy_mev * u.MeV
        ).value
        flux = np.nan_to_num(flux, nan=0.0, posinf=0.0, neginf=0.0).clip(0.0)
        # The models end at 1 cm-2 s-1 (log10 flux below 0 counts as nothing).
        return np.log(flux)


def main() -> None:
    tables: dict[str, NDArray[np.uint16]] = {}
    for epoch, solar in ((1960, "min"), (1970, "max")):
        model = aep8.model(particle="p", solar=solar)
        inverse_l, ln_ratio = magnetic_coordinates(model)
        tables[f"inverse_l_{epoch}"] = packed(inverse_l, *INVERSE_L_LIMIT)
        tables[f"ln_ratio_{epoch}"] = packed(ln_ratio, *LN_RATIO_LIMIT)
    for particle, name, energy_mev, axes in (
        ("p", "proton", PROTON_ENERGY_MEV, (PROTON_L, PROTON_LN_RATIO)),
        ("e", "electron", ELECTRON_ENERGY_MEV, (ELECTRON_L, ELECTRON_LN_RATIO)),
    ):
        for solar in ("min", "max"):
            values = ln_flux(particle, solar, energy_mev, axes)
            tables[f"ln_{name}_flux_{solar}"] = packed(values, *LN_FLUX_LIMIT)
    header = {
        "content": "AP8 protons and AE8 electrons, omnidirectional integral flux, cm-2 s-1",
        "proton_energy_mev": PROTON_ENERGY_MEV,
        "electron_energy_mev": ELECTRON_ENERGY_MEV,
        "source": "Sawyer & Vette 1976, NSSDC/WDC-A-R&S 76-06; Vette 1991, NSSDC/WDC-A-R&S 91-24;"
        " fields Jensen & Cain 1962 and GSFC 12/66",
        "tool": f"aep8 {version('aep8')} (IRBEM), numpy {version('numpy')}",
        "command": "python scripts/build_trapped_table.py",
        "date": datetime.now(UTC).date().isoformat(),
        "inverse_l_limit": INVERSE_L_LIMIT,
        "ln_ratio_limit": LN_RATIO_LIMIT,
        "ln_flux_limit": LN_FLUX_LIMIT,
    }
    OUTPUT.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        OUTPUT,
        header=np.array(json.dumps(header)),
        altitude_km=ALTITUDE_KM,
        low_layers=np.array(LOW_ALTITUDE_KM.size),
        latitude_deg=LATITUDE_DEG,
        longitude_deg=LONGITUDE_DEG,
        proton_l=PROTON_L,
        proton_ln_ratio=PROTON_LN_RATIO,
        electron_l=ELECTRON_L,
        electron_ln_ratio=ELECTRON_LN_RATIO,
        **tables,
    )
    print(f"{OUTPUT.name}: {OUTPUT.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
