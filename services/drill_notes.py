"""Marks of a live drill, where people look: rows of `events` in the store, annotations in Grafana.

A store or a Grafana that is away costs the marks, never the drill; what was not written is counted.
"""

import asyncio
import logging
from collections import deque
from contextlib import suppress
from math import isfinite
from typing import NamedTuple

from services.drill_score import Marked
from services.grafana import Grafana
from services.grafana_settings import GrafanaSettings
from services.provision_notes import annotation
from services.settings import Settings
from services.store import RejectedRowsError, Store, StoreUnavailableError, open_store
from services.watch_output import EVENTS_MEASUREMENT
from twin.alert_states import Transition
from twin.errors import TwinError
from twin.frames import row_template

LOG = logging.getLogger(__name__)
DRILLS_MEASUREMENT = "drills"
WAITING_LIMIT = 10_000
WRITE_EVERY_S = 1.0


class Note(NamedTuple):
    """One mark, in simulated Unix time."""

    unix_s: float
    kind: str  # drill_inject, drill_detect, drill_clear, drill_heal
    target: str
    text: str


class Notes:
    """Marks of one drill that wait to be written."""

    def __init__(self, fleet: str, drill: str, epoch_unix_s: float) -> None:
        self.fleet, self.drill, self._epoch_s = fleet, drill, epoch_unix_s
        self.written: list[Note] = []
        self.lost = 0
        self._waiting: deque[Note] = deque()

    def note(self, elapsed_s: float, kind: str, target: str, text: str) -> None:
        """One mark at an instant of the run."""
        if len(self._waiting) >= WAITING_LIMIT:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(Note(self._epoch_s + elapsed_s, kind, target, text))

    def change(self, change: Transition) -> None:
        """An alert that begins or ends."""
        if change.time_s < 0.0 or not (change.fires or change.resolves):
            return
        labels = change.labels
        on = labels.get("sat") or labels.get("plane") or labels.get("fleet") or self.fleet
        kind = "drill_detect" if change.fires else "drill_clear"
        self.note(change.time_s, kind, on, f"{change.rule.title} {change.after.lower()}")

    async def write_for_ever(self, store: Store | None, grafana: GrafanaSettings | None) -> None:
        """Write what waits, now and then."""
        while True:
            await self.write(store, grafana)
            await asyncio.sleep(WRITE_EVERY_S)

    async def write(self, store: Store | None, grafana: GrafanaSettings | None) -> None:
        """Write what waits."""
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not taken:
            return
        if store is not None:
            await self._to_store(store, b"".join(map(self.row, taken)), len(taken))
        if grafana is not None:
            try:
                await asyncio.to_thread(self._annotate, grafana, taken)
            except TwinError as error:
                self.lost += len(taken)
                LOG.warning("annotations: %s", error)
        self.written += taken

    async def _to_store(self, store: Store, rows: bytes, count: int) -> None:
        try:
            await store.write(rows)
        except (StoreUnavailableError, RejectedRowsError) as error:
            self.lost += count
            LOG.warning("marks of the drill: %s", error)

    def row(self, note: Note) -> bytes:
        """A row of `events`."""
        tags = {"fleet": self.fleet, "drill": self.drill, "kind": note.kind, "target": note.target}
        text = note.text.replace("\\", "\\\\").replace('"', '\\"')
        head = row_template(EVENTS_MEASUREMENT, tags)
        return head + f' text="{text}",satellites=1 {round(note.unix_s * 1e6)}000\n'.encode()

    def _annotate(self, settings: GrafanaSettings, notes: list[Note]) -> None:
        with Grafana(settings) as grafana:
            for one in notes:
                body = annotation(
                    f"{self.drill}: {one.text} on {one.target}",
                    one.unix_s,
                    None,
                    ["drill", self.drill, one.kind],
                )
                grafana.ask("POST", "/annotations", body)

    async def score(self, store: Store, marked: Marked) -> None:
        """The marks of the whole drill as a row of `drills`."""
        score = marked.score
        outcomes = [one.outcome for one in score.detections]
        p50_s, p95_s = score.delays_s
        ends_s = [one.cleared_s - one.end_s for one in score.recoveries]
        fields = {
            "score": score.points,
            "detected_count": float(outcomes.count("seen")),
            "missed_count": float(outcomes.count("missed")),
            "false_count": float(len(score.false_pages) + len(score.near_misses)),
            "delay_p50_s": p50_s,
            "delay_p95_s": p95_s,
            "flaps_count": float(score.flaps_count),
            "recovery_s": max(ends_s, default=float("nan")),
        }
        cells = ",".join(f"{name}={value!r}" for name, value in fields.items() if isfinite(value))
        head = row_template(DRILLS_MEASUREMENT, {"fleet": self.fleet, "drill": self.drill})
        stamp = round((self._epoch_s + marked.trace.plan.run_s) * 1e6)
        await self._to_store(store, head + f" {cells} {stamp}000\n".encode(), 1)


def store_of(settings: Settings) -> Store | None:
    """The store that is configured, if one is."""
    with suppress(StoreUnavailableError):
        return open_store(settings)
    return None
