"""The console's stream: pictures in order, resumed, skipped by who is slow."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from console_fixture import FixtureFleet, build, floats, pipeline_status

from services.console.api import BROWSERS_LIMIT
from services.console.app import PICTURES, create_app
from services.console.feed import LiveFleet
from services.console.stream import Pictures, follow, resume_from

COUNT = 5


@pytest.fixture(scope="module")
def fleet() -> tuple[LiveFleet, FixtureFleet]:
    return build(COUNT, 1.0)


async def events_of(answer: ClientResponse) -> AsyncIterator[dict[str, Any]]:
    event: dict[str, str] = {}
    async for raw in answer.content:
        text = raw.decode().rstrip("\n")
        if text:
            key, _, value = text.partition(": ")
            event[key] = value
        elif "data" in event:
            yield {"id": event["id"], **json.loads(event["data"])}
            event = {}


async def test_stream_sends_pictures_in_order_and_resumes() -> None:
    live, source = build(COUNT, 1.0)
    app = create_app(live, source, pipeline_status, ticking=False)
    pictures = app[PICTURES]
    async with TestClient(TestServer(app)) as client:
        await pictures.turn()
        answer = await client.get("/api/stream")
        assert answer.headers["Content-Type"] == "text/event-stream"
        events = events_of(answer)
        last = await anext(events)
        assert floats(last["rows"], "<u4").size == COUNT
        await pictures.turn()
        quiet = await anext(events)
        assert (quiet["tick"], quiet["rows"]) == (last["tick"] + 1, "")
        live.ingest(source.batch_at(1))
        await pictures.turn()
        busy = await anext(events)
        assert (busy["tick"], floats(busy["rows"], "<u4").size) == (quiet["tick"] + 1, COUNT)
        answer.close()

        live.ingest(source.batch_at(2))
        await pictures.turn()
        again = await client.get("/api/stream", headers={"Last-Event-ID": quiet["id"]})
        resumed = await anext(events_of(again))
        assert resumed["tick"] == busy["tick"] + 1
        assert floats(resumed["times"], "<f8").tolist() == (live.time_ns * 1e-6).tolist()
        again.close()


def test_resume_only_inside_the_same_run() -> None:
    live, _ = build(2, 1.0)
    live.tick()
    assert resume_from(live, f"{live.run}-1") == 1
    assert resume_from(live, f"{live.run}-999") == 1
    for unfit in ("", "x", "other-1", f"{live.run}-", f"{live.run}--1", f"{live.run}-{'9' * 40}"):
        assert resume_from(live, unfit) == 0


async def test_slow_browser_skips_pictures_and_they_are_counted() -> None:
    live, source = build(COUNT, 1.0)
    pictures = Pictures(live)
    await pictures.turn()
    sent: asyncio.Queue[bytes] = asyncio.Queue()
    may_go_on = asyncio.Semaphore(0)

    async def write(body: bytes) -> None:
        sent.put_nowait(body)
        await may_go_on.acquire()

    follower = asyncio.create_task(follow(pictures, write, 0))
    await sent.get()
    for second in range(1, 6):  # five pictures while the browser takes its first
        live.ingest(source.batch_at(second))
        await pictures.turn()
    may_go_on.release()
    newest = json.loads((await sent.get()).partition(b"data: ")[2])
    assert newest["tick"] == live.tick_number
    assert floats(newest["times"], "<f8").tolist() == (live.time_ns * 1e-6).tolist()
    assert live.counts.pictures_skipped == 4
    assert sent.empty()
    await pictures.close()
    may_go_on.release()
    await follower


async def test_browsers_are_bounded(fleet: tuple[LiveFleet, FixtureFleet]) -> None:
    live, source = fleet
    app = create_app(live, source, pipeline_status, ticking=False)
    async with TestClient(TestServer(app)) as client:
        streams = [await client.get("/api/stream") for _ in range(BROWSERS_LIMIT)]
        assert {answer.status for answer in streams} == {200}
        assert (await client.get("/api/stream")).status == 503
        for answer in streams:
            answer.close()


async def test_closing_the_service_ends_its_streams() -> None:
    live, source = build(2, 1.0)
    app = create_app(live, source, pipeline_status)
    client = TestClient(TestServer(app))
    await client.start_server()
    answer = await client.get("/api/stream")
    await anext(events_of(answer))
    async with asyncio.timeout(5):
        await app[PICTURES].close()
        rest = await answer.content.read()
        await client.close()
    assert rest == b"" or rest.endswith(b"\n\n")
