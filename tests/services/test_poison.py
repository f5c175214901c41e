"""A store that is down and rows that nobody can take: told apart, in a bounded number of writes."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from servers import influxd_server

from services.pace import Clock
from services.poison import Guard
from services.settings import load_settings
from services.store import InfluxStore, RejectedRowsError, StoreUnavailableError

AT_ONCE = Clock(uniform=lambda low, _high: low)
Answer = Callable[[list[bytes]], Exception | None]


@dataclass
class CountingStore:
    """Takes what `answer` lets it take, and counts what it is asked."""

    answer: Answer
    taken: list[bytes] = field(default_factory=list)
    writes: list[list[bytes]] = field(default_factory=list)

    async def write(self, lines: bytes) -> None:
        rows = lines.splitlines(keepends=True)
        self.writes.append(rows)
        error = self.answer(rows)
        if error is not None:
            raise error
        self.taken += rows


def rows_of(count: int) -> list[bytes]:
    return [b"sat_state,fleet=f,sat=S%d a=1.0 %d\n" % (index, index) for index in range(count)]


def refusing(poison: set[bytes], error: Callable[[], Exception]) -> Answer:
    return lambda rows: error() if poison & set(rows) else None


async def delivered(guard: Guard, rows: list[bytes]) -> dict[int, str]:
    reason = await guard.write(b"".join(rows))
    return {} if reason is None else await guard.isolate(rows, reason)


def guard_of(answer: Answer) -> tuple[Guard, CountingStore]:
    store = CountingStore(answer)
    return Guard(store, AT_ONCE), store  # type: ignore[arg-type]


@given(count=st.integers(1, 700), data=st.data())
def test_law_one_bad_row_is_found_in_two_writes_a_halving_and_two(
    count: int, data: st.DataObject
) -> None:
    rows, bad = rows_of(count), data.draw(st.integers(0, count - 1))
    guard, store = guard_of(refusing({rows[bad]}, lambda: RejectedRowsError("400: conflict")))
    found = asyncio.run(delivered(guard, rows))
    assert found == {bad: "400: conflict"}
    assert set(rows) - set(store.taken) == {rows[bad]}
    limit = 2 * math.ceil(math.log2(count)) + 2
    assert store.writes.index([rows[bad]]) < limit  # it has failed alone
    assert len(store.writes) <= limit + 3  # and again, between two canaries


@given(
    count=st.integers(1, 60),
    bad=st.sets(st.integers(0, 59), max_size=8),
    soft=st.booleans(),
)
def test_law_good_rows_are_stored_and_bad_ones_named(count: int, bad: set[int], soft: bool) -> None:
    rows = rows_of(count)
    poison = {rows[index] for index in bad if index < count}

    def error() -> Exception:
        return StoreUnavailableError("500 oops", 500) if soft else RejectedRowsError("400: bad")

    guard, store = guard_of(refusing(poison, error))
    found = asyncio.run(delivered(guard, rows))
    assert {rows[index] for index in found} == poison
    assert set(rows) <= set(store.taken) | poison
    limit = len(poison) * (2 * math.ceil(math.log2(count)) + 3) + 5 * soft + 3
    assert len(store.writes) <= limit


async def test_a_store_that_refuses_everything_is_down_and_nothing_is_poison() -> None:
    left = 12

    def full_disk(_rows: list[bytes]) -> Exception | None:
        nonlocal left
        left -= 1
        return StoreUnavailableError("500 no space left", 500) if left > 0 else None

    guard, store = guard_of(full_disk)
    assert await delivered(guard, rows_of(5)) == {}
    assert store.taken[-5:] == rows_of(5)
    assert guard.store_is_up
    assert guard.canaries_count >= 2


async def test_a_bad_request_of_a_store_that_is_down_waits() -> None:
    """400 with a canary that fails too, as from a proxy in front of nothing."""
    left = 6

    def broken(_rows: list[bytes]) -> Exception | None:
        nonlocal left
        left -= 1
        return RejectedRowsError("400: nonsense") if left > 0 else None

    guard, store = guard_of(broken)
    assert await delivered(guard, rows_of(3)) == {}
    assert store.taken[-3:] == rows_of(3)


@pytest.mark.parametrize("begins", range(2, 14))
async def test_a_row_that_was_refused_in_an_outage_is_no_poison(begins: int) -> None:
    """An outage that looks like bad rows, in the middle of a search for one that is bad."""
    rows, asked = rows_of(8), 0

    def answer(given: list[bytes]) -> Exception | None:
        nonlocal asked
        asked += 1
        is_out = begins < asked <= begins + 40
        return RejectedRowsError("400: nonsense") if is_out or rows[5] in given else None

    guard, store = guard_of(answer)
    assert set(await delivered(guard, rows)) == {5}
    assert set(rows) - set(store.taken) == {rows[5]}


@pytest.mark.parametrize("status", [500, None])
async def test_a_row_that_failed_as_an_outage_ended_is_no_poison(status: int | None) -> None:
    rows, asked = rows_of(8), 0

    def answer(given: list[bytes]) -> Exception | None:
        nonlocal asked
        asked += 1
        if asked in {3, 4, 5, 7, 9} and given[0] == rows[0]:  # what lies before every canary
            return StoreUnavailableError("no space left", status)
        return RejectedRowsError("400: conflict") if rows[5] in given else None

    guard, store = guard_of(answer)
    found = await delivered(guard, rows)
    assert list(found) == [5]
    assert set(rows) - set(store.taken) == {rows[5]}


async def test_a_store_that_goes_down_while_poison_is_sought_makes_no_poison() -> None:
    rows, asked = rows_of(8), 0

    def answer(given: list[bytes]) -> Exception | None:
        nonlocal asked
        asked += 1
        if 6 <= asked <= 25:  # down in the middle of the search
            return StoreUnavailableError("503 restarting", 503)
        return StoreUnavailableError("500 conflict", 500) if rows[5] in given else None

    guard, store = guard_of(answer)
    found = await delivered(guard, rows)
    assert list(found) == [5]
    assert set(rows) - set(store.taken) == {rows[5]}


@pytest.fixture
async def second_version() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers as InfluxDB 2 has: 500 to a type conflict (its issue 19779)."""
    taken: list[bytes] = []

    async def write(request: web.Request) -> web.Response:
        lines = (await request.read()).splitlines(keepends=True)
        if any(b"mode=1i" in line for line in lines):
            return web.json_response({"code": "internal error"}, status=500)
        taken.extend(lines)
        return web.Response(status=204)

    async def ping(_: web.Request) -> web.Response:
        return web.Response(status=204, headers={"X-Influxdb-Version": "v2.7.1"})

    app = web.Application()
    app.router.add_post("/api/v2/write", write)
    app.router.add_get("/ping", ping)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/"), taken


