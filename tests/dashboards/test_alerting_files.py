"""Rules and routes as Grafana 9.3 to 13 take them; proves "the shape is valid"."""

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml
from deployment import ROOT

from dashboards.alerting_files import DIRECTORY, alerting_files, fleet_causes
from dashboards.build import dashboards
from dashboards.grafana_json import DATASOURCE_UID, dashboard_json
from dashboards.grafana_rules import RuleSpec, RuleSpecError, check, group_file, group_json, groups
from dashboards.routes import RECEIVERS, contacts, reachable, tree
from dashboards.routes_grafana import contact_point, duration, policy
from dashboards.rule_specs import panel_of, recorded_specs, rule_spec, rule_specs
from twin.alert_rule import Rule
from twin.alerts import RULES

Json = dict[str, Any]
SPECS = rule_specs(dashboards())
FILES = {name: yaml.load(text, yaml.CSafeLoader) for name, text in alerting_files(SPECS).items()}
GO_DURATION = re.compile(r"0s|(\d+d)?(\d+h)?(\d+m)?(\d+s)?")


def file_rules() -> list[Any]:
    return [
        pytest.param(rule, id=rule["uid"])
        for name, document in FILES.items()
        if name.startswith("rules-")
        for group in document["groups"]
        for rule in group["rules"]
    ]


def test_committed_files_are_what_the_rules_say() -> None:
    folder = ROOT / DIRECTORY
    present = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert present == alerting_files(SPECS)


def test_every_rule_is_there_once_and_only_once() -> None:
    uids = [row.values[0]["uid"] for row in file_rules()]
    assert sorted(uids) == sorted(rule.uid for rule in RULES)
    titles = [spec.title for spec in SPECS]
    assert len(set(titles)) == len(titles)  # Grafana refuses a second one in a folder


@pytest.mark.parametrize("rule", file_rules())
def test_rule_of_a_file(rule: Json) -> None:
    """What 9.3's parser needs, and what one of the versions would change."""
    assert GO_DURATION.fullmatch(rule["for"])
    assert rule["noDataState"] in {"OK", "NoData", "Alerting"}
    assert rule["execErrState"] in {"Error", "Alerting", "OK"}
    assert "$" not in str(rule["labels"])
    assert {"severity", "cause", "scope", "managed_by"} <= rule["labels"].keys()
    assert "${" not in str(rule["annotations"])
    assert len({"__dashboardUid__", "__panelId__"} & rule["annotations"].keys()) != 1
    assert (ROOT / rule["annotations"]["runbook"]).exists()
    assert rule["condition"] == "C"
    query, reduce, threshold = rule["data"]
    assert [row["refId"] for row in rule["data"]] == ["A", "B", "C"]
    assert query["datasourceUid"] == DATASOURCE_UID
    assert query["relativeTimeRange"]["from"] > 0
    assert query["model"]["rawQuery"] is True
    assert query["model"]["resultFormat"] == "time_series"
    assert set(re.findall(r"\$\w+", query["model"]["query"])) == {"$timeFilter"}
    assert reduce["model"]["settings"] == {"mode": "dropNN"}
    assert reduce["model"]["reducer"] in {"sum", "mean", "min", "max", "count", "last"}
    (condition,) = threshold["model"]["conditions"]
    evaluator = condition["evaluator"]
    assert evaluator["type"] in {"gt", "lt", "within_range", "outside_range"}
    for number in evaluator["params"]:
        assert float(f"{number:f}") == pytest.approx(number, rel=1e-9)  # 9.x prints %f


def test_links_lead_to_panels_that_exist() -> None:
    panels = {
        (board.uid, panel["id"])
        for board in dashboards()
        for panel in dashboard_json(board)["panels"]
        if panel["type"] != "row"
    }
    linked = [spec for spec in SPECS if spec.panel is not None]
    assert linked
    assert {spec.panel for spec in linked} <= panels
    board = dashboards()[0]
    assert panel_of(board.uid, board.panels[3].key, dashboards()) == (board.uid, 4)
    assert panel_of("twin-nowhere", "", dashboards()) is None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_threshold_and_summary_are_the_rules(rule: Rule) -> None:
    spec = rule_spec(rule)
    limits = [one.value for one in (rule.condition.below, rule.condition.above) if one]
    assert list(spec.params) == limits
    assert (
        spec.evaluator
        == {1: "gt" if rule.condition.above else "lt", 2: "outside_range"}[len(limits)]
    )
    summary = spec.annotations["summary"]
    assert not re.search(r"(?<!{){\w+}", summary)
    assert set(re.findall(r"\$labels\.(\w+)", summary)) <= set(rule.tags)


