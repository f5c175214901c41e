"""`twin latency`: how long requests take, by band of latitude and by region."""

import math
import sys
from dataclasses import asdict

import orjson
from rich.console import Console
from rich.table import Table

from services.runs import open_scenario
from services.settings import Settings
from twin.environment import EnvironmentModel
from twin.latency_map import LatencyRow, latency_map


def print_latency(settings: Settings, *, as_json: bool) -> None:
    """Percentiles over a day at the scenario's epoch; JSON in seconds, the table in ms."""
    opened = open_scenario(settings)
    fleet = opened.build.fleet
    keys = opened.scenario.environment.settings()
    model = EnvironmentModel(opened.satrecs, opened.epoch_unix_s, keys)
    found = latency_map(fleet, model)
    if as_json:
        text = orjson.dumps({"fleet": fleet.name, **asdict(found)}, option=orjson.OPT_INDENT_2)
        sys.stdout.write(text.decode() + "\n")
        return
    console = Console()
    console.print(_table("latitude [deg]", found.bands))
    console.print()
    console.print(_table("region", found.regions))
    console.print(f"\nmost parts the links fell into: {found.link_parts_count}")
    console.print(
        "direct: a satellite in view; otherwise by fibre to a ground station. way: ground to "
        "machine; trip: there and back with the wait for an accelerator, not the computing; ms."
    )


def _table(first: str, rows: tuple[LatencyRow, ...]) -> Table:
    table = Table(first, box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for title in ("direct", "reached", "way p50", "p95", "trip p50", "p95", "wait p50"):
        table.add_column(title, justify="right")
    for row in rows:
        seconds = (
            row.one_way_p50_s,
            row.one_way_p95_s,
            row.total_p50_s,
            row.total_p95_s,
            row.wait_p50_s,
        )
        times = ("-" if math.isnan(one) else f"{1e3 * one:.2f}" for one in seconds)
        table.add_row(row.name, f"{row.direct_frac:.0%}", f"{row.reached_frac:.0%}", *times)
    return table
