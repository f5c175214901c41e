"""What a simulator is to run, and what it has done so far."""

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property

from twin.scenario import FleetBuild, Scenario


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

    @cached_property
    def run_id(self) -> str:
        """Names (scenario, seed, epoch): the same run has the same name wherever it runs."""
        text = f"{self.scenario.digest} {self.scenario.seed} {self.epoch_unix_s!r}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def part_name(self) -> str:
        """`-0of2` for the first of two processes, nothing for one that has the whole fleet."""
        index, count = self.part
        return f"-{index}of{count}" if count > 1 else ""


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
