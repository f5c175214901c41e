"""What the services count of themselves, read back from the store: the rules of the pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from services.store import EmbeddedStore, InfluxStore, Store
from twin.alert_conditions import OPS_MEASUREMENT


@dataclass(frozen=True)
class OpsRow:
    """Numbers of one process at one time."""

    service: str
    instance: str
    time_ns: int
    fields: dict[str, float]


async def ops_rows(
    store: Store, fields: Sequence[str], start_ns: int, stop_ns: int
) -> list[OpsRow]:
    """Rows of `ops` between two times, in order of time; what no process has is left out.

    Raises StoreUnavailableError or RejectedRowsError.
    """
    if isinstance(store, EmbeddedStore):
        found = await _embedded(store, start_ns, stop_ns)
    else:
        assert isinstance(store, InfluxStore)
        found = await _influx(store, fields, start_ns, stop_ns)
    wanted = frozenset(fields)
    rows = [
        OpsRow(row.service, row.instance, row.time_ns, kept)
        for row in found
        if (kept := {name: value for name, value in row.fields.items() if name in wanted})
    ]
    return sorted(rows, key=lambda row: row.time_ns)


async def _embedded(store: EmbeddedStore, start_ns: int, stop_ns: int) -> list[OpsRow]:
    question = {
        "measurement": OPS_MEASUREMENT,
        "fleet": "",
        "start_ns": str(start_ns),
        "stop_ns": str(stop_ns),
        "field": "",
    }
    return [
        OpsRow(dict(tags)["service"], dict(tags)["instance"], time_ns, values)
        for tags, time_ns, values in orjson.loads(await store.ask("/rows", question))
    ]


async def _influx(
    store: InfluxStore, fields: Sequence[str], start_ns: int, stop_ns: int
) -> list[OpsRow]:
    cells = ",".join(f'"{name}"' for name in fields)
    series = await store.query(
        f'SELECT {cells} FROM "{OPS_MEASUREMENT}" WHERE time >= {start_ns} AND time <= {stop_ns}'
        ' GROUP BY "service","instance"'
    )
    found = []
    for one in series:
        tags, columns, values = one["tags"], one["columns"], one["values"]
        assert isinstance(tags, dict)
        assert isinstance(columns, list)
        assert isinstance(values, list)
        for time_ns, *row in values:
            cells_of = zip(columns[1:], row, strict=True)
            known = {name: float(value) for name, value in cells_of if value is not None}
            found.append(OpsRow(tags["service"], tags["instance"], time_ns, known))
    return found
