"""`twin presets`: what there is, and where each number comes from."""

from rich.console import Console
from rich.table import Table

from twin.preset_library import list_presets, load_preset


def print_presets() -> None:
    """One line per preset."""
    table = Table("preset", "status", "what it is", box=None, pad_edge=False)
    for name in list_presets():
        preset = load_preset(name)
        table.add_row(name, preset.status, preset.title)
    Console().print(table)


def print_preset(name: str) -> None:
    """Every number with its value, bounds, source and confidence."""
    preset = load_preset(name)
    console = Console()
    console.print(f"[bold]{preset.name}[/]: {preset.title} ({preset.status})")
    table = Table(
        "key", "value", "allowed", "confidence", "source", "from", box=None, pad_edge=False
    )
    for row in preset.rows:
        source = f"{row.source}: {row.source_text}" if row.source_text else row.source
        note = f"{source}. {row.note}" if row.note else source
        table.add_row(row.key, str(row.value), row.allowed, row.confidence, note, row.defined_in)
    console.print(table)
