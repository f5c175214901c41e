"""`twin export`: rows of a store as one Parquet file, written whole or not at all.

Rows are asked for in slices of time, longer or shorter by how many the last one held, and gathered
in a DuckDB file beside the target, so that memory stays bounded. The file gets its name last.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from services.embedded_rows import TAGS
from services.store import Store
from services.stored_rows import RowValues, row_values
from twin.channels import (
    ACCEL_CHANNELS,
    ACCEL_MEASUREMENT,
    BUS_CHANNELS,
    BUS_MEASUREMENT,
    by_name,
)
from twin.errors import ConfigurationError, Problem

SECOND_NS: Final = 1_000_000_000
FIRST_SLICE_S: Final = 10.0
LONGEST_SLICE_S: Final = 86_400.0
HOMES: Final = {one.name: BUS_MEASUREMENT for one in BUS_CHANNELS} | {
    one.name: ACCEL_MEASUREMENT for one in ACCEL_CHANNELS
}
"""Channel -> measurement that it is stored in."""
ROWS_A_SLICE: Final = 20_000  # aimed at; about 100 MB of Python objects


@dataclass(frozen=True)
class ExportOrder:
    """What to export: a fleet, an interval with both ends [ns], channels of one measurement."""

    fleet: str
    start_ns: int
    stop_ns: int
    channels: tuple[str, ...]
    out: Path

    @property
    def measurement(self) -> str:
        """Where the channels are kept."""
        return HOMES[self.channels[0]]


def order_of(
    fleet: str, start_s: float, stop_s: float, channels: Sequence[str], out: Path
) -> ExportOrder:
    """A checked order; times are Unix seconds. Raises ConfigurationError."""
    for name in channels:
        if name not in HOMES:
            raise _wrong("--channels", f"{name!r} is not a channel; docs/channels.md lists them")
    homes = sorted({HOMES[name] for name in channels})
    if len(homes) != 1:
        found = ", ".join(homes) or "none"
        raise _wrong("--channels", f"channels of one measurement; these are of: {found}")
    if not stop_s > start_s:
        raise _wrong("--to", "must be later than --from")
    if not out.parent.is_dir():
        raise _wrong("--out", f"{out.parent} is not a directory")
    unique = tuple(dict.fromkeys(channels))
    return ExportOrder(fleet, _ns(start_s), _ns(stop_s), unique, out)


def _ns(unix_s: float) -> int:
    """Whole microseconds, which is what a float of seconds can carry."""
    return round(unix_s * 1e6) * 1000


def _wrong(key: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem("command line", None, key, message)])


async def export(
    store: Store, order: ExportOrder, on_progress: Callable[[float, int], None]
) -> int:
    """Write the file; how many rows. 0 rows leave no file, and neither does a failure.

    on_progress: share of the interval that is done, and rows so far. Raises
    StoreUnavailableError, ConfigurationError where the file cannot be written.
    """
    work = order.out.with_name(f".{order.out.name}.part{os.getpid()}")
    try:
        work.mkdir()
        try:
            return await _export(store, order, work, on_progress)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise _wrong("--out", f"{order.out}: {error.strerror}") from None


async def _export(
    store: Store, order: ExportOrder, work: Path, on_progress: Callable[[float, int], None]
) -> int:
    count, slice_ns, start_ns = 0, round(FIRST_SLICE_S * SECOND_NS), order.start_ns
    with duckdb.connect(str(work / "rows.duckdb"), config={"threads": 1}) as rows:
        rows.execute(_table(order))
        while start_ns <= order.stop_ns:
            stop_ns = min(start_ns + slice_ns - 1, order.stop_ns)
            found = await row_values(store, order.measurement, order.fleet, start_ns, stop_ns)
            count += _add(rows, order, found)
            if len(found) > ROWS_A_SLICE:
                slice_ns = max(SECOND_NS, slice_ns // 2)
            elif 2 * len(found) <= ROWS_A_SLICE:
                slice_ns = min(round(LONGEST_SLICE_S * SECOND_NS), 2 * slice_ns)
            start_ns = stop_ns + 1
            on_progress((start_ns - order.start_ns) / (order.stop_ns + 1 - order.start_ns), count)
        if count:
            target = str(work / "out.parquet").replace("'", "''")
            sort = ", ".join(["time_ns", *sorted(TAGS)])
            rows.execute(
                f"COPY (SELECT make_timestamp_ns(time_ns) AS time, * FROM rows ORDER BY {sort})"
                f" TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
            )
    if count:
        (work / "out.parquet").replace(order.out)
    return count


def _table(order: ExportOrder) -> str:
    tags = [f'"{name}" VARCHAR' for name in sorted(TAGS)]
    kinds = {True: "BIGINT", False: "DOUBLE"}
    cells = [f'"{name}" {kinds[by_name()[name].is_integer]}' for name in order.channels]
    return f"CREATE TABLE rows (time_ns BIGINT, {', '.join([*tags, *cells])})"


def _add(rows: duckdb.DuckDBPyConnection, order: ExportOrder, found: RowValues) -> int:
    """Rows that have at least one of the channels."""
    wanted = [
        (dict(tags), time_ns, values)
        for (tags, time_ns), values in found.items()
        if any(name in values for name in order.channels)
    ]
    if not wanted:
        return 0
    more = {"time_ns": np.array([time_ns for _, time_ns, _ in wanted], dtype=np.int64)}
    for name in sorted(TAGS):
        more[name] = np.array([tags.get(name) for tags, _, _ in wanted], dtype=object)
    for name in order.channels:
        kind = np.int64 if by_name()[name].is_integer else np.float64
        cells = [values.get(name) for _, _, values in wanted]
        missing = np.array([cell is None for cell in cells])
        data = np.array([0 if cell is None else cell for cell in cells], dtype=kind)
        more[name] = np.ma.masked_array(data, missing)
    rows.register("more", more)
    rows.execute("INSERT INTO rows BY NAME SELECT * FROM more")
    rows.unregister("more")
    return len(wanted)
