"""SIGHUP to a simulator: its scenario file is read again.

A run is a pure function of its scenario, so most of what could be changed in the file is another
run: it begins when the simulator is started again. The fleet may change in a run: satellites that
the file has no more leave, new ones join, at the next roll-up, and all others go on, to the bit
(`twin/fleet_change.py`). A file that cannot be taken is named by line and key and changes nothing.
"""

import logging
from dataclasses import fields

from services.command_log import Obeyed
from services.commands import ChangeFleet, CommandRefusedError, ScenarioCopy
from services.fleet_changes import homes_of, prepared
from services.metrics import Metrics
from services.orders import fleet_order
from services.scenario_copies import Recorded, described
from services.simulator import Simulator
from twin.errors import ConfigurationError, Problem
from twin.fleet_change import UnlikeError, changed_shards, fleet_change, homes_in
from twin.located_yaml import Location
from twin.scenario import FleetBuild, Scenario, build_fleet, load_scenario

LOG = logging.getLogger(__name__)
KEYS = {"groups": "fleet", "epoch_unix_s": "epoch"}
"""Fields of a scenario that are spelled otherwise in the file."""
UNSAID = frozenset({"file", "digest", "places", "description"})
"""What is no key of the file, or changes nothing."""
PENDING = "another run: it begins when the simulator is started again; the old one goes on"
STAYS = "who stays must stay as it is; whole groups may come and go"


def differences(running: Scenario, found: Scenario, *, fleet_too: bool) -> list[Problem]:
    """One problem for each key that is not as it runs, located in the file."""
    changed = []
    for one in fields(Scenario):
        if one.name in UNSAID or (one.name == "groups" and not fleet_too):
            continue
        if getattr(running, one.name) == getattr(found, one.name):
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
    """The scenario of a running simulator, and its file."""

    def __init__(self, simulator: Simulator, metrics: Metrics) -> None:
        self._simulator, self._metrics = simulator, metrics
        plan = simulator.plan
        self._began_as = described(plan.scenario.file, plan.scenario.digest, plan.texts)
        if self._changes():
            metrics.configured("scenario", self._in_force().model_dump_json())

    def reload(self) -> None:
        """Read the file again; one that cannot be taken is named and counted."""
        try:
            self._take()
        except ConfigurationError as error:
            self._metrics.reload_failures += 1
            LOG.error("the scenario stays as it was: %s", error)

    def _changes(self) -> list[ChangeFleet]:
        """Changes of the fleet so far, those still to come among them."""
        orders = self._simulator.orders
        told = map(fleet_order, (*orders.obeyed, *orders.to_obey))
        return [one for one in told if one is not None]

    def _pending(self) -> dict[int, ChangeFleet]:
        """Changes still to come, by tick; of several at one tick the last counts."""
        told = ((one.tick, fleet_order(one)) for one in self._simulator.orders.to_obey)
        return {tick: one for tick, one in told if one is not None}

    def _next_tick(self) -> int:
        """The next roll-up, and not before a change that the run has had before a restart."""
        ticks = self._simulator.rollup_ticks
        tick = -(-max(self._simulator.tick, 1) // ticks) * ticks
        return max([tick, *self._pending()])

    def _in_force(self) -> ScenarioCopy:
        changes = self._changes()
        return changes[-1].scenario if changes else self._began_as

    def _take(self) -> None:
        """Plan the change that the file asks for. Raises ConfigurationError."""
        plan, read = self._simulator.plan, Recorded()
        found = load_scenario(self._began_as.file, read)
        build = build_fleet(found, plan.epoch_unix_s, read)
        wanted = described(found.file, found.digest, read.texts)
        if wanted == self._in_force():
            return
        running = self._as_in_force()
        is_divided = plan.part[1] > 1
        if changed := differences(running, found, fleet_too=is_divided):
            raise ConfigurationError(changed)
        if is_divided:
            return  # remarks
        self._refuse_unlike(running, found, build)
        self._plan_change(wanted, read)
        self._metrics.configured("scenario", wanted.model_dump_json())

    def _as_in_force(self) -> Scenario:
        """The scenario that runs, or will at the next change, with the epoch that its file has."""
        copy, copies = self._in_force(), self._simulator.copies
        texts = self._simulator.plan.texts
        read = copies.reader(copy) if self._changes() else texts.__getitem__
        return load_scenario(copy.file, read)

    def _refuse_unlike(self, running: Scenario, found: Scenario, build: FleetBuild) -> None:
        simulator, before = self._simulator, self._simulator.plan.build
        shards, homes = simulator.shards, simulator.homes or homes_of(simulator)
        until = self._next_tick()
        try:
            for tick, command in self._pending().items():
                if tick < until:
                    change = prepared(simulator.plan, before, simulator.copies, command)
                    shards = changed_shards(shards, before.fleet, change, simulator.step_s, homes)
                    before, homes = change.build, homes | homes_in(shards, change.build.fleet)
            change = fleet_change(before.fleet, before.places, build)
            changed_shards(shards, before.fleet, change, simulator.step_s, homes)
        except UnlikeError as error:
            at, value = _changed_key(running, found, error.satellite)
            message = f"{value}{error}; {STAYS}"
            raise ConfigurationError([found.problem(at, message)]) from None

    def _plan_change(self, wanted: ScenarioCopy, read: Recorded) -> None:
        """On the disk with all its files, to be obeyed at the next roll-up."""
        simulator, tick = self._simulator, self._next_tick()
        command = ChangeFleet(
            id=f"fleet-{wanted.digest[:12]}",
            command="change_fleet",
            began_as=self._began_as,
            scenario=wanted,
        )
        try:
            simulator.copies.keep(simulator.plan.texts)
            simulator.copies.keep(read.texts)
            payload = command.model_dump_json(exclude_none=True)
            simulator.orders.keep_for_later(Obeyed(tick, "all", payload))
        except (OSError, CommandRefusedError) as error:
            message = f"the change cannot be kept for a restart: {error}"
            raise ConfigurationError([Problem(wanted.file, None, "", message)]) from None
        LOG.info("scenario read again: its fleet is taken over at tick %d", tick)


def _changed_key(running: Scenario, found: Scenario, satellite: str) -> tuple[Location, str]:
    """The key of a satellite's group that is not as it was, and its value if that is short."""
    before = {one.keys.id: one.keys for one in running.groups}
    changed = [one for one in found.groups if before.get(one.keys.id, one.keys) != one.keys]
    changed.sort(key=lambda one: not (satellite + "_").startswith(one.keys.id + "_"))
    for group in changed:
        for name in type(group.keys).model_fields:
            value = getattr(group.keys, name)
            if value != getattr(before[group.keys.id], name):
                short = f"{value}: " if isinstance(value, str | int | float) else ""
                return ("fleet", group.index, name), short
    return ("fleet",), ""
