"""What a run has issued, made again without its clock: from its scenario and what it has kept.

Commands are obeyed again at the ticks at which its processes obeyed them, and the fleet changes as
it did. A run in parts is made again part by part, each by its own log, because a command may have
reached two processes at two ticks; the state directories of processes on several machines have
to be put together for that.
"""

import logging
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from services.checkpoint_files import FOLDER
from services.command_log import CommandLog, orders_in
from services.continued import continued
from services.plan import Plan
from services.resume import checkpoint_path, resume_before
from services.runs import OpenedScenario, plan_simulation
from services.scenario_copies import ScenarioCopies
from services.settings import Settings
from services.simulator import Simulator
from services.simulator_hearing import hear_part
from services.watermark import Owed
from twin.checkpoint import CheckpointError, from_bytes

LOG = logging.getLogger(__name__)
PART = re.compile(r"-(\d+)of(\d+)")
WHOLE_MINUTE_S = 120.0  # a minute that was begun before is over by then


def issued(
    settings: Settings,
    opened: OpenedScenario,
    duration_s: float,
    since_s: float,
    on_tick: Callable[[int, int], None],
) -> Iterator[list[Owed]]:
    """Batches of the ticks from `since_s` on, tick by tick, also empty lists.

    What lies before is not simulated where the run has kept checkpoints of it. on_tick: ticks
    simulated and ticks in all.
    """
    opened = continued(settings.state_dir, opened)
    parts = parts_count(settings.state_dir, plan_simulation(opened, math.inf, duration_s, 0.0))
    simulators = [
        _started(
            settings,
            plan_simulation(opened, math.inf, duration_s, 0.0, (part, parts)),
            since_s if parts == 1 else since_s - WHOLE_MINUTE_S,
        )
        for part in range(parts)
    ]
    first, step_s = simulators[0], simulators[0].step_s
    ticks_count = math.ceil(duration_s / step_s - 1e-9)
    begin, end = min(one.tick for one in simulators), max(one.tick for one in simulators)
    if begin < end:  # roll-ups in between lack a part
        first.rollups.settle((end - 1) // first.rollup_ticks)
    for tick in range(begin, ticks_count):
        for one in simulators:
            if one.tick == tick:
                one.turn()
        owed = _taken(simulators)
        on_tick(tick + 1, ticks_count)
        yield owed if tick * step_s >= since_s else []


def parts_count(state_dir: Path, plan: Plan) -> int:
    """In how many processes a run was simulated, as far as its files tell; 1 if they do not."""
    stem, found = plan.build.fleet.name, []
    for path in (state_dir / FOLDER).glob(f"{stem}*"):
        rest = path.name.removeprefix(stem).removesuffix(path.suffix)
        match = PART.fullmatch(rest)
        if (match or not rest) and _is_of_run(path, plan.run_id):
            found.append((path.stat().st_mtime_ns, int(match[2]) if match else 1))
    count = max(found)[1] if found else 1
    missing = [
        part
        for part in range(count if count > 1 else 0)
        if not any((state_dir / FOLDER).glob(f"{stem}-{part}of{count}.*"))
    ]
    if missing:
        text = "%s: nothing of process %s of %d is here: commands that it obeyed are not known"
        LOG.warning(text, state_dir, ", ".join(map(str, missing)), count)
    return count


def _is_of_run(path: Path, run_id: str) -> bool:
    if path.suffix == ".commands":
        return any(run == run_id for run, _ in orders_in(path))
    if path.suffix != ".ckpt":
        return False
    try:
        return from_bytes(path.read_bytes()).run_id == run_id
    except (CheckpointError, OSError):
        return False


def _started(settings: Settings, plan: Plan, since_s: float) -> Simulator:
    simulator = Simulator(plan)
    path = checkpoint_path(settings.state_dir, plan)
    simulator.copies = ScenarioCopies(path.with_suffix(".scenarios"))
    resume_before(path, simulator, since_s)
    simulator.follow(CommandLog(path.with_suffix(".commands"), plan.run_id))
    return simulator


def _taken(simulators: list[Simulator]) -> list[Owed]:
    """What all owe by now; parts of roll-ups go to the first process, which makes them whole."""
    first, *others = simulators
    found: list[Owed] = []
    for one in others:
        for owed in one.outbox.take():
            if one.outgoing.is_part(owed):
                hear_part(first, owed.payload)
            else:
                found.append(owed)
    found = first.outbox.take() + found
    for one in simulators:
        one.state_messages.clear()
        one.events.clear()
    return found
