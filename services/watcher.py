"""What the watcher does with each message and at each turn; the process around it is watch.py."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson

from services.alert_book import AlertBook
from services.console.runs import Runs
from services.console.simclock import NS
from services.fleet_events import FLEET_CHANGED, names_in
from services.fleet_watch import EVERY_NS, Evaluation, FleetWatch
from services.lanes import Lanes, RefusedMessageError
from services.mqtt import Message
from services.topics import Address, parse
from services.watch_output import Output, age_heads, age_rows, breach_rows, silence_row
from services.watch_rows import SERIES_LIMIT
from twin.alert_rule import Rule
from twin.alerts import too_rare
from twin.channels import BUS_MEASUREMENT

LOG = logging.getLogger(__name__)
FLEETS_LIMIT = 64
SHOW_EVERY_S = 1.0  # wall; a change is shown at most this much later
REFRESH_EVERY_S = 2.0  # wall; values of alerts that stay
STATE_LIMIT_BYTES = 64 * 1024


@dataclass
class WatchCounts:
    """What came in and what became of it, since the start."""

    messages: int = 0
    refused: int = 0
    ended_runs: int = 0  # messages of runs that a newer one has replaced
    fleets_refused: int = 0
    evaluations: int = 0
    changes: int = 0
    carried: int = 0


@dataclass
class _Watched:
    """One fleet, its alerts, and what is kept to show them."""

    watch: FleetWatch
    book: AlertBook
    heads: list[bytes] = field(default_factory=list)
    is_judged: bool = False
    is_changed: bool = False
    shown_s: float = float("-inf")


class Watcher:
    """All fleets that are heard of, a bounded number."""

    def __init__(
        self,
        rules: Sequence[Rule],
        output: Output,
        wall_s: Callable[[], float],
        lanes: Lanes | None = None,
    ) -> None:
        """rules: those that are judged by telemetry; wall_s: a steady wall clock [s]."""
        self.rules, self.output = tuple(rules), output
        self.counts = WatchCounts()
        self.fleets: dict[str, _Watched] = {}
        self.evaluation_s = 0.0  # how long the last one took
        self._wall_s = wall_s
        self._lanes = lanes or Lanes()
        self._runs = Runs()
        self._retained: dict[str, bytes] = {}  # states from before this process
        self._contacts: dict[str, dict[str, tuple[bool, int]]] = {}  # of fleets not yet heard
        self._too_rare: set[str] = set()  # fleets of which that was said

    @property
    def skipped(self) -> int:
        """Instants that were left out because too many were owed."""
        return sum(one.watch.skipped for one in self.fleets.values())

    def on_message(self, message: Message) -> None:
        """Telemetry, contact, a farewell, or the states that a watcher before this one left."""
        address = parse(message.topic)
        if address is None:
            return
        self.counts.messages += 1
        lanes = {
            "alerts": self._on_alerts,
            "service": self._on_service,
            "event": self._on_event,
            "state": self._on_state,
        }
        lanes.get(address.lane, self._on_telemetry)(address, message)

    def _on_alerts(self, address: Address, message: Message) -> None:
        """Only what was there before: what this process shows comes back to it too."""
        if message.retained and len(self._retained) < FLEETS_LIMIT:
            self._retained.setdefault(address.fleet, message.payload)

    def _on_telemetry(self, address: Address, message: Message) -> None:
        judgement = self._runs.judge(message.payload) if address.lane == "tlm" else "current"
        if judgement == "ended":
            self.counts.ended_runs += 1
            return
        try:
            batch = self._lanes.check(message)
        except RefusedMessageError:
            self.counts.refused += 1
            return
        if batch is None:
            return
        if judgement == "new":
            self.fleets.pop(address.fleet, None)
        run = batch.key[0][1] if batch.key is not None else ""
        watched = self.fleets.get(address.fleet) or self._admit(address.fleet)
        if watched is not None:
            watched.book.run = watched.book.run or run
            watched.watch.hear(batch)

    def _admit(self, fleet: str) -> _Watched | None:
        if len(self.fleets) >= FLEETS_LIMIT:
            self.counts.fleets_refused += 1
            return None
        watch = FleetWatch(fleet, self.rules, self._wall_s)
        for satellite, (is_on, time_ns) in self._contacts.pop(fleet, {}).items():
            watch.contact(satellite, is_on, time_ns)
        watched = self.fleets[fleet] = _Watched(watch, AlertBook(fleet, "", self.rules))
        return watched

    def _on_state(self, address: Address, message: Message) -> None:
        """Contact as the ground sees it; retained states come before a fleet's first report."""
        fleet, satellite, given = address.fleet, address.leaf, _json(message.payload)
        self._look_at_interval(fleet, satellite, given.get("report_interval_s"))
        is_on, time_ns = given.get("gnd_contact"), given.get("t_ns")
        if not isinstance(is_on, int) or not isinstance(time_ns, int):
            return
        if fleet in self.fleets:
            self.fleets[fleet].watch.contact(satellite, bool(is_on), time_ns)
        elif fleet in self._contacts or len(self._contacts) < FLEETS_LIMIT:
            told = self._contacts.setdefault(fleet, {})
            if len(told) < SERIES_LIMIT:
                told[satellite] = bool(is_on), time_ns

    def _look_at_interval(self, fleet: str, satellite: str, interval_s: object) -> None:
        """Say once of a fleet that it reports too rarely for the windows of the rules."""
        if not isinstance(interval_s, int | float) or fleet in self._too_rare:
            return
        why = too_rare(interval_s)
        if why and len(self._too_rare) < FLEETS_LIMIT:
            self._too_rare.add(fleet)
            LOG.warning("fleet %s: report_interval_s of %s: %s", fleet, satellite, why)

    def _on_event(self, address: Address, message: Message) -> None:
        """What a simulator did; our own events come back too, and are known already."""
        given = _json(message.payload)
        if given.get("kind") == "alert":
            return
        self.output.add_command(address.fleet, given)
        watched, time_ns = self.fleets.get(address.fleet), given.get("t_ns")
        if given.get("kind") == FLEET_CHANGED and watched is not None and isinstance(time_ns, int):
            left, shards = names_in(given, "left"), names_in(given, "ended_shards")
            watched.watch.retire(left, shards, time_ns)

    def _on_service(self, address: Address, message: Message) -> None:
        """A simulator's farewell; one that was lost has said nothing of the kind."""
        watched, given = self.fleets.get(address.fleet), _json(message.payload)
        if watched is not None and str(given.get("service", "")).startswith("simulate"):
            has_left = given.get("state") == "offline" and not given.get("lost")
            watched.watch.simulator(address.leaf, has_left)

    async def turn(self) -> int:
        """Judge every instant that is complete; how many. Others get their turn between two."""
        count = 0
        for watched in list(self.fleets.values()):
            watched.watch.clock.tick(self.counts.messages, 0)
            for time_ns in watched.watch.due():
                begun_s = self._wall_s()
                self._judged(watched, watched.watch.evaluate(time_ns))
                self.evaluation_s = self._wall_s() - begun_s
                count += 1
                await asyncio.sleep(0)
            self._show(watched)
        return count

    def _judged(self, watched: _Watched, found: Evaluation) -> None:
        watch, book = watched.watch, watched.book
        self.counts.evaluations += 1
        watched.is_judged = True
        snapshot = self._retained.pop(watch.fleet, None)
        if snapshot is not None:
            self.counts.carried += book.carry(snapshot, found.time_ns / NS)
        changes = book.take(found.transitions, found.time_ns / NS)
        self.counts.changes += len(changes)
        watched.is_changed |= bool(found.transitions) or bool(changes) or snapshot is not None
        self.output.add(watch.fleet, changes, found.time_ns)
        satellites = watch.rows.series[BUS_MEASUREMENT]
        known = len(watched.heads)
        if len(satellites.names) > known:
            new = satellites.names[known:], satellites.planes[known:]
            watched.heads += age_heads(watch.fleet, *new)
        now = age_rows(watched.heads, found.ages, found.time_ns)
        now += silence_row(watch.fleet, found.silence, found.time_ns)
        now += breach_rows(watched.heads, found.breaches, found.time_ns)
        self.output.add_ages(watch.fleet, now)

    def _show(self, watched: _Watched) -> None:
        """The states as they are now, when they changed or the values have grown old."""
        watch, now_s = watched.watch, self._wall_s()
        quiet_s = now_s - watched.shown_s
        is_due = quiet_s >= (SHOW_EVERY_S if watched.is_changed else REFRESH_EVERY_S)
        if not is_due or not watched.is_judged:
            return
        watched.book.refresh(lambda name: watch.evaluator.state(name).value)
        self.output.show(watch.fleet, watched.book.snapshot(watch.next_ns - EVERY_NS))
        watched.is_changed, watched.shown_s = False, now_s


def _json(payload: bytes) -> dict[str, object]:
    """An object; empty for what is too long or not one."""
    if len(payload) > STATE_LIMIT_BYTES:
        return {}
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
