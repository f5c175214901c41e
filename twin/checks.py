"""Wrong input to the Python API, named before a run begins: which value, whose, what is allowed.

Checked once, when a run starts or elements are made, in whole arrays; never tick by tick. What
comes from scenario files is checked there, with file and line (twin/scenario_load.py).
"""

import math
from dataclasses import fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from twin.constants import EARTH_EQUATOR_RADIUS_M
from twin.errors import OutOfRangeError
from twin.state import Fleet, FleetParams, FloatArray

LONGEST_TICK_S: Final = 600.0  # the heat network is cut into parts of 20 s; orbits turn 40 deg
FARTHEST_ORBIT_M: Final = 1e9  # beyond the Moon: SGP4 has no business there
LARGEST: Final = 1e15  # any number in SI that means something is below it

# Lowest and highest value in SI; what is not here is 0 or more. Wide, as those of presets: they
# stop slips of unit and sign, not opinions.
_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "mass_kg": (1e-3, 1e6),
    "array_health_frac": (0.0, 1.0),
    "array_loss_frac_per_year": (0.0, 1.0),
    "array_temp_coeff_per_k": (-0.02, 0.0),
    "converter_efficiency_frac": (0.1, 1.0),
    "battery_cells_in_series_count": (1.0, 1000.0),
    "battery_charge_limit_c": (0.01, 20.0),
    "battery_discharge_limit_c": (0.01, 20.0),
    "battery_coulombic_frac": (0.5, 1.0),
    "battery_depth_limit_frac": (0.01, 1.0),
    "bus_voltage_v": (5.0, 10_000.0),
    "accel_count": (0, 100_000),
    "eclipse_compute_frac": (0.0, 1.0),
    "training_frac": (0.0, 1.0),
    "checkpoint_interval_s": (1.0, 1e6),
    "radiator_area_m2": (1e-6, 1e8),
    "radiator_emissivity_frac": (0.01, 1.0),
    "radiator_absorptivity_frac": (0.0, 1.0),
    "radiator_sink_k": (3.0, 350.0),
    "accel_throttle_k": (200.0, 600.0),
    "accel_trip_k": (200.0, 600.0),
}


def check_fleet(fleet: Fleet) -> None:
    """Every number of a fleet before its first tick. Raises OutOfRangeError for the first wrong.

    Also for a satellite without any supply in the dark: no battery and no host platform.
    """
    params, ids = fleet.params, fleet.satellite_ids
    if fleet.neighbour_index.shape[:1] != (fleet.count,) or len(params.mass_kg) != fleet.count:
        raise OutOfRangeError("satellites", len(params.mass_kg), f"rows for all {fleet.count}")
    check_params(params, ids)
    _check("report_interval_s", fleet.report_interval_s, 1e-3, 1e6, ids)
    _check("neighbour_index", fleet.neighbour_index, -1, fleet.count - 1, ids)


def check_params(params: FleetParams, ids: tuple[str, ...] = ()) -> None:
    """Every parameter of some satellites or classes. Raises OutOfRangeError for the first wrong."""
    for one in fields(FleetParams):
        value = getattr(params, one.name)
        if value.dtype != np.bool_:
            low, high = _BOUNDS.get(one.name, (0.0, LARGEST))
            _check(one.name, value, low, high, ids)
    unsupplied = (params.battery_capacity_j <= 0.0) & (params.external_power_w <= 0.0)
    if unsupplied.any():
        allowed = "above 0, or external_power_w above 0"
        raise OutOfRangeError("battery_capacity_j", 0.0, allowed, _whose(unsupplied, ids))
    hot = params.accel_trip_k < params.accel_throttle_k
    if hot.any():
        value = float(params.accel_trip_k[hot][0])
        raise OutOfRangeError("accel_trip_k", value, "accel_throttle_k or more", _whose(hot, ids))


def check_step_s(step_s: float) -> None:
    """The length of a tick [s]. Raises OutOfRangeError for 0, less, nan and more than 600."""
    if not 0.0 < step_s <= LONGEST_TICK_S:
        raise OutOfRangeError("step_s", step_s, f"above 0 to {LONGEST_TICK_S:g}")


def check_number(key: str, value: float, low: float, high: float) -> None:
    """One number; nan and infinities are never in range. Raises OutOfRangeError."""
    if not low <= value <= high or not math.isfinite(value):
        raise OutOfRangeError(key, value, f"{low:g} to {high:g}")


def check_orbits(sma_m: FloatArray, ecc_frac: FloatArray, **angles_rad: FloatArray) -> None:
    """Mean elements, (n,) each: finite, bound, and with a perigee above the ground.

    Raises OutOfRangeError for the first wrong.
    """
    for key, value in angles_rad.items():
        _check(key, value, -LARGEST, LARGEST, ())
    _check("ecc_frac", ecc_frac, 0.0, 0.999999, ())
    _check("sma_m", sma_m, EARTH_EQUATOR_RADIUS_M, FARTHEST_ORBIT_M, ())
    _check("perigee_m", sma_m * (1.0 - ecc_frac), EARTH_EQUATOR_RADIUS_M, FARTHEST_ORBIT_M, ())


def _check(key: str, value: NDArray[Any], low: float, high: float, ids: tuple[str, ...]) -> None:
    # nan compares as false: it is outside of every range.
    wrong = ~((value >= low) & (value <= high))
    if wrong.any():
        bad = value[wrong][0].item()
        raise OutOfRangeError(key, bad, f"{low:g} to {high:g}", _whose(wrong, ids))


def _whose(wrong: NDArray[np.bool_], ids: tuple[str, ...]) -> str:
    row = int(np.argwhere(wrong)[0][0])
    return ids[row] if row < len(ids) else f"row {row}"
