"""Which rows are kept how long: roll-ups over a minute have a database of their own.

InfluxDB keeps by database what all versions keep alike (retention policies are not read back in
3.x by their short name), so one database is one length. Rows are told apart by their measurement.
"""

from typing import NamedTuple

from twin.channels import MINUTE_MEASUREMENTS

PREFIXES = tuple(f"{name},".encode() for name in MINUTE_MEASUREMENTS)


class ByLength(NamedTuple):
    """Lines for the database of reports, and for the one of minutes."""

    reports: bytes
    minutes: bytes


def by_length(lines: bytes) -> ByLength:
    """Rows of line protocol by how long they are kept; most requests hold no minutes."""
    if not _has_minutes(lines):
        return ByLength(lines, b"")
    parts: tuple[list[bytes], list[bytes]] = ([], [])
    for line in lines.splitlines(keepends=True):
        parts[line.startswith(PREFIXES)].append(line)
    return ByLength(b"".join(parts[0]), b"".join(parts[1]))


def _has_minutes(lines: bytes) -> bool:
    """From row to row: searching all values for a measurement's name takes six times as long."""
    begin = 0
    while begin < len(lines):
        if lines.startswith(PREFIXES, begin):
            return True
        begin = lines.find(b"\n", begin) + 1 or len(lines)
    return False


def is_minute(measurement: str) -> bool:
    """Whether rows of this measurement are in the database of minutes."""
    return measurement in MINUTE_MEASUREMENTS
