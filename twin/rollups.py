"""Roll-ups of the fleet and of each plane, so that no dashboard has to read every satellite.

Written by the service with its own batches, never by the database: the numbers are the same in
every store. The fields are listed once, here; dashboards take their names from FIELDS.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from twin.channels import FLEET_MEASUREMENT, PLANE_MEASUREMENT, TENANT_MEASUREMENT
from twin.frames import FieldLayout, encode_rows, row_template
from twin.latency import link_parts
from twin.ledger import ENERGY, TOKENS, Ledger, encode_ledger, ledger_columns
from twin.rollup_bins import encode_bins
from twin.rollup_fields import FIELDS, LIVE_FIELDS, PART, Field
from twin.sensors import Snapshot, bus_readings
from twin.state import Fleet, FleetParams, FleetState, FloatArray, IntArray


def _layout(fields: Mapping[str, Field]) -> FieldLayout:
    return FieldLayout(tuple(fields), (), np.array([row[2] for row in fields.values()]))


LAYOUT: Final = _layout(FIELDS)
REPORTED: Final = FIELDS | LIVE_FIELDS
REPORTED_LAYOUT: Final = _layout(REPORTED)
"""What fleet_state and plane_state hold."""


def channel_columns(
    rows: IntArray, seen: Snapshot, readings: Mapping[str, FloatArray], *, live: bool = False
) -> dict[str, FloatArray]:
    """The channels that roll-ups need, (r,) each, of the readings of these rows; less PART.

    live: with those of LIVE_FIELDS.

    Nothing but `sat_service` is known of a satellite that is not in service: nan.
    """
    values = {channel: readings[channel] for channel in _columns(live)}
    absent = ~seen.broken.in_service[rows]
    if absent.any():
        for channel in values.keys() - {"sat_service"}:
            values[channel] = np.where(absent, np.nan, values[channel])
    return values


Columns = dict[str, FloatArray]
"""What roll-ups are made of: one row per satellite, (n,) or (n, k) by name."""

Taken = Sequence[tuple[IntArray, Columns]]
"""Rows of the fleet, and `channel_columns` of them, live, from this tick's reports."""


def encode_rollups(seen: Snapshot, time_ns: int, ledger: Ledger | None = None) -> bytes:
    """Line protocol of one fleet_state row, of one for each plane, tenant and bin of fleet_hist.

    With a ledger, of one row of economics too.
    """
    columns = rollup_columns(seen, np.arange(seen.fleet.count))
    return encode_rollup_columns(seen.fleet, columns, time_ns, ledger)


class Tables(NamedTuple):
    """Roll-ups in the order of REPORTED."""

    fleet: FloatArray  # (1, fields)
    planes: FloatArray  # (planes, fields) in the order of their names


def rollup_columns(seen: Snapshot, rows: IntArray, taken: Taken = ()) -> Columns:
    """What these satellites give to the roll-ups, (r, ...); a row depends on no other row.

    taken: where they are of just these satellites, nothing is read again.
    """
    known = [one for one, _ in taken]
    if known and np.array_equal(np.concatenate(known), rows):
        columns = {
            name: np.concatenate([values[name] for _, values in taken]) for name in _columns(True)
        }
    else:
        columns = channel_columns(rows, seen, bus_readings(rows, seen, seq=0), live=True)
    columns[_ABSENT] = (~seen.broken.in_service[rows]).astype(np.float64)
    columns[_RANGES] = seen.state.link_range_m[rows]
    ledger = ledger_columns(seen.fleet, seen.state)
    columns |= {name: values[rows] for name, values in ledger.items()}
    return columns | _tenant_columns(seen, rows)


def column_shapes(state: FleetState, rows_count: int) -> dict[str, tuple[int, ...]]:
    """How large each column of `rollup_columns` is for so many satellites of a fleet."""
    flat = dict.fromkeys((*_columns(True), _ABSENT, ENERGY, TOKENS), (rows_count,))
    wide = {_RANGES: state.link_range_m, **{name: getattr(state, name) for name in _TENANT_COLUMNS}}
    return flat | {name: (rows_count, *values.shape[1:]) for name, values in wide.items()}


