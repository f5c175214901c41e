"""The Alerts view: what the watcher said, counted, listed, filtered and explained."""

import io
import os
from pathlib import Path

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from alerts_fixture import FLEET, board, changes
from chromium import chromium_path, page
from console_fixture import FixtureFleet, build, pipeline_status
from PIL import Image

from services.alert_book import AlertBook
from services.console.alerts import LISTED_LIMIT, AlertBoard
from services.console.app import PICTURES, create_app
from twin.alerts import RULES, rule_by_name

COUNT = 25
NOW_S = 1_777_550_400.0
SAVE_TO = os.environ.get("ALERTS_PICTURE")


def satellites(fleet: FixtureFleet) -> list[tuple[str, str]]:
    return list(zip(fleet.ids, fleet.planes, strict=True))


async def test_the_answer_lists_what_the_watcher_said_and_counts_it() -> None:
    live, source = build(5, 1.0)
    alerts, book = board(satellites(source), NOW_S)
    app = create_app(live, source, pipeline_status, alerts=alerts, ticking=False)
    async with TestClient(TestServer(app)) as client:
        told = await (await client.get("/api/alerts")).json()
        status = await (await client.get("/api/status")).json()
        spec = await (await client.get("/api/console/spec")).json()
        assert (await client.post("/api/alerts", data=b"x")).status == 405
    (fleet,) = told["fleets"]
    expected = {(a.rule, a.state, a.labels.get("sat")) for a in book.alerts.values()}
    assert {(a["rule"], a["state"], a["labels"].get("sat")) for a in fleet["alerts"]} == expected
    firing = [a for a in book.alerts.values() if a.state == "Alerting"]
    critical = [a for a in firing if a.severity == "critical"]
    assert told["counts"]["firing"] == len(firing) > 0
    assert told["counts"]["critical"] == len(critical)
    assert told["counts"]["pending"] == len(book.alerts) - len(firing)
    assert status["alerts"] == told["counts"]
    assert told["watch"] == "online"
    newest = [row["t_s"] for row in fleet["history"]]
    assert newest == sorted(newest, reverse=True)
    assert [rule["name"] for rule in spec["alert_rules"]] == [rule.name for rule in RULES]
    assert all(rule["runbook"]["action"] for rule in spec["alert_rules"])


def test_a_storm_is_cut_and_counted_and_rubbish_changes_nothing() -> None:
    many = [(f"s{k}", "p") for k in range(LISTED_LIMIT + 50)]
    book, alerts = AlertBook(FLEET, "run", RULES), AlertBoard()
    (one,) = [c for c in changes(many[:1], NOW_S) if c.rule is RULES[1] and c.after == "Alerting"]
    storm = [one._replace(labels=dict(one.labels) | {"sat": sat}) for sat, _ in many]
    book.take(storm, NOW_S)
    alerts.on_states(FLEET, good := book.snapshot(1))
    (fleet,) = alerts.answer()["fleets"]
    assert (len(fleet["alerts"]), fleet["left_out"]) == (LISTED_LIMIT, 50)
    assert alerts.counts()["firing"] == len(many)
    told = orjson.loads(good)
    unfit = [b"[]", b"x", b"{}", orjson.dumps(told | {"alerts": [{"rule": "unheard_of"}]})]
    unfit.append(orjson.dumps(told | {"t_ns": "now"}))
    unfit.append(orjson.dumps(told | {"history": [1]}))
    for payload in unfit:
        alerts.on_states(FLEET, payload)
    assert alerts.rejected == len(unfit)
    assert alerts.counts()["firing"] == len(many)
    alerts.on_states(FLEET, b"")
    assert alerts.answer()["fleets"] == []


