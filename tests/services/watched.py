"""A watcher without a store, a broker and a clock: what it says is kept for the test."""

from collections.abc import Sequence
from typing import Any

import orjson
from watch_fixture import (
    RULES_OF_FLEETS,
    Sent,
)

from services.line_protocol import read_rows
from services.watch_output import Output
from services.watcher import Watcher
from twin.alert_series import Transition
from twin.report_ages import NS_PER_S

EPOCH_S = 1_790_812_800.0  # 2026-10-01 00:00 UTC


class Wall:
    """A steady clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Watched:
    """A watcher and everything that it says."""

    def __init__(self) -> None:
        self.wall, self.output = Wall(), Output()
        self.said: list[Transition] = []
        self.ages: dict[int, dict[str, tuple[float, float]]] = {}
        self.silence: dict[int, list[float]] = {}  # silent and reachable, by time
        self.breaches: dict[tuple[str, str], list[tuple[float, float]]] = {}
        self.shown: list[dict[str, object]] = []
        self.watcher = Watcher(RULES_OF_FLEETS, self.output, self.wall)
        said: Any = self.output  # instead of a store and a broker
        said.add = lambda _fleet, changes, _time_ns: self.said.extend(changes)
        said.add_ages = lambda _fleet, rows: self._age(rows)
        said.show = lambda _fleet, told: self.shown.append(orjson.loads(told))

    def _age(self, rows: bytes) -> None:
        for part in read_rows(rows).get("sat_breach", []):
            table = part.arrays()
            columns = (table[name].tolist() for name in ("rule", "sat", "time", "v"))
            for rule, sat, time_ns, value in zip(*columns, strict=True):
                at_s = time_ns / NS_PER_S - EPOCH_S
                self.breaches.setdefault((rule, sat), []).append((at_s, value))
        for part in read_rows(rows)["fleet_watch"]:
            table = part.arrays()
            cells = (table[name].tolist() for name in ("time", "silent_count", "reachable_count"))
            self.silence |= {time_ns: counts for time_ns, *counts in zip(*cells, strict=True)}
        for part in read_rows(rows)["sat_watch"]:
            table = part.arrays()
            for sat, time_ns, *cells in zip(
                table["sat"], table["time"], table["age_s"], table["late_s"], strict=True
            ):
                self.ages.setdefault(int(time_ns), {})[str(sat)] = (cells[0], cells[1])

    async def fly(
        self, sent: Sequence[Sent], from_s: float = 0.0, to_s: float = 1e9, wall_s: float = 5.0
    ) -> None:
        """Messages as they leave, so long by the wall clock between one time and the next."""
        for at_s in sorted({one.at_s for one in sent if from_s <= one.at_s < to_s}):
            for one in sent:
                if one.at_s == at_s:
                    self.watcher.on_message(one.message)
            self.wall.now_s += wall_s
            await self.watcher.turn()


def story(changes: Sequence[Transition]) -> list[tuple[object, ...]]:
    """What matters of a change; a value that is not known is no value."""
    return [
        (c.time_s, c.rule.name, c.labels.get("sat"), c.before, c.after, c.reason, c.value)
        for c in changes
    ]
