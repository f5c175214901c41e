"""From a rule of the second dictionary (`twin/alerts.py`) to Grafana's terms."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Final, Literal

from dashboards.grafana_rules import RuleSpec
from dashboards.panels import DashboardSpec
from dashboards.rules_influxql import recorded_query, rule_query
from twin.alert_conditions import OPS_MEASUREMENT, Condition
from twin.alert_rule import INTERVAL_S, NoData, Rule
from twin.alerts import RULES

STATES: Final[dict[NoData, Literal["OK", "Alerting"]]] = {"ok": "OK", "alerting": "Alerting"}
_VALUE: Final = '{{ printf "%.4g" $values.B.Value }}'


RECORDED_WINDOW_S: Final = 30
"""How far rules look back where they ask what the watch found: it judges every 10 s, and two
of its instants may be late or lost."""


def rule_specs(
    boards: Sequence[DashboardSpec], rules: Sequence[Rule] = RULES, runbook_url: str = ""
) -> tuple[RuleSpec, ...]:
    """Every rule; `boards` give the numbers of the panels that rules link to.

    `runbook_url` is the address of the folder of runbooks, where they are served.
    """
    return tuple(rule_spec(rule, boards, runbook_url) for rule in rules)


def recorded_specs(
    boards: Sequence[DashboardSpec], rules: Sequence[Rule] = RULES, runbook_url: str = ""
) -> tuple[RuleSpec, ...]:
    """The same rules, those of single satellites asking what the watch found; and one about it.

    Names, labels, thresholds and waits are the same, so either set replaces the other.
    """
    found = []
    for rule in rules:
        spec = rule_spec(rule, boards, runbook_url)
        if rule.scope == "satellite":
            spec = replace(spec, query=recorded_query(rule).text, window_s=RECORDED_WINDOW_S)
        found.append(spec)
    return (*found, watch_silent(boards))


def watch_silent(boards: Sequence[DashboardSpec]) -> RuleSpec:
    """Pages when the watch says nothing of itself: then no rule of a satellite can fire."""
    return RuleSpec(
        uid="twin-watch-silent",
        title="The watch is silent",
        group="pipeline",
        query=f'SELECT count("broker_up") AS "v" FROM "{OPS_MEASUREMENT}" '
        "WHERE \"service\" = 'watch' AND $timeFilter",
        window_s=60,
        evaluator="lt",
        params=(0.5,),
        for_s=60,
        labels={
            "severity": "critical",
            "subsystem": "pipeline",
            "scope": "pipeline",
            "cause": "watch",
            "rule": "watch_silent",
        },
        annotations={
            "summary": "twin watch reports nothing: rules of single satellites are blind",
            "description": "Rules of single satellites ask what the watch finds "
            "(TWIN_ALERT_SOURCE=watch), and it has written nothing of itself for a minute.",
            "impact": "No alert of a single satellite begins; those that fire end.",
            "action": "1. Look at the log of twin watch and start it again. 2. Until it runs: "
            "TWIN_ALERT_SOURCE=telemetry twin provision apply --only rules.",
            "runbook": "docs/grafana.md",
        },
        no_data="Alerting",
        panel=panel_of("twin-pipeline", "", boards),
    )


def rule_spec(rule: Rule, boards: Sequence[DashboardSpec] = (), runbook_url: str = "") -> RuleSpec:
    """One rule: the group is its subsystem, the annotations are what the runbook begins with."""
    annotations = {
        "summary": _template(rule.summary),
        "description": rule.runbook.meaning,
        "impact": rule.runbook.impact,
        "action": " ".join(
            f"{number}. {step}" for number, step in enumerate(rule.runbook.action, 1)
        ),
        "runbook": f"dashboards/runbooks/{rule.name}.md",
    }
    if runbook_url:
        annotations["runbook_url"] = f"{runbook_url.rstrip('/')}/{rule.name}.md"
    evaluator, params, clear = _evaluator(rule.condition)
    return RuleSpec(
        uid=rule.uid,
        title=rule.title,
        group=rule.subsystem,
        query=rule_query(rule).text,
        window_s=round(rule.condition.window_s),
        evaluator=evaluator,
        params=params,
        clear=clear,
        for_s=round(rule.for_s),
        keep_firing_s=round(rule.keep_firing_s),
        interval_s=round(INTERVAL_S),
        labels=rule.labels,
        annotations=annotations,
        no_data=STATES[rule.no_data],
        missing_evals=rule.missing_evals,
        panel=panel_of(rule.dashboard.uid, rule.dashboard.panel, boards),
    )


def _template(summary: str) -> str:
    """`{sat}: {value} %` with Grafana's names: the label, and the reduced value of its series."""
    return re.sub(
        r"{(\w+)}",
        lambda found: _VALUE if found[1] == "value" else f"{{{{ $labels.{found[1]} }}}}",
        summary,
    )


def _evaluator(
    condition: Condition,
) -> tuple[Literal["gt", "lt", "outside_range"], tuple[float, ...], float | None]:
    clear = None if condition.clear is None else condition.clear.value
    if condition.above is not None and condition.below is not None:
        return "outside_range", (condition.below.value, condition.above.value), clear
    if condition.above is not None:
        return "gt", (condition.above.value,), clear
    assert condition.below is not None
    return "lt", (condition.below.value,), clear


def panel_of(uid: str, key: str, boards: Sequence[DashboardSpec]) -> tuple[str, int] | None:
    """Dashboard and number of a panel; the first panel where the rule names none."""
    for board in boards:
        if board.uid == uid:
            numbers = _numbers(board)
            return uid, numbers.get(key, min(numbers.values()))
    return None


@cache
def _numbers(board: DashboardSpec) -> dict[str, int]:
    """Key -> number of every panel, as `grafana_json` counts them."""
    return {
        panel.key: number for number, panel in enumerate(board.panels, 1) if panel.kind != "row"
    }
