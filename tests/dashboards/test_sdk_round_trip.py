"""Grafana's own builder reads our dashboards and writes them again: nothing may be lost.

What its classes do not know disappears on the way, so a difference is a misspelt key. It speaks
of the newest schema; keys that only Grafana 9 reads are named here, one by one.
"""

import copy
import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from dashboards.build import rendered

with warnings.catch_warnings():
    # It would have us write schema 2, which Grafana 9.4 to 12 do not read.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

register_default_plugins()
BOARDS = {name: json.loads(text) for name, text in rendered().items()}
OF_GRAFANA_9 = {".panels[].options.tooltip.show"}  # of heat maps; newer ones have `mode`


def through_sdk(board: dict[str, Any]) -> dict[str, Any]:
    read = Dashboard.from_json(copy.deepcopy(board))
    found: dict[str, Any] = json.loads(JSONEncoder(sort_keys=True).encode(read))
    return found


def lost(before: Any, after: Any, where: str = "") -> Iterator[str]:
    """Paths of what is not there any more, or is another value."""
    if isinstance(before, dict):
        for key, value in before.items():
            if not isinstance(after, dict) or key not in after:
                if value not in (None, [], {}, ""):  # absent is the same as empty
                    yield f"{where}.{key}"
            else:
                yield from lost(value, after[key], f"{where}.{key}")
    elif isinstance(before, list):
        if not isinstance(after, list) or len(before) != len(after):
            yield where
        else:
            for one, other in zip(before, after, strict=True):
                yield from lost(one, other, f"{where}[]")
    elif before != after:
        yield f"{where}={before!r}, became {after!r}"


@pytest.mark.parametrize("name", BOARDS)
def test_the_sdk_loses_nothing(name: str) -> None:
    board = BOARDS[name]
    assert set(lost(board, through_sdk(board))) - OF_GRAFANA_9 == set()


@pytest.mark.parametrize("path", [("fieldConfig", "defaults", "unitt"), ("options", "showHeaderr"),
                                  ("gridPoss",)])  # fmt: skip
def test_a_misspelt_key_is_lost(path: tuple[str, ...]) -> None:
    board = copy.deepcopy(BOARDS["fleet-wall.json"])
    at = next(one for one in board["panels"] if one["type"] == "table")
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = "planted"
    assert any(path[-1] in one for one in lost(board, through_sdk(board)))
