"""States as the watcher retains them, for looking at the Alerts view."""

from collections.abc import Sequence

from services.alert_book import AlertBook
from services.console.alerts import AlertBoard
from twin.alert_rule import Rule
from twin.alert_states import Transition
from twin.alerts import RULES

FLEET = "demo"


def labels_of(rule: Rule, satellite: str, plane: str) -> dict[str, str]:
    """Labels of one series of a rule."""
    if rule.scope == "pipeline":
        return {"service": "ingest", "instance": "1"}
    own = {"fleet": FLEET, "plane": plane, "sat": satellite}
    return {name: own[name] for name in rule.tags}


def changes(
    satellites: Sequence[tuple[str, str]], now_s: float, every: int = 1
) -> list[Transition]:
    """Each rule on a satellite of its own, firing and pending in turn."""
    found = []
    for number, rule in enumerate(RULES[::every]):
        satellite, plane = satellites[number % len(satellites)]
        labels, since_s = labels_of(rule, satellite, plane), now_s - 40.0 * number
        threshold = rule.condition.above or rule.condition.below
        assert threshold is not None
        value = threshold.value
        waits = Transition(
            since_s - rule.for_s, rule, labels, number, "Normal", "Pending", "", value, since_s
        )
        found.append(waits)
        if number % 3:
            fires = waits._replace(time_s=since_s, before="Pending", after="Alerting")
            found.append(fires)
    return sorted(found, key=lambda one: one.time_s)


def board(satellites: Sequence[tuple[str, str]], now_s: float) -> tuple[AlertBoard, AlertBook]:
    """A board that has heard of some alerts, and the book they are from."""
    book, made = AlertBook(FLEET, "run", RULES), AlertBoard()
    book.take(changes(satellites, now_s), now_s)
    made.on_states(FLEET, book.snapshot(int(now_s * 1e9)))
    made.on_service("watch", {"service": "watch", "state": "online"})
    return made, book
