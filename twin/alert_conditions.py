"""What a rule asks of telemetry: readings, arithmetic on them, thresholds. One form, two uses.

A Condition is data. `dashboards/rules_influxql.py` renders it to InfluxQL for Grafana and
`twin/alert_arrays.py` evaluates it on arrays; both give the same verdict on the same rows.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from twin.channels import (
    BUS_MEASUREMENT,
    FLEET_MEASUREMENT,
    PLANE_MEASUREMENT,
    by_name,
)

Reducer = Literal["last", "first", "min", "max", "mean", "spread", "count"]
Sign = Literal["+", "-", "*", "/"]
LimitName = Literal["warning_low", "warning_high", "critical_low", "critical_high"]

WATCH_MEASUREMENT: Final = "sat_watch"
"""Per satellite `age_s` (since its newest report) and `late_s` (overdue), written by the watch:
a satellite that says nothing cannot be queried."""

FLEET_WATCH_MEASUREMENT: Final = "fleet_watch"
"""Per fleet `silent_count` of `reachable_count` satellites, written by the watch: those that said
nothing for too long, and those that could send."""

BREACH_MEASUREMENT: Final = "sat_breach"
"""Per rule and satellite in breach `v`, the value that is compared, written by the watch at every
instant it judges: what a large fleet's rules ask instead of every satellite's telemetry."""

OPS_MEASUREMENT: Final = "ops"
"""What the services count of themselves, one series per process."""

TAGS: Final[dict[str, tuple[str, ...]]] = {
    BUS_MEASUREMENT: ("fleet", "plane", "sat"),
    WATCH_MEASUREMENT: ("fleet", "plane", "sat"),
    PLANE_MEASUREMENT: ("fleet", "plane"),
    FLEET_MEASUREMENT: ("fleet",),
    FLEET_WATCH_MEASUREMENT: ("fleet",),
    OPS_MEASUREMENT: ("service", "instance"),
}
"""What tells the series of a measurement apart: the labels of an alert."""


class Expression:
    """Arithmetic over readings; a tree of Reading, Number and Operation."""

    def __add__(self, other: "Expression | float") -> "Operation":
        return Operation("+", self, _expression(other))

    def __sub__(self, other: "Expression | float") -> "Operation":
        return Operation("-", self, _expression(other))

    def __mul__(self, other: "Expression | float") -> "Operation":
        return Operation("*", self, _expression(other))

    def __truediv__(self, other: "Expression | float") -> "Operation":
        return Operation("/", self, _expression(other))

    def __rmul__(self, other: float) -> "Operation":
        return Operation("*", Number(other), self)

    def __rsub__(self, other: float) -> "Operation":
        return Operation("-", Number(other), self)

    def readings(self) -> Iterator["Reading"]:
        """Every reading in the tree, left to right."""
        return iter(())


@dataclass(frozen=True)
class Number(Expression):
    """A constant of the arithmetic, a unit conversion for instance; never a threshold."""

    value: float


@dataclass(frozen=True)
class Reading(Expression):
    """One field of one series over the window: the newest value, the smallest, how many."""

    field: str
    reducer: Reducer

    @property
    def label(self) -> str:
        """Its name inside a query."""
        return f"{self.reducer}_{self.field}"

    def readings(self) -> Iterator["Reading"]:
        """Itself."""
        yield self


@dataclass(frozen=True)
class Operation(Expression):
    """Two expressions joined; x / 0 is 0, as InfluxQL has it."""

    sign: Sign
    left: Expression
    right: Expression

    def readings(self) -> Iterator[Reading]:
        """Those of both sides."""
        yield from self.left.readings()
        yield from self.right.readings()


def _expression(value: Expression | float) -> Expression:
    return value if isinstance(value, Expression) else Number(float(value))


def last(field: str) -> Reading:
    """The newest value in the window."""
    return Reading(field, "last")


def growth(field: str) -> Operation:
    """How much a counter grew over the window; negative where its process began again."""
    return Reading(field, "last") - Reading(field, "first")


@dataclass(frozen=True)
class Threshold:
    """A number to compare with, and where it is from; `limit_of` takes it from the dictionary."""

    value: float
    source: str
    channel: str = ""
    limit: LimitName | None = None


def limit_of(channel: str, limit: LimitName) -> Threshold:
    """A limit of the channel dictionary.

    Raises ValueError where the dictionary has none: a rule must not invent it.
    """
    found: float | None = getattr(by_name()[channel].limits, limit)
    if found is None:
        raise ValueError(f"{channel} has no {limit} in the dictionary")
    return Threshold(found, f"dictionary: {limit} of {channel}", channel, limit)


@dataclass(frozen=True)
class Comparison:
    """Holds where the value is above `above` or below `below`; nan (nothing known) holds never."""

    value: Expression
    above: Threshold | None = None
    below: Threshold | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a comparison with nothing, or one that always holds."""
        if self.above is None and self.below is None:
            raise ValueError("a comparison needs a threshold")
        if self.above and self.below and not self.below.value <= self.above.value:
            raise ValueError(f"below {self.below.value:g} or above {self.above.value:g} is always")


@dataclass(frozen=True)
class Condition:
    """When a rule's condition is true, per series of a measurement.

    `value` over the last `window_s` breaches `above` or `below` while every comparison of `when`
    holds. `clear`, where given, is the looser threshold that ends an alert (hysteresis): between
    both an alert stays as it is. `breach_only` False reports every series that has a value, so that
    no series at all means that nobody reports: for rules that ask whether there is telemetry.
    """

    measurement: str
    value: Expression
    above: Threshold | None = None
    below: Threshold | None = None
    clear: Threshold | None = None
    when: tuple[Comparison, ...] = ()
    window_s: float = 120.0
    breach_only: bool = True

    def __post_init__(self) -> None:
        """Raises ValueError for thresholds that contradict each other and empty windows."""
        Comparison(self.value, self.above, self.below)
        if self.measurement not in TAGS or not (
            self.window_s > 0.0 and math.isfinite(self.window_s)
        ):
            raise ValueError(
                f"no such measurement or window: {self.measurement}, {self.window_s:g}"
            )
        if self.clear is None:
            return
        if self.above and self.below:
            raise ValueError("clear needs one threshold, not two")
        if self.above and not self.clear.value <= self.above.value:
            raise ValueError(f"clear {self.clear.value:g} is beyond above {self.above.value:g}")
        if self.below and not self.clear.value >= self.below.value:
            raise ValueError(f"clear {self.clear.value:g} is beyond below {self.below.value:g}")

    @property
    def fires(self) -> Comparison:
        """The comparison that starts an alert."""
        return Comparison(self.value, self.above, self.below)

    @property
    def stays(self) -> Comparison:
        """The comparison that keeps one: `fires`, or beyond `clear`. Others are not reported."""
        if self.clear is None:
            return self.fires
        return Comparison(
            self.value, self.clear if self.above else None, self.clear if self.below else None
        )

    def readings(self) -> tuple[Reading, ...]:
        """Every different reading of value and `when`, in order of appearance."""
        found = [*self.value.readings(), *(one for c in self.when for one in c.value.readings())]
        return tuple(dict.fromkeys(found))
