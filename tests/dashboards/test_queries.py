"""Every query of every dashboard on a real InfluxDB 1.x: proves "the query runs and answers".

It does not prove that Grafana draws the answer.
"""

import json
import time
from collections.abc import Iterator

import pytest
from influx_seed import FLEET, REPORTS, SATELLITES, STEP_NS, lines
from servers import InfluxServer, influxd_server

from dashboards.build import dashboards
from dashboards.fleet_wall import ROWS_IN_TABLE
from dashboards.panels import QuerySpec

DATABASE = "telemetry"
PLANE, SAT = SATELLITES[0]
SPAN_NS = (REPORTS + 6) * STEP_NS
CASES = [
    pytest.param(query, id=f"{board.uid}-{key}-{query.ref_id}")
    for board in dashboards()
    for key, query in board.queries()
]
VARIABLES = [
    pytest.param(variable.query, id=f"{board.uid}-{variable.name}")
    for board in dashboards()
    for variable in board.variables
]


@pytest.fixture(scope="module")
def stop_ns() -> int:
    return time.time_ns() // STEP_NS * STEP_NS


@pytest.fixture(scope="module")
def store(stop_ns: int) -> Iterator[InfluxServer]:
    with influxd_server(DATABASE) as server:
        server.write(DATABASE, lines(stop_ns))
        yield server


def filled(text: str, time_filter: str) -> str:
    """The query as Grafana sends it, for one moment and one choice of variables."""
    for name, value in (("fleet", FLEET), ("plane", PLANE), ("sat", SAT)):
        text = text.replace(f"${{{name}:raw}}", value)
    text = text.replace("$timeFilter", time_filter).replace("$__interval", "10s")
    assert "$" not in text, text
    return text


def time_filters(stop_ns: int) -> dict[str, str]:
    """How Grafana 9 (in the browser) and 12 (in the server) write $timeFilter."""
    start_ms, stop_ms = (stop_ns - SPAN_NS) // 10**6, stop_ns // 10**6
    return {
        "browser": f"time >= now() - {SPAN_NS // 10**9}s and time <= now()",
        "server": f"time >= {start_ms}ms and time <= {stop_ms}ms",
    }


def series(store: InfluxServer, text: str) -> list[dict[str, object]]:
    result = json.loads(store.query(text, DATABASE, "ms"))["results"][0]
    assert "error" not in result, (result, text)
    found: list[dict[str, object]] = result.get("series", [])
    return found


@pytest.mark.parametrize("form", ["browser", "server"])
@pytest.mark.parametrize("query", CASES)
def test_query_answers_with_a_value_in_every_column(
    store: InfluxServer, stop_ns: int, query: QuerySpec, form: str
) -> None:
    text = filled(query.text, time_filters(stop_ns)[form])
    answer = series(store, text)
    assert answer, f"no rows: {text}"
    for one in answer:
        columns, values = one["columns"], one["values"]
        assert isinstance(columns, list)
        assert isinstance(values, list)
        for index, column in enumerate(columns):
            # One unknown field in a list of fields gives an empty column, not an error.
            assert any(row[index] is not None for row in values), (column, text)


@pytest.mark.parametrize("query", VARIABLES)
def test_variable_query_offers_a_choice(store: InfluxServer, query: str) -> None:
    (answer,) = series(store, filled(query, ""))
    values = answer["values"]
    assert isinstance(values, list)
    assert {row[1] for row in values} <= {FLEET, *(name for pair in SATELLITES for name in pair)}
    assert len({row[1] for row in values}) == len(values)


def query_of(board_index: int, key: str) -> QuerySpec:
    return next(query for name, query in dashboards()[board_index].queries() if name == key)


def test_positions_are_one_flat_table_with_a_row_for_each_satellite(
    store: InfluxServer, stop_ns: int
) -> None:
    text = filled(query_of(0, "positions").text, time_filters(stop_ns)["server"])
    (answer,) = series(store, text)
    assert answer["columns"] == [
        "time", "sat", "plane", "lat", "lon", "Health", "Power mode", "Sunlit",
    ]  # fmt: skip
    values = answer["values"]
    assert isinstance(values, list)
    assert {(row[2], row[1]) for row in values} == set(SATELLITES)


@pytest.mark.parametrize(
    ("key", "field", "lowest"),
    [
        ("worst-eps_soc_pct", "eps_soc_pct", True),
        ("worst-tcs_die_max_t_c", "tcs_die_max_t_c", False),
    ],
)
def test_worst_table_ranks_the_newest_value_of_each_satellite(
    store: InfluxServer, stop_ns: int, key: str, field: str, lowest: bool
) -> None:
    window = time_filters(stop_ns)["server"]
    (answer,) = series(store, filled(query_of(0, key).text, window))
    newest = {
        one["tags"]["sat"]: one["values"][0][1]  # type: ignore[index]
        for one in series(
            store, f'SELECT last("{field}") FROM "sat_state" WHERE {window} GROUP BY "sat"'
        )
    }
    values = answer["values"]
    assert isinstance(values, list)
    shown = {row[2]: row[1] for row in values}
    ranked = sorted(newest.items(), key=lambda pair: pair[1], reverse=not lowest)
    assert shown == dict(ranked[:ROWS_IN_TABLE])


def test_the_linter_of_this_file_would_see_an_unknown_field(
    store: InfluxServer, stop_ns: int
) -> None:
    query = QuerySpec('SELECT mean("no_such_channel") FROM "sat_state" WHERE $timeFilter')
    assert not series(store, filled(query.text, time_filters(stop_ns)["server"]))
