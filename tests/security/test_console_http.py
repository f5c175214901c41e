"""The console's HTTP guard: hosts, origins, token, methods, paths (S6), over a real socket."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.certificates import new_authority, new_server
from services.console.api import STATIC
from services.console.app import create_app
from services.console.feed import LiveFleet
from services.console.token import COOKIE
from services.http_site import Site, welcome

TOKEN = "a token of the console, long enough"
Client = TestClient[web.Request, web.Application]
PATHS = (
    "/", "/api/fleet", "/api/status", "/api/stream", "/api/console/spec", "/api/saa",
    "/api/sat/A", "/api/sat/A/series?channels=eps_soc_pct", "/static/js/main.js", "/nothing",
)  # fmt: skip


class NoStore:
    """A store that nobody reaches in these tests."""

    async def series(self, *_question: object) -> dict[str, list[float | int | None]]:
        raise AssertionError("asked")


def console(token: str) -> web.Application:
    return create_app(LiveFleet(), NoStore(), dict, ticking=False, token=token)


@pytest.fixture
async def guarded() -> AsyncIterator[Client]:
    async with TestClient(TestServer(console(TOKEN))) as client:
        yield client


@pytest.fixture
async def open_one() -> AsyncIterator[Client]:
    async with TestClient(TestServer(console(""))) as client:
        yield client


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}\u00e9".encode().decode("latin-1")},
        {"Cookie": f"{COOKIE}={'0' * 64}"},
        {"Cookie": f"{COOKIE}=wrong"},
    ],
)
async def test_nothing_is_told_without_the_token(guarded: Client, given: dict[str, str]) -> None:
    for path in PATHS:
        answer = await guarded.get(path, headers=given, allow_redirects=False)
        assert answer.status in {401, 429}, path  # 429: too many wrong ones
        assert answer.headers.get("WWW-Authenticate", "Bearer") == "Bearer"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert (await guarded.get("/?token=wrong", allow_redirects=False)).status in {401, 429}
    assert (await guarded.get(f"/api/fleet?token={TOKEN}")).status in {401, 429}, (
        "not in every address"
    )


async def test_a_program_bears_the_token_and_a_person_gets_a_cookie(guarded: Client) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert (await guarded.get("/api/fleet", headers=bearer)).status == 200
    assert not list(guarded.session.cookie_jar)
    answer = await guarded.get("/", params={"token": TOKEN}, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie = answer.cookies[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert TOKEN not in answer.headers["Set-Cookie"]
    with_cookie = {"Cookie": f"{COOKIE}={cookie.value}"}
    for path in ("/", "/api/fleet", "/static/js/main.js"):
        assert (await guarded.get(path, headers=with_cookie)).status == 200
    assert (await guarded.get("/healthz")).status == 200


async def test_another_consoles_cookie_is_worth_nothing(guarded: Client) -> None:
    async with TestClient(TestServer(console(TOKEN + " of another"))) as other:
        answer = await other.get("/", params={"token": TOKEN + " of another"})
        assert answer.status == 200
        (cookie,) = other.session.cookie_jar
    answer = await guarded.get("/api/fleet", headers={"Cookie": f"{COOKIE}={cookie.value}"})
    assert answer.status == 401


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("file://", 403),
        ("http://127.0.0.1.evil.example", 403),
        ("http://127.0.0.1@evil.example", 403),
        ("http://127.0.0.1:8080", 200),
        ("http://localhost", 200),
    ],
)
async def test_a_page_of_another_origin_may_not_ask(
    open_one: Client, origin: str, status: int
) -> None:
    for path in ("/api/fleet", "/api/status"):
        answer = await open_one.get(path, headers={"Origin": origin})
        assert answer.status == status
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null"])
async def test_a_websocket_of_no_or_another_origin_is_refused_before_anything(
    open_one: Client, origin: str | None
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await open_one.ws_connect("/api/stream", headers={"Origin": origin} if origin else {})
    assert refused.value.status == 403


@pytest.mark.parametrize("path", ["/", "/api/fleet", "/api/stream", "/static/js/main.js"])
async def test_forms_and_other_methods_change_nothing(open_one: Client, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT-ish"):
        for body in (b"a=b", b"{}"):
            answer = await open_one.request(method, path, data=body)
            assert answer.status in {400, 403, 405}, (method, path)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2fapp.py",
        "/static/..%5capp.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/js/../../app.py",
        "/static/js/%00",
        "//etc/passwd",
        "/../../etc/passwd",
    ],
)
async def test_no_path_leads_out_of_the_static_files(open_one: Client, path: str) -> None:
    """Sent as it is: a client library would tidy it up first."""
    assert open_one.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", open_one.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    answer = (await reader.read()).decode(errors="replace")
    writer.close()
    await writer.wait_closed()
    assert int(answer.split()[1]) in {400, 403, 404}, answer
    assert "create_app" not in answer
    assert "root:" not in answer


def test_no_static_file_is_a_link() -> None:
    assert [path for path in STATIC.rglob("*") if path.is_symlink()] == []


async def test_the_console_serves_tls_where_it_has_a_certificate(tmp_path: Path) -> None:
    authority = new_authority()
    pair = new_server(authority, ["localhost", "127.0.0.1"])
    for name, text in (("c", pair.certificate), ("k", pair.key), ("a", authority.certificate)):
        (tmp_path / name).write_text(text)
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(tmp_path / "c", tmp_path / "k")
    app = web.Application(middlewares=[welcome])

    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app.router.add_get("/", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await Site(runner, "127.0.0.1", 0, ssl_context=own).start()
        (port,) = {address[1] for address in runner.addresses}
        trust = ssl.create_default_context(cafile=str(tmp_path / "a"))
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"https://127.0.0.1:{port}/", ssl=trust) as answer,
        ):
            assert await answer.text() == "hello"
    finally:
        await runner.cleanup()


async def test_the_oldest_silent_connection_makes_way_and_a_late_one_is_closed() -> None:
    """Room for two: who has asked stays, who has not goes first."""
    app = web.Application(middlewares=[welcome])
    app.router.add_get("/", _answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await Site(runner, "127.0.0.1", 0, limit=2, silent_s=1.0).start()
        (port,) = {address[1] for address in runner.addresses}
        silent = await asyncio.open_connection("127.0.0.1", port)
        asking = await asyncio.open_connection("127.0.0.1", port)
        await _ask(*asking)
        late = await asyncio.open_connection("127.0.0.1", port)
        await _ask(*late)  # two have asked: the silent one is gone
        assert await _ended(silent[0])
        await _ask(*asking)
        for _, writer in (silent, late):
            writer.close()
        slow = await asyncio.open_connection("127.0.0.1", port)
        slow[1].write(b"GET / HT")  # never a whole request
        assert await _ended(slow[0])
        await _ask(*asking)
        for _, writer in (asking, slow):
            writer.close()
    finally:
        await runner.cleanup()


async def _answer(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert await reader.readexactly(2) == b"ok"


async def _ended(reader: asyncio.StreamReader) -> bool:
    """Waits for the other side to end it."""
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True
