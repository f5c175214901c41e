"""Laws under every fault of the catalogue, and what each of them must do.

One fleet carries all: a chain of three satellites for each kind, the first two with the fault.
"""

from dataclasses import fields, replace
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from factories import make_environment, make_fleet, take_environment
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.battery import stored_j
from twin.channels import BUS_CHANNELS
from twin.checkpoint import state_rows
from twin.fault_effects import FaultEffects
from twin.fault_kinds import FaultKind, fault_kinds
from twin.faults import FaultPlan, plan_faults, planned
from twin.reports import encode_report, plan_shards, reporting
from twin.sensors import Snapshot, bus_telemetry, snapshot
from twin.shards import take_fleet
from twin.state import Environment, Fleet, FleetState, FloatArray, IntArray
from twin.step import initial_state, step

SEED, STEP_S, CHAIN = 7, 20.0, 3
KINDS = tuple(fault_kinds().values())
COUNT = CHAIN * len(KINDS)
ONSET_S, END_S, RUN_S = 600.0, 6600.0, 8400.0
LATE = {"N3"}  # on the whole ground, so it has a run of its own


def chained(class_of_row: IntArray) -> Fleet:
    """Chains of three satellites."""
    fleet = make_fleet(class_of_row, training_frac=0.4)
    place = np.arange(class_of_row.size)
    before = np.where(place % CHAIN > 0, place - 1, -1)
    after = np.where(place % CHAIN < CHAIN - 1, place + 1, -1)
    links = np.stack([before, after, np.full_like(place, -1), np.full_like(place, -1)], axis=1)
    return replace(fleet, neighbour_index=links)


def sky(elapsed_s: float, count: int = COUNT) -> Environment:
    """A low orbit, chains 100 km apart on it; every satellite of a chain close to the others."""
    place = np.arange(count)
    phase = 2.0 * np.pi * (place // CHAIN) / len(KINDS) + 1e-4 * (place % CHAIN)
    around = make_environment(elapsed_s, count, beta_rad=1.2, phase_rad=phase)
    return replace(around, cutoff_gv=np.full(count, 0.2))  # polar: solar protons get in


def plan_of(fleet: Fleet, kinds: tuple[FaultKind, ...] = KINDS) -> FaultPlan:
    """Every kind on the first two satellites of its chain, at its demonstration's severity."""
    faults = []
    for index, kind in enumerate(KINDS):
        if kind not in kinds:
            continue
        faults.append(
            planned(
                kind.id,
                onset_s=ONSET_S,
                duration_s=END_S - ONSET_S,
                ramp_s=min(kind.demo.ramp_s, 600.0),
                severity=kind.demo.severity,
                fraction=1.0,
                satellites=fleet.satellite_ids[index * CHAIN : index * CHAIN + 2],
            )
        )
    return plan_faults(faults, fleet, SEED)


class Run(NamedTuple):
    fleet: Fleet
    states: list[FleetState]
    effects: list[FaultEffects | None]
    skies: list[Environment]


def run(fleet: Fleet, plan: FaultPlan | None, rows: IntArray | None = None) -> Run:
    """A run of the whole fleet, or of the rows of it that `fleet` holds."""
    first = sky(0.0) if rows is None else take_environment(sky(0.0), rows)
    state = initial_state(fleet, first, SEED)
    found = Run(fleet, [state], [None], [first])
    for tick in range(1, round(RUN_S / STEP_S) + 1):
        around = sky(tick * STEP_S)
        around = around if rows is None else take_environment(around, rows)
        effects = None if plan is None else plan.effects_at(around.elapsed_s)
        state = step(state, fleet, around, STEP_S, around.elapsed_s, SEED, effects)
        found.states.append(state)
        found.effects.append(effects)
        found.skies.append(around)
    return found


@cache
def rack_fleet() -> Fleet:
    return chained(np.full(COUNT, 2))


@cache
def healthy() -> Run:
    return run(rack_fleet(), None)


@cache
def broken() -> Run:
    kinds = tuple(kind for kind in KINDS if kind.id not in LATE)
    return run(rack_fleet(), plan_of(rack_fleet(), kinds))


@cache
def reported(which: str) -> dict[str, FloatArray]:
    """Every channel of every satellite, (ticks, n)."""
    found = {"healthy": healthy, "broken": broken, "ground": ground_out}[which]()
    names = [one.name for one in BUS_CHANNELS if not one.is_integer]
    names += [one.name for one in BUS_CHANNELS if one.is_integer]
    rows, table = np.arange(COUNT), []
    for tick in range(0, len(found.states), 3):
        seen = snapshot(
            found.fleet, found.states[tick], found.skies[tick], SEED, tick, found.effects[tick]
        )
        floats, states = bus_telemetry(rows, seen, tick)
        table.append(np.concatenate([floats, states.astype(np.float64)], axis=1))
    cube = np.array(table)
    return {name: cube[:, :, index] for index, name in enumerate(names)}


@cache
def ground_out() -> Run:
    kinds = tuple(kind for kind in KINDS if kind.id in LATE)
    return run(rack_fleet(), plan_of(rack_fleet(), kinds))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_law_nothing_moves_before_the_onset(kind: FaultKind) -> None:
    last = round(ONSET_S / STEP_S) - 1
    for field in fields(FleetState):
        if getattr(healthy().states[last], field.name).shape[0] == COUNT:
            one, other = (
                getattr(found().states[last], field.name)[rows_of(kind)]
                for found in (healthy, broken)
            )
            assert one.tobytes() == other.tobytes(), field.name


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_a_fault_moves_the_channels_it_declares(kind: FaultKind) -> None:
    which = "ground" if kind.id in LATE else "broken"
    row = int(rows_of(kind)[1])
    first = round(ONSET_S / STEP_S / 3) + 1
    for channel, direction in kind.moves.items():
        plain, faulted = (reported(name)[channel][first:, row] for name in ("healthy", which))
        delta = faulted - plain
        size = 1e-6 * (1.0 + np.nanmax(np.abs(plain)))
        if direction == "up":
            assert np.nanmax(delta) > size, channel
        elif direction == "down":
            assert np.nanmin(delta) < -size, channel
        elif direction == "changes":
            assert np.nanmax(np.abs(delta)) > size, channel
        elif direction == "stuck":
            during = reported(which)[channel][first : first + 50, row]
            assert np.ptp(during) == 0.0 < np.ptp(plain[:50])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.heals], ids=lambda kind: kind.id)
