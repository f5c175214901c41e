"""Telemetry as the alert rules need it: the fields they read, of every series, in arrays.

Batches were checked before (`lanes.py`); here their rows become blocks of numbers. A series is a
satellite, a plane or a fleet; it gets a row when it is first heard, and keeps it. What no rule
reads is not parsed. Everything is bounded: series, heads, and the blocks that wait.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.console.lines import LineReader, RowGroups, lines_of, parse_head, split_line
from twin.channels import BUS_MEASUREMENT, FLEET_MEASUREMENT, PLANE_MEASUREMENT
from twin.state import FloatArray, IntArray

SERIES_LIMIT = 50_000
HEADS_LIMIT = 200_000
SERIES_TAG = {BUS_MEASUREMENT: "sat", PLANE_MEASUREMENT: "plane", FLEET_MEASUREMENT: "fleet"}
"""Tag that names a series, of the measurements that come over MQTT."""


@dataclass(frozen=True)
class Block:
    """Rows of one measurement that have the same fields."""

    measurement: str
    columns: tuple[int, ...]  # of the measurement's wanted fields
    rows: IntArray  # (r,) series
    times_ns: IntArray  # (r,)
    values: FloatArray  # (r, len(columns))


@dataclass
class Series:
    """The series of one measurement, in the order in which they were first heard."""

    fields: tuple[str, ...]
    names: list[str] = field(default_factory=list)
    planes: list[str] = field(default_factory=list)  # of satellites; empty text for others
    row_of: dict[str, int] = field(default_factory=dict)

    def admit(self, name: str, plane: str) -> int | None:
        """Row of a series, new or known; None when there is no room."""
        row = self.row_of.get(name)
        if row is None and len(self.names) < SERIES_LIMIT:
            row = self.row_of[name] = len(self.names)
            self.names.append(name)
            self.planes.append(plane)
        return row


class FleetRows:
    """Reads the rows of one fleet."""

    def __init__(self, wanted: Mapping[str, Sequence[str]]) -> None:
        """wanted: measurement -> fields that rules read."""
        self.series = {
            measurement: Series(tuple(fields))
            for measurement, fields in wanted.items()
            if measurement in SERIES_TAG
        }
        self._readers = {name: LineReader(one.fields) for name, one in self.series.items()}
        self._heads: dict[bytes, tuple[str, int] | None] = {}
        self.rejected = 0

    def read(self, body: bytes) -> list[Block]:
        """The blocks of a batch's body; rows that nobody reads, or can, are left out."""
        groups: dict[str, RowGroups] = {}
        for line in lines_of(body):
            head, rest = split_line(line)
            try:
                place = self._heads[head] if head in self._heads else self._register(head)
                if place is None:
                    continue
                measurement, row = place
                columns, values, time_ns = self._readers[measurement].read(rest)
            except (ValueError, UnicodeDecodeError):
                self.rejected += 1
                continue
            groups.setdefault(measurement, RowGroups()).add(row, columns, values, time_ns)
        return [
            Block(measurement, columns, rows, times_ns, values)
            for measurement, one in groups.items()
            for columns, rows, times_ns, values in one.arrays()
        ]

    def _register(self, head: bytes) -> tuple[str, int] | None:
        parsed = parse_head(head)
        place: tuple[str, int] | None = None
        series = self.series.get(parsed.measurement)
        if series is not None:
            name = parsed.tags.get(SERIES_TAG[parsed.measurement], "")
            row = series.admit(name, parsed.tags.get("plane", "")) if name else None
            if row is None:
                raise ValueError("a row of no series, or too many series")
            place = (parsed.measurement, row)
        if len(self._heads) < HEADS_LIMIT:
            self._heads[head] = place
        return place
