"""Our own linter of dashboards: what Grafana would only show, and what would only hurt at scale.

    python -m dashboards.lint                # every committed dashboard
    python -m dashboards.lint my-board.json  # others; links are looked up among all of them

Each finding names the dashboard, the panel and the rule. The rules of InfluxQL stand in
`dashboards/lint_influxql.py`.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from dashboards.grafana_json import DATASOURCE
from dashboards.lint_influxql import query_findings
from dashboards.panels import GRID_COLUMNS
from dashboards.style import AMBER, BLUE, GREY, INDIGO, MAGENTA, SERIES, UNITS

Json = dict[str, Any]
DIRECTORY = Path(__file__).parent / "grafana"
PALETTE = frozenset({BLUE, INDIGO, AMBER, MAGENTA, GREY, *SERIES})
GRAFANA_UNITS = frozenset({*UNITS.values(), "none", "currencyUSD", "kwatth", "litre", "masskg",
                           "bytes"})  # fmt: skip
BUILT_IN = frozenset({"__data", "__field", "__url_time_range", "__interval"})
UID = re.compile(r"[a-zA-Z0-9_-]{1,40}")
VARIABLE = re.compile(r"\$\{([^}:.]+)[^}]*\}|\$(\w+)")
DASHBOARD_LINK = re.compile(r"/d/([^/?]+)")


class Finding(NamedTuple):
    """One fault: where it is, which rule it breaks, what is wrong."""

    where: str
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.rule}: {self.text}"


Said = Iterator[tuple[str, str]]
"""Rule and text of what was found."""


def lint(boards: Sequence[Json]) -> list[Finding]:
    """Findings of all dashboards, which may link to each other."""
    found = [Finding("all", *said) for said in _between(boards)]
    names = {board.get("uid", ""): _variables(board) for board in boards}
    for board in boards:
        where = str(board.get("uid") or board.get("title"))
        found += [Finding(where, *said) for said in _board(board)]
        for panel in board.get("panels", []):
            spot = f"{where}/{panel.get('title') or panel.get('id')}"
            for rule in _PANEL_RULES:
                found += [Finding(spot, *said) for said in rule(panel, board)]
            found += [Finding(spot, *said) for said in _links(panel, names)]
        for one in board.get("templating", {}).get("list", []):
            found += [Finding(f"{where}/${one.get('name')}", *said) for said in _variable(one)]
        for one in board.get("annotations", {}).get("list", []):
            found += [Finding(f"{where}/{one.get('name')}", *said) for said in _annotation(one)]
    return found


def _between(boards: Sequence[Json]) -> Said:
    for key in ("uid", "title"):
        values = [board.get(key) for board in boards]
        for value in {one for one in values if values.count(one) > 1}:
            yield "unique", f"two dashboards with the {key} {value!r}"


def _variables(board: Json) -> set[str]:
    return {one.get("name", "") for one in board.get("templating", {}).get("list", [])}


def _board(board: Json) -> Said:
    if not UID.fullmatch(str(board.get("uid", ""))):
        yield "uid", f"{board.get('uid')!r} is not 1 to 40 of letters, digits, _ and -"
    for key in ("title", "description"):
        if not board.get(key):
            yield key, "missing"
    if board.get("schemaVersion") != 37:
        yield "schema", f"version {board.get('schemaVersion')}, not 37"
    if board.get("editable") is not False or board.get("id") is not None:
        yield "provisioned", "must not be editable nor have an id"
    if board.get("timezone") != "utc":
        yield "timezone", "not utc"
    for one in board.get("links", []):
        if not (one.get("keepTime") and one.get("includeVars")):
            yield "drill-down", "a dashboard link that loses time or variables"
    numbers = [panel.get("id") for panel in board.get("panels", [])]
    if len(set(numbers)) != len(numbers) or not all(
        isinstance(one, int) and one > 0 for one in numbers
    ):
        yield "id", "panel ids are not unique whole numbers above 0"
    yield from _overlaps(board)


def _overlaps(board: Json) -> Said:
    places = [(panel.get("title"), panel.get("gridPos", {})) for panel in board.get("panels", [])]
    for title, place in places:
        if not {"x", "y", "w", "h"} <= place.keys():
            yield "grid", f"{title}: no place"
            return
        if place["x"] < 0 or place["w"] < 1 or place["x"] + place["w"] > GRID_COLUMNS:
            yield "grid", f"{title}: outside the {GRID_COLUMNS} columns"
    for (one, a), (other, b) in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        if not (beside or apart):
            yield "grid", f"{one} and {other} overlap"


def _texts(panel: Json, _board: Json) -> Said:
    if not panel.get("title"):
        yield "title", "missing"
    if panel.get("type") != "row" and not panel.get("description"):
        yield "description", "missing"


def _sources(panel: Json, _board: Json) -> Said:
    if panel.get("type") == "row":
        return
    targets = panel.get("targets", [])
    if not targets:
        yield "targets", "no query"
    references = [one.get("refId") for one in targets]
    if len(set(references)) != len(references):
        yield "targets", "two queries with one reference"
    for one in (panel, *targets):
        if one.get("datasource") != DATASOURCE:
            yield "datasource", f"{one.get('datasource')!r}, not {DATASOURCE['uid']}"


def _fields(panel: Json) -> Iterator[Json]:
    config = panel.get("fieldConfig", {})
    if config:
        yield config.get("defaults", {})
    for one in config.get("overrides", []):
        yield {row["id"]: row.get("value") for row in one.get("properties", [])}


def _units(panel: Json, _board: Json) -> Said:
    if panel.get("type") == "row":
        return
    if not panel.get("fieldConfig", {}).get("defaults", {}).get("unit"):
        yield "unit", "missing"
    for fields in _fields(panel):
        unit = fields.get("unit")
        if unit and unit not in GRAFANA_UNITS and not unit.startswith("suffix:"):
            yield "unit", f"{unit!r} is in no version of Grafana we know"


def _thresholds(panel: Json, _board: Json) -> Said:
    for fields in _fields(panel):
        steps = (fields.get("thresholds") or {}).get("steps", [])
        if not steps:
            continue
        values = [row.get("value") for row in steps]
        if values[0] is not None or None in values[1:]:
            yield "thresholds", "the first step, and only it, begins at null"
        elif values[1:] != sorted(values[1:]):
            yield "thresholds", "steps do not ascend"


def _colours(panel: Json, _board: Json) -> Said:
    text = json.dumps([panel.get("fieldConfig"), panel.get("options")])
    for colour in sorted(set(re.findall(r"#[0-9A-Fa-f]{6}\b", text)) - PALETTE):
        yield "palette", f"{colour} is not of the palette"
    if '"palette-classic"' in text:
        yield "palette", "the classic palette has red beside green"


def _queries(panel: Json, board: Json) -> Said:
    """InfluxQL, and variables that exist."""
    known = _variables(board)
    for one in panel.get("targets", []):
        over_time = one.get("resultFormat") == "time_series"
        yield from query_findings(str(one.get("query", "")), known, over_time=over_time)
    for match in VARIABLE.finditer(str(panel.get("title", ""))):
        if (match[1] or match[2]) not in known:
            yield "variable", f"{match[0]} in the title does not exist"


def _maps(panel: Json, _board: Json) -> Said:
    if panel.get("type") != "geomap":
        return
    options = panel.get("options", {})
    base = options.get("basemap", {})
    if base.get("type") != "geojson" or "http" in json.dumps(base):
        yield "offline", "a base map that is fetched from the internet"
    known = {one.get("refId") for one in panel.get("targets", [])}
    for layer in options.get("layers", []):
        picked = layer.get("filterData", {}).get("options")
        if layer.get("type") != "dayNight" and picked not in known:
            yield "layer", f"{layer.get('name')}: no query {picked!r}"


_PANEL_RULES: tuple[Callable[[Json, Json], Said], ...] = (
    _texts,
    _sources,
    _units,
    _thresholds,
    _colours,
    _queries,
    _maps,
)


def _links(panel: Json, names: dict[str, set[str]]) -> Said:
    for fields in _fields(panel):
        for one in fields.get("links") or ():
            url = str(one.get("url", ""))
            target = DASHBOARD_LINK.match(url)
            if target is None or target[1] not in names:
                yield "link", f"{url}: no such dashboard"
                continue
            missing = set(re.findall(r"var-(\w+)=", url)) - names[target[1]]
            if missing:
                yield "link", f"{url}: no variable {', '.join(sorted(missing))} there"
            if "${__url_time_range}" not in url:
                yield "drill-down", f"{url}: loses the time"


def _variable(one: Json) -> Said:
    if one.get("datasource") != DATASOURCE:
        yield "datasource", f"{one.get('datasource')!r}"
    if one.get("includeAll") or one.get("multi"):
        yield "variable", "all of ten thousand satellites is a query of 70 kB"
    if "SHOW TAG VALUES" not in str(one.get("query")):
        yield "variable", "not a list of tag values"


def _annotation(one: Json) -> Said:
    target = one.get("target", {})
    if one.get("datasource") != DATASOURCE:
        yield "datasource", f"{one.get('datasource')!r}"
    if not target.get("textColumn"):
        yield "annotation", "no column for its text"
    yield from query_findings(str(target.get("query", "")), {"fleet"}, over_time=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.lint", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    chosen = parser.parse_args(arguments)
    files = chosen.files or sorted(DIRECTORY.glob("*.json"))
    found = lint([json.loads(path.read_text("utf-8")) for path in files])
    for one in found:
        sys.stderr.write(f"{one}\n")
    sys.stderr.write(f"{len(files)} dashboards, {len(found)} findings\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
