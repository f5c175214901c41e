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

__all__ = [
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


@cache
def rule_by_name() -> Mapping[str, Rule]:
    """Every rule under its name."""
    return {rule.name: rule for rule in RULES}
