"""The command line: `twin --help` teaches, errors are one line each, exit codes mean something."""

import sys

from services import starting

if starting.is_service(sys.argv):  # before the other imports, which take long
    starting.end_well_when_told()

import logging
from collections.abc import Iterator

import typer

from services.bench_commands import bench_app
from services.cli_faults import faults_app, send_app
from services.cli_presets import presets_app
from services.cli_scenarios import scenarios_app
from services.cli_services import services_app
from services.coverage_commands import coverage_app
from services.drill_commands import drill_app
from services.export_commands import export_app
from services.gap_commands import gaps_app
from services.life_commands import life_app
from services.notification_commands import notifications_app
from services.pipeline_commands import config_app, dlq_app, drain_app
from services.provision_commands import provision_app
from services.run_commands import run_app
from services.sky_commands import sky_app
from twin.errors import TwinError

BUG_EXIT = 70

app = typer.Typer(
    name="twin",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback with local variables may hold a secret
    rich_markup_mode="markdown",
    help="""**Orbital Twin**: a digital twin and telemetry service of orbital compute fleets.

Start everything, with no servers at all:  `twin up`

On your own servers:  `TWIN_MQTT_URL=mqtt://host TWIN_INFLUX_URL=http://host:8086 twin up`

Every service also runs alone: `twin simulate`, `twin ingest`, `twin console`.
Settings come from TWIN_* variables; secrets from TWIN_..._FILE.""",
)

for commands in (
    services_app,
    scenarios_app,
    run_app,
    send_app,
    sky_app,
    life_app,
    export_app,
    coverage_app,
    drain_app,
    notifications_app,
):
    app.add_typer(commands)
app.add_typer(bench_app, name="bench", help="Measure the physics and the pipeline.")
app.add_typer(
    presets_app, name="presets", help="List the presets and where their numbers come from."
)
app.add_typer(dlq_app, name="dlq", help="Dead letters: list, show, replay, purge.")
app.add_typer(config_app, name="config", help="The settings: show.")
app.add_typer(gaps_app, name="gaps", help="What is missing in the store: list, repair.")
app.add_typer(drill_app, name="drill", help="Scored fault-injection drills: run, list, show.")
app.add_typer(provision_app, name="provision")
app.add_typer(faults_app, name="faults", help="The catalogue of faults: list, show, plot.")


def main() -> None:
    """Entry point: one line per error and its exit code; 70 and a traceback for a bug of ours."""
    try:
        app()
    except Exception as error:
        told = list(_leaves(error))
        if not all(isinstance(one, TwinError) for one in told):
            logging.getLogger("services").critical("a bug of ours", exc_info=error)
            sys.exit(BUG_EXIT)
        for one in told:
            typer.echo(str(one), err=True)
        sys.exit(next(one.exit_code for one in told if isinstance(one, TwinError)))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


if __name__ == "__main__":
    main()
