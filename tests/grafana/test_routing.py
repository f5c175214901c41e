"""Who hears of what, by Debian's real Alertmanager: amtool's verdict, and what it really sends.

Grafana embeds a fork of Alertmanager; this proves the tree, not Grafana's delivery.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp.test_utils import TestClient, TestServer
from alertmanager import alertmanager, amtool, configuration

from dashboards.alerting_files import fleet_causes
from dashboards.build import dashboards
from dashboards.grafana_rules import FOLDER_TITLE, RuleSpec, rule_labels
from dashboards.routes import RECEIVERS, RouteSpec, tree
from dashboards.routes_grafana import TEMPLATE
from dashboards.rule_specs import rule_specs
from services.notifications import Inbox, notifications_app

SPECS = rule_specs(dashboards())
STORM = "radiation_storm"
CAUSES = fleet_causes(SPECS) | {STORM}
LOG_RECEIVERS = {"critical": "page", "warning": "ticket", "info": "log"}
SATELLITES = 1_000


def labels_of(spec: RuleSpec, **tags: str) -> dict[str, str]:
    """Labels as Grafana sends them: the rule's, the series', and those it adds."""
    return rule_labels(spec) | {"alertname": spec.title, "grafana_folder": FOLDER_TITLE} | tags


def expected(spec: RuleSpec) -> str:
    labels = spec.labels
    if labels["scope"] == "satellite" and labels["severity"] != "info":
        return "ticket" if labels["cause"] in CAUSES else LOG_RECEIVERS[labels["severity"]]
    return LOG_RECEIVERS[labels["severity"]]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    (tmp_path / "alertmanager.yml").write_text(configuration(tree(CAUSES), "http://127.0.0.1:9"))
    return tmp_path


def verdict(home: Path, labels: dict[str, str]) -> str:
    words = [f"{key}={value}" for key, value in labels.items()]
    return amtool("config", "routes", "test", "--config.file=alertmanager.yml", *words, path=home)


def test_amtool_takes_the_file(written: Path) -> None:
    assert "SUCCESS" in amtool("check-config", "alertmanager.yml", path=written)


def test_every_rule_reaches_the_receiver_of_its_severity(written: Path) -> None:
    sorts = {  # one of each sort: amtool takes a process for each
        (spec.labels["severity"], spec.labels["scope"], spec.labels["cause"] in CAUSES): spec
        for spec in SPECS
    }
    for spec in sorts.values():
        labels = labels_of(spec, fleet="flown-2026", sat="SatA", plane="P1")
        assert verdict(written, labels) == RECEIVERS[expected(spec)], spec.uid  # type: ignore[index]


def test_only_a_rule_that_pages_stands_in_for_its_satellites() -> None:
    """Else nobody would be woken: neither by the satellites nor by the fleet."""
    fleet = spec_with(scope="fleet", severity="warning", cause="x")
    assert fleet_causes([fleet]) == set()
    assert fleet_causes([replace(fleet, labels=fleet.labels | {"severity": "critical"})]) == {"x"}


def spec_with(**labels: str) -> RuleSpec:
    return replace(SPECS[0], labels=SPECS[0].labels | labels)


def test_severity_scope_and_cause_decide(written: Path) -> None:
    mine = {"managed_by": "orbital-twin", "fleet": "live", "scope": "satellite", "cause": "x"}
    cases = [
        ({"severity": "critical"}, "page"),
        ({"severity": "warning"}, "ticket"),
        ({"severity": "info"}, "log"),
        ({"severity": "critical", "cause": STORM}, "ticket"),
        ({"severity": "info", "cause": STORM}, "log"),
        ({"severity": "critical", "cause": STORM, "scope": "fleet"}, "page"),
        ({"severity": "critical", "cause": f"{STORM}_2"}, "page"),
        ({"severity": "critical", "fleet": "drill-a", "scope": "fleet"}, "drill"),
        ({"severity": "critical", "fleet": "undrill-a"}, "page"),
        ({}, "ticket"),
    ]
    for labels, receiver in cases:
        assert verdict(written, mine | labels) == RECEIVERS[receiver], labels  # type: ignore[index]


def test_what_is_not_ours_is_not_taken(written: Path) -> None:
    assert verdict(written, {"severity": "critical", "team": "a"}) == "nobody"


def test_pages_are_never_muted_and_tickets_for_an_hour_a_week(written: Path) -> None:
    document = yaml.safe_load((written / "alertmanager.yml").read_text())
    (branch,) = document["route"]["routes"]
    muted = {route["receiver"]: route.get("mute_time_intervals") for route in branch["routes"]}
    assert muted[RECEIVERS["page"]] is None
    assert muted[RECEIVERS["ticket"]] == ["twin-planned-work"]


def quick(root: RouteSpec) -> RouteSpec:
    """The same tree with first notices after 2 s: grouping does not hang on the wait."""
    return replace(root, group_wait_s=2, routes=tuple(map(quick, root.routes)))


@pytest.fixture
async def sink() -> AsyncIterator[tuple[Inbox, str]]:
    inbox = Inbox(keep_alerts=True)
    async with TestServer(notifications_app(inbox)) as server:
        yield inbox, str(server.make_url("")).rstrip("/")


async def sent(alerts: list[dict[str, str]], sink: tuple[Inbox, str]) -> list[dict[str, Any]]:
    """Raises the alerts at once; the groups that Alertmanager made, when each has been told."""
    inbox, url = sink
    body = [{"labels": labels, "annotations": {"summary": "x"}} for labels in alerts]
    with alertmanager(configuration(quick(tree(CAUSES)), url)) as server:
        root = f"http://{server.host}:{server.port}/api/v2"
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{root}/alerts", json=body) as answer:
                assert answer.status == 200, await answer.text()
            groups: list[dict[str, Any]] = []
            async with asyncio.timeout(60):
                while sum(len(group["alerts"]) for group in groups) < len(alerts):
                    async with session.get(f"{root}/alerts/groups") as answer:
                        groups = await answer.json()
                while len(inbox.messages) < len(groups):
                    inbox.arrived.clear()
                    await inbox.arrived.wait()
    return groups


def storm(cause: str, severity: str, name: str, **tags: str) -> dict[str, str]:
    return {
        "alertname": name,
        "grafana_folder": FOLDER_TITLE,
        "managed_by": "orbital-twin",
        "severity": severity,
        "cause": cause,
        "fleet": "live",
        **tags,
    }


async def test_a_storm_over_a_thousand_satellites_is_one_page_and_one_ticket(
    sink: tuple[Inbox, str],
) -> None:
    """Each satellite breaks two rules of the storm's cause, the fleet one."""
    alerts = [storm(STORM, "critical", "Radiation storm", scope="fleet")]
    for number in range(SATELLITES):
        tags = {"scope": "satellite", "sat": f"Sat{number}", "plane": f"P{number % 20}"}
        alerts.append(storm(STORM, "critical", "Upset burst", **tags))
        alerts.append(storm(STORM, "warning", "Dose rate high", **tags))
    groups = await sent(alerts, sink)
    messages = list(sink[0].messages)
    assert sorted(one.receiver for one in messages) == ["page", "ticket"]
    assert sum(len(group["alerts"]) for group in groups) == 2 * SATELLITES + 1
    (ticket,) = [one for one in messages if one.receiver == "ticket"]
    assert (ticket.alerts, ticket.truncated_alerts) == (50, 2 * SATELLITES - 50)


