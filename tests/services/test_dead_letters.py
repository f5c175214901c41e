"""Dead letters: durable before acknowledged, capped, readable, replayed through the checks."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from typer.testing import CliRunner

from services import dead_letters as module
from services.cli import app
from services.dead_letters import DeadLetters, Letter, LetterFile
from services.dlq import replay_letters
from services.ingester import Ingester
from services.journal import DiskError, in_thread
from services.lanes import Lanes, RefusedMessageError
from services.mqtt import Message
from services.settings import load_settings
from twin.errors import DependencyUnavailableError
from twin.frames import FRAME_VERSION, FrameHeader, batch

HEADER = FrameHeader(FRAME_VERSION, "f", "run", "s0000", 0, 0, 10, 1, 0, 0)
TOPIC = "fleet/v1/f/tlm/s0000"
ROW = b"sat_state,fleet=f,plane=p,sat=A a=1.0 10\n"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20.0):
        while not condition():  # noqa: ASYNC110 - any state may be waited for
            await asyncio.sleep(0.001)


async def test_a_letter_is_on_disk_when_its_message_is_acknowledged(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path / "d.db", lambda: 5.0, in_thread)
    seen: list[list[Letter]] = []
    letters.add(
        "t", "why: so", b"\xff" * 9000, kept=lambda: seen.append([*LetterFile(path).read()])
    )
    path = tmp_path / "d.db"
    await until(lambda: bool(seen))
    assert seen == [[Letter(5.0, "frame", "t", "why: so", b"\xff" * 9000, 1)]]
    await letters.close()


async def test_a_full_disk_leaves_messages_unacknowledged_and_the_live_path_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = True
    whole = LetterFile.add

    def add(self: LetterFile, letters: list[Letter]) -> int:
        if broken:
            raise DiskError("no space left on device")
        return whole(self, letters)

    class Shelf:
        rows: list[bytes] = []  # noqa: RUF012

        async def write(self, lines: bytes) -> None:
            self.rows.append(lines)

    monkeypatch.setattr(LetterFile, "add", add)
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    letters = DeadLetters(tmp_path / "d.db", lambda: 5.0, in_thread)
    ingester = Ingester(Shelf(), letters)  # type: ignore[arg-type]
    writer = asyncio.create_task(ingester.write_for_ever())
    acknowledged: list[str] = []
    await ingester.receive(Message(TOPIC, b"junk", False, lambda: acknowledged.append("bad")))
    good = batch(HEADER, ROW)
    await ingester.receive(Message(TOPIC, good, False, lambda: acknowledged.append("good")))
    await until(lambda: letters.disk_failures_count > 1 and "good" in acknowledged)
    assert acknowledged == ["good"]
    assert not ingester.checks()["dead_letters"]
    broken = False
    await until(lambda: acknowledged == ["good", "bad"])
    assert [letter.payload for letter in LetterFile(tmp_path / "d.db").read()] == [b"junk"]
    writer.cancel()
    await letters.close()


async def test_memory_for_letters_that_wait_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "d.db").mkdir()  # nothing can be opened here
    letters = DeadLetters(tmp_path / "d.db", lambda: 0.0)
    for number in range(module.WAITING_LIMIT + 7):
        letters.add("t", f"why {number}", b"x")
    assert letters.waiting_count == module.WAITING_LIMIT
    assert letters.unkept_count == 7
    assert letters.count == module.WAITING_LIMIT + 7
    assert len(letters.by_reason) <= module.REASONS_LIMIT + 1


def test_beyond_the_caps_the_oldest_give_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LETTERS_LIMIT", 5)
    monkeypatch.setattr(module, "BYTES_LIMIT", 100)
    letters = DeadLetters(tmp_path / "d.db", lambda: 0.0)
    for number in range(8):
        letters.add("t", "r", b"%d" % number)
    assert [one.payload for one in LetterFile(tmp_path / "d.db").read()] == [
        b"3", b"4", b"5", b"6", b"7",
    ]  # fmt: skip
    letters.add("t", "r", b"y" * 98)
    kept = [one.payload for one in LetterFile(tmp_path / "d.db").read()]
    assert kept == [b"6", b"7", b"y" * 98]
    assert letters.evicted_count == 6


class Server:
    """A store that refuses rows with a bad word, or everything."""

    def __init__(self) -> None:
        self.rows: list[bytes] = []
        self.is_up = True
        self.bad = b"bad="

    async def start(self) -> TestServer:
        app = web.Application()
        app.router.add_post("/write", self._write)
        app.router.add_get("/healthz", self._health)
        server = TestServer(app)
        await server.start_server()
        return server

    async def _write(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not self.is_up:
            return web.Response(status=503)
        if self.bad in body:
            return web.Response(status=400, text="conflict")
        self.rows += body.splitlines(keepends=True)
        return web.Response(status=204)

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(status=200)


async def test_replay_goes_through_the_checks_and_forgets_only_what_was_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = LetterFile(tmp_path / "dead_letters.db")
    poison = ROW.replace(b"a=", b"bad=")
    good = Letter(1.0, "row", TOPIC, "store refused: x", ROW)
    whole = Letter(2.0, "frame", TOPIC, "checksum differs", batch(replace(HEADER), ROW + poison))
    file.add(
        [
            good,
            whole,
            Letter(3.0, "frame", TOPIC, "no header", b"junk"),
            Letter(4.0, "row", "fleet/v1/g/tlm/s0000", "store refused", ROW),
            Letter(5.0, "row", TOPIC, "store refused", poison),
        ]
    )
    store = Server()
    server = await store.start()
    settings = load_settings(state_dir=tmp_path, store_url=str(server.make_url("")).rstrip("/"))
    monkeypatch.setattr("services.dlq.STORE_PATIENCE_S", 0.3)
    store.is_up = False
    with pytest.raises(DependencyUnavailableError, match="letters are kept"):
        await replay_letters(settings, None)
    assert len([*file.read()]) == 5
    store.is_up = True
    monkeypatch.setattr("services.dlq.STORE_PATIENCE_S", 10.0)
    done = await replay_letters(settings, None)
    assert (done.stored, done.stayed) == (2, 4)
    assert [row for row in store.rows if row.startswith(b"sat")] == [ROW, ROW]
    left = {(one.kind, one.topic, one.payload) for one in file.read()}
    assert left == {
        ("frame", TOPIC, b"junk"),
        ("row", "fleet/v1/g/tlm/s0000", ROW),
        ("row", TOPIC, poison),
    }
    store.bad = b"nothing is bad"
    row = next(one.id for one in file.read() if one.payload == poison)
    assert (await replay_letters(settings, [row])).stored == 1
    await server.close()


def test_the_command_lists_shows_and_purges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_STATE_DIR", str(tmp_path))
    run = CliRunner().invoke
    assert "no dead letters" in run(app, ["dlq", "list"]).output
    LetterFile(tmp_path / "dead_letters.db").add(
        [Letter(0.0, "frame", TOPIC, "no #twin header", b"junk\xff")]
    )
    listed = run(app, ["dlq", "list", "--json"]).output
    assert '"reason":"no #twin header"' in listed
    shown = run(app, ["dlq", "show", "1"]).output
    assert "no #twin header" in shown
    assert "junk\\xff" in shown
    assert run(app, ["dlq", "purge"]).exit_code == 2
    assert "1 letters thrown away" in run(app, ["dlq", "purge", "--all"]).output
    assert [*LetterFile(tmp_path / "dead_letters.db").read()] == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'sat_state,fleet=f,plane=p,sat=A a="x,fleet=f," 10\n', "text or escapes"),
        (b"sat_state,fleet=f,plane=p,sat=A\\ B a=1 10\n", "text or escapes"),
        (b"sat_state,fleet=g,plane=p,sat=A,fleet=f a=1 10\n", "another fleet"),
        (b"sat_state,fleet=f,plane=p,sat=A a=1\n", "head fields stamp"),
        (b"sat_state,fleet=f,plane=p,sat=A a=1 10 10\n", "head fields stamp"),
        (b"sat_state,fleet=f,plane=p,sat=A a=1 now\n", "not a whole number"),
        (b"\n", "head fields stamp"),
        (b"sat_state,fleet=f,plane=p,sat=A  10\n", "head fields stamp"),
    ],
)
def test_a_row_that_is_not_plainly_ours_is_refused(body: bytes, reason: str) -> None:
    message = Message(TOPIC, batch(HEADER, body), False, lambda: None)
    with pytest.raises(RefusedMessageError, match=reason):
        Lanes().check(message)


def test_a_shard_may_name_only_its_own_satellites() -> None:
    def send(lanes: Lanes, shard: str, sat: bytes, run: str = "run") -> None:
        header = replace(HEADER, shard=shard, run=run)
        topic = f"fleet/v1/f/tlm/{shard}"
        row = ROW.replace(b"sat=A", b"sat=" + sat)
        assert lanes.check(Message(topic, batch(header, row), False, lambda: None)) is not None

    learned = Lanes()
    send(learned, "s0000", b"A")
    send(learned, "s0001", b"B")
    send(learned, "s0000", b"A")
    with pytest.raises(RefusedMessageError, match="another shard: A"):
        send(learned, "s0001", b"A")
    send(learned, "s0001", b"A", run="the next one")

    listed = Lanes(lambda: {"f": {"A": "s0000"}})
    send(listed, "s0000", b"A")
    for shard, sat in (("s0001", b"A"), ("s0000", b"C")):
        with pytest.raises(RefusedMessageError, match="another shard"):
            send(listed, shard, sat)
