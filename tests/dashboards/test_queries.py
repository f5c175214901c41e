"""Every query of every dashboard on a real InfluxDB 1.x: proves "the query runs and answers".

It does not prove that Grafana draws the answer.
"""

import time
from collections.abc import Iterator

import pytest
from influx_seed import FLEET, REPORTS, SATELLITES, STEP_NS, lines
from influxql import Series, empty_columns, filled, series, time_filters
from servers import InfluxServer, influxd_server

from dashboards.build import dashboards
from dashboards.fleet_wall import ROWS_IN_TABLE
from dashboards.panels import QuerySpec

DATABASE = "telemetry"
PLANE, SAT = SATELLITES[0]
VARIABLES = {"fleet": FLEET, "plane": PLANE, "sat": SAT}
SPAN_S = (REPORTS + 6) * STEP_NS // 10**9
CASES = [
    pytest.param(query, id=f"{board.uid}-{key}-{query.ref_id}")
    for board in dashboards()
    for key, query in board.queries()
]
DROP_DOWNS = [
    pytest.param(variable.query, id=f"{board.uid}-{variable.name}")
    for board in dashboards()
    for variable in board.variables
]


@pytest.fixture(scope="module")
def windows() -> dict[str, str]:
    stop_ns = time.time_ns() // STEP_NS * STEP_NS
    return time_filters(stop_ns - SPAN_S * 10**9, stop_ns, SPAN_S)


@pytest.fixture(scope="module")
def store() -> Iterator[InfluxServer]:
    with influxd_server(DATABASE) as server:
        server.write(DATABASE, lines(time.time_ns() // STEP_NS * STEP_NS))
        yield server


def ask(store: InfluxServer, query: QuerySpec, window: str) -> list[Series]:
    return series(store, DATABASE, filled(query.text, VARIABLES, window))


def query_of(board_index: int, key: str) -> QuerySpec:
    return next(query for name, query in dashboards()[board_index].queries() if name == key)


@pytest.mark.parametrize("form", ["browser", "server"])
@pytest.mark.parametrize("query", CASES)
def test_query_answers_with_a_value_in_every_column(
    store: InfluxServer, windows: dict[str, str], query: QuerySpec, form: str
) -> None:
    answer = ask(store, query, windows[form])
    assert answer, f"no rows: {query.text}"
    assert empty_columns(answer) == []


@pytest.mark.parametrize("query", DROP_DOWNS)
def test_drop_down_offers_a_choice(store: InfluxServer, query: str) -> None:
    (answer,) = series(store, DATABASE, filled(query, VARIABLES, ""))
    found = [row[1] for row in answer["values"]]
    assert set(found) <= {FLEET, *(name for pair in SATELLITES for name in pair)}
    assert len(set(found)) == len(found)


def test_positions_are_one_flat_table_with_a_row_for_each_satellite(
    store: InfluxServer, windows: dict[str, str]
) -> None:
    (answer,) = ask(store, query_of(0, "positions"), windows["server"])
    assert answer["columns"] == [
        "time", "sat", "plane", "lat", "lon", "Health", "Power mode", "Sunlit",
    ]  # fmt: skip
    assert {(row[2], row[1]) for row in answer["values"]} == set(SATELLITES)


@pytest.mark.parametrize(
    ("field", "lowest_first"), [("eps_soc_pct", True), ("tcs_die_max_t_c", False)]
)
def test_worst_table_ranks_the_newest_value_of_each_satellite(
    store: InfluxServer, windows: dict[str, str], field: str, lowest_first: bool
) -> None:
    window = windows["server"]
    (answer,) = ask(store, query_of(0, f"worst-{field}"), window)
    newest_query = f'SELECT last("{field}") FROM "sat_state" WHERE {window} GROUP BY "sat"'
    newest = {
        one["tags"]["sat"]: one["values"][0][1] for one in series(store, DATABASE, newest_query)
    }
    ranked = sorted(newest.items(), key=lambda pair: pair[1], reverse=not lowest_first)
    assert {row[2]: row[1] for row in answer["values"]} == dict(ranked[:ROWS_IN_TABLE])


def test_an_unknown_field_is_seen(store: InfluxServer, windows: dict[str, str]) -> None:
    """The check of this file can fail: alone it gives no rows, among others an empty column."""
    source = 'FROM "sat_state" WHERE $timeFilter'
    assert not ask(store, QuerySpec(f'SELECT mean("no_such") {source}'), windows["server"])
    both = QuerySpec(f'SELECT mean("eps_soc_pct") AS "a", mean("no_such") AS "b" {source}')
    assert empty_columns(ask(store, both, windows["server"])) == ["b"]
