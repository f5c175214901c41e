"""`twin provision` against a stand-in for Grafana 9.4 and 13.2: our half of the conversation."""

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fake import V9, V13, FakeGrafana, fake_grafana
from fake_state import Profile
from provisioned import (
    NO_PATIENCE,
    STORE_TOKEN,
    drift,
    everything,
    fewer,
    inhabited,
    planned,
    run,
    snapshot,
    theirs,
    user_rule,
)

from dashboards.grafana_rules import FOLDER_UID
from services.grafana import GrafanaBusyError, GrafanaRefusedError
from services.grafana_settings import load_grafana_settings
from services.provision_export import exported
from services.provision_wanted import wanted
from services.settings import load_settings
from twin.errors import ConfigurationError


@pytest.fixture(params=[V9, V13], ids=["9.4", "13.2"])
def grafana(request: pytest.FixtureRequest) -> Iterator[FakeGrafana]:
    with fake_grafana(request.param) as server:
        yield server


def test_apply_brings_everything_and_again_changes_nothing(
    grafana: FakeGrafana, tmp_path: Path
) -> None:
    every = everything(grafana, tmp_path / "token")
    assert drift(planned(grafana, every))
    run(grafana, every)
    state = grafana.state
    assert set(state.folders) == {"twin-dashboards", FOLDER_UID}
    assert set(state.boards) == {every.boards[0]["uid"]}
    assert set(state.rules) == {rule.uid for rule in every.rules}
    assert {"twin-page", "twin-ticket", "twin-drill"} <= state.contacts.keys()
    assert state.sources["twin-influx"]["secureJsonData"] == {
        "httpHeaderValue1": f"Token {STORE_TOKEN}"
    }
    (account,) = state.accounts.values()
    assert account["role"] == "Editor"
    assert (tmp_path / "token").read_text().strip() == account["tokens"][0]["key"]
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    before, writes = snapshot(grafana), len(grafana.writes)
    assert drift(planned(grafana, every)) == []
    assert run(grafana, every, prune=True) == []
    assert len(grafana.writes) == writes
    assert snapshot(grafana) == before


def test_what_the_user_made_is_never_touched(grafana: FakeGrafana, tmp_path: Path) -> None:
    before = inhabited(grafana)
    every = everything(grafana, tmp_path / "token")
    run(grafana, every)
    assert theirs(grafana) == before
    run(grafana, fewer(every), prune=True)
    nothing = replace(fewer(every), rules=(), contacts=(), route=None, mutes=())
    run(grafana, nothing, prune=True)
    assert theirs(grafana) == before
    assert not grafana.state.rules.keys() - before["rules"].keys()
    assert not grafana.state.contacts.keys() - before["contacts"].keys()
    assert all("managed_by" not in str(one) for one in grafana.state.tree["routes"])


def test_prune_removes_only_with_the_word_and_only_ours(grafana: FakeGrafana) -> None:
    every = everything(grafana)
    run(grafana, every)
    later = fewer(every)
    left = [row for row in run(grafana, later) if row.action == "stale"]
    assert {row.kind for row in left} == {"rule group", "contact point", "dashboard"}
    assert drift(planned(grafana, later)) == []
    assert drift(planned(grafana, later, prune=True))
    run(grafana, later, prune=True)
    assert set(grafana.state.rules) == {rule.uid for rule in later.rules}
    assert grafana.state.boards == {}
    assert {uid for uid in grafana.state.contacts if uid.startswith("twin-")} == {"twin-page"}
    assert planned(grafana, later, prune=True) == []


SPOILT = (
    "threshold", "label", "route", "mute", "address", "title", "folder", "panel", "template",
    "group", "rule", "extra", "interval", "role", "url", "token",
)  # fmt: skip


@pytest.mark.parametrize(
    ("what", "profile"),
    [(what, (V9, V13)[number % 2]) for number, what in enumerate(SPOILT)] + [("panel", V9)],
)
def test_drift_is_seen_and_undone(what: str, profile: Profile, tmp_path: Path) -> None:
    with fake_grafana(profile) as grafana:
        every = everything(grafana, tmp_path / "token")
        run(grafana, every)
        right = snapshot(grafana)
        spoil(grafana, what, tmp_path)
        found = planned(grafana, every)
        assert len(drift(found)) == 1, drift(found)
        assert next(row for row in found if row.is_drift).diff()
        run(grafana, every)
        assert drift(planned(grafana, every)) == []
        if what != "token":
            assert snapshot(grafana) == right


