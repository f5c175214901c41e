"""Checkpoints that cannot be used are refused by name."""

from dataclasses import replace

import numpy as np
import pytest
from factories import make_environment, make_fleet

from twin.checkpoint import (
    Checkpoint,
    CheckpointError,
    checkpoint_of,
    from_bytes,
    joined,
    taken,
    to_bytes,
)
from twin.reports import plan_shards
from twin.shards import fleet_part
from twin.step import initial_state


@pytest.fixture
def made() -> Checkpoint:
    fleet = make_fleet([0, 1, 2])
    state = initial_state(fleet, make_environment(0.0, 3), 1)
    return checkpoint_of("abc", 5, fleet, state, {"limit_frac": np.array([1.0, 0.5, 0.25])})


def test_bytes_hold_run_tick_and_extras(made: Checkpoint) -> None:
    back = from_bytes(to_bytes(made))
    assert (back.run_id, back.tick) == ("abc", 5)
    assert back.extra["limit_frac"].tolist() == [1.0, 0.5, 0.25]
    assert back.state.soc_frac.flags.writeable
    assert to_bytes(back) == to_bytes(made)


@pytest.mark.parametrize("at", [0, 8, 60, -1])
def test_any_changed_byte_is_noticed(made: Checkpoint, at: int) -> None:
    data = bytearray(to_bytes(made))
    data[at] ^= 1
    with pytest.raises(CheckpointError):
        from_bytes(bytes(data))


@pytest.mark.parametrize("keep", [0, 7, 30, 200, -1])
def test_a_cut_file_is_noticed(made: Checkpoint, keep: int) -> None:
    with pytest.raises(CheckpointError):
        from_bytes(to_bytes(made)[:keep])


def test_a_foreign_satellite_is_named(made: Checkpoint) -> None:
    fleet = make_fleet([0, 1, 2, 0])
    with pytest.raises(CheckpointError, match="sat00003"):
        taken(made, fleet)


def test_another_number_of_accelerators_is_named(made: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="accelerators for sat00001"):
        taken(made, make_fleet([0, 0, 2]))


def test_parts_of_another_tick_or_twice_the_same_are_refused(made: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="different runs or ticks"):
        joined([made, replace(made, tick=6)])
    with pytest.raises(CheckpointError, match="twice"):
        joined([made, made])


def test_a_part_that_would_be_empty_is_refused() -> None:
    fleet = make_fleet([1, 1, 1])
    with pytest.raises(ValueError, match="1 shards"):
        fleet_part(fleet, plan_shards(fleet, 1.0), 0, 2)
