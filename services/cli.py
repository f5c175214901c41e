"""The command line: `twin --help` teaches, errors are one line each, exit codes mean something."""

import sys
from collections.abc import Iterator

import typer

from services.bench_commands import bench_app
from services.cli_faults import faults_app, send_app
from services.cli_presets import presets_app
from services.cli_scenarios import scenarios_app
from services.cli_services import services_app
from services.life_commands import life_app
from services.pipeline_commands import dlq_app
from services.sky_commands import sky_app
from twin.errors import TwinError

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

for commands in (services_app, scenarios_app, send_app, sky_app, life_app):
    app.add_typer(commands)
app.add_typer(bench_app, name="bench", help="Measure how fast the physics is.")
app.add_typer(
    presets_app, name="presets", help="List the presets and where their numbers come from."
)
app.add_typer(dlq_app, name="dlq", help="Dead letters: list, show, replay, purge.")
app.add_typer(faults_app, name="faults", help="The catalogue of faults: list, show, plot.")


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
