"""Commands about faults: the catalogue, its plots, and orders to a running simulator."""

import logging
from pathlib import Path
from typing import Annotated, Literal

import typer

from services.arguments import Duration, parse_duration
from services.process import log_to_stderr, run
from services.settings import load_settings

Act = Literal["limit-compute", "inject", "heal", "safe-mode", "leave-safe-mode"]

send_app = typer.Typer()
faults_app = typer.Typer(no_args_is_help=True)


@faults_app.command("list")
def faults_list() -> None:
    """Every fault of the catalogue in one line."""
    from services.fault_tables import print_faults

    print_faults()


@faults_app.command("show")
def faults_show(name: Annotated[str, typer.Argument(help="Id or name of a fault.")]) -> None:
    """Cause, severity, what it changes, which channels move, and the source."""
    from services.fault_tables import print_fault

    print_fault(name)


@faults_app.command("plot")
def faults_plot(
    name: Annotated[str | None, typer.Argument(help="Id or name of a fault.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="PNG to write, or folder with --all. [default: fault-ID.png, faults/]"),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every fault of the catalogue.")] = False,
) -> None:
    """The channels a fault moves, with and without it, on one time axis.

    `twin faults plot T1`, `twin faults plot --all --out faults/` (about 3 minutes).
    """
    from services.fault_plots import plot_all_faults, plot_fault

    if every == (name is not None):
        raise typer.BadParameter("give the name of one fault, or --all")
    if name is not None:
        typer.echo(str(plot_fault(name, out)))
        return
    for path in plot_all_faults(out or Path("faults")):
        typer.echo(str(path))


@send_app.command()
def send(
    fleet: Annotated[str, typer.Argument(help="Name of the fleet.")],
    target: Annotated[str, typer.Argument(help="A satellite id, a plane, or `all`.")],
    act: Annotated[Act | None, typer.Argument(help="What to do.")] = None,
    limit_compute: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Payload power, share of its peak.")
    ] = None,
    fault: Annotated[str | None, typer.Option(help="Id or name of a fault.")] = None,
    severity: Annotated[float | None, typer.Option(min=0.0, max=1.0)] = None,
    duration: Annotated[
        Duration | None, typer.Option(parser=parse_duration, help="Such as 10m.")
    ] = None,
    ramp: Annotated[
        Duration | None, typer.Option(parser=parse_duration, help="To full severity.")
    ] = None,
    fraction: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of the targets, by seed.")
    ] = None,
    mode: Annotated[str | None, typer.Option(help="Of faults with modes.")] = None,
    channel: Annotated[str | None, typer.Option(help="Of sensor faults.")] = None,
    size: Annotated[float | None, typer.Option(help="Of sensor faults.")] = None,
    at: Annotated[
        Duration | None,
        typer.Option(parser=parse_duration, help="Simulated time since the epoch to act at: 90s."),
    ] = None,
) -> None:
    """Send a command to satellites of a running simulator and print what it answered.

    It acts at the next tick, or at --at. Of a run in several processes all act at the same
    instant: without --at, some seconds from now.

    `twin send FLEET all inject --fault T1 --duration 10m`, `... heal --fault T1`,
    `... --limit-compute 0.5`, `... safe-mode`, `... leave-safe-mode`.
    """
    from services.send import send_command

    log_to_stderr(logging.WARNING)
    chosen = _act(act, limit_compute, fault)
    safe = {"safe-mode": True, "leave-safe-mode": False}
    body = {
        "command": chosen.removeprefix("leave-").replace("-", "_"),
        "value": safe.get(chosen, limit_compute if chosen == "limit-compute" else None),
        "fault": fault,
        "severity": severity,
        "duration_s": duration,
        "ramp_s": ramp,
        "fraction": fraction,
        "mode": mode,
        "channel": channel,
        "size": size,
        "at_s": at,
    }
    answer = run(send_command(load_settings(), fleet, target, body))
    if answer is not None:
        typer.echo(answer)
        if '"command_refused"' in answer:
            raise typer.Exit(1)


def _act(act: Act | None, limit: float | None, fault: str | None) -> Act:
    """The command meant; what does not fit together is named."""
    chosen: Act = act or "limit-compute"
    if chosen == "limit-compute" and limit is None:
        raise typer.BadParameter("give inject, heal, safe-mode or --limit-compute")
    if chosen in {"inject", "heal"} and fault is None:
        raise typer.BadParameter(f"{chosen} needs --fault, an id or name of `twin faults list`")
    return chosen
