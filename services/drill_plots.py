"""What a drill's page draws: truth, telemetry and alert states on one time axis, as SVG."""

import io
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from services.drill_run import key_of, rules_shown
from services.drill_score import Marked, series_row
from services.drill_story import clock, place
from services.plotting import pyplot
from twin.alert_rule import Rule
from twin.drills import Detection
from twin.state import FloatArray

TRUTH, READING, FAULT = "#1b2733", "#4c86c6", "#f3e3dc"
STATE_COLORS: Final = {
    "Normal": "#e4e9ee",
    "Pending": "#e8b23a",
    "Alerting": "#c2305c",
    "Recovering": "#d98bab",
    "NoData": "#9aa3ad",
    "Error": "#5a4a8a",
}
PANELS_LIMIT: Final = 6
DECADES: Final = 30.0
"""A curve that goes so many times beyond its threshold is drawn on a logarithmic axis."""
_MINUTE_S: Final = 60.0


def drill_svg(one: Marked) -> str:
    """The figure of a drill: a panel per expected alert (the worst of each rule), then all alerts.

    Raises DependencyUnavailableError without matplotlib.
    """
    plt = pyplot()
    shown = _shown(one)
    near = _others(one, PANELS_LIMIT - len(shown))
    rows = len(shown) + len(near)
    lines = _lines(one)
    heights = [h for _ in range(rows) for h in (3.0, 0.5)] + [max(0.8, 0.26 * len(lines))]
    with plt.rc_context({"svg.hashsalt": "drill", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(
            len(heights),
            1,
            sharex=True,
            figsize=(10.5, 0.8 + 0.62 * sum(heights)),
            height_ratios=heights,
            squeeze=False,
            layout="constrained",
        )
        column = axes[:, 0]
        for index, row in enumerate(shown):
            _panel(column[2 * index], one, row.rule, row.key, row)
            _states(column[2 * index + 1], one, row.rule, row.key)
        for index, (rule, key, why) in enumerate(near, start=len(shown)):
            _panel(column[2 * index], one, rule, key, None, why)
            _states(column[2 * index + 1], one, rule, key)
        _alerts(column[-1], one, lines)
        column[-1].set_xlabel("Minutes of simulated time")
        column[-1].set_xlim(0.0, one.trace.plan.run_s / _MINUTE_S)
        with io.StringIO() as out:
            figure.savefig(
                out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
            )
            text = out.getvalue()
    plt.close(figure)
    return text[text.index("<svg") :]


def _shown(one: Marked) -> list[Detection]:
    """The worst detection of each expected rule: what is drawn."""
    worst = {"missed": 3, "late": 2, "early": 1, "seen": 0}
    found: dict[tuple[str, str], Detection] = {}
    for row in one.score.detections:
        before = found.get((row.rule, row.of))
        if before is None or worst[row.outcome] > worst[before.outcome]:
            found[row.rule, row.of] = row
    rows = sorted(found.values(), key=lambda row: -worst[row.outcome])
    return rows[:PANELS_LIMIT]


def _others(one: Marked, room: int) -> list[tuple[str, str, str]]:
    """What fired for nothing, as far as its rule is recorded, then near misses of single series."""
    score = one.score
    rows = [
        (fired.rule, fired.key, "fired FOR NOTHING")
        for fired in (*score.not_steady, *score.false_pages, *score.near_misses)
        if fired.rule in rules_shown(one.trace.drill) and fired.key != "*"
    ]
    rows += [
        (row.rule, row.keys[0], "must not fire") for row in one.trace.plan.forbidden if row.keys
    ]
    first = {(rule, key): why for rule, key, why in reversed(rows)}
    chosen = [(rule, key, first.pop((rule, key))) for rule, key, _ in rows if (rule, key) in first]
    return chosen[: max(0, room)]


def _panel(
    axis: Any, one: Marked, rule_name: str, key: str, row: Detection | None, why: str = ""
) -> None:
    trace, rule = one.trace, one.rules[rule_name]
    series = series_row(trace, rule_name, key)
    minutes = np.array(trace.readings.times_s) / _MINUTE_S
    _faults(axis, one, "" if row is None else row.of)
    reading = trace.readings.values(rule_name)[:, series]
    axis.plot(
        minutes, reading, ".", color=READING, markersize=4, label="as the rule reads telemetry"
    )
    if rule_name in {want.rule for want in trace.plan.expected}:
        exact = trace.exact.values(rule_name)[:, series]
        axis.plot(minutes, exact, color=TRUTH, linewidth=1.1, label="truth (no noise)")
    for threshold, sign in ((rule.condition.above, "above"), (rule.condition.below, "below")):
        if threshold is not None:
            label = f"fires {sign} {threshold.value:g}"
            axis.axhline(threshold.value, color="#c2305c", linestyle="--", linewidth=1, label=label)
    _limits(axis, reading, rule)
    title = f"{rule.title} ({rule_name}) on {place(one, (key,))}"
    if row is not None:
        _marks(axis, one, row)
    words = why if row is None else _outcome(row)
    axis.set_title(f"{title}: {words}", loc="left", fontsize=9)
    axis.set_ylabel(_measured(rule), fontsize=8)
    axis.legend(
        loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False, markerscale=2
    )


def _measured(rule: Rule) -> str:
    """The unit of what is compared; the fields that it is made of where it has none."""
    if rule.unit:
        return rule.unit
    return "\n".join(dict.fromkeys(one.field for one in rule.condition.value.readings()))


def _outcome(row: Detection) -> str:
    if row.outcome == "missed":
        return "MISSED"
    if not math.isfinite(row.delay_s):
        return "fired, but its condition was never physically true"
    text = f"{row.delay_s:.1f} s after it became true ({row.bound_s:g} s are allowed)"
    if row.outcome == "seen":
        return f"fired {text}"
    since_s = row.fired_s - row.onset_s
    return f"{row.outcome.upper()} for the drill, {since_s:g} s after the fault; {text}"


def _marks(axis: Any, one: Marked, row: Detection) -> None:
    """Vertical lines: broken, the condition is true, the alert fires, it has resolved."""
    ends_s = [
        fired.to_s
        for fired in one.firings
        if (fired.rule, fired.key, fired.from_s) == (row.rule, row.key, row.fired_s)
    ]
    end_s = ends_s[0] if ends_s else math.inf
    for time_s, color, line, label in (
        (row.onset_s, "#a9745b", "-", "broken"),
        (row.true_s, TRUTH, "-", "condition true"),
        (row.fired_s, "#c2305c", "-", "alert fires"),
        (end_s, "#1f6f43", ":", "alert resolved"),
    ):
        if math.isfinite(time_s):
            minute = time_s / _MINUTE_S
            text = f"{label} {clock(time_s)}"
            axis.axvline(minute, color=color, linestyle=line, linewidth=1.4, alpha=0.8, label=text)


def _limits(axis: Any, reading: FloatArray, rule: Rule) -> None:
    """Room for the curve and its threshold; decades where it leaves the threshold far below."""
    values = reading[np.isfinite(reading)]
    bounds = [one.value for one in (rule.condition.above, rule.condition.below) if one is not None]
    if not values.size:
        values = np.array(bounds)
    low, high = min(float(values.min()), *bounds), max(float(values.max()), *bounds)
    if low > 0.0 and high > DECADES * max(bounds):
        axis.set_yscale("log")
        axis.set_ylim(low / 1.5, high * 1.5)
        return
    room = 0.08 * (high - low) or 1.0
    axis.set_ylim(low - room, high + room)
    axis.ticklabel_format(axis="y", useOffset=False)


def _faults(axis: Any, one: Marked, of: str = "") -> None:
    """Shaded spans in which one injection, or anything, is broken."""
    end_s = one.trace.plan.run_s
    for begin, end, name in injections(one):
        if of and name != of:
            continue
        axis.axvspan(begin / _MINUTE_S, min(end, end_s) / _MINUTE_S, color=FAULT, linewidth=0)


def injections(one: Marked) -> list[tuple[float, float, str]]:
    """When each injection begins and ends [s], and its id."""
    drill = one.trace.drill
    found = [(fault.onset_s, fault.end_s, name) for name, fault in drill.faults.items()]
    found += [(fault.onset_s, fault.end_s, name) for name, fault in drill.pipeline.items()]
    return sorted(found)


def _states(axis: Any, one: Marked, rule: str, key: str) -> None:
    """The alert's state as a band."""
    spans = state_spans(one, rule, key)
    for begin, end, state in spans:
        axis.axvspan(begin / _MINUTE_S, end / _MINUTE_S, color=STATE_COLORS[state], linewidth=0)
    axis.set_yticks([])
    axis.set_ylabel("alert", fontsize=7, rotation=0, ha="right", va="center")


def state_spans(one: Marked, rule: str, key: str) -> list[tuple[float, float, str]]:
    """States of one alert instance from the start of the run to its end."""
    spans, since_s, state = [], 0.0, "Normal"
    for change in one.trace.transitions:
        if change.rule.name == rule and key_of(change) == key:
            spans.append((since_s, change.time_s, state))
            since_s, state = change.time_s, change.after
    return [*spans, (since_s, one.trace.plan.run_s, state)]


def _lines(one: Marked) -> list[str]:
    """Rules that fired, in order of their first alert."""
    return list(dict.fromkeys(fired.rule for fired in one.firings))


def _alerts(axis: Any, one: Marked, lines: Sequence[str]) -> None:
    """Every alert of every rule as a bar: what else fired."""
    end_s = one.trace.plan.run_s
    _faults(axis, one)
    for fired in one.firings:
        pages = one.rules[fired.rule].severity == "critical"
        begin, end = fired.from_s / _MINUTE_S, min(fired.to_s, end_s) / _MINUTE_S
        axis.broken_barh(
            [(begin, max(end - begin, 0.02))],
            (lines.index(fired.rule) - 0.35, 0.7),
            color="#c2305c" if pages else "#e8b23a",
            alpha=0.75,
            linewidth=0,
        )
    counts = {name: sum(fired.rule == name for fired in one.firings) for name in lines}
    axis.set_yticks(range(len(lines)), [f"{name} x{counts[name]}" for name in lines], fontsize=8)
    axis.set_ylim(len(lines) - 0.5 if lines else 0.5, -0.5)
    axis.set_title("All alerts (red pages, amber tickets)", loc="left", fontsize=9)
