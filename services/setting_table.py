"""`twin config show`: every setting, what it is and where it comes from, secrets masked."""

import os

import orjson
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from services.logs import MASK
from services.settings import Settings


def settings_rows(settings: Settings) -> list[dict[str, str]]:
    """name, value and origin (`default`, `environment`, `flag` or a secret's file)."""
    rows = []
    for name in type(settings).model_fields:
        value, variable = getattr(settings, name), f"TWIN_{name.upper()}"
        path = getattr(settings, f"{name}_file", None)
        if path is not None:
            origin = f"file {path}"
        elif variable in {key.upper() for key in os.environ}:
            origin = "environment"
        else:
            origin = "flag" if name in settings.model_fields_set else "default"
        shown = MASK if isinstance(value, SecretStr) else "" if value is None else str(value)
        rows.append({"name": variable, "value": shown, "origin": origin})
    return rows


def print_settings(settings: Settings, *, origin: bool, as_json: bool) -> None:
    """A table, or JSON."""
    rows = settings_rows(settings)
    if not origin:
        rows = [{key: row[key] for key in ("name", "value")} for row in rows]
    if as_json:
        print(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*row.values())
    Console(width=120).print(table)
