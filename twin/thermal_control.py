"""What acts on temperatures: the battery's heater and the clocks of hot accelerators."""

from typing import Final

import numpy as np

from twin.state import FleetParams, FloatArray

HEATER_ON_K: Final = 281.15  # 8 C: above the 5 C warning of its channel; assumption
HEATER_OFF_K: Final = 284.15  # 3 K of hysteresis; assumption

# Clock control like accelerator firmware's: ramp down above the limit, hold in the band below
# it, ramp up under the band; a trip stops the chips until they are cool. Rates: assumption.
THROTTLE_BAND_K: Final = 3.0
THROTTLE_DOWN_PER_S: Final = 0.05
THROTTLE_UP_PER_S: Final = 0.01
THROTTLE_FLOOR_FRAC: Final = 0.20
TRIP_RECOVERY_K: Final = 15.0  # below accel_throttle_k


def heater_demand_w(
    battery_temp_k: FloatArray, heater_power_w: FloatArray, params: FleetParams
) -> FloatArray:
    """Battery heater demand [W], (n,): on below 8 C, off above 11 C, otherwise as it was.

    Validity: ticks short against the battery's time constant of hours.
    Source: by definition of a thermostat; thresholds are assumptions, beside them in
    `twin/thermal_control.py`.
    """
    was_on = heater_power_w > 0.0
    on = (battery_temp_k < HEATER_ON_K) | (was_on & (battery_temp_k < HEATER_OFF_K))
    return params.heater_power_w * (on & (params.battery_capacity_j > 0.0))


def next_throttle_frac(
    throttle_frac: FloatArray, die_temp_k: FloatArray, params: FleetParams, step_s: float
) -> FloatArray:
    """Clock fraction that heat allows [0-1], (n,).

    Above accel_throttle_k it falls 5 %/s to 20 %, within 3 K below it holds, under that it
    climbs 1 %/s. At accel_trip_k it is 0 until the die is 15 K below the throttle limit.
    Validity: ticks up to 10 s follow the ramp; longer ones switch between its ends.

    Source: by definition of the control law; rates and bands are assumptions, beside them in
    `twin/thermal_control.py`.
    """
    excess_k = die_temp_k - params.accel_throttle_k
    fallen_frac = np.maximum(throttle_frac - THROTTLE_DOWN_PER_S * step_s, THROTTLE_FLOOR_FRAC)
    risen_frac = np.minimum(
        np.maximum(throttle_frac, THROTTLE_FLOOR_FRAC) + THROTTLE_UP_PER_S * step_s, 1.0
    )
    ramped_frac = np.where(excess_k > 0.0, fallen_frac, throttle_frac)
    ramped_frac = np.where(excess_k < -THROTTLE_BAND_K, risen_frac, ramped_frac)
    tripped = (throttle_frac <= 0.0) & (excess_k > -TRIP_RECOVERY_K)
    return np.asarray(ramped_frac * ~(tripped | (die_temp_k >= params.accel_trip_k)))
