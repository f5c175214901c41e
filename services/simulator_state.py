"""What a simulator says of itself, what it keeps for a restart, and how it goes on from that."""

import math
from typing import TYPE_CHECKING

import numpy as np

from services.command_log import notes_of, obeyed_of
from services.orders import fleet_order
from twin.checkpoint import Checkpoint, CheckpointError, checkpoint_of, taken

if TYPE_CHECKING:
    from services.simulator import Simulator


def state_of(simulator: "Simulator") -> Checkpoint | None:
    """The whole state after the last tick: satellites, their recorders, commands obeyed.

    None before the first tick, and while a roll-up that lacks a part is in no outbox yet.
    """
    last = (simulator.tick - 1) // simulator.rollup_ticks
    if not simulator.tick or simulator.rollups.parts.owes_until(last):
        return None
    run, fleet, recorders = simulator.plan.run_id, simulator.fleet, simulator.recorders
    held = () if recorders is None else recorders.saved(fleet.count)
    extra = {"lost_frac": simulator.lost.astype(np.float64)} | simulator.minutes.saved()
    notes, whole = notes_of(simulator.orders.obeyed), simulator.rollups.saved()
    return checkpoint_of(run, simulator.tick - 1, fleet, simulator.state, extra, held, notes, whole)


def take_up(simulator: "Simulator", checkpoint: Checkpoint) -> None:
    """Put a simulator after a checkpoint's tick. Raises CheckpointError where it does not fit."""
    run = simulator.plan.run_id
    if checkpoint.run_id != run:
        raise CheckpointError(f"checkpoint of run {checkpoint.run_id}, this is {run}")
    obeyed = obeyed_of(checkpoint.notes)
    if not any(map(fleet_order, obeyed)):  # else the fleet is another by then
        taken(checkpoint, simulator.fleet)
    simulator.orders.carry_out_in_turn(obeyed)
    found = taken(checkpoint, simulator.fleet)
    simulator.minutes.restore(found.extra)
    simulator.rollups.restore(found.whole)
    simulator.state, simulator.tick = found.state, found.tick + 1
    simulator.rollups.parts.settle((simulator.tick - 1) // simulator.rollup_ticks)
    simulator.counts.ticks = simulator.tick
    if simulator.recorders is not None:
        simulator.recorders.restore(found.held)
    simulator.lost = found.extra["lost_frac"] > 0.0


def status_of(simulator: "Simulator") -> dict[str, object]:
    """Counters for the retained service state."""
    counts, recorders = simulator.counts, simulator.recorders
    return {
        "fleet": simulator.fleet.name,
        "run": simulator.plan.run_id,
        "satellites": simulator.fleet.count,
        "left_out": len(simulator.plan.build.left_out) + int(simulator.lost.sum()),
        "rate": None if math.isinf(simulator.plan.rate) else simulator.plan.rate,
        "time_ns": simulator.time_ns,
        "ticks": counts.ticks,
        "elapsed_s": simulator.tick * simulator.step_s,
        "frames_published": counts.frames_published,
        "frames_stored": counts.frames_stored,
        "frames_late": counts.frames_late,
        "frames_on_board": recorders.held_count if recorders else 0,
        "frames_overwritten": recorders.dropped_count if recorders else 0,
        "owed": simulator.outbox.frames_count,
        "owed_bytes": simulator.outbox.bytes_count,
        "resent": counts.resent,
        "unheard": counts.unheard,
        "lag_s": round(simulator.pace.lag_s, 3),
        "commands": counts.commands,
        "commands_refused": counts.commands_refused,
        "parts_refused": counts.parts_refused,
    }
