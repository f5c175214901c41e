"""What a writer takes: the oldest batch, more of its shard, and then whatever waits."""

import asyncio
from random import Random

import pytest

from services.batches import Batch
from services.writers_queue import SAME_SHARD_BYTES, WritersQueue

SHARDS = ("a", "b", "c")


def tick(number: int, size: int = 100) -> list[Batch]:
    return [
        Batch(shard, b"x" * size, 1, 1, key=(("f", "r", shard), number), time_ns=number)
        for shard in SHARDS
    ]


def names(batches: list[Batch]) -> list[str]:
    return [f"{one.topic}{one.time_ns}" for one in batches]


async def test_ticks_of_a_shard_that_wait_are_taken_together() -> None:
    queue = WritersQueue()
    for number in range(3):
        for batch in tick(number):
            queue.put_nowait(batch)
    assert names(await queue.get_joined(100)) == ["a0", "a1", "a2"]
    assert names(await queue.get_joined(100)) == ["b0", "b1", "b2"]
    queue.put_nowait(tick(3)[0])
    assert names(await queue.get_joined(450)) == ["c0", "c1", "c2", "a3"]
    assert queue.empty()


async def test_where_nothing_is_behind_a_write_is_as_large_as_asked_for() -> None:
    queue = WritersQueue()
    for batch in tick(0):
        queue.put_nowait(batch)
    assert names(await queue.get_joined(200)) == ["a0", "b0"]
    assert names(await queue.get_joined(200)) == ["c0"]


async def test_ticks_of_a_shard_are_bounded_too() -> None:
    queue = WritersQueue()
    for number in range(8):
        queue.put_nowait(tick(number, SAME_SHARD_BYTES // 4)[0])
    assert len(await queue.get_joined(1)) == 4
    assert len(await queue.get_joined(1)) == 4


async def test_a_full_queue_lets_one_in_for_each_that_is_taken() -> None:
    queue = WritersQueue(2)
    first, second = tick(0)[:2]
    queue.put_nowait(first)
    queue.put_nowait(second)
    late = asyncio.create_task(queue.put(tick(1)[0]))
    await asyncio.sleep(0)
    assert not late.done()
    assert names(await queue.get_joined(1)) == ["a0"]
    await late
    assert names(await queue.get_joined(1)) == ["b0"]
    assert names(await queue.get_joined(1)) == ["a1"]


async def test_the_bytes_that_wait_are_bounded_too() -> None:
    queue = WritersQueue(limit_bytes=250)
    for batch in tick(0):  # 100 bytes each: the third one is still let in
        queue.put_nowait(batch)
    late = asyncio.create_task(queue.put(tick(1)[0]))
    await asyncio.sleep(0)
    assert queue.full()
    assert queue.fill_frac == 300 / 250
    assert not late.done()
    assert names(await queue.get_joined(1)) == ["a0"]
    await late
    assert queue.size_bytes == 300
    while not queue.empty():
        await queue.get_joined(1)
    assert queue.size_bytes == 0
    queue.put_nowait(tick(0, 1000)[0])  # larger than the bound, but nothing else waits


@pytest.mark.parametrize("seed", range(5))
async def test_nothing_is_lost_or_overtaken_within_its_shard(seed: int) -> None:
    chance, queue = Random(seed), WritersQueue(1000)
    sent: dict[str, list[int]] = {shard: [] for shard in SHARDS}
    taken: dict[str, list[int]] = {shard: [] for shard in SHARDS}
    for number in range(400):
        batch = tick(number)[chance.randrange(3)]
        queue.put_nowait(batch)
        sent[batch.topic].append(number)
        if chance.random() < 0.2:
            for one in await queue.get_joined(chance.choice([1, 150, 1000])):
                taken[one.topic].append(one.time_ns)
    while not queue.empty():
        for one in await queue.get_joined(150):
            taken[one.topic].append(one.time_ns)
    assert taken == sent
