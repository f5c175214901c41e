"""`twin run`: a scenario as pure physics, to files."""

from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer

from services.arguments import Duration, EpochOption, parse_duration, parse_shard
from services.settings import load_settings

run_app = typer.Typer()

SCENARIO_HELP = "A scenario file or the name of a shipped one."


@run_app.command()
def run(
    scenario: Annotated[str, typer.Argument(help=SCENARIO_HELP)],
    duration: Annotated[
        Duration,
        typer.Option("--for", parser=parse_duration, help="Simulated time: 10m, 2h, 30d."),
    ],
    every: Annotated[
        Duration | None,
        typer.Option(parser=parse_duration, help="Time between rows. [default: 60s]"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to make. [default: runs/SCENARIO]")
    ] = None,
    engine: Annotated[
        Literal["auto", "compiled", "numpy"],
        typer.Option(help="auto: compiled where it has all that the scenario asks, else numpy."),
    ] = "auto",
    satellites: Annotated[
        str | None,
        typer.Option(help="Whose channels: ids, `all`, `none`. [default: all of up to 100]"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**53, help="Instead of the scenario's.")
    ] = None,
    shard: Annotated[
        str, typer.Option(help="Part k/n of the fleet, k from 0 to n - 1, such as 0/2.")
    ] = "0/1",
    file_format: Annotated[
        Literal["parquet", "csv", "both"], typer.Option("--format", help="Of the tables.")
    ] = "parquet",
    epoch: EpochOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The closing figures as JSON.")] = False,
) -> None:
    """Run a scenario as pure physics as fast as it goes, with no servers, and write tables.

    Roll-ups of the fleet and of its planes, per interval, under the names that dashboards use;
    the channels of single satellites of a small fleet or where asked for; a summary plot; and
    run.json. The folder appears when all is in it. The same scenario and seed give the same
    bytes, satellite by satellite also in parts: with --shard k/n each part writes the roll-ups
    of its own satellites.
    """
    from services.offline_run import closing_lines, run_offline
    from services.run_choices import RunOptions
    from services.runs import open_scenario, say_left_out

    part = parse_shard(shard)
    opened = open_scenario(load_settings(scenario=scenario, epoch=epoch))
    say_left_out(opened.build)
    options = RunOptions(
        duration_s=duration,
        every_s=every,
        out=out,
        engine=engine,
        seed=seed,
        part=part,
        satellites=satellites,
        file_format=file_format,
    )
    figures = run_offline(opened, options, lambda line: typer.echo(line, err=as_json))
    if as_json:
        typer.echo(orjson.dumps(figures).decode())
        return
    for line in closing_lines(figures):
        typer.echo(line)
