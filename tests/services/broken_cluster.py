"""A small cluster, whole or in parts, with faults by scenario and orders as they come."""

from pathlib import Path

import numpy as np
import orjson

from services.runs import OpenedScenario, open_scenario, plan_simulation
from services.settings import Settings
from services.simulator import Simulator
from twin.frames import ROLLUP_SHARD

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


def open_broken(folder: Path) -> OpenedScenario:
    """The cluster with faults by scenario."""
    path = folder / "broken.yaml"
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
                event = orjson.loads(one.obey(names.get(target, target), orjson.dumps(body)))
                assert event["kind"] == "command_done", event
        run_ticks(one, 1)
    return one
