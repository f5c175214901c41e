"""Runbooks and docs/alerts.md, from the rules: what an operator reads when something fires."""

from itertools import groupby
from typing import Final

from dashboards.build import dashboards
from dashboards.rules_influxql import rule_query
from twin.alert_conditions import (
    Comparison,
    Expression,
    Number,
    Operation,
    Reading,
    Threshold,
    growth,
)
from twin.alert_rule import Rule
from twin.alert_series import GRAFANA_12
from twin.alerts import LONGEST_REPORT_INTERVAL_S, RULES
from twin.channels import by_name

HEAD: Final = f"""# Alert rules

Generated from `twin/alert_rules/*.py` by `make generate`; edit those, not this page.

{len(RULES)} rules. `critical` wakes somebody, `warning` makes a ticket, `info` is only shown. A
rule's condition must hold for *for*; once it fired it stays for *keep* after it was last true.
Grafana and our own evaluator run the same rules with the states of Grafana {GRAFANA_12.name};
where 9.4 differs, and why, is in [decision 0018](decisions/0018-rules-as-data.md). One page goes
out for each *cause*, however many satellites have it. Each rule's name leads to its runbook.

Windows are fixed: rules of single satellites look back {2 * LONGEST_REPORT_INTERVAL_S:g} s or more,
so satellites must report every {LONGEST_REPORT_INTERVAL_S:g} s or oftener (`report_interval_s`).
`twin check`, `twin up` and `twin watch` name a fleet that does not; rules of planes and of the
whole fleet judge it all the same.

On a quiet day nothing here pages: eclipses that the season announces, passes through the South
Atlantic Anomaly and time out of contact are part of the rules' conditions.
"""
_WORDS: Final = {
    "last": "newest",
    "first": "oldest",
    "min": "smallest",
    "max": "largest",
    "mean": "mean",
    "spread": "spread of",
    "count": "number of",
}


def runbooks() -> dict[str, str]:
    """File name to text of every runbook."""
    return {f"{rule.name}.md": runbook_page(rule) for rule in RULES}


def runbook_page(rule: Rule) -> str:
    """One rule's page."""
    book = rule.runbook
    related = [one for one in RULES if one.cause == rule.cause and one.name != rule.name]
    diagnosis = [*book.diagnosis, f"Look at {dashboard_link(rule)}."]
    parts = [
        f"# {rule.title}",
        f"`{rule.name}` · **{rule.severity}** · {rule.scope} · cause `{rule.cause}`",
        f"## Meaning\n\n{book.meaning}",
        f"Fires when {condition_text(rule)}{_duration(rule)}.",
        f"## Impact\n\n{book.impact}",
        "## Diagnosis\n\n" + _numbered(diagnosis),
        "## Action\n\n" + _numbered(book.action),
        "## The rule\n\n" + _facts(rule),
    ]
    if related:
        links = ", ".join(f"[{one.title}]({one.name}.md)" for one in related)
        parts.append(f"## Same cause\n\n{links}. One page goes out for all of them.")
    return "\n\n".join(parts) + "\n"


def alerts_page() -> str:
    """docs/alerts.md."""
    parts = [HEAD]
    for subsystem, rows in groupby(RULES, key=_group):
        parts.append(f"\n## {subsystem}\n")
        parts.append("| rule | fires when | severity | for | keep | cause |")
        parts.append("|---|---|---|---|---|---|")
        parts += [_row(rule) for rule in rows]
    return "\n".join(parts) + "\n"


def condition_text(rule: Rule) -> str:
    """The condition in words."""
    condition = rule.condition
    text = _comparison(condition.fires, condition.window_s)
    for comparison in condition.when:
        text += f", while {_comparison(comparison, condition.window_s)}"
    if condition.clear is not None:
        text += f"; it ends at {_number(condition.clear)}"
    return text