def spoil(grafana: FakeGrafana, what: str, directory: Path) -> None:
    """One change as somebody would make it by hand."""
    state = grafana.state
    rule = next(iter(state.rules.values()))
    (board,) = state.boards.values()
    ours = state.tree["routes"][0]
    changes = {
        "threshold": lambda: rule["data"][2]["model"]["conditions"][0]["evaluator"].update(
            params=[-1.0]
        ),
        "label": lambda: rule["labels"].update(team="b"),
        "route": ours["routes"].clear,
        "mute": lambda: state.mutes["twin-planned-work"].update(time_intervals=[]),
        "address": lambda: state.contacts["twin-page"]["settings"].update(url="http://else"),
        "title": lambda: state.folders[FOLDER_UID].update(title="Other"),
        "folder": lambda: board.update(folderUid=FOLDER_UID, message="moved"),
        "panel": lambda: (
            board["dashboard"]["panels"].pop(),
            board.update(message="by hand"),
            board["dashboard"].update(version=2),
        ),
        "template": lambda: state.templates["twin-messages"].update(template="x"),
        "group": lambda: rule.update(ruleGroup="elsewhere"),
        "rule": lambda: state.rules.pop(rule["uid"]),
        "extra": lambda: state.rules.update(
            {"twin-more": rule | {"uid": "twin-more", "title": "More"}}
        ),
        "interval": lambda: state.intervals.update({(FOLDER_UID, rule["ruleGroup"]): 300}),
        "role": lambda: next(iter(state.accounts.values())).update(role="Admin"),
        "url": lambda: state.sources["twin-influx"].update(url="http://else"),
        "token": lambda: (directory / "token").write_text("glsa_lost\n"),
    }
    changes[what]()


def test_what_files_own_is_left_to_them(grafana: FakeGrafana) -> None:
    every = everything(grafana)
    run(grafana, every)
    state = grafana.state
    for row in (*state.boards.values(),):
        row["provisioned"] = True
    state.sources["twin-influx"]["readOnly"] = True
    for row in (*state.rules.values(), *state.contacts.values(), state.tree):
        row["provenance"] = "file"
    before = snapshot(grafana)
    changed = replace(every, data_source={**every.data_source, "url": "http://else"})
    done = run(grafana, changed)
    kinds = {row.kind for row in done if row.action == "files"}
    assert {"dashboard", "data source", "rule group", "contact point", "policies"} <= kinds
    assert drift(planned(grafana, changed)) == []
    assert snapshot(grafana) == before


def test_what_stands_in_our_way_is_named_not_taken(grafana: FakeGrafana) -> None:
    every = everything(grafana)
    state = grafana.state
    state.put_folder("user-a", "Twin alerts", is_new=True)
    state.put_source("user-b", {"name": "Twin InfluxDB", "type": "influxdb"}, is_new=True)
    board = every.boards[0] | {"tags": ["imported"], "version": 1}
    state.put_board({"dashboard": board})
    contact = {"name": "Twin: page", "type": "webhook", "settings": {"url": "http://x"}}
    state.put_contact("user-c", contact, "", is_new=True)
    state.mutes["twin-planned-work"] = {"name": "twin-planned-work", "time_intervals": []}
    before = snapshot(grafana)
    found = {row.kind: row for row in planned(grafana, every) if row.action == "blocked"}
    assert found.keys() == {"folder", "data source", "dashboard", "contact point", "mute timing"}
    assert "'Twin alerts' has uid 'user-a'" in str(found["folder"])
    with pytest.raises(GrafanaRefusedError):  # rules need the folder
        run(grafana, every)
    after = snapshot(grafana)
    assert after["boards"] == before["boards"]
    assert after["mutes"]["twin-planned-work"] == before["mutes"]["twin-planned-work"]
    del state.folders["user-a"]
    state.contacts.pop("user-c")
    done = run(grafana, every, adopt=True)
    assert {row.kind for row in done if row.action == "blocked"} == {"data source"}
    assert state.mutes["twin-planned-work"]["provenance"] == "api"


def test_a_rule_of_somebody_else_in_our_group_stays(grafana: FakeGrafana) -> None:
    every = everything(grafana)
    run(grafana, every)
    group = every.rules[0].group
    foreign = user_rule("user-rule", FOLDER_UID, group)
    grafana.state.put_rule(foreign, "", is_new=True)
    kept = dict(grafana.state.rules["user-rule"])
    assert drift(planned(grafana, every)) == []
    gone = every.rules[0].uid
    del grafana.state.rules[gone]
    grafana.state.rules[every.rules[1].uid]["title"] = "by hand"
    run(grafana, every)
    assert gone in grafana.state.rules
    assert grafana.state.rules["user-rule"] == kept
    assert drift(planned(grafana, every)) == []


