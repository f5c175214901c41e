"""Emits Grafana's dashboard JSON (schema version 37) from a DashboardSpec.

Version 37 is what Grafana 9.4 writes; newer versions migrate it on load (their source and docs
were read, see docs/decisions), so one file serves 9.3 to 13. Each panel carries an explicit id
and data source, and each threshold list begins with a null step.
"""

from dataclasses import replace
from typing import Any

from dashboards.grafana_options import CUSTOM, OPTIONS
from dashboards.panels import (
    AnnotationSpec,
    DashboardSpec,
    FieldStyle,
    Organise,
    PanelSpec,
    QuerySpec,
    StateText,
    Step,
    VariableSpec,
)
from dashboards.style import BLUE, SERIES

SCHEMA_VERSION = 37
DATASOURCE_UID = "twin-influx"
DATASOURCE = {"type": "influxdb", "uid": DATASOURCE_UID}

Json = dict[str, Any]


def dashboard_json(spec: DashboardSpec) -> Json:
    """The whole file of one dashboard; the same spec always gives the same bytes."""
    return {
        "annotations": {"list": [_annotation(one) for one in spec.annotations]},
        "description": spec.description,
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": None,
        "links": [_dashboard_link(tag) for tag in spec.links],
        "liveNow": False,
        "panels": [panel_json(panel, number) for number, panel in enumerate(spec.panels, 1)],
        "refresh": spec.refresh,
        "schemaVersion": SCHEMA_VERSION,
        "tags": list(spec.tags),
        "templating": {"list": [_variable(variable) for variable in spec.variables]},
        "time": {"from": spec.time_from, "to": "now"},
        "timepicker": {"refresh_intervals": ["5s", "10s", "30s", "1m", "5m"]},
        "timezone": "utc",
        "title": spec.title,
        "uid": spec.uid,
        "version": 1,
        "weekStart": "",
    }


def panel_json(panel: PanelSpec, number: int) -> Json:
    """One panel; `number` is its id, unique in the dashboard."""
    if panel.kind == "row":
        return _row(panel, number)
    whole = {
        "datasource": DATASOURCE,
        "description": panel.description,
        "fieldConfig": {
            "defaults": _defaults(panel),
            "overrides": [_override(style, panel) for style in coloured(panel)],
        },
        "gridPos": _place(panel),
        "id": number,
        "interval": panel.min_interval,
        "options": OPTIONS[panel.kind](panel),
        "targets": [_target(query) for query in panel.queries],
        "title": panel.title,
        "type": panel.kind,
    }
    if panel.time_from:
        whole["timeFrom"] = panel.time_from
    if panel.organise is not None:
        whole["transformations"] = [organise_json(panel.organise)]
    return whole


def organise_json(organise: Organise) -> Json:
    """Options of Grafana's `organize`; columns that are not named keep their place behind."""
    return {
        "id": "organize",
        "options": {
            "excludeByName": dict.fromkeys(organise.hidden, True),
            "indexByName": {name: index for index, name in enumerate(organise.order)},
            "renameByName": {},
        },
    }


def _annotation(one: AnnotationSpec) -> Json:
    return {
        "datasource": DATASOURCE,
        "enable": one.enabled,
        "hide": False,
        "iconColor": one.colour,
        "name": one.name,
        "target": {
            "fromAnnotations": True,
            "query": one.query.text,
            "rawQuery": True,
            "refId": one.query.ref_id,
            "resultFormat": one.query.result,
            "tagsColumn": one.tags_column,
            "textColumn": one.text_column,
            "timeEndColumn": "",
            "titleColumn": "",
        },
    }


def _row(panel: PanelSpec, number: int) -> Json:
    """A heading; its panels follow it and are not nested, so all of them stay open."""
    return {
        "collapsed": False,
        "gridPos": _place(panel),
        "id": number,
        "panels": [],
        "title": panel.title,
        "type": "row",
    }


def _place(panel: PanelSpec) -> Json:
    grid = panel.grid
    return {"h": grid.height, "w": grid.width, "x": grid.x, "y": grid.y}


