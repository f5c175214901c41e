"""A live drill as Grafana tells of it: webhooks and states of rules, in any order and repeated."""

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from socket import socket
from typing import Any

import aiohttp
import pytest
from fake import V9, V13, FakeGrafana, fake_grafana
from fake_state import Profile
from provisioned import QUICK, everything, run, settings_of
from pydantic import SecretStr

from dashboards.build import dashboards
from dashboards.rule_specs import rule_specs
from services.drill_files import open_drill
from services.drill_grafana import STATES_PATH, GrafanaWatch, Told
from services.drill_live import open_at
from services.drill_run import DrillRun, Trace
from services.drill_score import marked
from services.drill_watched import Changes
from services.grafana import Grafana, GrafanaBusyError, GrafanaLogInError
from services.settings import load_settings
from twin.alert_states import Transition
from twin.alerts import RULES
from twin.errors import ConfigurationError, DependencyUnavailableError

DRILL = """
name: pump
title: A pump stops and is healed
about: One rule begins and ends on one satellite of two.
given:
  epoch: 2026-10-01T00:00:00Z
  seed: 7
  step_s: 10
  fleet:
    - {id: sc, preset: starcloud-2, report_interval_s: 10}
quiet_s: 60
run_s: 600
inject:
  - {id: it, fault: T1, at_s: 60, duration_s: 60, satellites: [sc_1]}
expect:
  - {rule: coolant_flow_lost, of: it, within_s: 60}
clear:
  - {rule: coolant_flow_lost, of: it, within_s: 400}
"""
RULE = "coolant_flow_lost"
FLEET = "drill-pump"
UID = "twin-coolant-flow-lost"
TOKEN = "token-of-more-than-16-characters"
EPOCH_S = datetime(2026, 10, 1, tzinfo=UTC).timestamp()
BEHIND_S = 3.25  # the evaluations of Grafana are where they are
Json = dict[str, Any]


@pytest.fixture(scope="module")
def drill_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("drill") / "pump.yaml"
    path.write_text(DRILL)
    return str(path)


@pytest.fixture(scope="module")
def flown(drill_path: str) -> Trace:
    """The drill off line: what Grafana is made to say."""
    drill, build = open_drill(drill_path)
    trace = DrillRun(drill, build, RULES).run()
    assert marked(trace, RULES).score.passed
    return trace


def stamp(elapsed_s: float, profile: Profile) -> str:
    """An instant as Go prints it: in UTC, or at the server's own offset, to nanoseconds."""
    zone = UTC if profile is V9 else timezone(timedelta(hours=2))
    moment = datetime.fromtimestamp(EPOCH_S + elapsed_s + BEHIND_S, zone)
    text = moment.isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z") if profile is V9 else f"{text[:26]}123{text[26:]}"


def heard(kind: type[Told] = Told) -> Told:
    told = kind(Changes(RULES, EPOCH_S), {one.name: one.tags for one in RULES}, FLEET, EPOCH_S)
    told.behind_s = BEHIND_S
    return told


def webhook(changes: list[Transition], profile: Profile) -> Json:
    """Body of a notification of one group; 13 says more of each alert than 9.4."""
    alerts = []
    for one in changes:
        begun = one.time_s if one.fires else BEGUN[one.rule.name, str(one.labels)]
        BEGUN[one.rule.name, str(one.labels)] = begun
        row = {
            "status": "firing" if one.fires else "resolved",
            "labels": {**one.rule.labels, "alertname": one.rule.title, **one.labels},
            "annotations": {},
            "startsAt": stamp(begun, profile),
            "endsAt": "0001-01-01T00:00:00Z" if one.fires else stamp(one.time_s, profile),
            "fingerprint": f"{one.rule.name}{sorted(one.labels.items())}",
            "values": {"B": 1.0, "C": 1.0},
        }
        alerts.append(row if profile is V9 else row | {"ruleUID": one.rule.uid, "orgId": 1})
    status = "firing" if any(row["status"] == "firing" for row in alerts) else "resolved"
    body = {"receiver": "Twin: drill", "status": status, "alerts": alerts, "version": "1",
            "groupKey": "{}", "truncatedAlerts": 0, "title": "", "state": "alerting"}  # fmt: skip
    return body if profile is V9 else body | {"appVersion": "13.2.3"}


