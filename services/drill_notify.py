"""How many messages people would get: alerts through our policies, grouped as Alertmanager does.

A group's first message goes out `group_wait` after its first alert; later ones every
`group_interval` when something fires or resolves that they have not told of, else after
`repeat_interval` (Alertmanager 0.25, dispatch.go and notify.go; Grafana embeds it).
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from dashboards.routes import RouteSpec, tree
from twin.alert_rule import Rule
from twin.alert_states import Transition
from twin.drill_load import FLEET_PREFIX


@dataclass(frozen=True)
class Message:
    """One notification."""

    time_s: float
    receiver: str
    group: tuple[str, ...]
    alerts_count: int  # that fire in it


@dataclass
class _Group:
    route: RouteSpec
    key: tuple[str, ...]
    events: list[tuple[float, str, bool]] = field(default_factory=list)  # time, alert, fires


def fleet_causes(rules: Iterable[Rule]) -> frozenset[str]:
    """Causes that a rule over the whole fleet pages for."""
    return frozenset(
        rule.cause for rule in rules if rule.scope == "fleet" and rule.severity == "critical"
    )


def messages(
    changes: Sequence[Transition], causes: Collection[str], until_s: float
) -> list[Message]:
    """Notifications up to an instant, in order of time."""
    root = tree(causes)
    groups: dict[tuple[str, ...], _Group] = {}
    for change in changes:
        if not (change.fires or change.resolves):
            continue
        labels = _labels(change)
        route = _route(root, labels)
        key = (route.receiver, *(labels.get(name, "") for name in route.group_by))
        group = groups.setdefault(key, _Group(route, key))
        name = "/".join(labels.get(part, "") for part in ("rule", "sat", "plane", "service"))
        group.events.append((change.time_s, name, change.fires))
    sent = [one for group in groups.values() for one in _sent(group, until_s)]
    return sorted(sent, key=lambda one: (one.time_s, one.group))


def _labels(change: Transition) -> dict[str, str]:
    """What the policies match; the drill's own fleet is routed as a real one would be."""
    rule = change.rule
    own = {"managed_by": "orbital-twin", "alertname": rule.title, "grafana_folder": "twin"}
    fleet = change.labels.get("fleet", "").removeprefix(FLEET_PREFIX)
    return {**rule.labels, **own, **change.labels, "fleet": fleet}


def _route(route: RouteSpec, labels: dict[str, str]) -> RouteSpec:
    for below in route.routes:
        if all(_matches(*matcher, labels) for matcher in below.matchers):
            return _route(below, labels)
    return route


def _matches(label: str, sign: str, value: str, labels: dict[str, str]) -> bool:
    found = labels.get(label, "")
    same = bool(re.fullmatch(value, found)) if "~" in sign else found == value
    return same != sign.startswith("!")


def _sent(group: _Group, until_s: float) -> Iterable[Message]:
    """Messages of one group: it lives from its first alert until all have been told resolved."""
    events, route = sorted(group.events), group.route
    firing: dict[str, float] = {}
    told: frozenset[tuple[str, float]] = frozenset()
    index, flush_s, last_s = 0, None, 0.0
    while index < len(events) or flush_s is not None:
        if flush_s is None:
            flush_s = events[index][0] + route.group_wait_s
        if flush_s > until_s:
            return
        while index < len(events) and events[index][0] <= flush_s:
            time_s, name, fires = events[index]
            if fires:
                firing[name] = time_s
            else:
                firing.pop(name, None)
            index += 1
        now = frozenset(firing.items())
        if now != told or (now and flush_s - last_s >= route.repeat_interval_s):
            yield Message(flush_s, route.receiver, group.key, len(now))
            told, last_s = now, flush_s
        flush_s = flush_s + route.group_interval_s if now else None