def spec_of(**change: Any) -> RuleSpec:
    return replace(SPECS[0], **change)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"params": (1e-7,)}, "six decimals"),
        ({"params": (1.0, 2.0)}, "other thresholds"),
        ({"interval_s": 15}, "multiple of 10"),
        ({"uid": "battery"}, "must begin with twin-"),
        ({"uid": "twin-" + "x" * 40}, "at most 40"),
        ({"labels": {"sat": "{{ $labels.sat }}"}}, r"holds \$"),
        ({"query": "SELECT 1"}, r"no \$timeFilter"),
        ({"for_s": -10}, "negative"),
    ],
)
def test_what_some_grafana_would_change_is_refused(change: Json, fault: str) -> None:
    with pytest.raises(RuleSpecError, match=fault):
        group_json("g", [spec_of(**change)])


def test_a_group_has_one_interval() -> None:
    with pytest.raises(RuleSpecError, match="another interval"):
        groups([spec_of(), spec_of(uid="twin-b", interval_s=60)])


def test_file_and_api_say_the_same() -> None:
    for name, rows in groups(SPECS).items():
        api = group_json(name, rows)
        (file,) = group_file(name, rows)["groups"]
        assert file["interval"] == duration(api["interval"])
        for one, other in zip(api["rules"], file["rules"], strict=True):
            same = ("uid", "title", "condition", "for", "data", "labels", "annotations")
            assert {key: one[key] for key in same} == {key: other[key] for key in same}


def test_durations_are_written_as_go_does() -> None:
    pairs = {
        0: "0s",
        10: "10s",
        60: "1m",
        90: "1m30s",
        3600: "1h",
        86_400: "1d",
        90_061: "1d1h1m1s",
    }
    assert {seconds: duration(seconds) for seconds in pairs} == pairs


def walk(route: Json) -> list[Json]:
    return [route, *(one for child in route.get("routes", []) for one in walk(child))]


def test_policies_name_contact_points_and_mute_timings_that_exist() -> None:
    (top,) = FILES["policies.yaml"]["policies"]
    names = {row["name"] for row in FILES["contact-points.yaml"]["contactPoints"]}
    mutes = {row["name"] for row in FILES["mute-timings.yaml"]["muteTimes"]}
    for route in walk(top):
        assert route["receiver"] in names
        assert set(route.get("mute_time_intervals", [])) <= mutes
        for matcher in route.get("object_matchers", []):  # Go decodes [][3]string
            assert len(matcher) == 3
            assert matcher[1] in {"=", "!=", "=~", "!~"}
    assert top["routes"][0]["object_matchers"] == [["managed_by", "=", "orbital-twin"]]


def test_dollars_are_doubled_in_files_where_grafana_expands_them() -> None:
    told = contacts({"page": "http://x/$a"})
    (row,) = yaml.safe_load(alerting_files(SPECS, told)["contact-points.yaml"])["contactPoints"]
    assert row["receivers"][0]["settings"]["url"] == "http://x/$$a"
    assert contact_point(told[0])["settings"]["url"] == "http://x/$a"


@pytest.mark.parametrize("present", [{"page"}, {"ticket"}, {"log"}, {"page", "drill"}])
def test_whatever_has_an_address_everything_goes_somewhere(present: set[str]) -> None:
    names = {RECEIVERS[key] for key in present}  # type: ignore[index]
    root = policy(reachable(tree(fleet_causes(SPECS)), names))
    assert {route["receiver"] for route in walk(root)} <= names
    (drill,) = [r for r in walk(root) if ["fleet", "=~", "drill-.+"] in r["object_matchers"]]
    is_silent = drill.get("mute_time_intervals") == ["twin-always"]
    assert is_silent is not bool(present & {"drill", "log"})
    with pytest.raises(ValueError, match="no receiver"):
        reachable(tree(()), {RECEIVERS["drill"]})


def test_rules_that_ask_the_watch_are_the_same_but_for_their_queries() -> None:
    recorded = recorded_specs(dashboards())
    assert [one.uid for one in recorded[:-1]] == [one.uid for one in SPECS]
    changed = [(old, new) for old, new in zip(SPECS, recorded, strict=False) if old != new]
    assert all(old.labels["scope"] == "satellite" for old, _ in changed)
    assert len(changed) == sum(one.labels["scope"] == "satellite" for one in SPECS)
    for old, new in changed:
        assert replace(new, query=old.query, window_s=old.window_s) == old
        assert f"\"rule\" = '{old.labels['rule']}'" in new.query
    assert (recorded[-1].uid, recorded[-1].no_data) == ("twin-watch-silent", "Alerting")
    for spec in recorded:
        check(spec)
