"""One contract for every InfluxDB: a stand-in that answers as each version's source does.

The stand-in proves our half of the conversation. The same tests run against a real server where
TWIN_TEST_INFLUX_URL (and _TOKEN, or _USERNAME and _PASSWORD, _DATABASE, _ORG) names one.
"""

import base64
import os
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from servers import influxd_server

from services.settings import Settings, load_settings
from services.store import InfluxStore, RejectedRowsError, StoreUnavailableError

USER, PASSWORD, TOKEN = "writer", "a password of length 24+", "a-token-of-24-characters"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
START_NS = 1_777_550_400_000_000_000
ROW = re.compile(
    rb"sat_(?:state|1m),fleet=f,plane=p,sat=(\w+) \w+=-?[0-9.]+i?(,\w+=-?[0-9.]+i?)* (\d+)"
)


@dataclass
class FakeInflux:
    """Write, query and ping of one version; rows are kept by satellite and time."""

    version: str
    buckets: dict[str, dict[str, set[int]]] = field(
        default_factory=lambda: {"telemetry": defaultdict(set), "telemetry_1m": defaultdict(set)}
    )
    mapped: dict[str, str] = field(default_factory=dict)  # 2.x: database to bucket, by somebody
    writes: list[str] = field(default_factory=list)
    makes_databases: bool = False  # else it answers well and does nothing
    full_disk: bool = False

    @property
    def is_first(self) -> bool:
        return self.version.lstrip("v").startswith("1.")

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/ping", self._ping)
        app.router.add_post("/write", self._write)
        app.router.add_route("*", "/query", self._query)
        if not self.version.startswith(("1.6", "1.7")):
            app.router.add_post("/api/v2/write", self._write)
        return app

    def _refusal(self, request: web.Request) -> web.Response | None:
        taken = {f"Token {USER}:{PASSWORD}", BASIC} if self.is_first else {f"Token {TOKEN}"}
        if request.path == "/write" or self.version.startswith("1.6"):
            taken -= {f"Token {USER}:{PASSWORD}"}
        if request.headers.get("Authorization") in taken:
            return None
        return self._error(401, "unauthorized access", "unauthorized")

    def _bucket_of(self, database: str) -> str:
        """2.x: the mapping in force, else the bucket of that name (virtual); else the database."""
        return self.mapped.get(database, database)

    def _error(self, status: int, text: str, code: str) -> web.Response:
        body = {"error": text} if self.is_first else {"code": code, "message": text}
        return web.json_response(body, status=status)

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(status=204, headers={"X-Influxdb-Version": self.version})

    async def _write(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        self.writes.append(request.path)
        name = request.query.get("bucket") or self._bucket_of(request.query.get("db", ""))
        if name not in self.buckets:
            return self._error(404, f'database not found: "{name}"', "not found")
        bad = 0
        for line in (await request.read()).splitlines():
            if found := ROW.fullmatch(line):
                self.buckets[name][found[1].decode()].add(int(found[3]))
            else:
                bad += 1
        if bad:  # the good lines are stored all the same
            return self._error(400, f"partial write: unable to parse: {bad} lines", "invalid")
        return web.Response(status=204)

    async def _query(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        text = request.query["q"]
        if text.startswith("CREATE DATABASE"):
            if self.full_disk:  # 1.x says so with code 200
                wrong = {"statement_id": 0, "error": "write meta.dbtmp: no space left on device"}
                return web.json_response({"results": [wrong]})
            if self.makes_databases:
                self.buckets.setdefault(text.split('"')[1], defaultdict(set))
            return web.json_response({"results": [{"statement_id": 0}]})
        name = self._bucket_of(request.query["db"])
        if name not in self.buckets:
            text = f"database not found: {name}"
            return web.json_response({"results": [{"statement_id": 0, "error": text}]})
        bounds = re.search(r"time >= (\d+) AND time <= (\d+)", text)
        assert bounds
        start, stop = int(bounds[1]), int(bounds[2])
        series = [
            {"name": "sat_state", "tags": {"sat": sat}, "columns": ["time", "count"],
             "values": [[start, sum(start <= one <= stop for one in times)]]}
            for sat, times in sorted(self.buckets[name].items())
        ]  # fmt: skip
        return web.json_response({"results": [{"statement_id": 0, "series": series}]})


def login(version: str) -> dict[str, str]:
    if version.lstrip("v").startswith("1."):
        return {"influx_username": USER, "influx_password": PASSWORD}
    return {"influx_token": TOKEN}


def real() -> Settings | None:
    """The server that the environment names for these tests."""
    prefix = "TWIN_TEST_INFLUX_"
    given = {
        n.removeprefix("TWIN_TEST_").lower(): v
        for n, v in os.environ.items()
        if n.startswith(prefix)
    }
    return load_settings(**given) if given else None


VERSIONS = ["1.6.7", "1.8.10", "v1.12.2", "v2.7.12", "3.10.0"]


@pytest.fixture(params=[*VERSIONS, "influxd", "environment"])
async def settings(request: pytest.FixtureRequest) -> AsyncIterator[Settings]:
    if request.param == "environment":
        if (found := real()) is None:
            pytest.skip("no TWIN_TEST_INFLUX_URL")
        yield found
    elif request.param == "influxd":
        with influxd_server() as server:
            yield load_settings(influx_url=server.url)
    else:
        async with TestServer(FakeInflux(request.param).app()) as server:
            url = str(server.make_url("")).rstrip("/")
            yield load_settings(influx_url=url, **login(request.param))


def rows(sat: str, count: int) -> bytes:
    return b"".join(
        b"sat_state,fleet=f,plane=p,sat=%s tm_seq=%d.0,eps_mode=1i %d\n"
        % (sat.encode(), i, START_NS + i * 10**9)
        for i in range(count)
    )


async def frames(store: InfluxStore) -> dict[str, int]:
    return await store.frames_per_satellite("f", START_NS, START_NS + 60 * 10**9)


async def test_rows_are_stored_once_however_often_they_are_sent(settings: Settings) -> None:
    async with InfluxStore(settings) as store:
        await store.prepare()
        await store.write(rows("A", 5) + rows("B", 3))
        await store.write(rows("A", 5))
        assert await frames(store) == {"A": 5, "B": 3}


async def test_a_bad_line_is_refused_by_name_and_the_good_ones_are_stored(
    settings: Settings,
) -> None:
    async with InfluxStore(settings) as store:
        await store.prepare()
        with pytest.raises(RejectedRowsError, match=r"400.*parse"):
            await store.write(rows("C", 2) + b"sat_state,fleet=f,plane=p,sat=C tm_seq=x 1\n")
        assert (await frames(store))["C"] == 2


@pytest.mark.parametrize("version", VERSIONS)
async def test_each_version_is_written_by_the_call_that_it_has(version: str) -> None:
    fake = FakeInflux(version)
    async with TestServer(fake.app()) as server:
        url = str(server.make_url("")).rstrip("/")
        async with InfluxStore(load_settings(influx_url=url, **login(version))) as store:
            await store.prepare()
            await store.write(rows("A", 1))
    assert fake.writes == ["/write" if version == "1.6.7" else "/api/v2/write"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_wrong_login_and_a_missing_database_are_no_fault_of_the_rows(version: str) -> None:
    async with TestServer(FakeInflux(version).app()) as server:
        url = str(server.make_url("")).rstrip("/")
        wrong = dict.fromkeys(login(version), "another text, long enough")
        for changed, status in ((wrong, "401"), ({"influx_database": "nowhere"}, "404")):
            one = load_settings(influx_url=url, **(login(version) | changed))
            async with InfluxStore(one) as store:
                with pytest.raises(StoreUnavailableError, match=status):
                    await store.prepare()
                    await store.write(rows("A", 1))


def minutes(sat: str, count: int) -> bytes:
    return rows(sat, count).replace(b"sat_state", b"sat_1m")


async def test_minutes_go_to_a_database_of_their_own(settings: Settings) -> None:
    async with InfluxStore(settings) as store:
        await store.prepare()
        await store.write(rows("A", 3) + minutes("A", 1) + rows("B", 2) + minutes("D", 2))
        assert await frames(store) == {"A": 3, "B": 2}
        found = await store.query(
            'SELECT count("tm_seq") FROM "sat_1m" WHERE "fleet" = \'f\''
            f' AND time >= {START_NS} AND time <= {START_NS + 60 * 10**9} GROUP BY "sat"',
            minutes=True,
        )
        counts = {row["tags"]["sat"]: row["values"][0][1] for row in found}  # type: ignore[index]
        assert counts == {"A": 1, "D": 2}


async def test_what_a_mapping_of_2_x_hides_is_not_taken_for_ours() -> None:
    """A database name that is mapped to another bucket is read there: set-up refuses that."""
    fake = FakeInflux("v2.7.12")
    async with TestServer(fake.app()) as server:
        url = str(server.make_url("")).rstrip("/")
        async with InfluxStore(load_settings(influx_url=url, **login(fake.version))) as store:
            await store.prepare()
            await store.write(rows("A", 1))
            fake.mapped["telemetry"] = "telemetry_1m"
            assert await frames(store) == {}
            fake.mapped["telemetry"] = "nowhere"
            with pytest.raises(RejectedRowsError, match="database not found"):
                await frames(store)


@pytest.mark.parametrize("version", ["1.6.7", "1.8.10", "v1.12.2"])
async def test_a_database_that_could_not_be_made_is_no_success(version: str) -> None:
    fake = FakeInflux(version, buckets={}, makes_databases=True, full_disk=True)
    async with TestServer(fake.app()) as server:
        url = str(server.make_url("")).rstrip("/")
        async with InfluxStore(load_settings(influx_url=url, **login(version))) as store:
            with pytest.raises(StoreUnavailableError, match="no space left"):
                await store.prepare()
            fake.full_disk = False
            await store.prepare()
            await store.write(rows("A", 3))
            assert await frames(store) == {"A": 3}
            fake.buckets.clear()  # somebody emptied it under us
            fake.full_disk = True
            for _ in range(2):
                with pytest.raises(StoreUnavailableError, match="no space left"):
                    await store.write(rows("A", 3))
            fake.full_disk = False
            with pytest.raises(StoreUnavailableError, match="404"):
                await store.write(rows("A", 3))
            await store.write(rows("A", 3))
            assert await frames(store) == {"A": 3}


async def test_val_real_influxdb_gets_its_dropped_database_back() -> None:
    with influxd_server() as server:
        async with InfluxStore(load_settings(influx_url=server.url)) as store:
            await store.prepare()
            await store.write(rows("A", 2))
            await store._call("POST", "/query", {"q": 'DROP DATABASE "telemetry"'})
            with pytest.raises(StoreUnavailableError, match="404"):
                await store.write(rows("A", 2))
            await store.write(rows("A", 2))
            assert await frames(store) == {"A": 2}
