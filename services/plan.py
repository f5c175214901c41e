"""What a simulator is to run, and what it has done so far."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from twin.errors import ConfigurationError, Problem
from twin.reports import Shard, plan_shards
from twin.scenario import FleetBuild, Scenario
from twin.shards import fleet_part, part_bounds
from twin.state import BoolArray, Fleet, IntArray
from twin.surroundings import Places, chosen_places


def run_of(scenario: Scenario, epoch_unix_s: float) -> str:
    """The name of the run of a scenario from an epoch on."""
    text = f"{scenario.digest} {scenario.seed} {epoch_unix_s!r}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Plan:
    """What to run: the fleet at its epoch, how fast, how long."""

    scenario: Scenario
    build: FleetBuild
    epoch_unix_s: float
    rate: float = 1.0
    duration_s: float = math.inf  # simulated seconds
    started_at_s: float | None = None  # wall clock at which the epoch is due; None = at once
    part: tuple[int, int] = (0, 1)  # this process's part (from 0) of how many
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)  # files of the scenario

    @cached_property
    def run_id(self) -> str:
        """Names (scenario, seed, epoch): the same run has the same name wherever it runs."""
        return run_of(self.scenario, self.epoch_unix_s)

    @property
    def part_name(self) -> str:
        """`-0of2` for the first of two processes, nothing for one that has the whole fleet."""
        index, count = self.part
        return f"-{index}of{count}" if count > 1 else ""


@dataclass(frozen=True)
class Share:
    """What a process simulates: its own satellites and, in part, those they are linked to."""

    fleet: Fleet
    places: Places
    shards: tuple[Shard, ...]  # of its own satellites
    rows: IntArray  # of the whole fleet
    own: BoolArray  # (n,) which of `rows` it reports
    own_counts: tuple[int, ...]  # satellites that each process reports


def share_of(plan: Plan) -> Share:
    """The fleet of this process. Raises ConfigurationError: fewer shards than processes."""
    whole, places = plan.build.fleet, plan.build.places
    shards = plan_shards(whole, plan.scenario.step_s)
    index, count = plan.part
    if count == 1:
        rows, own = np.arange(whole.count), np.ones(whole.count, dtype=np.bool_)
        return Share(whole, places, shards, rows, own, (whole.count,))
    try:
        part = fleet_part(whole, shards, index, count)
    except ValueError as error:
        raise ConfigurationError([Problem("--shard", None, "", str(error))]) from None
    own = np.zeros(part.fleet.count, dtype=np.bool_)
    own[part.own] = True
    bounds = [part_bounds(len(shards), one, count) for one in range(count)]
    own_counts = tuple(sum(one.rows.size for one in shards[begin:end]) for begin, end in bounds)
    chosen = chosen_places(places, part.rows)
    return Share(part.fleet, chosen, part.shards, part.rows, own, own_counts)


@dataclass
class Counts:
    """What the simulator has done so far."""

    ticks: int = 0
    frames_published: int = 0
    frames_late: int = 0
    frames_stored: int = 0
    rows_published: int = 0
    resent: int = 0
    unheard: int = 0  # acknowledged by the broker while no ingester subscribed: still owed
    commands: int = 0
    commands_refused: int = 0
    checkpoint_failures: int = 0  # that the disk did not take
    parts_refused: int = 0  # messages on the lane of roll-up parts that are none of this fleet
