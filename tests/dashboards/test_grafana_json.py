"""Rules that Grafana 9.3 to 13 ask of a dashboard file; proves "the shape is valid"."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from dashboards.build import GRAFANA_DIRECTORY, main, rendered, stale_files
from dashboards.grafana_json import DATASOURCE
from dashboards.influxql import over_time
from dashboards.panels import GRID_COLUMNS
from dashboards.rollups import ROLLUPS
from dashboards.satellite import bus_strips
from dashboards.style import LEVEL_COLOURS, UNITS, channel, state_texts, steps, style
from twin.channels import BUS_CHANNELS, CHANNELS, Limits, level
from twin.rollup_fields import FIELDS, LIVE_FIELDS

Json = dict[str, Any]
FILES = {name: json.loads(text) for name, text in rendered().items()}
UIDS = {board["uid"] for board in FILES.values()}
# Counted in @grafana/data 9.4.17 and 13.2.3: ids that both have, of those we may use.
KNOWN_UNITS = {
    "bytes", "currencyUSD", "kwatth", "litre", "masskg",
    "none", "short", "percent", "amp", "celsius", "decgbytes", "degree", "Gbits", "h", "kelvin",
    "lengthkm", "ms", "s", "volt", "watt", "watth", "Wm2",
}  # fmt: skip


def panels(board: Json) -> Iterator[Json]:
    yield from (panel for panel in board["panels"] if panel["type"] != "row")


def every_panel() -> list[Any]:
    return [
        pytest.param(board, panel, id=f"{name}-{panel['id']}-{panel['title']}")
        for name, board in FILES.items()
        for panel in panels(board)
    ]


def test_committed_files_are_what_the_specification_says() -> None:
    assert stale_files(GRAFANA_DIRECTORY) == []


def test_check_names_a_stale_a_missing_and_an_orphaned_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--directory", str(tmp_path)]) == 0
    assert main(["--check", "--directory", str(tmp_path)]) == 0
    (tmp_path / "satellite.json").write_text("{}")
    (tmp_path / "fleet-wall.json").unlink()
    (tmp_path / "orphan.json").write_text("{}")
    assert main(["--check", "--directory", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert all(name in said for name in ("satellite.json", "fleet-wall.json", "orphan.json"))


@pytest.mark.parametrize("board", FILES.values(), ids=list(FILES))
def test_dashboard_root(board: Json) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", board["uid"])
    assert board["schemaVersion"] == 37
    assert board["id"] is None
    assert board["editable"] is False
    assert board["title"]
    assert board["description"]
    identifiers = [panel["id"] for panel in board["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    assert all(number > 0 for number in identifiers)
    for variable in board["templating"]["list"]:
        assert variable["datasource"] == DATASOURCE
        assert not variable["includeAll"]
        assert not variable["multi"]


@pytest.mark.parametrize("board", FILES.values(), ids=list(FILES))
def test_panels_fit_the_grid_and_do_not_overlap(board: Json) -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in board["panels"]]
    for title, place in places:
        assert place["x"] >= 0, title
        assert place["x"] + place["w"] <= GRID_COLUMNS, title
        assert place["w"] > 0, title
        assert place["h"] > 0, title
    for (one, a), (other, b) in combinations(places, 2):
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        assert apart, (one, other)


@pytest.mark.parametrize(("board", "panel"), every_panel())
def test_panel_rules(board: Json, panel: Json) -> None:
    assert panel["title"]
    assert panel["description"]
    assert panel["datasource"] == DATASOURCE
    references = [target["refId"] for target in panel["targets"]]
    assert references
    assert len(set(references)) == len(references)
    names = {variable["name"] for variable in board["templating"]["list"]}
    for target in panel["targets"]:
        assert target["datasource"] == DATASOURCE
        assert target["rawQuery"] is True
        assert "$timeFilter" in target["query"]
        assert set(re.findall(r"\$\{(\w+):raw\}", target["query"])) <= names
        if target["resultFormat"] == "time_series":
            # Ten thousand satellites would be ten thousand series.
            assert not re.search(r'GROUP BY time\([^)]*\)[^;]*"sat"', target["query"])


@pytest.mark.parametrize(("board", "panel"), every_panel())
def test_panel_units_and_thresholds(board: Json, panel: Json) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    found = [defaults]
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"]["id"] == "byName"
        found.append({row["id"]: row["value"] for row in override["properties"]})
    for fields in found:
        unit = fields["unit"]
        assert unit in KNOWN_UNITS or unit.startswith("suffix:"), unit
        if "thresholds" in fields:
            rows = fields["thresholds"]["steps"]
            assert rows[0]["value"] is None
            values = [row["value"] for row in rows[1:]]
            assert values == sorted(values)
    assert board["uid"] in UIDS


@pytest.mark.parametrize(("board", "panel"), every_panel())
def test_links_lead_to_dashboards_and_variables_that_exist(board: Json, panel: Json) -> None:
    assert board["templating"]
    by_uid = {one["uid"]: one for one in FILES.values()}
    for override in panel["fieldConfig"]["overrides"]:
        for row in override["properties"]:
            for link in row["value"] if row["id"] == "links" else ():
                target = re.match(r"/d/([^?]+)\?", link["url"])
                assert target
                names = {entry["name"] for entry in by_uid[target[1]]["templating"]["list"]}
                assert set(re.findall(r"var-(\w+)=", link["url"])) <= names


@pytest.mark.parametrize(("board", "panel"), every_panel())
def test_maps_read_only_what_grafana_itself_serves(board: Json, panel: Json) -> None:
    assert board["tags"] == ["orbital-twin"]
    if panel["type"] != "geomap":
        return
    options = panel["options"]
    assert options["basemap"]["type"] == "geojson"
    assert options["basemap"]["config"]["src"] == "public/maps/countries.geojson"
    assert "http" not in json.dumps(options)
    assert options["layers"][0]["type"] == "dayNight"
    known = {target["refId"] for target in panel["targets"]}
    for layer in options["layers"]:
        assert layer["type"] in {"dayNight", "markers", "route"}
        if layer["type"] != "dayNight":
            assert layer["filterData"]["options"] in known


def test_every_channel_of_the_bus_is_on_the_satellite_page() -> None:
    text = json.dumps(FILES["satellite.json"])
    missing = [row.name for row in CHANNELS if f'\\"{row.name}\\"' not in text]
    assert missing == []


def test_a_strip_has_one_unit_one_kind_and_one_subsystem() -> None:
    for strips in bus_strips().values():
        for rows in strips:
            assert len({(row.unit, row.kind, row.subsystem) for row in rows}) == 1


def test_roll_ups_are_those_that_the_service_writes() -> None:
    assert ROLLUPS.keys() == (FIELDS | LIVE_FIELDS).keys()
    for name, row in ROLLUPS.items():
        assert row.channel in {None, (FIELDS | LIVE_FIELDS)[name][0]}, name


def test_every_unit_of_the_dictionary_has_a_unit_of_grafana() -> None:
    assert {row.unit for row in CHANNELS} <= UNITS.keys()


@pytest.mark.parametrize("row", [row for row in CHANNELS if row.limits != Limits()], ids=str)
def test_law_threshold_colour_is_the_level_of_the_dictionary(row: Any) -> None:
    """Colour and level agree beside every limit, for states and for numbers."""
    if row.kind == "state":
        for state in state_texts(row):
            if (row.name, state.text) != ("eps_mode", "eclipse"):
                assert state.colour == LEVEL_COLOURS[level(row, state.code)]
        return
    bounds = [
        bound
        for bound in (
            row.limits.critical_low,
            row.limits.warning_low,
            row.limits.warning_high,
            row.limits.critical_high,
        )
        if bound is not None
    ]
    ladder = steps(row.limits)
    for value in (bound + side for bound in bounds for side in (-1e-6, 1e-6)):
        colour = [step.colour for step in ladder if step.value is None or step.value <= value][-1]
        assert colour == LEVEL_COLOURS[level(row, value)], (row.name, value)


def test_unknown_channel_and_split_by_satellite_are_refused() -> None:
    with pytest.raises(KeyError, match="no_such_channel"):
        channel("no_such_channel")
    with pytest.raises(ValueError, match="never splits by satellite"):
        over_time("sat_state", {"a": "eps_soc_pct"}, by="sat")


def test_percentages_run_from_0_to_100() -> None:
    shown = style("eps_soc_pct")
    assert (shown.unit, shown.low, shown.high) == ("percent", 0.0, 100.0)
    assert len(BUS_CHANNELS) > 50


def test_an_empty_panel_says_why_where_that_is_not_plain() -> None:
    said = {
        panel["title"]: panel["fieldConfig"]["defaults"]["noValue"]
        for panel in panels(FILES["pipeline.json"])
        if "noValue" in panel["fieldConfig"]["defaults"]
    }
    assert said.keys() == {"From report to stored", "Silent satellites"}
    assert "off real time" in said["From report to stored"]
