"""One alert rule as data: what it asks, how urgent it is, and what an operator does about it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from twin.alert_conditions import (
    FLEET_WATCH_MEASUREMENT,
    OPS_MEASUREMENT,
    TAGS,
    WATCH_MEASUREMENT,
    Condition,
)
from twin.channels import BUS_MEASUREMENT, FLEET_MEASUREMENT, PLANE_MEASUREMENT

Severity = Literal["critical", "warning", "info"]
Scope = Literal["satellite", "plane", "fleet", "pipeline"]
NoData = Literal["ok", "alerting"]

SCOPES: Final[Mapping[str, Scope]] = {
    BUS_MEASUREMENT: "satellite",
    WATCH_MEASUREMENT: "satellite",
    PLANE_MEASUREMENT: "plane",
    FLEET_MEASUREMENT: "fleet",
    FLEET_WATCH_MEASUREMENT: "fleet",
    OPS_MEASUREMENT: "pipeline",
}
DASHBOARDS: Final = (
    "twin-fleet",
    "twin-satellite",
    "twin-power",
    "twin-thermal",
    "twin-radiation",
    "twin-compute",
    "twin-network",
    "twin-drills",
    "twin-pipeline",
    "twin-economics",
)
INTERVAL_S: Final = 10.0
"""How often rules are evaluated: Grafana's scheduler tick."""


@dataclass(frozen=True)
class Dashboard:
    """Where to look first: a dashboard and, where there is one, the key of its panel."""

    uid: str
    panel: str = ""


@dataclass(frozen=True)
class Runbook:
    """What an operator reads at 3 am; steps in the order in which to take them."""

    meaning: str
    impact: str
    diagnosis: tuple[str, ...]
    action: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """One alert. `critical` wakes somebody, `warning` makes a ticket, `info` is only shown.

    The condition must hold for `for_s` before the alert fires; once fired it stays for
    `keep_firing_s` after the condition was last true. `cause` is what one page is grouped by.
    `summary` may name the labels of its scope and the value: `{sat}`, `{plane}`, `{value}`.
    """

    name: str
    title: str
    subsystem: str
    severity: Severity
    cause: str
    condition: Condition
    for_s: float
    keep_firing_s: float
    dashboard: Dashboard
    summary: str
    runbook: Runbook
    unit: str = ""
    no_data: NoData = "ok"

    def __post_init__(self) -> None:
        """Raises ValueError for a name, a time or a text that no consumer could use."""
        if not re.fullmatch(r"[a-z][a-z0-9_]{2,38}", self.name):
            raise ValueError(f"{self.name!r}: a rule's name is snake_case, 3 to 39 long")
        for key in ("for_s", "keep_firing_s"):
            seconds = getattr(self, key)
            if seconds < 0.0 or seconds % INTERVAL_S:
                raise ValueError(f"{self.name}: {key} {seconds:g} is no multiple of {INTERVAL_S:g}")
        if self.dashboard.uid not in DASHBOARDS:
            raise ValueError(f"{self.name}: unknown dashboard {self.dashboard.uid}")
        if (self.no_data == "alerting") == self.condition.breach_only:
            raise ValueError(
                f"{self.name}: no_data alerting goes with breach_only False, ok with True"
            )
        unknown = set(re.findall(r"{(\w+)}", self.summary)) - {"value", *self.tags}
        if unknown:
            raise ValueError(f"{self.name}: summary names {sorted(unknown)}, which its series lack")

    @property
    def uid(self) -> str:
        """Grafana's identifier."""
        return "twin-" + self.name.replace("_", "-")

    @property
    def scope(self) -> Scope:
        """What one series of the rule is."""
        return SCOPES[self.condition.measurement]

    @property
    def tags(self) -> tuple[str, ...]:
        """Labels that tell the rule's series apart."""
        return TAGS[self.condition.measurement]

    @property
    def labels(self) -> dict[str, str]:
        """What routing groups by, besides the labels of the series."""
        return {
            "severity": self.severity,
            "subsystem": self.subsystem,
            "scope": self.scope,
            "cause": self.cause,
            "rule": self.name,
        }

    @property
    def missing_evals(self) -> int:
        """Evaluations without a series after which its alert ends.

        Breach-only queries lose the series when the satellite is well again, so that is the
        clock of `keep_firing_s` too; Grafana's default of 2 at least.
        """
        return max(2, round(self.keep_firing_s / INTERVAL_S))

    def summary_of(self, labels: Mapping[str, str], value: float) -> str:
        """The summary for one series."""
        return self.summary.format(value=f"{value:.4g}", **labels)
