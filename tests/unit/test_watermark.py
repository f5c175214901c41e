"""The delivery promise without a broker: nothing counted twice, nothing let go too early."""

import random

from hypothesis import given
from hypothesis import strategies as st

from services.stored_marks import StoredMarks
from services.watermark import Outbox, Owed

KEY = ("fleet", "run", "s0000")


def test_mark_advances_only_without_a_gap() -> None:
    marks = StoredMarks()
    marks.settle_base(KEY, 0)
    for seq in (0, 1, 3, 4):
        marks.store(KEY, seq)
    assert marks.seq(KEY) == 1
    assert marks.is_stored(KEY, 4)
    assert not marks.is_stored(KEY, 2)
    marks.store(KEY, 2)
    assert marks.seq(KEY) == 4


def test_gaps_are_counted_where_batches_arrive() -> None:
    marks = StoredMarks()
    marks.settle_base(KEY, 0)
    for seq in (0, 1, 3, 2, 4, 9):
        marks.arrive(KEY, seq)
    assert marks.gaps_count == 2


@given(st.permutations(range(20)))
def test_law_any_order_of_storing_ends_at_the_same_mark(order: list[int]) -> None:
    marks = StoredMarks()
    marks.settle_base(KEY, 0)
    stored: set[int] = set()
    for seq in order:
        marks.store(KEY, seq)
        stored.add(seq)
        gapless = next(n for n in range(21) if n not in stored) - 1
        assert marks.seq(KEY) == gapless
    assert marks.seq(KEY) == 19


def test_new_ingester_starts_from_what_the_publisher_still_owes() -> None:
    marks = StoredMarks()
    marks.settle_base(KEY, 7)
    assert marks.seq(KEY) == 6
    assert not marks.is_stored(KEY, 7)


def test_a_new_run_starts_anew_and_the_old_one_is_forgotten() -> None:
    marks = StoredMarks()
    marks.settle_base(KEY, 0)
    marks.store(KEY, 0)
    other = ("fleet", "other-run", "s0000")
    marks.settle_base(other, 0)
    assert marks.seq(other) == -1
    assert marks.seq(KEY) == -1


def _owed(seq: int, size: int = 10) -> Owed:
    return Owed("s0000", seq, frames=2, payload=b"x" * size)


def test_outbox_releases_up_to_the_watermark_and_no_further() -> None:
    outbox = Outbox(limit_bytes=1000)
    for seq in range(5):
        outbox.add(_owed(seq))
    assert outbox.release("s0000", 2) == 6
    assert outbox.frames_count == 4
    assert outbox.bytes_count == 20
    assert outbox.base("s0000", 5) == 3
    assert outbox.release("s0000", 2) == 0
    assert outbox.release("unknown", 9) == 0


def test_outbox_is_full_at_its_limit() -> None:
    outbox = Outbox(limit_bytes=25)
    outbox.add(_owed(0))
    assert not outbox.is_full
    outbox.add(_owed(1, size=15))
    assert outbox.is_full


def test_due_batches_are_those_not_sent_and_those_sent_too_long_ago() -> None:
    outbox = Outbox(limit_bytes=1000)
    for seq in range(3):
        outbox.add(_owed(seq))
    for owed in list(outbox.due(0.0, patience_s=5.0))[:2]:
        outbox.sent(owed, 0.0)
    assert [owed.seq for owed in outbox.due(4.0, 5.0)] == [2]
    assert [owed.seq for owed in outbox.due(6.0, 5.0)] == [0, 1, 2]
    outbox.forget_sends()
    assert len(list(outbox.due(0.0, 5.0))) == 3


def _send_due(outbox: Outbox, now_s: float) -> list[int]:
    due = list(outbox.due(now_s, 5.0))
    for owed in due:
        outbox.sent(owed, now_s)
    return [owed.seq for owed in due]


def test_the_window_halves_while_nothing_is_confirmed_and_grows_with_what_is() -> None:
    outbox = Outbox(limit_bytes=10_000)
    for seq in range(100):
        outbox.add(_owed(seq))
    assert _send_due(outbox, 0.0) == list(range(64))
    assert _send_due(outbox, 5.1) == list(range(64))  # the first resend says that they are lost
    assert _send_due(outbox, 10.2) == [0]  # the patience has doubled, but for the oldest
    assert _send_due(outbox, 15.3) == list(range(32))
    outbox.release("s0000", 19)
    assert _send_due(outbox, 15.4) == list(range(32, 56))  # 16 + 20 of them, from the 20th
    outbox.release("s0000", 99)
    for seq in range(100, 200):
        outbox.add(_owed(seq))
    assert _send_due(outbox, 16.0) == list(range(100, 164))


def test_however_long_the_silence_the_oldest_batch_is_sent_each_patience() -> None:
    outbox = Outbox(limit_bytes=10_000)
    for seq in range(100):
        outbox.add(_owed(seq))
    sent = {turn: _send_due(outbox, 5.1 * turn) for turn in range(60)}  # five minutes
    assert all(seqs[0] == 0 for seqs in sent.values())
    assert sum(map(len, sent.values())) < 5 * 64  # no flood
    outbox.release("s0000", 0)
    assert _send_due(outbox, 5.1 * 60)[0] == 1


