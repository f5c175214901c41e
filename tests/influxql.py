"""Dashboard queries as Grafana sends them, and the store's answers."""

import json
import time
from typing import Any

from servers import InfluxServer

Series = dict[str, Any]
A_WHILE_S = 60


def filled(text: str, variables: dict[str, str], time_filter: str, every: str = "10s") -> str:
    """The query for one moment and one choice of variables; nothing of Grafana's is left."""
    for name, value in variables.items():
        text = text.replace(f"${{{name}:raw}}", value)
    text = text.replace("$timeFilter", time_filter).replace("$__interval", every)
    assert "$" not in text, text
    return text


def time_filters(start_ns: int, stop_ns: int, age_s: int) -> dict[str, str]:
    """How Grafana 9 (in the browser) and 12 (in the server) write $timeFilter.

    A `stop_ns` long past is a range like `now-2h` to `now-1h`, which the browser also leaves to
    the store's clock.
    """
    past_s = (time.time_ns() - stop_ns) // 10**9
    if past_s < A_WHILE_S:
        past_s = 0
    ago = f" - {past_s}s" if past_s else ""
    return {
        "browser": f"time >= now() - {age_s + past_s}s and time <= now(){ago}",
        "server": f"time >= {start_ns // 10**6}ms and time <= {stop_ns // 10**6}ms",
    }


def series(store: InfluxServer, database: str, text: str) -> list[Series]:
    """Series of one statement; an error of the store is a failure here."""
    result = json.loads(store.query(text, database, "ms"))["results"][0]
    assert "error" not in result, (result, text)
    found: list[Series] = result.get("series", [])
    return found


def empty_columns(answer: list[Series]) -> list[str]:
    """Columns without a single value: one unknown field among others is no error to InfluxQL."""
    return [
        column
        for one in answer
        for index, column in enumerate(one["columns"])
        if all(row[index] is None for row in one["values"])
    ]
