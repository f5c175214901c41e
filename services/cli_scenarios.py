"""Commands about one scenario: `twin check`, `twin latency`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from services.arguments import EpochOption, ScenarioArgument
from services.settings import load_settings

scenarios_app = typer.Typer()


@scenarios_app.command()
def check(
    scenario: Annotated[str, typer.Argument(help="A scenario file or the name of a shipped one.")],
    epoch: EpochOption = None,
) -> None:
    """Validate a scenario without running it: all errors, with file, line, key and range."""
    from services.runs import open_scenario, say_warnings

    opened = open_scenario(load_settings(scenario=scenario, epoch=epoch))
    fleet, left_out = opened.build.fleet, opened.build.left_out
    say_warnings(opened)
    start = datetime.fromtimestamp(opened.epoch_unix_s, tz=UTC).isoformat()
    typer.echo(
        f"{fleet.name}: {fleet.count} satellites, {len(set(fleet.planes))} planes, "
        f"{int(fleet.params.accel_count.sum())} accelerators, epoch {start}, "
        f"{len(left_out)} left out"
    )


@scenarios_app.command()
def latency(
    scenario: ScenarioArgument = None,
    epoch: EpochOption = None,
    json: Annotated[bool, typer.Option("--json", help="Seconds, as JSON.")] = False,
) -> None:
    """How long requests to a fleet take: p50 and p95 by latitude and region, over a day."""
    from services.latency_table import print_latency

    print_latency(load_settings(scenario=scenario, epoch=epoch), as_json=json)
