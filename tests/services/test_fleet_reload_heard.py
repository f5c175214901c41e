"""A fleet that changes, to those who hear of it: states, the watcher, the console."""

from pathlib import Path

import orjson
import pytest
from changing_fleet import NEW, OLD, RING, STAY, first_file, messages_of, ran, started, text
from watch_fixture import Sent
from watched import Watched

from services.console.alerts import AlertBoard
from services.console.feed import LiveFleet
from services.console_service import PipelineStatus, _show
from services.lanes import Lanes
from services.mqtt import Message
from services.owners import owners_text, read_owners
from services.settings import Settings
from twin.errors import ConfigurationError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return first_file(tmp_path)


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
