"""The simulator in parts and after a restart: the same batches, byte for byte."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
import typer

from services.arguments import parse_shard
from services.checkpoint_files import forget_checkpoints, write_whole
from services.command_log import CommandLog, Obeyed
from services.mqtt import Message
from services.resume import checkpoint_path, resume_from
from services.rollup_parts import part_bytes, read_part
from services.runs import OpenedScenario, open_scenario, plan_simulation
from services.settings import Settings
from services.simulator import Simulator
from services.watermark import Outbox, Owed
from twin.checkpoint import from_bytes, to_bytes
from twin.errors import ConfigurationError
from twin.frames import ROLLUP_SHARD, open_batch
from twin.rollups import column_shapes

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
        for owed in one.outbox
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


# A fault by scenario, then: a share of all drawn by seed, a healing, stations that are everyone's
# business though the command names one satellite, and a limit. (tick, target, command)
SCENARIO_FAULTS = """
faults:
  - {kind: A1, onset_s: 3, duration_s: 4, fraction: 0.3}
  - {kind: T1, onset_s: 2, ramp_s: 2, groups: [suncatcher]}
"""
ORDERS = (
    (2, "all", {"command": "inject", "id": "a", "fault": "P1", "severity": 0.5, "fraction": 0.2}),
    (3, "LAST", {"command": "inject", "id": "b", "fault": "N3", "at_s": 6.0}),
    (5, "all", {"command": "limit_compute", "id": "c", "value": 0.5}),
    (6, "FIRST", {"command": "heal", "id": "d", "fault": "T1"}),
    (9, "all", {"command": "heal", "id": "e", "fault": "P1"}),
    (10, "LAST", {"command": "inject", "id": "f", "fault": "D2"}),
)


@pytest.fixture(scope="module")
def broken_run(tmp_path_factory: pytest.TempPathFactory) -> OpenedScenario:
    """The cluster with faults by scenario."""
    path = tmp_path_factory.mktemp("scenario") / "broken.yaml"
    base = Path("scenarios/suncatcher-81.yaml").resolve()
    path.write_text(f"extends: {base}\nepoch: 2026-10-01T00:00:00Z\n{SCENARIO_FAULTS}")
    return open_scenario(Settings(scenario=str(path)))


def commanded(one: Simulator, ticks: int) -> Simulator:
    """Ticks with the orders as they come; refusals would say so in the event."""
    ids = one.plan.build.fleet.satellite_ids
    names = {"FIRST": ids[0], "LAST": ids[-1]}
    for _ in range(ticks):
        for tick, target, body in ORDERS:
            if tick == one.tick:
                event = orjson.loads(one._obey(names.get(target, target), orjson.dumps(body)))
                assert event["kind"] == "command_done", event
        run_ticks(one, 1)
    return one


def test_faults_and_commands_give_the_same_bytes_in_1_2_and_8_processes(
    broken_run: OpenedScenario,
) -> None:
    def started(part: tuple[int, int]) -> Simulator:
        return Simulator(plan_simulation(broken_run, np.inf, None, None, part))

    whole = commanded(started((0, 1)), 13)
    expected = batches(whole)
    plain = started((0, 1))
    run_ticks(plain, 13)
    assert batches(plain) != expected  # the commands did something
    for count in (2, 8):
        told: dict[tuple[str, int], bytes] = {}
        for index in range(count):
            told |= batches(commanded(started((index, count)), 13))
        assert told == expected


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


def test_checkpoints_of_parts_start_the_whole_with_its_commands(broken_run: OpenedScenario) -> None:
    def started(part: tuple[int, int]) -> Simulator:
        return Simulator(plan_simulation(broken_run, np.inf, None, None, part))

    whole = commanded(started((0, 1)), 7)
    state = whole.checkpoint()
    assert state is not None
    before = batches(whole).keys()
    commanded(whole, 6)
    expected = {key: body for key, body in batches(whole).items() if key not in before}
    told: dict[tuple[str, int], bytes] = {}
    for index in range(2):
        part = started((index, 2))
        part.resume(state)
        told |= batches(commanded(part, 6))
    assert told == expected


def test_only_the_process_of_a_target_answers(broken_run: OpenedScenario) -> None:
    parts = [Simulator(plan_simulation(broken_run, np.inf, None, None, (k, 2))) for k in (0, 1)]
    ids = broken_run.build.fleet.satellite_ids
    for target, answers in (
        (ids[0], [True, False]),
        (ids[-1], [False, True]),
        ("all", [True, True]),
        ("nobody", [True, False]),
    ):
        assert [one.orders.answers(target) for one in parts] == answers


def test_an_onset_in_the_past_is_refused(broken_run: OpenedScenario) -> None:
    one = Simulator(plan_simulation(broken_run, np.inf, None, None))
    run_ticks(one, 3)
    order = {"command": "inject", "id": "x", "fault": "T1", "at_s": 2.0}
    event = orjson.loads(one._obey("all", orjson.dumps(order)))
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
    event = orjson.loads(one._obey("all", body))
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


def rollups(one: Simulator) -> dict[int, bytes]:
    """Bodies of the roll-ups by number."""
    owed = one.outbox.due(0.0, 1.0)
    return {o.seq: open_batch(o.payload)[1] for o in owed if o.shard == ROLLUP_SHARD}


def parts_of(one: Simulator) -> list[Message]:
    """What a process that is not the first owes to the roll-ups, as the first one hears it."""
    owed = [o for o in one.outbox.due(0.0, 1.0) if o.shard == ROLLUP_SHARD]
    return [
        Message(
            topic=one.outgoing.topic(o), payload=o.payload, retained=False, acknowledge=lambda: None
        )
        for o in owed
    ]


@pytest.mark.parametrize("count", [2, 3])
def test_rollups_of_parts_are_those_of_the_whole(broken_run: OpenedScenario, count: int) -> None:
    def started(part: tuple[int, int]) -> Simulator:
        return Simulator(plan_simulation(broken_run, np.inf, None, None, part))

    whole = commanded(started((0, 1)), 21)
    expected = rollups(whole)
    assert sorted(expected) == [0, 1, 2]
    first, *others = [commanded(started((k, count)), 21) for k in range(count)]
    assert rollups(first) == {}
    assert first.owes[1] == 3
    assert first.checkpoint() is None  # nothing may be forgotten that no outbox holds
    messages = [message for one in others for message in reversed(parts_of(one))]
    for message in [*messages, *messages]:  # out of order, and again
        assert message.topic.split("/")[3] == "part"
        first.on_message(message)
    assert rollups(first) == expected
    assert first.owes[1] == 0
    assert first.checkpoint() is not None
    times = [open_batch(o.payload)[0].t_ns for o in first.outbox.due(0.0, 1.0) if o.seq == 1]
    assert first.epoch_ns + 10_000_000_000 in times
    mark = orjson.dumps({"run": whole.plan.run_id, "seq": 1})
    heard = Message(first.topics.watermark(ROLLUP_SHARD), mark, True, lambda: None)
    others[0].on_message(heard)
    assert [orjson.loads(m.payload.partition(b"\n")[0])["seq"] for m in parts_of(others[0])] == [2]


def test_a_first_process_started_again_takes_up_the_rollups(broken_run: OpenedScenario) -> None:
    def started(index: int) -> Simulator:
        return Simulator(plan_simulation(broken_run, np.inf, None, None, (index, 2)))

    first, other = commanded(started(0), 21), commanded(started(1), 21)
    for message in parts_of(other):
        first.on_message(message)
    again = started(0)
    stored = orjson.dumps({"run": again.plan.run_id, "seq": 1})
    again.on_message(Message(again.topics.watermark(ROLLUP_SHARD), stored, True, lambda: None))
    commanded(again, 21)
    for message in parts_of(other):
        again.on_message(message)
    assert rollups(again) == {seq: body for seq, body in rollups(first).items() if seq > 1}


def huge(name: str) -> bytes:
    """An archive whose one array says that it is larger than any memory."""
    stream, array = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(
        array, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)}
    )
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"{name}.npy", array.getvalue())
    return stream.getvalue()


def test_what_is_no_part_is_counted_and_left_alone(broken_run: OpenedScenario) -> None:
    first = Simulator(plan_simulation(broken_run, np.inf, None, None, (0, 2)))
    other = Simulator(plan_simulation(broken_run, np.inf, None, None, (1, 2)))
    run_ticks(first, 1)
    run_ticks(other, 1)
    (message,) = parts_of(other)
    sizes = tuple(column_shapes(other.state, count) for count in other._own_counts)
    part = read_part(message.payload, sizes)
    head = message.payload.partition(b"\n")[0]
    some = next(iter(part.columns))
    columns = [
        {},
        {name: values for name, values in part.columns.items() if name != some},
        part.columns | {"more": part.columns[some]},
        {name: values[:-1] for name, values in part.columns.items()},
        {name: values[:, np.newaxis] for name, values in part.columns.items()},
        part.columns | {some: part.columns[some].astype(np.float32)},
        part.columns | {some: np.full(part.columns[some].shape, "x")},
    ]
    wrong = [part_bytes(replace(part, columns=one)) for one in columns]
    wrong += [part_bytes(replace(part, index=one)) for one in (-1, 0, 2)]
    wrong += [b"", b"{}\n", b"[]\n", head + b"\n" + huge(some), message.payload[:-50]]
    wrong += [
        message.payload.replace(*one, 1) for one in ((b"run", b"ruin"), (b'"seq":0', b'"seq":[]'))
    ]
    for count, payload in enumerate(wrong, 1):
        assert first.on_message(replace(message, payload=payload)) is None
        assert first.counts.parts_refused == count
    elsewhere = part_bytes(replace(part, seq=10**9)), part_bytes(replace(part, run="another"))
    for payload in elsewhere:
        first.on_message(replace(message, payload=payload))
    assert first.status()["parts_refused"] == len(wrong)
    assert (first.owes[1], rollups(first)) == (1, {})
    first.on_message(message)
    assert first.owes[1] == 0
    whole = Simulator(plan_simulation(broken_run, np.inf, None, None))
    run_ticks(whole, 1)
    assert rollups(first) == rollups(whole)


def test_a_part_has_the_recorders_of_the_whole_fleet(broken_run: OpenedScenario) -> None:
    opened = replace(broken_run, scenario=replace(broken_run.scenario, playback=True))
    sizes = set()
    for part in ((0, 1), (1, 2), (7, 8)):
        one = Simulator(plan_simulation(opened, np.inf, None, None, part))
        assert one.recorders is not None
        sizes.add(one.recorders.limit_bytes)
    assert len(sizes) == 1


def test_parts_are_written_k_of_n() -> None:
    assert parse_shard("0/1") == (0, 1)
    assert parse_shard("7/8") == (7, 8)
    for wrong in ("2/2", "3/2", "1", "a/b", "-1/2", "1/0"):
        with pytest.raises(typer.BadParameter, match="0 to n"):
            parse_shard(wrong)
    with pytest.raises(ConfigurationError, match="shards to share"):
        simulator((0, 1000))
