"""A checked batch on its way to the store."""

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from services.stored_marks import ShardKey

BatchKey = tuple[ShardKey, int]
"""Shard of a run, and the batch's number in it."""


def no_acknowledgement() -> None:
    """For rows that nobody waits for: those read back from the spool."""


@dataclass(frozen=True)
class Batch:
    """Rows of line protocol that passed their checks."""

    topic: str
    body: bytes
    frames: int  # rows of measurement sat_state
    lines: int
    acknowledge: Callable[[], None] = no_acknowledgement
    key: BatchKey | None = None  # None for a publisher that does not number its messages
    time_ns: int = 0  # on-board time of the report
    base: int = 0  # its publisher owes nothing below this number
    values: int = 0  # fields of all rows
    spool_id: int = 0  # 0 = not in the spool
    refused: tuple[tuple[bytes, str], ...] = ()  # lines of the message that are not in the body

    def facts(self) -> bytes:
        """Everything but topic and body, for the spool."""
        return orjson.dumps([self.frames, self.lines, self.key, self.time_ns, self.values])


def batch_from(topic: str, facts: bytes, body: bytes, spool_id: int) -> Batch:
    """The batch that was spooled."""
    frames, lines, key, time_ns, values = orjson.loads(facts)
    if key is not None:
        (fleet, run, shard), seq = key
        key = ((fleet, run, shard), seq)
    return Batch(
        topic, body, frames, lines, key=key, time_ns=time_ns, values=values, spool_id=spool_id
    )
