"""Drill scorecard: what was injected, what was seen of it and how fast (`twin drill --live`)."""

from dashboards.influxql import FLEET_VARIABLE, of_cells, query
from dashboards.panels import DashboardSpec, FieldStyle, Organise, PanelSpec, Step
from dashboards.parts import ANNOTATIONS, NOWHERE, Row, placed
from dashboards.shapes import Cell, Newest, Rows
from dashboards.style import AMBER, BLUE, MAGENTA

UID = "twin-drills"
DRILLS = "drills"
ALERTS = "alerts"
SCORE = (Step(None, MAGENTA), Step(60, AMBER), Step(90, BLUE))
ANY = (Step(None, BLUE), Step(1, AMBER))
CELLS = (
    ("Score", "score", "percent", "What the drill's own rules give, 0 to 100", SCORE),
    ("Detected", "detected_count", "short", "Expected alerts that fired in time", ()),
    ("Missed", "missed_count", "short", "Expected alerts that did not", ANY),
    ("False", "false_count", "short", "Alerts that nobody had reason to raise", ANY),
    ("Delay, median", "delay_p50_s", "s", "From the fault to the alert, half of them", ()),
    ("Delay, 95th", "delay_p95_s", "s", "From the fault to the alert, 95 of 100", ()),
    ("Flaps", "flaps_count", "short", "Alerts that fired, resolved and fired again", ANY),
    ("Recovery", "recovery_s", "s", "From the end of the fault to the last alert resolved", ()),
)
_SAID = "\n\n".join(f"**{row[0]}**: {row[3]}." for row in CELLS)


def _now(index: int) -> PanelSpec:
    label, field, _, text, _ = CELLS[index]
    return PanelSpec(
        key=f"now-{field}",
        kind="gauge" if field == "score" else "stat",
        title=f"{label}, newest drill",
        description=f"{text}.",
        grid=NOWHERE,
        queries=(of_cells(DRILLS, (Cell(label, field),)),),
        style=_style(index),
    )


def _style(index: int, name: str | None = None) -> FieldStyle:
    _, field, unit, _, steps = CELLS[index]
    high = 100.0 if field == "score" else None
    return FieldStyle(unit, name, low=0.0, high=high, steps=steps)


def _scorecard() -> PanelSpec:
    cells = tuple(Cell(row[0], row[1]) for row in CELLS)
    return PanelSpec(
        key="scorecard",
        kind="table",
        title="Newest score of every drill",
        description=_SAID,
        grid=NOWHERE,
        queries=(query(Newest(DRILLS, ("drill",), cells)),),
        style=FieldStyle("short"),
        overrides=tuple(_style(index, row[0]) for index, row in enumerate(CELLS)),
        sort_by="Score",
        organise=Organise(("Time",), ("drill", *(row[0] for row in CELLS))),
    )


def _bars() -> PanelSpec:
    return PanelSpec(
        key="scores",
        kind="bargauge",
        title="Score by drill",
        description=f"{CELLS[0][3]}, a bar for each drill.",
        grid=NOWHERE,
        queries=(query(Newest(DRILLS, ("drill",), (Cell("Score", "score"),))),),
        style=_style(0),
        bar_rows=True,
        organise=Organise(("Time",)),
    )


def _by_drill(index: int, key: str) -> PanelSpec:
    label, field, _, text, _ = CELLS[index]
    return PanelSpec(
        key=key,
        kind="timeseries",
        title=f"{label} by drill",
        description=f"{text}, one line for each drill.",
        grid=NOWHERE,
        queries=(of_cells(DRILLS, (Cell(label, field),), by="drill"),),
        style=_style(index),
    )


def _transitions() -> PanelSpec:
    columns = ("value", "rule", "state", "severity")
    return PanelSpec(
        key="transitions",
        kind="table",
        title="Alerts as they fired and resolved",
        description="Transitions of the evaluator's rules (`twin watch`), newest first.",
        grid=NOWHERE,
        queries=(query(Rows(ALERTS, columns)),),
        style=FieldStyle("short"),
    )


def drills() -> DashboardSpec:
    """The dashboard of drills and their scores."""
    rows = (
        Row(5, [_now(index) for index in (0, 1, 2, 3, 4, 7)]),
        Row(9, (_scorecard(), _bars()), (16, 8)),
        Row(8, (_by_drill(0, "score"), _by_drill(5, "delay"), _by_drill(7, "recovery"))),
        Row(10, (_transitions(),)),
    )
    return DashboardSpec(
        uid=UID,
        title="Drill scorecard",
        description="Faults injected on purpose: what was seen of them, how fast, how cleanly.",
        file_name="drills.json",
        variables=(FLEET_VARIABLE,),
        links=("orbital-twin",),
        annotations=ANNOTATIONS,
        panels=placed(rows),
        time_from="now-7d",
        refresh="1m",
    )
