"""What a drill demands of the rules, as plain values; twin/drills.py judges by it."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Firing:
    """One alert instance from firing to resolved; `to_s` is inf while it fires."""

    rule: str
    key: str  # satellite, plane, fleet or part of the pipeline
    from_s: float
    to_s: float = math.inf


@dataclass(frozen=True)
class RuleFacts:
    """What the score asks of a rule."""

    name: str
    severity: str
    cause: str
    window_s: float
    for_s: float

    @property
    def pages(self) -> bool:
        """Whether it wakes somebody."""
        return self.severity == "critical"


@dataclass(frozen=True)
class Expected:
    """A rule that must fire on these keys between two instants of the run."""

    rule: str
    of: str
    keys: tuple[str, ...]
    onset_s: float
    after_s: float
    within_s: float
    severity: str | None = None
    cause: str | None = None
    true_s: float | None = None  # when its condition is true, where the drill states it


@dataclass(frozen=True)
class Clearing:
    """A rule that must have resolved on these keys by an instant of the run."""

    rule: str
    of: str
    keys: tuple[str, ...]
    end_s: float
    within_s: float


@dataclass(frozen=True)
class Named:
    """A rule on these keys (all when empty) and the reason it is named."""

    rule: str
    keys: tuple[str, ...]
    reason: str

    def covers(self, one: Firing) -> bool:
        """Whether it is this rule on one of these keys."""
        return one.rule == self.rule and (not self.keys or one.key in self.keys)


@dataclass(frozen=True)
class Plan:
    """A drill with its targets looked up in the fleet."""

    quiet_s: float
    run_s: float
    interval_s: float  # between evaluations, or between reports where those are rarer
    expected: tuple[Expected, ...] = ()
    clearing: tuple[Clearing, ...] = ()
    forbidden: tuple[Named, ...] = ()
    allowed: tuple[Named, ...] = ()
