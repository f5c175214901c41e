"""What the watcher tells others: rows for the store and messages for the broker, bounded.

Changes of alerts wait for a store or a broker that is away, up to a limit; of the ages of reports
only the newest table waits, since the next one says it all again. What is given up is counted.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import orjson

from services.mqtt import Connection
from services.pace import SYSTEM_CLOCK, Clock, full_jitter_s
from services.store import RejectedRowsError, Store, StoreUnavailableError
from services.topics import Topics
from twin.alert_conditions import (
    BREACH_MEASUREMENT,
    FLEET_WATCH_MEASUREMENT,
    WATCH_MEASUREMENT,
)
from twin.alert_series import Breach
from twin.alert_states import Transition
from twin.frames import TAG_VALUE, FieldLayout, encode_rows, row_template
from twin.report_ages import FIELDS, FLEET_FIELDS
from twin.state import FloatArray

LOG = logging.getLogger(__name__)
ALERTS_MEASUREMENT = "alerts"
EVENTS_MEASUREMENT = "events"
TEXT_LIMIT = 300
ROWS_LIMIT = 100_000
EVENTS_LIMIT = 2_000
LINES_AT_ONCE = 5_000
TARGETS_AT_ONCE = 100
BREACHES_LIMIT = 2_000
LAYOUT = FieldLayout(FIELDS, (), np.array([1, 1]))
FLEET_LAYOUT = FieldLayout(FLEET_FIELDS, (), np.array([0, 0]))


def alert_row(change: Transition, fleet: str) -> bytes:
    """One change as a row of `alerts`: state in words, value, since [simulated Unix time]."""
    tags = {"fleet": fleet, "rule": change.rule.name, "severity": change.rule.severity}
    head = row_template(ALERTS_MEASUREMENT, tags | dict(change.labels))
    value = f"value={change.value!r}," if math.isfinite(change.value) else ""
    fields = f'state="{change.after.lower()}",{value}since={change.since_s!r}'
    return head + f" {fields} {round(change.time_s * 1e6)}000\n".encode()


def alert_events(changes: Iterable[Transition], time_ns: int) -> list[bytes]:
    """Changes as events, one for each rule and new state and TARGETS_AT_ONCE of their series."""
    found = []
    for (name, before, after), group in groupby(
        changes, key=lambda one: (one.rule.name, one.before, one.after)
    ):
        rows = list(group)
        rule = rows[0].rule
        event = {
            "kind": "alert",
            "t_ns": time_ns,
            "rule": name,
            "severity": rule.severity,
            "cause": rule.cause,
            "before": before,
            "state": after,
            "reason": rows[0].reason,
            "count": len(rows),
        }
        for begin in range(0, len(rows), TARGETS_AT_ONCE):
            part = rows[begin : begin + TARGETS_AT_ONCE]
            targets = [dict(one.labels) | {"value": one.value} for one in part]
            found.append(orjson.dumps(event | {"targets": targets}))
    return found


def command_row(fleet: str, event: Mapping[str, Any]) -> bytes:
    """An event of the simulator as a row of `events`; nothing where it is not one."""
    kind, target, time_ns = event.get("kind"), event.get("target"), event.get("t_ns")
    if not isinstance(time_ns, int) or not isinstance(kind, str) or not isinstance(target, str):
        return b""
    if not TAG_VALUE.fullmatch(kind) or not TAG_VALUE.fullmatch(target):
        return b""
    head = row_template(EVENTS_MEASUREMENT, {"fleet": fleet, "kind": kind, "target": target})
    told = ("command", "fault", "severity", "value", "reason")
    words = [str(event[name]) for name in told if event.get(name) is not None]
    text = " ".join(words)[:TEXT_LIMIT].replace("\\", "/").replace('"', "'").replace("\n", " ")
    satellites = event.get("satellites")
    count = satellites if isinstance(satellites, int) else 0
    return head + f' text="{text}",satellites={count} {time_ns}\n'.encode()


def age_heads(fleet: str, satellites: Sequence[str], planes: Sequence[str]) -> list[bytes]:
    """Heads of the rows of `sat_watch`; those of sat_state with the measurement's name."""
    return [
        row_template(WATCH_MEASUREMENT, {"fleet": fleet, "plane": plane, "sat": satellite})
        for satellite, plane in zip(satellites, planes, strict=True)
    ]


def age_rows(heads: Sequence[bytes], ages: FloatArray, time_ns: int) -> bytes:
    """Ages (n, 2) as rows of `sat_watch`; satellites that were never heard are left out."""
    heard = np.flatnonzero(np.isfinite(ages[:, 0]))
    none = np.zeros((heard.size, 0), dtype=np.int64)
    return encode_rows([heads[row] for row in heard.tolist()], LAYOUT, ages[heard], none, time_ns)


def silence_row(fleet: str, silence: FloatArray, time_ns: int) -> bytes:
    """Silent and reachable satellites (2,) as the row of `fleet_watch`."""
    head = row_template(FLEET_WATCH_MEASUREMENT, {"fleet": fleet})
    none = np.zeros((1, 0), dtype=np.int64)
    return encode_rows([head], FLEET_LAYOUT, silence[np.newaxis], none, time_ns)


