"""`twin presets`: what there is, and where each number comes from."""

from rich.console import Console
from rich.table import Table

from twin.preset_library import list_presets, load_preset


def print_presets() -> None:
    """Name, what it is and its status, one preset a line or two."""
    table = Table("preset", "what it is", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for name in list_presets():
        preset = load_preset(name)
        table.add_row(name, f"{preset.title} [dim]({preset.status})[/]")
    Console().print(table)


def print_preset(name: str) -> None:
    """Every number with its value and bounds, and below it where it comes from."""
    preset = load_preset(name)
    console = Console(highlight=False)
    console.print(f"[bold]{preset.name}[/]: {preset.title} ({preset.status})\n")
    for row in preset.rows:
        inherited = "" if row.defined_in == preset.name else f" from {row.defined_in},"
        bounds = f" (allowed {row.allowed})" if row.allowed else ""
        console.print(f"[bold]{row.key}[/] = {row.value}{bounds}", soft_wrap=True)
        source = f"{row.source}: {row.source_text}" if row.source_text else row.source
        note = f" {row.note}." if row.note else ""
        console.print(
            f"    [cyan]{row.confidence}[/],{inherited} {source}.{note}",
            soft_wrap=True,
            style="dim",
        )