async def test_every_storm_that_the_rules_know_is_three_notifications_at_most(
    sink: tuple[Inbox, str],
) -> None:
    """All rules of every cause with a rule for the fleet at once, on each of 40 satellites."""
    alerts = []
    for spec in SPECS:
        if spec.labels["cause"] in CAUSES:
            several = spec.labels["scope"] == "satellite"
            for number in range(40 if several else 1):
                tags = {"sat": f"Sat{number}", "plane": f"P{number % 4}"} if several else {}
                alerts.append(labels_of(spec, fleet="live", **tags))
    await sent(alerts, sink)
    counts = Counter(one.labels["cause"] for one in sink[0].messages)
    assert counts.keys() == fleet_causes(SPECS)
    assert max(counts.values()) <= 3, counts


async def test_a_thousand_satellites_of_one_rule_without_a_fleet_rule_are_one_page(
    sink: tuple[Inbox, str],
) -> None:
    tags = [{"scope": "satellite", "sat": f"Sat{n}", "plane": f"P{n % 20}"} for n in range(1000)]
    await sent([storm("charge", "critical", "Battery low", **one) for one in tags], sink)
    (page,) = sink[0].messages
    assert (page.receiver, page.alerts, page.truncated_alerts) == ("page", 50, 950)


async def test_a_drill_reaches_its_scorer_by_plane_and_nobody_else(
    sink: tuple[Inbox, str],
) -> None:
    alerts = [
        storm(
            "charge", "critical", "Battery low", fleet="drill-a", sat=f"Sat{n}", plane=f"P{n % 3}"
        )
        for n in range(9)
    ]
    await sent(alerts, sink)
    assert [one.receiver for one in sink[0].messages] == ["drill"] * 3
    assert {row["labels"]["sat"] for row in sink[0].alerts} == {f"Sat{n}" for n in range(9)}


