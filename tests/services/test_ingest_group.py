"""A group of ingesters, one step at a time: notes, watermarks, and what a lost note costs."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest
from broker import JUDGE, session, shipped_broker
from hypothesis import given
from hypothesis import strategies as st

from services.batches import Batch
from services.broker_access import ingester
from services.dead_letters import DeadLetters
from services.ingest_group import HOLE_S, NOTE_LIMIT, Group, Note, note_bytes
from services.ingester import Ingester
from services.journal import in_thread
from services.mqtt import Message
from services.nats_subjects import subject_of, topic_of
from services.settings import load_settings
from services.spool import Spool
from services.store import StoreUnavailableError
from services.stored_marks import StoredMarks
from services.topics import Topics
from services.watermark import Outbox, Owed
from twin.errors import ConfigurationError
from twin.frames import FRAME_VERSION, FrameHeader
from twin.frames import batch as framed

SHARD = ("f", "r1", "s0000")


def batch(seq: int, base: int = 0) -> Batch:
    return Batch(Topics("f").telemetry("s0000"), b"", 1, 1, key=(SHARD, seq), base=base)


def member() -> Group:
    return Group("ingest", StoredMarks())


def store(group: Group, *seqs: int) -> None:
    for seq in seqs:
        group.marks.store(SHARD, seq)
        group.stored(batch(seq))


def tell(sender: Group, *hearers: Group) -> None:
    for key, note in sender.take_notes():
        for topic, payload in note_bytes(key, note):
            for hearer in hearers:
                assert hearer.hear(topic, payload, 0.0) == key


@given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_law_every_ingester_ends_with_the_same_mark(owners: list[int], random: object) -> None:
    """Whoever stores what, in whatever order the notes arrive."""
    group = [member() for _ in range(3)]
    for seq, owner in enumerate(owners):
        store(group[owner], seq)
    senders = list(group)
    random.shuffle(senders)  # type: ignore[attr-defined]
    for sender in senders:
        tell(sender, *group)
    assert {one.marks.seq(SHARD) for one in group} == {len(owners) - 1}


def test_the_watermark_waits_before_a_number_that_nobody_told_of() -> None:
    first, second = member(), member()
    store(first, 0, 2)
    second.marks.store(SHARD, 1)  # stored, and killed before it could tell
    tell(first, first)
    assert first.marks.seq(SHARD) == 0
    store(first, 1)  # the publisher sends it again
    assert first.marks.seq(SHARD) == 2


def test_a_late_ingester_starts_from_the_retained_watermark() -> None:
    late = member()
    mark = orjson.dumps({"run": "r1", "seq": 41})
    assert late.hear(Topics("f").watermark("s0000"), mark, 0.0) == SHARD
    assert late.marks.seq(SHARD) == 41
    assert late.worth_telling({SHARD: 41}, 0.5) == {}
    assert late.worth_telling({SHARD: 41}, 1.5) == {SHARD: 41}  # somebody sends again what is here
    assert late.worth_telling({SHARD: 40}, 9.0) == {}
    assert late.worth_telling({SHARD: 42}, 9.0) == {SHARD: 42}


def test_a_note_that_did_not_leave_is_told_later() -> None:
    group = member()
    store(group, 0, 1)
    notes = group.take_notes()
    store(group, 2)
    group.give_back(notes)
    assert group.take_notes() == [(SHARD, Note(0, {0, 1, 2}))]
    assert group.take_notes() == []


def test_a_long_note_is_cut() -> None:
    parts = note_bytes(SHARD, Note(3, set(range(2 * NOTE_LIMIT + 1))))
    assert [len(orjson.loads(payload)["seqs"]) for _, payload in parts] == [1000, 1000, 1]


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"null", b'{"run":1}x', b'{"seqs":[1]}', b'{"run":"r","seqs":["1"]}',
     b'{"run":"r","seqs":7}', b'{"run":"r","base":null}', b'{"run":"r","seq":1.5}'],
)  # fmt: skip
def test_what_is_no_note_changes_nothing(payload: bytes) -> None:
    group = member()
    assert group.hear(Topics("f").stored("s0000"), payload, 0.0) is None
    assert group.marks.seq(SHARD) == -1
    assert group.hear("fleet/v1/f/tlm/s0000", b'{"run":"r1","seqs":[0]}', 0.0) is None


def test_a_publisher_ignores_a_watermark_that_is_lower_than_one_before() -> None:
    outbox = Outbox(10**6)
    for seq in range(4):
        outbox.add(Owed("s0000", seq, 1, b"x"))
        outbox.sent(next(one for one in outbox if one.seq == seq), 0.0)
    assert outbox.release("s0000", 1) == 2
    assert outbox.release("s0000", 0) == 0
    assert not list(outbox.due(2.0, 6.0))  # not taken for a sign that something is missing
    assert outbox.release("s0000", 1) == 0
    assert [one.seq for one in outbox.due(2.0, 6.0)] == [2]
    assert outbox.release("s0000", 3) == 2


@given(st.text(alphabet="abc.-_", min_size=1), st.text(alphabet="abc.", min_size=1))
def test_law_a_topic_survives_the_way_through_nats(fleet: str, shard: str) -> None:
    topic = f"fleet/v1/x{fleet}/tlm/s{shard}"
    if ".." not in topic and "./" not in topic and not topic.endswith("."):
        assert topic_of(subject_of(topic)) == topic


def test_filters_as_subjects() -> None:
    assert subject_of(Topics().telemetry()) == "fleet.v1.*.tlm.*"
    assert subject_of("fleet/#") == "fleet.>"


def test_settings_of_a_group(tmp_path: Path) -> None:
    assert load_settings(state_dir=tmp_path).group is None
    assert load_settings(nats_url="nats://a:4222,nats://b:4222").group == "ingest"
    assert load_settings(nats_url="nats://a", ingest_group="mine").group == "mine"
    two = load_settings(mqtt_url="mqtt://a:1,mqtt://b:2")
    assert [one.mqtt_port for one in two.by_broker()] == [1, 2]
    for wrong in (
        {"nats_url": "nats://"},
        {"nats_url": "nats://u:p@a"},
        {"nats_url": "nats://a,http://b"},
        {"ingest_group": "a/b"},
        {"mqtt_url": "mqtt://a,mqtts://b"},
        {"mqtt_url": "mqtt://a,mqtt://u:p@b"},
    ):
        with pytest.raises(ConfigurationError, match=f"TWIN_{next(iter(wrong)).upper()}"):
            load_settings(**wrong)


def test_the_shipped_broker_deals_batches_out_among_two_ingesters(tmp_path: Path) -> None:
    """With the credentials and rights of `make secrets --ingesters 2`."""
    second = ingester("2")
    with shipped_broker(tmp_path, guests=(second,)) as broker:
        judge = broker.client(JUDGE)
        members = [broker.client("ingest"), broker.client(second.name)]
        with ExitStack() as stack:
            for client in (judge, *members):
                assert not stack.enter_context(session(client, broker.server)).is_failure
            for client in members:
                client.subscribe("$share/ingest/fleet/v1/+/tlm/+", "fleet/v1/+/stored/+")
            sent = [("fleet/v1/f/tlm/s0000", b"%d" % number) for number in range(40)]
            judge.publish_all(sent)
            members[0].publish("fleet/v1/f/stored/s0000", b"end")  # a note reaches both
            dealt = [client.until("fleet/v1/f/stored/s0000", b"end") for client in members]
    assert sorted(dealt[0] + dealt[1]) == sorted(sent)
    assert all(dealt)


def test_the_share_of_the_others_is_no_gap_and_what_nobody_has_is_one() -> None:
    group = member()
    marks = group.marks
    for seq in (0, 3, 6):  # the others have the rest
        marks.settle_base(SHARD, 0)
        marks.arrive(SHARD, seq)
        store(group, seq)
    group.look_for_holes(100.0)
    assert marks.gaps_count == 0
    other = orjson.dumps({"run": "r1", "base": 0, "seqs": [1, 2, 4]})
    group.hear(Topics("f").stored("s0000"), other, 101.0)
    group.look_for_holes(100.0 + HOLE_S + 0.5)  # another hole than before: its own time
    assert marks.gaps_count == 0
    for now_s in (107.5, 108.0, 120.0, 140.0):
        group.look_for_holes(now_s)
        assert marks.gaps_count == 1  # number 5: once
    store(group, 5)
    group.look_for_holes(141.0)
    assert (marks.seq(SHARD), marks.gaps_count) == (6, 1)
    alone = StoredMarks()
    for seq in (0, 3):
        alone.arrive(SHARD, seq)
    assert alone.gaps_count == 1


async def test_a_member_that_dies_with_a_full_spool_stores_it_when_it_returns(
    tmp_path: Path,
) -> None:
    """Told as stored when it was durable: the group goes on, and nobody writes it a second time."""
    told: list[Batch] = []

    class Shelf:
        def __init__(self) -> None:
            self.rows: list[bytes] = []
            self.is_up = False

        async def write(self, lines: bytes) -> None:
            if not self.is_up:
                raise StoreUnavailableError("down")
            self.rows += lines.splitlines()

    shelf = Shelf()

    def begun(group: Group) -> tuple[Ingester, Spool]:
        letters = DeadLetters(tmp_path / "dead")
        one = Ingester(shelf, letters, marks=group.marks)  # type: ignore[arg-type]
        spool = Spool(tmp_path / "spool", one.queue, 10**8, False, in_thread, one.durable)
        one.spool = spool

        def durable(batch: Batch) -> None:
            told.append(batch)
            group.stored(batch)

        one.on_durable = durable
        one.adopt(spool.open())
        return one, spool

    first, second = member(), member()
    dying, spool = begun(first)
    task = asyncio.create_task(spool.run())
    acknowledged = asyncio.Event()
    row = b"sat_state,fleet=f,plane=p,sat=A tm_seq=1.0 %d\n" % 10**18
    header = FrameHeader(FRAME_VERSION, "f", "r1", "s0000", 0, 0, 10**18, 1, 0, 0)
    message = Message(Topics("f").telemetry("s0000"), framed(header, row), False, acknowledged.set)
    await dying.receive(message)
    await acknowledged.wait()
    tell(first, second)
    assert second.marks.seq(SHARD) == 0  # the publisher lets go of it
    task.cancel()
    await spool.close()
    assert shelf.rows == []
    shelf.is_up = True
    back, spool = begun(member())
    tasks = [asyncio.create_task(spool.run()), asyncio.create_task(back.write_for_ever())]
    async with asyncio.timeout(10.0):
        await back.until_idle()
    assert shelf.rows == [row.rstrip()]
    assert back.marks.seq(SHARD) == 0
    assert len(told) == 1
    for one in tasks:
        one.cancel()
    await spool.close()