def test_a_fault_that_heals_leaves_its_effects_neutral(kind: FaultKind) -> None:
    effects = plan_of(rack_fleet(), (kind,)).effects_at(END_S)
    assert effects is not None
    neutral = plan_of(rack_fleet(), (kind,))
    neutral = replace(neutral, placed=())
    lasting = {act.effect for act in kind.acts if act.lasting}
    from twin.fault_effects import neutral_effects

    for field in fields(FaultEffects):
        if field.name not in {"sensors", *lasting}:
            nothing = getattr(neutral_effects(COUNT), field.name)
            assert getattr(effects, field.name).tobytes() == nothing.tobytes(), field.name
    assert not effects.sensors


def rows_of(kind: FaultKind) -> IntArray:
    return np.arange(CHAIN) + CHAIN * KINDS.index(kind)


def test_law_states_stay_physical_under_every_fault() -> None:
    for state in broken().states:
        assert np.all((state.soc_frac >= 0.0) & (state.soc_frac <= 1.0))
        assert np.all((state.node_temp_k > 120.0) & (state.node_temp_k < 450.0))
        for name in (
            "node_temp_k",
            "load_power_w",
            "queue_s",
            "lost_s",
            "delivered_s",
            "flow_frac",
        ):
            assert np.isfinite(getattr(state, name)).all(), name
        assert np.all(state.delivered_s >= 0.0)
        assert np.all((state.throttle_frac >= 0.0) & (state.throttle_frac <= 1.0))


def test_law_work_is_conserved_under_every_fault() -> None:
    last = broken().states[-1]
    done_s = last.delivered_s + last.lost_s + last.queue_s + last.refused_s
    np.testing.assert_allclose(done_s, last.offered_s, rtol=1e-9, atol=1e-6)


def test_law_the_bus_balances_under_every_fault() -> None:
    """Array = load + terminals of the battery, tick by tick; nothing is hosted in this fleet."""
    for state in broken().states[1:]:
        terminals_w = state.battery_voltage_v * state.battery_current_a
        scale_w = 1.0 + state.load_power_w + state.array_power_w + np.abs(terminals_w)
        gap_w = state.array_power_w - state.load_power_w - terminals_w
        assert np.max(np.abs(gap_w) / scale_w) < 1e-9


