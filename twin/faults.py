"""Faults of a run: which, on which satellites, from when to when; and what they do at an instant.

    plan (scenario, commands) -> on(fleet) -> effects_at(elapsed_s) -> step

`effects_at` is a pure function: same plan, satellite and instant give the same bytes on any shard.
"""

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from twin.channels import BUS_CHANNELS, by_name
from twin.errors import TwinError
from twin.fault_effects import FaultEffects, SensorEffect, neutral_effects
from twin.fault_kinds import Act, FaultKind, fault_kind
from twin.fault_special import SPECIAL, Changes, Now
from twin.located_yaml import nearest
from twin.noise import uniform
from twin.state import SEE_KINDS, Fleet, FloatArray, IntArray

LONGEST_S: Final = 1e10
"""Ends and ramps beyond this (300 years) count as never."""


class FaultError(TwinError, ValueError):
    """A fault that cannot be: unknown target or channel, a number out of range."""

    exit_code = 78

    def __init__(self, key: str, message: str) -> None:
        self.key, self.message = key, message
        super().__init__(f"{key}: {message}")


@dataclass(frozen=True)
class Fault:
    """One fault. Without targets it is on the whole fleet; targets of several sorts add up."""

    kind: FaultKind
    onset_s: float = 0.0  # after the epoch
    duration_s: float = math.inf
    ramp_s: float = 0.0  # from nothing to `severity`
    severity: float = 1.0  # 0-1, meaning in the catalogue
    satellites: tuple[str, ...] = ()
    planes: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()  # of the scenario: their planes begin with the group's id
    fraction: float = 1.0  # of the targets, chosen by seed
    mode: str = ""  # of kinds that have several; "" = the first
    channel: str = ""  # of sensor faults; "" = the catalogue's
    size: float | None = None  # of sensor faults: stuck value, or bias at severity 1
    id: str = ""  # names it among others of its kind

    def __post_init__(self) -> None:
        """Raises FaultError for numbers out of range, unknown modes and channels."""
        _check_range("severity", self.severity, 0.0, 1.0)
        _check_range("fraction", self.fraction, 0.0, 1.0)
        _check_range("onset_s", self.onset_s, 0.0, LONGEST_S)
        _check_range("ramp_s", self.ramp_s, 0.0, LONGEST_S)
        if not self.duration_s > 0.0:
            raise FaultError("duration_s", f"{self.duration_s!r} is out of range; above 0")
        if self.mode and self.mode not in self.kind.modes:
            allowed = ", ".join(self.kind.modes) or f"{self.kind.id} has none"
            raise FaultError("mode", f"unknown mode {self.mode!r}; allowed: {allowed}")
        self._check_sensor()

    def _check_sensor(self) -> None:
        if self.kind.sensor is None and (self.channel or self.size is not None):
            raise FaultError("channel", f"{self.kind.id} is not a fault of a sensor")
        names = [one.name for one in BUS_CHANNELS if not one.is_integer]
        if self.channel and self.channel not in names:
            close = difflib.get_close_matches(self.channel, names, n=3) or names[:3]
            message = f"no sensor {self.channel!r} on the bus; such as {', '.join(close)}"
            raise FaultError("channel", message)
        if self.size is not None and not math.isfinite(self.size):
            raise FaultError("size", f"{self.size!r} is not a number")

    @property
    def end_s(self) -> float:
        """When it is over, s after the epoch."""
        return self.onset_s + self.duration_s

    def severity_at(self, elapsed_s: float, *, lasting: bool = False) -> float:
        """Severity at an instant [0-1]: a ramp from the onset, 0 before it and after the end.

        What lasts stays as it was at the end. Kinds with levels come in whole steps, at least
        one.
        """
        if elapsed_s < self.onset_s or (elapsed_s >= self.end_s and not lasting):
            return 0.0
        since_s = min(elapsed_s, self.end_s) - self.onset_s
        share = 1.0 if self.ramp_s <= 0.0 else min(since_s / self.ramp_s, 1.0)
        severity = self.severity * share
        levels = self.kind.levels
        return math.ceil(severity * levels - 1e-9) / levels if levels else severity


