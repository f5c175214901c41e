"""Checkpoints on disk: a simulator that is started again goes on where its reports are stored.

A checkpoint is taken between two ticks and becomes the file only when every batch up to its tick
is known to be stored. Whatever happens, what follows the file's tick is simulated again, to the
same bytes, and nothing before it is owed.
"""

import asyncio
import logging
from pathlib import Path

from services.checkpoint_files import FOLDER, keep_older, kept_checkpoints, write_whole
from services.plan import Plan
from services.simulator import Simulator
from twin.checkpoint import CheckpointError, from_bytes, to_bytes

LOG = logging.getLogger(__name__)
CHECKPOINT_EVERY_S = 20.0  # wall time; a restart repeats at most about this much
FIRST_AFTER_S = 2.0  # then twice as long each time: a process that is killed often gets on


def checkpoint_path(state_dir: Path, plan: Plan) -> Path:
    """Where the checkpoint of a plan's process is."""
    return state_dir / FOLDER / f"{plan.build.fleet.name}{plan.part_name}.ckpt"


def resume_from(path: Path, simulator: Simulator) -> bool:
    """Go on after the checkpoint in a file, where it is one of the same run."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return False
    try:
        found = from_bytes(data)
        if found.run_id != simulator.plan.run_id:
            return False
        simulator.resume(found)
    except CheckpointError as error:
        LOG.warning("%s: %s; starting at the epoch", path, error)
        return False
    LOG.info("going on after tick %d from %s", simulator.tick - 1, path)
    return True


def resume_before(path: Path, simulator: Simulator, elapsed_s: float) -> bool:
    """Go on after the latest kept checkpoint that is before an instant, where there is one."""
    for one in kept_checkpoints(path):
        try:
            found = from_bytes(one.read_bytes())
            if found.run_id == simulator.plan.run_id and found.tick * simulator.step_s < elapsed_s:
                simulator.resume(found)
                return True
        except (CheckpointError, OSError) as error:
            LOG.warning("%s: %s", one, error)
    return False


async def keep_checkpoints(path: Path, simulator: Simulator, every_s: float) -> None:
    """Take a checkpoint now and then; write it once all that came before it is stored.

    A disk that does not take it leaves the one before as it was: a restart then repeats more.
    """
    wait_s, disk_is_well = min(FIRST_AFTER_S, every_s), True
    while True:
        await asyncio.sleep(wait_s)
        wait_s = min(2.0 * wait_s, every_s)
        taken = simulator.checkpoint()
        if taken is None:
            continue
        data, owed = to_bytes(taken), simulator.outbox.newest()
        while simulator.outbox.owes_any(owed):
            simulator.changed.clear()
            await simulator.changed.wait()
        try:
            await asyncio.to_thread(write_whole, path, data)
        except OSError as error:
            simulator.counts.checkpoint_failures += 1
            if disk_is_well:
                LOG.error("%s: %s; the checkpoint before it stays", path, error)
            disk_is_well = False
            continue
        disk_is_well = True
        try:
            keep_older(path, taken.tick, simulator.step_s, taken.run_id)
        except OSError as error:  # a file system without links; only `twin gaps` takes longer
            LOG.info("%s: no older checkpoints are kept: %s", path, error)
