"""What a simulator hears from others: what is stored, and their parts of the roll-ups."""

import logging
from typing import TYPE_CHECKING

from services.rollup_parts import PartError, read_part
from services.stored_marks import read_mark
from twin.frames import ROLLUP_SHARD
from twin.rollups import column_shapes

if TYPE_CHECKING:
    from services.simulator import Simulator

LOG = logging.getLogger(__name__)


def hear_mark(simulator: "Simulator", shard: str, payload: bytes) -> None:
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
