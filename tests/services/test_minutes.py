"""Roll-ups over a minute: what the reports say, in any number of processes, after any restart."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest
from servers import influxd_server

from services.gaps import Question, audit
from services.mqtt import Message
from services.retention import by_length
from services.rollup_journal import KEPT_COUNT, RollupJournal
from services.runs import OpenedScenario, open_scenario, plan_simulation
from services.settings import Settings, load_settings
from services.simulator import Simulator
from services.simulator_hearing import hear
from services.store import InfluxStore
from services.stored_rows import row_values
from twin.channels import MINUTE_MEASUREMENTS, by_name
from twin.checkpoint import from_bytes, to_bytes
from twin.frames import ROLLUP_SHARD, open_batch
from twin.minutes import MINUTE_CHANNELS, MINUTE_NS, MINUTE_STATES
from twin.rollup_minutes import OVER_TIME
from twin.rollups import REPORTED, Tables

MARKED = b"_1m,"  # how every measurement of minutes ends, and then come its tags
SCENARIO = """
name: minutes
epoch: 2026-03-20T12:00:25Z
step_s: 5
fleet:
  - id: full
    preset: starcloud-1
    report_interval_s: 5
    orbit: {ring: {count: 3, altitude_km: 550, inclination_deg: 53}}
  - id: some
    preset: starcloud-1
    channels: housekeeping
    report_interval_s: 20
    orbit: {ring: {count: 2, altitude_km: 550, inclination_deg: 97}}
faults:
  - {kind: D1, onset_s: 20, duration_s: 130, groups: [full], fraction: 0.4}
