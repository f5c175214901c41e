"""What waits for the store, in the order of arrival, and by shard.

InfluxDB sorts the values of a write into a table by series and field. Two ticks of the same
satellites in one write share the table's entries: a row then costs two thirds, of eight ticks
half (docs/pipeline.md). So a writer that finds more of the shard that it has taken takes that
first. While the store keeps up nothing waits, and nothing is delayed for it; once it falls behind
it gets faster, which is when it counts.
"""

import asyncio
from collections import deque

from services.batches import Batch

QUEUE_BATCHES = 256
SAME_SHARD_BYTES = 2_000_000  # in a write to the store; measured up to one megabyte


class WritersQueue(asyncio.Queue[Batch]):
    """A bounded queue of batches; `get` gives the oldest, `get_joined` what goes well with it."""

    def __init__(self, maxsize: int = QUEUE_BATCHES) -> None:
        super().__init__(maxsize)
        self._wanted: int | None = None

    async def get_joined(self, request_bytes: int) -> list[Batch]:
        """The oldest batch with more of its shard, and then others up to `request_bytes`."""
        batches = [await self.get()]
        size = len(batches[0].body)
        while size < SAME_SHARD_BYTES and (alike := self._get_like(batches[0])):
            batches.append(alike)
            size += len(alike.body)
        while size < request_bytes and not self.empty():
            batches.append(self.get_nowait())
            size += len(batches[-1].body)
        return batches

    def _get_like(self, batch: Batch) -> Batch | None:
        """The oldest batch of the same shard; None if none waits."""
        alike = self._by_topic.get(batch.topic)
        if not alike:
            return None
        self._wanted = alike[0]
        return self.get_nowait()

    # The three methods that asyncio.Queue leaves to its subclasses.

    def _init(self, maxsize: int) -> None:  # noqa: ARG002 - the base class asks for it
        self._queue: dict[int, Batch] = {}
        self._by_topic: dict[str, deque[int]] = {}
        self._number = 0

    def _put(self, item: Batch) -> None:
        self._number += 1
        self._queue[self._number] = item
        self._by_topic.setdefault(item.topic, deque()).append(self._number)

    def _get(self) -> Batch:
        number = next(iter(self._queue)) if self._wanted is None else self._wanted
        self._wanted = None
        batch = self._queue.pop(number)
        alike = self._by_topic[batch.topic]
        alike.popleft()  # it is this number: the oldest of all is the oldest of its shard too
        if not alike:
            del self._by_topic[batch.topic]
        return batch
