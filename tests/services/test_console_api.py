"""Every route of the console and its refusals."""

import gzip
import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from console_fixture import FixtureFleet, build, floats, pipeline_status
from yarl import URL

from services.console.api import STATIC
from services.console.app import PICTURES, SECURITY_HEADERS, create_app
from services.console.feed import LIVE_CHANNELS, LiveFleet
from services.console.spec import STRIPS
from services.store import StoreUnavailableError
from twin.channels import ACCEL_CHANNELS, BUS_CHANNELS, by_name
from twin.trapped import SAA_FLUX_CM2_S

COUNT = 5
GZIP_LIMIT_BYTES = 130_000
SVG_NAMESPACE = "http://www.w3.org/2000/svg"  # a name, nothing is fetched from there
Client = TestClient[web.Request, web.Application]


class BrokenStore:
    """A store that is down."""

    async def series(self, *_question: object) -> dict[str, list[float | int | None]]:
        raise StoreUnavailableError("no route to store")


@pytest.fixture(scope="module")
def fleet() -> tuple[LiveFleet, FixtureFleet]:
    return build(COUNT, 1.0)


@pytest.fixture
async def client(fleet: tuple[LiveFleet, FixtureFleet]) -> AsyncIterator[Client]:
    live, store = fleet
    app = create_app(live, store, pipeline_status, ticking=False)
    async with TestClient(TestServer(app)) as made:
        await app[PICTURES].turn()
        yield made


async def test_page_and_its_files_are_served(client: Client) -> None:
    answer = await client.get("/")
    assert answer.status == 200
    page = await answer.text()
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        assert (await client.get(path)).status == 200, path
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bon[a-z]+=|style=|https?://", page)


async def test_every_answer_carries_the_security_headers(client: Client) -> None:
    for path in ("/", "/static/js/main.js", "/api/fleet", "/healthz", "/nothing", "/api/sat/1"):
        answer = await client.get(path)
        for name, value in SECURITY_HEADERS.items():
            assert answer.headers[name] == value, path
        assert "Server" not in answer.headers, path
    assert "default-src 'self'" in SECURITY_HEADERS["Content-Security-Policy"]
    assert "unsafe" not in SECURITY_HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "localhost:x"])
async def test_foreign_host_is_refused(client: Client, host: str) -> None:
    for path in ("/", "/api/fleet", "/api/stream", "/static/js/main.js"):
        answer = await client.get(path, headers={"Host": host})
        assert answer.status in ({421} if host else {400, 421}), path
        assert "Orbital" not in await answer.text()


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1", "[::1]:8080"])
async def test_own_hosts_are_answered(client: Client, host: str) -> None:
    assert (await client.get("/healthz", headers={"Host": host})).status == 200


async def test_spec_is_the_dictionary(client: Client) -> None:
    spec = await (await client.get("/api/console/spec")).json()
    rows = {row["name"]: row for row in spec["channels"]}
    assert list(rows) == [channel.name for channel in BUS_CHANNELS]
    assert len(spec["accelerator_channels"]) == len(ACCEL_CHANNELS)
    charge = by_name()["eps_soc_pct"]
    assert rows["eps_soc_pct"]["unit"] == charge.unit
    assert rows["eps_soc_pct"]["limits"]["warning_low"] == charge.limits.warning_low
    assert rows["eps_mode"]["states"]["3"] == "safe"
    assert len(spec["strips"]) == len(STRIPS)
    assert set(LIVE_CHANNELS) <= set(rows)
    assert set(spec["paints"]) <= set(LIVE_CHANNELS)


async def test_fleet_is_the_live_picture(
    client: Client, fleet: tuple[LiveFleet, FixtureFleet]
) -> None:
    live, source = fleet
    told = await (await client.get("/api/fleet")).json()
    assert told["ids"] == [s.satellite_id for s in live.roster.satellites]
    assert sorted(told["ids"]) == sorted(source.ids)
    values = floats(told["picture"]["values"], "<f4").reshape(COUNT, len(told["channels"]))
    np.testing.assert_array_equal(values, live.values)
    assert floats(told["picture"]["times"], "<f8").tolist() == (live.time_ns * 1e-6).tolist()
    planes = [told["planes"][i] for i in floats(told["plane"], "<u4")]
    assert planes == [s.plane for s in live.roster.satellites]
    assert np.isfinite(floats(told["previous_positions"], "<f4")).all()