"""
TICKS = 50  # 250 s: four minutes are over


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> OpenedScenario:
    path = tmp_path_factory.mktemp("scenario") / "minutes.yaml"
    path.write_text(SCENARIO)
    return open_scenario(Settings(scenario=str(path)))


def started(opened: OpenedScenario, part: tuple[int, int] = (0, 1)) -> Simulator:
    return Simulator(plan_simulation(opened, np.inf, None, None, part))


def ran(one: Simulator, ticks: int = TICKS) -> Simulator:
    for _ in range(ticks):
        one.turn()
    return one


def bodies(one: Simulator) -> dict[tuple[str, int], bytes]:
    return {(o.shard, o.seq): open_batch(o.payload)[1] for o in one.outbox if o.payload[0] == 35}


Values = dict[str, float]


def rows(found: dict[tuple[str, int], bytes]) -> Iterator[tuple[str, str, int, Values]]:
    """Measurement, tags, time and values of every row."""
    for body in found.values():
        for line in body.decode().splitlines():
            head, cells, stamp = line.split(" ")
            measurement, _, tags = head.partition(",")
            pairs = (cell.split("=") for cell in cells.split(","))
            yield measurement, tags, int(stamp), {k: float(v.rstrip("i")) for k, v in pairs}


def test_a_minute_is_what_its_reports_say(opened: OpenedScenario) -> None:
    reports: dict[tuple[str, int], list[Values]] = defaultdict(list)
    minutes: dict[tuple[str, int], Values] = {}
    for measurement, tags, time_ns, values in rows(bodies(ran(started(opened)))):
        if measurement == "sat_state":
            reports[tags, time_ns // MINUTE_NS].append(values)
        elif measurement == "sat_1m":
            assert time_ns % MINUTE_NS == 0
            assert (tags, time_ns // MINUTE_NS) not in minutes
            minutes[tags, time_ns // MINUTE_NS] = values
    last = max(minute for _, minute in reports)
    assert minutes.keys() >= {key for key in reports if key[1] < last - 1}
    assert len(minutes) > 12
    counts = set()
    for key, found in minutes.items():
        said = reports[key]
        counts.add(len(said))
        assert found.pop("reports_count") == len(said)
        for name in MINUTE_STATES:
            assert found.pop(f"{name}_max") == max(one[name] for one in said)
        for name in MINUTE_CHANNELS:
            values = [one[name] for one in said if name in one]
            if not values:
                assert f"{name}_mean" not in found
                continue
            assert found.pop(f"{name}_min") == min(values)
            assert found.pop(f"{name}_max") == max(values)
            mean, decimals = sum(values) / len(values), by_name()[name].decimals + 2
            assert found.pop(f"{name}_mean") == pytest.approx(mean, abs=0.51 * 10**-decimals)
        assert not found, found
    assert {7, 12, 3} <= counts  # the first minute, whole ones, those of slow reporters


def test_fleet_and_planes_over_a_minute(opened: OpenedScenario) -> None:
    told: dict[tuple[str, int], list[Values]] = defaultdict(list)
    minutes: dict[tuple[str, int], Values] = {}
    kinds = {"fleet_state": told, "plane_state": told}
    for measurement, tags, time_ns, values in rows(bodies(ran(started(opened)))):
        if measurement in kinds:
            told[tags, time_ns // MINUTE_NS].append(values)
        elif measurement in {"fleet_1m", "plane_1m"}:
            minutes[tags, time_ns // MINUTE_NS] = values
    assert len(minutes) == 4 * (1 + len(set(opened.build.fleet.planes)))
    reduced = {"max": max, "min": min}
    for key, found in minutes.items():
        assert found.keys() == told[key][0].keys()
        for name, value in found.items():
            values = [one[name] for one in told[key]]
            how = reduced.get(OVER_TIME.get(name, ""), lambda v: sum(v) / len(v))
            assert value == pytest.approx(how(values), abs=0.51 * 10 ** -(REPORTED[name][2] + 2))


@pytest.mark.parametrize("at", [8, 19, 30])
def test_a_restart_in_the_middle_of_a_minute_changes_nothing(
    opened: OpenedScenario, at: int
) -> None:
    first = ran(started(opened), at)
    data = to_bytes(first.checkpoint() or pytest.fail("no checkpoint"))
    before = bodies(first).keys()
    expected = bodies(ran(first, TICKS - at))
    again = started(opened)
    again.resume(from_bytes(data))
    found = bodies(ran(again, TICKS - at))
    assert found == {key: body for key, body in expected.items() if key not in before}
    assert any(MARKED in body for body in found.values())


def heard(one: Simulator, other: Simulator) -> None:
    """Parts of the roll-ups that the other process still owes."""
    for owed in [o for o in other.outbox if o.shard == ROLLUP_SHARD]:
        topic = other.outgoing.topic(owed)
        hear(one, Message(topic, owed.payload, False, lambda: None))


def marked(one: Simulator, seq: int) -> None:
    payload = orjson.dumps({"run": one.plan.run_id, "seq": seq})
    hear(one, Message(one.topics.watermark(ROLLUP_SHARD), payload, True, lambda: None))


def test_two_processes_make_the_minutes_of_one(opened: OpenedScenario) -> None:
    first, other = ran(started(opened, (0, 2))), ran(started(opened, (1, 2)))
    heard(first, other)
    assert bodies(first) | bodies(other) == bodies(ran(started(opened)))


@pytest.mark.parametrize("has_journal", [True, False])
def test_a_first_process_started_again_goes_on_with_its_minute_or_leaves_it_out(
    opened: OpenedScenario, tmp_path: Path, has_journal: bool
) -> None:
    def begun(name: str) -> Simulator:
        one = started(opened, (0, 2))
        one.rollups.keep_in(tmp_path / name)
        return one

    stored = 15  # in the middle of the third minute; the others have let go of all until then
    first, other = ran(begun("kept")), ran(started(opened, (1, 2)))
    heard(first, other)
    whole = {seq: body for (shard, seq), body in bodies(first).items() if shard == ROLLUP_SHARD}
    marked(other, stored)
    again = begun("kept" if has_journal else "lost")
    marked(again, stored)
    ran(again)
    heard(again, other)
    found = {seq: body for (shard, seq), body in bodies(again).items() if shard == ROLLUP_SHARD}
    with_minutes = {seq for seq in whole if seq > stored and MARKED in whole[seq]}
    assert len(with_minutes) == 2
    differing = {seq for seq in found if found[seq] != whole[seq]}
    assert found.keys() == {seq for seq in whole if seq > stored}
    assert differing == (set() if has_journal else {min(with_minutes)})
    if not has_journal:
        assert MARKED not in found[min(with_minutes)]  # left out, never wrong


def test_a_journal_is_bounded_and_forgets_what_was_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "a.rollups"
    journal = RollupJournal(path, "ab12", 2)
    table = np.arange(3.0 * len(REPORTED)).reshape(3, -1)
    for seq in range(3 * KEPT_COUNT):
        journal.add(seq, Tables(table[:1] + seq, table[1:] + seq))
    kept = journal.tables()
    assert KEPT_COUNT <= len(kept) <= 2 * KEPT_COUNT
    newest = max(kept)
    assert newest == 3 * KEPT_COUNT - 1
    assert np.array_equal(np.concatenate(kept[newest]), table + newest)
    path.write_bytes(path.read_bytes()[:-3])
    assert max(RollupJournal(path, "ab12", 2).tables()) == newest - 1
    assert RollupJournal(path, "cd34", 2).tables() == {}


def test_minutes_of_satellites_out_of_contact_are_late_like_their_reports(tmp_path: Path) -> None:
    def lines_of(playback: bool) -> tuple[Simulator, list[bytes]]:
        path = tmp_path / f"{playback}.yaml"
        text = SCENARIO.replace("step_s: 5", f"step_s: 60\nplayback: {str(playback).lower()}")
        path.write_text(
            text.replace("interval_s: 5", "interval_s: 60").replace(
                "interval_s: 20", "interval_s: 120"
            )
        )
        one = ran(started(open_scenario(Settings(scenario=str(path)))), 120)
        sent = [body for (shard, _), body in sorted(bodies(one).items()) if shard != ROLLUP_SHARD]
        return one, [line for body in sent for line in body.splitlines()]

    (_, at_once), (held, late) = lines_of(False), lines_of(True)
    minutes = [[line for line in lines if line.startswith(b"sat_1m")] for lines in (at_once, late)]
    assert held.counts.frames_late > 50
    assert minutes[0] != minutes[1]  # in another order
    waiting = b"".join(held.recorders.saved(5)).splitlines() if held.recorders else []
    still = [line for line in waiting if b"sat_1m" in line]
    assert sorted([*minutes[1], *still]) == sorted(minutes[0])


def test_requests_are_cut_by_how_long_their_rows_are_kept() -> None:
    raw, minute = b"sat_state,sat=a_1m x=1 2\n", b"sat_1m,sat=a x=1 2\n"
    assert by_length(raw) == (raw, b"")
    assert by_length(minute + raw + minute) == (raw, minute + minute)
    assert all(f"{name},".encode().endswith(MARKED) for name in MINUTE_MEASUREMENTS)


async def test_val_influxdb_reduces_the_reports_to_the_same_minutes(
    opened: OpenedScenario,
) -> None:
    """Outside truth: InfluxDB's own min, mean and max over its own minutes of the raw rows."""
    one = ran(started(opened))
    sent = list(bodies(one).values())
    fleet, span = opened.build.fleet.name, (0, 2**62)
    with influxd_server() as server:
        settings = load_settings(influx_url=server.url)
        async with InfluxStore(settings) as store:
            await store.prepare()
            for body in [*sent, *sent[::-1]]:  # again, the wrong way round
                await store.write(body)
            kept = await row_values(store, "sat_1m", fleet, *span)
            assert not await store.query('SELECT * FROM "sat_1m"')
            cells = ", ".join(
                f'{how}("{name}") AS "{name}_{how}"'
                for name in MINUTE_CHANNELS
                for how in ("min", "mean", "max")
            )
            asked = await store.query(
                f'SELECT {cells} FROM "sat_state" WHERE time >= {one.epoch_ns} AND '
                f'time <= {one.time_ns} GROUP BY time(1m), "sat" fill(none)'
            )
            compared = 0
            for series in asked:
                sat = series["tags"]["sat"]  # type: ignore[index]
                for time_ns, *values in series["values"]:  # type: ignore[attr-defined]
                    names = series["columns"][1:]  # type: ignore[index]
                    theirs = {k: v for k, v in zip(names, values, strict=True) if v is not None}
                    ours = [
                        v
                        for (tags, t), v in kept.items()
                        if (dict(tags)["sat"], t) == (sat, time_ns)
                    ]
                    for found in ours:
                        assert {k: found[k] for k in theirs} == pytest.approx(theirs, abs=0.00501)
                        compared += len(theirs)
            assert compared > 400
            # One minute is lost in the store: it is named, and comes again with the same values.
            gone = f'DELETE FROM "fleet_1m" WHERE time < {one.epoch_ns + 2 * MINUTE_NS}'
            before = await row_values(store, "fleet_1m", fleet, *span)
            await store.query(gone, minutes=True)
            holes: list[str] = []
            question = Question(
                opened, TICKS * 5.0, 0.0, True, lambda row: holes.append(row.measurement), print
            )
            found = await audit(settings, question)
            assert (found.rows_missing, found.rows_repaired) == (len(holes), len(holes))
            assert set(holes) == {"fleet_1m"}
            assert await row_values(store, "fleet_1m", fleet, *span) == before