BEGUN: dict[tuple[str, str], float] = {}


@contextmanager
def provisioned(profile: Profile = V9) -> Iterator[FakeGrafana]:
    """A stand-in with every rule of ours."""
    with fake_grafana(profile) as server:
        every = replace(everything(server), rules=tuple(rule_specs(dashboards())))
        run(server, every, parts=("store", "rules"))
        yield server


def states(server: FakeGrafana, trace: Trace, elapsed_s: float, profile: Profile) -> None:
    """What Grafana's rules say at an instant of the run."""
    server.state.alerts.clear()
    latest: dict[tuple[str, str], Transition] = {}
    fired: dict[tuple[str, str], float] = {}
    for one in trace.transitions:
        if one.time_s <= elapsed_s:
            key = (one.rule.name, str(one.labels))
            latest[key] = one
            if one.fires:
                fired[key] = one.time_s
    for key, one in latest.items():
        since_s = fired[key] if one.after == "Alerting" else one.time_s
        row = {"labels": dict(one.labels), "state": one.after, "activeAt": stamp(since_s, profile)}
        if one.after == "Normal" and profile is V9:
            row["state"] = "Normal (MissingSeries)"
        server.state.alerts.setdefault(one.rule.uid, []).append(row)
    server.state.evaluated = stamp(elapsed_s, profile)


@pytest.mark.parametrize("profile", [V9, V13], ids=["9.4", "13"])
def test_webhooks_states_and_both_twice_give_the_score_of_the_run_that_they_tell_of(
    flown: Trace, profile: Profile
) -> None:
    instants = sorted({0.0, 600.0, *(one.time_s for one in flown.transitions)})
    by_hook, by_state, by_both = heard(), heard(), heard()
    with provisioned(profile) as server, Grafana(settings_of(server), QUICK) as door:
        for elapsed_s in instants:
            now = [one for one in flown.transitions if one.time_s == elapsed_s]
            told = [one for one in now if one.fires or one.resolves]
            body = webhook(told, profile)
            states(server, flown, elapsed_s, profile)
            answer = door.get(STATES_PATH)
            for alert in body["alerts"]:
                by_hook.notified(alert)
            by_state.polled(answer)
            for _ in range(2):
                for alert in body["alerts"]:
                    by_both.notified(alert)
                by_both.polled(answer)
    assert by_state.found == {one.name for one in RULES}
    assert by_state.changes.judged_s == pytest.approx(600.0, abs=1e-3)
    wanted = marked(flown, RULES)
    assert wanted.score.detections[0].outcome == "seen"
    for one in (by_hook, by_state, by_both):
        changes = one.changes.until(600.01)
        found = marked(replace(flown, transitions=changes), RULES)
        assert found.score.passed
        assert found.score.flaps_count == wanted.score.flaps_count
        assert len(found.firings) == len(wanted.firings)
        for mine, theirs in zip(found.firings, wanted.firings, strict=True):
            assert (mine.rule, mine.key) == (theirs.rule, theirs.key)
            assert mine.from_s == pytest.approx(theirs.from_s, abs=1e-3)
            assert mine.to_s == pytest.approx(theirs.to_s, abs=1e-3)


def alert(rule: str = RULE, at_s: float = 100.0, **labels: str) -> Json:
    own = {"rule": rule, "fleet": FLEET, "plane": "sc", "sat": "sc_1"}
    return {"status": "firing", "labels": own | labels, "startsAt": stamp(at_s, V9),
            "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "f"}  # fmt: skip


def test_an_alert_that_fires_again_is_another_one_and_other_fleets_are_none() -> None:
    told = heard()
    told.notified(alert())
    told.notified(alert(at_s=102.0))  # the same evaluation, told otherwise
    told.notified(alert(fleet="flown-2026"))
    told.notified(alert(rule="somebodys_own"))
    told.notified(alert() | {"status": "resolved", "endsAt": stamp(200.0, V9)})
    told.notified(alert())  # late and long over
    told.notified(alert(at_s=300.0))
    found = [(round(one.time_s), one.after) for one in told.changes.until(math.inf)]
    assert found == [(100, "Alerting"), (200, "Normal"), (300, "Alerting")]
    assert told.changes.unknown == 1


def free_port() -> int:
    with closing(socket()) as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])


