"""A drill told in plain words: what broke when and where, what noticed it, how late, what not."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from services.drill_score import Marked
from services.drill_tables import seconds
from twin.drill_load import FLEET_PREFIX, GIVEN
from twin.drills import Detection, Expected, Firing, Recovery

NAMES_SHOWN = 4


class Line(NamedTuple):
    """One sentence of the story, and whether it is bad news."""

    text: str
    is_bad: bool = False


class Chapter(NamedTuple):
    """What broke, and what came of it."""

    broke: str
    lines: tuple[Line, ...]


def story(one: Marked) -> list[Chapter]:
    """Everything in order of time: one chapter for each thing that broke, one for the rest."""
    keys = one.trace.drill.keys
    parts = [want.id for want in sorted(keys.inject, key=lambda want: want.at_s)]
    if any(want.of == GIVEN for want in one.trace.plan.expected):
        parts = [GIVEN, *parts]
    found = [Chapter(_broke(one, of), tuple(_came(one, of))) for of in parts]
    acted = tuple(
        Line(
            f"{clock(action.at_s)} to {place(one, (action.target,))}: "
            + ", ".join(f"{name} {value}" for name, value in action.command().items())
        )
        for action in keys.actions
    )
    if acted:
        found.append(Chapter("What operators did", acted))
    quiet = tuple(_kept_quiet(one))
    if quiet:
        found.append(Chapter("What had to stay quiet, and did", quiet))
    wrong = tuple(_for_nothing(one))
    if wrong:
        found.append(Chapter("What nobody was to hear of", wrong))
    return found


def headline(one: Marked) -> str:
    """`2 of 3 alerts came in time, 1 late, 1 missed; 2 pages for nothing.`"""
    outcomes = [row.outcome for row in one.score.detections]
    words = ["Nothing had to fire"]
    if outcomes:
        words = [f"{outcomes.count('seen')} of {len(outcomes)} expected alerts came in time"]
    words += [
        f"{outcomes.count(kind)} {name}"
        for kind, name in (("late", "late"), ("early", "too early"), ("missed", "missed"))
        if kind in outcomes
    ]
    slow = sum(row.is_over_bound for row in one.score.detections)
    if slow:
        words.append(f"{slow} slower than the rule itself allows")
    score = one.score
    nothing = len(score.false_pages) + len(score.not_steady) + len(score.near_misses)
    said = f"{nothing} alert{'' if nothing == 1 else 's'}" if nothing else "nobody was woken"
    return f"{', '.join(words)}; {said} for nothing."


def _broke(one: Marked, of: str) -> str:
    if of == GIVEN:
        return "From the start: what the scenario itself brings"
    drill = one.trace.drill
    (want,) = [row for row in drill.keys.inject if row.id == of]
    if of in drill.faults:
        fault = drill.faults[of]
        what = f"{fault.kind.title} ({fault.kind.id})"
        names = (*fault.satellites, *fault.planes, *fault.presets, *fault.groups)
        where, end_s, severity = place(one, names), fault.end_s, fault.severity
    else:
        broken = drill.pipeline[of]
        what, where = broken.kind, "the pipeline"
        end_s, severity = broken.end_s, broken.severity
    lasts = "for good" if math.isinf(end_s) else f"for {clock(end_s - want.at_s)}"
    how = "" if severity == 1.0 else f", severity {severity:g}"
    return f"{clock(want.at_s)}, {where}: {what}{how}, {lasts}"


def _came(one: Marked, of: str) -> list[Line]:
    lines = [_noticed(one, want) for want in one.trace.plan.expected if want.of == of]
    lines += [_cleared(one, back) for back in one.score.recoveries if back.of == of]
    return lines or [Line("No alert is expected.")]


def _noticed(one: Marked, want: Expected) -> Line:
    rows = [
        row
        for row in one.score.detections
        if (row.rule, row.of, row.onset_s) == (want.rule, want.of, want.onset_s)
        and row.key in want.keys
    ]
    name = rule_words(one, want.rule)
    on = place(one, want.keys)
    missed = [row for row in rows if row.outcome == "missed"]
    if missed:
        others = "" if len(missed) == len(rows) else f" on {len(missed)} of {len(rows)}"
        return Line(f"MISSED: {name} did not fire{others or ' on ' + on}.", True)
    off = [row for row in rows if row.outcome != "seen"]
    if off:
        after_s = seconds(off[0].fired_s - off[0].onset_s)
        asked = f"{want.after_s:g} to {want.within_s:g} s"
        verdict = off[0].outcome.upper()
        return Line(
            f"{verdict}: {name} fired on {on} {after_s} after the fault began, the drill asks for "
            f"{asked}; {_delay(off)}.",
            True,
        )
    slow = [row for row in rows if row.is_over_bound]
    text = f"{name} fired on {on} at {clock(min(row.fired_s for row in rows))}, {_delay(rows)}."
    return Line(f"SLOW: {text}" if slow else text, bool(slow))


def _delay(rows: Sequence[Detection]) -> str:
    """`7.3 s after its condition was true (10 s are allowed)`."""
    delays = [row.delay_s for row in rows if math.isfinite(row.delay_s)]
    if not delays:
        return "its condition was never physically true"
    low, high = seconds(min(delays)), seconds(max(delays))
    span = low if low == high else f"{low} to {high}"
    return f"{span} after its condition was true ({seconds(rows[0].bound_s)} are allowed)"


def _cleared(one: Marked, back: Recovery) -> Line:
    name, on = rule_words(one, back.rule), place(one, (back.key,))
    if not math.isfinite(back.cleared_s):
        return Line(f"NOT CLEARED: {name} on {on} did not resolve.", True)
    text = f"{name} on {on} resolved {seconds(back.cleared_s - back.end_s)} after the cause ended."
    return Line(text if back.in_time else f"CLEARED TOO LATE: {text}", not back.in_time)


def _kept_quiet(one: Marked) -> list[Line]:
    fired = one.score.near_misses
    return [
        Line(f"{rule_words(one, row.rule)}{_on(one, row.keys)}: {row.reason}.")
        for row in one.trace.plan.forbidden
        if not any(row.covers(near) for near in fired)
    ]


def _on(one: Marked, names: Sequence[str]) -> str:
    return f" on {place(one, names)}" if names else ""


def _for_nothing(one: Marked) -> list[Line]:
    kinds = (
        ("before anything was broken", one.score.not_steady),
        ("though the drill expects no page there", one.score.false_pages),
        ("though it is a near miss, which must stay quiet", one.score.near_misses),
    )
    return [
        Line(f"{_fired(one, fired)}, {why}.", True) for why, firings in kinds for fired in firings
    ]


def _fired(one: Marked, fired: Firing) -> str:
    name, on = rule_words(one, fired.rule), place(one, (fired.key,))
    return f"FOR NOTHING: {name} fired on {on} at {clock(fired.from_s)}"


def rule_words(one: Marked, rule_name: str) -> str:
    """`Coolant flow lost (a page)`."""
    rule = one.rules[rule_name]
    kind = {"critical": "a page", "warning": "a ticket", "info": "a note"}[rule.severity]
    return f"{rule.title} ({kind})"


def place(one: Marked, names: Sequence[str]) -> str:
    """Who it is on: a few names, how many more, or the whole fleet."""
    if not names or set(names) & {"all", "*", one.trace.fleet.name}:
        return "the whole fleet"
    shown = [name.removeprefix(FLEET_PREFIX) for name in names[:NAMES_SHOWN]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def clock(time_s: float) -> str:
    """`0:10:00` of the run, or a dash."""
    if not math.isfinite(time_s):
        return "-"
    minutes, rest = divmod(time_s, 60.0)
    return f"{int(minutes // 60)}:{int(minutes % 60):02d}:{rest:02.0f}"
