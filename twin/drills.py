"""The score of a drill: what fired, against what should have. Pure: times in, marks out.

    drill (twin/drill_load.py) + what happened (services/drill_run.py) -> score -> report

The same for a run off line and for one against live servers: only firings and instants are asked.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np

from twin.drill_demands import Clearing, Expected, Firing, Named, Plan, RuleFacts

__all__ = [
    "Clearing",
    "Detection",
    "Expected",
    "Firing",
    "Named",
    "Plan",
    "Recovery",
    "RuleFacts",
    "Score",
    "firings_of",
    "score",
]

Outcome = Literal["seen", "late", "early", "missed"]
_SLACK_S: Final = 1e-6  # of times that are sums of steps


@dataclass(frozen=True)
class Detection:
    """One expected alert on one key; times of the run, nan for what did not happen."""

    rule: str
    key: str
    of: str
    outcome: Outcome
    onset_s: float
    true_s: float  # when the condition became physically true
    fired_s: float
    delay_s: float  # fired after true
    bound_s: float  # window + for + one evaluation
    misrouted: str = ""  # severity or cause that differ

    @property
    def is_over_bound(self) -> bool:
        """Fired later than the rule itself requires."""
        return self.delay_s > self.bound_s + _SLACK_S


@dataclass(frozen=True)
class Recovery:
    """One expected resolution; nan where it did not come."""

    rule: str
    key: str
    of: str
    end_s: float
    cleared_s: float
    in_time: bool


@dataclass(frozen=True)
class Score:
    """The marks of one drill."""

    detections: tuple[Detection, ...]
    recoveries: tuple[Recovery, ...]
    false_pages: tuple[Firing, ...]
    near_misses: tuple[Firing, ...]  # forbidden rules that fired
    not_steady: tuple[Firing, ...]  # pages before anything was injected
    pages_count: int
    flaps_count: int
    alerts_count: int
    notifications_count: int
    failures: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Everything came as it should."""
        return not self.failures

    @property
    def points(self) -> float:
        """One number, 0 to 100: seen in time x right pages x cleared in time, as shares."""
        good = [one.outcome == "seen" and not one.misrouted for one in self.detections]
        seen = _share(good)
        wrong = len(self.false_pages) + len(self.not_steady) + len(self.near_misses)
        right = self.pages_count / (self.pages_count + wrong) if wrong else 1.0
        cleared = _share([one.in_time for one in self.recoveries])
        return round(100.0 * seen * right * cleared, 1)

    @property
    def delays_s(self) -> tuple[float, float]:
        """Delay from the physical instant, p50 and p95, over what was detected; nan without."""
        delays = [one.delay_s for one in self.detections if math.isfinite(one.delay_s)]
        if not delays:
            return math.nan, math.nan
        low, high = np.percentile(delays, [50, 95], method="higher")
        return float(low), float(high)


FireChange = tuple[float, str, str, bool]
"""Time [s], rule, key, and whether it fires from now on."""


def firings_of(changes: Iterable[FireChange]) -> tuple[Firing, ...]:
    """Firings from their changes, in order of time."""
    begun: dict[tuple[str, str], float] = {}
    done = []
    for time_s, rule, key, fires in changes:
        if fires:
            begun.setdefault((rule, key), time_s)
        elif (rule, key) in begun:
            done.append(Firing(rule, key, begun.pop((rule, key)), time_s))
    done += [Firing(rule, key, from_s) for (rule, key), from_s in begun.items()]
    return tuple(sorted(done, key=lambda one: (one.from_s, one.rule, one.key)))


