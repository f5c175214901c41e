"""Pipeline health: what the services count of themselves, from the measurement `ops`."""

from collections.abc import Sequence

from dashboards.influxql import FLEET_VARIABLE, of_cells, query
from dashboards.panels import DashboardSpec, FieldStyle, Organise, PanelSpec, Step
from dashboards.parts import ANNOTATIONS, NOW_MIN, NOWHERE, Row, heading, placed, trend
from dashboards.shapes import Cell, Change, Newest, Reduce
from dashboards.style import AMBER, BLUE, MAGENTA
from twin.alert_conditions import FLEET_WATCH_MEASUREMENT

UID = "twin-pipeline"
OPS = "ops"
NO_WATCH = "no watch: twin watch or twin up writes these numbers"
OFF_REAL_TIME = "no report within an hour of the clock: the fleet is off real time, or none came"
ALARM = (Step(None, BLUE), Step(1, MAGENTA))
DEAD_LETTERS = {
    "Frame": "dlq_total_frame",
    "Owner": "dlq_total_owner",
    "Schema": "dlq_total_schema",
    "Row": "dlq_total_row",
}
STORE_ERRORS = {
    "Rejected": "store_errors_total_rejected",
    "4xx": "store_errors_total_4xx",
    "5xx": "store_errors_total_5xx",
    "No answer": "store_errors_total_no_answer",
}
DROPPED = {"Spool full": "dropped_total_spool_quota", "Letters full": "dropped_total_dlq_cap"}


def _stat(key: str, title: str, text: str, cell: Cell, style: FieldStyle) -> PanelSpec:
    return PanelSpec(
        key=f"now-{key}",
        kind="stat",
        title=title,
        description=text,
        grid=NOWHERE,
        queries=(of_cells(OPS, (cell,), scope="services"),),
        style=style,
    )


def _over(
    key: str,
    title: str,
    text: str,
    cells: Sequence[Cell],
    unit: str,
    by: str = "",
    no_value: str = "",
) -> PanelSpec:
    return PanelSpec(
        key=key,
        kind="timeseries",
        title=title,
        description=text,
        grid=NOWHERE,
        queries=(of_cells(OPS, cells, scope="services", by=by),),
        style=FieldStyle(unit, low=0),
        no_value=no_value,
    )


def _cells(fields: dict[str, str], reduce: Reduce = "max", change: Change = "") -> list[Cell]:
    return [Cell(label, name, reduce, change=change) for label, name in fields.items()]


def _mean_of(label: str, name: str) -> list[Cell]:
    """Mean of a histogram since the service began: its sum over its count."""
    return [Cell(label, f"{name}_sum", "last", over=f"{name}_count")]


def _services_table() -> PanelSpec:
    cells = (
        Cell("Broker", "broker_up"),
        Cell("Loop lag", "event_loop_lag_seconds", "max"),
        Cell("Reconnects", "reconnects_total"),
        Cell("Tasks", "asyncio_tasks"),
    )
    up = (Step(None, MAGENTA), Step(1, BLUE))
    return PanelSpec(
        key="services",
        kind="table",
        title="Services",
        description="Newest row of every process: 1 while it is connected to the broker, how late "
        "its event loop turned at worst, connections after the first, tasks that run.",
        grid=NOWHERE,
        queries=(query(Newest(OPS, ("service", "instance"), cells, "services")),),
        style=FieldStyle("short"),
        overrides=(
            FieldStyle("short", "Broker", decimals=0, steps=up),
            FieldStyle("s", "Loop lag", decimals=3),
        ),
        sort_by="service",
        organise=Organise(("Time",), ("service", "instance", *(cell.label for cell in cells))),
        time_from=NOW_MIN,
    )


def _silent() -> PanelSpec:
    """What the rule on silence of many looks at."""
    cells = (Cell("Silent", "silent_count", "max"), Cell("In contact", "reachable_count", "min"))
    return PanelSpec(
        key="silent",
        kind="timeseries",
        title="Silent satellites",
        description="**Silent**: overdue by more than two minutes although they could send.\n\n"
        "**In contact**: those that could; the others record, and are late, not dead.\n\nWritten "
        "by the watch.",
        grid=NOWHERE,
        queries=(of_cells(FLEET_WATCH_MEASUREMENT, cells),),
        style=FieldStyle("short", low=0, decimals=0),
        no_value=NO_WATCH,
    )