def watch(server: FakeGrafana, **own: Any) -> GrafanaWatch:
    listen = f"127.0.0.1:{free_port()}"
    update = {"drill_listen": listen, "drill_token": SecretStr(TOKEN)} | own
    settings = settings_of(server).model_copy(update=update)
    found = GrafanaWatch(settings, [RULE], QUICK, poll_every_s=0.02)
    found.told = heard(Polled)
    return found


@dataclass
class Polled(Told):
    """Says when it has been told of states."""

    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def polled(self, answer: Mapping[str, Any]) -> None:
        super().polled(answer)
        self.heard.set()


async def until(hears: GrafanaWatch, judged_s: float) -> None:
    assert isinstance(hears.told, Polled)
    while hears.told.changes.judged_s < judged_s:
        hears.told.heard.clear()
        await hears.told.heard.wait()


async def test_the_receiver_takes_what_bears_the_token_and_the_door_what_has_no_webhook() -> None:
    async def work() -> list[int]:
        await until(hears, 50.0)
        url = f"http://{hears.settings.drill_listen}/drill"
        body = {"status": "firing", "alerts": [alert()]}
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        answers = []
        async with aiohttp.ClientSession() as client:
            for headers, content in [({}, body), (bearer, body), (bearer, body),
                                     (bearer, {"status": "firing", "alerts": [{}]})]:  # fmt: skip
                async with client.post(url, json=content, headers=headers) as answer:
                    answers.append(answer.status)
        server.state.errors[UID] = "connection\nrefused"
        server.state.alerts["twin-tumbling"] = [
            {"labels": {"fleet": FLEET, "plane": "sc", "sat": "sc_2"}, "state": "Alerting",
             "activeAt": stamp(110.0, V9)}
        ]  # fmt: skip
        server.state.evaluated = stamp(120.0, V9)
        await until(hears, 119.0)
        return answers

    with provisioned() as server:
        server.state.evaluated = stamp(60.0, V9)
        hears = watch(server)
        assert await asyncio.wait_for(hears.beside(work()), 20.0) == [401, 200, 200, 400]
    firing = [(one.rule.name, one.labels["sat"]) for one in hears.told.changes.until(200.0)
              if one.fires]  # fmt: skip
    assert firing == [(RULE, "sc_1"), ("tumbling", "sc_2")]
    assert hears.told.ill == {RULE: "connection refused"}


async def test_what_is_wrong_is_said_in_one_line_and_ends_the_drill() -> None:
    async def ended(hears: GrafanaWatch) -> str:
        with pytest.raises(Exception) as failed:
            await asyncio.wait_for(hears.beside(asyncio.Event().wait()), 20.0)
        known = (DependencyUnavailableError, GrafanaLogInError, GrafanaBusyError)
        assert isinstance(failed.value, known)
        assert "\n" not in str(failed.value)
        return str(failed.value)

    with fake_grafana() as server:
        assert f"no rule {RULE}; use `twin provision apply`" in await ended(watch(server))
        assert "HTTP 401" in await ended(watch(server, grafana_token=SecretStr("x" * 20)))
        server.trouble = lambda *_: "before"
        assert "is it running" in await ended(watch(server))
        with closing(socket()) as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            assert f"TWIN_DRILL_LISTEN {listen}" in await ended(watch(server, drill_listen=listen))
        with pytest.raises(ConfigurationError, match=r"TWIN_DRILL_TOKEN_FILE.*not a loopback"):
            watch(server, drill_listen="0.0.0.0:1", drill_token=None)


def test_the_epoch_of_the_settings_is_the_drills(drill_path: str) -> None:
    drill, build = open_at(load_settings(epoch="2026-11-22T08:00:00Z"), drill_path)
    assert drill.scenario.epoch_unix_s == datetime(2026, 11, 22, 8, tzinfo=UTC).timestamp()
    assert build.fleet.count == 2
    with pytest.raises(ConfigurationError, match=r"TWIN_EPOCH.*another instant"):
        open_at(load_settings(epoch="now"), drill_path)
