"""The watcher: the verdicts of the rules whoever brings the rows, in order or not; restarts."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pytest
from watch_fixture import (
    COOLANT_LOST,
    FLEET,
    RULES_OF_FLEETS,
    UNTIL_S,
    Sent,
    flown,
    message,
    reference,
)

from services.alert_book import AlertBook
from services.fleet_watch import BEHIND_LIMIT
from services.line_protocol import LineProtocolError, read_rows
from services.ops_rows import OpsRow
from services.pipeline_watch import PipelineWatch
from services.store import RejectedRowsError, StoreUnavailableError
from services.topics import Topics
from services.watch_output import BREACHES_LIMIT, Output, age_heads, breach_rows, command_row
from services.watcher import Watcher
from twin.alert_series import Breach, Transition
from twin.alerts import RULES, rule_by_name
from twin.report_ages import NS_PER_S

EPOCH_S = 1_790_812_800.0  # 2026-10-01 00:00 UTC


class Wall:
    """A steady clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Watched:
    """A watcher and everything that it says."""

    def __init__(self) -> None:
        self.wall, self.output = Wall(), Output()
        self.said: list[Transition] = []
        self.ages: dict[int, dict[str, tuple[float, float]]] = {}
        self.silence: dict[int, list[float]] = {}  # silent and reachable, by time
        self.breaches: dict[tuple[str, str], list[tuple[float, float]]] = {}
        self.shown: list[dict[str, object]] = []
        self.watcher = Watcher(RULES_OF_FLEETS, self.output, self.wall)
        said: Any = self.output  # instead of a store and a broker
        said.add = lambda _fleet, changes, _time_ns: self.said.extend(changes)
        said.add_ages = lambda _fleet, rows: self._age(rows)
        said.show = lambda _fleet, told: self.shown.append(orjson.loads(told))

    def _age(self, rows: bytes) -> None:
        for part in read_rows(rows).get("sat_breach", []):
            table = part.arrays()
            columns = (table[name].tolist() for name in ("rule", "sat", "time", "v"))
            for rule, sat, time_ns, value in zip(*columns, strict=True):
                at_s = time_ns / NS_PER_S - EPOCH_S
                self.breaches.setdefault((rule, sat), []).append((at_s, value))
        for part in read_rows(rows)["fleet_watch"]:
            table = part.arrays()
            cells = (table[name].tolist() for name in ("time", "silent_count", "reachable_count"))
            self.silence |= {time_ns: counts for time_ns, *counts in zip(*cells, strict=True)}
        for part in read_rows(rows)["sat_watch"]:
            table = part.arrays()
            for sat, time_ns, *cells in zip(
                table["sat"], table["time"], table["age_s"], table["late_s"], strict=True
            ):
                self.ages.setdefault(int(time_ns), {})[str(sat)] = (cells[0], cells[1])

    async def fly(
        self, sent: Sequence[Sent], from_s: float = 0.0, to_s: float = 1e9, wall_s: float = 5.0
    ) -> None:
        """Messages as they leave, so long by the wall clock between one time and the next."""
        for at_s in sorted({one.at_s for one in sent if from_s <= one.at_s < to_s}):
            for one in sent:
                if one.at_s == at_s:
                    self.watcher.on_message(one.message)
            self.wall.now_s += wall_s
            await self.watcher.turn()


def story(changes: Sequence[Transition]) -> list[tuple[object, ...]]:
    """What matters of a change; a value that is not known is no value."""
    return [
        (c.time_s, c.rule.name, c.labels.get("sat"), c.before, c.after, c.reason, c.value)
        for c in changes
    ]


async def test_the_verdicts_are_those_of_the_evaluator_on_the_same_rows() -> None:
    fleet, sent = flown()
    watched = Watched()
    await watched.fly(sent)
    expected = story(reference(fleet, sent, UNTIL_S - 10.0))
    assert story(watched.said)[: len(expected)] == expected
    assert ("coolant_flow_lost", "sc_1", "Alerting") in {(s[1], s[2], s[4]) for s in expected}
    assert watched.watcher.counts.refused == 0
    assert watched.watcher.skipped == 0


async def test_who_is_in_breach_is_written_down_at_every_instant() -> None:
    """For Grafana in large fleets: from the first breach to the last, alerts wait or not."""
    _, sent = flown()
    watched = Watched()
    await watched.fly(sent)
    rows = watched.breaches["coolant_flow_lost", "sc_1"]
    fired, ended = (
        next(c.time_s for c in watched.said if c.rule.name == "coolant_flow_lost" and c.after == to)
        for to in ("Alerting", "Recovering")
    )
    times = [at_s + EPOCH_S for at_s, _ in rows]
    assert times == pytest.approx(np.arange(fired, ended, 10.0))
    assert all(value < 90.0 for _, value in rows)
    waiting = {(c.rule.name, c.labels["sat"]) for c in watched.said if c.rule.scope == "satellite"}
    assert set(watched.breaches) == waiting


