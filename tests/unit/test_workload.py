"""Offered work, bursts and service."""

from dataclasses import replace

import numpy as np
import pytest
from factories import class_params, make_environment, make_fleet

from twin import workload
from twin.state import FleetState
from twin.step import initial_state


def state_of(count: int = 3) -> FleetState:
    return initial_state(make_fleet(np.arange(count) % 3), make_environment(0.0, count), 1)


def test_diurnal_demand_has_mean_one_and_peaks_in_the_afternoon() -> None:
    hours = np.arange(0.0, 24.0, 0.25)
    curve = workload.diurnal_frac(hours)
    assert curve.mean() == pytest.approx(1.0, abs=1e-12)
    assert hours[np.argmax(curve)] == 15.0
    assert curve.max() / curve.min() == pytest.approx(1.4 / 0.6)


def test_planned_utilisation_gives_the_planned_average_power() -> None:
    params = class_params(compute_average_w=(12e3, 1e3, 90e3))
    idle_w = params.host_power_w + params.accel_count * params.accel_idle_w
    power_w = idle_w + workload.planned_frac(params) * (params.compute_peak_w - idle_w)
    assert np.allclose(power_w, params.compute_average_w)


def test_bursts_run_their_share_of_the_period_and_draw_nothing_between() -> None:
    params = class_params(burst_period_s=3600.0, burst_on_s=900.0)
    phase = np.array([0.0, 0.25, 0.9])
    on = np.array([workload.burst_is_on(float(t), phase, params) for t in range(0, 7200, 10)])
    assert np.allclose(on.mean(axis=0), 0.25)
    fleet = replace(make_fleet([0, 1, 2]), params=params)
    demand = workload.work_demand(
        state_of(),
        make_environment(1000.0, 3),
        params,
        up_count=fleet.params.accel_count,
        phase_frac=np.zeros(3),
        step_s=1.0,
    )
    assert np.all(demand.power_w == 0.0)
    assert np.all(demand.rate_frac == 0.0)
    assert np.all(demand.arrival_frac > 0.0)


def test_lost_accelerators_and_heat_bound_the_rate() -> None:
    params = class_params(compute_average_w=class_params().compute_peak_w)
    state = replace(state_of(), throttle_frac=np.array([0.5, 1.0, 1.0]), queue_s=np.full(3, 100.0))
    demand = workload.work_demand(
        state,
        make_environment(0.0, 3),
        params,
        up_count=np.array([64, 1, 36]),
        phase_frac=np.zeros(3),
        step_s=1.0,
    )
    assert np.allclose(demand.rate_frac, 0.5)
    done = workload.work_done(state, demand, demand.power_w, params, 1.0)
    assert np.allclose(done.utilisation_frac, 0.5)
    idle = workload.work_done(state, demand, np.zeros(3), params, 1.0)
    assert np.all(idle.utilisation_frac == 0.0)
    assert np.all(idle.queue_s > 100.0)


def test_checkpoints_end_the_risk() -> None:
    params = class_params(training_frac=1.0, checkpoint_interval_s=100.0)
    state = replace(state_of(), checkpoint_age_s=np.full(3, 98.0), at_risk_s=np.full(3, 50.0))
    demand = workload.WorkDemand(np.ones(3), np.ones(3), params.compute_peak_w, np.zeros(3))
    aged = workload.work_done(state, demand, params.compute_peak_w, params, 1.0)
    assert np.all(aged.checkpoint_age_s == 99.0)
    assert np.all(aged.at_risk_s == 51.0)
    saved = workload.work_done(state, demand, params.compute_peak_w, params, 2.0)
    assert np.all(saved.checkpoint_age_s == 0.0)
    assert np.all(saved.at_risk_s == 0.0)


def test_goodput_before_any_work_is_one() -> None:
    assert workload.goodput_frac(np.zeros(1), np.zeros(1))[0] == 1.0
    assert workload.goodput_frac(np.array([9.0]), np.array([10.0]))[0] == pytest.approx(0.9)