def _headlines() -> list[PanelSpec]:
    lag = (Step(None, BLUE), Step(10, AMBER), Step(60, MAGENTA))
    return [
        _stat("store", "Store", "1 while rows go through to the store.",
              Cell("Store", "store_up", "min"),
              FieldStyle("short", decimals=0, steps=(Step(None, MAGENTA), Step(1, BLUE)))),
        _stat("lag", "Oldest row due", "Age of the oldest row that is not durable.",
              Cell("Lag", "watermark_lag_seconds", "max"), FieldStyle("s", steps=lag)),
        _stat("letters", "Dead letters", "Messages that nobody could use, since the start.",
              Cell("Letters", "messages_total_dead_lettered", "max"),
              FieldStyle("short", decimals=0, steps=(Step(None, BLUE), Step(1, AMBER)))),
        _stat("dropped", "Given up", "Batches dropped because the spool was full; must stay 0.",
              Cell("Dropped", "dropped_total_spool_quota", "max"),
              FieldStyle("short", decimals=0, steps=ALARM)),
        _stat("broker-dropped", "Dropped by the broker", "As mosquitto says of itself; must be 0.",
              Cell("Dropped", "broker_dropped_total", "max"),
              FieldStyle("short", decimals=0, steps=ALARM)),
        _stat("clock", "Behind the clock", "How far the simulator is behind the wall clock.",
              Cell("Behind", "clock_lag_seconds", "max"), FieldStyle("s", steps=lag)),
    ]  # fmt: skip


def pipeline() -> DashboardSpec:
    """The dashboard of the way from a satellite to a stored row."""
    flow = {"Frames": "frames_stored_total", "Values": "values_stored_total"}
    waits = {"In memory": "queue_bytes", "In the spool": "spool_bytes"}
    gaps = {"Numbers skipped": "seq_gap_total", "Sent again": "messages_total_duplicate"}
    rows = (
        Row(4, _headlines()),
        Row(7, (_services_table(),)),
        Row(8, (trend("reporting", "Satellites reporting", ("sats_count",)), _silent())),
        heading("Flow"),
        Row(
            8,
            (
                _over("flow", "Stored a second", "Satellite rows and values made durable.",
                      _cells(flow, change="per_s"), "suffix:/s"),
                _over("latency", "From report to stored", "Mean since the ingester's start, from "
                      "a report's own time to its row being stored. Only of reports whose time "
                      "is within an hour of the clock on the wall: the others are of a fleet with "
                      "another epoch or a faster clock, or played back, and tell no delay.",
                      _mean_of("Mean", "e2e_latency_seconds"), "s", no_value=OFF_REAL_TIME),
                _over("write", "One write to the store", "Mean since the service's start of one "
                      "request that the store took.",
                      _mean_of("Mean", "store_write_seconds"), "s", "service"),
            ),
        ),
        Row(
            8,
            (
                _over("lag", "Oldest row due", "Age of the oldest row that is not durable.",
                      [Cell("Lag", "watermark_lag_seconds", "max")], "s", "instance"),
                _over("inflight", "Batches not done", "Neither stored nor refused, by service.",
                      [Cell("Batches", "inflight", "max")], "short", "service"),
                _over("waiting", "Bytes that wait", "In memory and in the spool.",
                      _cells(waits), "bytes"),
            ),
        ),
        heading("Losses and errors"),
        Row(
            8,
            (
                _over("gaps", "Gaps and duplicates", "Sequence numbers skipped, and batches that "
                      "came again, since the start.", _cells(gaps), "short"),
                _over("letters", "Dead letters by kind", "Since the start, by what was wrong.",
                      _cells(DEAD_LETTERS), "short"),
                _over("dropped", "Given up", "Because something was full; must stay 0.",
                      _cells(DROPPED), "short"),
            ),
        ),
        Row(
            8,
            (
                _over("errors", "Answers of the store other than stored", "Since the start.",
                      _cells(STORE_ERRORS), "short"),
                _over("retries", "Writes tried again", "In each interval.",
                      [Cell("Retries", "retries_total", "max", change="difference")], "short"),
                _over("loop", "Event loop lag", "How late each service's event loop turned.",
                      [Cell("Lag", "event_loop_lag_seconds", "max")], "s", "service"),
            ),
        ),
    )  # fmt: skip
    return DashboardSpec(
        uid=UID,
        title="Pipeline health",
        description="From a satellite's report to a stored row: flow, delay, gaps, losses.",
        file_name="pipeline.json",
        variables=(FLEET_VARIABLE,),
        links=("orbital-twin",),
        annotations=ANNOTATIONS,
        panels=placed(rows),
    )
