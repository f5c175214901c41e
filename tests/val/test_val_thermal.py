"""The heat network against a general ODE solver, closed forms and published radiator figures."""

from dataclasses import replace

import numpy as np
import pytest
from factories import class_params, make_environment
from scipy.integrate import solve_ivp

from twin import thermal
from twin.constants import STEFAN_BOLTZMANN_W_M2_K4 as SIGMA
from twin.initial import initial_temp_k
from twin.state import Environment, FleetParams, FloatArray

DIE, PLATE, LOOP, RADIATOR, BATTERY, BUS, ARRAY = range(7)


def sky(
    elapsed_s: float = 0.0, *, sunlit: float = 1.0, infrared_w_m2: float | None = None
) -> Environment:
    """Three satellites at the same place; light and infrared as asked."""
    base = make_environment(elapsed_s, 3, beta_rad=0.4, phase_rad=np.full(3, 0.6))
    infrared = base.earth_ir_flux_w_m2 if infrared_w_m2 is None else np.full(3, infrared_w_m2)
    return replace(
        base,
        solar_flux_w_m2=np.full(3, 1361.0 * sunlit),
        albedo_flux_w_m2=base.albedo_flux_w_m2 * sunlit,
        earth_ir_flux_w_m2=infrared,
    )


def loads(params: FleetParams, payload_frac: float, lit: float) -> thermal.HeatLoads:
    accel_w = params.accel_count * params.accel_power_limit_w * payload_frac
    return thermal.HeatLoads(
        die_w=accel_w,
        plate_w=params.host_power_w * payload_frac,
        battery_w=0.01 * params.bus_power_w,
        bus_w=params.bus_power_w,
        converter_w=0.2 * params.bus_power_w,
        array_electrical_w=0.8 * params.array_power_w * lit,
    )


def reference_temp_k(
    temp_k: FloatArray,
    heat: thermal.HeatLoads,
    environment: Environment,
    params: FleetParams,
    duration_s: float,
) -> FloatArray:
    rows = [
        reference_row_k(row, temp_k[row], heat, environment, params, duration_s) for row in range(3)
    ]
    return np.array(rows)


def reference_row_k(
    row: int,
    temp_k: FloatArray,
    heat: thermal.HeatLoads,
    environment: Environment,
    params: FleetParams,
    duration_s: float,
) -> FloatArray:
    """The equations written out once more, solved by an adaptive method."""
    p = {name: getattr(params, name)[row] for name in vars(params)}
    q = [float(load[row]) for load in heat]
    body_m2 = float(thermal.bus_body_area_m2(params)[row])
    cosine = abs(float(environment.position_teme_m[row] @ environment.sun_unit))
    cosine /= float(np.linalg.norm(environment.position_teme_m[row]))
    sun = float(environment.solar_flux_w_m2[row])
    infrared = float(environment.earth_ir_flux_w_m2[row])
    albedo = float(environment.albedo_flux_w_m2[row])
    view = min(SIGMA * p["radiator_sink_k"] ** 4 / (237.0 * 0.835), 1.0)
    radiator_w = p["radiator_area_m2"] * (
        p["radiator_emissivity_frac"] * view * infrared
        + p["radiator_absorptivity_frac"] * (view * albedo + 0.5 * 0.0349 * sun)
    )
    both = 0.61 + 0.39 * cosine
    array_w = 0.9 * (sun * 0.99939 + both * albedo) + 0.85 * both * infrared
    body_w = body_m2 * 0.31 * (0.85 * infrared + 0.15 * albedo)
    emitting_m2 = np.array(
        [
            p["radiator_area_m2"] * p["radiator_emissivity_frac"],
            0.85 * body_m2,
            1.7 * p["array_area_m2"],
        ]
    )

    def slope(_: float, t: FloatArray) -> FloatArray:
        die_plate = p["die_plate_w_k"] * (t[DIE] - t[PLATE])
        plate_loop = p["plate_loop_w_k"] * (t[PLATE] - t[LOOP])
        loop_rad = p["loop_radiator_w_k"] * (t[LOOP] - t[RADIATOR])
        batt_bus = p["battery_bus_w_k"] * (t[BATTERY] - t[BUS])
        bus_rad = p["bus_radiator_w_k"] * (t[BUS] - t[RADIATOR])
        out = SIGMA * emitting_m2 * t[[RADIATOR, BUS, ARRAY]] ** 4
        watts = [
            q[0] - die_plate,
            q[1] + die_plate - plate_loop,
            plate_loop - loop_rad,
            radiator_w + 0.9 * q[3] + loop_rad + bus_rad - out[0],
            q[2] - batt_bus,
            0.1 * q[3] + q[4] + batt_bus - bus_rad + body_w - out[1],
            array_w * p["array_area_m2"] - q[5] - out[2],
        ]
        return np.array(watts) / np.asarray(p["heat_capacity_j_k"])

    solved = solve_ivp(slope, (0.0, duration_s), temp_k, method="LSODA", rtol=1e-10, atol=1e-8)
    assert solved.success
    return np.asarray(solved.y[:, -1])


