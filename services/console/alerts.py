"""The Alerts view: states as the watcher retained them, and what each rule means.

The console judges nothing itself: there is one watcher, and what it knows is one retained message
a fleet (docs/decisions/0019). Where none runs the page says so.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import orjson

from twin.alert_rule import Rule
from twin.alerts import RULES, rule_by_name

FLEETS_LIMIT: Final = 64
MESSAGE_LIMIT_BYTES: Final = 2_000_000
LISTED_LIMIT: Final = 1_000
"""Alerts of a fleet that a browser is given, the most urgent first; all of them are counted."""
HISTORY_LISTED: Final = 100
FIRING: Final = frozenset({"Alerting", "Recovering"})


class AlertBoard:
    """The newest states of each fleet."""

    def __init__(self) -> None:
        self.rejected = 0
        self._told: dict[str, dict[str, Any]] = {}
        self._watch: dict[str, Any] = {}

    def on_states(self, fleet: str, payload: bytes) -> None:
        """The watcher's retained message of a fleet; an empty one takes it away."""
        if not payload:
            self._told.pop(fleet, None)
            return
        told = _read(payload)
        if told is None or (fleet not in self._told and len(self._told) >= FLEETS_LIMIT):
            self.rejected += 1
            return
        self._told[fleet] = told

    def on_service(self, name: str, state: Mapping[str, Any]) -> None:
        """How the watcher is, as it says of itself."""
        if name == "watch":
            self._watch = dict(state)

    def counts(self) -> dict[str, int]:
        """Alerts of all fleets: firing, of these critical, and pending."""
        found: Counter[str] = Counter()
        for told in self._told.values():
            for alert in told["alerts"]:
                if alert["state"] in FIRING:
                    found["firing"] += 1
                    found[_severity(alert)] += 1
                else:
                    found[alert["state"].lower()] += 1
        return {name: found[name] for name in ("firing", "critical", "pending", "error")}

    def answer(self) -> dict[str, Any]:
        """Everything that the page shows; the newest changes first."""
        fleets = []
        for fleet, told in sorted(self._told.items()):
            alerts = told["alerts"]
            causes = Counter(_cause(one) for one in alerts)
            fleets.append(
                {
                    "fleet": fleet,
                    "t_ms": told["t_ns"] / 1e6,
                    "alerts": alerts[:LISTED_LIMIT],
                    "left_out": told["left_out"] + max(0, len(alerts) - LISTED_LIMIT),
                    "causes": dict(causes),
                    "history": told["history"][: -HISTORY_LISTED - 1 : -1],
                }
            )
        return {
            "watch": self._watch.get("state", "unknown"),
            "counts": self.counts(),
            "fleets": fleets,
        }


def _read(payload: bytes) -> dict[str, Any] | None:
    """A message that the page can show; None for anything else."""
    if len(payload) > MESSAGE_LIMIT_BYTES:
        return None
    try:
        told = orjson.loads(payload)
        usable = (
            isinstance(told["t_ns"], int)
            and isinstance(told["left_out"], int)
            and all(_is_alert(one) for one in told["alerts"])
            and all(_is_change(one) for one in told["history"])
        )
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return dict(told) if usable else None


def _is_alert(row: Mapping[str, Any]) -> bool:
    return (
        row["rule"] in rule_by_name()
        and isinstance(row["state"], str)
        and isinstance(row["since_s"], int | float)
        and _are_labels(row["labels"])
    )


def _is_change(row: Mapping[str, Any]) -> bool:
    return (
        row["rule"] in rule_by_name()
        and isinstance(row["before"], str)
        and isinstance(row["after"], str)
        and isinstance(row["t_s"], int | float)
        and _are_labels(row["labels"])
    )


def _are_labels(labels: object) -> bool:
    return isinstance(labels, dict) and all(isinstance(one, str) for one in labels.values())


def _severity(alert: Mapping[str, Any]) -> str:
    return rule_by_name()[alert["rule"]].severity


def _cause(alert: Mapping[str, Any]) -> str:
    return rule_by_name()[alert["rule"]].cause


def rules_spec() -> list[dict[str, Any]]:
    """What the page knows of each rule, JSON-ready."""
    return [_rule(rule) for rule in RULES]


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "title": rule.title,
        "subsystem": rule.subsystem,
        "scope": rule.scope,
        "severity": rule.severity,
        "cause": rule.cause,
        "unit": rule.unit,
        "for_s": rule.for_s,
        "keep_firing_s": rule.keep_firing_s,
        "runbook": asdict(rule.runbook),
    }
