"""The second dictionary: every alert rule once, and nothing about a rule anywhere else.

Grafana's rules, our own evaluator, runbooks, documentation and drills are rendered from these
rows. A threshold that the channel dictionary knows is taken from there.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from twin.alert_conditions import (
    Comparison,
    Condition,
    Expression,
    Number,
    Operation,
    Reading,
    Threshold,
    growth,
    last,
    limit_of,
)
from twin.alert_rule import Dashboard, Rule, Runbook
from twin.alert_rules import (
    attitude,
    compute,
    data,
    fleet,
    heat,
    links,
    network,
    pipeline,
    power,
    radiation,
    services,
    sources,
    thermal,
    weather,
)
from twin.channels import BUS_MEASUREMENT

__all__ = [
    "LONGEST_REPORT_INTERVAL_S",
    "RULES",
    "Comparison",
    "Condition",
    "Dashboard",
    "Expression",
    "Number",
    "Operation",
    "Reading",
    "Rule",
    "Runbook",
    "Threshold",
    "growth",
    "last",
    "limit_of",
    "rule_by_name",
    "too_rare",
]

RULES: Final[tuple[Rule, ...]] = (
    *power.RULES,
    *sources.RULES,
    *thermal.RULES,
    *heat.RULES,
    *radiation.RULES,
    *weather.RULES,
    *attitude.RULES,
    *compute.RULES,
    *links.RULES,
    *network.RULES,
    *data.RULES,
    *fleet.RULES,
    *pipeline.RULES,
    *services.RULES,
)
"""All rules, by subsystem; names are unique."""


LONGEST_REPORT_INTERVAL_S: Final = 0.5 * min(
    rule.condition.window_s for rule in RULES if rule.condition.measurement == BUS_MEASUREMENT
)
"""How rarely a satellite may report so that every rule has two reports in its window [s]."""


def too_rare(report_interval_s: float) -> str:
    """Why rules of satellites cannot judge reports so far apart; empty where they can."""
    if report_interval_s <= LONGEST_REPORT_INTERVAL_S:
        return ""
    return (
        f"{report_interval_s:g} s is too rare for alert rules, allowed up to "
        f"{LONGEST_REPORT_INTERVAL_S:g}: those of single satellites look back "
        f"{2.0 * LONGEST_REPORT_INTERVAL_S:g} s or more and miss what is between reports"
    )


@cache
def rule_by_name() -> Mapping[str, Rule]:
    """Every rule under its name."""
    return {rule.name: rule for rule in RULES}