def test_shards_take_turns_with_their_minutes(tmp_path: Path) -> None:
    groups = "".join(
        f"  - {{id: g{n}, preset: starcloud-1, channels: {channels}, report_interval_s: "
        f"{every_s}, orbit: {{ring: {{count: 2, altitude_km: 550, inclination_deg: 53}}}}}}\n"
        for n, (channels, every_s) in enumerate(
            [("all", 1), ("housekeeping", 1), ("all", 2), ("all", 1), ("all", 60)]
        )
    )
    path = tmp_path / "turns.yaml"
    path.write_text(f"name: turns\nepoch: 2026-03-20T12:00:00Z\nstep_s: 1\nfleet:\n{groups}")
    one = ran(started(open_scenario(Settings(scenario=str(path)))), 130)
    times = {shard.name: (shard.period_ticks, shard.phase_ticks) for shard in one.shards}
    assert [period for period, _ in times.values()] == [1, 1, 2, 1, 60]
    left_s: dict[str, set[int]] = defaultdict(set)
    for (shard, seq), body in bodies(one).items():
        for measurement, _, time_ns, _ in rows({(shard, seq): body}):
            if measurement == "sat_1m":
                period_s, phase_s = times[shard]
                begun_s = round((time_ns - one.epoch_ns) / 1e9)
                left_s[shard].add(seq * period_s + phase_s - begun_s - 60)
    # After the minute's end; the slow shard's next report is its turn.
    assert left_s == {"s0000": {0}, "s0001": {1}, "s0002": {2}, "s0003": {3}, "s0004": {4}}
