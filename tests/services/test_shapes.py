"""One question, one answer: SQL of the embedded store against InfluxDB, for every query."""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import influxd_server

from dashboards.build import dashboards
from dashboards.query_list import ListedQuery, listed
from dashboards.shapes import Cell, Newest, OverTime, Places, Ranked, of_database
from services.console.boards import (
    UnknownQueryError,
    answered,
    boards_spec,
    checked,
    filled,
    minutes_of,
    moment_of,
    query_of,
)
from services.embedded_database import Database
from services.settings import load_settings
from services.shape_sql import Moment
from services.store import InfluxStore

STEP_NS = 10**10
VALUES = {"fleet": "flown-2026", "plane": "Plane1", "sat": "Sat1_1"}
ASKED = {one.query.text: one for one in listed(dashboards()) if one.query.shape is not None}


@pytest.fixture(scope="module")
def seed() -> tuple[str, int]:
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1] / "dashboards"))
    from influx_seed import lines, minute_lines

    stop_ns = time.time_ns() // STEP_NS * STEP_NS
    return lines(stop_ns) + _gaps(stop_ns) + minute_lines(stop_ns), stop_ns


def _gaps(stop_ns: int) -> str:
    """A satellite that loses its health, then its place: its newest place has no health."""
    head = "sat_state,fleet=flown-2026,plane=Plane1,sat=Gaps"
    reports = ("orb_lat_deg=1,orb_lon_deg=2,sat_health=1i", "orb_lat_deg=3", "sat_health=2i")
    rows = [f"{head} {one} {stop_ns - (3 - k) * STEP_NS}" for k, one in enumerate(reports)]
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def embedded(seed: tuple[str, int]) -> Iterator[Database]:
    database = Database(None)
    for line in sorted(seed[0].splitlines(), key=lambda one: one.rsplit(" ", 1)[1]):
        database.write(f"{line}\n".encode())
    yield database
    database.close()


def plain(one: ListedQuery, series: list[dict[str, Any]]) -> Any:
    """What both stores say alike: values by tag and time; the first change of a counter aside."""
    shape = one.query.shape
    if isinstance(shape, OverTime):
        changes = any(cell.change for cell in shape.cells)
        return {
            tuple((found.get("tags") or {}).values()): [
                [row[0], *map(_rounded, row[1:])] for row in found["values"][1 if changes else 0 :]
            ]
            for found in series
        }
    rows = [list(map(_rounded, row[1:])) for found in series for row in found["values"]]
    if isinstance(shape, Ranked):
        return sorted(row[0] for row in rows)  # equal values: which one is anybody's choice
    return sorted(rows, key=str) if isinstance(shape, Newest | Places) else rows


def _rounded(value: Any) -> Any:
    if isinstance(value, float | int):
        return None if math.isnan(value) else float(f"{value:.9g}")
    return value


def test_newest_place_of_a_satellite_comes_from_one_report(
    seed: tuple[str, int], embedded: Database
) -> None:
    moment = moment_of(VALUES, seed[1], 4)
    times = {"start_ns": str(moment.start_ns), "stop_ns": str(moment.stop_ns)}
    ask = VALUES | {"key": "twin-fleet/panel/positions/A", "every_ns": str(STEP_NS)} | times
    (found,) = embedded.shape(ask)
    (row,) = [dict(zip(found["columns"], one, strict=True)) for one in found["values"]
              if one[1] == "Gaps"]  # fmt: skip
    assert (row["lat"], row["lon"], row["Health"]) == (3.0, None, None)
    with pytest.raises(ValueError, match="a whole row has its newest fields"):
        Newest("sat_state", ("sat",), (Cell("Highest", "eps_soc_pct", "max"),), whole=True)


async def test_every_query_has_the_same_answer_from_both_stores(
    seed: tuple[str, int], embedded: Database
) -> None:
    text, stop_ns = seed
    moment = moment_of(VALUES, stop_ns, 4)
    assert moment.every_ns == STEP_NS
    with influxd_server("telemetry", "telemetry_1m") as server:
        for database, is_minute in (("telemetry", False), ("telemetry_1m", True)):
            kept = [row for row in text.splitlines() if ("_1m," in row) is is_minute]
            server.write(database, "\n".join(kept))
        async with InfluxStore(load_settings(influx_url=server.url)) as store:
            for one in ASKED.values():
                told = await answered(store, one, moment)
                ask = VALUES | {"key": one.key, "every_ns": str(STEP_NS)}
                ask |= {"start_ns": str(moment.start_ns), "stop_ns": str(moment.stop_ns)}
                own = embedded.shape(ask)
                assert own, one.key
                assert plain(one, own) == plain(one, told), one.key
    assert len(ASKED) > 150


def test_a_store_that_lacks_a_field_or_a_measurement_says_so_with_nothing() -> None:
    database = Database(None)
    key = "twin-fleet/panel/power/A"
    times = {"key": key, "start_ns": "0", "stop_ns": str(STEP_NS), "every_ns": str(STEP_NS)}
    assert database.shape(VALUES | times) == []
    database.write(b"fleet_state,fleet=flown-2026 array_w=3 1000\n")
    (found,) = database.shape(VALUES | times)
    assert found["columns"] == ["time", "Array power", "Load", "Compute power"]
    assert found["values"] == [[0, 3.0, None, None]]
    database.close()


def test_the_page_gets_every_panel_and_no_query_text() -> None:
    told = boards_spec()
    assert [board["uid"] for board in told] == [board.uid for board in dashboards()]
    assert "SELECT" not in str(told)
    keys = [query["key"] for board in told for panel in board["panels"]
            for query in panel["queries"]]  # fmt: skip
    assert all(query_of(key) for key in keys)


@pytest.mark.parametrize("value", ["", "x' OR '1'='1", 'a"b', "a;DROP", "x" * 97, "a\n"])
def test_values_that_do_not_belong_in_a_query_are_refused(value: str) -> None:
    with pytest.raises(UnknownQueryError, match="fleet: letters"):
        checked({"fleet": value})
    with pytest.raises(UnknownQueryError, match="no dashboard asks that"):
        query_of(value)


def test_macros_are_filled_for_one_moment() -> None:
    one = query_of("twin-power/panel/planes-soc_min_pct/A")
    text = filled(one.query.text, Moment(VALUES, 5, 7, 20 * 10**9))
    assert "$" not in text
    assert "time >= 5 AND time <= 7" in text
    assert "GROUP BY time(20s)" in text
    assert [minutes_of(one) for one in ("30m", "3h", "7d")] == [30, 180, 10_080]


def test_minutes_are_asked_of_the_database_that_has_them() -> None:
    one = query_of("twin-weeks/panel/charge/A")
    assert 'FROM "telemetry_1m".."fleet_1m"' in one.query.text
    assert 'FROM "minutes".."fleet_1m"' in of_database(one.query.text, "minutes")
    assert 'FROM "fleet_1m"' in of_database(one.query.text, "")
    raw = query_of("twin-fleet/panel/power/A").query.text
    assert of_database(raw, "minutes") == raw
