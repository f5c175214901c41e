"""Which alerts there are now, what changed lately, and what the watcher knew before a restart.

States are in memory; the newest of them are also a retained message, from which a watcher that
starts again learns what it had paged for. Waits then start anew, and an alert that is found to
fire once more is the same alert: nobody is paged twice.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from twin.alert_rule import INTERVAL_S, Rule
from twin.alert_states import STATES, Transition
from twin.state import FloatArray

SNAPSHOT_VERSION: Final = 1
SHOWN_LIMIT: Final = 8_000  # alerts in a snapshot: below a megabyte
HISTORY_KEPT: Final = 200
FIRING: Final = ("Alerting", "Recovering")
RESTARTED: Final = "Restart"
_RANK: Final = {"critical": 0, "warning": 1, "info": 2}
_WORD: Final = {name: rank for rank, name in enumerate(("Alerting", "Recovering", "Error"))}

Key = tuple[str, tuple[tuple[str, str], ...]]
"""Rule and labels."""


@dataclass(frozen=True)
class Alert:
    """One rule on one series."""

    rule: str
    severity: str
    labels: Mapping[str, str]
    state: str
    since_s: float  # Unix time, simulated
    value: float
    place: int = -1  # row of its series; -1 where that is not known

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.rule, tuple(sorted(self.labels.items()))

    def row(self) -> dict[str, Any]:
        """As JSON; a value that is not known is null."""
        own = {"rule": self.rule, "state": self.state, "since_s": self.since_s}
        return own | {"value": self.value, "labels": dict(self.labels)}


class AlertBook:
    """The alerts of one fleet's run."""

    def __init__(self, fleet: str, run: str, rules: Iterable[Rule]) -> None:
        self.fleet, self.run = fleet, run
        self.alerts: dict[Key, Alert] = {}
        self.history: deque[dict[str, Any]] = deque(maxlen=HISTORY_KEPT)
        self._rules = {rule.name: rule for rule in rules}
        self._carried: dict[Key, float] = {}  # until when it may take to fire again

    def carry(self, snapshot: bytes, now_s: float) -> int:
        """Take over what fired before a restart, from the retained snapshot; how many.

        now_s: simulated Unix time. A snapshot of another run, or that cannot be read, is nothing.
        """
        try:
            told = orjson.loads(snapshot)
            fits = (told["v"], told["fleet"], told["run"]) == (
                SNAPSHOT_VERSION, self.fleet, self.run,
            )  # fmt: skip
            if not fits:
                return 0
            alerts = [_alert(row, self._rules) for row in told["alerts"]]
            history = list(told["history"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return 0
        self.history.extend(row for row in history[-HISTORY_KEPT:] if isinstance(row, dict))
        for alert in alerts:
            if alert is None or alert.state not in FIRING or alert.key in self.alerts:
                continue
            rule = self._rules[alert.rule]
            patience_s = rule.condition.window_s + rule.for_s + rule.keep_firing_s
            self.alerts[alert.key] = alert
            self._carried[alert.key] = now_s + patience_s + 2.0 * INTERVAL_S
        return len(self._carried)

    def take(self, changes: Iterable[Transition], time_s: float) -> list[Transition]:
        """Note the changes of one evaluation; those that are news to who was told before."""
        news = [change for change in changes if self._is_news(change)]
        for key in [one for one, until_s in self._carried.items() if time_s > until_s]:
            news.append(self._given_up(key, time_s))
        self.history.extend(map(self._story, news))
        return news

    def _is_news(self, change: Transition) -> bool:
        alert = Alert(
            change.rule.name,
            change.rule.severity,
            change.labels,
            change.after,
            change.since_s,
            change.value,
            change.row,
        )
        carried = alert.key in self._carried
        if carried and change.after not in FIRING:
            return False  # it waits anew for what is known already
        if carried:
            del self._carried[alert.key]
            alert = replace(alert, since_s=self.alerts[alert.key].since_s)
        if change.after == "Normal":
            self.alerts.pop(alert.key, None)
        else:
            self.alerts[alert.key] = alert
        return not carried

    def _given_up(self, key: Key, time_s: float) -> Transition:
        """What fired before the restart and does not fire now has ended."""
        del self._carried[key]
        alert = self.alerts.pop(key)
        rule = self._rules[alert.rule]
        before, after = alert.state, "Normal"
        return Transition(
            time_s, rule, alert.labels, -1, before, after, RESTARTED, alert.value, time_s
        )

    def refresh(self, values_of: Callable[[str], FloatArray]) -> None:
        """Newest values of all alerts; `values_of(rule)` are those of its series, (n,)."""
        tables = {name: values_of(name) for name in {alert.rule for alert in self.alerts.values()}}
        for key, alert in self.alerts.items():
            if alert.place >= 0:
                value = float(tables[alert.rule][alert.place])
                self.alerts[key] = replace(alert, value=value)

    def _story(self, change: Transition) -> dict[str, Any]:
        return {
            "t_s": change.time_s,
            "rule": change.rule.name,
            "labels": dict(change.labels),
            "before": change.before,
            "after": change.after,
            "reason": change.reason,
            "value": change.value,
        }

    def counts(self) -> dict[str, int]:
        """Alerts by state."""
        found = Counter(alert.state for alert in self.alerts.values())
        return {state: found[state] for state in STATES[1:] if found[state]}

    def snapshot(self, time_ns: int) -> bytes:
        """The states at an instant as JSON: firing first, critical first, then by age."""
        listed = sorted(self.alerts.values(), key=_rank)
        return orjson.dumps(
            {
                "v": SNAPSHOT_VERSION,
                "fleet": self.fleet,
                "run": self.run,
                "t_ns": time_ns,
                "counts": self.counts(),
                "left_out": max(0, len(listed) - SHOWN_LIMIT),
                "alerts": [alert.row() for alert in listed[:SHOWN_LIMIT]],
                "history": list(self.history),
            }
        )


def _rank(alert: Alert) -> tuple[int, int, float]:
    return _WORD.get(alert.state, len(_WORD)), _RANK[alert.severity], alert.since_s


def _alert(row: Mapping[str, Any], rules: Mapping[str, Rule]) -> Alert | None:
    """An alert of a snapshot; None for a rule that is no more. Raises KeyError, TypeError."""
    rule = rules.get(row["rule"])
    if rule is None:
        return None
    value = float("nan") if row["value"] is None else float(row["value"])
    labels = {str(key): str(text) for key, text in row["labels"].items()}
    return Alert(rule.name, rule.severity, labels, str(row["state"]), float(row["since_s"]), value)
