"""Line protocol into columns, for the embedded store.

InfluxDB parses its own rows; this reader is only for rows that our ingester has checked and for
those that our own services write (ops, alerts, events). It knows tags without escapes (our
identifiers never need any), numbers, and text in double quotes; it refuses the rest.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

_NAME, _VALUE = rb'[^ "=,\\]+', rb'(?:"(?:[^"\\]|\\.)*"|[^ "=,\\]+)'
_PAIR = _NAME + b"=" + _VALUE
TEXT_FIELD = re.compile(b"(%b)=(%b)" % (_NAME, _VALUE))
TEXT_ROW = re.compile(rb'([^ "\\]+) ((?:%b,)*%b) (-?[0-9]+)' % (_PAIR, _PAIR))
ESCAPED = re.compile(r"\\([\\\"])")


class LineProtocolError(ValueError):
    """A row this reader does not understand."""


@dataclass
class Columns:
    """Rows of one measurement that have the same tags and fields, by column."""

    tags: dict[str, list[str]] = field(default_factory=dict)
    fields: dict[str, list[bytes]] = field(default_factory=dict)
    time_ns: list[int] = field(default_factory=list)

    def arrays(self) -> dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]:
        """One array per column: time, tags, fields as int64 (suffix i), float64 or text."""
        table: dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]] = {
            "time": np.array(self.time_ns, dtype=np.int64)
        }
        table |= {name: np.array(values, dtype=object) for name, values in self.tags.items()}
        for name, cells in self.fields.items():
            table[name] = _values(cells)
        return table


def _values(cells: list[bytes]) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    try:
        if cells[0].startswith(b'"'):
            return np.array([_text(cell) for cell in cells], dtype=object)
        if cells[0].endswith(b"i"):
            return np.array([int(cell[:-1]) for cell in cells], dtype=np.int64)
        return np.array(cells, dtype="S32").astype(np.float64)
    except ValueError as error:
        raise LineProtocolError(f"not a number: {error}") from None


def _text(cell: bytes) -> str:
    if not cell.startswith(b'"'):
        raise ValueError(f"{cell[:40]!r} among text")
    return ESCAPED.sub(r"\1", cell[1:-1].decode())


def read_rows(body: bytes) -> dict[str, list[Columns]]:
    """Columns by measurement; rows with unlike fields of one measurement stand apart.

    Raises LineProtocolError for a row without fields, stamp or with escapes.
    """
    groups: dict[tuple[bytes, bytes], Columns] = {}
    for line in body.splitlines():
        if not line or line.startswith(b"#"):
            continue
        head, names, values, stamp = _parts(line)
        tag_names, tag_values = _pairs(head.partition(b",")[2])
        key = head.partition(b",")[0], b",".join([*tag_names, b" ", *names])
        columns = groups.setdefault(key, Columns())
        _append(columns, tag_names, tag_values, names, values)
        columns.time_ns.append(_stamp(stamp))
    by_measurement: dict[str, list[Columns]] = defaultdict(list)
    for (measurement, _), columns in groups.items():
        by_measurement[measurement.decode()].append(columns)
    return by_measurement


def _stamp(text: bytes) -> int:
    try:
        return int(text)
    except ValueError:
        raise LineProtocolError(f"not a time: {text[:40]!r}") from None


def _parts(line: bytes) -> tuple[bytes, list[bytes], list[bytes], bytes]:
    """Head, names and values of the fields, and the stamp of a row."""
    if b'"' in line:
        found = TEXT_ROW.fullmatch(line)
        if found is None:
            raise LineProtocolError(f"unreadable row {line[:80]!r}")
        pairs = TEXT_FIELD.findall(found[2])
        return found[1], [name for name, _ in pairs], [value for _, value in pairs], found[3]
    parts = line.split(b" ")
    if len(parts) != 3 or b"\\" in line:
        raise LineProtocolError(f"unreadable row {line[:80]!r}")
    head, fields, stamp = parts
    names, values = _pairs(fields)
    return head, names, values, stamp


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
