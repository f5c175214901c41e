"""The event by which a simulator tells that satellites have joined or left its fleet."""

from collections.abc import Mapping
from typing import Any

FLEET_CHANGED = "fleet_changed"
NAMED_LIMIT = 1_000  # satellites that one event names; our choice


def names_in(event: Mapping[str, Any], key: str) -> list[str]:
    """Names of satellites or shards in an event; nothing where there is anything else."""
    found = event.get(key)
    names = found if isinstance(found, list) else []
    return [name for name in names[:NAMED_LIMIT] if isinstance(name, str)]
