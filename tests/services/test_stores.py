"""Both stores answer the same questions the same way: the embedded one and a real InfluxDB."""

from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from servers import influxd_server

from services.embedded_database import Database
from services.embedded_store import StoreServer
from services.settings import load_settings
from services.store import (
    EmbeddedStore,
    InfluxStore,
    RejectedRowsError,
    Store,
    StoreUnavailableError,
)

SECOND_NS = 1_000_000_000
START_NS = 1_777_550_400 * SECOND_NS
ROW = b"sat_state,fleet=f,plane=p,sat=%s eps_soc_pct=%.1f,tm_seq=%d.0,eps_mode=%di %d\n"


def rows(sat: bytes, count: int) -> bytes:
    return b"".join(
        ROW % (sat, 50 + index, index, index % 3, START_NS + index * SECOND_NS)
        for index in range(count)
    )


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Store]:
    server = StoreServer(Database(tmp_path / "t.duckdb"), retention_h=24.0)
    async with (
        TestServer(server.application()) as running,
        EmbeddedStore(str(running.make_url("")).rstrip("/")) as store,
    ):
        await store.prepare()
        yield store
    server.close()


@pytest.fixture
async def influx() -> AsyncIterator[Store]:
    with influxd_server() as server:
        settings = load_settings(influx_url=server.url)
        async with InfluxStore(settings) as store:
            await store.prepare()
            yield store


@pytest.fixture(params=["embedded", "influx"])
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(request.param)
    return found


async def test_what_is_written_is_read_back(store: Store) -> None:
    await store.write(b"# a comment\n" + rows(b"A", 10) + rows(b"B", 4))
    stop_ns = START_NS + 9 * SECOND_NS
    series = await store.series("A", ["eps_soc_pct", "eps_mode"], START_NS, stop_ns, 1000)
    assert series["time_ns"] == [START_NS + index * SECOND_NS for index in range(10)]
    assert series["eps_soc_pct"] == [50.0 + index for index in range(10)]
    assert series["eps_mode"] == [index % 3 for index in range(10)]
    assert await store.frames_per_satellite("f", START_NS, stop_ns) == {"A": 10, "B": 4}


async def test_points_are_thinned_to_means_and_last_states(store: Store) -> None:
    await store.write(rows(b"A", 10))
    series = await store.series(
        "A", ["eps_soc_pct", "eps_mode"], START_NS, START_NS + 10 * SECOND_NS, 2
    )
    assert series["time_ns"] == [START_NS, START_NS + 5 * SECOND_NS]
    assert series["eps_soc_pct"] == [52.0, 57.0]
    assert series["eps_mode"] == [4 % 3, 9 % 3]


async def test_a_row_written_twice_is_one_frame(store: Store) -> None:
    await store.write(rows(b"A", 3))
    await store.write(rows(b"A", 3))
    assert await store.frames_per_satellite("f", START_NS, START_NS + SECOND_NS * 9) == {"A": 3}


async def test_fields_may_come_later_and_rows_may_lack_some(store: Store) -> None:
    await store.write(rows(b"A", 1))
    await store.write(
        b"sat_state,fleet=f,plane=p,sat=A orb_lat_deg=1.5,tm_seq=1.0 %d\n" % (START_NS + SECOND_NS)
    )
    series = await store.series(
        "A", ["orb_lat_deg", "eps_soc_pct"], START_NS, START_NS + SECOND_NS, 100
    )
    assert series["orb_lat_deg"] == [None, 1.5]
    assert series["eps_soc_pct"] == [50.0, None]


async def test_unknown_satellite_has_no_points(store: Store) -> None:
    await store.write(rows(b"A", 1))
    series = await store.series("Z", ["eps_soc_pct"], START_NS, START_NS + SECOND_NS, 100)
    assert series == {"time_ns": [], "eps_soc_pct": []}
    assert await store.frames_per_satellite("none", START_NS, START_NS + SECOND_NS) == {}


async def test_an_empty_store_answers(store: Store) -> None:
    assert await store.frames_per_satellite("f", 0, START_NS) == {}
    series = await store.series("A", ["eps_soc_pct"], START_NS, START_NS + SECOND_NS, 100)
    assert series["time_ns"] == []


@pytest.mark.parametrize(
    "bad",
    [
        b"sat_state,fleet=f,plane=p,sat=A eps_soc_pct=abc %d\n" % START_NS,
        b"sat_state,fleet=f,plane=p,sat=A\n",
    ],
)
async def test_bad_rows_are_rejected_by_name(store: Store, bad: bytes) -> None:
    with pytest.raises(RejectedRowsError, match="400"):
        await store.write(bad)


async def test_a_rejected_write_leaves_what_was_there_readable(store: Store) -> None:
    await store.write(rows(b"A", 3))
    with pytest.raises(RejectedRowsError):
        await store.write(b"sat_state,fleet=f,plane=p,sat=A eps_soc_pct=abc %d\n" % START_NS)
    stop_ns = START_NS + 9 * SECOND_NS
    assert await store.frames_per_satellite("f", START_NS, stop_ns) == {"A": 3}
    series = await store.series("A", ["eps_soc_pct"], START_NS, stop_ns, 100)
    assert series["eps_soc_pct"] == [50.0, 51.0, 52.0]