def score(
    plan: Plan,
    firings: Sequence[Firing],
    rules: Mapping[str, RuleFacts],
    true_s: Callable[[Expected, str], float],
    notifications_count: int,
) -> Score:
    """Marks from what fired; `true_s(expected, key)` is the instant of physical truth, or nan."""
    detections = [
        _detection(one, key, firings, rules[one.rule], true_s(one, key), plan)
        for one in plan.expected
        for key in one.keys
    ]
    recoveries = [_recovery(one, key, firings) for one in plan.clearing for key in one.keys]
    pages = [one for one in firings if rules[one.rule].pages]
    wanted: dict[tuple[str, str], float] = {}
    for one in plan.expected:
        for key in one.keys:
            before_s = wanted.get((one.rule, key), math.inf)
            wanted[one.rule, key] = min(before_s, one.onset_s)
    early = [one for one in pages if one.from_s < plan.quiet_s]
    near = [one for one in firings if any(named.covers(one) for named in plan.forbidden)]
    false = [
        one
        for one in pages
        if one not in early
        and one not in near
        and not one.from_s >= wanted.get((one.rule, one.key), math.inf)
        and not any(named.covers(one) for named in plan.allowed)
    ]
    result = Score(
        detections=tuple(detections),
        recoveries=tuple(recoveries),
        false_pages=tuple(false),
        near_misses=tuple(near),
        not_steady=tuple(early),
        pages_count=len(pages) - len(false) - len(early),
        flaps_count=_flaps(firings),
        alerts_count=len(firings),
        notifications_count=notifications_count,
    )
    return replace(result, failures=tuple(_failures(result)))


def _detection(
    one: Expected,
    key: str,
    firings: Sequence[Firing],
    rule: RuleFacts,
    true_s: float,
    plan: Plan,
) -> Detection:
    begun = [
        fired.from_s
        for fired in firings
        if fired.rule == one.rule and fired.key == key and fired.to_s > one.onset_s
    ]
    fired_s = min(begun, default=math.nan)
    since_s = fired_s - one.onset_s
    outcome: Outcome = "seen"
    if math.isnan(fired_s):
        outcome = "missed"
    elif since_s > one.within_s + _SLACK_S:
        outcome = "late"
    elif since_s < one.after_s - _SLACK_S:
        outcome = "early"
    wrong = [
        f"{name} {is_so}, expected {wanted}"
        for name, is_so, wanted in (
            ("severity", rule.severity, one.severity),
            ("cause", rule.cause, one.cause),
        )
        if wanted is not None and is_so != wanted
    ]
    return Detection(
        one.rule,
        key,
        one.of,
        outcome,
        one.onset_s,
        true_s,
        fired_s,
        fired_s - true_s,
        rule.window_s + rule.for_s + plan.interval_s,
        "; ".join(wrong),
    )


def _recovery(one: Clearing, key: str, firings: Sequence[Firing]) -> Recovery:
    mine = [fired for fired in firings if fired.rule == one.rule and fired.key == key]
    last_s = max((fired.to_s for fired in mine if fired.from_s < one.end_s), default=math.nan)
    again = any(fired.from_s >= one.end_s for fired in mine)
    in_time = last_s <= one.end_s + one.within_s + _SLACK_S and not again
    return Recovery(one.rule, key, one.of, one.end_s, last_s, in_time)


def _flaps(firings: Sequence[Firing]) -> int:
    """Times that an instance fired again after it had resolved."""
    return len(firings) - len({(one.rule, one.key) for one in firings})


def _failures(result: Score) -> Iterable[str]:
    for one in result.not_steady:
        yield f"not steady: {one.rule} fired on {one.key} at {one.from_s:g} s, before any fault"
    for seen in result.detections:
        where = f"{seen.rule} on {seen.key}"
        since_s = seen.fired_s - seen.onset_s
        if seen.outcome == "missed":
            yield f"missed: {where} did not fire"
        elif seen.outcome != "seen":
            yield f"{seen.outcome}: {where} fired {since_s:g} s after the fault began"
        if seen.misrouted:
            yield f"misrouted: {where}: {seen.misrouted}"
        if seen.is_over_bound:
            yield (
                f"slow: {where} fired {seen.delay_s:g} s after its condition was true; "
                f"window, for and one evaluation are {seen.bound_s:g} s"
            )
        if seen.outcome != "missed" and math.isnan(seen.true_s):
            yield f"unfounded: {where} fired, but its condition was never physically true"
    for fired in result.false_pages:
        yield f"false page: {fired.rule} on {fired.key} at {fired.from_s:g} s"
    for fired in result.near_misses:
        yield f"near miss fired: {fired.rule} on {fired.key} at {fired.from_s:g} s"
    for back in result.recoveries:
        if not back.in_time:
            late = f"at {back.cleared_s:g} s" if math.isfinite(back.cleared_s) else "not at all"
            yield (
                f"not cleared: {back.rule} on {back.key} resolved {late}, "
                f"its cause ended at {back.end_s:g} s"
            )


def _share(good: Sequence[bool]) -> float:
    return sum(good) / len(good) if good else 1.0