def test_of_one_rule_no_more_satellites_are_written_down_than_anybody_reads() -> None:
    heads = age_heads(FLEET, [f"s{k}" for k in range(3000)], ["p"] * 3000)
    rule = rule_by_name()["safe_mode"]
    rows = breach_rows(heads, [Breach(rule, np.arange(3000), np.full(3000, 3.0))], 7)
    assert rows.count(b"\n") == BREACHES_LIMIT
    assert rows.startswith(b"sat_breach,fleet=watched,plane=p,sat=s0,rule=safe_mode v=3.0 7\n")


async def test_order_and_bursts_of_arrival_change_nothing() -> None:
    _, sent = flown()
    calm, shuffled = Watched(), Watched()
    await calm.fly(sent)
    random = np.random.default_rng(3)
    late = [Sent(30.0 * (one.at_s // 30.0), one.message) for one in sent]
    await shuffled.fly([late[k] for k in random.permutation(len(late))], wall_s=1.0)
    assert story(shuffled.said) == story(calm.said)[: len(shuffled.said)]
    assert len(shuffled.said) > 2


async def test_one_who_goes_silent_is_found_and_one_out_of_contact_is_not() -> None:
    _, sent = flown()

    def silent(one: Sent) -> bool:
        payload = one.message.payload
        return one.at_s >= 200 and b"sat=mvp" in payload

    for is_told in (False, True):
        watched = Watched()
        if is_told:
            gone = {"sat": "mvp", "gnd_contact": 0, "t_ns": round((EPOCH_S + 195.0) * NS_PER_S)}
            topic = Topics(FLEET).state("mvp")
            watched.watcher.on_message(message(topic, orjson.dumps(gone), retained=True))
        await watched.fly([one for one in sent if not silent(one)])
        fired = [c for c in watched.said if c.rule.name == "satellite_silent" and c.fires]
        heard_s = max(
            one.at_s for one in sent if b"sat=mvp" in one.message.payload and one.at_s < 200
        )
        if is_told:
            assert fired == []
        else:
            limit = rule_by_name()["satellite_silent"].condition.above
            assert limit is not None
            assert [c.labels["sat"] for c in fired] == ["mvp"]
            overdue_s = fired[0].time_s - EPOCH_S - heard_s - 20.0
            assert limit.value < overdue_s <= limit.value + 10.0
        age_s, late_s = watched.ages[max(watched.ages)]["mvp"]
        assert age_s == max(watched.ages) / NS_PER_S - EPOCH_S - heard_s
        assert late_s == (0.0 if is_told else age_s - 20.0)
        assert watched.silence[max(watched.silence)] == ([0, 2] if is_told else [1, 3])


async def test_a_simulator_that_dies_leaves_its_satellites_silent_one_that_leaves_does_not() -> (
    None
):
    _, sent = flown()
    for farewell, fires in (
        ({"service": "simulate", "state": "offline", "lost": True}, True),
        ({"service": "simulate", "state": "offline"}, False),
    ):
        watched = Watched()
        await watched.fly([one for one in sent if one.at_s < 60])
        watched.watcher.on_message(
            message(Topics(FLEET).service("simulate"), orjson.dumps(farewell))
        )
        for _ in range(60):
            watched.wall.now_s += 5.0
            await watched.watcher.turn()
        silent = [c for c in watched.said if c.fires and c.rule.name == "satellite_silent"]
        fired = {c.labels["sat"] for c in silent}
        assert fired == ({"sc_1", "sc_2", "mvp"} if fires else set())


async def test_a_restart_pages_nobody_twice_and_tells_what_ended_meanwhile() -> None:
    _, sent = flown()
    before = Watched()
    await before.fly(sent, to_s=200.0)
    fired = [c for c in before.said if c.fires]
    assert {(c.rule.name, c.labels["sat"]) for c in fired} >= {("coolant_flow_lost", "sc_1")}
    retained = message(Topics(FLEET).alerts(), orjson.dumps(before.shown[-1]), retained=True)
    for resumes_s in (200.0, 350.0):  # while it fires still, and after it has ended
        after = Watched()
        after.watcher.on_message(retained)
        await after.fly(sent, from_s=resumes_s)
        again = [c for c in after.said if c.fires and c.rule.name == "coolant_flow_lost"]
        assert again == []
        ended = [c for c in after.said if c.rule.name == "coolant_flow_lost" and c.resolves]
        assert len(ended) == 1
        assert ended[0].labels["sat"] == "sc_1"
        assert after.watcher.counts.carried >= 1
        first = after.shown[0]["alerts"]
        assert isinstance(first, list)
        shown = {row["rule"]: row["since_s"] for row in first}
        (was,) = [c for c in fired if c.rule.name == "coolant_flow_lost"]
        assert shown["coolant_flow_lost"] == was.since_s


async def test_another_run_starts_from_nothing() -> None:
    _, sent = flown()
    _, other = flown(COOLANT_LOST.replace("seed: 7", "seed: 8").replace("100", "300"), 310)
    watched = Watched()
    await watched.fly(sent, to_s=200.0)
    assert watched.watcher.fleets[FLEET].book.alerts
    await watched.fly(other, to_s=200.0)
    assert not watched.watcher.fleets[FLEET].book.alerts
    await watched.fly(sent, from_s=200.0, to_s=260.0)
    assert watched.watcher.counts.ended_runs > 0


async def test_what_nobody_can_use_is_counted_and_changes_nothing() -> None:
    watched = Watched()
    topic = Topics(FLEET).telemetry("s0000")
    for payload in (b"", b"#twin {}\n", b"rubbish", b"#twin " + b"x" * 1000):
        watched.watcher.on_message(message(topic, payload))
    watched.watcher.on_message(message(Topics(FLEET).state("a"), b"[" * 1000))
    watched.watcher.on_message(message(Topics(FLEET).service("simulate"), b"nothing"))
    assert watched.watcher.counts.refused == 4
    assert not watched.watcher.fleets


async def test_a_long_gap_is_not_judged_instant_by_instant() -> None:
    _, sent = flown()
    watched = Watched()
    await watched.fly(sent, to_s=60.0)
    watched.wall.now_s += 10.0 * (BEHIND_LIMIT + 100)
    await watched.watcher.turn()
    assert watched.watcher.skipped > 0
    assert watched.watcher.counts.evaluations < BEHIND_LIMIT + 20


class Refusing:
    """A store that says what it is told to."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers, self.written = list(answers), bytearray()
        self.is_written = asyncio.Event()

    async def prepare(self) -> None:
        """Always there."""

    async def write(self, lines: bytes) -> None:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.written += lines
        self.is_written.set()


def change(number: int, after: str = "Alerting") -> Transition:
    labels = {"fleet": FLEET, "plane": "p", "sat": f"s{number}"}
    rule = rule_by_name()["battery_critical"]
    return Transition(EPOCH_S, rule, labels, number, "Normal", after, "", 12.5, EPOCH_S)


async def test_alerts_wait_for_the_store_and_what_it_refuses_is_counted() -> None:
    output = Output()
    output.add(FLEET, [change(1), change(2, "Pending")], 1)
    store = Refusing(StoreUnavailableError("away"), None)
    task = asyncio.create_task(output.write_for_ever(store))  # type: ignore[arg-type]
    await asyncio.wait_for(store.is_written.wait(), 60.0)
    rows = read_rows(bytes(store.written))["alerts"][0].arrays()
    assert rows["rule"].tolist() == ["battery_critical"] * 2
    assert rows["state"].tolist() == ["alerting", "pending"]
    assert rows["since"].tolist() == [EPOCH_S] * 2
    assert rows["sat"].tolist() == ["s1", "s2"]
    assert output.counts.store_failures == 1
    store.answers = [RejectedRowsError("no"), None]
    store.is_written.clear()
    output.add(FLEET, [change(3)], 1)
    output.add_ages(FLEET, b"sat_watch,sat=a age_s=1 1\n")
    await asyncio.wait_for(store.is_written.wait(), 60.0)
    assert output.counts.rows_dropped == 1
    task.cancel()


def test_queues_are_bounded_and_the_newest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.watch_output.ROWS_LIMIT", 1000)
    output = Output()
    for _ in range(3):
        output.add(FLEET, [change(k) for k in range(500)], 1)
    assert output.counts.rows_dropped == 500
    assert output.waiting_count <= 1015
    output.add_ages(FLEET, b"a")
    output.add_ages(FLEET, b"b")
    assert output.counts.ages_replaced == 1


def test_a_snapshot_lists_what_fires_first_and_a_broken_one_is_nothing() -> None:
    book = AlertBook(FLEET, "run", RULES_OF_FLEETS)
    book.take([change(1, "Pending"), change(2), change(3, "Recovering")], EPOCH_S)
    told = orjson.loads(book.snapshot(5))
    assert [row["state"] for row in told["alerts"]] == ["Alerting", "Recovering", "Pending"]
    assert told["counts"] == {"Pending": 1, "Alerting": 1, "Recovering": 1}
    for bad in (b"", b"[]", b"{}", orjson.dumps(told | {"run": "x"}), b'{"v":1'):
        assert AlertBook(FLEET, "run", RULES_OF_FLEETS).carry(bad, EPOCH_S) == 0
    same = AlertBook(FLEET, "run", RULES_OF_FLEETS)
    assert same.carry(orjson.dumps(told), EPOCH_S) == 2


async def test_the_pipeline_is_judged_by_what_its_processes_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = [rule for rule in RULES if rule.scope == "pipeline"]
    output, lag_s = Output(), {"now": 0.0}
    pipeline = PipelineWatch(rules, output)

    async def answer(_store: object, fields: Sequence[str], _start: int, stop: int) -> list[OpsRow]:
        assert "watermark_lag_seconds" in fields
        if lag_s["now"] < 0.0:
            raise StoreUnavailableError("away")
        return [OpsRow("ingest", "1", stop, {"watermark_lag_seconds": lag_s["now"]})]

    monkeypatch.setattr("services.pipeline_watch.ops_rows", answer)
    states = []
    for tick, seconds in enumerate([0.0, 90.0, 90.0, 90.0, 90.0, 90.0, 90.0, 90.0, -1.0]):
        lag_s["now"] = seconds
        await pipeline.evaluate(None, EPOCH_S + 10.0 * tick)  # type: ignore[arg-type]
        states.append(pipeline.book.counts())
    assert states[1] == {"Pending": 1}
    assert states[7] == {"Alerting": 1}
    assert states[8]["Error"] == len(rules)
    (fired,) = [a for a in pipeline.book.alerts.values() if a.state == "Alerting"]
    assert fired.labels == {"service": "ingest", "instance": "1"}
    assert pipeline.failures == 1


async def test_an_accelerated_run_that_waits_for_its_store_leaves_nobody_silent() -> None:
    _, sent = flown()
    watched = Watched()
    await watched.fly(sent, to_s=60.0, wall_s=0.5)
    for _ in range(100):
        watched.wall.now_s += 5.0
        await watched.watcher.turn()
    assert not [c for c in watched.said if c.rule.name == "satellite_silent"]
    await watched.fly(sent, from_s=60.0, to_s=90.0, wall_s=0.5)
    assert watched.watcher.counts.evaluations >= 7


def test_rows_with_text_are_read_and_what_is_broken_is_refused() -> None:
    row = rb'events,kind=inject,target=all text="a, b=\"c\" \\ d",satellites=2,n=3i 17'
    table = read_rows(row + b"\n")["events"][0].arrays()
    assert table["text"].tolist() == ['a, b="c" \\ d']
    assert (table["satellites"].tolist(), table["n"].tolist()) == ([2.0], [3])
    assert (table["time"].tolist(), table["kind"].tolist()) == ([17], ["inject"])
    for bad in (
        b'e a="b 1',
        b'e a="b" c',
        b'e a="b"c=1 1',
        b"e a=1 x",
        b'e a="b" 1 1',
        b'e ="b" 1',
    ):
        with pytest.raises(LineProtocolError):
            read_rows(bad + b"\n")
    with pytest.raises(LineProtocolError):
        read_rows(b'e a="b" 1\ne a=2 2\n')["e"][0].arrays()


def test_what_became_of_a_command_is_a_row_and_rubbish_is_none() -> None:
    done = {"kind": "command_done", "target": "all", "t_ns": 5, "satellites": 2}
    row = command_row("f", done | {"command": "inject", "fault": 'T"1\\', "severity": 0.5})
    table = read_rows(row)["events"][0].arrays()
    assert table["text"].tolist() == ["inject T'1/ 0.5"]
    assert (table["satellites"].tolist(), table["kind"].tolist()) == ([2.0], ["command_done"])
    for wrong in ({"target": "a b"}, {"kind": 1}, {"t_ns": "x"}, {"t_ns": None}):
        assert command_row("f", done | wrong) == b""


def test_a_fleet_that_reports_too_rarely_for_the_rules_is_named_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched()
    for satellite, interval_s in (("a", 60.0), ("b", 600.0), ("c", 600.0), ("d", "often")):
        told = orjson.dumps({"sat": satellite, "report_interval_s": interval_s})
        watched.watcher.on_message(message(Topics(FLEET).state(satellite), told, retained=True))
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"fleet {FLEET}: report_interval_s of b: 600 s is too rare")
    assert "allowed up to 60" in line
