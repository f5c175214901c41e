"""The report of drills as one HTML file that needs nothing else: words, table, plots."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from services.drill_plots import STATE_COLORS, drill_svg
from services.drill_score import Marked
from services.drill_tables import seconds, summary
from services.fault_tables import time_text

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1b2733;max-width:1080px;
  margin:2em auto;padding:0 1em}
h1{font-size:1.5em;margin-bottom:.2em} h2{font-size:1.15em;margin:1.6em 0 .3em}
table{border-collapse:collapse;font-size:13px;margin:.5em 0} th{text-align:left;font-weight:600}
td,th{padding:.25em .8em .25em 0;border-bottom:1px solid #dde3e9;vertical-align:top}
.good{color:#1f6f43;font-weight:600} .bad{color:#b01f4a;font-weight:600}
.points{font-size:2.2em;font-weight:700;margin-right:.3em} svg{max-width:100%;height:auto}
li{margin:.15em 0} .key span{display:inline-block;width:1em;height:.8em;margin:0 .3em 0 1em}
section{border-top:3px solid #dde3e9;margin-top:2.5em} small{color:#5b6b7a}
"""


def drills_page(found: Sequence[dict[str, Any]], sections: Sequence[str]) -> str:
    """One page of one drill or of many, the same bytes for the same drills.

    found: what `drill_tables.as_data` says of each; sections: `drill_section` of each.
    """
    title = str(found[0]["title"]) if len(found) == 1 else f"{len(found)} drills"
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
    ]
    if len(found) > 1:
        parts.append(_scoreboard(found))
    return "\n".join([*parts, *sections, "</html>\n"])


def _scoreboard(found: Sequence[dict[str, Any]]) -> str:
    passed = sum(one["passed"] for one in found)
    rows = "".join(
        f"<tr><td><a href='#{one['drill']}'>{one['drill']}</a></td>"
        f"<td>{escape(one['title'])}</td><td>{_verdict(one['passed'])}</td>"
        f"<td>{one['points']:g}</td><td>{escape(one['summary'])}</td></tr>"
        for one in found
    )
    return (
        f"<h1>{passed} of {len(found)} drills passed</h1>"
        "<table><tr><th>drill</th><th></th><th></th><th>points</th><th></th></tr>"
        f"{rows}</table>"
    )


def _verdict(good: bool) -> str:
    return f"<span class='{'good' if good else 'bad'}'>{'passed' if good else 'FAILED'}</span>"


def drill_section(one: Marked) -> str:
    """One drill in words, tables and plots.

    Raises DependencyUnavailableError without matplotlib.
    """
    drill, heading = one.trace.drill, "h1"
    keys = "".join(
        f"<span style='background:{color}'></span>{state}"
        for state, color in STATE_COLORS.items()
        if state in {"Normal", "Pending", "Alerting", "Recovering"}
    )
    return (
        f"<section id='{drill.name}'><{heading}>{escape(drill.keys.title)}</{heading}>"
        f"<p><span class='points'>{one.score.points:g}</span>of 100, {_verdict(one.score.passed)}. "
        f"{escape(summary(one))}.</p><p>{escape(drill.keys.about)}</p>"
        f"<p><b>What broke</b></p><ul>{_broke(one)}</ul>"
        f"<p><b>What noticed</b></p>{_noticed(one)}"
        f"<p><b>What was wrong</b></p><ul>{_wrong(one)}</ul>"
        f"{drill_svg(one)}<p class='key'><small>Alert states:{keys}. Shaded: something is broken. "
        f"{escape(_given(one))}</small></p></section>"
    )


def _given(one: Marked) -> str:
    drill = one.trace.drill
    return (
        f"{one.trace.fleet.count} satellites, seed {drill.scenario.seed}, step "
        f"{drill.scenario.step_s:g} s, {time_text(one.trace.plan.run_s)} of simulated time; "
        f"drill {drill.file}, sha256 {drill.digest[:12]}."
    )


def _broke(one: Marked) -> str:
    drill = one.trace.drill
    rows = []
    for want in drill.keys.inject:
        if want.id in drill.faults:
            fault = drill.faults[want.id]
            what = f"{fault.kind.id} {fault.kind.title} ({want.id}), severity {fault.severity:g}"
            named = (*fault.satellites, *fault.planes, *fault.presets, *fault.groups)
            where = ", ".join(named) or "the whole fleet"
        else:
            fault_p = drill.pipeline[want.id]
            what, where = f"{fault_p.kind} ({want.id})", "the pipeline"
        end_s = drill.faults[want.id].end_s if want.id in drill.faults else fault_p.end_s
        until = "for good" if math.isinf(end_s) else f"until {_clock(end_s)}"
        rows.append(f"<li>{_clock(want.at_s)} {escape(what)} on {escape(where)}, {until}</li>")
    for action in drill.keys.actions:
        words = ", ".join(f"{k} {v}" for k, v in action.command().items())
        rows.append(f"<li>{_clock(action.at_s)} operator to {escape(action.target)}: {words}</li>")
    return "".join(rows) or "<li>Nothing: this is a quiet run.</li>"


def _noticed(one: Marked) -> str:
    rows = "".join(
        f"<tr><td>{escape(one.rules[row.rule].title)}<br><small>{row.rule}</small></td>"
        f"<td>{escape(row.key)}</td><td>{escape(row.of)}</td><td>{_clock(row.true_s)}</td>"
        f"<td>{_clock(row.fired_s)}</td><td>{seconds(row.delay_s)}</td>"
        f"<td>{seconds(row.bound_s)}</td>"
        f"<td class='{'good' if row.outcome == 'seen' else 'bad'}'>{row.outcome}</td></tr>"
        for row in one.score.detections
    )
    if not rows:
        return "<p>Nothing was to be noticed.</p>"
    return (
        "<table><tr><th>rule</th><th>on</th><th>injection</th>"
        f"<th>true at (step {one.trace.drill.scenario.step_s:g} s)</th><th>fired at</th>"
        f"<th>delay</th><th>at most</th><th></th></tr>{rows}</table>"
    )


def _wrong(one: Marked) -> str:
    rows = "".join(f"<li class='bad'>{escape(text)}</li>" for text in one.score.failures)
    return rows or "<li>Nothing: all that was expected came in time, nothing else paged.</li>"


def _clock(time_s: float) -> str:
    """`0:10:00` of the run, or a dash."""
    if not math.isfinite(time_s):
        return "-"
    minutes, rest = divmod(time_s, 60.0)
    return f"{int(minutes // 60)}:{int(minutes % 60):02d}:{rest:02.0f}"
