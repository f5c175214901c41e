"""Tenants and jobs: what is billed adds up, members step together, losses are whose they are."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from factories import make_environment, make_fleet, take_environment, take_fleet, take_state
from hypothesis import given, settings
from hypothesis import strategies as st

from twin import jobs
from twin.power import LOAD_SHED, NOMINAL
from twin.reports import plan_shards
from twin.sensors import Snapshot, bus_telemetry
from twin.shards import fleet_part
from twin.state import Environment, Fleet, FleetState
from twin.step import initial_state, step
from twin.tenants import Tenant, TenantPlan, group_numbers
from twin.training_groups import exchange_s

SEED = 3
PLANE = 6
ALTITUDE_M = 8000e3


def shared_fleet(
    tenants: list[tuple[Tenant, float]], planes: int = 2, kind: int = 0, **changed: Any
) -> Fleet:
    """Planes of six in rings, every satellite shared alike."""
    count = planes * PLANE
    rows = np.arange(count)
    base = rows // PLANE * PLANE
    links = np.full((count, 4), -1, dtype=np.int64)
    links[:, 0], links[:, 1] = base + (rows - 1) % PLANE, base + (rows + 1) % PLANE
    changed = {"see_sensitivity_frac": 0.0, "hard_fail_per_accel_year": 0.0} | changed
    changed = {"sel_per_accel_year": 0.0, "link_range_limit_m": 2e7} | changed
    fleet = make_fleet(np.full(count, kind), **changed)
    names = tuple(f"p{row // PLANE}" for row in rows)
    plan = TenantPlan(tuple(one for one, _ in tenants))
    share = np.tile(np.array([part for _, part in tenants]), (count, 1))
    groups = group_numbers(plan.tenants, names, ["c"] * count)
    return replace(
        fleet,
        planes=names,
        neighbour_index=links,
        tenants=plan,
        tenant_share_frac=share / share.sum(axis=1, keepdims=True),
        tenant_group_index=groups,
    )


def sky(fleet: Fleet, second: float) -> Environment:
    # A high dawn-dusk orbit: always lit, the six of a plane evenly round it, all links in sight.
    rows = np.arange(fleet.count)
    phase = rows % PLANE * (2.0 * np.pi / PLANE) + rows // PLANE * 0.1
    return make_environment(
        second, fleet.count, beta_rad=1.5, altitude_m=ALTITUDE_M, phase_rad=phase
    )


def run(
    fleet: Fleet, ticks: int, step_s: float = 10.0, state: FleetState | None = None, start: int = 0
) -> FleetState:
    state = initial_state(fleet, sky(fleet, 0.0), SEED) if state is None else state
    for k in range(start + 1, start + ticks + 1):
        state = step(state, fleet, sky(fleet, k * step_s), step_s, k * step_s, SEED)
    return state


TRAIN = Tenant("train", priority=2, kind="training", checkpoint_interval_s=600.0, restart_s=120.0)
SERVE = Tenant("serve", priority=3)
IMAGES = Tenant("images", priority=1, product="image")
BATCH = Tenant("batch", kind="batch")
ALL = [(TRAIN, 40.0), (SERVE, 30.0), (IMAGES, 20.0), (BATCH, 10.0)]


@settings(max_examples=6, deadline=None)
@given(step_s=st.sampled_from([1.0, 10.0, 60.0]), events=st.sampled_from([0.0, 300.0]))
def test_law_tenants_sum_to_the_fleet_and_their_work_is_conserved(
    step_s: float, events: float
) -> None:
    fleet = shared_fleet(ALL, see_sensitivity_frac=events)
    state = initial_state(fleet, sky(fleet, 0.0), SEED)
    compute_j, accel_s = 0.0, 0.0
    for k in range(1, 60):
        state = step(state, fleet, sky(fleet, k * step_s), step_s, k * step_s, SEED)
        compute_j += float(state.compute_power_w.sum()) * step_s
        accel_s += float(state.utilisation_frac @ fleet.params.accel_count) * step_s
        assert np.all(state.tenant_rate_frac >= 0.0)
        assert np.all(state.utilisation_frac <= 1.0 + 1e-12)
    assert state.tenant_energy_j.sum() == pytest.approx(compute_j, rel=1e-12)
    assert state.tenant_accel_s.sum() == pytest.approx(accel_s, rel=1e-12)
    assert compute_j > 0.0
    parts = (
        state.tenant_delivered_s
        + state.tenant_lost_s
        + state.tenant_queue_s
        + state.tenant_refused_s
    )
    assert np.allclose(parts, state.tenant_offered_s, rtol=1e-9, atol=1e-6)
    for name in ("queue_s", "offered_s", "delivered_s", "lost_s", "refused_s"):
        total = getattr(state, f"tenant_{name}").sum(axis=1)
        assert np.allclose(getattr(state, name), total, atol=1e-9), name


def test_law_one_lost_member_stops_its_plane_and_costs_the_work_since_the_checkpoint() -> None:
    fleet = shared_fleet(ALL)
    state = run(fleet, 50)  # 500 s: before the first checkpoint at 600 s
    at_risk = state.tenant_at_risk_s[:, 0].copy()
    assert np.all(at_risk > 0.0)
    assert np.all(state.tenant_at_risk_s[:, 1:] == 0.0)
    down = np.zeros(fleet.count)
    down[2] = 60.0
    hit = run(fleet, 1, state=replace(state, host_down_s=down), start=50)
    plane = np.arange(fleet.count) < PLANE
    assert np.allclose(hit.tenant_lost_s[plane, 0], at_risk[plane])
    assert np.all(hit.tenant_rate_frac[plane, 0] == 0.0)
    assert np.all(hit.tenant_lost_s[~plane] == 0.0)
    assert np.all(hit.tenant_rate_frac[~plane, 0] > 0.0)
    # Inference of the same satellites loses nothing: the lost one's requests go to its neighbours.
    assert np.all(hit.tenant_lost_s[:, 1:] == 0.0)
    rates = hit.tenant_rate_frac[:, 1]
    assert rates[2] == 0.0
    assert rates[1] > 1.2 * rates[4]
    assert rates[3] > 1.2 * rates[4]
    # Training comes back when the host is up and the checkpoint is read: 60 s and 120 s.
    later = run(fleet, 15, state=hit, start=51)
    assert np.all(later.tenant_rate_frac[plane, 0] == 0.0)
    assert np.all(run(fleet, 5, state=later, start=66).tenant_rate_frac[plane, 0] > 0.0)


def test_law_after_a_checkpoint_little_is_at_risk() -> None:
    fleet = shared_fleet(ALL)
    state = run(fleet, 61)
    assert np.all(state.tenant_at_risk_s[:, 0] <= 10.0)
    assert np.all(state.tenant_delivered_s[:, 0] > 50.0)


def test_law_a_cut_link_to_a_member_stops_the_job() -> None:
    fleet = shared_fleet([(TRAIN, 1.0)])
    state = run(fleet, 20)
    range_m = state.link_range_m.copy()
    range_m[2, :] = np.nan  # both of its terminals
    range_m[1, 1], range_m[3, 0] = np.nan, np.nan
    hit = run(fleet, 1, state=replace(state, link_range_m=range_m), start=20)
    assert np.all(hit.tenant_rate_frac[:PLANE, 0] == 0.0)
    assert np.all(hit.tenant_rate_frac[PLANE:, 0] > 0.0)
    one_link = state.link_range_m.copy()
    one_link[2, 1], one_link[3, 0] = np.nan, np.nan  # the ring is a chain now: still whole
    chain = run(fleet, 1, state=replace(state, link_range_m=one_link), start=20)
    assert np.all(chain.tenant_rate_frac[:PLANE, 0] > 0.0)


def test_val_the_exchange_is_the_ring_all_reduce() -> None:
    # 8 members, 16 GB, 9.6 and 0.1 Tbit/s, no distance: 2 * 7/8 * 128 Gbit / R, 14 turns.
    for rate, data_s in ((9.6e12, 0.02333), (0.1e12, 2.24)):
        found = exchange_s(np.array(8.0), 16e9, np.array(rate), np.array(0.0))
        assert float(found) == pytest.approx(data_s + 14 * 2e-4, rel=1e-3)
    assert float(exchange_s(np.array(1.0), 16e9, np.array(0.0), np.array(0.0))) == 0.0


def test_val_training_slows_when_the_links_fall_from_9600_to_100_gbit() -> None:
    rates = {}
    for rate in (9.6e12, 0.1e12):
        fleet = shared_fleet(
            [(replace(TRAIN, step_compute_s=2.0), 1.0)],
            link_rate_bit_s=rate,
            compute_average_w=17e3,  # planned at full load: the links decide
        )
        rates[rate] = run(fleet, 20).tenant_rate_frac[0, 0]
    # Six members sixty degrees apart: the chord is the radius, the exchange ten turns round.
    turns_s = 10.0 * ((6_371_008.8 + ALTITUDE_M) / 299_792_458.0 + 2e-4)
    for rate, found in rates.items():
        extra_s = 2.0 * 5.0 / 6.0 * 128e9 / rate + turns_s
        assert found == pytest.approx(2.0 / (2.0 + extra_s), rel=1e-6)
    assert rates[0.1e12] < 0.6 * rates[9.6e12]


def test_law_the_lowest_priority_stops_first_when_power_is_short() -> None:
    fleet = shared_fleet(ALL, compute_average_w=17e3)
    full = run(fleet, 30)
    # With half the payload's power the batch stops, then the images, then training.
    idle_w = fleet.params.host_power_w + fleet.params.accel_count * fleet.params.accel_idle_w
    granted = np.minimum(full.compute_power_w, idle_w + 0.5 * (17e3 - idle_w))
    assert np.all(granted < full.compute_power_w)
    base, wish = _demand(full, fleet)
    done = jobs.tenant_done(full, base, wish, fleet, compute_power_w=granted, step_s=10.0)
    less = done["tenant_rate_frac"] / np.maximum(_rates(full, fleet), 1e-12)
    serve, train, images, batch = less[:, 1], less[:, 0], less[:, 2], less[:, 3]
    assert serve == pytest.approx(1.0)
    # Nothing of a lower tenant runs where a higher one of its own satellite is held back.
    assert np.all((batch == 0.0) | (images >= 1.0 - 1e-9))
    assert images.mean() > batch.mean()
    assert np.all(train < 1.0)  # and in lockstep: as slow everywhere as where power is shortest
    assert np.ptp(train[:PLANE]) < 1e-9
    assert (batch == 0.0).sum() >= fleet.count / 2


def _demand(state: FleetState, fleet: Fleet) -> tuple[Any, Any]:
    from twin.workload import work_demand

    common = {"up_count": fleet.params.accel_count, "step_s": 10.0}
    base = work_demand(
        state, sky(fleet, 310.0), fleet.params, phase_frac=np.zeros(fleet.count), **common
    )
    none = np.zeros(fleet.count, dtype=np.bool_)
    return jobs.tenant_demand(state, base, fleet, sky(fleet, 310.0), killed=none, **common)


def _rates(state: FleetState, fleet: Fleet) -> Any:
    base, wish = _demand(state, fleet)
    full_w = np.full(fleet.count, 17e3)
    done = jobs.tenant_done(state, base, wish, fleet, compute_power_w=full_w, step_s=10.0)
    return done["tenant_rate_frac"]


def test_law_batch_pauses_in_load_shed() -> None:
    fleet = shared_fleet([(BATCH, 1.0)])
    state = run(fleet, 5)
    base, _ = _demand(replace(state, mode=np.full(fleet.count, LOAD_SHED)), fleet)
    assert np.all(base.rate_frac == 0.0)
    base, _ = _demand(replace(state, mode=np.full(fleet.count, NOMINAL)), fleet)
    assert np.all(base.rate_frac > 0.0)


def test_law_upsets_retry_inference_and_restart_training() -> None:
    fleet = shared_fleet(ALL)
    state = run(fleet, 50)
    killed = replace(state, job_kill_count=state.job_kill_count)
    base, wish = _demand(killed, fleet)
    hit = np.zeros(fleet.count, dtype=np.bool_)
    hit[0] = True
    _, after = jobs.tenant_demand(
        state,
        base,
        fleet,
        sky(fleet, 510.0),
        killed=hit,
        up_count=fleet.params.accel_count,
        step_s=10.0,
    )
    again = after.queue_s[0, 1] - wish.queue_s[0, 1]
    assert again == pytest.approx(jobs.IN_FLIGHT_S * state.tenant_rate_frac[0, 1])
    assert np.all(after.lost_s[:PLANE, 0] == state.tenant_at_risk_s[:PLANE, 0])
    assert np.all(after.lost_s[:, 1:] == 0.0)


def test_law_images_and_tokens_are_told_apart() -> None:
    only_images = shared_fleet([(IMAGES, 1.0)])
    state = run(only_images, 5)
    images = jobs.images_per_s(only_images, state)
    tokens = state.utilisation_frac * 64 * 1500.0
    assert np.allclose(images * jobs.TOKENS_PER_IMAGE, tokens)
    assert np.all(jobs.text_frac(only_images, state) == 0.0)
    seen = Snapshot(only_images, state, sky(only_images, 50.0), SEED, 5)
    floats, _ = bus_telemetry(np.arange(only_images.count), seen, 0)
    assert np.isfinite(floats).any()
    plain = make_fleet([0])
    assert np.all(jobs.images_per_s(plain, run(plain, 1)) == 0.0)


def test_law_parts_that_hold_whole_groups_and_other_orders_change_no_bit() -> None:
    fleet = shared_fleet(ALL, planes=3, see_sensitivity_frac=300.0)
    state = initial_state(fleet, sky(fleet, 0.0), SEED)
    order = np.random.default_rng(1).permutation(fleet.count)
    moved_fleet = take_fleet(fleet, order)
    moved = initial_state(moved_fleet, take_environment(sky(fleet, 0.0), order), SEED)
    shards = plan_shards(replace(fleet, report_interval_s=np.repeat([1.0, 2.0, 3.0], PLANE)), 1.0)
    part = fleet_part(fleet, shards, 1, 3)
    assert part.rows.size == PLANE  # the plane of the shard, whole
    alone = initial_state(part.fleet, take_environment(sky(fleet, 0.0), part.rows), SEED)
    for k in range(1, 80):
        here = sky(fleet, 20.0 * k)
        state = step(state, fleet, here, 20.0, 20.0 * k, SEED)
        there, mine = take_environment(here, order), take_environment(here, part.rows)
        moved = step(moved, moved_fleet, there, 20.0, 20.0 * k, SEED)
        alone = step(alone, part.fleet, mine, 20.0, 20.0 * k, SEED)
    assert state.tenant_lost_s.sum() > 0.0
    for other, rows in ((moved, order), (alone, part.rows)):
        expected = take_state(state, fleet, rows)
        for name in ("tenant_delivered_s", "tenant_lost_s", "tenant_energy_j", "node_temp_k"):
            assert getattr(expected, name).tobytes() == getattr(other, name).tobytes(), name
