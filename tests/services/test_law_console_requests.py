"""Whatever a browser asks of the console, it answers and goes on: no 5xx (hypothesis)."""

import asyncio
import string
from collections.abc import Iterator

import orjson
import pytest
from aiohttp import ClientError, web
from aiohttp.test_utils import TestClient, TestServer
from console_fixture import FixtureFleet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.console.app import create_app
from services.console.feed import LiveFleet

Client = TestClient[web.Request, web.Application]


class Shelf:
    """A store whose answer is always empty."""

    async def series(self, *_question: object) -> dict[str, list[float | int | None]]:
        return {"time_ns": []}


WORDS = [
    "",
    "api",
    "sat",
    "series",
    "fleet",
    "status",
    "console",
    "spec",
    "saa",
    "static",
    "stream",
    "..",
    "%2e%2e",
    "js",
    "main.js",
    "healthz",
    "alerts",
    "KNOWN",
    "%00",
    "%ff",
    "{id}",
]
ROUTES = [
    "api/sat/KNOWN/series",
    "api/sat/KNOWN",
    "api/fleet",
    "api/status",
    "api/saa",
    "api/alerts",
    "api/console/spec",
]
PIECES = st.one_of(
    st.sampled_from(ROUTES).map(lambda route: route.split("/")),
    st.lists(st.one_of(st.sampled_from(WORDS), st.text(string.printable, max_size=12)), max_size=5),
)
NUMBERS = st.one_of(st.integers(-(10**30), 10**30).map(str), st.text(max_size=6), st.just("nan"))
QUERIES = st.dictionaries(
    st.sampled_from(["channels", "minutes", "points", "token", "since", "x"]),
    st.one_of(NUMBERS, st.sampled_from(["eps_soc_pct", "eps_soc_pct,eps_mode", "'; DROP", ","])),
    max_size=4,
)
NAMES = [
    "Authorization",
    "Cookie",
    "Origin",
    "Host",
    "Last-Event-ID",
    "Accept-Encoding",
    "Range",
    "Upgrade",
    "Content-Type",
    "If-Modified-Since",
    "X-Forwarded-For",
]
HEADERS = st.dictionaries(
    st.sampled_from(NAMES),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=24),
    max_size=2,
)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    own = asyncio.new_event_loop()
    yield own
    own.close()


@pytest.fixture(scope="module")
def console(loop: asyncio.AbstractEventLoop) -> Iterator[tuple[Client, str]]:
    fleet, live = FixtureFleet(12), LiveFleet()
    for sat, state in fleet.states():
        live.on_state(sat, orjson.dumps(state))
    live.ingest(fleet.batch_at(0.0))

    async def begin() -> Client:
        client: Client = TestClient(
            TestServer(create_app(live, Shelf(), dict, ticking=False)), loop=loop
        )
        await client.start_server()
        return client

    client = loop.run_until_complete(begin())
    yield client, fleet.ids[0]
    loop.run_until_complete(client.close())


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "X"]),
    pieces=PIECES,
    query=QUERIES,
    headers=HEADERS,
    body=st.binary(max_size=64),
)
def test_law_no_request_makes_the_console_fail(
    loop: asyncio.AbstractEventLoop,
    console: tuple[Client, str],
    method: str,
    pieces: list[str],
    query: dict[str, str],
    headers: dict[str, str],
    body: bytes,
) -> None:
    client, known = console

    async def ask() -> int:
        path = "/" + "/".join(known if one == "KNOWN" else one for one in pieces)
        url = client.make_url("/").with_path(path, encoded=False).with_query(query)
        try:
            async with asyncio.timeout(5.0), client.session.request(
                method, url, headers=headers, data=body if method != "GET" else None,
                allow_redirects=False,
            ) as answer:  # fmt: skip
                if not path.startswith("/api/stream"):
                    await answer.read()
                return answer.status
        except (ClientError, ValueError) as error:  # what our client does not even send
            assert "Disconnected" not in repr(error), error
            return 400

    status = loop.run_until_complete(ask())
    assert status < 500, (method, pieces, query, headers)
