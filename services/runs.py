"""What to run: a scenario opened, built at its epoch and planned. Shared by every command."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import typer
from sgp4.api import Satrec

from services.arguments import parse_epoch
from services.plan import Plan
from services.scenario_copies import Recorded
from services.scenario_files import find_scenario
from services.settings import Settings
from twin.alerts import too_rare
from twin.errors import ConfigurationError, Problem
from twin.reports import plan_shards
from twin.scenario import FleetBuild, Scenario, build_fleet, load_scenario


@dataclass(frozen=True)
class OpenedScenario:
    """A scenario, its fleet at the epoch, and whether the epoch is the present."""

    scenario: Scenario
    build: FleetBuild
    epoch_unix_s: float
    is_present: bool
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)  # files that were read

    @property
    def satrecs(self) -> Sequence[Satrec]:
        """Orbits in the order of the fleet. Raises ConfigurationError where nothing orbits."""
        if self.build.sites:
            message = "stands on the Moon; this command is for satellites of the Earth"
            raise ConfigurationError([Problem(self.scenario.file, None, "fleet", message)])
        return self.build.satrecs


def open_scenario(settings: Settings) -> OpenedScenario:
    """Read, check and build the scenario that the settings name.

    Raises ConfigurationError with every problem, also when no satellite is left.
    """
    read = Recorded()
    scenario = load_scenario(find_scenario(settings.scenario), read)
    if settings.epoch is not None:
        try:
            scenario = replace(scenario, epoch_unix_s=parse_epoch(settings.epoch))
        except ValueError as error:
            raise ConfigurationError([Problem("epoch", None, "", str(error))]) from None
    epoch_unix_s = scenario.epoch_unix_s
    if epoch_unix_s is None:
        epoch_unix_s = float(round(time.time()))
    build = build_fleet(scenario, epoch_unix_s, read)
    if not build.fleet.count:
        problem = Problem(settings.scenario, None, "fleet", "no satellite is left to simulate")
        raise ConfigurationError([problem])
    is_present = scenario.epoch_unix_s is None
    return OpenedScenario(scenario, build, epoch_unix_s, is_present, read.texts)


def plan_simulation(
    opened: OpenedScenario,
    rate: float,
    duration_s: float | None,
    started_at_s: float | None,
    part: tuple[int, int] = (0, 1),
) -> Plan:
    """When the epoch is the present, simulated time is the wall clock's.

    Raises ConfigurationError for planned faults that begin when the run is over.
    """
    _refuse_late_faults(opened.scenario, math.inf if duration_s is None else duration_s)
    present_s = opened.epoch_unix_s if opened.is_present else None
    return Plan(
        scenario=opened.scenario,
        build=opened.build,
        epoch_unix_s=opened.epoch_unix_s,
        rate=rate,
        duration_s=math.inf if duration_s is None else duration_s,
        started_at_s=started_at_s if started_at_s is not None else present_s,
        part=part,
        texts=opened.texts,
    )


def _refuse_late_faults(scenario: Scenario, duration_s: float) -> None:
    late = [
        scenario.problem(
            ("faults", index, "onset_s"),
            f"{one.onset_s:g} is after the end of the run; allowed 0 to below {duration_s:g}",
        )
        for index, one in enumerate(scenario.faults)
        if one.onset_s >= duration_s
    ]
    if late:
        raise ConfigurationError(late)


def report_counts(opened: OpenedScenario, duration_s: float) -> dict[str, int]:
    """Frames that each satellite owes in a run of this length: its report times."""
    step_s = opened.scenario.step_s
    ticks_count = math.ceil(duration_s / step_s - 1e-9)
    ids = opened.build.fleet.satellite_ids
    counts: dict[str, int] = {}
    for shard in plan_shards(opened.build.fleet, step_s):
        due = len(range(shard.phase_ticks, ticks_count, shard.period_ticks))
        counts |= {ids[row]: due for row in shard.rows.tolist()}
    return counts


def say_warnings(opened: OpenedScenario) -> None:
    """What `say_left_out` says, and groups that report too rarely for the alert rules."""
    say_left_out(opened.build)
    for problem in rare_groups(opened):
        typer.echo(f"warning: {problem}", err=True)


def rare_groups(opened: OpenedScenario) -> list[Problem]:
    """Groups of the fleet that report too rarely for the windows of the alert rules."""
    return [
        opened.scenario.problem(("fleet", index, "report_interval_s"), why)
        for index, group in enumerate(opened.scenario.groups)
        if (why := too_rare(group.keys.report_interval_s))
    ]


def say_left_out(build: FleetBuild) -> None:
    """Warnings, and every satellite that cannot be simulated, by name."""
    for warning in build.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for name, reason in build.left_out:
        typer.echo(f"left out: {name}: {reason}", err=True)
