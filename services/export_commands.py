"""`twin export`: stored telemetry as a Parquet file."""

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from services.arguments import ScenarioOption, parse_instant
from services.process import log_to_stderr, run
from services.settings import load_settings
from twin.errors import DependencyUnavailableError

export_app = typer.Typer()


@export_app.command()
def export(
    start: Annotated[str, typer.Option("--from", help="First instant, ISO 8601 UTC.")],
    stop: Annotated[str, typer.Option("--to", help="Last instant, ISO 8601 UTC.")],
    channels: Annotated[str, typer.Option(help="Comma-separated; docs/channels.md lists them.")],
    out: Annotated[Path, typer.Option(help="Parquet file; replaced only by a whole one.")],
    fleet: Annotated[str | None, typer.Option(help="Fleet. [default: the scenario's]")] = None,
    scenario: ScenarioOption = None,
) -> None:
    """Write stored telemetry to a Parquet file, from InfluxDB or the embedded store.

    `twin export --from 2026-10-01T00:00:00Z --to 2026-10-01T01:00:00Z --channels
    eps_soc_pct,eps_mode --out soc.parquet`. One row for each report of a satellite, in order of
    time; times are the satellite's own. Exit code 1, and no file, if there is nothing.
    """
    settings = load_settings(scenario=scenario)
    log_to_stderr(logging.WARNING)
    from services.export import export as write
    from services.export import order_of
    from services.runs import open_scenario
    from services.store import RejectedRowsError, StoreUnavailableError, open_store

    name = fleet or open_scenario(settings).build.fleet.name
    wanted = [one.strip() for one in channels.split(",") if one.strip()]
    order = order_of(name, parse_instant(start, "--from"), parse_instant(stop, "--to"), wanted, out)

    async def work(bar: Progress) -> int:
        job = bar.add_task("exporting", total=1.0)
        async with open_store(settings) as store:
            await store.prepare()
            return await write(
                store,
                order,
                lambda share, rows: bar.update(job, completed=share, description=f"{rows:,} rows"),
            )

    try:
        with Progress(console=Console(stderr=True), transient=True) as bar:
            count = run(work(bar))
    except (StoreUnavailableError, RejectedRowsError) as error:
        raise DependencyUnavailableError(f"store: {error}") from None
    if count is None:
        raise typer.Exit(130)
    if not count:
        typer.echo(f"nothing of fleet {name} in this interval: no file written", err=True)
        raise typer.Exit(1)
    typer.echo(f"{count:,} rows of {len(order.channels)} channels in {out}")
