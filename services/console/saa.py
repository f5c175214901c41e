"""The South Atlantic Anomaly as a grid of trapped-proton flux at the fleet's own altitude."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from services.console.feed import LiveFleet
from twin.state import FloatArray
from twin.trapped import SAA_FLUX_CM2_S, proton_flux_cm2_s

FluxModel = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
"""Trapped-proton flux [1/cm2/s] from latitude [rad], longitude [rad] and altitude [m]."""

GRID_STEP_DEG = 2.0
ALTITUDE_STEP_KM = 50.0
USUAL_ALTITUDE_KM = 550.0
CONTOURS_PER_THRESHOLD = (0.1, 1.0, 10.0)
"""Contours drawn, as multiples of the flux that counts as being inside the anomaly."""


def fleet_altitude_km(live: LiveFleet) -> float:
    """Median altitude, rounded so that the map is not computed again for every report."""
    altitude_km = live.values[:, live.channels.index("orb_alt_km")]
    known = altitude_km[np.isfinite(altitude_km)]
    median_km = float(np.median(known)) if known.size else USUAL_ALTITUDE_KM
    return round(median_km / ALTITUDE_STEP_KM) * ALTITUDE_STEP_KM


class AnomalyMap:
    """Grids of flux by altitude, computed once each."""

    def __init__(
        self, flux: FluxModel = proton_flux_cm2_s, threshold_cm2_s: float = SAA_FLUX_CM2_S
    ) -> None:
        self._grid = lru_cache(maxsize=16)(
            lambda altitude_km: _grid(flux, altitude_km, threshold_cm2_s)
        )

    def at(self, altitude_km: float) -> dict[str, Any]:
        """Flux over the Earth, rows from the north; `levels` are what to draw as contours."""
        return self._grid(altitude_km)


def _grid(flux: FluxModel, altitude_km: float, threshold_cm2_s: float) -> dict[str, Any]:
    # the seam lies at 135 E, far from the anomaly, so that no contour is cut in two
    longitude_deg = np.arange(-225.0, 135.0 + GRID_STEP_DEG / 2, GRID_STEP_DEG)
    latitude_deg = np.arange(90.0, -90.0 - GRID_STEP_DEG / 2, -GRID_STEP_DEG)
    lon_deg, lat_deg = np.meshgrid(longitude_deg, latitude_deg)
    wrapped_rad = np.radians((lon_deg + 180.0) % 360.0 - 180.0).ravel()
    altitude_m = np.full(wrapped_rad.shape, altitude_km * 1000.0)
    values = flux(np.radians(lat_deg).ravel(), wrapped_rad, altitude_m)
    peak = float(values.max())
    levels = [threshold_cm2_s * share for share in CONTOURS_PER_THRESHOLD]
    return {
        "altitude_km": altitude_km,
        "unit": "1/cm2/s",
        "longitude_deg": [float(longitude_deg[0]), GRID_STEP_DEG, longitude_deg.size],
        "latitude_deg": [float(latitude_deg[0]), -GRID_STEP_DEG, latitude_deg.size],
        "peak": _three_digits(peak),
        "threshold": _three_digits(threshold_cm2_s),
        "levels": [_three_digits(level) for level in levels if level < peak],
        "flux": [_three_digits(value) for value in values.tolist()],
    }


def _three_digits(value: float) -> float:
    if value <= 0.0 or not math.isfinite(value):
        return 0.0
    return round(value, 2 - math.floor(math.log10(value)))
