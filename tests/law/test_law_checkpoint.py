"""A checkpoint holds everything: what follows it is the same bytes, in any shard and order."""

from dataclasses import fields, replace

import numpy as np
import pytest
from factories import make_environment, make_fleet, take_environment
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.checkpoint import Checkpoint, checkpoint_of, from_bytes, joined, taken, to_bytes
from twin.reports import encode_report, plan_shards
from twin.sensors import Snapshot
from twin.shards import FleetPart, fleet_part, take_fleet
from twin.state import Environment, Fleet, FleetState, IntArray
from twin.step import initial_state, step

SEED, STEP_S, COUNT, TICKS = 7, 20.0, 24, 40


def busy_fleet() -> Fleet:
    """Mixed classes linked in a ring, with so many events that every kind leaves its trace."""
    fleet = make_fleet(
        np.arange(COUNT) // 8,
        see_sensitivity_frac=300.0,
        sel_per_accel_year=300.0,
        hard_fail_per_accel_year=300.0,
    )
    ring = np.stack([(np.arange(COUNT) + k) % COUNT for k in (1, -1, 8, -8)], axis=1)
    # Report intervals that alternate cut the fleet into eight shards of three.
    interval_s = np.where(np.arange(COUNT) // 3 % 2, STEP_S, 2.0 * STEP_S)
    return replace(fleet, neighbour_index=ring, report_interval_s=interval_s)


def sky(tick: int, rows: IntArray) -> Environment:
    return take_environment(make_environment(tick * STEP_S, COUNT), rows)


def advanced(state: FleetState, fleet: Fleet, rows: IntArray, first: int, last: int) -> FleetState:
    for tick in range(first, last):
        state = step(state, fleet, sky(tick, rows), STEP_S, tick * STEP_S, SEED)
    return state


def everyone() -> IntArray:
    return np.arange(COUNT)


def assert_same(one: FleetState, other: FleetState) -> None:
    for field in fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        assert left.dtype == right.dtype, field.name
        assert left.tobytes() == right.tobytes(), field.name


@settings(max_examples=6, deadline=None)
@given(stop=st.integers(1, TICKS - 1), order=st.permutations(range(COUNT)))
def test_law_a_run_from_a_checkpoint_is_the_same_bytes(stop: int, order: list[int]) -> None:
    fleet = busy_fleet()
    half = advanced(initial_state(fleet, sky(0, everyone()), SEED), fleet, everyone(), 1, stop)
    data = to_bytes(checkpoint_of("run", stop, fleet, half))
    rows = np.asarray(order)
    shuffled = take_fleet(fleet, rows)
    restored = from_bytes(data)
    moved = taken(restored, shuffled)
    end = advanced(half, fleet, everyone(), stop, TICKS)
    again = advanced(moved.state, shuffled, rows, restored.tick, TICKS)
    back = taken(checkpoint_of("run", TICKS, shuffled, again), fleet)
    assert_same(back.state, end)
    assert to_bytes(back) == to_bytes(checkpoint_of("run", TICKS, fleet, end))


def frames(part: FleetPart, state: FleetState, tick: int) -> dict[bytes, bytes]:
    """Rows of line protocol by their head: measurement, fleet, plane, satellite, accelerator."""
    seen = Snapshot(part.fleet, state, sky(tick, part.rows), SEED, tick)
    lines: dict[bytes, bytes] = {}
    for shard in part.shards:
        for line in encode_report(shard, seen, tick).splitlines():
            head, _, _ = line.partition(b" ")
            assert head not in lines
            lines[head] = line
    return lines


@pytest.mark.parametrize("count", [1, 2, 8])
def test_law_shards_from_one_checkpoint_report_as_the_whole(count: int) -> None:
    fleet = busy_fleet()
    shards = plan_shards(fleet, STEP_S)
    assert len(shards) >= 8
    whole = fleet_part(fleet, shards, 0, 1)
    state = advanced(initial_state(fleet, sky(0, everyone()), SEED), fleet, everyone(), 1, 10)
    data = to_bytes(checkpoint_of("run", 10, fleet, state))
    expected = frames(whole, advanced(state, fleet, everyone(), 10, TICKS), TICKS - 1)
    told: dict[bytes, bytes] = {}
    ends: list[Checkpoint] = []
    for index in range(count):
        part = fleet_part(fleet, shards, index, count)
        restored = taken(from_bytes(data), part.fleet)
        end = advanced(restored.state, part.fleet, part.rows, 10, TICKS)
        lines = frames(part, end, TICKS - 1)
        assert not told.keys() & lines.keys()
        told |= lines
        own = take_fleet(part.fleet, part.own)
        ends.append(taken(checkpoint_of("run", TICKS, part.fleet, end), own))
    assert told == expected
    whole_again = taken(joined(ends), fleet)
    assert_same(whole_again.state, advanced(state, fleet, everyone(), 10, TICKS))


def test_law_the_run_of_these_tests_meets_events_and_links() -> None:
    # Guards the laws above: without events and links they would prove little.
    fleet = busy_fleet()
    state = advanced(initial_state(fleet, sky(0, everyone()), SEED), fleet, everyone(), 1, TICKS)
    assert state.see_event_count.sum() > 100
    assert np.isfinite(state.link_range_m).any()
    assert state.accel_cecc_count.sum() > 0