def planned(kind: str, **changed: object) -> Fault:
    """A fault of a kind with the catalogue's severity, ramp and duration unless changed.

    Raises UnknownFaultError and FaultError.
    """
    found = fault_kind(kind)
    return replace(
        Fault(
            found,
            duration_s=found.duration_s,
            ramp_s=found.ramp_s,
            severity=found.default_severity,
            fraction=found.fraction,
        ),
        **changed,  # type: ignore[arg-type]  # checked by the dataclass's own rules
    )


@dataclass(frozen=True)
class PlacedFault:
    """A fault and the rows of the fleet that it is on."""

    fault: Fault
    rows: IntArray


@dataclass(frozen=True)
class FaultPlan:
    """All faults of one fleet; a value: injecting and healing give another plan."""

    fleet: Fleet
    seed: int
    placed: tuple[PlacedFault, ...] = ()

    @property
    def first_onset_s(self) -> float:
        """When the first fault begins; inf without any."""
        return min((one.fault.onset_s for one in self.placed), default=math.inf)

    def with_fault(self, fault: Fault) -> "FaultPlan":
        """The plan with one more fault on its targets. Raises FaultError for unknown ones."""
        return self.with_fault_on(fault, target_rows(fault, self.fleet))

    def with_fault_on(self, fault: Fault, rows: IntArray) -> "FaultPlan":
        """The plan with one more fault on the fault's fraction of these rows.

        The fraction is drawn per satellite: u(seed, fault, satellite) < fraction, and at least
        the satellite of the smallest draw.
        """
        if fault.fraction < 1.0 and rows.size:
            stream = f"fault_target/{fault.kind.id}/{fault.id}"
            draw = uniform(self.seed, stream, self.fleet.satellite_key[rows], 0)
            rows = rows[(draw < fault.fraction) | (draw == draw.min())]
        return replace(self, placed=(*self.placed, PlacedFault(fault, rows)))

    def is_on(self, kind: FaultKind, rows: IntArray, elapsed_s: float) -> bool:
        """Whether a fault of this kind is on, or still to come, on any of these rows."""
        return any(
            one.fault.kind.id == kind.id
            and one.fault.end_s > elapsed_s
            and bool(np.isin(one.rows, rows).any())
            for one in self.placed
        )

    def healed(self, kind: FaultKind, rows: IntArray, elapsed_s: float) -> "FaultPlan":
        """The plan in which faults of this kind that are on end now, on these rows."""
        placed: list[PlacedFault] = []
        for one in self.placed:
            fault, mine = one.fault, np.isin(one.rows, rows)
            if fault.kind.id != kind.id or fault.end_s <= elapsed_s or not mine.any():
                placed.append(one)
                continue
            if fault.onset_s < elapsed_s:
                ended = replace(fault, duration_s=elapsed_s - fault.onset_s)
                placed.append(PlacedFault(ended, one.rows[mine]))
            if not mine.all():
                placed.append(PlacedFault(fault, one.rows[~mine]))
        return replace(self, placed=tuple(placed))

    def part(self, fleet: Fleet, rows: IntArray) -> "FaultPlan":
        """The same plan for `rows` of the fleet (ascending), the satellites of `fleet`."""
        placed = [
            PlacedFault(one.fault, np.flatnonzero(np.isin(rows, one.rows))) for one in self.placed
        ]
        return FaultPlan(fleet, self.seed, tuple(placed))

    def effects_at(self, elapsed_s: float) -> FaultEffects | None:
        """Effects of all faults at an instant [s after the epoch]; None before the first begins.

        After that never None: what faults leave behind (coolant lost, a turning body) is part of
        the state and goes on.
        """
        if elapsed_s < self.first_onset_s:
            return None
        changes = Changes(neutral_effects(self.fleet.count))
        for one in self.placed:
            _apply(one, Now(self.fleet, self.seed, elapsed_s), changes)
        return changes.effects()


def plan_faults(faults: Iterable[Fault], fleet: Fleet, seed: int) -> FaultPlan:
    """The plan of these faults on a fleet. Raises FaultError for targets that do not exist."""
    plan = FaultPlan(fleet, seed)
    for fault in faults:
        plan = plan.with_fault(fault)
    return plan


