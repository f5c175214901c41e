"""Line protocol into columns, for the embedded store.

InfluxDB parses its own rows; this reader is only for rows that our ingester has checked. It
knows tags and fields without escapes (our identifiers never need any) and refuses the rest.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np


class LineProtocolError(ValueError):
    """A row this reader does not understand."""


@dataclass
class Columns:
    """Rows of one measurement that have the same tags and fields, by column."""

    tags: dict[str, list[str]] = field(default_factory=dict)
    fields: dict[str, list[bytes]] = field(default_factory=dict)
    time_ns: list[int] = field(default_factory=list)

    def arrays(self) -> dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]:
        """One array per column: time, tags as text, fields as int64 (suffix i) or float64."""
        table: dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]] = {
            "time": np.array(self.time_ns, dtype=np.int64)
        }
        table |= {name: np.array(values, dtype=object) for name, values in self.tags.items()}
        for name, cells in self.fields.items():
            table[name] = _numbers(cells)
        return table


def _numbers(cells: list[bytes]) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    try:
        if cells[0].endswith(b"i"):
            return np.array([int(cell[:-1]) for cell in cells], dtype=np.int64)
        return np.array(cells, dtype="S32").astype(np.float64)
    except ValueError as error:
        raise LineProtocolError(f"not a number: {error}") from None


def read_rows(body: bytes) -> dict[str, list[Columns]]:
    """Columns by measurement; rows with unlike fields of one measurement stand apart.

    Raises LineProtocolError for a row without fields, stamp or with escapes.
    """
    groups: dict[tuple[bytes, bytes], Columns] = {}
    for line in body.splitlines():
        if not line or line.startswith(b"#"):
            continue
        parts = line.split(b" ")
        if len(parts) != 3 or b"\\" in line or b'"' in line:
            raise LineProtocolError(f"unreadable row {line[:80]!r}")
        head, fields, stamp = parts
        names, values = _pairs(fields)
        tag_names, tag_values = _pairs(head.partition(b",")[2])
        key = head.partition(b",")[0], b",".join([*tag_names, b" ", *names])
        columns = groups.setdefault(key, Columns())
        _append(columns, tag_names, tag_values, names, values)
        columns.time_ns.append(int(stamp))
    by_measurement: dict[str, list[Columns]] = defaultdict(list)
    for (measurement, _), columns in groups.items():
        by_measurement[measurement.decode()].append(columns)
    return by_measurement


def _pairs(text: bytes) -> tuple[list[bytes], list[bytes]]:
    """Names and values of `a=1,b=2`."""
    if not text:
        return [], []
    flat = text.replace(b",", b"=").split(b"=")
    if len(flat) % 2:
        raise LineProtocolError(f"unreadable pairs {text[:80]!r}")
    return flat[::2], flat[1::2]


def _append(
    columns: Columns,
    tag_names: list[bytes],
    tag_values: list[bytes],
    names: list[bytes],
    values: list[bytes],
) -> None:
    if not columns.time_ns:
        columns.tags = {name.decode(): [] for name in tag_names}
        columns.fields = {name.decode(): [] for name in names}
    for store, value in zip(columns.tags.values(), tag_values, strict=True):
        store.append(value.decode())
    for cells, value in zip(columns.fields.values(), values, strict=True):
        cells.append(value)