def test_a_rolled_back_write_forgets_no_column(tmp_path: Path) -> None:
    """The second measurement fails in the database itself, after the first was inserted."""
    database = Database(tmp_path / "t.duckdb")
    database.write(rows(b"A", 2) + b"ops,service=x up=1.0 1\n")
    clash = rows(b"A", 2) + b"ops,service=x time=1.0 2\n"
    with pytest.raises(duckdb.Error):
        database.write(clash + b"ops,service=x stored_at_s=1.0,Service=2.0 3\n")
    assert database.frames_per_satellite("f", START_NS, START_NS + 9 * SECOND_NS) == {"A": 2}
    database.close()


async def test_a_store_that_is_away_is_unavailable(unused_tcp_port: int) -> None:
    async with EmbeddedStore(f"http://127.0.0.1:{unused_tcp_port}") as store:
        with pytest.raises(StoreUnavailableError):
            await store.write(rows(b"A", 1))
    settings = load_settings(influx_url=f"http://127.0.0.1:{unused_tcp_port}")
    async with InfluxStore(settings) as influx:
        with pytest.raises(StoreUnavailableError):
            await influx.prepare()


def test_embedded_rows_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    first = Database(path)
    first.write(rows(b"A", 10))
    first.close()
    second = Database(path)
    assert second.frames_per_satellite("f", START_NS, START_NS + 9 * SECOND_NS) == {"A": 10}
    second.close()


def test_retention_counts_from_the_write_not_from_the_rows_own_time(tmp_path: Path) -> None:
    """A run of last spring must not vanish because a run of today is in the same file."""
    wall_s = 1_000.0
    database = Database(tmp_path / "t.duckdb", now_s=lambda: wall_s)
    database.write(rows(b"OLD", 3))
    database.write(b"sat_1m,fleet=f,plane=p,sat=OLD reports_count=3.0 %d\n" % START_NS)
    wall_s = 5_000.0
    year_ns = 365 * 86_400 * SECOND_NS
    database.write(b"sat_state,fleet=f,plane=p,sat=NEW tm_seq=0.0 %d\n" % (START_NS + year_ns))
    database.write(rows(b"LATE", 2))
    database.prune(3_600.0, 7_200.0)
    found = database.frames_per_satellite("f", START_NS, START_NS + year_ns)
    assert found == {"NEW": 1, "LATE": 2}
    assert len(database.rows("sat_1m", "f", 0, 2**62, "")) == 1  # minutes are kept longer
    wall_s = 9_000.0
    database.prune(3_600.0, 7_200.0)
    assert database.rows("sat_1m", "f", 0, 2**62, "") == []
    database.close()


class FakeInflux2:
    """Answers as InfluxDB 2.7 does where this project asks: ping, /api/v2/write, /query."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.written: list[tuple[dict[str, str], str, bytes]] = []
        self.status = 204

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/ping", self.ping)
        app.router.add_post("/api/v2/write", self.write)
        app.router.add_post("/query", self.query)
        return app

    async def ping(self, _: web.Request) -> web.Response:
        return web.Response(status=204, headers={"X-Influxdb-Version": self.version})

    async def query(self, _: web.Request) -> web.Response:
        return web.json_response({"results": [{}]})

    async def write(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Token 0123456789abcdefXYZ":
            return web.json_response({"code": "unauthorized", "message": "no"}, status=401)
        body = await request.read()
        self.written.append((dict(request.query), request.headers["Authorization"], body))
        if self.status != 204:
            message = {"code": "invalid", "message": "partial write: field type conflict"}
            return web.json_response(message, status=self.status)
        return web.Response(status=204)


@pytest.mark.parametrize("version", ["v2.7.12", "3.10.0", "1.8.10", "v1.12.2"])
async def test_newer_servers_are_written_through_the_v2_call(version: str) -> None:
    fake = FakeInflux2(version)
    async with TestServer(fake.application()) as server:
        url = str(server.make_url("")).rstrip("/")
        settings = load_settings(influx_url=url, influx_token="0123456789abcdefXYZ")
        async with InfluxStore(settings) as store:
            await store.prepare()
            await store.write(rows(b"A", 2))
            assert fake.written[0][0] == {"bucket": "telemetry", "org": "twin", "precision": "ns"}
            assert fake.written[0][2] == rows(b"A", 2)
            fake.status = 400
            with pytest.raises(RejectedRowsError, match="field type conflict"):
                await store.write(rows(b"A", 2))
            fake.status = 503
            with pytest.raises(StoreUnavailableError, match="503"):
                await store.write(rows(b"A", 2))


async def test_a_wrong_token_is_not_a_fault_of_the_rows() -> None:
    fake = FakeInflux2("v2.7.12")
    async with TestServer(fake.application()) as server:
        url = str(server.make_url("")).rstrip("/")
        settings = load_settings(influx_url=url, influx_token="wrong-token-0123456789")
        async with InfluxStore(settings) as store:
            await store.prepare()
            with pytest.raises(StoreUnavailableError, match="401"):
                await store.write(rows(b"A", 1))