def breach_rows(heads: Sequence[bytes], breaches: Iterable[Breach], time_ns: int) -> bytes:
    """Satellites in breach as rows of `sat_breach`; `heads`: those of `sat_watch`.

    Of one rule the first BREACHES_LIMIT: nobody reads more names than that.
    """
    lines = []
    for rule, rows, values in breaches:
        tail = b",rule=" + rule.name.encode()
        for row, value in zip(rows[:BREACHES_LIMIT].tolist(), values.tolist(), strict=False):
            head = BREACH_MEASUREMENT.encode() + heads[row][len(WATCH_MEASUREMENT) :] + tail
            lines.append(head + f" v={value!r} {time_ns}\n".encode())
    return b"".join(lines)


@dataclass
class OutputCounts:
    """What was written, sent and given up."""

    rows_written: int = 0
    rows_dropped: int = 0
    ages_replaced: int = 0
    events_sent: int = 0
    events_dropped: int = 0
    snapshots_sent: int = 0
    store_failures: int = 0


@dataclass
class Output:
    """Queues to the store and to the broker."""

    counts: OutputCounts = field(default_factory=OutputCounts)
    clock: Clock = SYSTEM_CLOCK
    store_is_up: bool = False

    def __post_init__(self) -> None:
        self._rows: deque[bytes] = deque()
        self._ages: dict[str, bytes] = {}  # by fleet
        self._events: deque[tuple[str, bytes]] = deque()
        self._snapshots: dict[str, bytes] = {}  # by topic
        self._to_store = asyncio.Event()
        self._to_broker = asyncio.Event()

    def add(self, fleet: str, changes: Sequence[Transition], time_ns: int) -> None:
        """Changes of one evaluation, for both."""
        topic = Topics(fleet).event()
        for row in (alert_row(change, fleet) for change in changes):
            if len(self._rows) >= ROWS_LIMIT:
                self._rows.popleft()
                self.counts.rows_dropped += 1
            self._rows.append(row)
        for event in alert_events(changes, time_ns):
            if len(self._events) >= EVENTS_LIMIT:
                self._events.popleft()
                self.counts.events_dropped += 1
            self._events.append((topic, event))
        if changes:
            self._to_store.set()
            self._to_broker.set()

    def add_command(self, fleet: str, event: Mapping[str, Any]) -> None:
        """What became of a command, for whoever looks at curves."""
        row = command_row(fleet, event)
        if row and len(self._rows) < ROWS_LIMIT:
            self._rows.append(row)
            self._to_store.set()

    def add_ages(self, fleet: str, rows: bytes) -> None:
        """The newest ages and breaches of a fleet; replaces those that were not written yet."""
        if rows:
            self.counts.ages_replaced += fleet in self._ages
            self._ages[fleet] = rows
            self._to_store.set()

    def show(self, fleet: str, snapshot: bytes) -> None:
        """The newest states of a fleet, to be retained; replaces what was not sent yet."""
        self._snapshots[Topics(fleet).alerts()] = snapshot
        self._to_broker.set()

    @property
    def waiting_count(self) -> int:
        """Rows of alerts and events that wait."""
        return len(self._rows) + len(self._events)

    async def write_for_ever(self, store: Store) -> None:
        """Rows to the store, alerts before ages, for ever."""
        waits_s = full_jitter_s(clock=self.clock)
        while True:
            try:
                if not self.store_is_up:
                    await store.prepare()
                    waits_s, self.store_is_up = full_jitter_s(clock=self.clock), True
                await self._to_store.wait()
                await self._write(store)
            except StoreUnavailableError as error:
                if self.store_is_up or not self.counts.store_failures:
                    LOG.warning("store: %s; trying again", error)
                self.store_is_up = False
                self.counts.store_failures += 1
                await asyncio.sleep(next(waits_s))

    async def _write(self, store: Store) -> None:
        while self._rows or self._ages:
            if self._rows:
                chunk = [self._rows[k] for k in range(min(LINES_AT_ONCE, len(self._rows)))]
                await self._write_lines(store, b"".join(chunk), len(chunk))
                for _ in chunk:
                    self._rows.popleft()
                continue
            fleet = next(iter(self._ages))
            lines = self._ages.pop(fleet).splitlines(keepends=True)
            for begin in range(0, len(lines), LINES_AT_ONCE):
                part = lines[begin : begin + LINES_AT_ONCE]
                await self._write_lines(store, b"".join(part), len(part))
        self._to_store.clear()

    async def _write_lines(self, store: Store, lines: bytes, count: int) -> None:
        try:
            await store.write(lines)
            self.counts.rows_written += count
        except RejectedRowsError as error:
            self.counts.rows_dropped += count
            LOG.error("the store refuses %d rows: %s", count, error)

    async def send_for_ever(self, connection: Connection) -> None:
        """Events and retained states to the broker; until the connection is lost."""
        while True:
            await self._to_broker.wait()
            self._to_broker.clear()
            while self._events:
                topic, event = self._events[0]
                await connection.publish(topic, event)
                self._events.popleft()
                self.counts.events_sent += 1
            while self._snapshots:
                topic, snapshot = next(iter(self._snapshots.items()))
                await connection.publish(topic, snapshot, retain=True)
                if self._snapshots.get(topic) is snapshot:
                    del self._snapshots[topic]
                self.counts.snapshots_sent += 1
