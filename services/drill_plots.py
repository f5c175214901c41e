"""What a drill's page draws: truth, telemetry and alert states on one time axis, as SVG."""

import io
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from services.drill_run import key_of
from services.drill_score import Marked, series_row
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
_MINUTE_S: Final = 60.0


def drill_svg(one: Marked) -> str:
    """The figure of a drill: a panel per expected alert (the worst of each rule), then all alerts.

    Raises DependencyUnavailableError without matplotlib.
    """
    plt = pyplot()
    shown = _shown(one)
    near = _near_misses(one, PANELS_LIMIT - len(shown))
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
        for index, (rule, key) in enumerate(near, start=len(shown)):
            _panel(column[2 * index], one, rule, key, None)
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


def _near_misses(one: Marked, room: int) -> list[tuple[str, str]]:
    """Near misses of single series, as far as there is room."""
    rows = [(row.rule, row.keys[0]) for row in one.trace.plan.forbidden if row.keys]
    return rows[: max(0, room)]


def _panel(axis: Any, one: Marked, rule_name: str, key: str, row: Detection | None) -> None:
    trace, rule = one.trace, one.rules[rule_name]
    series = series_row(trace, rule_name, key)
    minutes = np.array(trace.readings.times_s) / _MINUTE_S
    _faults(axis, one)
    reading = trace.readings.values(rule_name)[:, series]
    axis.plot(
        minutes, reading, ".", color=READING, markersize=2.5, label="as the rule reads telemetry"
    )
    if row is not None:
        exact = trace.exact.values(rule_name)[:, series]
        axis.plot(minutes, exact, color=TRUTH, linewidth=1.1, label="truth (no noise)")
    for threshold, sign in ((rule.condition.above, "above"), (rule.condition.below, "below")):
        if threshold is not None:
            label = f"fires {sign} {threshold.value:g}"
            axis.axhline(threshold.value, color="#c2305c", linestyle="--", linewidth=1, label=label)
    _limits(axis, reading, rule)
    title = f"{rule.title} ({rule_name}) on {key}"
    if row is None:
        axis.set_title(f"{title}: must not fire", loc="left", fontsize=9)
    else:
        _marks(axis, row)
        axis.set_title(f"{title}: {_outcome(row)}", loc="left", fontsize=9)
    axis.set_ylabel(rule.unit or "value", fontsize=8)
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=7, frameon=False)
    axis.ticklabel_format(axis="y", useOffset=False)


def _outcome(row: Detection) -> str:
    if row.outcome == "missed":
        return "MISSED"
    late = "" if row.outcome == "seen" else f", {row.outcome.upper()}"
    return f"seen {row.delay_s:.1f} s after it became true (at most {row.bound_s:g} s){late}"


def _marks(axis: Any, row: Detection) -> None:
    """Vertical lines: the condition is true, the alert fires."""
    for time_s, color, label in (
        (row.true_s, TRUTH, "condition true"),
        (row.fired_s, "#c2305c", "alert fires"),
    ):
        if math.isfinite(time_s):
            axis.axvline(time_s / _MINUTE_S, color=color, linewidth=1.4, alpha=0.8, label=label)


def _limits(axis: Any, reading: FloatArray, rule: Rule) -> None:
    """Room for the curve and its threshold."""
    values = reading[np.isfinite(reading)]
    bounds = [one.value for one in (rule.condition.above, rule.condition.below) if one is not None]
    if not values.size:
        values = np.array(bounds)
    low, high = min(float(values.min()), *bounds), max(float(values.max()), *bounds)
    room = 0.08 * (high - low) or 1.0
    axis.set_ylim(low - room, high + room)


def _faults(axis: Any, one: Marked) -> None:
    """Shaded spans in which something is broken."""
    end_s = one.trace.plan.run_s
    for begin, end, _ in injections(one):
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
