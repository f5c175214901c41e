"""Satellites that join and leave a running simulator: the others do not notice, and it is kept."""

import logging
import math
import re
from pathlib import Path

import orjson
import pytest
from test_watch import Watched
from watch_fixture import Sent

from services.checkpoint_files import write_whole
from services.command_log import CommandLog
from services.console.alerts import AlertBoard
from services.console.feed import LiveFleet
from services.console_service import PipelineStatus, _show
from services.continued import continued
from services.gaps import Question, _chunks
from services.lanes import Lanes
from services.metrics import Metrics
from services.mqtt import Message
from services.owners import owners_text, read_owners
from services.resume import checkpoint_path, resume_from
from services.runs import OpenedScenario, open_scenario, plan_simulation
from services.scenario_copies import ScenarioCopies
from services.scenario_watch import ScenarioWatch
from services.settings import Settings, load_settings
from services.simulator import Simulator
from twin.checkpoint import to_bytes
from twin.errors import ConfigurationError
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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "changing.yaml"
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


def test_those_that_stay_send_the_same_bytes(path: Path) -> None:
    undisturbed = ran(started(path)[0], UNTIL)
    one = changed(path, None, 23, UNTIL)
    assert of(rows(one), *STAY) == of(rows(undisturbed), *STAY)
    assert any(head.startswith(b"sat_1m") for head, _ in of(rows(one), *STAY))
    assert ticks_of(one, "old") == list(range(1, 30, 2))
    assert ticks_of(one, "new_1") == ticks_of(one, "new_2") == list(range(30, UNTIL))
    assert one.fleet.satellite_ids == (*STAY, "new_1", "new_2")
    assert one.plan.run_id == undisturbed.plan.run_id
    heads = {head for head, _ in rows(one)}
    assert any(b"accel_state" in head and b"sat=new_1" in head for head in heads)
    at = {
        (time_ns - one.epoch_ns) // 10**9 for head, time_ns in rows(one) if b"fleet_state" in head
    }
    assert at == {*range(0, UNTIL, 10)}


def test_retained_states_and_an_event_tell_of_it(path: Path) -> None:
    one, watch = started(path)
    ran(one, 3)
    one.state_messages.clear()
    path.write_text(text(RING, NEW))
    watch.reload()
    ran(one, 10)
    assert (one.events, b"" in one.state_messages.values()) == ([], False)
    ran(one, 11)
    assert one.state_messages["old"] == b""
    assert orjson.loads(one.state_messages["new_2"])["preset"] == "suncatcher-pair-2027"
    assert not one.state_messages.keys() & {*STAY}
    event = orjson.loads(one.events[0])
    assert (event["kind"], event["joined"], event["left"]) == (
        "fleet_changed",
        ["new_1", "new_2"],
        ["old"],
    )
    assert event["t_ns"] == one.epoch_ns + 10 * 10**9
    assert one.status()["satellites"] == 6


@pytest.mark.parametrize("kept_at", [None, 12, 27, 44])
def test_a_restart_comes_to_the_same_bytes(path: Path, tmp_path: Path, kept_at: int | None) -> None:
    state = tmp_path / "state"
    one, watch = started(path, state)
    for tick in range(UNTIL):
        if tick == 15:
            path.write_text(text(RING, NEW))
            watch.reload()
        if tick == 33:
            path.write_text(text(RING, NEW, OLD))  # and back
            watch.reload()
        one.turn()
        if tick == kept_at:
            taken = one.checkpoint()
            assert taken is not None
            write_whole(checkpoint_path(state, one.plan), to_bytes(taken))
    again, watch = started(path, state)
    assert again.tick == (0 if kept_at is None else kept_at + 1)
    assert again.plan.run_id == one.plan.run_id
    watch.reload()
    assert watch._metrics.reload_failures == 0
    ran(again, UNTIL)
    whole, made = rows(one), rows(again)
    first_ns = one.epoch_ns + (0 if kept_at is None else kept_at + 1) * 10**9
    assert {key for key in made if key[1] >= first_ns} == {
        key for key in whole if key[1] >= first_ns
    }
    assert made.items() <= whole.items()
    assert one.fleet.satellite_ids == (*STAY, "new_1", "new_2", "old")


