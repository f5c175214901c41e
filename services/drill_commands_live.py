"""What a drill tells a running simulator: commands, each for the satellites that it hits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from twin.alert_rule import Rule
from twin.drill_load import Drill
from twin.drill_plan import plan_of
from twin.errors import ConfigurationError
from twin.faults import Fault
from twin.state import Fleet, IntArray


@dataclass(frozen=True)
class Order:
    """One command; `at_s` after the epoch. A timed one begins at that instant whenever it comes."""

    id: str
    at_s: float
    target: str
    command: dict[str, Any]
    text: str
    fault: str = ""
    end_s: float = 0.0

    @property
    def is_timed(self) -> bool:
        """Whether the simulator is told when to begin."""
        return bool(self.fault)

    def body(self) -> dict[str, Any]:
        """The command's JSON."""
        return {"id": self.id, **self.command}


def shifted(drill: Drill, by_s: float) -> Drill:
    """The same drill, so much later after the epoch."""
    keys = drill.keys
    moved = keys.model_copy(
        update={
            "quiet_s": keys.quiet_s + by_s,
            "run_s": keys.run_s + by_s,
            "inject": [one.model_copy(update={"at_s": one.at_s + by_s}) for one in keys.inject],
            "actions": [one.model_copy(update={"at_s": one.at_s + by_s}) for one in keys.actions],
        }
    )
    faults = {key: replace(one, onset_s=one.onset_s + by_s) for key, one in drill.faults.items()}
    return replace(drill, keys=moved, faults=faults)


def orders_of(drill: Drill, fleet: Fleet, rules: Sequence[Rule]) -> list[Order]:
    """Commands of a drill in order of time.

    Raises ConfigurationError for faults of the pipeline, which no simulator can be told.
    """
    if drill.pipeline:
        index = next(i for i, one in enumerate(drill.keys.inject) if one.id in drill.pipeline)
        message = "a fault of the pipeline is not run live; `make chaos` breaks real processes"
        raise ConfigurationError([drill.problem(("inject", index, "pipeline"), message)])
    _, faults = plan_of(drill, fleet, {rule.name: rule for rule in rules})
    orders = [
        _inject(placed.fault, target)
        for placed in faults.placed
        for target in targets_of(fleet, placed.rows)
    ]
    orders += [
        Order(f"action-{index}", one.at_s, one.target, one.command(), f"operator: {one.command()}")
        for index, one in enumerate(drill.keys.actions)
    ]
    return sorted(orders, key=lambda one: one.at_s)


def targets_of(fleet: Fleet, rows: IntArray) -> list[str]:
    """Targets of commands that name these rows and no others: all, planes, satellites."""
    left = set(rows.tolist())
    if len(left) == fleet.count:
        return ["all"]
    found = []
    members: dict[str, set[int]] = {}
    for row, plane in enumerate(fleet.planes):
        members.setdefault(plane, set()).add(row)
    for plane, of_plane in members.items():
        if len(of_plane) > 1 and of_plane <= left:
            found.append(plane)
            left -= of_plane
    return found + [fleet.satellite_ids[row] for row in sorted(left)]


def _inject(fault: Fault, target: str) -> Order:
    command: dict[str, Any] = {
        "command": "inject",
        "fault": fault.kind.id,
        "at_s": fault.onset_s,
        "severity": fault.severity,
        "ramp_s": fault.ramp_s,
        "fraction": 1.0,  # the drill has drawn its satellites
    }
    if fault.duration_s <= 1e10:
        command["duration_s"] = fault.duration_s
    for name in ("mode", "channel", "size"):
        value = getattr(fault, name)
        if value is not None and value != "":
            command[name] = value
    text = f"inject {fault.kind.id} {fault.kind.name}, severity {fault.severity:g}"
    return Order(fault.id, fault.onset_s, target, command, text, fault.kind.id, fault.end_s)
