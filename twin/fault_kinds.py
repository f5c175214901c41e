"""The catalogue of faults as data: `fault_catalogue/*.yaml`, one row per kind.

A row says what breaks (cause, parameter), how far (severity 0-1), for how long, which effects of
`twin/fault_effects.py` it changes (acts), which channels must move and where that is known from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

from twin.errors import TwinError
from twin.located_yaml import nearest

Law = Literal["add", "scale", "decades", "flag", "unset"]
"""How severity s changes an effect: + s a; * (1 + s (a - 1)); + b (a / b)^s; True; False."""

Direction = Literal["up", "down", "changes", "stuck", "lost"]


class UnknownFaultError(TwinError, ValueError):
    """A kind of fault that is not in the catalogue."""

    exit_code = 2


@dataclass(frozen=True)
class Act:
    """One effect that a fault changes."""

    effect: str
    law: Law
    at_full: float = 0.0  # at severity 1
    at_none: float = 0.0  # at severity 0, law `decades` only
    event: str = ""  # which of SEE_KINDS, for event_rate_per_s
    mode: str = ""  # only in this mode of the fault; "" = always
    lasting: bool = False  # stays when the fault is over


@dataclass(frozen=True)
class SensorAct:
    """What a fault does to one sensor type."""

    channel: str
    fault: Literal["stuck", "bias"]
    at_full: float = 0.0  # bias at severity 1, in the channel's unit


@dataclass(frozen=True)
class Demo:
    """How the fault is shown and tried: a run [s] with the fault in it, on one orbit."""

    run_s: float
    onset_s: float
    step_s: float
    ramp_s: float
    duration_s: float
    severity: float
    orbit: str  # "dawn" or "noon"
    also: tuple[str, ...] = ()  # channels shown beside: far consequences, or what must not move


@dataclass(frozen=True)
class FaultKind:
    """One row of the catalogue."""

    id: str
    name: str
    title: str
    group: str
    cause: str
    parameter: str
    severity: str
    default_severity: float
    ramp_s: float
    duration_s: float
    fraction: float
    moves: Mapping[str, Direction]
    source: str
    confidence: str
    demo: Demo
    acts: tuple[Act, ...] = ()
    special: str = ""
    sensor: SensorAct | None = None
    modes: tuple[str, ...] = ()
    levels: int = 0  # severity comes in so many steps; 0 = continuous
    heals: bool = True


@cache
def fault_kinds() -> Mapping[str, FaultKind]:
    """Every kind by its id, in the order of the catalogue."""
    folder = resources.files("twin").joinpath("fault_catalogue")
    files = sorted(
        (one for one in folder.iterdir() if one.name.endswith(".yaml")), key=lambda one: one.name
    )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    groups = [yaml.load(one.read_text("utf-8"), Loader=loader) for one in files]
    kinds = [_kind(row, group["group"]) for group in groups for row in group["kinds"]]
    return {kind.id: kind for kind in kinds}


def fault_kind(name: str) -> FaultKind:
    """A kind by id (`T1`) or name (`pump-failure`). Raises UnknownFaultError with a hint."""
    kinds = fault_kinds()
    for kind in kinds.values():
        if name.lower() in {kind.id.lower(), kind.name}:
            return kind
    names = [word for kind in kinds.values() for word in (kind.id, kind.name)]
    raise UnknownFaultError(f"unknown fault {name!r}; {nearest(name, names)}")


def _kind(row: Mapping[str, Any], group: str) -> FaultKind:
    defaults = row["defaults"]
    return FaultKind(
        id=row["id"],
        name=row["name"],
        title=row["title"],
        group=group,
        cause=row["cause"],
        parameter=row["parameter"],
        severity=row["severity"],
        default_severity=float(defaults["severity"]),
        ramp_s=float(defaults["ramp_s"]),
        duration_s=float(defaults["duration_s"]),
        fraction=float(defaults.get("fraction", 1.0)),
        moves=row["moves"],
        source=str(row["source"]),
        confidence=row["confidence"],
        demo=_demo(row["demo"], defaults),
        acts=tuple(Act(**act) for act in row.get("acts", ())),
        special=row.get("special", ""),
        sensor=SensorAct(**row["sensor"]) if "sensor" in row else None,
        modes=tuple(row.get("modes", ())),
        levels=row.get("levels", 0),
        heals=row.get("heals", True),
    )


def _demo(row: Mapping[str, Any], defaults: Mapping[str, Any]) -> Demo:
    return Demo(
        run_s=float(row["run_s"]),
        onset_s=float(row["onset_s"]),
        step_s=float(row["step_s"]),
        ramp_s=float(row.get("ramp_s", defaults["ramp_s"])),
        duration_s=float(row.get("duration_s", defaults["duration_s"])),
        severity=float(row.get("severity", defaults["severity"])),
        orbit=row.get("orbit", "dawn"),
        also=tuple(row.get("also", ())),
    )
