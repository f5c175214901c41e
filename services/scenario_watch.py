"""SIGHUP to a simulator: is its scenario still the one that runs?

A run is a pure function of its scenario, so a changed one is another run: it begins when the
simulator is started again. What differs is named, by file, line and key, and nothing changes.
"""

import logging
from dataclasses import fields

from services.metrics import Metrics
from services.scenario_files import read_text
from twin.errors import ConfigurationError, Problem
from twin.scenario import Scenario, load_scenario

LOG = logging.getLogger(__name__)
KEYS = {"groups": "fleet", "epoch_unix_s": "epoch"}
"""Fields of a scenario that are spelled otherwise in the file."""
UNSAID = frozenset({"file", "digest", "places", "epoch_unix_s"})
"""What is no key of the file; the epoch may have been replaced on the command line."""
PENDING = "another run: it begins when the simulator is started again; the old one goes on"


def differences(running: Scenario, found: Scenario) -> list[Problem]:
    """One problem for each key that is not as it runs, located in the file."""
    changed = []
    for one in fields(Scenario):
        if one.name in UNSAID or getattr(running, one.name) == getattr(found, one.name):
            continue
        key = KEYS.get(one.name, one.name)
        place = _first_difference(running, found) if one.name == "groups" else ()
        changed.append(found.problem((key, *place), PENDING))
    return changed


def _first_difference(running: Scenario, found: Scenario) -> tuple[int, ...]:
    """Index of the first group that differs, if the file still has one there."""
    for index, (old, new) in enumerate(zip(running.groups, found.groups, strict=False)):
        if old != new:
            return (index,)
    index = min(len(running.groups), len(found.groups))
    return (index,) if index < len(found.groups) else ()


class ScenarioWatch:
    """The scenario of a running simulator, against its file."""

    def __init__(self, running: Scenario, metrics: Metrics) -> None:
        self._running, self._metrics = running, metrics

    def reload(self) -> None:
        """Read the file again; one that is not what runs is named and counted."""
        try:
            found = load_scenario(self._running.file, read_text)
            if found.digest == self._running.digest:
                return
            if changed := differences(self._running, found):
                raise ConfigurationError(changed)
        except ConfigurationError as error:
            self._metrics.reload_failures += 1
            LOG.error("the scenario stays as it was: %s", error)
