"""The simulator in parts and after a restart: the same batches, byte for byte."""

from pathlib import Path

import numpy as np
import orjson
import pytest
import typer

from services.arguments import parse_shard
from services.checkpoint_files import forget_checkpoints, write_whole
from services.resume import checkpoint_path, resume_from
from services.runs import open_scenario, plan_simulation
from services.settings import Settings
from services.simulator import Simulator
from services.watermark import Outbox, Owed
from twin.checkpoint import to_bytes
from twin.errors import ConfigurationError
from twin.rollups import ROLLUP_SHARD

SETTINGS = Settings(scenario="suncatcher-81", epoch="2026-10-01T00:00:00Z")
OPENED = open_scenario(SETTINGS)


def simulator(part: tuple[int, int] = (0, 1)) -> Simulator:
    return Simulator(plan_simulation(OPENED, np.inf, None, None, part))


def run_ticks(one: Simulator, ticks: int) -> None:
    """What Simulator.run does, without its clock."""
    for _ in range(ticks):
        if one.tick:
            one._advance()
        one._report()
        one.tick += 1


def batches(one: Simulator) -> dict[tuple[str, int], bytes]:
    """Bodies by shard and number; headers tell what the sender owes, so they differ."""
    return {
        (owed.shard, owed.seq): owed.payload.partition(b"\n")[2]
        for owed in one.outbox.due(0.0, 1.0)
        if owed.shard != ROLLUP_SHARD
    }


def test_two_and_four_processes_send_what_one_does() -> None:
    whole = simulator()
    run_ticks(whole, 12)
    expected = batches(whole)
    for count in (2, 4):
        told: dict[tuple[str, int], bytes] = {}
        for index in range(count):
            part = simulator((index, count))
            assert part.fleet.count < whole.fleet.count
            run_ticks(part, 12)
            sent = batches(part)
            assert sent
            assert not told.keys() & sent.keys()
            told |= sent
        assert told == expected


def test_a_restart_goes_on_with_the_same_bytes(tmp_path: Path) -> None:
    first = simulator()
    command = {"command": "limit_compute", "id": "a", "value": 0.5}
    first._obey("all", orjson.dumps(command))
    run_ticks(first, 7)
    path = checkpoint_path(tmp_path, first.plan)
    taken = first.checkpoint()
    assert taken is not None
    write_whole(path, to_bytes(taken))
    before = batches(first).keys()
    run_ticks(first, 6)
    again = simulator()
    assert resume_from(path, again)
    assert again.tick == 7
    run_ticks(again, 6)
    expected = {key: body for key, body in batches(first).items() if key not in before}
    assert batches(again) == expected
    assert expected


def test_a_part_resumes_from_its_own_file(tmp_path: Path) -> None:
    part = simulator((1, 2))
    run_ticks(part, 3)
    path = checkpoint_path(tmp_path, part.plan)
    assert "1of2" in path.name
    taken = part.checkpoint()
    assert taken is not None
    write_whole(path, to_bytes(taken))
    again = simulator((1, 2))
    assert resume_from(path, again)
    assert again.tick == 3


def test_another_run_or_a_damaged_file_starts_at_the_epoch(tmp_path: Path) -> None:
    first = simulator()
    run_ticks(first, 2)
    path = checkpoint_path(tmp_path, first.plan)
    taken = first.checkpoint()
    assert taken is not None
    data = to_bytes(taken)
    other = open_scenario(Settings(scenario="suncatcher-81", epoch="2026-10-02T00:00:00Z"))
    stranger = Simulator(plan_simulation(other, np.inf, None, None))
    write_whole(path, data)
    assert not resume_from(path, stranger)
    write_whole(path, data[:-9] + b"x" + data[-8:])
    assert not resume_from(path, first)
    forget_checkpoints(tmp_path)
    assert not path.exists()
    assert not resume_from(path, first)


def test_a_checkpoint_waits_until_what_came_before_is_stored() -> None:
    outbox = Outbox(1000)
    for seq in (3, 4):
        outbox.add(Owed("s0", seq, 1, b"x"))
    marks = outbox.newest()
    outbox.add(Owed("s0", 5, 1, b"x"))
    outbox.release("s0", 3)
    assert outbox.owes_any(marks)
    outbox.release("s0", 4)
    assert not outbox.owes_any(marks)


def test_what_is_not_in_a_checkpoint_prevents_it() -> None:
    one = simulator()
    assert one.checkpoint() is None
    run_ticks(one, 1)
    assert one.checkpoint() is not None
    one._obey("all", orjson.dumps({"command": "inject", "id": "b", "fault": "T1"}))
    assert one.checkpoint() is None


def test_parts_are_written_k_of_n() -> None:
    assert parse_shard("0/1") == (0, 1)
    assert parse_shard("7/8") == (7, 8)
    for wrong in ("2/2", "3/2", "1", "a/b", "-1/2", "1/0"):
        with pytest.raises(typer.BadParameter, match="0 to n"):
            parse_shard(wrong)
    with pytest.raises(ConfigurationError, match="shards to share"):
        simulator((0, 1000))
