"""The console's dashboards in a real browser: every panel draws what the store tells it."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from chromium import Page, chromium_path, page
from console_fixture import FixtureFleet, pipeline_status

from dashboards.build import dashboards
from dashboards.query_list import ListedQuery
from services.console.app import create_app
from services.console.feed import LiveFleet
from services.embedded_database import Database
from services.shape_sql import Moment, Series
from services.store import StoreUnavailableError

sys.path.insert(0, str(Path(__file__).parents[1] / "dashboards"))
from influx_seed import FLEET, REPORTS, SATELLITES, STEP_NS, lines, minute_lines

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        chromium_path() is None, reason="Chromium is not installed (Debian: apt install chromium)"
    ),
]

STOP_NS = 1_790_812_800 * 10**9
PLANE, SAT = SATELLITES[0]
PANELS = """[...document.querySelectorAll('.board-panel')].map((panel) => {
  const body = panel.querySelector('.board-body'), canvas = body.querySelector('canvas');
  const data = canvas?.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data ?? [];
  let painted = 0;
  for (let k = 3; k < data.length; k += 4) if (data[k]) painted += 1;
  return { key: panel.dataset.key, kind: panel.dataset.kind, painted, text: body.innerText,
    rows: body.querySelectorAll('tbody tr, .bar-row').length,
    empty: body.querySelector('.board-empty')?.innerText ?? null }; })"""
WORDS = ("stat", "gauge")
ROWS = ("table", "bargauge")


class SeededStore:
    """A store with a little of every measurement; it is asked as the real one, about its own rows.

    The page chooses among the satellites that report to the console; the rows are of others.
    """

    def __init__(self) -> None:
        self.database = Database(None)
        text = lines(STOP_NS) + minute_lines(STOP_NS)
        rows = sorted(text.splitlines(), key=lambda one: one.rsplit(" ", 1)[1])
        self.database.write(("\n".join(rows) + "\n").encode())
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def answer(self, one: ListedQuery, moment: Moment) -> list[Series]:
        """Series of a listed query over the reports that there are."""
        self.asked.append((one.key, dict(moment.values)))
        question = {
            "key": one.key,
            "fleet": FLEET,
            "plane": PLANE,
            "sat": SAT,
            "start_ns": str(STOP_NS - REPORTS * STEP_NS),
            "stop_ns": str(STOP_NS),
            "every_ns": str(STEP_NS),
        }
        shifted = moment.stop_ns - STOP_NS
        found = self.database.shape(question)
        for series in found:
            values: Any = series["values"]
            series["values"] = [[row[0] + shifted, *row[1:]] for row in values]
        return found

    async def series(self, *_: object) -> dict[str, list[float | int | None]]:
        """Not asked by dashboards."""
        raise AssertionError


@asynccontextmanager
async def console(path: str) -> AsyncIterator[tuple[Page, SeededStore, str]]:
    fleet, live, store = FixtureFleet(6), LiveFleet(), SeededStore()
    for satellite_id, state in fleet.states():
        live.on_state(satellite_id, state)
    for elapsed_s in range(-2, 1):
        live.ingest(fleet.batch_at(elapsed_s))
        live.tick()
    app = create_app(live, store, pipeline_status, ticking=False)
    async with TestServer(app) as server, page((1600, 1200)) as tab:
        url = str(server.make_url("/"))
        await tab.open(url + path)
        yield tab, store, url
    store.database.close()


async def drawn(tab: Page, title: str) -> list[dict[str, Any]]:
    """What is in every panel once the board with this title is drawn, maps included."""
    await tab.until(f"document.querySelector('.board-head h1')?.innerText === '{title}'")
    full = "[...document.querySelectorAll('.board-body')].every((one) => one.children.length)"
    await tab.until(full)
    found: list[dict[str, Any]] = await tab.run(PANELS)
    return found


def unwell(panel: dict[str, Any]) -> str:
    """Why a panel shows nothing; empty where it does."""
    if panel["empty"] is not None:
        return str(panel["empty"])
    if panel["kind"] in WORDS:
        has_value = any(letter.isalnum() for letter in panel["text"]) and "–" not in panel["text"]
        return "" if has_value else "no value"
    if panel["kind"] in ROWS:
        return "" if panel["rows"] else "no row"
    return "" if panel["painted"] > 400 else "nothing painted"


async def test_every_panel_of_every_dashboard_is_drawn() -> None:
    boards = dashboards()
    async with console("#/board") as (tab, store, url):
        for board in boards:
            await tab.run(f"location.hash = '#/board?board={board.uid}'")
            panels = await drawn(tab, board.title)
            assert {one["key"]: why for one in panels if (why := unwell(one))} == {}
            wanted = [one.key for one in board.panels if one.kind != "row"]
            assert [one["key"] for one in panels] == wanted
        assert {key.split("/")[0] for key, _ in store.asked} == {board.uid for board in boards}
        assert tab.errors == []
        assert [one for one in tab.outside if not one.startswith((url, "about:", "blob:"))] == []


async def test_a_row_of_a_table_leads_to_its_satellite_and_choices_are_kept() -> None:
    async with console("#/board?board=twin-power&minutes=10") as (tab, store, _):
        await drawn(tab, "Power")
        link = "document.querySelector('[data-key=worst-eps_soc_pct] tbody a')"
        name = await tab.run(f"{link}.innerText")
        await tab.run(f"{link}.click()")
        await drawn(tab, "Satellite")
        address = await tab.run("location.hash")
        assert "board=twin-satellite" in address and f"sat={name}" in address
        assert "minutes=10" in address
        first = next(values for key, values in store.asked if key.startswith("twin-power/"))
        assert set(first) == {"fleet", "plane", "sat"}
        assert tab.errors == []


async def test_a_store_that_does_not_answer_is_said_in_the_panel() -> None:
    async with console("#/board?board=twin-fleet") as (tab, store, _):
        await drawn(tab, "Fleet wall")
        store.database.close()

        async def refuse(*_: object) -> list[Series]:
            raise StoreUnavailableError("store is away")

        store.answer = refuse  # type: ignore[method-assign]
        await tab.run("location.hash = '#/board?board=twin-power'")
        panels = await drawn(tab, "Power")
        assert {one["empty"] for one in panels} == {"store: store is away"}