def test_law_the_battery_stores_what_it_is_given_under_every_fault() -> None:
    """Over the run the charge follows the current, in cells that are there at its end."""
    found = broken()
    params = found.fleet.params
    whole = np.ones(COUNT, dtype=np.bool_)
    whole[rows_of(fault_kinds()["P4"])] = False  # its string is another one for an hour
    gain_j = np.zeros(COUNT)
    for before, after in zip(found.states, found.states[1:], strict=False):
        ohm = params.battery_resistance_ohm
        open_v = after.battery_voltage_v - after.battery_current_a * ohm
        eta = np.where(after.battery_current_a > 0.0, params.battery_coulombic_frac, 1.0)
        gain_j += open_v * after.battery_current_a * eta * STEP_S
        del before
    stored = stored_j(found.states[-1].soc_frac, params) - stored_j(
        found.states[0].soc_frac, params
    )
    span_j = params.battery_capacity_j
    assert np.max(np.abs(stored - gain_j)[whole] / span_j[whole]) < 0.02


@settings(max_examples=2, deadline=None)
@given(cut=st.integers(1, len(KINDS) - 1), turn=st.integers(1, len(KINDS) - 1))
def test_law_sharding_and_order_change_no_bit_under_faults(cut: int, turn: int) -> None:
    fleet = rack_fleet()
    kinds = tuple(kind for kind in KINDS if kind.id not in LATE)
    plan = plan_of(fleet, kinds)
    chains = np.roll(np.arange(len(KINDS)), turn)[:cut]
    rows = (chains[:, np.newaxis] * CHAIN + np.arange(CHAIN)).ravel()
    part = take_fleet(fleet, rows)
    order = np.sort(rows)
    sorted_part = plan.part(take_fleet(fleet, order), order)
    back = np.searchsorted(order, rows)
    state = initial_state(part, take_environment(sky(0.0), rows), SEED)
    for tick in range(1, 46):
        around = take_environment(sky(tick * STEP_S), rows)
        effects = sorted_part.effects_at(around.elapsed_s)
        effects = None if effects is None else effects.take(back)
        state = step(state, part, around, STEP_S, around.elapsed_s, SEED, effects)
    expected = state_rows(broken().states[45], fleet.params.accel_count, rows)
    for field in fields(state):
        left, right = getattr(state, field.name), getattr(expected, field.name)
        assert left.tobytes() == right.tobytes(), field.name


@settings(max_examples=6, deadline=None)
@given(
    severity=st.lists(st.floats(0.0, 1.0), min_size=len(KINDS), max_size=len(KINDS)),
    step_s=st.sampled_from([0.5, 1.0, 10.0, 60.0]),
)
def test_law_all_faults_at_once_on_one_satellite_stay_physical(
    severity: list[float], step_s: float
) -> None:
    fleet = chained(np.array([0, 1, 2]))
    faults = [
        planned(kind.id, onset_s=2.0 * step_s, ramp_s=step_s, severity=one, fraction=1.0)
        for kind, one in zip(KINDS, severity, strict=True)
    ]
    plan = plan_faults(faults, fleet, SEED)
    state = initial_state(fleet, sky(0.0, 3), SEED)
    for tick in range(1, 31):
        around = sky(tick * step_s, 3)
        effects = plan.effects_at(around.elapsed_s)
        state = step(state, fleet, around, step_s, around.elapsed_s, SEED, effects)
        assert np.all((state.soc_frac >= 0.0) & (state.soc_frac <= 1.0))
        assert np.isfinite(state.node_temp_k).all()
        assert np.all(state.node_temp_k > 100.0)


def test_lost_frames_leave_a_gap_and_skewed_clocks_stamp_their_own_time() -> None:
    fleet = make_fleet([0, 1, 2])
    plan = plan_faults(
        [
            planned("D1", satellites=fleet.satellite_ids[:1]),
            planned("D4", satellites=fleet.satellite_ids[1:2], ramp_s=0.0),
        ],
        fleet,
        SEED,
    )
    around = make_environment(10.0, 3)
    state = initial_state(fleet, around, SEED)
    seen: Snapshot = snapshot(fleet, state, around, SEED, 1, plan.effects_at(10.0))
    (shard,) = [one for one in plan_shards(fleet, 1.0) if 0 in one.rows] or [None]
    assert shard is not None
    body = b"".join(
        encode_report(reporting(one, seen), seen, 5_000_000_000) for one in plan_shards(fleet, 1.0)
    )
    rows = [line for line in body.splitlines() if line.startswith(b"sat_state")]
    stamps = {line.split(b"sat=")[1].split(b" ")[0]: line.rsplit(b" ", 1)[1] for line in rows}
    assert stamps == {b"sat00001": b"6000000000", b"sat00002": b"5000000000"}
