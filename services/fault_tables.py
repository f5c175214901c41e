"""The catalogue of faults for people."""

import math

from rich.console import Console
from rich.table import Table

from twin.fault_kinds import FaultKind, fault_kind, fault_kinds

_SECONDS_PER_UNIT = (("y", 31_557_600.0), ("d", 86_400.0), ("h", 3600.0), ("min", 60.0))


def print_faults() -> None:
    """Every kind: id, name, what it is, how long it lasts by default."""
    table = Table("id", "name", "fault", "group", "lasts")
    for kind in fault_kinds().values():
        table.add_row(kind.id, kind.name, kind.title, kind.group, time_text(kind.duration_s))
    Console().print(table)


def print_fault(name: str) -> None:
    """All of one kind. Raises UnknownFaultError."""
    kind = fault_kind(name)
    table = Table(title=f"{kind.id} {kind.name}", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for key, text in _rows(kind):
        table.add_row(key, text)
    Console().print(table)


def _rows(kind: FaultKind) -> list[tuple[str, str]]:
    moves = [f"{channel} {direction}" for channel, direction in kind.moves.items()]
    rows = [
        ("fault", kind.title),
        ("group", kind.group),
        ("cause", kind.cause),
        ("changes", kind.parameter),
        ("severity", f"{kind.severity} (default {kind.default_severity:g})"),
        ("ramp", time_text(kind.ramp_s)),
        ("lasts", time_text(kind.duration_s)),
        ("after it", "heals" if kind.heals else "the damage stays"),
        ("channels", ", ".join(moves)),
        ("source", f"{kind.source} ({kind.confidence})"),
    ]
    return rows + ([("modes", ", ".join(kind.modes))] if kind.modes else [])


def time_text(seconds: float) -> str:
    """`10 min`, `2 h`, `for good`."""
    if math.isinf(seconds):
        return "for good"
    for unit, size in _SECONDS_PER_UNIT:
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
