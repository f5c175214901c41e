"""The summary of a run, for people and for programs."""

from typing import Any, Literal

import orjson
from rich.console import Console
from rich.table import Table


def print_summary(result: dict[str, Any], form: Literal["text", "json", "none"]) -> None:
    """Print what became of every frame; JSON goes to standard output as one object."""
    if form == "none":
        return
    if form == "json":
        print(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode(), flush=True)  # noqa: T201
        return
    table = Table(title=f"Run of {result['fleet']}", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for key, value in result.items():
        if key != "parts" and value is not None:
            table.add_row(key, f"{value:,}" if isinstance(value, int | float) else str(value))
    parts = Table("part", "CPU [s]", "peak memory [MB]", title="Parts")
    for name, usage in result["parts"].items():
        parts.add_row(name, f"{usage['cpu_s']:.2f}", f"{usage['peak_rss_mb']:.1f}")
    console = Console()
    console.print(table)
    console.print(parts)