def _target(query: QuerySpec) -> Json:
    return {
        "alias": query.alias if query.result == "time_series" else "",
        "datasource": DATASOURCE,
        "query": query.text,
        "rawQuery": True,
        "refId": query.ref_id,
        "resultFormat": query.result,
    }


def _variable(variable: VariableSpec) -> Json:
    return {
        "current": {"text": "", "value": ""},
        "datasource": DATASOURCE,
        "hide": 0,
        "includeAll": False,
        "label": variable.label,
        "multi": False,
        "name": variable.name,
        "options": [],
        "query": variable.query,
        "refresh": 2,  # again whenever the time range changes: a fleet may have just begun
        "regex": "",
        "skipUrlSync": False,
        "sort": 1,
        "type": "query",
    }


def _dashboard_link(tag: str) -> Json:
    return {
        "asDropdown": False,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "tags": [tag],
        "targetBlank": False,
        "title": "",
        "tooltip": "",
        "type": "dashboards",
        "url": "",
    }


def _thresholds(steps: tuple[Step, ...]) -> Json:
    rows = steps or (Step(None, BLUE),)
    return {
        "mode": "absolute",
        "steps": [{"color": row.colour, "value": row.value} for row in rows],
    }


def _mappings(states: tuple[StateText, ...]) -> list[Json]:
    if not states:
        return []
    options = {
        str(state.code): {"color": state.colour, "index": index, "text": state.text}
        for index, state in enumerate(states)
    }
    return [{"options": options, "type": "value"}]


def _defaults(panel: PanelSpec) -> Json:
    style = panel.style
    values: Json = {
        "color": _colour(panel),
        "custom": CUSTOM[panel.kind](panel),
        "mappings": _mappings(style.states),
        "thresholds": _thresholds(style.steps),
        "unit": style.unit,
    }
    if style.link:
        values["links"] = [_link(style)]
    for key, value in (("decimals", style.decimals), ("min", style.low), ("max", style.high)):
        if value is not None:
            values[key] = value
    if panel.no_value:
        values["noValue"] = panel.no_value
    return values


def coloured(panel: PanelSpec) -> tuple[FieldStyle, ...]:
    """Overrides, and for lines without one a colour of our own palette in the order of queries."""
    if panel.kind != "timeseries":
        return panel.overrides
    named = {style.name: style for style in panel.overrides}
    lines = [one for query in panel.queries if query.alias == "$col" for one in query.columns]
    for number, name in enumerate(dict.fromkeys(lines)):
        chosen = named.get(name, replace(panel.style, name=name, steps=(), limit_lines=False))
        named[name] = chosen if chosen.colour else replace(chosen, colour=SERIES[number % 8])
    return tuple(named.values())


def _colour(panel: PanelSpec) -> Json:
    """Lines that no override names go from blue to purple; other panels colour by value."""
    if panel.kind in ("timeseries", "histogram"):
        return {"mode": "continuous-BlPu"}
    return {"mode": "thresholds"}


def _link(style: FieldStyle) -> Json:
    return {"targetBlank": False, "title": "Open", "url": style.link}


def _override(style: FieldStyle, panel: PanelSpec) -> Json:
    rows: list[tuple[str, Any]] = [
        ("unit", style.unit),
        ("thresholds", _thresholds(style.steps) if style.steps else None),
        ("mappings", _mappings(style.states)),
        ("decimals", style.decimals),
        ("min", style.low),
        ("max", style.high),
        ("color", {"fixedColor": style.colour, "mode": "fixed"} if style.colour else None),
        ("links", [_link(style)] if style.link else None),
        ("custom.hidden", True if style.hidden else None),
        ("custom.thresholdsStyle", {"mode": "dashed"} if style.limit_lines else None),
    ]
    if panel.kind == "table" and style.steps:
        # Grafana 9 reads the first, 10 and newer the second.
        rows += [
            ("custom.displayMode", "color-text"),
            ("custom.cellOptions", {"type": "color-text"}),
        ]
    return {
        "matcher": {"id": "byName", "options": style.name},
        "properties": [
            {"id": key, "value": value} for key, value in rows if value is not None and value != []
        ],
    }