@pytest.mark.browser
@pytest.mark.skipif(chromium_path() is None, reason="Chromium is not installed")
async def test_the_view_lists_filters_explains_and_is_reached_by_keys() -> None:
    live, source = build(COUNT, 1.0)
    now_s = float(live.time_ns.max()) / 1e9
    alerts, book = board(satellites(source), now_s)
    app = create_app(live, source, pipeline_status, alerts=alerts, ticking=False)
    async with (
        TestServer(app) as server,
        page((1600, 1000), [("prefers-color-scheme", "dark")]) as tab,
    ):
        await app[PICTURES].turn()
        await tab.open(str(server.make_url("/")))
        await tab.until("document.documentElement.dataset.ready === 'fleet'")
        firing = sum(a.state == "Alerting" for a in book.alerts.values())
        await tab.until(f"document.getElementById('alerts-count').textContent === '{firing}'")
        assert await tab.run("document.getElementById('alerts-link').dataset.level") == "crit"
        await tab.press("a")
        await tab.until("document.documentElement.dataset.ready === 'alerts'")
        rows = "[...document.querySelectorAll('#alerts-view tbody tr')]"
        assert await tab.run(f"{rows}.length") == len(book.alerts)
        first = await tab.run(f"{rows}[0].innerText")
        assert "critical" in first and "firing" in first
        states = await tab.run(f"{rows}.map((r) => r.cells[1].textContent)")
        assert states == sorted(states)  # firing before pending

        named = rule_by_name()
        satellite = next(a for a in book.alerts.values() if "sat" in a.labels)
        row = f"{rows}.find((r) => r.dataset.rule === '{satellite.rule}')"
        assert await tab.run(f"{row}.querySelector('a').getAttribute('href')") == (
            f"#/sat/{satellite.labels['sat']}"
        )
        assert await tab.run(f"{row}.querySelector('details').open") is False
        await tab.run(f"{row}.querySelector('summary').focus()")
        await tab.press("Enter", "\r")
        await tab.until(f"{row}.querySelector('details').open")
        shown = await tab.run(f"{row}.innerText")
        assert named[satellite.rule].runbook.action[0] in shown
        assert named[satellite.rule].runbook.meaning in shown
        await tab.run("orbitalTwin.alerts.refresh()")
        assert await tab.run(f"{row}.querySelector('details').open") is True
        assert await tab.run("document.activeElement.tagName") == "SUMMARY"
        if SAVE_TO:
            Path(SAVE_TO).write_bytes(await tab.picture())

        cause = named[satellite.rule].cause
        choose = "const s = document.getElementById('alerts-cause');"
        await tab.run(f"(() => {{ {choose} s.value = '{cause}'; s.onchange?.();"
                      " s.dispatchEvent(new Event('change')); })()")  # fmt: skip
        kept = {a.rule for a in book.alerts.values() if named[a.rule].cause == cause}
        assert set(await tab.run(f"{rows}.map((r) => r.dataset.rule)")) == kept
        said = await tab.run("document.getElementById('status').textContent")
        assert said.startswith(f"{firing} alerts firing")
        heads = "[...document.querySelectorAll('#alerts-view th')]"
        assert await tab.run(f"{heads}.every((h) => h.scope === 'col')") is True
        picture = Image.open(io.BytesIO(await tab.picture())).convert("RGB")
        assert len(picture.getcolors(1_000_000) or []) > 50

        alerts.on_service("watch", {"service": "watch", "state": "offline"})
        await tab.run("orbitalTwin.alerts.refresh()")
        await tab.until("document.getElementById('alerts-note').innerText.includes('old')")
        await tab.press("Escape")
        await tab.until("document.documentElement.dataset.ready === 'fleet'")
        assert tab.errors == []


@pytest.mark.browser
@pytest.mark.skipif(chromium_path() is None, reason="Chromium is not installed")
async def test_without_a_watcher_the_view_says_so() -> None:
    live, source = build(5, 1.0)
    app = create_app(live, source, pipeline_status, ticking=False)
    async with TestServer(app) as server, page() as tab:
        await app[PICTURES].turn()
        await tab.open(str(server.make_url("/")) + "#/alerts")
        await tab.until("document.documentElement.dataset.ready === 'alerts'")
        assert "twin watch" in await tab.run("document.getElementById('alerts-view').innerText")
        assert tab.errors == []
