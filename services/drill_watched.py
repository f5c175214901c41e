"""What the watcher or Grafana said during a drill, as the transitions that a run off line gives."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twin.alert_rule import Rule
from twin.alert_states import STATES, Transition
from twin.report_ages import NS_PER_S

Key = tuple[float, str, tuple[tuple[str, str], ...], str]


class Changes:
    """Changes of alerts by time after the epoch, each once however often it was told."""

    def __init__(
        self,
        rules: Sequence[Rule],
        epoch_unix_s: float,
        on_change: Callable[[Transition], None] = lambda _change: None,
    ) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._epoch_s = epoch_unix_s
        self._on_change = on_change
        self._found: dict[Key, Transition] = {}
        self.judged_s = -math.inf
        self.unknown = 0  # told of rules that we do not have

    def event(self, told: Mapping[str, Any]) -> None:
        """One event of kind `alert`: a rule, its states before and after, and on what."""
        time_s = told["t_ns"] / NS_PER_S - self._epoch_s
        for target in told["targets"]:
            labels = {str(k): str(v) for k, v in target.items() if k != "value"}
            value = target.get("value")
            self.take(
                time_s, told["rule"], labels, told["before"], told["state"], told["reason"], value
            )

    def snapshot(self, told: Mapping[str, Any]) -> None:
        """A retained state: what changed before this drill looked, and up to when all is judged."""
        for row in told.get("history", ()):
            self.take(
                row["t_s"] - self._epoch_s,
                row["rule"],
                row["labels"],
                row["before"],
                row["after"],
                row["reason"],
                row["value"],
            )
        self.judged_s = max(self.judged_s, told["t_ns"] / NS_PER_S - self._epoch_s)

    def take(
        self,
        time_s: float,
        rule: str,
        labels: Mapping[str, str],
        before: str,
        after: str,
        reason: str,
        value: float | None,
    ) -> None:
        """One change of one series, `time_s` after the epoch."""
        if rule not in self._rules or after not in STATES:
            self.unknown += 1
            return
        key = (round(time_s, 3), rule, tuple(sorted(labels.items())), after)
        number = math.nan if value is None else float(value)
        if key in self._found:
            return
        change = Transition(
            key[0], self._rules[rule], dict(labels), -1, before, after, reason, number, key[0]
        )
        self._found[key] = change
        self._on_change(change)

    def until(self, elapsed_s: float) -> tuple[Transition, ...]:
        """All changes up to an instant, in order of time, rules as in the dictionary."""
        order = {name: place for place, name in enumerate(self._rules)}
        found = [one for one in self._found.values() if 0.0 <= one.time_s <= elapsed_s]
        return tuple(
            sorted(found, key=lambda c: (c.time_s, order[c.rule.name], sorted(c.labels.items())))
        )
