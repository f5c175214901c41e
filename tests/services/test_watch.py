"""The watcher: the verdicts of the rules whoever brings the rows, in order or not; restarts."""

import numpy as np
import orjson
import pytest
from watch_fixture import (
    COOLANT_LOST,
    FLEET,
    UNTIL_S,
    Sent,
    flown,
    message,
    reference,
)
from watched import EPOCH_S, Watched, story

from services.fleet_watch import BEHIND_LIMIT
from services.topics import Topics
from twin.alerts import rule_by_name
from twin.report_ages import NS_PER_S


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
