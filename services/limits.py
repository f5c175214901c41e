"""Limits of channels that an operator has changed, from a file that is read again on SIGHUP.

    fleets:
      flown-2026:
        eps_soc_pct: {warning_low: 40, critical_low: 25}

What is not named stays the dictionary's; `null` takes a limit away. `sat_health` and the numbers of
channels outside their limits follow from the next tick on. Like a command it is kept with the run:
a restart and `twin gaps` change the same limits at the same tick.
"""

import logging
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict

from services.commands import CommandRefusedError
from services.fleet_documents import Name, read_document
from services.metrics import Metrics
from services.simulator import Simulator
from twin.channel_limits import LimitError, Overrides, limits_with
from twin.errors import ConfigurationError, Problem
from twin.located_yaml import Places

LOG = logging.getLogger(__name__)


class _Limits(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    warning_low: float | None = None
    warning_high: float | None = None
    critical_low: float | None = None
    critical_high: float | None = None


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    fleets: dict[Name, dict[str, _Limits]]


def read_limits(path: Path) -> dict[str, Overrides]:
    """Fleet -> channel -> limits. Raises ConfigurationError with every problem and its line."""
    document, places = read_document(path, _Document)
    found: dict[str, Overrides] = {}
    problems: list[Problem] = []
    for fleet, channels in document.fleets.items():
        overrides = {name: one.model_dump(exclude_unset=True) for name, one in channels.items()}
        problems += _problems(fleet, overrides, places)
        found[fleet] = overrides
    if problems:
        raise ConfigurationError(problems)
    return found


def _problems(fleet: str, overrides: Overrides, places: Places) -> list[Problem]:
    problems = []
    for name, limits in overrides.items():
        try:
            limits_with({name: limits})
        except LimitError as error:
            file, line = places["fleets", fleet, name]
            problems.append(Problem(file, line, f"fleets.{fleet}.{name}", str(error)))
    return problems


class LimitsFile:
    """The file of one simulator. One that cannot be used changes nothing and is counted."""

    def __init__(self, path: Path | None, simulator: Simulator, metrics: Metrics) -> None:
        """Raises ConfigurationError for a file that cannot be used at the start."""
        self._path, self._simulator, self._metrics = path, simulator, metrics
        if path is not None:
            self._take(path)

    def reload(self) -> None:
        """Read the file again."""
        if self._path is None:
            return
        try:
            count = self._take(self._path)
        except ConfigurationError as error:
            self._metrics.reload_failures += 1
            LOG.error("limits stay as they were: %s", error)
            return
        LOG.info("limits read again: %d channels of this fleet differ from the dictionary", count)

    def _take(self, path: Path) -> int:
        wanted = read_limits(path).get(self._simulator.fleet.name, {})
        try:
            self._simulator.set_limits(wanted)
        except CommandRefusedError as error:
            raise ConfigurationError([Problem(str(path), None, "", str(error))]) from None
        self._metrics.configured(
            "limits", orjson.dumps(wanted, option=orjson.OPT_SORT_KEYS).decode()
        )
        return len(wanted)