async def test_satellite_has_every_channel_and_accelerator(
    client: Client, fleet: tuple[LiveFleet, FixtureFleet]
) -> None:
    sat = fleet[1].ids[0]
    told = await (await client.get(f"/api/sat/{sat}")).json()
    assert set(told["channels"]) == {channel.name for channel in BUS_CHANNELS}
    assert set(told["accelerators"]) == {"0", "1"}
    assert "DCGM_FI_DEV_GPU_TEMP" in told["accelerators"]["0"]
    assert told["preset"] == "Hosted compute"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/sat/NOBODY", 404),
        ("/api/sat/1abc", 400),
        ("/api/sat/a%2e%2e%2fb", 400),
        ("/api/sat/%3Cscript%3E", 400),
        ("/api/sat/NOBODY/series?channels=eps_soc_pct", 404),
        ("/static/../app.py", 404),
        ("/static/%2e%2e/app.py", 404),
        ("/static/..%2fapp.py", 404),
        ("/static//etc/passwd", 404),
    ],
)
async def test_what_is_not_there_is_refused(client: Client, path: str, status: int) -> None:
    async with ClientSession() as session:
        url = str(client.make_url("/")).rstrip("/") + path
        async with session.get(URL(url, encoded=True)) as answer:  # as it is, not tidied up
            assert answer.status in {status, 403}
            assert "create_app" not in await answer.text()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "channels=",
        "channels=no_such",
        "channels=eps_soc_pct%22%3BDROP",
        "channels=" + ",".join(c.name for c in BUS_CHANNELS),
        "channels=eps_soc_pct&minutes=0",
        "channels=eps_soc_pct&minutes=99999",
        "channels=eps_soc_pct&minutes=-1",
        "channels=eps_soc_pct&minutes=1e3",
        "channels=eps_soc_pct&minutes=%D9%A1",
        "channels=eps_soc_pct&points=1000000",
    ],
)
async def test_unfit_questions_are_refused_in_words(
    client: Client, fleet: tuple[LiveFleet, FixtureFleet], query: str
) -> None:
    answer = await client.get(f"/api/sat/{fleet[1].ids[0]}/series?{query}")
    assert answer.status == 400
    assert (await answer.json())["error"]


async def test_series_comes_from_the_store(
    client: Client, fleet: tuple[LiveFleet, FixtureFleet]
) -> None:
    live, source = fleet
    answer = await client.get(
        f"/api/sat/{source.ids[0]}/series?channels=eps_soc_pct,orb_in_saa&minutes=10&points=100"
    )
    told = await answer.json()
    assert list(told) == ["time_ns", "eps_soc_pct", "orb_in_saa"]
    assert len(told["time_ns"]) == len(told["eps_soc_pct"]) >= 90
    assert live.clock.now_ns() - 11 * 60e9 < told["time_ns"][0] <= told["time_ns"][-1]


async def test_store_that_is_down_is_said(fleet: tuple[LiveFleet, FixtureFleet]) -> None:
    live, source = fleet
    app = create_app(live, BrokenStore(), pipeline_status, ticking=False)
    async with TestClient(TestServer(app)) as client:
        answer = await client.get(f"/api/sat/{source.ids[0]}/series?channels=eps_soc_pct")
        assert answer.status == 503
        assert "no route to store" in (await answer.json())["error"]
        assert (await client.get("/healthz")).status == 200


async def test_anomaly_lies_over_the_south_atlantic(client: Client) -> None:
    told = await (await client.get("/api/saa")).json()
    (lon_0, lon_step, columns), (lat_0, lat_step, rows) = (
        told["longitude_deg"],
        told["latitude_deg"],
    )
    flux = np.array(told["flux"]).reshape(rows, columns)
    row, column = np.unravel_index(flux.argmax(), flux.shape)
    assert -45 < lat_0 + lat_step * row < -10
    assert -80 < lon_0 + lon_step * column < 0
    assert told["threshold"] == SAA_FLUX_CM2_S
    assert max(told["levels"]) < told["peak"]


async def test_status_passes_the_pipeline_on(client: Client) -> None:
    told = await (await client.get("/api/status")).json()
    assert told["pipeline"] == pipeline_status()
    assert told["console"]["rejected"] == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_can_be_changed(client: Client, method: str) -> None:
    for path in ("/", "/api/fleet", "/api/stream", "/api/saa", "/api/alerts", "/api/status"):
        assert (await client.request(method, path, data=b"x")).status == 405, path


def test_vendored_files_match_their_checksums() -> None:
    vendor = STATIC / "vendor"
    sums = dict(
        reversed(row.split(maxsplit=1)) for row in (vendor / "SHA256SUMS").read_text().splitlines()
    )
    there = {str(p.relative_to(vendor)) for p in vendor.rglob("*") if p.is_file()} - {"SHA256SUMS"}
    assert there == set(sums)
    for name, checksum in sums.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == checksum, name
    licences = {path.stem for path in (vendor / "licenses").iterdir()}
    assert licences == set(
        json.loads((Path(__file__).parents[2] / "tools/console/package.json").read_text())[
            "dependencies"
        ]
    )


def test_page_weighs_little() -> None:
    files = [p for p in STATIC.rglob("*") if p.is_file() and p.parent.name != "licenses"]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < GZIP_LIMIT_BYTES


def test_front_end_holds_no_address_and_no_markup_sink() -> None:
    for path in [*(STATIC / "js").iterdir(), *(STATIC / "css").iterdir()]:
        text = path.read_text().replace(SVG_NAMESPACE, "")
        assert not re.search(r"https?://", text), path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
