"""Satellites that join and leave a running simulator: the others do not notice, and it is kept."""

from pathlib import Path

import pytest
from changing_fleet import (
    FAULTS,
    HEAD,
    NEW,
    OLD,
    RING,
    STAY,
    UNTIL,
    changed,
    first_file,
    of,
    opened,
    ran,
    rows,
    started,
    text,
    ticks_of,
)

from services.checkpoint_files import write_whole
from services.gaps import Question, _chunks
from services.resume import checkpoint_path
from services.settings import load_settings
from services.simulator import Simulator
from twin.checkpoint import to_bytes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return first_file(tmp_path)


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
        one.obey("ring_2", b'{"id": "a", "command": "limit_compute", "value": 0.3}')
        one.obey("ring_3", b'{"id": "b", "command": "inject", "fault": "A2"}')
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
