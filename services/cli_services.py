"""Commands that run services: `twin up`, each service alone, and whether they are well."""

import logging
import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from services.arguments import (
    Duration,
    EpochOption,
    ScenarioArgument,
    ScenarioOption,
    parse_duration,
    parse_shard,
)
from services.instance import only_instance
from services.logs import log_as_service
from services.process import log_to_stderr, run
from services.settings import check_addresses, host_and_port, load_settings

services_app = typer.Typer()

RateOption = Annotated[
    str, typer.Option(help="Simulated seconds per second, or `max` for as fast as possible.")
]
ForOption = Annotated[
    Duration | None,
    typer.Option(
        "--for", parser=parse_duration, help="Stop after this simulated time: 60s, 10m, 2h."
    ),
]
CheckOption = Annotated[
    bool, typer.Option("--check", help="Only validate settings and files; touch no network.")
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


@services_app.command()
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
    from services.runs import say_warnings
    from services.summary import print_summary
    from services.up import UpOptions, run_up

    settings = load_settings(scenario=scenario, epoch=epoch, console_listen=listen)
    log_to_stderr(logging.WARNING)
    quiet = summary == "json"
    options = UpOptions(
        rate=_rate(rate),
        for_s=duration,
        quiet=quiet,
        announce=lambda line: typer.echo(line, err=quiet),
        on_opened=say_warnings,
    )
    result = run(run_up(settings, options))
    if result is None:
        return
    print_summary(result, summary)
    if duration is not None and not result["interrupted"] and result["lost"]:
        raise typer.Exit(1)


@services_app.command()
def simulate(
    scenario: ScenarioArgument = None,
    rate: RateOption = "1",
    duration: ForOption = None,
    epoch: EpochOption = None,
    started_at: Annotated[
        float | None, typer.Option(help="Wall clock (Unix seconds) at which the epoch is due.")
    ] = None,
    drain: Annotated[
        float,
        typer.Option(
            help="Seconds without progress after which the end no longer waits for the store: "
            "exit code 74, and a restart sends what is still owed."
        ),
    ] = 3.0,
    shard: Annotated[
        str,
        typer.Option(help="Part k/n of the fleet, k from 0 to n - 1: n processes share one run."),
    ] = "0/1",
    check: CheckOption = False,
) -> None:
    """Simulate a fleet and publish its telemetry over MQTT.

    Started again with the same scenario, seed and epoch it goes on after the last checkpoint in
    the state directory. On SIGHUP it reads the scenario again: satellites that are new in the file
    join, those that are gone from it leave, the others go on. With --shard reports and
    roll-ups are, byte for byte, those of one process; the roll-ups need all n processes.
    """
    settings = load_settings(scenario=scenario, epoch=epoch)
    part = parse_shard(shard)
    log_as_service(settings, "simulate", shard)
    from services.continued import continued
    from services.control import Control
    from services.runs import open_scenario, plan_simulation
    from services.simulate import run_simulate

    opened = continued(settings.state_dir, open_scenario(settings))
    plan = plan_simulation(opened, _rate(rate), duration, started_at, part)
    if check:
        return
    with only_instance(settings.state_dir, f"simulate-{plan.build.fleet.name}{plan.part_name}"):
        run(run_simulate(settings, plan, drain, control=Control(listening=True)))


@services_app.command()
def ingest(
    instance: Annotated[str, typer.Option(help="Name of this ingester: its MQTT session.")] = "1",
    check: CheckOption = False,
) -> None:
    """Store telemetry from MQTT; acknowledge it only once it is durable."""
    settings = load_settings()
    log_as_service(settings, "ingest", instance)
    from services.control import Control
    from services.ingest import run_ingest

    if check:
        check_addresses(settings)
        return
    with only_instance(settings.state_dir, f"ingest-{instance}"):
        run(run_ingest(settings, instance, control=Control(listening=True)))


@services_app.command()
def watch(check: CheckOption = False) -> None:
    """Judge telemetry from MQTT by the alert rules, as Grafana would; one for all fleets.

    Every 10 s of simulated time it writes the age of each satellite's reports (`sat_watch`), who
    is in breach of which rule (`sat_breach`) and each change of an alert (`alerts`) to the store,
    tells changes as events and retains the states at `fleet/v1/FLEET/alerts`, where the console
    reads them. Rules: docs/alerts.md.
    """
    settings = load_settings()
    log_as_service(settings, "watch")
    from services.control import Control
    from services.watch import run_watch

    if check:
        check_addresses(settings)
        return
    with only_instance(settings.state_dir, "watch"):
        run(run_watch(settings, control=Control(listening=True)))


@services_app.command()
def console(
    listen: Annotated[str | None, typer.Option(help="host:port. [default: 127.0.0.1:8080]")] = None,
    check: CheckOption = False,
) -> None:
    """Serve the web console."""
    settings = load_settings(console_listen=listen)
    log_as_service(settings, "console")
    from services.console_service import run_console

    if check:
        check_addresses(settings)
        return

    run(run_console(settings))


@services_app.command()
def store(
    listen: Annotated[str, typer.Option(help="Loopback host:port.")] = "127.0.0.1:8181",
    file: Annotated[
        Path | None, typer.Option(help="DuckDB file. [default: var/telemetry.duckdb]")
    ] = None,
    check: CheckOption = False,
) -> None:
    """Serve the embedded store (DuckDB) where there is no InfluxDB."""
    settings = load_settings()
    log_as_service(settings, "store")
    from services.embedded_store import run_store
    from services.settings import loopback_only

    host, port = host_and_port(listen, "--listen")
    loopback_only(host, "--listen")
    if check:
        return
    run(run_store(settings, host, port, file or settings.state_dir / "telemetry.duckdb"))


@services_app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of lines.")] = False,
) -> None:
    """Check this machine and the configured servers; one line per check, with the fix.

    Exit code 1 if any is not well.
    """
    from services.doctor import run_doctor

    if not run(run_doctor(load_settings(), as_json=as_json)):
        raise typer.Exit(1)


@services_app.command()
def health(
    url: Annotated[str, typer.Option(help="Health address of a service.")],
) -> None:
    """Exit 0 if the address answers 200: a container's health check without curl."""
    from services.doctor import is_healthy

    if not run(is_healthy(url)):
        raise typer.Exit(1)