def render(name: str, home: Path, alerts: list[dict[str, Any]]) -> str:
    """A template of ours through Alertmanager's own engine."""
    data = {
        "receiver": "page",
        "status": "firing",
        "alerts": alerts,
        "commonLabels": {"alertname": "Battery low", "severity": "critical", "cause": "charge"},
        "groupLabels": {},
        "commonAnnotations": {},
        "externalURL": "",
    }
    (home / "twin.tmpl").write_text(TEMPLATE)
    (home / "data.json").write_text(json.dumps(data))
    return amtool(
        "template", "render", "--template.glob=twin.tmpl", "--template.data=data.json",
        f'--template.text={{{{ template "{name}" . }}}}', path=home,
    )  # fmt: skip


def test_texts_of_notifications_render(tmp_path: Path) -> None:
    alerts = [
        {
            "status": "firing",
            "startsAt": "2026-11-22T10:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "labels": {"sat": f"Sat{number}"},
            "annotations": {"summary": f"Sat{number}: battery at 20 %"},
        }
        for number in range(12)
    ]
    assert render("twin.title", tmp_path, alerts) == "[FIRING 12] critical: Battery low (charge)"
    lines = render("twin.message", tmp_path, alerts).splitlines()
    assert lines[0] == "- firing since 2026-11-22T10:00:00Z: Sat0: battery at 20 %"
    assert len(lines) == 11
    assert lines[-1] == "... 12 alerts in all"
    assert len(render("twin.message", tmp_path, alerts[:2]).splitlines()) == 2


async def test_a_notification_that_comes_again_is_counted_once() -> None:
    inbox = Inbox()
    async with TestClient(TestServer(notifications_app(inbox))) as client:
        row = {"fingerprint": "a", "startsAt": "2026-11-22T10:00:00Z", "status": "firing"}
        body = {"status": "firing", "alerts": [row], "title": "t"}
        for count in (1, 0):
            async with client.post("/page", json=body) as answer:
                assert await answer.json() == {"new_alerts": count}
        async with client.post("/ticket", json=body) as answer:
            assert await answer.json() == {"new_alerts": 1}
        async with client.post("/page", json={"x": 1}) as answer:
            assert answer.status == 400
        async with client.post("/page", data=b"[") as answer:
            assert answer.status == 400
        async with client.get("/notifications") as answer:
            shown = await answer.json()
        assert [one["receiver"] for one in shown] == ["ticket", "page", "page"]
        async with client.get("/healthz") as answer:
            assert answer.status == 200
