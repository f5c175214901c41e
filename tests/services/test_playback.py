"""Reports made out of contact: kept on board, played back in order, nothing lost on the way."""

import asyncio
from pathlib import Path

import numpy as np
import orjson
import pytest

from services.dead_letters import DeadLetters
from services.ingest import Ingester
from services.mqtt import Message
from services.plan import Plan
from services.scenario_files import read_text
from services.simulator import Simulator
from services.simulator_hearing import hear
from twin.frames import open_batch
from twin.playback import Recorders, Transmission
from twin.reports import Shard, plan_shards
from twin.scenario import build_fleet, load_scenario
from twin.state import IntArray

# Two rings and a loner over twelve stations: in contact and out of it all the time.
SCENARIO = """
name: rings
epoch: 2026-10-01T00:00:00Z
seed: 4
step_s: 60
playback: PLAYBACK
fleet:
  - {id: a, preset: three-body-12, report_interval_s: 60}
  - {id: b, preset: three-body-12, report_interval_s: 120}
  - {id: c, preset: suncatcher-mvp, report_interval_s: 60}
"""
TICKS = 120


def simulated(playback: bool) -> Simulator:
    text = SCENARIO.replace("PLAYBACK", str(playback).lower())
    scenario = load_scenario("rings.yaml", lambda _: text)
    build = build_fleet(scenario, 0.0, read_text)
    assert scenario.epoch_unix_s is not None
    plan = Plan(scenario, build, scenario.epoch_unix_s)
    simulator = Simulator(plan)
    for tick in range(TICKS):
        simulator.tick = tick
        if tick:
            simulator._advance()
        simulator._report()
    return simulator


def batches(simulator: Simulator) -> list[bytes]:
    owed = list(simulator.outbox)
    return [one.payload for one in owed if one.shard != "rollup"]


def rows_by_satellite(payloads: list[bytes]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for payload in payloads:
        for line in open_batch(payload)[1].splitlines():
            found.setdefault(line.partition(b" ")[0], []).append(line)
    return found


@pytest.fixture(scope="module")
def runs() -> tuple[Simulator, Simulator]:
    return simulated(False), simulated(True)


def test_every_report_arrives_once_unchanged_and_in_order(
    runs: tuple[Simulator, Simulator],
) -> None:
    live, played = (rows_by_satellite(batches(one)) for one in runs)
    assert runs[1].counts.frames_late > 100
    missing = 0
    for head, rows in live.items():
        arrived = played.get(head, [])
        assert arrived == rows[: len(arrived)]  # a prefix: same bytes, same order, no gap
        if head.startswith(b"sat_state"):
            missing += len(rows) - len(arrived)
    assert runs[1].recorders is not None
    assert missing == runs[1].recorders.held_count  # still on board at the end
    assert runs[1].recorders.dropped_count == 0


def test_batch_numbers_have_no_gap_and_headers_count_what_is_late(
    runs: tuple[Simulator, Simulator],
) -> None:
    headers = [open_batch(payload)[0] for payload in batches(runs[1])]
    for shard in {one.shard for one in headers}:
        numbers = [one.seq for one in headers if one.shard == shard]
        assert numbers == list(range(len(numbers)))
    assert sum(one.late for one in headers) == runs[1].counts.frames_late
    assert sum(one.frames for one in headers) == runs[1].counts.frames_published
    assert any(one.frames == 0 and one.lines == 0 for one in headers)
    assert all(one.late == 0 for one in (open_batch(p)[0] for p in batches(runs[0])))


class Shelf:
    """A store that keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    async def write(self, lines: bytes) -> None:
        assert lines
        self.lines += lines.splitlines()


async def test_the_watermark_passes_empty_batches_and_nothing_stays_owed(
    tmp_path: Path,
) -> None:
    simulator = simulated(True)
    shelf = Shelf()
    ingester = Ingester(shelf, DeadLetters(tmp_path / "dead"))  # type: ignore[arg-type]
    writer = asyncio.create_task(ingester.write_for_ever())
    sent = list(simulator.outbox)
    left, done = len(sent), asyncio.Event()

    def acknowledge() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            done.set()

    for owed in sent[::-1]:  # the wrong way round: every gap must close again
        topic = simulator.topics.telemetry(owed.shard)
        await ingester.receive(Message(topic, owed.payload, False, acknowledge))
    await done.wait()
    writer.cancel()
    for (_, run, shard), seq in ingester.changed_marks().items():
        mark = orjson.dumps({"run": run, "seq": seq})
        topic = simulator.topics.watermark(shard)
        hear(simulator, Message(topic, mark, False, acknowledge))
    assert simulator.outbox.bytes_count == 0
    assert ingester.counts.frames_stored == simulator.counts.frames_published
    assert ingester.dead_letters.count == 0
    rows = [line for line in shelf.lines if line.startswith(b"sat_state")]
    assert len(rows) == simulator.counts.frames_published


def first_shard() -> tuple[Shard, IntArray]:
    scenario = load_scenario("rings.yaml", lambda _: SCENARIO.replace("PLAYBACK", "true"))
    fleet = build_fleet(scenario, 0.0, read_text).fleet
    return plan_shards(fleet, 60.0)[0], fleet.params.accel_count


def report(shard: Shard, seq: int) -> bytes:
    rows = [b"sat_state,sat=%d x=%d" % (row, seq) for row in shard.rows]
    accelerators = [b"accel_state,accel=%d x=%d" % (one, seq) for one in shard.accelerators]
    return b"\n".join(rows + accelerators) + b"\n"


def test_a_full_recorder_overwrites_the_oldest_and_counts_it() -> None:
    shard, accel_count = first_shard()
    recorders = Recorders(25, limit_bytes=300)
    nobody, everybody = np.zeros(25, dtype=np.bool_), np.ones(25, dtype=np.bool_)
    for seq in range(20):
        sent = recorders.transmit(shard, seq, report(shard, seq), nobody, accel_count)
        assert sent == Transmission(b"", 0, 0)
    held = recorders.held_count
    assert held + recorders.dropped_count == 20 * shard.rows.size
    assert recorders.dropped_count > 0
    sent = recorders.transmit(shard, 20, report(shard, 20), everybody, accel_count)
    assert sent.frames == sent.body.count(b"sat_state")
    assert sent.late == sent.frames - shard.rows.size
    assert b"sat=0 x=20\n" in sent.body
    assert b"sat=0 x=0\n" not in sent.body
    assert recorders.held_count == 0


def test_in_contact_with_nothing_waiting_the_report_passes_untouched() -> None:
    shard, accel_count = first_shard()
    body = report(shard, 3)
    everybody = np.ones(25, dtype=np.bool_)
    sent = Recorders(25).transmit(shard, 3, body, everybody, accel_count)
    assert sent.body is body
    assert (sent.frames, sent.late) == (shard.rows.size, 0)