def target_rows(fault: Fault, fleet: Fleet) -> IntArray:
    """Rows that a fault names, ascending; all without a name.

    Raises FaultError for a name that is not in the fleet.
    """
    named = bool(fault.satellites or fault.planes or fault.presets or fault.groups)
    chosen = np.full(fleet.count, not named)
    for key, names, wanted in (
        ("satellites", fleet.satellite_ids, fault.satellites),
        ("planes", fleet.planes, fault.planes),
        ("presets", fleet.presets, fault.presets),
    ):
        for name in wanted:
            here = np.array([one == name for one in names])
            if not here.any():
                _fail_unknown(key, name, fleet, names)
            chosen |= here
    for name in fault.groups:
        here = np.array([one == name or one.startswith(f"{name}_") for one in fleet.planes])
        if not here.any():
            _fail_unknown("groups", name, fleet, fleet.planes)
        chosen |= here
    return np.flatnonzero(chosen)


def _fail_unknown(key: str, name: str, fleet: Fleet, names: tuple[str, ...]) -> None:
    known = sorted(set(names))
    hint = nearest(name, known) if len(known) <= 12 else f"{len(known)} are there, as {known[0]!r}"
    raise FaultError(key, f"no {name!r} in {fleet.name}; {hint}")


def _check_range(key: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise FaultError(key, f"{value!r} is out of range; allowed {low:g} to {high:g}")


def _apply(placed: PlacedFault, now: Now, changes: Changes) -> None:
    """Lay one fault over the effects of those before it."""
    fault, kind = placed.fault, placed.fault.kind
    mode = fault.mode or (kind.modes[0] if kind.modes else "")
    for act in kind.acts:
        severity = fault.severity_at(now.elapsed_s, lasting=act.lasting)
        if severity > 0.0 and act.mode in {"", mode}:
            _act(act, severity, placed.rows, changes)
    severity = fault.severity_at(now.elapsed_s)
    if severity <= 0.0:
        return
    if kind.special:
        since_s = now.elapsed_s - fault.onset_s
        SPECIAL[kind.special](changes, placed.rows, severity, since_s, fault.duration_s, now)
    if kind.sensor is not None:
        changes.sensors.append(_sensor_effect(fault, severity, placed.rows, now))


def _act(act: Act, severity: float, rows: IntArray, changes: Changes) -> None:
    array = changes.array(act.effect)
    where = (rows, SEE_KINDS.index(act.event)) if act.event else (rows,)
    if act.law == "add":
        array[where] += severity * act.at_full
    elif act.law == "scale":
        array[where] *= 1.0 + severity * (act.at_full - 1.0)
    elif act.law == "decades":
        array[where] += act.at_none * (act.at_full / act.at_none) ** severity
    else:
        array[where] = act.law == "flag"


def _sensor_effect(fault: Fault, severity: float, rows: IntArray, now: Now) -> SensorEffect:
    sensor = fault.kind.sensor
    assert sensor is not None
    name, count = fault.channel or sensor.channel, now.fleet.count
    stuck: FloatArray = np.full(count, np.nan)
    bias: FloatArray = np.zeros(count)
    if sensor.fault == "bias":
        full = sensor.at_full if fault.size is None else fault.size
        bias[rows] = severity * full
    elif fault.size is not None:
        stuck[rows] = fault.size
    else:
        low, high = _code_range(name)
        draw = uniform(now.seed, f"stuck/{name}", now.fleet.satellite_key[rows], 0)
        stuck[rows] = low + (high - low) * draw
    return SensorEffect(name, stuck, bias)


def _code_range(name: str) -> tuple[float, float]:
    """Where a stuck converter's code may lie: between the limits if there are two, else the range
    that the channel is made for, at most 0-400 of its unit."""
    channel = by_name()[name]
    low = channel.low if channel.low is not None else 0.0
    high = channel.high if channel.high is not None else 100.0
    return max(low, -100.0), min(high, 400.0)
