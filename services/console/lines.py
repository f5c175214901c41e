"""Line protocol read for the live picture: few fields of every line, quickly.

A publisher writes the fields of a measurement in the same order again and again, so the order
is learned once as a compiled pattern (`Layout`); a matching line then costs one match and a
handful of floats. Everything else of a line is kept as bytes and parsed when somebody looks.
Grammar: InfluxDB line protocol, https://docs.influxdata.com (v1 and v2 agree).
"""

import math
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from twin.state import IntArray

ID_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")
"""Satellite ids as the whole system writes them (design.md section 6)."""

TEXT_PATTERN = re.compile(r"[\w .,:;/+()#&'\[\]@-]{0,96}\Z")
"""Names, planes and presets: printable, short, no markup."""

FIELD = re.compile(rb'([^=,\s]+)=("(?:[^"\\]|\\.)*"|[^,\s"]+)')
LAYOUTS_KEPT = 32
BACKSLASH = 0x5C


@dataclass(frozen=True)
class Head:
    """Measurement and tags of one line."""

    measurement: str
    tags: dict[str, str]


def split_line(line: bytes) -> tuple[bytes, bytes]:
    """Head (measurement and tags) and the rest (fields and timestamp) of one line."""
    place = line.find(b" ")
    while place > 0 and line[place - 1] == BACKSLASH:
        place = line.find(b" ", place + 1)
    return (line, b"") if place < 0 else (line[:place], line[place + 1 :])


def parse_head(head: bytes) -> Head:
    """Tags of a line's head; ValueError when it is not a head."""
    measurement, *pairs = re.split(r"(?<!\\),", head.decode("utf-8"))
    tags = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError("tag without a value")
        tags[key] = re.sub(r"\\([ ,=\\])", r"\1", value)
    return Head(measurement, tags)


def parse_number(text: bytes) -> float:
    """A field's value; NaN for what is not a number (text, or a sensor that is lost)."""
    if text.endswith((b"i", b"u")):
        text = text[:-1]
    if text in (b"t", b"T", b"true", b"True", b"TRUE"):
        return 1.0
    if text in (b"f", b"F", b"false", b"False", b"FALSE"):
        return 0.0
    try:
        return float(text)
    except ValueError:
        return math.nan


def parse_fields(rest: bytes) -> tuple[dict[str, float], int]:
    """All fields of the rest of a line, and its timestamp [ns]; ValueError when malformed."""
    fields, _, stamp = rest.rpartition(b" ")
    pairs = FIELD.findall(fields)
    if not pairs:
        raise ValueError("no fields")
    return {name.decode("utf-8"): parse_number(value) for name, value in pairs}, int(stamp)


class Layout:
    """One order of fields, and where the wanted ones stand in it."""

    def __init__(self, rest: bytes, wanted: Sequence[str]) -> None:
        names = [name.decode("utf-8") for name, _ in FIELD.findall(rest.rpartition(b" ")[0])]
        if not names:
            raise ValueError("no fields")
        place = {name: index for index, name in enumerate(wanted)}
        groups: list[int] = []
        parts = []
        for name in names:
            taken = name in place and place[name] not in groups
            parts.append(re.escape(name) + ("=([-+.0-9eE]+)i?" if taken else '=[^,\\s"]*'))
            if taken:
                groups.append(place[name])
        self.columns = tuple(groups)
        self._match = re.compile((",".join(parts) + r" (\d+)").encode()).fullmatch

    def read(self, rest: bytes) -> tuple[bytes, ...] | None:
        """Values of `columns` and the timestamp as text, or None: another order."""
        found = self._match(rest)
        return None if found is None else found.groups()


class LineReader:
    """Reads the wanted fields of many lines, remembering the last few layouts."""

    def __init__(self, wanted: Sequence[str]) -> None:
        self.wanted = tuple(wanted)
        self._layouts: OrderedDict[bytes, Layout] = OrderedDict()
        self._last: Layout | None = None

    def read(self, rest: bytes) -> tuple[tuple[int, ...], list[float], int]:
        """Columns, their values and the timestamp [ns] of one line; ValueError if malformed."""
        layout = self._last
        found = layout.read(rest) if layout is not None else None
        if found is None or layout is None:
            layout = self._layout(rest)
            found = layout.read(rest)
            if found is None:
                return self._slowly(rest)
            self._last = layout
        return layout.columns, [float(text) for text in found[:-1]], int(found[-1])

    def _layout(self, rest: bytes) -> Layout:
        key = b",".join(name for name, _ in FIELD.findall(rest.rpartition(b" ")[0]))
        layout = self._layouts.get(key)
        if layout is None:
            layout = self._layouts[key] = Layout(rest, self.wanted)
            if len(self._layouts) > LAYOUTS_KEPT:
                self._layouts.popitem(last=False)
        else:
            self._layouts.move_to_end(key)
        return layout

    def _slowly(self, rest: bytes) -> tuple[tuple[int, ...], list[float], int]:
        values, time_ns = parse_fields(rest)
        taken = [(i, values[name]) for i, name in enumerate(self.wanted) if name in values]
        return tuple(i for i, _ in taken), [value for _, value in taken], time_ns


class RowGroups:
    """Rows that have the same wanted fields, gathered until they become arrays."""

    def __init__(self) -> None:
        self._groups: dict[tuple[int, ...], tuple[list[int], list[int], list[list[float]]]] = {}

    def add(self, row: int, columns: tuple[int, ...], values: list[float], time_ns: int) -> None:
        """One line as `LineReader.read` gives it, of series number `row`."""
        rows, times_ns, table = self._groups.setdefault(columns, ([], [], []))
        rows.append(row)
        times_ns.append(time_ns)
        table.append(values)

    def arrays(
        self, dtype: DTypeLike = np.float64
    ) -> Iterator[tuple[tuple[int, ...], IntArray, IntArray, np.ndarray[Any, Any]]]:
        """Columns, rows (r,), times [ns] (r,) and values (r, c) of each group."""
        for columns, (rows, times_ns, table) in self._groups.items():
            values = np.array(table, dtype).reshape(len(rows), len(columns))
            yield columns, np.array(rows), np.array(times_ns), values


def lines_of(payload: bytes) -> Iterator[bytes]:
    """Lines that carry data: no blanks, no comments."""
    for line in payload.split(b"\n"):
        if line and not line.startswith(b"#"):
            yield line
