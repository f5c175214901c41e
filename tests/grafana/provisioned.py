"""What the tests provision: a small part of everything, and a Grafana that a user already uses."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from fake import ADMIN, FakeGrafana
from pydantic import SecretStr

from dashboards.routes import contacts, reachable, tree
from services.grafana import Grafana, Patience
from services.grafana_settings import GrafanaSettings, load_grafana_settings
from services.provision import Change, apply, plan
from services.provision_wanted import PARTS, Part, Wanted, kinds, wanted
from services.settings import load_settings

STORE_TOKEN = "store-token-of-more-than-16-characters"
NO_PATIENCE = Patience(attempts=1, sleep=lambda _: None)
QUICK = Patience(attempts=4, sleep=lambda _: None)


def settings_of(grafana: FakeGrafana, token: str = ADMIN) -> GrafanaSettings:
    return load_grafana_settings(
        grafana_url=grafana.url,
        grafana_token=SecretStr(token),
        alert_page_url="http://pager.example/page",
        alert_ticket_url="http://tickets.example/",
        alert_drill_url="http://127.0.0.1:9/drill",
    )


def everything(grafana: FakeGrafana, token_file: Path | None = None) -> Wanted:
    """All rules of two subsystems, one small dashboard, all routes."""
    return replace(_everything(settings_of(grafana).addresses["page"]), token_file=token_file)


@cache
def _everything(page_url: str) -> Wanted:
    settings = load_settings(influx_url="http://influxdb:8086", influx_token=STORE_TOKEN)
    given = load_grafana_settings(
        alert_page_url=page_url,
        alert_ticket_url="http://tickets.example/",
        alert_drill_url="http://127.0.0.1:9/drill",
    )
    every = wanted(settings, given)
    groups = sorted({rule.group for rule in every.rules})[:2]
    rules = tuple(rule for rule in every.rules if rule.group in groups)
    board = {**every.boards[0], "panels": every.boards[0]["panels"][:2]}
    return replace(every, rules=rules, boards=(board,))


def run(
    grafana: FakeGrafana,
    every: Wanted,
    *,
    prune: bool = False,
    adopt: bool = False,
    patience: Patience = QUICK,
    parts: Sequence[Part] = PARTS,
) -> list[Change]:
    with Grafana(settings_of(grafana), patience) as door:
        return apply(kinds(door, settings_of(grafana), every, parts), prune=prune, adopt=adopt)


def planned(
    grafana: FakeGrafana, every: Wanted, *, prune: bool = False, adopt: bool = False
) -> list[Change]:
    """What would be done; asserts that planning writes nothing."""
    before = len(grafana.writes)
    with Grafana(settings_of(grafana), QUICK) as door:
        found = plan(kinds(door, settings_of(grafana), every), prune=prune, adopt=adopt)
    assert len(grafana.writes) == before
    return found


def drift(changes: list[Change]) -> list[str]:
    return [f"{row.action} {row.kind} {row.key}" for row in changes if row.is_drift]


def inhabited(grafana: FakeGrafana) -> dict[str, Any]:
    """A user's own folder, dashboard, rule, contact point, policy, mute timing and data source.

    Returns all of it, to compare with afterwards.
    """
    state = grafana.state
    state.put_folder("user-folder", "Mine", is_new=True)
    state.put_source("user-db", {"name": "Mine", "type": "influxdb", "isDefault": True},
                     is_new=True)  # fmt: skip
    board = {"uid": "user-board", "title": "Mine", "schemaVersion": 37, "panels": [],
             "tags": ["orbital-twin"]}  # fmt: skip
    state.put_board({"dashboard": board, "folderUid": "user-folder"})
    contact = {"name": "mine", "type": "webhook", "disableResolveMessage": False,
               "settings": {"url": "http://mine.example", "password": "x"}}  # fmt: skip
    state.put_contact("user-contact", contact, "", is_new=True)
    state.mutes["weekend"] = {"name": "weekend", "time_intervals": [{"weekdays": ["saturday"]}]}
    state.templates["mine"] = {"name": "mine", "template": "{{ .Status }}"}
    state.put_rule(user_rule("user-rule", "user-folder", "mine"), "", is_new=True)
    state.put_tree(
        {
            "receiver": "mine",
            "group_by": ["grafana_folder"],
            "group_wait": "45s",
            "routes": [
                {"receiver": "mine", "object_matchers": [["team", "=", "a"]],
                 "mute_time_intervals": ["weekend"]},
                {"receiver": "grafana-default-email", "continue": True},
            ],
        },
        "",
    )  # fmt: skip
    return theirs(grafana)


def user_rule(uid: str, folder: str, group: str) -> dict[str, Any]:
    return {
        "uid": uid,
        "title": f"Rule {uid}",
        "folderUID": folder,
        "ruleGroup": group,
        "condition": "A",
        "for": "1m",
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": {"team": "a"},
        "annotations": {},
        "data": [{"refId": "A", "model": {"refId": "A"}}],
    }


def theirs(grafana: FakeGrafana) -> dict[str, Any]:
    """Everything that does not begin with our prefix, and the tree without our branch."""
    state = grafana.state
    tree = copy.deepcopy(state.tree)
    tree.pop("provenance", None)
    tree["routes"] = [
        route
        for route in tree.get("routes", [])
        if ["managed_by", "=", "orbital-twin"] not in route.get("object_matchers", [])
    ]
    stores = {
        "folders": state.folders,
        "sources": state.sources,
        "boards": state.boards,
        "contacts": state.contacts,
        "mutes": state.mutes,
        "templates": state.templates,
        "rules": state.rules,
    }
    kept = {
        name: {key: row for key, row in rows.items() if not key.startswith("twin-")}
        for name, rows in stores.items()
    }
    return copy.deepcopy(kept) | {"tree": tree}


NUMBERED = {"id", "version", "key"}


def canonical(value: Any) -> Any:
    """The state without what Grafana numbers by itself: to compare two ways to it."""
    if isinstance(value, dict):
        return {key: canonical(one) for key, one in value.items() if key not in NUMBERED}
    if isinstance(value, list):
        return [canonical(one) for one in value]
    return value


def snapshot(grafana: FakeGrafana) -> dict[str, Any]:
    state = grafana.state
    rows = {
        name: getattr(state, name)
        for name in ("folders", "sources", "boards", "contacts", "templates", "mutes", "rules",
                     "tree")
    }  # fmt: skip
    rows["intervals"] = {"/".join(key): value for key, value in state.intervals.items()}
    rows["accounts"] = list(state.accounts.values())
    found: dict[str, Any] = canonical(copy.deepcopy(rows))
    return found


def fewer(every: Wanted) -> Wanted:
    """A later revision: one subsystem, one contact point and every dashboard less."""
    group = every.rules[0].group
    told = contacts({"page": "http://pager.example/page"})
    return replace(
        every,
        rules=tuple(rule for rule in every.rules if rule.group == group),
        contacts=told,
        route=reachable(tree(()), {one.name for one in told}),
        boards=(),
    )
