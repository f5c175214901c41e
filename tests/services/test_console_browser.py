"""The console in a real browser: it draws, it moves, it opens satellites, it admits staleness."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
import pytest
from aiohttp.test_utils import TestServer
from chromium import Page, chromium_path, page
from console_fixture import FixtureFleet, pipeline_status
from PIL import Image

from services.console.app import PICTURES, create_app
from services.console.feed import LiveFleet
from services.console.stream import Pictures
from twin.channels import BUS_CHANNELS

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        chromium_path() is None, reason="Chromium is not installed (Debian: apt install chromium)"
    ),
]

COUNT = 25
MANY = 10_281
PAINTED = """(canvas) => { const data = canvas.getContext('2d')
  .getImageData(0, 0, canvas.width, canvas.height).data; let n = 0;
  for (let k = 3; k < data.length; k += 4) if (data[k]) n += 1; return n; }"""


class Wall:
    """A wall clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Shown:
    """A console on a screen."""

    tab: Page
    url: str
    live: LiveFleet
    fleet: FixtureFleet
    pictures: Pictures
    wall: Wall

    async def second(self, elapsed_s: int, *, feed: bool = True) -> None:
        """One second of the fleet: a batch, if it is fed, and a picture."""
        self.wall.now_s += 1.0
        if feed:
            self.live.ingest(self.fleet.batch_at(elapsed_s))
        await self.pictures.turn()

    async def ready(self, view: str) -> None:
        await self.tab.until(f"document.documentElement.dataset.ready === '{view}'")

    async def healthy(self) -> None:
        """No error was logged and nothing was asked of anybody else."""
        assert self.tab.errors == []
        foreign = [u for u in self.tab.outside if not u.startswith((self.url, "about:"))]
        assert foreign == []


@asynccontextmanager
async def shown(
    count: int = COUNT, interval_s: float = 1.0, path: str = "", scheme: str = "dark"
) -> AsyncIterator[Shown]:
    wall, fleet = Wall(), FixtureFleet(count, interval_s)
    live = LiveFleet(wall)
    for satellite_id, state in fleet.states():
        live.on_state(satellite_id, state)
    for elapsed_s in range(-2 * int(interval_s) + 1, 1):
        live.ingest(fleet.batch_at(elapsed_s))
        live.tick()
        wall.now_s += 1.0
    app = create_app(live, fleet, pipeline_status, ticking=False)
    async with (
        TestServer(app) as server,
        page((1600, 1000), [("prefers-color-scheme", scheme)]) as tab,
    ):
        url = str(server.make_url("/"))
        await tab.open(url + path)
        yield Shown(tab, url, live, fleet, app[PICTURES], wall)


async def region(tab: Page, selector: str) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """Pixels of an element in a screenshot."""
    box = await tab.run(
        f"(() => {{ const b = document.querySelector('{selector}').getBoundingClientRect();"
        " return [b.left, b.top, b.right, b.bottom]; })()"
    )
    picture = Image.open(io.BytesIO(await tab.picture())).convert("RGB")
    return np.asarray(picture.crop(tuple(round(edge) for edge in box)))


def not_blank(
    pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]], colours: int, ground: float = 0.9
) -> bool:
    """Many colours, and no single one over more than the share `ground`."""
    _, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    return bool(counts.size > colours and counts.max() < ground * counts.sum())


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_fleet_is_drawn(scheme: str) -> None:
    async with shown(scheme=scheme) as console:
        tab = console.tab
        await console.ready("fleet")
        await console.second(1)
        await tab.until("orbitalTwin.earth.land && orbitalTwin.earth.anomaly")
        await tab.until("orbitalTwin.earth.dirty === false")
        assert await tab.run("document.documentElement.dataset.theme") == scheme
        assert not_blank(await region(tab, "#earth"), 500)
        assert not_blank(await region(tab, "#wall"), 20)
        assert await tab.run(f"({PAINTED})(orbitalTwin.earth.top)") > 1000
        assert await tab.run("orbitalTwin.earth.anomaly.contours.length") == 3
        figures = await tab.run("[...document.querySelectorAll('.kpi .value')].map(n=>n.innerText)")
        assert figures[0] == str(COUNT)
        assert "–" not in figures
        await tab.until("document.querySelector('#kpis').innerText.includes('3/3 online')")
        status = await tab.run("document.getElementById('status').textContent")
        assert status.startswith(f"{COUNT} satellites")
        await console.healthy()


async def test_satellites_move_between_reports() -> None:
    async with shown() as console:
        tab = console.tab
        await console.ready("fleet")
        await tab.until("orbitalTwin.earth.x?.length > 0")
        before = await tab.run("(window.first = [...orbitalTwin.earth.x], orbitalTwin.data.tick)")
        moved = "orbitalTwin.earth.x.filter((x, k) => x > -1e3 && Math.abs(x - first[k]) > 0.3)"
        await tab.until(f"{moved}.length > 5")
        assert await tab.run("orbitalTwin.data.tick") == before
        await console.healthy()


