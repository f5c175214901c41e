"""Rows as a store has them: which are there, and what they say.

For those who compare a store with what should be in it; nothing here is on the way of telemetry.
"""

from typing import Any

import orjson

from services.retention import is_minute
from services.store import EmbeddedStore, InfluxStore, Store

Tags = tuple[tuple[str, str], ...]
"""Tags of a row, by name."""
RowTimes = dict[Tags, set[int]]
RowValues = dict[tuple[Tags, int], dict[str, float | int]]


async def row_times(
    store: Store, measurement: str, field: str, fleet: str, start_ns: int, stop_ns: int
) -> RowTimes:
    """Times of the rows that have a field, by their tags, start and stop included."""
    found: RowTimes = {}
    for tags, time_ns, _ in await _rows_of(store, measurement, field, fleet, start_ns, stop_ns):
        found.setdefault(tags, set()).add(time_ns)
    return found


async def row_values(
    store: Store, measurement: str, fleet: str, start_ns: int, stop_ns: int
) -> RowValues:
    """All values of the rows of an interval, by tags and time."""
    rows = await _rows_of(store, measurement, "", fleet, start_ns, stop_ns)
    return {(tags, time_ns): values for tags, time_ns, values in rows}


async def _rows_of(
    store: Store, measurement: str, field: str, fleet: str, start_ns: int, stop_ns: int
) -> list[tuple[Tags, int, dict[str, float | int]]]:
    if isinstance(store, InfluxStore):
        return await _from_influx(store, measurement, field, fleet, start_ns, stop_ns)
    assert isinstance(store, EmbeddedStore)
    question = {
        "measurement": measurement,
        "fleet": fleet,
        "start_ns": str(start_ns),
        "stop_ns": str(stop_ns),
        "field": field,
    }
    answer: list[Any] = orjson.loads(await store.ask("/rows", question))
    return [
        (tuple((name, value) for name, value in tags), time_ns, values)
        for tags, time_ns, values in answer
    ]


async def _from_influx(
    store: InfluxStore, measurement: str, field: str, fleet: str, start_ns: int, stop_ns: int
) -> list[tuple[Tags, int, dict[str, float | int]]]:
    what = f'"{field}"' if field else "*"
    fleet_quoted = fleet.replace("\\", "\\\\").replace("'", "\\'")
    answer: list[Any] = await store.query(
        f'SELECT {what} FROM "{measurement}" WHERE "fleet" = \'{fleet_quoted}\''
        f" AND time >= {start_ns} AND time <= {stop_ns} GROUP BY *",
        minutes=is_minute(measurement),
    )
    found = []
    for series in answer:
        tags: Tags = tuple(sorted((k, v) for k, v in series["tags"].items() if v))
        names = series["columns"][1:]
        for time_ns, *values in series["values"]:
            pairs = zip(names, values, strict=True)
            found.append((tags, time_ns, {k: v for k, v in pairs if v is not None}))
    return found