def dashboard_link(rule: Rule) -> str:
    """Markdown link to the rule's dashboard and panel, for the series of the alert."""
    board = next((one for one in dashboards() if one.uid == rule.dashboard.uid), None)
    options = [f"var-{tag}=…" for tag in rule.tags if tag in {"fleet", "plane", "sat"}]
    title = rule.dashboard.uid if board is None else board.title
    if board is not None and rule.dashboard.panel:
        keys = [panel.key for panel in board.panels]
        place = keys.index(rule.dashboard.panel)
        options.insert(0, f"viewPanel={place + 1}")
        title += f": {board.panels[place].title}"
    return f"[{title}](/d/{rule.dashboard.uid}?{'&'.join(options)})"


def _row(rule: Rule) -> str:
    cells = [
        f"[`{rule.name}`](../dashboards/runbooks/{rule.name}.md)<br>{rule.title}",
        condition_text(rule),
        rule.severity,
        _seconds(rule.for_s),
        _seconds(rule.keep_firing_s),
        rule.cause,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _group(rule: Rule) -> str:
    return {
        "eps": "Electrical power",
        "tcs": "Thermal control",
        "see": "Radiation",
        "rad": "Radiation",
        "swx": "Space weather",
        "aocs": "Attitude, orbit, deployment",
        "orb": "Attitude, orbit, deployment",
        "job": "Compute and jobs",
        "accel": "Compute and jobs",
        "isl": "Network and ground",
        "gnd": "Network and ground",
        "pipeline": "Pipeline",
    }.get(rule.subsystem, "Satellite and telemetry")


def _facts(rule: Rule) -> str:
    sources = {
        side.source
        for one in (rule.condition.fires, rule.condition.stays, *rule.condition.when)
        for side in (one.above, one.below)
        if side is not None
    }
    lines = [
        f"- Thresholds: {'; '.join(sorted(sources))}.",
        f"- Window {_seconds(rule.condition.window_s)}, for {_seconds(rule.for_s)}, "
        f"keep firing {_seconds(rule.keep_firing_s)}, no data: {rule.no_data}.",
        f"- Grafana uid `{rule.uid}`; its query:",
    ]
    return "\n".join(lines) + f"\n\n```sql\n{rule_query(rule).text}\n```"


def _duration(rule: Rule) -> str:
    return f", for {_seconds(rule.for_s)}" if rule.for_s else ""


def _comparison(comparison: Comparison, window_s: float) -> str:
    sides = []
    if comparison.above is not None:
        sides.append(f"above {_number(comparison.above)}")
    if comparison.below is not None:
        sides.append(f"below {_number(comparison.below)}")
    text = _text(comparison.value)
    if any(one.reducer != "last" for one in comparison.value.readings()):
        text += f" over {_seconds(window_s)}"
    return f"{text} is {' or '.join(sides)}{_unit(comparison.value)}"


def _unit(value: Expression) -> str:
    if not isinstance(value, Reading) or value.reducer == "count" or value.field not in by_name():
        return ""
    unit = by_name()[value.field].unit
    return "" if unit in {"", "1"} else f" {unit}"


def _text(value: Expression) -> str:
    if isinstance(value, Reading):
        word = "" if value.reducer == "last" else f"{_WORDS[value.reducer]} "
        return f"{word}`{value.field}`"
    if isinstance(value, Number):
        return f"{value.value:g}"
    assert isinstance(value, Operation)
    left, right = value.left, value.right
    if isinstance(left, Reading) and value == growth(left.field):
        return f"growth of `{left.field}`"
    return f"({_text(left)} {_SIGNS[value.sign]} {_text(right)})"


_SIGNS: Final = {"+": "+", "-": "-", "*": "×", "/": "/"}


def _number(threshold: Threshold) -> str:
    return f"{threshold.value:g}"


def _seconds(seconds: float) -> str:
    if seconds and not seconds % 3600.0:
        return f"{seconds / 3600.0:g} h"
    if seconds and not seconds % 60.0:
        return f"{seconds / 60.0:g} min"
    return f"{seconds:g} s"


def _numbered(steps: tuple[str, ...] | list[str]) -> str:
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