def encode_rollup_columns(
    fleet: Fleet,
    columns: Columns,
    time_ns: int,
    ledger: Ledger | None = None,
    note: Callable[[Tables], None] = lambda _tables: None,
) -> bytes:
    """Line protocol of the roll-ups from the columns of all satellites of a fleet, in its order.

    note: hears the numbers before they are rounded and printed.
    """
    values = {name: columns[name] for name in _columns(True)}
    parts = linked_parts(columns[_RANGES], fleet.neighbour_index, fleet.params)
    values[PART] = np.where(columns[_ABSENT] > 0.0, np.nan, parts)
    planes, plane_of = plane_groups(fleet.planes)
    tables = Tables(
        rollup_table(values, np.zeros(fleet.count, dtype=np.int64), 1, REPORTED),
        rollup_table(values, plane_of, len(planes), REPORTED),
    )
    note(tables)
    fleet_head = row_template(FLEET_MEASUREMENT, {"fleet": fleet.name})
    plane_heads = [
        row_template(PLANE_MEASUREMENT, {"fleet": fleet.name, "plane": plane}) for plane in planes
    ]
    return (
        _rows([fleet_head], tables.fleet, time_ns)
        + _rows(plane_heads, tables.planes, time_ns)
        + _tenant_rows(fleet, columns, time_ns)
        + encode_bins(fleet.name, values, time_ns)
        + (encode_ledger(ledger, fleet.name, columns, time_ns) if ledger else b"")
    )


_ABSENT: Final = "absent"
_RANGES: Final = "link_range_m"
_TENANT_COLUMNS: Final = (
    "tenant_accel_s",
    "tenant_energy_j",
    "tenant_rate_frac",
    "tenant_queue_s",
    "tenant_delivered_s",
    "tenant_offered_s",
    "tenant_lost_s",
)


def linked_parts(
    link_range_m: FloatArray, neighbour_index: IntArray, params: FleetParams
) -> FloatArray:
    """Number of each satellite's connected part, (n,); nan without laser links."""
    linked = (neighbour_index >= 0).any(axis=1) & (params.link_rate_bit_s > 0.0)
    if not linked.any():
        return np.full(linked.size, np.nan)
    return np.where(linked, link_parts(link_range_m, neighbour_index), np.nan)


TENANT_FIELDS: Final = ("accel_h", "energy_kwh", "util_pct", "queue_s", "goodput_pct", "lost_s")
TENANT_LAYOUT: Final = FieldLayout(TENANT_FIELDS, (), np.array([6, 6, 3, 1, 3, 1]))


def tenant_table(seen: Snapshot, rows: IntArray) -> FloatArray:
    """What each tenant used of these satellites since the epoch, and how it is served, (k, 6)."""
    return _tenant_table(seen.fleet.params.accel_count[rows], _tenant_columns(seen, rows))


def _tenant_columns(seen: Snapshot, rows: IntArray) -> Columns:
    return {name: getattr(seen.state, name)[rows] for name in _TENANT_COLUMNS}


def _tenant_table(accel_count: IntArray, columns: Columns) -> FloatArray:
    accelerators = accel_count.astype(np.float64)
    offered_s = np.maximum(columns["tenant_offered_s"].sum(axis=0), 1e-9)
    busy_count = accelerators @ columns["tenant_rate_frac"]
    table = [
        columns["tenant_accel_s"].sum(axis=0) / 3600.0,
        columns["tenant_energy_j"].sum(axis=0) / 3.6e6,
        100.0 * busy_count / max(float(accelerators.sum()), 1.0),
        columns["tenant_queue_s"].sum(axis=0),
        100.0 * columns["tenant_delivered_s"].sum(axis=0) / offered_s,
        columns["tenant_lost_s"].sum(axis=0),
    ]
    return np.column_stack(table)


def _tenant_rows(fleet: Fleet, columns: Columns, time_ns: int) -> bytes:
    """One tenant_state row per tenant."""
    table = _tenant_table(fleet.params.accel_count, columns)
    heads = [
        row_template(TENANT_MEASUREMENT, {"fleet": fleet.name, "tenant": one.name})
        for one in fleet.tenants.tenants
    ]
    no_states = np.zeros((len(heads), 0), dtype=np.int64)
    return encode_rows(heads, TENANT_LAYOUT, table, no_states, time_ns)


def rollup_table(
    values: Mapping[str, FloatArray],
    group: IntArray,
    groups_count: int,
    fields: Mapping[str, Field] = FIELDS,
) -> FloatArray:
    """Roll-ups (groups, fields) in the order of `fields` of satellites' channels (n,) by group."""
    return np.column_stack(
        [reduce(values[name], group, groups_count) for name, reduce, _ in fields.values()]
    )


def _rows(heads: list[bytes], table: FloatArray, time_ns: int) -> bytes:
    no_states = np.zeros((len(heads), 0), dtype=np.int64)
    return encode_rows(heads, REPORTED_LAYOUT, table, no_states, time_ns)


@lru_cache(maxsize=2)
def _columns(live: bool = False) -> tuple[str, ...]:
    """Channels that roll-ups are made of, in the order of their names."""
    fields = REPORTED if live else FIELDS
    return tuple(sorted({name for name, _, _ in fields.values()} - {PART}))


@lru_cache(maxsize=4)
def plane_groups(planes: tuple[str, ...]) -> tuple[tuple[str, ...], IntArray]:
    """Plane names in order, and the index of each satellite's plane."""
    names, index = np.unique(np.array(planes), return_inverse=True)
    return tuple(names.tolist()), index.astype(np.int64)