def test_gaps_regenerates_across_the_change(path: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    one, watch = started(path, state)
    ran(one, 15)
    path.write_text(text(RING, NEW))
    watch.reload()
    ran(one, 40)
    taken = one.checkpoint()
    assert taken is not None
    write_whole(checkpoint_path(state, one.plan), to_bytes(taken))
    ran(one, UNTIL)
    settings = load_settings(scenario=str(path), state_dir=state)
    for since_s in (17.0, 50.0):
        question = Question(
            opened(path), float(UNTIL), since_s, False, lambda _r: None, lambda _d, _a: None
        )
        found = [row for chunk in _chunks(settings, question) for row in chunk]
        made = {row.line.rstrip(b"\n") for row in found}
        # Rows of minutes carry the minute's beginning: they are issued later than their stamp.
        first_ns = one.epoch_ns + int(since_s) * 10**9
        later = {line for (_, time_ns), line in rows(one).items() if time_ns >= first_ns}
        assert later <= made <= set(rows(one).values())
        assert len(made) > 300


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (text(RING.replace("count: 4", "count: 5"), OLD), ":7: fleet.0.orbit: ring_2 would"),
        (text(RING.replace("altitude_km: 610", "altitude_km: 611"), OLD), "another orbit"),
        (text(RING, OLD.replace("_s: 2", "_s: 4")), r":11: fleet.1.report_interval_s: 4.0: old"),
        (
            text(RING, OLD.replace("starcloud-1", "suncatcher-pair-2027")),
            ":9: fleet.1.preset: suncatcher-pair",
        ),
        (text(RING, OLD, head=HEAD.replace("seed: 5", "seed: 6")), ":3: seed: another run"),
        (text(RING, OLD, head=HEAD.replace("12:00", "12:01")), ":2: epoch: another run"),
        (text(RING, OLD, head=HEAD + "step_s: 0.5\n"), ":4: step_s: another run"),
        (text(RING, OLD, after=FAULTS), ": faults: another run"),
        (text(RING, OLD, head=HEAD.replace("changing", "other")), ":1: name: another run"),
        (text(RING, OLD).replace("preset: starcloud-1", "preset: starcloud-one"), "did you mean"),
        (text(RING, OLD, RING), "duplicate id 'ring'"),
        (text(RING, NEW, OLD).replace("id: new", "id: ring_x").replace("fleet:", "flet:"), "flet"),
        ("fleet: [\n", "not YAML"),
    ],
)
def test_what_cannot_be_taken_is_named_and_hurts_nobody(
    path: Path, caplog: pytest.LogCaptureFixture, wanted: str, said: str
) -> None:
    undisturbed = ran(started(path)[0], 25)
    one, watch = started(path)
    ran(one, 4)
    path.write_text(wanted)
    watch.reload()
    assert watch._metrics.reload_failures == 1
    assert re.search(said, caplog.text), caplog.text
    assert "stays as it was" in caplog.text
    assert rows(ran(one, 25)) == rows(undisturbed)