def _fresh(profile: Profile, tmp_path: Path) -> tuple[int, dict[str, object]]:
    with fake_grafana(profile) as whole:
        inhabited(whole)
        run(whole, everything(whole, tmp_path / "whole"))
        return len(whole.writes), snapshot(whole)


@pytest.mark.parametrize(
    ("profile", "fate"), [(V9, "after"), (V13, "before")], ids=["9.4-after", "13.2-before"]
)
def test_killed_at_any_write_and_run_again_gives_the_same(
    profile: Profile, fate: str, tmp_path: Path
) -> None:
    """The connection breaks before or after each write in turn; nothing is tried twice."""
    writes, right = _fresh(profile, tmp_path)
    assert writes > 12
    for number in range(writes):
        with fake_grafana(profile) as grafana:
            inhabited(grafana)
            every = everything(grafana, tmp_path / f"{fate}{number}")
            left = iter(range(number))

            def trouble(method: str, _path: str, left: Iterator[int] = left) -> str:
                return "" if method == "GET" or next(left, None) is not None else fate

            grafana.trouble = trouble
            with pytest.raises(GrafanaBusyError, match="no answer"):
                run(grafana, every, patience=NO_PATIENCE)
            grafana.trouble = lambda *_: ""
            run(grafana, every, patience=NO_PATIENCE)
            assert snapshot(grafana) == right, number
            token = (tmp_path / f"{fate}{number}").read_text().strip()
            (account,) = grafana.state.accounts.values()
            assert [row["key"] for row in account["tokens"]] == [token]


def test_one_apply_ends_although_every_write_breaks_once(
    grafana: FakeGrafana, tmp_path: Path
) -> None:
    seen: set[tuple[str, str]] = set()

    def trouble(method: str, path: str) -> str:
        if (method, path) in seen:
            return ""
        seen.add((method, path))
        return ("before", "after", "503", "")[len(seen) % 4]

    every = everything(grafana, tmp_path / "token")
    grafana.trouble = trouble
    run(grafana, every)
    assert drift(planned(grafana, every)) == []


def test_diff_shows_what_changes_and_only_that(grafana: FakeGrafana) -> None:
    every = everything(grafana)
    run(grafana, every)
    rule = every.rules[0]
    spoilt = replace(rule, for_s=rule.for_s + 60)
    changed = replace(every, rules=(spoilt, *every.rules[1:]))
    (change,) = [row for row in planned(grafana, changed) if row.is_drift]
    rows = [row for row in change.diff().splitlines() if row.startswith(("+ ", "- "))]
    assert len(rows) == 2, change.diff()
    assert '"for"' in rows[0]
    assert STORE_TOKEN not in "".join(row.diff() for row in planned(grafana, every))


def test_a_fleet_of_a_few_may_page_for_each_satellite() -> None:
    store = load_settings(influx_url="http://influxdb:8086")
    by_default = wanted(store, load_grafana_settings(alert_page_url="http://pager/hook"))
    every = wanted(
        store,
        load_grafana_settings(alert_page_url="http://pager/hook", alert_satellites="page"),
    )
    scoped = [
        [one for one in root.walk() if ("scope", "=", "satellite") in one.matchers]
        for root in (by_default.route, every.route)
        if root is not None
    ]
    assert [len(found) for found in scoped] == [1, 0]
    with pytest.raises(ConfigurationError, match="TWIN_ALERT_SATELLITES"):
        load_grafana_settings(alert_satellites="nobody")


def test_dashboards_of_minutes_name_the_database_of_the_settings() -> None:
    store = load_settings(influx_url="http://influxdb:8086", influx_database_1m="minutes")
    boards = json.dumps(wanted(store, load_grafana_settings()).boards)
    assert '\\"minutes\\"..\\"fleet_1m\\"' in boards
    assert "telemetry_1m" not in boards


def test_a_large_fleets_rules_ask_the_watch() -> None:
    store = load_settings(influx_url="http://influxdb:8086")
    by_default = wanted(store, load_grafana_settings())
    every = wanted(store, load_grafana_settings(alert_source="watch"))
    added = {one.uid for one in every.rules} ^ {one.uid for one in by_default.rules}
    assert added == {"twin-watch-silent"}
    assert sum("sat_breach" in one.query for one in every.rules) > 40
    assert not any("sat_breach" in one.query for one in by_default.rules)
    assert any("sat_breach" in text for text in exported(every).values())
