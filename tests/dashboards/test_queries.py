"""Every query of every dashboard on a real InfluxDB 1.x: proves "the query runs and answers".

It does not prove that Grafana draws the answer.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import query_page
import query_report
import query_store
from influx_seed import FLEET, REPORTS, SATELLITES, STEP_NS, lines, minute_lines
from influxql import Series, empty_columns, filled, series, time_filters
from servers import InfluxServer, influxd_server

from dashboards.build import dashboards
from dashboards.panels import QuerySpec
from dashboards.parts import ROWS_IN_TABLE
from dashboards.query_list import broken_promises, listed
from dashboards.shapes import MINUTES_DATABASE

DATABASE = "telemetry"
PLANE, SAT = SATELLITES[0]
VARIABLES = {"fleet": FLEET, "plane": PLANE, "sat": SAT}
SPAN_S = (REPORTS + 6) * STEP_NS // 10**9
LISTED = list(listed(dashboards()))
CASES = {one.query.text: one for one in reversed(LISTED)}.values()


@pytest.fixture(scope="module")
def windows() -> dict[str, str]:
    stop_ns = time.time_ns() // STEP_NS * STEP_NS
    return time_filters(stop_ns - SPAN_S * 10**9, stop_ns, SPAN_S)


@pytest.fixture(scope="module")
def store() -> Iterator[InfluxServer]:
    with influxd_server(DATABASE, MINUTES_DATABASE) as server:
        stop_ns = time.time_ns() // STEP_NS * STEP_NS
        server.write(DATABASE, lines(stop_ns))
        server.write(MINUTES_DATABASE, minute_lines(stop_ns))
        yield server


def ask(store: InfluxServer, query: QuerySpec, window: str) -> list[Series]:
    return series(store, DATABASE, filled(query.text, VARIABLES, window))


def query_of(board_index: int, key: str) -> QuerySpec:
    return next(query for name, query in dashboards()[board_index].queries() if name == key)


@pytest.mark.parametrize("form", ["browser", "server"])
def test_every_query_keeps_its_promises(
    store: InfluxServer, windows: dict[str, str], form: str
) -> None:
    """Columns as declared, at least one row, no empty column, no more series than declared."""
    broken = {
        one.key: found
        for one in CASES
        if (found := broken_promises(one.query, ask(store, one.query, windows[form])))
    }
    assert broken == {}
    assert len(CASES) > 150


def test_keys_of_queries_are_unique() -> None:
    assert len({one.key for one in LISTED}) == len(LISTED)


def test_a_broken_promise_is_seen(store: InfluxServer, windows: dict[str, str]) -> None:
    """Another column, an empty one, none at all, too many series: each is told."""
    good = query_of(0, "power")
    answer = ask(store, good, windows["server"])
    assert broken_promises(good, answer) == []
    assert broken_promises(replace(good, columns=("Other",)), answer)
    assert broken_promises(replace(good, series_limit=0), answer) == ["1 series, at most 0"]
    assert broken_promises(good, []) == ["no rows"]
    empty = [one | {"values": [[row[0], None, None, None] for row in one["values"]]}
             for one in answer]  # fmt: skip
    assert len(broken_promises(good, empty)) == 3


def test_report_of_a_small_fleet_measures_every_query() -> None:
    stop_ns = time.time_ns() // STEP_NS * STEP_NS
    with influxd_server(DATABASE) as server:
        fleet = query_store.Fleet(6, 0.1, 5.0, "twin-fleet/")
        server.query(f'CREATE DATABASE "{MINUTES_DATABASE}"')
        assert query_store.fill(server, fleet, stop_ns) > 0
        one = next(one for one in LISTED if one.name == "positions/A")
        variables = {"fleet": FLEET, "plane": "Plane000", "sat": "Sat_00000"}
        found = query_report.measure(server, one, variables, stop_ns)
    assert (found.broken, found.series) == ([], 1)
    assert found.rows == 6 + len(SATELLITES)
    assert found.size_bytes > 0
    assert found.first_s > 0.0
    said = query_page.page([found], fleet, 1000)
    assert "- a second or more: none\n" in said
    assert f"| {one.key} | {found.first_s * 1e3:.0f} |" in said


def test_the_page_names_what_is_slow_and_what_has_more_series_than_it_may() -> None:
    one = next(one for one in LISTED if one.name == "positions/A")
    good = query_page.Measured(one, 0.2, 0.2, 0.1, 3, 1, 10, [])
    rule = replace(one, kind="rule", dashboard="rules", name="x")
    said = query_page.page(
        [
            replace(good, first_s=1.5),
            replace(good, listed=replace(one, name="slow"), seconds=2.0),
            replace(good, listed=replace(one, name="many"), series=2, broken=["2 series"]),
            replace(good, listed=replace(one, name="odd"), broken=["no rows"]),
            replace(good, listed=rule, series=700, seconds=7.25),
        ],
        query_store.Fleet(6, 0.1, 5.0, ""),
        1000,
    )
    place = f"{one.dashboard}/panel"
    for line in (
        f"- a second or more: {place}/slow (2.0 s)",
        f"- a second or more at the first asking only: {place}/positions/A (1.5 s)",
        f"- more series than declared: {place}/many (2 of 1)",
        f"- another broken promise: {place}/odd (no rows)",
        "- a second or more: rules/rule/x (7.2 s)",
        "- more series than declared: none",
    ):
        assert f"\n{line}\n" in said


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
