"""Satellites that join and leave a running simulator, at a tick that the run's log names.

What changes is in `twin/fleet_change.py`; here is the simulator around it. Obeyed like a command:
a restart and `twin gaps` do it again at the same tick, from the copies of the files.
"""

import logging
from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np
import orjson

from services.commands import ChangeFleet
from services.fleet_events import FLEET_CHANGED, NAMED_LIMIT
from services.plan import Plan
from services.scenario_copies import ScenarioCopies
from twin.errors import ConfigurationError, Problem
from twin.faults import plan_faults
from twin.fleet_change import (
    FleetChange,
    UnlikeError,
    changed_faults,
    changed_shards,
    changed_state,
    fleet_change,
    homes_in,
)
from twin.initial import initial_state
from twin.ledger import ledger_columns
from twin.reports import Shard, encoder_for, plan_shards
from twin.scenario import FleetBuild, build_fleet, load_scenario
from twin.surroundings import surroundings

if TYPE_CHECKING:
    from services.simulator import Simulator

LOG = logging.getLogger(__name__)


def prepared(
    plan: Plan, build: FleetBuild, copies: ScenarioCopies, command: ChangeFleet
) -> FleetChange:
    """What becomes of a fleet. Raises ConfigurationError where it cannot."""
    read = copies.reader(command.scenario)
    scenario = load_scenario(command.scenario.file, read)
    scenario = replace(scenario, epoch_unix_s=plan.scenario.epoch_unix_s)
    found = build_fleet(scenario, plan.epoch_unix_s, read)
    try:
        return fleet_change(build.fleet, build.places, found)
    except UnlikeError as error:
        raise ConfigurationError([Problem(scenario.file, None, "fleet", str(error))]) from None


def change_fleet(simulator: "Simulator", command: ChangeFleet, tick: int) -> None:
    """Go on with another fleet from a tick on. Raises ConfigurationError, then nothing changed."""
    plan, old, old_shards = simulator.plan, simulator.fleet, simulator.shards
    change = prepared(plan, plan.build, simulator.copies, command)
    fleet, step_s = change.build.fleet, simulator.step_s
    homes = simulator.homes or homes_of(simulator)
    try:
        shards = changed_shards(old_shards, old, change, step_s, homes)
    except UnlikeError as error:
        problem = Problem(command.scenario.file, None, "fleet", str(error))
        raise ConfigurationError([problem]) from None
    settings = plan.scenario.environment.settings()
    model = surroundings(change.build.places, plan.epoch_unix_s, settings)
    environment = model.at(max(tick - 1, 0) * step_s)
    fresh = initial_state(fleet, environment, simulator.seed)
    left = ledger_columns(old, simulator.state)
    left = {name: column[change.leaving] for name, column in left.items()}
    state = changed_state(simulator.state, old, fresh, change)
    simulator.plan = replace(plan, build=change.build)
    simulator.rollups.move(simulator.plan, np.ones(fleet.count, np.bool_), tick * step_s, left)
    _give_orders(simulator, change, tick * step_s)
    simulator.model, simulator.environment, simulator.state = model, environment, state
    simulator.effects = None
    simulator.fleet, simulator.design = fleet, fleet.params
    simulator.records, simulator.shards = change.build.places, shards
    simulator.own = np.ones(fleet.count, dtype=np.bool_)
    simulator.encode_rows = encoder_for(shards)
    simulator.homes = homes | homes_in(shards, fleet)
    _move_the_rest(simulator, change, old.count)
    _tell(simulator, change, old.satellite_ids, old_shards, tick)


def homes_of(simulator: "Simulator") -> dict[str, str]:
    """Satellite -> shard, of everybody at the epoch."""
    fleet = simulator.plan.build.fleet
    return homes_in(plan_shards(fleet, simulator.step_s), fleet)


def _give_orders(simulator: "Simulator", change: FleetChange, elapsed_s: float) -> None:
    """Faults and limits of power of those that stay."""
    orders, fleet, kept = simulator.orders, change.build.fleet, change.before >= 0
    wanted = plan_faults(simulator.plan.scenario.faults, fleet, simulator.seed)
    limit_frac = np.ones(fleet.count)
    limit_frac[kept] = orders.limit_frac[change.before[kept]]
    planned = changed_faults(orders.whole_plan, wanted, change, elapsed_s)
    orders.move(planned, fleet, np.arange(fleet.count), np.ones(fleet.count, np.bool_))
    orders.limit_frac = limit_frac


def _move_the_rest(simulator: "Simulator", change: FleetChange, old_count: int) -> None:
    fleet, kept = simulator.fleet, change.before >= 0
    lost = np.zeros(fleet.count, dtype=np.bool_)
    lost[kept] = simulator.lost[change.before[kept]]
    simulator.lost = lost
    simulator.minutes = simulator.minutes.moved(fleet, change.before)
    simulator.last_known.moved(change.before)
    if simulator.recorders is not None:
        simulator.recorders = simulator.recorders.moved(old_count, change.before)
    simulator.fleet = replace(fleet, params=simulator.orders.limited(simulator.design))


def _tell(
    simulator: "Simulator",
    change: FleetChange,
    ids: tuple[str, ...],
    shards: tuple[Shard, ...],
    tick: int,
) -> None:
    """Retained states of those that have left are taken away; events name who came and went.

    ids and shards: of the fleet as it was.
    """
    gone = list(compress(ids, change.leaving.tolist()))
    joined, fleet = change.joined, simulator.fleet
    simulator.state_messages |= dict.fromkeys(gone, b"")
    left = {one.name for one in simulator.shards if one.rows.size}
    event = {
        "t_ns": simulator.epoch_ns + round(tick * simulator.step_s * 1e9),
        "target": "all",
        "kind": FLEET_CHANGED,
        "reason": f"{len(joined)} satellites join, {len(gone)} leave",
        "satellites": fleet.count,
    }
    ended = [one.name for one in shards if one.rows.size and one.name not in left]
    for first in range(0, max(len(joined), len(gone), len(ended), 1), NAMED_LIMIT):
        part = slice(first, first + NAMED_LIMIT)
        names = {"joined": joined[part], "left": gone[part], "ended_shards": ended[part]}
        simulator.events.append(orjson.dumps(event | names))
    LOG.info(
        "tick %d: %d satellites join (%s), %d leave (%s), %d fly",
        tick,
        len(joined),
        ", ".join(joined[:3]) or "-",
        len(gone),
        ", ".join(gone[:3]) or "-",
        fleet.count,
    )
