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
QUEUE_BYTES = 36_000_000  # the same of small shards; a large fleet's batches have half a megabyte
SAME_SHARD_BYTES = 2_000_000  # in a write to the store; measured up to one megabyte


class BatchQueue(asyncio.Queue[Batch]):
    """Bounded in batches and in bytes; an empty one takes a batch of any size."""

    def __init__(self, maxsize: int, limit_bytes: int = QUEUE_BYTES) -> None:
        self.limit_bytes, self.size_bytes = limit_bytes, 0
        super().__init__(maxsize)

    def full(self) -> bool:
        """Whether the next batch has to wait."""
        return super().full() or self.size_bytes >= self.limit_bytes

    @property
    def fill_frac(self) -> float:
        """Of the bound that is nearer."""
        return max(self.qsize() / self.maxsize, self.size_bytes / self.limit_bytes)

    def put_nowait(self, item: Batch) -> None:
        """Take a batch in. Raises asyncio.QueueFull."""
        super().put_nowait(item)
        self.size_bytes += len(item.body)

    def get_nowait(self) -> Batch:
        """The next batch. Raises asyncio.QueueEmpty."""
        batch = super().get_nowait()
        self.size_bytes -= len(batch.body)
        return batch


class WritersQueue(BatchQueue):
    """A bounded queue of batches; `get` gives the oldest, `get_joined` what goes well with it."""

    def __init__(self, maxsize: int = QUEUE_BATCHES, limit_bytes: int = QUEUE_BYTES) -> None:
        super().__init__(maxsize, limit_bytes)
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