@pytest.mark.parametrize(("step_s", "tolerance_k"), [(1.0, 0.02), (10.0, 0.1), (60.0, 0.5)])
def test_val_network_follows_an_adaptive_solver(step_s: float, tolerance_k: float) -> None:
    # Full load in sunlight for 20 min, then idle in shadow for 20 min: the hardest real step.
    params = class_params()
    temp = initial_temp_k(params, sky())
    truth = temp.copy()
    worst = 0.0
    for payload, lit in ((1.0, 1.0), (0.0, 0.0), (0.6, 1.0)):
        heat, environment = loads(params, payload, lit), sky(sunlit=lit)
        for _ in range(20):
            for _ in range(round(60.0 / step_s)):
                tick = thermal.advance_temperatures(temp, heat, environment, params, step_s)
                temp = tick.node_temp_k
            truth = reference_temp_k(truth, heat, environment, params, 60.0)
            worst = max(worst, float(np.max(np.abs(temp - truth))))
    assert worst < tolerance_k
    assert worst > 1e-7  # the reference is not our own code


@pytest.mark.parametrize(("power_w", "expected_k"), [(120e3, 337.10), (150e3, 353.16)])
def test_val_rack_satellite_radiator_reaches_the_published_temperature(
    power_w: float, expected_k: float
) -> None:
    # 220 m2 emitting, emissivity 0.91, sink 220 K (doi:10.5281/zenodo.20670771).
    params = class_params(
        radiator_area_m2=220.0,
        radiator_emissivity_frac=0.91,
        radiator_sink_k=220.0,
        bus_radiator_w_k=0.0,
        bus_power_w=0.0,
        compute_average_w=power_w,
    )
    environment = sky(sunlit=0.0, infrared_w_m2=237.0 * 0.835)
    heat = thermal.HeatLoads(np.full(3, power_w), *(np.zeros(3),) * 5)
    temp = np.full((3, 7), 300.0)
    for _ in range(4000):
        temp = thermal.advance_temperatures(temp, heat, environment, params, 60.0).node_temp_k
    assert np.allclose(temp[:, RADIATOR], expected_k, atol=0.01)
    assert np.allclose(thermal.radiator_design_k(params), expected_k, atol=0.01)
    drop_k = power_w / params.loop_radiator_w_k
    assert np.allclose(temp[:, LOOP] - temp[:, RADIATOR], drop_k, rtol=1e-6)


def test_val_a_hosted_payload_is_cooled_to_the_hosts_loop() -> None:
    params = class_params(external_power_w=1000.0, radiator_sink_k=290.0)
    expected_w = params.radiator_emissivity_frac * params.radiator_area_m2 * SIGMA * 290.0**4
    for environment in (sky(), sky(sunlit=0.0, infrared_w_m2=0.0)):
        assert np.allclose(thermal.radiator_absorbed_w(environment, params), expected_w)


def test_val_unloaded_array_in_sunlight_is_near_the_analytic_336_kelvin() -> None:
    # alpha 0.9, eps 0.85 both faces, no Earth: T^4 = 0.9 S / (1.7 sigma).
    params = class_params()
    environment = replace(
        sky(infrared_w_m2=0.0), albedo_flux_w_m2=np.zeros(3), solar_flux_w_m2=np.full(3, 1361.0)
    )
    heat = thermal.HeatLoads(*(np.zeros(3),) * 6)
    temp = np.full((3, 7), 300.0)
    for _ in range(200):
        temp = thermal.advance_temperatures(temp, heat, environment, params, 60.0).node_temp_k
    assert np.allclose(temp[:, ARRAY], 336.0, atol=0.6)
