"""Bugs that such pipelines have had, put into ours on purpose: the simulation must find each."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from memory_broker import MemoryConnection, Packet
from memory_store import StoreClient

from services.dead_letters import DeadLetters
from services.store import StoreUnavailableError
from services.stored_marks import Mark, ShardKey, StoredMarks
from services.watermark import Outbox, Owed


def acknowledged_before_it_is_written() -> AbstractContextManager[Any]:
    real = MemoryConnection.on_message

    def on_message(self: MemoryConnection, number: int, packet: Packet) -> None:
        real(self, number, packet)
        self._incoming[-1].acknowledge()
        object.__setattr__(self._incoming[-1], "acknowledge", lambda: None)

    return patch.object(MemoryConnection, "on_message", on_message)


def acknowledged_twice() -> AbstractContextManager[Any]:
    real = MemoryConnection.on_message

    def on_message(self: MemoryConnection, number: int, packet: Packet) -> None:
        real(self, number, packet)
        once = self._incoming[-1].acknowledge
        object.__setattr__(self._incoming[-1], "acknowledge", lambda: (once(), once()))

    return patch.object(MemoryConnection, "on_message", on_message)


def watermark_over_a_gap() -> AbstractContextManager[Any]:
    def store(self: StoredMarks, key: ShardKey, seq: int) -> None:
        mark = self._marks.setdefault(key, Mark())
        mark.seq = max(mark.seq, seq)

    return patch.object(StoredMarks, "store", store)


def retried_with_a_new_time_stamp() -> AbstractContextManager[Any]:
    real, failed = StoreClient.write, set[bytes]()

    async def write(self: StoreClient, lines: bytes) -> None:
        sent = lines
        if lines in failed:
            parts = [line.rpartition(b" ") for line in lines.splitlines()]
            sent = b"".join(b"%b %d\n" % (head, int(stamp) + 1) for head, _, stamp in parts)
        try:
            await real(self, sent)
        except StoreUnavailableError:
            failed.add(lines)
            raise

    return patch.object(StoreClient, "write", write)


@contextmanager
def nothing_sent_again_after_a_reconnect() -> Iterator[None]:
    def due(self: Outbox, _now_s: float, _patience_s: float) -> Iterator[Owed]:
        for lane in self._lanes.values():
            yield from (owed for owed in lane.batches.values() if owed.sent_s is None)

    with (
        patch.object(Outbox, "due", due),
        patch.object(Outbox, "forget_sends", lambda _self: None),
    ):
        yield


def dead_letters_not_counted() -> AbstractContextManager[Any]:
    return patch.object(DeadLetters, "count", property(lambda _self: 0))


def dead_letters_dropped() -> AbstractContextManager[Any]:
    return patch.object(DeadLetters, "add", lambda *_args, **_named: None)


def base_settled_too_far() -> AbstractContextManager[Any]:
    return patch.object(Outbox, "base", lambda _self, _shard, next_seq: next_seq)


def released_one_batch_too_many() -> AbstractContextManager[Any]:
    real = Outbox.release
    return patch.object(
        Outbox, "release", lambda self, shard, stored_seq: real(self, shard, stored_seq + 1)
    )


def checkpoint_ahead_of_the_store() -> AbstractContextManager[Any]:
    return patch.object(Outbox, "owes_any", lambda _self, _newest: False)


PLANTED: tuple[Callable[[], AbstractContextManager[Any]], ...] = (
    acknowledged_before_it_is_written,
    acknowledged_twice,
    watermark_over_a_gap,
    retried_with_a_new_time_stamp,
    nothing_sent_again_after_a_reconnect,
    dead_letters_not_counted,
    dead_letters_dropped,
    base_settled_too_far,
    released_one_batch_too_many,
    checkpoint_ahead_of_the_store,
)
