"""`twin presets`: what there is, and where each number comes from."""

import sys
from dataclasses import asdict

import orjson
from rich.console import Console
from rich.table import Table

from twin.preset_files import preset_names
from twin.preset_library import Preset, load_preset
from twin.site_presets import GroundPreset, LunarPreset, load_ground, load_lunar

AnyPreset = Preset | GroundPreset | LunarPreset


def print_presets() -> None:
    """Name, what it is and its status: fleets, then nodes on the Moon, then ground sites."""
    table = Table("preset", "what it is", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for kind in ("fleet", "lunar", "ground"):
        for name in preset_names(kind):
            preset = any_preset(name)
            table.add_row(name, f"{preset.title} [dim]({preset.status})[/]")
    Console().print(table)


def print_preset(name: str, *, as_json: bool = False) -> None:
    """Every number with its value and bounds, and below it where it comes from."""
    preset = any_preset(name)
    if as_json:
        head = {"name": preset.name, "title": preset.title, "status": preset.status}
        rows = [asdict(row) for row in preset.rows]
        text = orjson.dumps({**head, "rows": rows}, option=orjson.OPT_INDENT_2).decode()
        sys.stdout.write(text + "\n")
        return
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


def any_preset(name: str) -> AnyPreset:
    """A fleet, a site or a node by name. Raises ConfigurationError for an unknown name."""
    if name in preset_names("ground"):
        return load_ground(name)
    if name in preset_names("lunar"):
        return load_lunar(name)
    return load_preset(name)
