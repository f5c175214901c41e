"""Guessing the console's token: few tries, bounded memory."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.console.app import create_app
from services.console.feed import LiveFleet
from services.console.login_limit import (
    ADDRESSES_LIMIT,
    FORGOTTEN_AFTER_S,
    FREE_COUNT,
    LONGEST_S,
    LoginLimit,
)

TOKEN = "a token of the console, long enough"
Client = TestClient[web.Request, web.Application]


class Shelf:
    """A store whose answer is always empty."""

    async def series(self, *_question: object) -> dict[str, list[float | int | None]]:
        return {"time_ns": []}


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_waits_double_and_are_forgotten() -> None:
    clock = Clock()
    limit = LoginLimit(clock)
    assert [limit.was_wrong("10.0.0.1") for _ in range(FREE_COUNT)] == [0.0] * FREE_COUNT
    assert [limit.was_wrong("10.0.0.1") for _ in range(12)] == [
        min(LONGEST_S, 2.0**k) for k in range(12)
    ]
    assert limit.wait_s("10.0.0.1") == LONGEST_S
    assert limit.wait_s("10.0.0.2") == 0.0
    clock.now_s += LONGEST_S
    assert limit.wait_s("10.0.0.1") == 0.0
    assert limit.was_wrong("10.0.0.1") == LONGEST_S  # not forgotten yet
    clock.now_s += FORGOTTEN_AFTER_S + 1.0
    assert limit.was_wrong("10.0.0.1") == 0.0
    limit.was_right("10.0.0.1")
    assert len(limit) == 0


def test_memory_is_bounded_and_a_network_is_one_address() -> None:
    limit = LoginLimit(Clock())
    for number in range(ADDRESSES_LIMIT + 500):
        limit.was_wrong(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(limit) == ADDRESSES_LIMIT
    limit = LoginLimit(Clock())
    for number in range(1, 100):
        limit.was_wrong(f"2001:db8::{number:x}")
    limit.was_wrong("::ffff:10.0.0.1")
    assert limit.wait_s("2001:db8::ffff") > 0.0
    assert limit.wait_s("2001:db8:0:1::1") == limit.wait_s("10.0.0.1") == 0.0
    assert len(limit) == 2


@pytest.fixture
async def guarded() -> AsyncIterator[tuple[Client, Clock]]:
    clock = Clock()
    app = create_app(LiveFleet(), Shelf(), dict, ticking=False, token=TOKEN, now_s=clock)
    async with TestClient(TestServer(app)) as client:
        yield client, clock


async def test_a_guesser_is_slowed_down_and_the_owner_gets_in_later(
    guarded: tuple[Client, Clock],
) -> None:
    client, clock = guarded
    right = {"Authorization": f"Bearer {TOKEN}"}
    cookie = (await client.get("/", params={"token": TOKEN}, allow_redirects=False)).cookies
    client.session.cookie_jar.clear()
    for guess in range(FREE_COUNT + 1):
        wrong = {"Authorization": f"Bearer {guess}"}
        assert (await client.get("/api/status", headers=wrong)).status == 401
    for told in (right, {"Authorization": "Bearer x"}):
        answer = await client.get("/api/status", headers=told)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        assert answer.headers["X-Frame-Options"] == "DENY"
    assert (await client.get("/", params={"token": TOKEN}, allow_redirects=False)).status == 429
    assert (await client.get("/api/status")).status == 401  # shows none: no guess
    value = next(iter(cookie.values())).value
    kept = {"Cookie": f"twin_console={value}"}
    assert (await client.get("/api/status", headers=kept)).status == 200  # who is in stays in
    assert (await client.get("/healthz")).status == 200
    clock.now_s += 1.0
    assert (await client.get("/api/status", headers=right)).status == 200
    assert (await client.get("/api/status", headers={"Authorization": "Bearer x"})).status == 401
