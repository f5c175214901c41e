"""`twin gaps` of a run in parts: each part made again by what its own process has kept."""

import logging
from pathlib import Path

import orjson
import pytest

from services.checkpoint_files import write_whole
from services.command_log import CommandLog
from services.gaps import Question, _chunks, _row
from services.regenerate import parts_count
from services.resume import checkpoint_path
from services.runs import OpenedScenario, open_scenario, plan_simulation
from services.settings import Settings, load_settings
from services.simulator import Simulator
from services.simulator_hearing import hear_part
from twin.checkpoint import to_bytes

SCENARIO = """
name: parted
epoch: 2026-03-20T12:00:00Z
step_s: 5
fleet:
  - id: ring
    preset: amazon-leo-relay
    orbit: {ring: {count: 6, altitude_km: 610, inclination_deg: 42}}
    report_interval_s: 5
  - id: slow
    preset: starcloud-1
    orbit: {ring: {count: 2, altitude_km: 550, inclination_deg: 53}}
    report_interval_s: 10
  - id: pair
    preset: suncatcher-pair-2027
    orbit: {ring: {count: 2, altitude_km: 650, inclination_deg: 97.9}}
    report_interval_s: 20
"""
TICKS, PARTS = 72, 3
LIMIT = b'{"id": "a", "command": "limit_compute", "value": 0.4}'
BREAK = b'{"id": "b", "command": "inject", "fault": "T1"}'


@pytest.fixture
def opened(tmp_path: Path) -> OpenedScenario:
    path = tmp_path / "parted.yaml"
    path.write_text(SCENARIO)
    return open_scenario(Settings(scenario=str(path)))


def flown(opened: OpenedScenario, state: Path) -> set[bytes]:
    """Every row that three processes issue; a command reaches each at a tick of its own."""
    plans = [plan_simulation(opened, 1.0, None, 0.0, (part, PARTS)) for part in range(PARTS)]
    simulators = [Simulator(plan) for plan in plans]
    paths = [checkpoint_path(state, plan) for plan in plans]
    for one, path in zip(simulators, paths, strict=True):
        one.follow(CommandLog(path.with_suffix(".commands"), one.plan.run_id))
    rows: set[bytes] = set()
    for tick in range(TICKS):
        for part, one in enumerate(simulators):
            if tick == 20 + part:
                one.obey("all", LIMIT)
            if tick == 50 + 2 * part:
                one.obey("slow_1", BREAK)
            one.turn()
        for one in simulators[1:]:
            for owed in one.outbox.take():
                if one.outgoing.is_part(owed):
                    hear_part(simulators[0], owed.payload)
                else:
                    rows |= set(owed.payload.splitlines(keepends=True)[1:])
        for owed in simulators[0].outbox.take():
            rows |= set(owed.payload.splitlines(keepends=True)[1:])
        for part, (one, path) in enumerate(zip(simulators, paths, strict=True)):
            if tick == 30 + part:  # each when it likes
                taken = one.checkpoint()
                assert taken is not None
                write_whole(path, to_bytes(taken))
    return rows


def made_again(opened: OpenedScenario, state: Path, since_s: float) -> tuple[set[bytes], list[int]]:
    ticks: list[int] = []
    settings = load_settings(scenario=opened.scenario.file, state_dir=state)
    question = Question(
        opened, TICKS * 5.0, since_s, False, lambda _r: None, lambda done, _all: ticks.append(done)
    )
    return {row.line for chunk in _chunks(settings, question) for row in chunk}, ticks


def test_a_run_in_parts_is_made_again_row_by_row(
    opened: OpenedScenario, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = flown(opened, tmp_path)
    begun_ns = round(opened.epoch_unix_s * 1e9)
    assert parts_count(tmp_path, plan_simulation(opened, 1.0, None, 0.0)) == PARTS
    whole, ticks = made_again(opened, tmp_path, 0.0)
    assert whole == rows
    assert ticks[0] == 1
    names = {_row(line).measurement for line in rows}
    assert {"fleet_state", "fleet_1m", "sat_1m", "plane_state", "accel_state"} <= names
    later, ticks = made_again(opened, tmp_path, 290.0)
    assert ticks[0] == 32  # after the oldest of the three checkpoints
    minutes = {line for line in rows if b"_1m," in line}
    since = {line for line in rows if _row(line).time_ns >= begun_ns + 290 * 10**9}
    assert since <= later <= rows
    assert {line for line in minutes if _row(line).time_ns >= begun_ns + 240 * 10**9} <= later
    assert "of process" not in caplog.text
    for path in (tmp_path / "checkpoints").glob("parted-1of3.*"):
        path.unlink()
    caplog.set_level(logging.WARNING)
    again = made_again(opened, tmp_path, 290.0)[0]
    assert again != later
    assert "nothing of process 1 of 3 is here" in caplog.text


def test_files_of_another_run_say_nothing(opened: OpenedScenario, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    line = orjson.dumps({"run": "another", "tick": 1, "target": "all", "payload": LIMIT.decode()})
    (folder / "parted-0of3.commands").write_bytes(line + b"\n")
    (folder / "parted-1of3.ckpt").write_bytes(b"no checkpoint")
    (folder / "parted-extra-0of9.commands").write_bytes(line + b"\n")
    assert parts_count(tmp_path, plan_simulation(opened, 1.0, None, 0.0)) == 1
