"""What a simulator hears: what is stored, parts of roll-ups from others, commands."""

import logging
from typing import TYPE_CHECKING

from services.mqtt import Message
from services.rollup_parts import PartError, read_part
from services.stored_marks import read_mark
from services.topics import parse
from twin.frames import ROLLUP_SHARD
from twin.rollups import column_shapes

if TYPE_CHECKING:
    from services.simulator import Simulator

LOG = logging.getLogger(__name__)


def hear(simulator: "Simulator", message: Message) -> bytes | None:
    """A watermark, a part of a roll-up or a command; the answer to a command is an event."""
    message.acknowledge()
    address = parse(message.topic)
    if address is None:
        return None
    if address.lane == "wm":
        _hear_mark(simulator, address.leaf, message.payload)
        return None
    if address.lane == "part":
        hear_part(simulator, message.payload)
        return None
    if message.retained:
        return None  # a command is an act, not a state: an old one is not carried out again
    answer = simulator.obey(address.leaf, message.payload)
    return answer if simulator.orders.answers(address.leaf) else None


def _hear_mark(simulator: "Simulator", shard: str, payload: bytes) -> None:
    """A watermark of this run lets go of what is stored; anything else changes nothing."""
    mark = read_mark(payload)
    if mark is None or mark.run != simulator.plan.run_id:
        return
    simulator.counts.frames_stored += simulator.outbox.release(shard, mark.seq)
    if shard == ROLLUP_SHARD:
        simulator.rollups.settle(mark.seq)
    simulator.changed.set()
    if simulator.outbox.waits(shard):
        simulator.to_send.set()


def hear_part(simulator: "Simulator", payload: bytes) -> None:
    """A part of a roll-up; what is none of this fleet is counted and changes nothing."""
    shapes = tuple(column_shapes(simulator.state, count) for count in simulator.own_counts)
    try:
        part = read_part(payload, shapes)
    except PartError as error:
        simulator.counts.parts_refused += 1
        LOG.warning("%s", error)
        return
    if part.run == simulator.plan.run_id:
        simulator.combine(part)
