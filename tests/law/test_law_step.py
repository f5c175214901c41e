"""Laws of a tick: satellites do not see their neighbours in memory, small ticks agree."""

from dataclasses import fields, replace

import numpy as np
import pytest
from factories import (
    make_environment,
    make_fleet,
    take_environment,
    take_fleet,
    take_state,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.state import Environment, Fleet, FleetState
from twin.step import initial_state, step

SEED = 7


def run(
    fleet: Fleet, sky: list[Environment], step_s: float, state: FleetState | None = None
) -> FleetState:
    state = initial_state(fleet, sky[0], SEED) if state is None else state
    for environment in sky[1:]:
        state = step(state, fleet, environment, step_s, environment.elapsed_s, SEED)
    return state


def skies(count: int, step_s: float, ticks: int, beta_rad: float = 0.3) -> list[Environment]:
    return [make_environment(k * step_s, count, beta_rad=beta_rad) for k in range(ticks + 1)]


def busy_fleet(count: int) -> Fleet:
    """Mixed classes, so many radiation events that every consequence happens within a run."""
    return make_fleet(
        np.arange(count) % 3,
        see_sensitivity_frac=300.0,
        sel_per_accel_year=300.0,
        hard_fail_per_accel_year=300.0,
        burst_period_s=(0.0, 900.0, 0.0),
        burst_on_s=(0.0, 300.0, 0.0),
    )


def assert_same(one: FleetState, other: FleetState) -> None:
    for field in fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        assert left.tobytes() == right.tobytes(), field.name


@settings(max_examples=5, deadline=None)
@given(order=st.permutations(range(23)), cut=st.integers(1, 22))
def test_law_permuting_or_splitting_the_fleet_changes_no_bit(order: list[int], cut: int) -> None:
    fleet, sky = busy_fleet(23), skies(23, 20.0, 25)
    neighbours = np.stack([(np.arange(23) + k) % 23 for k in (1, 22, 2, 21)], axis=1)
    whole = run(replace(fleet, neighbour_index=neighbours), sky, 20.0)
    rows = np.asarray(order, dtype=np.int64)
    moved = take_fleet(replace(fleet, neighbour_index=neighbours), rows)
    permuted = run(moved, [take_environment(e, rows) for e in sky], 20.0)
    assert_same(take_state(whole, fleet, rows), permuted)

    alone = run(fleet, sky, 20.0)
    for part in (rows[:cut], rows[cut:]):
        shard = run(take_fleet(fleet, part), [take_environment(e, part) for e in sky], 20.0)
        assert_same(take_state(alone, fleet, part), shard)


def test_law_the_busy_fleet_meets_every_kind_of_event() -> None:
    # Guards the law above: it would prove little if nothing happened.
    state = run(busy_fleet(23), skies(23, 20.0, 200), 20.0)
    assert np.all(state.see_event_count.sum(axis=0) > 0)
    assert set(np.unique(state.accel_xid)) >= {0, 48, 63, 79, 94}
    assert state.accel_cecc_count.sum() > 0
    assert state.accel_sdc_count.sum() > 0
    assert np.isinf(state.accel_down_s).any()
    assert (state.lost_s > 0.0).any()


def test_law_halving_the_tick_halves_the_error() -> None:
    # Dawn-dusk, where nothing switches: an edge of the shadow moves by up to a tick by itself.
    fleet = make_fleet([0, 1, 2], see_sensitivity_frac=0.0, compute_average_w=(14e3, 1.2e3, 100e3))
    runs = {}
    for step_s in (1.0, 30.0, 60.0):
        ticks = round(1800.0 / step_s)
        runs[step_s] = run(fleet, skies(3, step_s, ticks, beta_rad=1.4), step_s)
    for name in ("node_temp_k", "delivered_s", "accel_energy_j", "dose_rad"):
        error = {s: np.abs(getattr(runs[s], name) - getattr(runs[1.0], name)) for s in (30.0, 60.0)}
        coarse, fine = float(np.max(error[60.0])), float(np.max(error[30.0]))
        assert fine <= 0.6 * coarse + 1e-9, name
    assert np.max(np.abs(runs[60.0].node_temp_k - runs[1.0].node_temp_k)) > 1e-4
    assert np.max(np.abs(runs[30.0].node_temp_k - runs[1.0].node_temp_k)) < 0.5


@settings(max_examples=6, deadline=None)
@given(beta=st.floats(0.0, 1.5), step_s=st.sampled_from([1.0, 7.0, 60.0]))
def test_law_work_and_charge_are_conserved(beta: float, step_s: float) -> None:
    fleet = busy_fleet(9)
    state = initial_state(fleet, make_environment(0.0, 9, beta_rad=beta), SEED)
    for environment in skies(9, step_s, 120, beta)[1:]:
        before = state
        state = step(state, fleet, environment, step_s, environment.elapsed_s, SEED)
        assert np.all((state.soc_frac >= 0.0) & (state.soc_frac <= 1.0))
        assert np.all((state.throttle_frac >= 0.0) & (state.throttle_frac <= 1.0))
        assert np.all((state.utilisation_frac >= 0.0) & (state.utilisation_frac <= 1.0))
        assert np.all(state.see_event_count >= before.see_event_count)
        assert np.all(np.isfinite(state.node_temp_k))
    accounted = state.delivered_s + state.lost_s + state.queue_s + state.refused_s
    assert np.allclose(accounted, state.offered_s, rtol=1e-12, atol=1e-9)
    assert np.all(state.delivered_s >= 0.0)
    assert np.all(state.at_risk_s <= state.delivered_s + 1e-9)


def test_law_accelerator_energy_is_the_payload_less_its_hosts() -> None:
    fleet, sky = make_fleet([0, 1, 2]), skies(3, 1.0, 200, 1.4)
    state, expected = initial_state(fleet, sky[0], SEED), 0.0
    for environment in sky[1:]:
        state = step(state, fleet, environment, 1.0, environment.elapsed_s, SEED)
        expected += float(np.sum(np.maximum(state.compute_power_w - fleet.params.host_power_w, 0)))
    assert state.accel_energy_j.sum() == pytest.approx(expected, rel=1e-9)
    assert expected > 0.0
