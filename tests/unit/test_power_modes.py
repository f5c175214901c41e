"""The power mode machine and what it lets the payload draw."""

import numpy as np
import pytest
from factories import class_params

from twin import power
from twin.state import FleetParams


def chosen(  # all three classes in the same situation
    params: FleetParams | None = None,
    *,
    mode: int = power.NOMINAL,
    dwell_s: float = 1000.0,
    soc: float = 0.9,
    sunlit: float = 1.0,
    unserved_w: float = 0.0,
) -> int:
    result, _ = power.next_mode(
        mode=np.full(3, mode),
        dwell_s=np.full(3, dwell_s),
        soc_frac=np.full(3, soc),
        sunlit_frac=np.full(3, sunlit),
        unserved_power_w=np.full(3, unserved_w),
        params=params or class_params(),
        step_s=1.0,
    )
    assert np.all(result == result[0])
    return int(result[0])


@pytest.mark.parametrize(
    ("soc", "sunlit", "expected"),
    [
        (0.9, 1.0, power.NOMINAL),
        (0.9, 0.2, power.ECLIPSE),
        (0.34, 1.0, power.LOAD_SHED),
        (0.34, 0.0, power.LOAD_SHED),
        (0.19, 1.0, power.SAFE),
    ],
)
def test_worse_modes_start_at_once(soc: float, sunlit: float, expected: int) -> None:
    assert chosen(soc=soc, sunlit=sunlit, dwell_s=0.0) == expected


def test_unserved_power_means_safe_mode() -> None:
    assert chosen(unserved_w=0.1) == power.SAFE


@pytest.mark.parametrize(
    ("mode", "soc", "dwell_s", "expected"),
    [
        (power.LOAD_SHED, 0.44, 1000.0, power.LOAD_SHED),  # not 10 points above the trigger
        (power.LOAD_SHED, 0.46, 100.0, power.LOAD_SHED),  # not rested
        (power.LOAD_SHED, 0.46, 120.0, power.NOMINAL),
        (power.SAFE, 0.29, 1000.0, power.SAFE),
        (power.SAFE, 0.95, 100.0, power.SAFE),
        (power.SAFE, 0.95, 120.0, power.LOAD_SHED),  # one rung at a time
    ],
)
def test_modes_are_left_with_hysteresis_and_dwell(
    mode: int, soc: float, dwell_s: float, expected: int
) -> None:
    assert chosen(mode=mode, soc=soc, dwell_s=dwell_s) == expected


def test_a_shallow_planned_depth_sheds_earlier() -> None:
    params = class_params(battery_depth_limit_frac=0.3)
    assert chosen(params, soc=0.69) == power.LOAD_SHED
    assert chosen(params, soc=0.71) == power.NOMINAL


def test_a_hosted_payload_has_no_eclipse_mode() -> None:
    assert chosen(class_params(external_power_w=1000.0), sunlit=0.0) == power.NOMINAL


def grant(mode: int, soc: float, available_w: float, demand_w: float = 1e6) -> np.ndarray:
    params = class_params()
    return power.payload_grant_w(
        demand_w=np.full(3, demand_w),
        idle_w=params.host_power_w + params.accel_count * params.accel_idle_w,
        available_w=np.full(3, available_w),
        essential_w=params.bus_power_w,
        mode=np.full(3, mode),
        soc_frac=np.full(3, soc),
        params=params,
    )


def test_each_mode_caps_the_payload() -> None:
    params = class_params()
    assert np.allclose(grant(power.NOMINAL, 1.0, 1e6), params.compute_peak_w)
    planned = params.eclipse_compute_frac * params.compute_average_w
    assert np.allclose(grant(power.ECLIPSE, 1.0, 1e6), planned)
    shed = params.host_power_w + 0.4 * params.accel_count * params.accel_power_limit_w
    assert np.allclose(grant(power.LOAD_SHED, 0.3, 1e6), shed)
    assert np.all(grant(power.SAFE, 0.3, 1e6) == 0.0)


def test_a_part_charged_battery_adds_nothing_in_sunlight_and_keeps_a_share_to_charge() -> None:
    params = class_params()
    full_w = params.compute_peak_w + params.bus_power_w
    short_w = float(full_w[0]) - 2000.0
    assert grant(power.NOMINAL, 0.9, short_w)[0] == pytest.approx(params.compute_peak_w[0])
    assert grant(power.NOMINAL, 0.80, short_w)[0] == pytest.approx(params.compute_peak_w[0] - 2000)
    kept_w = 0.15 * short_w
    less_w = params.compute_peak_w[0] - 2000 - kept_w
    assert grant(power.NOMINAL, 0.45, short_w)[0] == pytest.approx(less_w)


def test_a_grant_below_idle_is_no_grant() -> None:
    params = class_params()
    idle_w = params.host_power_w[0] + params.accel_count[0] * params.accel_idle_w[0]
    assert grant(power.NOMINAL, 0.80, params.bus_power_w[0] + idle_w - 1.0)[0] == 0.0
    assert grant(power.NOMINAL, 0.80, params.bus_power_w[0] + idle_w + 1.0)[0] > idle_w