async def test_extrapolated_place_is_where_the_satellite_really_is() -> None:
    async with shown(interval_s=10.0) as console:
        await console.ready("fleet")
        row = console.fleet.ids.index(
            await console.tab.run("orbitalTwin.data.ids[0]"),
        )
        place = await console.tab.run(
            "(() => { const d = orbitalTwin.data, t = d.placeMs[0] + 10000;"
            " return orbitalTwin.earth._placeAt(0, t).concat(t); })()"
        )
        truth = console.fleet.model.at(place[3] / 1000 - console.fleet.epoch_unix_s)
        latitude, longitude = truth.latitude_rad[row], truth.longitude_rad[row]
        unit = [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ]
        assert np.degrees(np.linalg.norm(np.array(place[:3]) - unit)) < 0.02


async def test_satellite_opens_by_its_address() -> None:
    sat = FixtureFleet(COUNT).ids[3]
    async with shown(path=f"#/sat/{sat}") as console:
        tab = console.tab
        await console.ready("satellite")
        for elapsed_s in (1, 2, 3):
            await console.second(elapsed_s)
        newest_s = console.live.time_ns.max() / 1e9
        await tab.until(f"orbitalTwin.satellite.history.times.at(-1) === {newest_s}")
        assert await tab.run("document.querySelectorAll('.strip canvas').length") == 8
        painted = await tab.run(
            f"[...document.querySelectorAll('.strip canvas')].map({PAINTED})",
        )
        assert min(painted) > 1500
        for strip in range(1, 5):
            assert not_blank(await region(tab, f".strip:nth-child({strip}) .plot"), 20, 0.98)
        names = await tab.run("[...document.querySelectorAll('td.name')].map((n) => n.innerText)")
        assert names == [channel.name for channel in BUS_CHANNELS]
        assert await tab.run("document.querySelectorAll('.accelerators tbody tr').length") == 2
        shown_text = await tab.run("document.querySelector('.sat-head').innerText")
        assert sat in shown_text
        await console.healthy()


async def test_click_on_the_wall_and_keys_lead_through_the_fleet() -> None:
    async with shown() as console:
        tab = console.tab
        await console.ready("fleet")
        x, y, wanted = await tab.run(
            "(() => { const w = orbitalTwin.wall, b = w.host.getBoundingClientRect(), row = 7;"
            " return [b.left + w.cellX[row] + w.size / 2, b.top + w.cellY[row] + w.size / 2,"
            " w.data.ids[row]]; })()"
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            await tab.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )
        await tab.until(f"location.hash === '#/sat/{wanted}'")
        await console.ready("satellite")
        await tab.press("ArrowRight")
        await tab.until(
            f"location.hash.startsWith('#/sat/') && !location.hash.endsWith('{wanted}')"
        )
        await tab.press("Escape")
        await console.ready("fleet")
        await tab.press("/", "/")
        assert await tab.run("document.activeElement.id") == "search"
        await tab.press("Escape")
        await tab.press("Escape")
        await tab.press("ArrowRight")
        assert await tab.run("orbitalTwin.selected >= 0 && !document.getElementById('card').hidden")
        await tab.run("location.hash = '#/sat/NO_SUCH'")
        await tab.until("location.hash === '#/'")
        await console.healthy()


async def test_silence_is_shown_as_silence() -> None:
    async with shown() as console:
        tab = console.tab
        await console.ready("fleet")
        await console.second(1)
        await tab.until("document.querySelector('.kpi:nth-child(6)').dataset.stale === 'false'")
        console.wall.now_s += 600.0
        await console.second(2, feed=False)
        await tab.until("document.querySelector('.kpi:nth-child(6)').dataset.stale === 'true'")
        charge = await tab.run("document.querySelector('.kpi:nth-child(6)').innerText")
        assert "–" in charge
        assert "stale" in charge
        await tab.until("document.querySelector('.clock').dataset.stale === 'true'")
        assert await tab.run("orbitalTwin.paint.counts[0]") == COUNT
        assert "silent" in await tab.run("document.getElementById('attention').innerText")
        await console.healthy()


async def test_ten_thousand_satellites() -> None:
    async with shown(MANY, 10.0) as console:
        tab = console.tab
        await console.ready("fleet")
        await console.second(1)
        await tab.until("orbitalTwin.earth.dirty === false && orbitalTwin.earth._frames.length > 5")
        count = await tab.run("orbitalTwin.data.count")
        assert count == len(console.live.roster)
        assert count == MANY
        assert await tab.run("orbitalTwin.wall.order.length") == count
        assert await tab.run("orbitalTwin.earth.x.filter((x) => x > -1e3).length") > count / 3
        fits = "Math.max(...orbitalTwin.wall.cellY) + orbitalTwin.wall.size"
        assert await tab.run(f"{fits} <= orbitalTwin.wall.height")
        assert not_blank(await region(tab, "#wall"), 20)
        assert not_blank(await region(tab, "#earth"), 500)
        await console.healthy()
