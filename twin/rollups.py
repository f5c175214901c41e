"""Roll-ups of the fleet and of each plane, so that no dashboard has to read every satellite.

Written by the service with its own batches, never by the database: the numbers are the same in
every store. The fields are listed once, here; dashboards take their names from FIELDS.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import numpy as np

from twin.channels import BUS_CHANNELS, FLEET_MEASUREMENT, PLANE_MEASUREMENT, TENANT_MEASUREMENT
from twin.frames import FieldLayout, encode_rows, row_template
from twin.latency import link_parts
from twin.sensors import Snapshot, bus_telemetry
from twin.state import Fleet, FleetParams, FleetState, FloatArray, IntArray

ROLLUP_SHARD: Final = "rollup"
PENUMBRA_FRAC: Final = 0.999  # in eclipse = any part of the Sun hidden

Reduce = Callable[[FloatArray, IntArray, int], FloatArray]


def _sum(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
    weights = np.where(np.isnan(values), 0.0, values)
    return np.bincount(group, weights, groups_count).astype(np.float64)


def _mean(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
    """Mean of the values that are there; nan where none is."""
    count = _sum((~np.isnan(values)).astype(np.float64), group, groups_count)
    with np.errstate(invalid="ignore"):
        return _sum(values, group, groups_count) / count


def _max(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
    """Largest of the values that are there; nan where none is."""
    largest = np.full(groups_count, -np.inf)
    np.fmax.at(largest, group, values)
    return np.where(np.isneginf(largest), np.nan, largest)


def _min(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
    return -_max(-values, group, groups_count)


def _count(test: Callable[[FloatArray], np.ndarray[tuple[int], np.dtype[np.bool_]]]) -> Reduce:
    def count(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
        return _sum(test(values).astype(np.float64), group, groups_count)

    return count


def _parts(values: FloatArray, group: IntArray) -> tuple[IntArray, FloatArray]:
    """Group and number of members of every part that a group has members in, (p,) each."""
    there = ~np.isnan(values)
    top = int(np.max(values, where=there, initial=0.0)) + 1
    key = group[there] * top + values[there].astype(np.int64)
    found, count = np.unique(key, return_counts=True)
    return found // top, count.astype(np.float64)


def _distinct(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
    """How many different values a group has; nan where none is there."""
    owner, _ = _parts(values, group)
    count = np.bincount(owner, minlength=groups_count).astype(np.float64)
    return np.where(count > 0.0, count, np.nan)


def _largest_pct(values: FloatArray, group: IntArray, groups_count: int) -> FloatArray:
    """Share of the commonest value among those that are there [%]; nan where none is."""
    owner, count = _parts(values, group)
    most, total = np.zeros(groups_count), np.bincount(owner, count, groups_count)
    np.maximum.at(most, owner, count)
    with np.errstate(invalid="ignore"):
        return 100.0 * most / total


PART: Final = "isl_part"
"""Number of the connected part of the link graph; not a channel: it takes the whole fleet."""

FIELDS: Final[dict[str, tuple[str, Reduce, int]]] = {
    # field: channel, how it is reduced, decimals
    "sats_count": ("tm_seq", _count(lambda seq: ~np.isnan(seq)), 0),
    "out_of_service_count": ("sat_service", _sum, 0),
    "sunlit_count": ("orb_sunlit_frac", _count(lambda lit: lit >= PENUMBRA_FRAC), 0),
    "eclipse_count": ("orb_sunlit_frac", _count(lambda lit: lit < PENUMBRA_FRAC), 0),
    "in_saa_count": ("orb_in_saa", _count(lambda inside: inside > 0.0), 0),
    "nominal_count": ("sat_health", _count(lambda health: health == 0.0), 0),
    "warning_count": ("sat_health", _count(lambda health: health == 1.0), 0),
    "critical_count": ("sat_health", _count(lambda health: health == 2.0), 0),
    "mode_max": ("eps_mode", _max, 0),
    "compute_w": ("eps_compute_w", _sum, 1),
    "array_w": ("eps_array_w", _sum, 1),
    "soc_mean_pct": ("eps_soc_pct", _mean, 2),
    "soc_min_pct": ("eps_soc_pct", _min, 2),
    "die_max_t_c": ("tcs_die_max_t_c", _max, 2),
    "dose_rate_max_rad_day": ("rad_dose_rate_rad_day", _max, 4),
    "goodput_mean_pct": ("job_goodput_pct", _mean, 3),
    "tokens_s": ("job_tokens_s", _sum, 1),
    "backlog_gb": ("gnd_backlog_gb", _sum, 4),
    "isl_parts_count": (PART, _distinct, 0),
    "isl_largest_pct": (PART, _largest_pct, 2),
}
"""Roll-up fields of fleet_state and plane_state."""

LAYOUT: Final = FieldLayout(
    floats=tuple(FIELDS),
    integers=(),
    decimals=np.array([decimals for _, _, decimals in FIELDS.values()]),
)


def channel_columns(
    rows: IntArray, seen: Snapshot, floats: FloatArray, states: IntArray
) -> dict[str, FloatArray]:
    """The channels that roll-ups need, (r,) each, from the telemetry of these rows; less PART.

    Nothing but `sat_service` is known of a satellite that is not in service: nan.
    """
    values = {
        channel: (floats if index >= 0 else states.astype(np.float64))[:, abs(index) - 1]
        for channel, index in _columns().items()
    }
    absent = ~seen.broken.in_service[rows]
    if absent.any():
        for channel in values.keys() - {"sat_service"}:
            values[channel] = np.where(absent, np.nan, values[channel])
    return values


Columns = dict[str, FloatArray]
"""What roll-ups are made of: one row per satellite, (n,) or (n, k) by name."""


def encode_rollups(seen: Snapshot, time_ns: int) -> bytes:
    """Line protocol of one fleet_state row, one plane_state row per plane and one per tenant."""
    columns = rollup_columns(seen, np.arange(seen.fleet.count))
    return encode_rollup_columns(seen.fleet, columns, time_ns)


def rollup_columns(seen: Snapshot, rows: IntArray) -> Columns:
    """What these satellites give to the roll-ups, (r, ...); a row depends on no other row."""
    columns = channel_columns(rows, seen, *bus_telemetry(rows, seen, seq=0))
    columns[_ABSENT] = (~seen.broken.in_service[rows]).astype(np.float64)
    columns[_RANGES] = seen.state.link_range_m[rows]
    return columns | _tenant_columns(seen, rows)


def column_shapes(state: FleetState, rows_count: int) -> dict[str, tuple[int, ...]]:
    """How large each column of `rollup_columns` is for so many satellites of a fleet."""
    flat = dict.fromkeys((*_columns(), _ABSENT), (rows_count,))
    wide = {_RANGES: state.link_range_m, **{name: getattr(state, name) for name in _TENANT_COLUMNS}}
    return flat | {name: (rows_count, *values.shape[1:]) for name, values in wide.items()}


def encode_rollup_columns(fleet: Fleet, columns: Columns, time_ns: int) -> bytes:
    """Line protocol of the roll-ups from the columns of all satellites of a fleet, in its order."""
    values = {name: columns[name] for name in _columns()}
    parts = linked_parts(columns[_RANGES], fleet.neighbour_index, fleet.params)
    values[PART] = np.where(columns[_ABSENT] > 0.0, np.nan, parts)
    whole = np.zeros(fleet.count, dtype=np.int64)
    planes, plane_of = plane_groups(fleet.planes)
    fleet_head = row_template(FLEET_MEASUREMENT, {"fleet": fleet.name})
    plane_heads = [
        row_template(PLANE_MEASUREMENT, {"fleet": fleet.name, "plane": plane}) for plane in planes
    ]
    return (
        _rows([fleet_head], values, whole, time_ns)
        + _rows(plane_heads, values, plane_of, time_ns)
        + _tenant_rows(fleet, columns, time_ns)
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
    values: Mapping[str, FloatArray], group: IntArray, groups_count: int
) -> FloatArray:
    """Roll-ups (groups, fields) in the order of FIELDS of satellites' channels (n,) by group."""
    return np.column_stack(
        [reduce(values[name], group, groups_count) for name, reduce, _ in FIELDS.values()]
    )


def _rows(
    heads: list[bytes], values: dict[str, FloatArray], group: IntArray, time_ns: int
) -> bytes:
    table = rollup_table(values, group, len(heads))
    no_states = np.zeros((len(heads), 0), dtype=np.int64)
    return encode_rows(heads, LAYOUT, table, no_states, time_ns)


@lru_cache(maxsize=1)
def _columns() -> dict[str, int]:
    """Where each channel stands: +k is float column k-1, -k is state column k-1."""
    floats = [channel.name for channel in BUS_CHANNELS if not channel.is_integer]
    states = [channel.name for channel in BUS_CHANNELS if channel.is_integer]
    wanted = {name for name, _, _ in FIELDS.values()} - {PART}
    return {
        name: floats.index(name) + 1 if name in floats else -states.index(name) - 1
        for name in wanted
    }


@lru_cache(maxsize=4)
def plane_groups(planes: tuple[str, ...]) -> tuple[tuple[str, ...], IntArray]:
    """Plane names in order, and the index of each satellite's plane."""
    names, index = np.unique(np.array(planes), return_inverse=True)
    return tuple(names.tolist()), index.astype(np.int64)
