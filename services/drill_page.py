"""The report of drills as one HTML file that needs nothing else: words, table, plots."""

from collections.abc import Sequence
from html import escape
from typing import Any

from services.drill_plots import STATE_COLORS, drill_svg
from services.drill_score import Marked
from services.drill_story import Chapter, clock, headline, place, story
from services.drill_tables import seconds, summary
from services.fault_tables import time_text

_BAD = " class='bad'"
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1b2733;max-width:1080px;
  margin:2em auto;padding:0 1em}
h1{font-size:1.5em;margin-bottom:.2em} h2{font-size:1.15em;margin:1.6em 0 .3em}
table{border-collapse:collapse;font-size:13px;margin:.5em 0} th{text-align:left;font-weight:600}
td,th{padding:.25em .8em .25em 0;border-bottom:1px solid #dde3e9;vertical-align:top}
.good{color:#1f6f43;font-weight:600} .bad{color:#b01f4a;font-weight:600}
.points{font-size:2.2em;font-weight:700;margin-right:.3em} svg{max-width:100%;height:auto}
li{margin:.15em 0} .key span{display:inline-block;width:1em;height:.8em;margin:0 .3em 0 1em}
.broke{font-weight:600;margin:.6em 0 0} ul{margin:.2em 0 .6em}
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
        f"<b>{escape(headline(one))}</b></p><p>{escape(drill.keys.about)}</p>"
        f"<h2>What broke, and what noticed</h2>{_story(one)}"
        f"<h2>Delays</h2>{_noticed(one)}"
        f"<h2>What was wrong</h2><ul>{_wrong(one)}</ul>"
        f"<h2>Truth, telemetry and alerts</h2>{drill_svg(one)}"
        f"<p class='key'><small>Alert states:{keys}. Shaded: the fault that a panel is about "
        f"lasts, else any fault. {escape(summary(one))}. {escape(_given(one))}</small></p>"
        "</section>"
    )


def _given(one: Marked) -> str:
    drill = one.trace.drill
    return (
        f"{one.trace.fleet.count} satellites, seed {drill.scenario.seed}, step "
        f"{drill.scenario.step_s:g} s, {time_text(one.trace.plan.run_s)} of simulated time; "
        f"drill {drill.file}, sha256 {drill.digest[:12]}."
    )


def _story(one: Marked) -> str:
    chapters = story(one) or [Chapter("Nothing: this is a quiet run", ())]
    return "".join(
        f"<p class='broke'>{escape(chapter.broke)}</p><ul>"
        + "".join(
            f"<li{_BAD if line.is_bad else ''}>{escape(line.text)}</li>" for line in chapter.lines
        )
        + "</ul>"
        for chapter in chapters
    )


def _noticed(one: Marked) -> str:
    within_s = {
        (want.rule, want.of, key): want.within_s
        for want in one.trace.plan.expected
        for key in want.keys
    }
    rows = "".join(
        f"<tr><td>{escape(one.rules[row.rule].title)}<br><small>{row.rule}</small></td>"
        f"<td>{escape(place(one, (row.key,)))}</td><td>{clock(row.onset_s)}<br>"
        f"<small>{escape(row.of)}</small></td><td>{clock(row.true_s)}</td>"
        f"<td>{clock(row.fired_s)}</td>"
        f"<td{_BAD if row.is_over_bound else ''}>{seconds(row.delay_s)}</td>"
        f"<td>{seconds(row.bound_s)}</td>"
        f"<td{_BAD if row.outcome in ('late', 'early') else ''}>"
        f"{seconds(row.fired_s - row.onset_s)}</td>"
        f"<td>{seconds(within_s[row.rule, row.of, row.key])}</td>"
        f"<td class='{'good' if row.outcome == 'seen' else 'bad'}'>{row.outcome}</td></tr>"
        for row in one.score.detections
    )
    if not rows:
        return "<p>Nothing was to be noticed.</p>"
    step = f"physics, step {one.trace.drill.scenario.step_s:g} s"
    return (
        "<table><tr><th>alert</th><th>on</th><th>broken at</th>"
        f"<th>true at<br><small>{step}</small></th><th>fired at</th>"
        "<th>delay<br><small>fired after true</small></th>"
        "<th>allowed<br><small>window + for + one evaluation</small></th>"
        "<th>after the fault<br><small>fired after broken</small></th>"
        f"<th>asked<br><small>by the drill</small></th><th></th></tr>{rows}</table>"
    )


def _wrong(one: Marked) -> str:
    rows = "".join(f"<li class='bad'>{escape(text)}</li>" for text in one.score.failures)
    return rows or "<li>Nothing: all that was expected came in time, nothing else paged.</li>"