def test_a_fleet_in_parts_is_not_changed(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = Simulator(plan_simulation(opened(path), math.inf, None, None, (0, 2)))
    watch = ScenarioWatch(one, Metrics("simulate"))
    path.write_text(text(RING, NEW))
    watch.reload()
    assert watch._metrics.reload_failures == 1
    assert "fleet.1: another run" in caplog.text


def test_remarks_are_taken_and_the_same_file_is_nothing(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one, watch = started(path, tmp_path)
    ran(one, 3)
    watch.reload()
    assert caplog.messages == []
    path.write_text(text(RING, OLD) + "# a remark\n")
    watch.reload()
    watch.reload()
    assert len(one.orders.to_obey) == 1
    ran(one, 25)
    undisturbed = ran(Simulator(one.plan), 25)
    assert rows(one) == rows(undisturbed)
    again, _ = started(path, tmp_path)  # the file with the remark is still this run
    assert again.plan.run_id == one.plan.run_id


def test_of_changes_before_one_tick_the_last_counts(path: Path, tmp_path: Path) -> None:
    """Who was gone from the file for a moment has not left; so it is after a restart too."""
    state = tmp_path / "state"
    undisturbed = ran(started(path)[0], 40)
    one, watch = started(path, state)
    ran(one, 3)
    for groups in ((RING, NEW), (OLD,), (NEW, RING, OLD)):
        path.write_text(text(*groups))
        watch.reload()
    assert watch._metrics.reload_failures == 0
    assert [order.tick for order in one.orders.to_obey] == [10, 10, 10]
    ran(one, 13)
    taken = one.checkpoint()
    assert taken is not None
    write_whole(checkpoint_path(state, one.plan), to_bytes(taken))
    ran(one, 40)
    assert of(rows(one), *STAY, "old") == of(rows(undisturbed), *STAY, "old")
    assert ticks_of(one, "new_1") == list(range(10, 40))
    again, _ = started(path, state)
    assert again.tick == 13
    made = rows(ran(again, 40))
    assert made.items() <= rows(one).items()
    assert of(made, "new_1")


def test_a_restart_has_its_changes_behind_it_before_another_one(path: Path, tmp_path: Path) -> None:
    """A file that is taken while a restart makes up for lost time comes after what was there."""
    state = tmp_path / "state"
    one, watch = started(path, state)
    ran(one, 25)
    path.write_text(text(RING, NEW))
    watch.reload()
    ran(one, 40)  # and no checkpoint was taken
    again, watch = started(path, state)
    ran(again, 5)
    path.write_text(text(RING))
    watch.reload()
    assert watch._metrics.reload_failures == 0
    assert [order.tick for order in again.orders.to_obey] == [30, 30]
    ran(again, 45)
    assert again.fleet.satellite_ids == STAY
    assert ticks_of(again, "old")[-1] == 29


def test_commands_and_faults_go_on_with_those_that_stay(path: Path) -> None:
    path.write_text(text(RING, OLD, after=FAULTS))

    def told(one: Simulator) -> Simulator:
        ran(one, 6)
        one._obey("ring_2", b'{"id": "a", "command": "limit_compute", "value": 0.3}')
        one._obey("ring_3", b'{"id": "b", "command": "inject", "fault": "A2"}')
        return one

    undisturbed = ran(told(started(path)[0]), 60)
    one, watch = started(path)
    told(one)
    path.write_text(text(RING, NEW, after=FAULTS))
    watch.reload()
    ran(one, 60)
    assert of(rows(one), *STAY) == of(rows(undisturbed), *STAY)
    assert one.orders.limit_frac.tolist() == [1.0, 0.3, 1.0, 1.0, 1.0, 1.0]
    placed = {p.fault.kind.id: p.rows.tolist() for p in one.faults.placed if p.rows.size}
    assert placed["A2"] == [2]


def test_costs_do_not_jump_when_satellites_leave(path: Path) -> None:
    one = changed(path, None, 23, 60)
    found = {}
    for (head, time_ns), line in rows(one).items():
        if head.startswith(b"economics"):
            cells = dict(cell.split("=") for cell in line.decode().split(" ")[1].split(","))
            found[(time_ns - one.epoch_ns) // 10**9] = {k: float(v) for k, v in cells.items()}
    for name in ("cost_usd", "energy_kwh", "tokens_mtok", "ground_cost_usd"):
        values = [found[tick][name] for tick in sorted(found)]
        assert values == sorted(values)
    # What is charged from the change on is charged at the new rate.
    step_usd = found[50]["cost_usd"] - found[40]["cost_usd"]
    assert step_usd == pytest.approx(found[50]["cost_usd_h"] / 360.0, abs=2e-4)


def test_recorders_go_on_with_what_waits(path: Path) -> None:
    head, ring = HEAD + "playback: true\n", RING.replace("amazon-leo-relay", "starcloud-1")
    path.write_text(text(ring, OLD, head=head))
    undisturbed = ran(started(path)[0], 60)
    one, watch = started(path)
    ran(one, 15)
    path.write_text(text(OLD.replace("id: old", "id: other"), ring, head=head))
    watch.reload()
    ran(one, 60)
    assert of(rows(one), *STAY) == of(rows(undisturbed), *STAY)
    held = dict(zip(one.fleet.satellite_ids, one.recorders.saved(one.fleet.count), strict=True))
    before = dict(zip(STAY, undisturbed.recorders.saved(undisturbed.fleet.count), strict=False))
    assert {name: held[name] for name in STAY} == before
    assert any(before.values())


def test_a_copy_that_is_gone_is_named(path: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    one = changed(path, state, 3, 20)
    folder = checkpoint_path(state, one.plan).with_suffix(".scenarios")
    for found in folder.iterdir():
        found.write_text("# not what it was\n")
    with pytest.raises(ConfigurationError, match=r"copy of .*changing\.yaml is damaged"):
        started(path, state)


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


async def test_the_watcher_lets_go_of_who_has_left(path: Path) -> None:
    """Silence of a retired satellite is no alert; that of another is."""
    one, watch = started(path)
    seen: set[tuple[str, int]] = set()
    watched = Watched()
    late: list[Sent] = []
    for tick in range(200):
        if tick == 23:
            path.write_text(text(NEW, RING))
            watch.reload()
        one.turn()
        sent = messages_of(one, seen, float(tick))
        late += [m for m in sent if b"sat=old" in m.message.payload and tick == 29]
        if tick == 35:
            sent += late  # a report of before comes late, and changes nothing
        if tick >= 60:  # something that goes silent without a farewell
            sent = [m for m in sent if b"sat=new_1" not in m.message.payload]
        await watched.fly(sent, wall_s=1.0)
    assert late
    silent = {
        (change.labels["sat"], change.after)
        for change in watched.said
        if change.rule.name == "satellite_silent"
    }
    assert ("new_1", "Alerting") in silent
    assert not [name for name, _ in silent if name == "old"]
    newest = watched.ages[max(watched.ages)]
    assert newest.keys() == {*STAY, "new_1", "new_2"}


def test_the_console_shows_who_flies(path: Path) -> None:
    one, watch = started(path)
    seen: set[tuple[str, int]] = set()
    live, status = LiveFleet(lambda: 0.0), PipelineStatus()

    def shown(until: int) -> list[str]:
        while one.tick < until:
            one.turn()
            for sent in messages_of(one, seen, 0.0):
                _show(sent.message, live, status, AlertBoard())
        return [satellite.satellite_id for satellite in live.roster.satellites]

    assert shown(25) == [*STAY, "old"]
    run, ring = live.run, live.all_channels("ring_3")
    before = {name: live.roster.find(name) for name in STAY}
    path.write_text(text(NEW, RING))
    watch.reload()
    assert shown(29) == [*STAY, "old"]
    assert live.run == run
    old = [owed for owed in one.outbox if owed.shard == "s0001"][-1]
    assert sorted(shown(34)) == sorted([*STAY, "new_1", "new_2"])
    assert live.run != run
    assert live.values.shape[0] == live.time_ns.size == len(live.roster) == 6
    assert all(live.roster.find(name) is one for name, one in before.items())
    assert live.all_channels("ring_3")[1] == ring[1] + 9 * 10**9
    live.ingest(old.payload)  # a late report of one that has left
    assert live.roster.find("old") is None
    path.write_text(text(OLD, NEW, RING))
    watch.reload()
    assert "old" in shown(44)
    events = status()["events"]
    assert isinstance(events, list)
    assert [event["reason"] for event in events] == [
        "1 satellites join, 0 leave",
        "2 satellites join, 1 leave",
    ]


def test_the_owners_file_knows_who_joins(path: Path, tmp_path: Path) -> None:
    """A lane that is guarded by a file takes every batch of a fleet that changed twice."""
    names = [str(tmp_path / f"{number}.yaml") for number in range(3)]
    for name, groups in zip(names, [(RING, OLD), (NEW, RING), (OLD, NEW)], strict=True):
        Path(name).write_text(text(*groups))
    listed = tmp_path / "owners.yaml"
    listed.write_text(owners_text(Settings(scenario=names[2]), names[:2]))
    lanes = Lanes(lambda: read_owners(listed))
    without = Lanes()
    one, watch = started(path)
    refused = 0
    for name, until in zip(names, (15, 35, 60), strict=True):
        path.write_text(Path(name).read_text())
        watch.reload()
        ran(one, until)
    for owed in one.outbox:
        sent = Message(one.outgoing.topic(owed), owed.payload, False, lambda: None)
        refused += lanes.check(sent) is None or without.check(sent) is None
    assert (refused, watch._metrics.reload_failures) == (0, 0)
    assert one.fleet.satellite_ids == ("new_1", "new_2", "old")
    Path(names[1]).write_text(text(RING.replace("610", "611")))
    with pytest.raises(ConfigurationError, match="ring_1 would have another orbit: another run"):
        owners_text(Settings(scenario=names[1]), names[:1])
