"""docs/dashboards.md: every dashboard with its panels, from the specifications themselves."""

from dashboards.build import dashboards
from dashboards.panels import SERIES_LIMIT, DashboardSpec
from dashboards.query_list import listed

HEAD = """# Dashboards

Generated from `dashboards/*.py` by `make generate`; edit those, not this page. Grafana gets them as
`dashboards/grafana/*.json` (schema 37: 9.3 to 13), the console draws the same specifications.

![A pump has stopped: the console's dashboard of heat](images/dashboards.png)

{boards} dashboards, {panels} panels, {queries} different queries. Each query promises the columns
of its answer and its most series, never more than {limit}; `tests/dashboards/test_queries.py` asks
every one of a real InfluxDB with both forms of Grafana's macros and holds it to that,
`tests/services/test_shapes.py` compares the embedded store's answer. `make queries` measures all
of them with 10,281 satellites (`docs/dashboard-queries.md`); `make grafana-types` holds the files
against Grafana's own types and functions; `python -m dashboards.lint` is their linter,
`python -m dashboards` lists their queries.

The way down keeps time and choice: fleet wall, then a plane's or a subsystem's dashboard, then a
satellite, then its strips in each subsystem. Panels that show what is so now look at the newest
five minutes, whatever the time chosen.

For days and weeks there is a dashboard of its own (`twin-weeks`) that reads the roll-ups over a
minute from their database, `telemetry_1m` or what `TWIN_INFLUX_DATABASE_1M` names: `twin provision`
puts the name in. The other dashboards read raw rows whatever the range. Grafana cannot choose a
measurement by the length of the range but through a query variable; what those do has changed
often (grafana/grafana#80003, #77465, #82785), and a viewer would see a number change its meaning,
a reading or a minute's mean, without a word. Whether InfluxDB 3 answers a query that names another
database has not been tried; there a data source of the minutes' database would do.

Colours are of one palette that every kind of colour vision
can tell apart, and never the only sign. None of this has been looked at in a real Grafana yet.

The pictures are of the console, at ten times real time: 96 hosted payloads in eight planes and a
train of 24 racks, in which a drill stops a pump, punctures a radiator, cuts strings of an array and
spoils memory. Lasers of satellites twelve to a plane do not reach each other, which the rules say
too. Where a panel is empty nothing of the kind happened: the delay from report to stored is told
at real time only.
"""


def dashboards_page() -> str:
    """The whole page."""
    boards = dashboards()
    panels = [panel for board in boards for panel in board.panels if panel.kind != "row"]
    queries = {one.query.text for one in listed(boards)}
    head = HEAD.format(
        boards=len(boards), panels=len(panels), queries=len(queries), limit=SERIES_LIMIT
    )
    return "\n".join([head, *map(_board, boards)])


def _board(board: DashboardSpec) -> str:
    chosen = ", ".join(one.label.lower() for one in board.variables)
    lines = [
        f"## {board.title}\n",
        f"`{board.uid}`, chosen by {chosen}. {board.description}\n",
        f"![{board.title} in the console](images/dashboards/{board.uid}.png)\n",
        "| panel | kind | what it asks for |",
        "|---|---|---|",
    ]
    for panel in board.panels:
        if panel.kind == "row":
            lines.append(f"| **{panel.title}** | | |")
            continue
        asked = "; ".join(", ".join(query.columns) for query in panel.queries)
        lines.append(f"| {panel.title} | {panel.kind} | {asked} |")
    return "\n".join(lines) + "\n"
