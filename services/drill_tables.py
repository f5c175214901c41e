"""A drill's marks as data, for people at a terminal, and for a CI server (JUnit XML)."""

import math
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table

from services.drill_score import Marked
from twin.drills import Detection, Firing, Recovery

_LOOK = {"seen": "green", "late": "yellow", "early": "yellow", "missed": "red"}


def as_data(one: Marked) -> dict[str, Any]:
    """Everything that a drill found; the same bytes for the same drill, code and seed."""
    drill, score = one.trace.drill, one.score
    delays = score.delays_s
    return {
        "drill": drill.name,
        "title": drill.keys.title,
        "level": drill.keys.level,
        "digest": drill.digest,
        "seed": drill.scenario.seed,
        "satellites": one.trace.fleet.count,
        "run_s": one.trace.plan.run_s,
        "step_s": drill.scenario.step_s,
        "passed": score.passed,
        "points": score.points,
        "delay_p50_s": _number(delays[0]),
        "delay_p95_s": _number(delays[1]),
        "detections": [_detection(row) for row in score.detections],
        "recoveries": [_recovery(row) for row in score.recoveries],
        "false_pages": [_firing(row) for row in score.false_pages],
        "near_misses_that_fired": [_firing(row) for row in score.near_misses],
        "not_steady": [_firing(row) for row in score.not_steady],
        "flaps": score.flaps_count,
        "alerts": [_firing(row) for row in one.firings],
        "notifications": [
            {"time_s": row.time_s, "receiver": row.receiver, "alerts": row.alerts_count}
            for row in one.messages
        ],
        "failures": list(score.failures),
        "summary": summary(one),
    }


def print_marks(one: Marked, console: Console) -> None:
    """The verdict of one drill in a table."""
    drill, score = one.trace.drill, one.score
    verdict = "[green]passed[/]" if score.passed else "[red]FAILED[/]"
    console.print(f"[bold]{drill.name}[/]: {drill.keys.title}: {verdict}, {score.points:g} of 100")
    step = f"true at (step {drill.scenario.step_s:g} s)"
    table = Table("rule", "on", "fault", step, "fired at", "delay", "at most", "")
    for row in score.detections:
        look = f"[{_LOOK[row.outcome]}]{row.outcome}[/]"
        table.add_row(
            row.rule,
            row.key,
            row.of,
            seconds(row.true_s),
            seconds(row.fired_s),
            seconds(row.delay_s),
            seconds(row.bound_s),
            look + (f" [red]{row.misrouted}[/]" if row.misrouted else ""),
        )
    if score.detections:
        console.print(table)
    for back in score.recoveries:
        look = "green" if back.in_time else "red"
        console.print(
            f"  {back.rule} on {back.key}: cause over at {seconds(back.end_s)}, "
            f"[{look}]resolved at {seconds(back.cleared_s)}[/]"
        )
    console.print(f"  {summary(one)}")
    for failure in score.failures:
        console.print(f"  [red]{failure}[/]", highlight=False)


def summary(one: Marked) -> str:
    """`4 of 4 seen, delay p50 0 s, p95 10 s; ...`"""
    score = one.score
    seen = sum(row.outcome == "seen" for row in score.detections)
    p50, p95 = score.delays_s
    words = [f"{seen} of {len(score.detections)} seen"]
    if math.isfinite(p50):
        words.append(f"delay p50 {seconds(p50)}, p95 {seconds(p95)}")
    told = [row for row in one.messages if row.alerts_count]
    pages = sum(row.receiver == "page" for row in told)
    cleared = len(one.messages) - len(told)
    words += [
        f"{len(score.false_pages) + len(score.not_steady)} false pages",
        f"{score.alerts_count} alerts in {len(told)} messages ({pages} pages) "
        f"and {cleared} all-clears",
        f"{score.flaps_count} flaps",
    ]
    return ", ".join(words)


def print_scoreboard(found: Sequence[dict[str, Any]], console: Console) -> None:
    """One line per drill, then what failed."""
    table = Table("drill", "level", "points", "seen", "delay p95", "false", "alerts", "messages")
    for one in found:
        seen = sum(row["outcome"] == "seen" for row in one["detections"])
        false = sum(len(one[key]) for key in _FALSE)
        delay_s = one["delay_p95_s"]
        table.add_row(
            f"[{'green' if one['passed'] else 'red'}]{one['drill']}[/]",
            one["level"],
            f"{one['points']:g}",
            f"{seen}/{len(one['detections'])}",
            "-" if delay_s is None else seconds(delay_s),
            str(false),
            str(len(one["alerts"])),
            str(len(one["notifications"])),
        )
    console.print(table)
    failed = [one for one in found if not one["passed"]]
    for one in failed:
        for failure in one["failures"]:
            console.print(f"[red]{one['drill']}[/]: {failure}", highlight=False)
    console.print(f"{len(found) - len(failed)} of {len(found)} drills passed")


_FALSE = ("false_pages", "near_misses_that_fired", "not_steady")

Cases = list[tuple[str, list[str]]]
"""Each demand of a drill and what was wrong with it."""


def junit(found: Sequence[tuple[str, Cases]]) -> bytes:
    """One suite per drill (its name, its cases), one case per demand; without wall time."""
    root = ElementTree.Element("testsuites", name="drills")
    for drill, cases in found:
        failed = sum(bool(why) for _, why in cases)
        suite = ElementTree.SubElement(
            root, "testsuite", name=drill, tests=str(len(cases)), failures=str(failed)
        )
        for name, why in cases:
            case = ElementTree.SubElement(suite, "testcase", classname=f"drills.{drill}", name=name)
            if why:
                ElementTree.SubElement(case, "failure", message=why[0]).text = "\n".join(why)
    ElementTree.indent(root)
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def cases_of(one: Marked) -> Cases:
    """Name of each demand and the failures that are its own; the last takes the rest."""
    left = list(one.score.failures)
    cases: Cases = []
    for what, rows in (("sees", one.score.detections), ("clears", one.score.recoveries)):
        for row in rows:
            words = f"{row.rule} on {row.key} "
            kind = ("not cleared",) if what == "clears" else _DETECTION_FAILURES
            mine = [text for text in left if text.startswith(kind) and words in f"{text} "]
            left = [text for text in left if text not in mine]
            cases.append((f"{what} {words}({row.of})", mine))
    return [*cases, ("no other page", left)]


_DETECTION_FAILURES = ("missed", "late", "early", "misrouted", "slow", "unfounded")


def seconds(value: float) -> str:
    """`12 s`, or a dash."""
    return f"{round(value, 1):g} s" if math.isfinite(value) else "-"


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _detection(row: Detection) -> dict[str, Any]:
    return {
        "rule": row.rule,
        "on": row.key,
        "injection": row.of,
        "outcome": row.outcome,
        "onset_s": row.onset_s,
        "true_s": _number(row.true_s),
        "fired_s": _number(row.fired_s),
        "delay_s": _number(row.delay_s),
        "at_most_s": row.bound_s,
        "misrouted": row.misrouted,
    }


def _recovery(row: Recovery) -> dict[str, Any]:
    return {
        "rule": row.rule,
        "on": row.key,
        "injection": row.of,
        "end_s": row.end_s,
        "cleared_s": _number(row.cleared_s),
        "in_time": row.in_time,
    }


def _firing(row: Firing) -> dict[str, Any]:
    return {"rule": row.rule, "on": row.key, "from_s": row.from_s, "to_s": _number(row.to_s)}