def test_a_slow_store_is_waited_for_as_long_as_it_goes_on() -> None:
    outbox = Outbox(limit_bytes=10_000)
    for seq in range(60):
        outbox.add(_owed(seq))
    assert _send_due(outbox, 0.0) == list(range(60))
    for turn in range(60):  # four seconds a batch: the last one waits for four minutes
        assert _send_due(outbox, 4.0 * turn + 3.9) == []
        outbox.release("s0000", turn)


def test_what_was_passed_by_something_sent_later_is_lost() -> None:
    outbox = Outbox(limit_bytes=10_000)
    for turn in range(10):  # one batch of each of two shards a second; the first of s0001 is lost
        outbox.add(_owed(turn))
        outbox.add(Owed("s0001", turn, frames=2, payload=b"x"))
        for owed in list(outbox.due(float(turn), 5.0)):
            assert owed.seq == turn or turn > 6, "nothing else has been missed yet"
            outbox.sent(owed, float(turn))
        outbox.release("s0000", turn)
    assert {one.seq: one.sends_count for one in outbox}[0] == 2


def test_a_copy_that_is_confirmed_says_nothing_of_what_was_sent_between() -> None:
    """It may have been the first copy that arrived, long before."""
    outbox = Outbox(limit_bytes=10_000)
    outbox.add(_owed(0))
    outbox.add(Owed("s0001", 0, frames=2, payload=b"x"))
    assert len(_send_due(outbox, 0.0)) == 2
    assert len(_send_due(outbox, 5.1)) == 2
    outbox.add(Owed("s0001", 1, frames=2, payload=b"x"))
    assert _send_due(outbox, 9.0) == [1]
    outbox.release("s0000", 0)  # its second copy left at 5.1 s
    assert _send_due(outbox, 10.0) == []


def test_a_watermark_told_again_brings_the_oldest_batch_soon() -> None:
    outbox = Outbox(limit_bytes=1000)
    for seq in range(3):
        outbox.add(_owed(seq))
    assert _send_due(outbox, 0.0) == [0, 1, 2]
    assert outbox.release("s0000", -1) == 0
    assert _send_due(outbox, 0.9) == []
    assert _send_due(outbox, 1.1) == [0]
    assert _send_due(outbox, 2.5) == []
    outbox.release("s0000", 1)
    outbox.release("s0000", 1)
    assert _send_due(outbox, 2.6) == [2]


@given(st.integers(0, 2**32 - 1))
def test_law_publisher_and_ingester_agree_over_a_lossy_link(seed: int) -> None:
    """Whatever is lost, doubled or reordered, sending again ends with everything stored once."""
    chance = random.Random(seed)
    outbox, marks, written = Outbox(10_000), StoredMarks(), []
    next_seq = 0
    for turn in range(200):
        if next_seq < 20:
            outbox.add(_owed(next_seq))
            next_seq += 1
        base = outbox.base("s0000", next_seq)
        sent = [owed for owed in outbox.due(float(turn), 0.0) if chance.random() < 0.6]
        chance.shuffle(sent)
        for owed in sent:
            owed.sent_s, owed.sends_count = float(turn), 1
            marks.settle_base(KEY, base)
            if not marks.is_stored(KEY, owed.seq):
                written.append(owed.seq)
                marks.store(KEY, owed.seq)
        if chance.random() < 0.5:
            outbox.release("s0000", marks.seq(KEY))
    outbox.release("s0000", marks.seq(KEY))
    assert sorted(written) == list(range(20))
    assert outbox.frames_count == 0
    assert outbox.bytes_count == 0


def test_no_more_is_on_its_way_than_the_ingester_has_room_for() -> None:
    """Every shard's oldest first, one of each at least; what is stored makes room."""
    outbox = Outbox(limit_bytes=10_000, ahead_bytes=250)
    for shard in ("a", "b"):
        for seq in range(4):
            outbox.add(Owed(shard, seq, 1, bytes(50)))

    def send() -> list[tuple[str, int]]:
        found = outbox.due(0.0, 5.0)
        for owed in found:
            outbox.sent(owed, 0.0)
        return [(owed.shard, owed.seq) for owed in found]

    assert send() == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2)]
    assert send() == []
    assert outbox.waits("a") and outbox.waits("b")
    outbox.release("a", 1)
    assert send() == [("a", 3), ("b", 2)] or send() == [("b", 2), ("a", 3)]
    outbox.forget_sends()
    assert len(send()) == 5
    outbox.release("a", 3)
    outbox.release("b", 3)
    assert outbox.bytes_count == outbox._on_way_bytes == 0
    narrow = Outbox(limit_bytes=10_000, ahead_bytes=10)
    for shard in ("a", "b"):
        narrow.add(Owed(shard, 0, 1, bytes(50)))
        narrow.add(Owed(shard, 1, 1, bytes(50)))
    assert [(owed.shard, owed.seq) for owed in narrow.due(0.0, 5.0)] == [("a", 0), ("b", 0)]
