"""The command line: `twin --help` teaches, errors are one line each, exit codes mean something."""

import asyncio
import logging
import math
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from services.arguments import Duration, EpochOption, parse_duration, parse_shard
from services.bench_commands import bench_app
from services.life_commands import life_app
from services.settings import host_and_port, load_settings
from services.sky_commands import sky_app
from twin.errors import TwinError

if TYPE_CHECKING:
    from twin.scenario import FleetBuild

T = TypeVar("T")

app = typer.Typer(
    name="twin",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""**Orbital Twin**: a digital twin and telemetry service of orbital compute fleets.

Start everything, with no servers at all:  `twin up`

On your own servers:  `TWIN_MQTT_URL=mqtt://host TWIN_INFLUX_URL=http://host:8086 twin up`

Every service also runs alone: `twin simulate`, `twin ingest`, `twin console`.
Settings come from TWIN_* variables; secrets from TWIN_..._FILE.""",
)

ScenarioArgument = Annotated[
    str | None,
    typer.Argument(help="A scenario file or the name of a shipped one. [default: flown-2026]"),
]
ScenarioOption = Annotated[
    str | None,
    typer.Option("--scenario", "-s", help="A scenario file or the name of a shipped one."),
]
RateOption = Annotated[
    str, typer.Option(help="Simulated seconds per second, or `max` for as fast as possible.")
]
ForOption = Annotated[
    Duration | None,
    typer.Option(
        "--for", parser=parse_duration, help="Stop after this simulated time: 60s, 10m, 2h."
    ),
]


def _rate(text: str) -> float:
    if text == "max":
        return math.inf
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not rate > 0.0:
        raise typer.BadParameter(f"{text!r}: a number above 0, or `max`", param_hint="--rate")
    return rate


@app.command()
def up(
    scenario: ScenarioOption = None,
    rate: RateOption = "1",
    duration: ForOption = None,
    epoch: EpochOption = None,
    listen: Annotated[str | None, typer.Option(help="Console address, host:port.")] = None,
    summary: Annotated[
        Literal["text", "json", "none"], typer.Option(help="What to print at the end.")
    ] = "text",
) -> None:
    """Start the whole twin: broker, store, ingester, simulator and web console.

    What TWIN_MQTT_URL and TWIN_INFLUX_URL name is used; what they do not name is started on
    loopback. Ctrl-C stops everything. With --for it ends by itself and counts what was stored.
    """
    from services.summary import print_summary
    from services.up import UpOptions, run_up

    settings = load_settings(scenario=scenario, epoch=epoch, console_listen=listen)
    _log_to_stderr(logging.WARNING)
    quiet = summary == "json"
    options = UpOptions(
        rate=_rate(rate),
        for_s=duration,
        quiet=quiet,
        announce=lambda line: typer.echo(line, err=quiet),
        on_opened=lambda opened: _say_left_out(opened.build),
    )
    result = _run(run_up(settings, options))
    if result is None:
        return
    print_summary(result, summary)
    if duration is not None and not result["interrupted"] and result["lost"]:
        raise typer.Exit(1)


@app.command()
def simulate(
    scenario: ScenarioArgument = None,
    rate: RateOption = "1",
    duration: ForOption = None,
    epoch: EpochOption = None,
    started_at: Annotated[
        float | None, typer.Option(help="Wall clock (Unix seconds) at which the epoch is due.")
    ] = None,
    drain: Annotated[
        float, typer.Option(help="Seconds without progress after which what is owed is given up.")
    ] = 3.0,
    shard: Annotated[
        str,
        typer.Option(help="Part k/n of the fleet, k from 0 to n - 1: n processes share one run."),
    ] = "0/1",
) -> None:
    """Simulate a fleet and publish its telemetry over MQTT.

    Started again with the same scenario, seed and epoch it goes on after the last checkpoint in
    the state directory. With --shard the reports are, byte for byte, those of one process; fleet
    and plane roll-ups need the whole fleet and are left out.
    """
    settings = load_settings(scenario=scenario, epoch=epoch)
    _log_to_stderr(logging.INFO)
    from services.runs import open_scenario, plan_simulation
    from services.simulate import run_simulate

    opened, part = open_scenario(settings), parse_shard(shard)
    plan = plan_simulation(opened, _rate(rate), duration, started_at, part)
    _run(run_simulate(settings, plan, drain))


@app.command()
def ingest(
    instance: Annotated[str, typer.Option(help="Name of this ingester: its MQTT session.")] = "1",
) -> None:
    """Store telemetry from MQTT; acknowledge it only once it is durable."""
    settings = load_settings()
    _log_to_stderr(logging.INFO)
    from services.ingest import run_ingest

    _run(run_ingest(settings, instance))


@app.command()
def console(
    listen: Annotated[str | None, typer.Option(help="host:port. [default: 127.0.0.1:8080]")] = None,
) -> None:
    """Serve the web console."""
    settings = load_settings(console_listen=listen)
    _log_to_stderr(logging.INFO)
    from services.console_service import run_console

    _run(run_console(settings))


@app.command()
def store(
    listen: Annotated[str, typer.Option(help="Loopback host:port.")] = "127.0.0.1:8181",
    file: Annotated[
        Path | None, typer.Option(help="DuckDB file. [default: var/telemetry.duckdb]")
    ] = None,
) -> None:
    """Serve the embedded store (DuckDB) where there is no InfluxDB."""
    settings = load_settings()
    _log_to_stderr(logging.INFO)
    from services.embedded_store import run_store
    from services.settings import refuse_public_bind

    host, port = host_and_port(listen, "--listen")
    refuse_public_bind(host, "--listen", allowed=False)
    _run(run_store(settings, host, port, file or settings.state_dir / "telemetry.duckdb"))


@app.command()
def check(
    scenario: Annotated[str, typer.Argument(help="A scenario file or the name of a shipped one.")],
    epoch: EpochOption = None,
) -> None:
    """Validate a scenario without running it: all errors, with file, line, key and range."""
    from services.runs import open_scenario

    opened = open_scenario(load_settings(scenario=scenario, epoch=epoch))
    fleet, left_out = opened.build.fleet, opened.build.left_out
    _say_left_out(opened.build)
    start = datetime.fromtimestamp(opened.epoch_unix_s, tz=UTC).isoformat()
    typer.echo(
        f"{fleet.name}: {fleet.count} satellites, {len(set(fleet.planes))} planes, "
        f"{int(fleet.params.accel_count.sum())} accelerators, epoch {start}, "
        f"{len(left_out)} left out"
    )


presets_app = typer.Typer(no_args_is_help=False, invoke_without_command=True)
app.add_typer(sky_app)
app.add_typer(life_app)
app.add_typer(bench_app, name="bench", help="Measure how fast the physics is.")
app.add_typer(
    presets_app, name="presets", help="List the presets and where their numbers come from."
)


@presets_app.callback()
def presets(context: typer.Context) -> None:
    """List the presets."""
    if context.invoked_subcommand is None:
        from services.preset_tables import print_presets

        print_presets()


@presets_app.command("show")
def presets_show(
    name: Annotated[str, typer.Argument(help="Name of a preset.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Every number of a preset with its source and confidence."""
    from services.preset_tables import print_preset

    print_preset(name, as_json=as_json)


@app.command()
def latency(
    scenario: ScenarioArgument = None,
    epoch: EpochOption = None,
    json: Annotated[bool, typer.Option("--json", help="Seconds, as JSON.")] = False,
) -> None:
    """How long requests to a fleet take: p50 and p95 by latitude and region, over a day."""
    from services.latency_table import print_latency

    print_latency(load_settings(scenario=scenario, epoch=epoch), as_json=json)


@app.command()
def doctor() -> None:
    """Check this machine and the configured servers; one line per check, with the fix."""
    from services.doctor import run_doctor

    if not _run(run_doctor(load_settings())):
        raise typer.Exit(1)


@app.command()
def health(
    url: Annotated[str, typer.Option(help="Health address of a service.")],
) -> None:
    """Exit 0 if the address answers 200: a container's health check without curl."""
    from services.doctor import is_healthy

    if not _run(is_healthy(url)):
        raise typer.Exit(1)


def _register() -> None:
    from services.cli_faults import add_commands

    add_commands(app, _run, lambda: _log_to_stderr(logging.WARNING))


def _say_left_out(build: "FleetBuild") -> None:
    """Warnings, and every satellite that cannot be simulated, by name."""
    for warning in build.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for name, reason in build.left_out:
        typer.echo(f"left out: {name}: {reason}", err=True)


def _log_to_stderr(level: int) -> None:
    logging.basicConfig(
        level=level,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )


def _run(work: Coroutine[Any, Any, T]) -> T | None:
    """Run until done; SIGINT and SIGTERM end it in good order, a second one at once."""

    async def until_signalled() -> T | None:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
        signals_count = 0

        def on_signal() -> None:
            nonlocal signals_count
            signals_count += 1
            if signals_count > 1:
                os._exit(130)
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal)
        try:
            return await task
        except asyncio.CancelledError:
            return None

    return asyncio.run(until_signalled())


_register()


def main() -> None:
    """Entry point: one line per error, and its exit code."""
    try:
        app()
    except* TwinError as group:
        errors = list(_leaves(group))
        for error in errors:
            typer.echo(str(error), err=True)
        sys.exit(errors[0].exit_code)


def _leaves(group: BaseExceptionGroup[TwinError]) -> Iterator[TwinError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


if __name__ == "__main__":
    main()
