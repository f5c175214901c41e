"""Compiled ticks: any split of the fleet, of the ticks and of the threads gives the same bytes."""

import math

import numpy as np
import pytest
from factories import make_fleet, take_fleet
from satellites import EPOCH_UNIX_S

from twin.compiled import engine
from twin.compiled.engine import CompiledFleet
from twin.compiled.roster import roster
from twin.constellations import satrecs, walker
from twin.environment import EnvironmentModel
from twin.state import Fleet, FleetState, IntArray
from twin.step import initial_state

STEP_S, TICKS, COUNT = 10.0, 40, 96
RECORDS = list(satrecs(walker(8, 12, 1, 600e3, math.radians(60)), EPOCH_UNIX_S))
END_S = TICKS * STEP_S


def busy_fleet() -> Fleet:
    return make_fleet(
        np.arange(COUNT) % 3, see_sensitivity_frac=300.0, hard_fail_per_accel_year=300.0
    )


def ran(rows: IntArray, parts: tuple[int, ...] = (TICKS,)) -> tuple[CompiledFleet, FleetState]:
    fleet, records = take_fleet(busy_fleet(), rows), [RECORDS[row] for row in rows]
    model = EnvironmentModel(records, EPOCH_UNIX_S)
    compiled = CompiledFleet(roster(fleet, records, EPOCH_UNIX_S), EPOCH_UNIX_S, STEP_S, 7)
    compiled.load(initial_state(fleet, model.at(0.0), 7), 0)
    for ticks in parts:
        compiled.advance(ticks)
    return compiled, compiled.state(fleet, model.at(END_S))


NAMES = ("soc_frac", "node_temp_k", "dose_rad", "see_event_count", "delivered_s", "mode")


def assert_rows(whole: FleetState, part: FleetState, rows: IntArray) -> None:
    for name in NAMES:
        assert getattr(whole, name)[rows].tobytes() == getattr(part, name).tobytes(), name


def test_law_shards_and_order_change_no_byte() -> None:
    _, whole = ran(np.arange(COUNT))
    assert whole.see_event_count.sum() > 50
    order = np.random.default_rng(3).permutation(COUNT)
    for rows in (order, *np.array_split(order, 2), *np.array_split(np.arange(COUNT), 8)):
        assert_rows(whole, ran(rows)[1], rows)


def test_law_ticks_one_by_one_or_together_and_threads_change_no_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everyone = np.arange(COUNT)
    _, together = ran(everyone)
    monkeypatch.setattr(engine, "THREADS_FROM_COUNT", 0)
    _, singly = ran(everyone, (1,) * TICKS)
    assert_rows(together, singly, everyone)
    assert_rows(together, ran(everyone, (7, 20, 13))[1], everyone)
    assert together.accel_energy_j.tobytes() == singly.accel_energy_j.tobytes()
