"""Clock control by heat and the battery heater's thermostat."""

import numpy as np
from factories import class_params

from twin import thermal_control

PARAMS = class_params(accel_throttle_k=360.0, accel_trip_k=370.0)


def throttle(frac: float, die_k: float, step_s: float = 1.0) -> float:
    after = thermal_control.next_throttle_frac(np.full(3, frac), np.full(3, die_k), PARAMS, step_s)
    return float(after[0])


def test_clock_falls_above_the_limit_holds_in_the_band_and_climbs_below() -> None:
    assert throttle(1.0, 361.0) == 0.95
    assert throttle(0.21, 361.0) == 0.20
    assert throttle(0.6, 358.0) == 0.6
    assert abs(throttle(0.6, 356.0) - 0.61) < 1e-12
    assert throttle(1.0, 300.0) == 1.0


def test_a_trip_lasts_until_the_die_is_cool() -> None:
    assert throttle(0.8, 370.0) == 0.0
    assert throttle(0.0, 350.0) == 0.0
    assert throttle(0.0, 344.9) > 0.2


def test_heater_switches_with_hysteresis_and_only_with_a_battery() -> None:
    params = class_params(battery_capacity_j=(1e6, 1e6, 0.0))

    def demand(temp_k: float, was_w: float) -> list[bool]:
        heat = thermal_control.heater_demand_w(np.full(3, temp_k), np.full(3, was_w), params)
        return [bool(w > 0.0) for w in heat]

    assert demand(280.0, 0.0) == [True, True, False]
    assert demand(283.0, 0.0) == [False, False, False]
    assert demand(283.0, 90.0) == [True, True, False]
    assert demand(285.0, 90.0) == [False, False, False]
