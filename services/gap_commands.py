"""`twin gaps`: name what is missing in the store, and make it again."""

import logging
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from services.arguments import Duration, EpochOption, ScenarioArgument, parse_duration
from services.process import log_to_stderr, run
from services.settings import load_settings

if TYPE_CHECKING:
    from services.gaps import Audit

gaps_app = typer.Typer(no_args_is_help=True)

ForOption = Annotated[
    Duration,
    typer.Option("--for", parser=parse_duration, help="Simulated time since the epoch: 10m, 2h."),
]
SinceOption = Annotated[
    Duration | None,
    typer.Option(parser=parse_duration, help="Look only at what is later than this: 1h."),
]
HolesOption = Annotated[bool, typer.Option("--json", help="Every hole as a line of JSON.")]


@gaps_app.command("list")
def gaps_list(
    duration: ForOption,
    scenario: ScenarioArgument = None,
    epoch: EpochOption = None,
    since: SinceOption = None,
    as_json: HolesOption = False,
) -> None:
    """Compare the store with what the run must have issued. Exit code 1 if rows are missing.

    The run is simulated again from its scenario, seed and epoch, as fast as this machine can; with
    --since from the last checkpoint before it, where the state directory has kept one.
    """
    _audit(scenario, epoch, duration, since, as_json=as_json, repairs=False)


@gaps_app.command("repair")
def gaps_repair(
    duration: ForOption,
    scenario: ScenarioArgument = None,
    epoch: EpochOption = None,
    since: SinceOption = None,
    as_json: HolesOption = False,
) -> None:
    """Write what is missing, with the bytes that it had; safe to run again, and while live.

    Nothing is written if rows that are there differ from those of this run.
    """
    _audit(scenario, epoch, duration, since, as_json=as_json, repairs=True)


def _audit(
    scenario: str | None,
    epoch: str | None,
    duration_s: float,
    since_s: float | None,
    *,
    as_json: bool,
    repairs: bool,
) -> None:
    from services.gaps import Question, audit, print_hole
    from services.runs import open_scenario

    settings = load_settings(scenario=scenario, epoch=epoch)
    log_to_stderr(logging.WARNING)
    opened = open_scenario(settings)
    if opened.is_present:
        raise typer.BadParameter("the scenario has none; name the run's", param_hint="--epoch")
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating again", total=None)
        question = Question(
            opened,
            duration_s,
            since_s or 0.0,
            repairs,
            print_hole if as_json else lambda _row: None,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
        found = run(audit(settings, question))
    if found is None:
        raise typer.Exit(130)
    _say(found, err=as_json)
    left = found.rows_missing - found.rows_repaired
    if left:
        raise typer.Exit(1)


def _say(found: "Audit", *, err: bool) -> None:
    lines = [f"{found.rows_missing:,} of {found.rows_expected:,} rows are missing"]
    worst = sorted(found.satellites.items(), key=lambda item: (-item[1], item[0]))
    lines += [f"  {name}: {count:,}" for name, count in worst[:20]]
    lines += [f"  and {len(worst) - 20:,} more"] if len(worst) > 20 else []
    if found.rows_repaired or found.rows_refused:
        lines.append(f"{found.rows_repaired:,} written again, {found.rows_refused:,} refused")
    typer.echo("\n".join(lines), err=err)