async def test_a_500_for_poison_is_isolated_within_two_seconds(
    second_version: tuple[str, list[bytes]],
) -> None:
    url, taken = second_version
    rows = rows_of(500)
    rows[123] = rows[123].replace(b"a=1.0", b"mode=1i")
    async with InfluxStore(load_settings(influx_url=url)) as store:
        await store.prepare()
        guard = Guard(store, AT_ONCE)
        found = await delivered(guard, rows)
    assert list(found) == [123]
    assert guard.canaries_count <= 3  # before the search, and around the last doubt
    assert set(rows) - set(taken) == {rows[123]}


async def test_val_real_influxdb_keeps_the_good_rows_of_a_type_conflict() -> None:
    rows = [b"sat_state,fleet=f,sat=S%d mode=%d.0 1777550400000000000\n" % (n, n) for n in range(9)]
    rows[4] = rows[4].replace(b"mode=4.0", b"mode=4i")
    with influxd_server() as server:
        async with InfluxStore(load_settings(influx_url=server.url)) as store:
            await store.prepare()
            await store.write(rows[0])  # mode is a float from now on
            found = await delivered(Guard(store), rows)
            answer = await store.query('SELECT count("mode") FROM sat_state')
    assert list(found) == [4]
    assert "conflict" in found[4]
    assert answer[0]["values"][0][1] == 8  # type: ignore[index]


async def test_a_canary_after_a_failure_lies_in_the_span_of_the_rows_that_failed() -> None:
    """InfluxDB with a full disk: one week takes nothing, another takes the canary."""
    failing, seen = True, []

    class OneWeekIsFull:
        async def write(self, lines: bytes) -> None:
            seen.append(lines)
            if failing and int(lines.split()[-1]) < 100:
                raise StoreUnavailableError("500 no space left on device", 500)

    guard = Guard(OneWeekIsFull(), AT_ONCE)  # type: ignore[arg-type]
    writing = asyncio.create_task(guard.write(b"sat_state,sat=A a=1.0 10\n"))
    while guard.canaries_count < 3:  # noqa: ASYNC110 - only turns of the loop are waited for
        await asyncio.sleep(0)
    assert not writing.done()
    assert not guard.store_is_up
    failing = False
    assert await writing is None
    assert b"ops,service=canary probe=1.0 10\n" in seen


def test_a_store_whose_disk_was_full_has_to_be_started_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """InfluxDB keeps the error of its write-ahead log when there is room again (influxdb#24460)."""
    for text, advised in (("write 1.wal: no space left on device", True), ("timed out", False)):
        guard, _ = Guard(None), caplog.clear()  # type: ignore[arg-type]
        guard._note_down(StoreUnavailableError(text, 500), known=True)
        assert ("has to be started again" in caplog.text) == advised
        assert text in caplog.text
        assert not guard.store_is_up
