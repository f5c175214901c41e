"""Build twin/data/trapped_protons.npz: NASA AP8 trapped protons as two look-up tables.

Run off-line, only when the table must change:  python scripts/build_trapped_table.py
Needs the development dependency aep8 (IRBEM). About two minutes on one core.

Two steps, because flux itself falls by decades between grid points while the magnetic
coordinates are smooth: (altitude, latitude, longitude) -> (1/L, ln B/B0), then
(L, ln B/B0) -> omnidirectional integral proton flux above 50 MeV.
Both AP8 and its internal field (Jensen & Cain, epoch 1960, for solar minimum) are static, so
the table does not depend on time; the drift of the South Atlantic Anomaly since then is
applied when the table is read.
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

OUTPUT = Path(__file__).parents[1] / "twin" / "data" / "trapped_protons.npz"
ENERGY_MEV = 50.0
ALTITUDE_KM = np.arange(150.0, 2000.1, 50.0)
LATITUDE_DEG = np.arange(-90.0, 90.1, 2.0)
LONGITUDE_DEG = np.arange(-180.0, 180.1, 2.0)
MCILWAIN_L = np.arange(1.0, 3.3001, 0.005)
LN_FIELD_RATIO = np.arange(-0.01, 2.6001, 0.005)
INVERSE_L_LIMIT = 1.25
LN_FIELD_RATIO_LIMIT = (-0.1, 6.0)


def quantised(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint16]:
    """Values clipped to [low, high] on 65,536 levels."""
    return np.rint((np.clip(values, low, high) - low) / (high - low) * 65535.0).astype(np.uint16)


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
        ln_ratio[i] = np.where(good, np.log(np.where(good, ratio, 1.0)), LN_FIELD_RATIO_LIMIT[1])
        print(f"{altitude_km:6.0f} km", file=sys.stderr)
    return inverse_l, ln_ratio


def flux_by_coordinates(model: aep8.Model) -> NDArray[np.float32]:
    """Flux above ENERGY_MEV, cm-2 s-1, over (L, ln B/B0)."""
    shell, ln_ratio = np.meshgrid(MCILWAIN_L, LN_FIELD_RATIO, indexing="ij")
    flux = model.integral_flux_for_geomagnetic_coordinates(
        shell, np.exp(ln_ratio), ENERGY_MEV * u.MeV
    ).value
    # AP8 leaves a step of 1 cm-2 s-1 at its edge (log10 flux below 0 counts as nothing).
    return np.nan_to_num(flux, nan=0.0, posinf=0.0, neginf=0.0).clip(0.0).astype(np.float32)


def main() -> None:
    model = aep8.model(particle="p", solar="min")
    inverse_l, ln_ratio = magnetic_coordinates(model)
    header = {
        "content": "AP8MIN trapped protons, omnidirectional integral flux, cm-2 s-1",
        "energy_mev": ENERGY_MEV,
        "source": "Sawyer & Vette 1976, NSSDC/WDC-A-R&S 76-06; field Jensen & Cain 1962",
        "tool": f"aep8 {version('aep8')} (IRBEM), numpy {version('numpy')}",
        "command": "python scripts/build_trapped_table.py",
        "date": datetime.now(UTC).date().isoformat(),
        "inverse_l_limit": INVERSE_L_LIMIT,
        "ln_field_ratio_limit": LN_FIELD_RATIO_LIMIT,
    }
    OUTPUT.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        OUTPUT,
        header=np.array(json.dumps(header)),
        altitude_km=ALTITUDE_KM,
        latitude_deg=LATITUDE_DEG,
        longitude_deg=LONGITUDE_DEG,
        mcilwain_l=MCILWAIN_L,
        ln_field_ratio=LN_FIELD_RATIO,
        inverse_l_level=quantised(inverse_l, 0.0, INVERSE_L_LIMIT),
        ln_field_ratio_level=quantised(ln_ratio, *LN_FIELD_RATIO_LIMIT),
        flux_cm2_s=flux_by_coordinates(model),
    )
    print(f"{OUTPUT.name}: {OUTPUT.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
