"""A fleet whose scenario file changes while it flies: the files, the run and what it issued."""

import math
from pathlib import Path

from watch_fixture import Sent

from services.command_log import CommandLog
from services.continued import continued
from services.metrics import Metrics
from services.mqtt import Message
from services.resume import checkpoint_path, resume_from
from services.runs import OpenedScenario, open_scenario, plan_simulation
from services.scenario_copies import ScenarioCopies
from services.scenario_watch import ScenarioWatch
from services.settings import Settings
from services.simulator import Simulator
from twin.frames import open_batch

HEAD = """\
name: changing
epoch: 2026-03-20T12:00:00Z
seed: 5
"""
RING = """\
  - id: ring
    preset: amazon-leo-relay
    orbit: {ring: {count: 4, altitude_km: 610, inclination_deg: 42}}
"""
OLD = """\
  - id: old
    preset: starcloud-1
    orbit: {ring: {count: 1, altitude_km: 550, inclination_deg: 53}}
    report_interval_s: 2
"""
NEW = """\
  - id: new
    preset: suncatcher-pair-2027
    orbit: {ring: {count: 2, altitude_km: 650, inclination_deg: 97.9}}
"""
FAULTS = """\
faults:
  - {kind: R1, onset_s: 5, duration_s: 60}
"""
STAY = tuple(f"ring_{number}" for number in range(1, 5))
UNTIL = 70  # more than a minute, so that rows of minutes are there


def text(*groups: str, head: str = HEAD, after: str = "") -> str:
    return head + "fleet:\n" + "".join(groups) + after


def first_file(folder: Path) -> Path:
    """The scenario as a run begins with it."""
    found = folder / "changing.yaml"
    found.write_text(text(RING, OLD))
    return found


def opened(path: Path) -> OpenedScenario:
    return open_scenario(Settings(scenario=str(path)))


def started(path: Path, state_dir: Path | None = None) -> tuple[Simulator, ScenarioWatch]:
    """A simulator as the service starts it, with what it has kept."""
    found = opened(path)
    if state_dir is not None:
        found = continued(state_dir, found)
    one = Simulator(plan_simulation(found, math.inf, None, None))
    if state_dir is not None:
        kept = checkpoint_path(state_dir, one.plan)
        one.copies = ScenarioCopies(kept.with_suffix(".scenarios"))
        resume_from(kept, one)
        one.follow(CommandLog(kept.with_suffix(".commands"), one.plan.run_id))
    return one, ScenarioWatch(one, Metrics("simulate"))


def ran(one: Simulator, until: int) -> Simulator:
    while one.tick < until:
        one.turn()
    return one


def rows(one: Simulator) -> dict[tuple[bytes, int], bytes]:
    """Every row that was issued, by head and time."""
    found: dict[tuple[bytes, int], bytes] = {}
    for owed in one.outbox:
        for line in open_batch(owed.payload)[1].splitlines():
            head, _, rest = line.partition(b" ")
            key = head, int(rest.rpartition(b" ")[2])
            assert key not in found
            found[key] = line
    return found


def of(found: dict[tuple[bytes, int], bytes], *names: str) -> dict[tuple[bytes, int], bytes]:
    wanted = [f"sat={name}".encode() for name in names]
    return {key: line for key, line in found.items() if set(wanted) & set(key[0].split(b","))}


def ticks_of(one: Simulator, name: str) -> list[int]:
    return sorted(
        (time_ns - one.epoch_ns) // 10**9
        for head, time_ns in of(rows(one), name)
        if head.startswith(b"sat_state")
    )


def changed(path: Path, state_dir: Path | None, at: int, until: int) -> Simulator:
    """A run in which two satellites join and one leaves."""
    one, watch = started(path, state_dir)
    ran(one, at)
    path.write_text(text(NEW, RING))  # and the groups in another order
    watch.reload()
    assert watch._metrics.reload_failures == 0
    return ran(one, until)


def messages_of(one: Simulator, seen: set[tuple[str, int]], at_s: float) -> list[Sent]:
    """What is owed and was not sent yet, then events and retained states."""
    fresh = [owed for owed in one.outbox if (owed.shard, owed.seq) not in seen]
    seen |= {(owed.shard, owed.seq) for owed in fresh}
    topics = one.topics
    found = [(topics.telemetry(owed.shard), one.outgoing.payload(owed)) for owed in fresh]
    found += [(topics.event(), event) for event in one.events]
    found += [(topics.state(name), text) for name, text in one.state_messages.items()]
    one.events.clear()
    one.state_messages.clear()
    return [Sent(at_s, Message(topic, body, False, lambda: None)) for topic, body in found]
