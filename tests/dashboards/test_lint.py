"""The linter: silent on our dashboards, and it finds each fault that is planted."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboards.build import dashboards, rendered
from dashboards.lint import lint, main

Json = dict[str, Any]
BOARDS = [json.loads(text) for text in rendered().values()]


def test_our_dashboards_are_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert f"{len(dashboards())} dashboards, 0 findings" in capsys.readouterr().err


def panel(boards: list[Json], kind: str) -> Json:
    return next(one for board in boards for one in board["panels"] if one["type"] == kind)


def query(old: str, new: str, kind: str = "timeseries") -> Callable[[list[Json]], None]:
    def plant(boards: list[Json]) -> None:
        target = panel(boards, kind)["targets"][0]
        assert old in target["query"]
        target["query"] = target["query"].replace(old, new)

    return plant


def put(kind: str, *path: Any, value: Any) -> Callable[[list[Json]], None]:
    def plant(boards: list[Json]) -> None:
        at: Any = boards[0] if kind == "board" else panel(boards, kind)
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return plant


def drop_link_time(boards: list[Json]) -> None:
    for one in panel(boards, "table")["fieldConfig"]["overrides"]:
        for row in one["properties"]:
            if row["id"] == "links":
                row["value"][0]["url"] = "/d/twin-satellite?var-sat=x"


STEPS = ("fieldConfig", "defaults", "thresholds", "steps")
FAULTS = {
    "uid": put("board", "uid", value="has spaces"),
    "unique": put("board", "title", value="Satellite"),
    "title": put("stat", "title", value=""),
    "description": put("gauge", "description", value=""),
    "schema": put("board", "schemaVersion", value=16),
    "provisioned": put("board", "editable", value=True),
    "timezone": put("board", "timezone", value="browser"),
    "id": put("board", "panels", 1, "id", value=1),
    "grid": put("stat", "gridPos", "w", value=30),
    "targets": put("stat", "targets", value=[]),
    "datasource": put("stat", "targets", 0, "datasource", "uid", value="other"),
    "unit": put("stat", "fieldConfig", "defaults", "unit", value="furlong"),
    "thresholds": put("gauge", *STEPS, 0, "value", value=1),
    "palette": put("gauge", *STEPS, 0, "color", value="#00FF00"),
    "offline": put("geomap", "options", "basemap", "type", value="carto"),
    "layer": put("geomap", "options", "layers", 1, "filterData", "options", value="Z"),
    "link": put("status-history", "fieldConfig", "defaults", "links", 0, "url", value="/d/none?x"),
    "drill-down": drop_link_time,
    "annotation": put("board", "annotations", "list", 0, "target", "textColumn", value=""),
    "variable": query("${fleet:raw}", "${flete:raw}"),
    "time": query(" AND $timeFilter", ""),
    "select": query("SELECT ", "SELECT *, "),
    "group": query("$__interval", "10s"),
    "fill": query(" fill(none)", ""),
    "cardinality": query("time($__interval)", 'time($__interval), "sat"'),
    "syntax": query("GROUP BY time($__interval)", "GROUP BY time($__interval"),
    "quotes": query("'${fleet:raw}'", '"${fleet:raw}"'),
    "read-only": query("SELECT ", "DROP MEASUREMENT x; SELECT "),
    "length": query("SELECT ", "SELECT " + "x" * 4000),
}


@pytest.mark.parametrize("rule", FAULTS)
def test_a_planted_fault_is_found(rule: str) -> None:
    boards = copy.deepcopy(BOARDS)
    FAULTS[rule](boards)
    assert rule in {one.rule for one in lint(boards)}


def test_a_split_without_a_limit_and_a_variable_without_raw_are_found() -> None:
    boards = copy.deepcopy(BOARDS)
    query(" SLIMIT 300", "", "status-history")(boards)
    query("${fleet:raw}", "${fleet}", "stat")(boards)
    assert {one.rule for one in lint(boards)} == {"cardinality", "variable"}


def test_a_file_of_a_user_is_read_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(BOARDS[0] | {"uid": ""}))
    assert main([str(path)]) == 1
    assert "uid: '' is not 1 to 40" in capsys.readouterr().err
