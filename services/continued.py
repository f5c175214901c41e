"""A run whose fleet has changed, found again by the scenario file that it has taken since.

A run is named by the scenario that it was started with. After a change the file says something
else, so a restart and `twin gaps` look into the run's log: if the file is what the run went on
with, it is that run, from the copies of its files.
"""

import logging
from dataclasses import replace
from pathlib import Path

from services.checkpoint_files import FOLDER
from services.command_log import orders_in
from services.commands import ChangeFleet, CommandRefusedError, read_order
from services.plan import run_of
from services.runs import OpenedScenario
from services.scenario_copies import ScenarioCopies
from twin.scenario import build_fleet, load_scenario

LOG = logging.getLogger(__name__)


def continued(state_dir: Path, opened: OpenedScenario, part_name: str = "") -> OpenedScenario:
    """The scenario of the run that goes on with this one, as it was started; else this one."""
    if opened.is_present:
        return opened  # begins now: a run of its own each time
    path = state_dir / FOLDER / f"{opened.scenario.name}{part_name}.commands"
    copies = ScenarioCopies(path.with_suffix(".scenarios"))
    digest = opened.scenario.digest
    for run, changes in reversed(list(_changes(path).items())):
        first, last = changes[0].began_as, changes[-1].scenario
        if digest not in {first.digest, last.digest}:
            continue
        read = copies.reader(first)
        scenario = load_scenario(first.file, read)
        scenario = replace(scenario, epoch_unix_s=opened.scenario.epoch_unix_s)
        if run_of(scenario, opened.epoch_unix_s) != run:
            continue
        if digest != last.digest:
            text = "run %s has changed its fleet %d times and goes on so; SIGHUP takes %s again"
            LOG.warning(text, run, len(changes), first.file)
        build = build_fleet(scenario, opened.epoch_unix_s, read)
        texts = {name: read(name) for name in first.files}
        return OpenedScenario(scenario, build, opened.epoch_unix_s, False, texts)
    return opened


def _changes(path: Path) -> dict[str, list[ChangeFleet]]:
    """Changes of the fleet by run, both in the order of the log."""
    found: dict[str, list[ChangeFleet]] = {}
    for run, order in orders_in(path):
        try:
            command = read_order(order.payload.encode())
        except CommandRefusedError:
            continue
        if isinstance(command, ChangeFleet):
            found.setdefault(run, []).append(command)
    return found
