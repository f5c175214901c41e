"""The simulator after a restart: the same batches, byte for byte."""

from pathlib import Path

import numpy as np
import orjson
import pytest
from broken_cluster import ORDERS, batches, commanded, open_broken, run_ticks, simulator

from services.checkpoint_files import forget_checkpoints, write_whole
from services.command_log import CommandLog, Obeyed
from services.resume import checkpoint_path, resume_from
from services.runs import OpenedScenario, open_scenario, plan_simulation
from services.settings import Settings
from services.simulator import Simulator
from services.watermark import Outbox, Owed
from twin.checkpoint import from_bytes, to_bytes


@pytest.fixture(scope="module")
def broken_run(tmp_path_factory: pytest.TempPathFactory) -> OpenedScenario:
    return open_broken(tmp_path_factory.mktemp("scenario"))


def test_a_restart_goes_on_with_the_same_bytes(tmp_path: Path) -> None:
    first = simulator()
    command = {"command": "limit_compute", "id": "a", "value": 0.5}
    first.obey("all", orjson.dumps(command))
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


@pytest.mark.parametrize("at", [4, 7, 11])
def test_a_restart_goes_on_with_its_commands(
    broken_run: OpenedScenario, tmp_path: Path, at: int
) -> None:
    def started() -> Simulator:
        return Simulator(plan_simulation(broken_run, np.inf, None, None))

    log = CommandLog(tmp_path / "c.commands", started().plan.run_id)
    first = started()
    first.follow(log)
    commanded(first, at)
    taken_then = to_bytes(first.checkpoint() or pytest.fail("no checkpoint"))
    before = batches(first).keys()
    commanded(first, 13 - at)
    expected = {key: body for key, body in batches(first).items() if key not in before}
    again = started()
    again.resume(from_bytes(taken_then))
    again.follow(log)  # what came after the checkpoint is obeyed again at its tick
    again_to_obey = len(again.orders.to_obey)
    for _ in range(13 - at):
        again._obey_again()
        run_ticks(again, 1)
    assert batches(again) == expected
    assert again_to_obey == sum(tick >= at for tick, _, _ in ORDERS)


def test_an_onset_in_the_past_is_refused(broken_run: OpenedScenario) -> None:
    one = Simulator(plan_simulation(broken_run, np.inf, None, None))
    run_ticks(one, 3)
    order = {"command": "inject", "id": "x", "fault": "T1", "at_s": 2.0}
    event = orjson.loads(one.obey("all", orjson.dumps(order)))
    assert event["kind"] == "command_refused"
    assert event["reason"] == "at_s: 2 is in the past; allowed 3 to 1e+10"
    assert one.checkpoint() is not None
    assert not one.orders.obeyed


def test_a_command_that_the_disk_does_not_take_is_refused(
    broken_run: OpenedScenario, tmp_path: Path
) -> None:
    one = Simulator(plan_simulation(broken_run, np.inf, None, None))
    (tmp_path / "file").write_text("")
    one.follow(CommandLog(tmp_path / "c.commands", "r"))
    one.orders.log = CommandLog(tmp_path / "file" / "c.commands", "r")
    body = orjson.dumps({"command": "limit_compute", "id": "x", "value": 0.5})
    event = orjson.loads(one.obey("all", body))
    assert event["kind"] == "command_refused"
    assert "cannot be kept" in event["reason"]
    assert one.orders.limit_frac.min() == 1.0


def test_a_log_of_commands_forgets_torn_lines_and_other_runs(tmp_path: Path) -> None:
    path = tmp_path / "a.commands"
    mine, other = CommandLog(path, "r1"), CommandLog(path, "r2")
    first, second = Obeyed(5, "all", "{}"), Obeyed(2, "x", "{}")
    for log, one in ((mine, first), (other, first), (mine, second), (mine, first)):
        log.add(one)
    path.write_bytes(path.read_bytes() + b'{"tick": 9, "targ')
    assert mine.after([]) == [second, first, first]
    assert mine.after([first]) == [second, first]


PLAYBACK = """
name: held
epoch: 2026-03-20T12:00:00Z
step_s: 60
playback: true
fleet:
  - id: one
    preset: starcloud-1
    report_interval_s: 60
    orbit: {ring: {count: 4, altitude_km: 550, inclination_deg: 53}}
"""


def test_reports_on_board_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "held.yaml"
    path.write_text(PLAYBACK)
    opened = open_scenario(Settings(scenario=str(path)))

    def started() -> Simulator:
        return Simulator(plan_simulation(opened, np.inf, None, None))

    first = started()
    run_ticks(first, 30)
    assert first.recorders is not None and first.recorders.held_count > 0
    first.recorders._dropped[2] = 3
    data = to_bytes(first.checkpoint() or pytest.fail("no checkpoint"))
    before, held, late = batches(first).keys(), first.recorders.held_count, first.counts.frames_late
    run_ticks(first, 50)
    assert first.counts.frames_late > late  # what waited then was played back since
    expected = {key: body for key, body in batches(first).items() if key not in before}
    again = started()
    again.resume(from_bytes(data))
    assert again.recorders is not None
    assert (again.recorders.held_count, again.recorders.dropped_count) == (held, 3)
    run_ticks(again, 50)
    assert batches(again) == expected
