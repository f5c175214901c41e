"""The simulator in parts: the batches and the roll-ups of the whole, byte for byte."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import orjson
import pytest
import typer
from broken_cluster import (
    batches,
    commanded,
    open_broken,
    run_ticks,
    simulator,
)

from services.arguments import parse_shard
from services.mqtt import Message
from services.rollup_parts import part_bytes, read_part
from services.runs import OpenedScenario, plan_simulation
from services.simulator import Simulator
from services.simulator_hearing import hear
from twin.errors import ConfigurationError
from twin.frames import ROLLUP_SHARD, open_batch
from twin.rollups import column_shapes


@pytest.fixture(scope="module")
def broken_run(tmp_path_factory: pytest.TempPathFactory) -> OpenedScenario:
    return open_broken(tmp_path_factory.mktemp("scenario"))


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
        hear(first, message)
    assert rollups(first) == expected
    assert first.owes[1] == 0
    assert first.checkpoint() is not None
    times = [open_batch(o.payload)[0].t_ns for o in first.outbox.due(0.0, 1.0) if o.seq == 1]
    assert first.epoch_ns + 10_000_000_000 in times
    mark = orjson.dumps({"run": whole.plan.run_id, "seq": 1})
    heard = Message(first.topics.watermark(ROLLUP_SHARD), mark, True, lambda: None)
    hear(others[0], heard)
    assert [orjson.loads(m.payload.partition(b"\n")[0])["seq"] for m in parts_of(others[0])] == [2]


def test_a_first_process_started_again_takes_up_the_rollups(broken_run: OpenedScenario) -> None:
    def started(index: int) -> Simulator:
        return Simulator(plan_simulation(broken_run, np.inf, None, None, (index, 2)))

    first, other = commanded(started(0), 21), commanded(started(1), 21)
    for message in parts_of(other):
        hear(first, message)
    again = started(0)
    stored = orjson.dumps({"run": again.plan.run_id, "seq": 1})
    hear(again, Message(again.topics.watermark(ROLLUP_SHARD), stored, True, lambda: None))
    commanded(again, 21)
    for message in parts_of(other):
        hear(again, message)
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
    sizes = tuple(column_shapes(other.state, count) for count in other.own_counts)
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
        assert hear(first, replace(message, payload=payload)) is None
        assert first.counts.parts_refused == count
    elsewhere = part_bytes(replace(part, seq=10**9)), part_bytes(replace(part, run="another"))
    for payload in elsewhere:
        hear(first, replace(message, payload=payload))
    assert first.status()["parts_refused"] == len(wrong)
    assert (first.owes[1], rollups(first)) == (1, {})
    hear(first, message)
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
