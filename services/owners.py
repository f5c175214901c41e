"""Which shard may name which satellite, from a file that is read again on SIGHUP.

    fleets:
      flown-2026:
        s0000: [STARCLOUD_1, suncatcher]

Without such a file the first shard of a run that names a satellite owns it. `twin config owners
SCENARIO` writes the file of a scenario.
Satellites that join a running fleet must be in it before they do (`--was`).
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from services.fleet_documents import Name, read_document
from services.lanes import Lanes
from services.metrics import Metrics
from services.settings import Settings
from twin.errors import ConfigurationError, Problem

LOG = logging.getLogger(__name__)


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    fleets: dict[Name, dict[Name, list[Name]]]


def read_owners(path: Path) -> dict[str, dict[str, str]]:
    """Fleet -> satellite -> shard. Raises ConfigurationError with every problem and its line."""
    document, places = read_document(path, _Document)
    table: dict[str, dict[str, str]] = {}
    problems: list[Problem] = []
    for fleet, shards in document.fleets.items():
        owners = table.setdefault(fleet, {})
        for shard, satellites in shards.items():
            file, line = places["fleets", fleet, shard]
            for satellite in satellites:
                before = owners.setdefault(satellite, shard)
                if before != shard:
                    text = f"{satellite} is listed in {before} too"
                    problems.append(Problem(file, line, f"fleets.{fleet}.{shard}", text))
    if problems:
        raise ConfigurationError(problems)
    return table


class Owners:
    """The table in force. A file that cannot be used changes nothing and is counted."""

    def __init__(self, path: Path | None, metrics: Metrics) -> None:
        self._path = path
        self._metrics = metrics
        self.table: dict[str, dict[str, str]] = {}
        if path is not None:
            self._take(path)

    def reload(self, lanes: Lanes) -> None:
        """Read the file again; the lanes then examine every head again."""
        if self._path is None:
            return
        try:
            self._take(self._path)
        except ConfigurationError as error:
            self._metrics.reload_failures += 1
            LOG.error("owners stay as they were: %s", error)
            return
        lanes.forget()
        LOG.info("owners read again: %d fleets", len(self.table))

    def _take(self, path: Path) -> None:
        self.table = read_owners(path)
        text = repr(sorted((fleet, sorted(t.items())) for fleet, t in self.table.items()))
        self._metrics.configured("owners", text)


def owners_text(settings: Settings, was: Sequence[str] = ()) -> str:
    """The file of a scenario, as YAML.

    was: scenarios that its run has had before, the first one first. Those that stay keep their
    shards; those that have left are listed too, for what still comes of them. Raises
    ConfigurationError where one does not follow from the one before.
    """
    from services.runs import open_scenario  # the ingester needs none of it
    from twin.fleet_change import UnlikeError, changed_shards, fleet_change, homes_in
    from twin.reports import plan_shards

    names = [*was, settings.scenario]
    opened = [open_scenario(settings.model_copy(update={"scenario": name})) for name in names]
    build, step_s = opened[0].build, opened[0].scenario.step_s
    shards = plan_shards(build.fleet, step_s)
    owners = homes_in(shards, build.fleet)
    for later in opened[1:]:
        try:
            change = fleet_change(build.fleet, build.places, later.build)
            shards = changed_shards(shards, build.fleet, change, step_s, owners)
        except UnlikeError as error:
            problem = later.scenario.problem(("fleet",), f"{error}: another run")
            raise ConfigurationError([problem]) from None
        build = change.build
        owners |= homes_in(shards, build.fleet)
    listed: dict[str, list[str]] = {one.name: [] for one in shards}
    for satellite, shard in owners.items():
        listed[shard].append(satellite)
    return yaml.safe_dump({"fleets": {build.fleet.name: listed}}, sort_keys=False)
