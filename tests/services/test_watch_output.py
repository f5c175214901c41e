"""What the watcher writes and reads: rows, snapshots, verdicts on the pipeline."""

import asyncio
from collections.abc import Sequence

import numpy as np
import orjson
import pytest
from watch_fixture import (
    FLEET,
    RULES_OF_FLEETS,
)
from watched import EPOCH_S

from services.alert_book import AlertBook
from services.line_protocol import LineProtocolError, read_rows
from services.ops_rows import OpsRow
from services.pipeline_watch import PipelineWatch
from services.store import RejectedRowsError, StoreUnavailableError
from services.watch_output import BREACHES_LIMIT, Output, age_heads, breach_rows, command_row
from twin.alert_series import Breach, Transition
from twin.alerts import RULES, rule_by_name


def test_of_one_rule_no_more_satellites_are_written_down_than_anybody_reads() -> None:
    heads = age_heads(FLEET, [f"s{k}" for k in range(3000)], ["p"] * 3000)
    rule = rule_by_name()["safe_mode"]
    rows = breach_rows(heads, [Breach(rule, np.arange(3000), np.full(3000, 3.0))], 7)
    assert rows.count(b"\n") == BREACHES_LIMIT
    assert rows.startswith(b"sat_breach,fleet=watched,plane=p,sat=s0,rule=safe_mode v=3.0 7\n")


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
