"""The simulator of one fleet: ticks, reports and commands, and what it owes to the store.

The outbox holds every batch until the ingester says that it is stored. When it is full the
simulation waits: time falls behind, nothing is dropped. The way over MQTT is `simulate.py`.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from services.command_log import CommandLog
from services.fleet_changes import change_fleet
from services.fleet_rollups import FleetRollups
from services.last_known import LastKnown
from services.orders import Orders
from services.outgoing import Outgoing
from services.pace import SYSTEM_CLOCK, Clock, Pace
from services.plan import Counts, Plan, share_of
from services.rollup_parts import RollupPart
from services.scenario_copies import ScenarioCopies
from services.simulator_state import state_of, status_of, take_up
from services.topics import Topics
from services.watermark import Outbox
from twin.channel_limits import Overrides
from twin.checkpoint import Checkpoint
from twin.faults import FaultPlan, plan_faults
from twin.frames import ROLLUP_SHARD
from twin.minutes import MinuteRows, SatelliteMinutes
from twin.playback import Recorders
from twin.reports import Shard, encode_reports, encoder_for, reporting
from twin.rollups import Columns, Taken, channel_columns
from twin.sensors import Snapshot, snapshot
from twin.state import FloatArray, IntArray
from twin.step import initial_state, step
from twin.surroundings import surroundings
from twin.upsets import accelerator_rows

LOG = logging.getLogger(__name__)
OUTBOX_BYTES = 256 * 1024 * 1024


@dataclass
class Simulator:
    """The twin of one fleet, and what it owes to the store."""

    plan: Plan
    outbox: Outbox = field(default_factory=lambda: Outbox(OUTBOX_BYTES))
    counts: Counts = field(default_factory=Counts)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Clock = SYSTEM_CLOCK
    on_report: Callable[[bytes], None] = lambda _body: None  # rows as they are sent

    def __post_init__(self) -> None:
        self.seed = self.plan.scenario.seed
        self.step_s = self.plan.scenario.step_s
        self._take_part()
        self.model = surroundings(
            self.records, self.plan.epoch_unix_s, self.plan.scenario.environment.settings()
        )
        self.environment = self.model.at(0.0)
        # One tick before the epoch, so that the first report shows loads and heat that flow.
        before = initial_state(self.fleet, self.environment, self.seed)
        self.effects = self.faults.effects_at(0.0)
        self.state = step(
            before, self.fleet, self.environment, self.step_s, 0.0, self.seed, self.effects
        )
        playback = self.plan.scenario.playback
        self.recorders = Recorders(self.plan.build.fleet.count) if playback else None
        self.topics = Topics(self.fleet.name)
        self.outgoing = Outgoing(self.plan, self.outbox)
        self.rollups = FleetRollups(self.plan, self.own, self.epoch_ns)
        self.minutes = SatelliteMinutes(self.fleet)
        self.tick = 0
        self.pace = Pace(self.plan.rate, self.clock.unix_s(), self.clock)
        self.changed = asyncio.Event()
        self.to_send = asyncio.Event()  # not for every watermark: most of them free nothing
        self.broker_is_up = False
        self.lost = np.zeros(self.fleet.count, dtype=np.bool_)
        self.last_known = LastKnown(self.fleet.count, has_contact=playback)
        self.state_messages: dict[str, bytes] = {}
        self.events: list[bytes] = []  # to be told
        self.copies = ScenarioCopies()
        self.homes: dict[str, str] = {}  # satellite -> shard, once the fleet has changed
        if self.plan.part[1] == 1:
            self.orders.change_fleet = partial(change_fleet, self)

    def _take_part(self) -> None:
        share = share_of(self.plan)
        self.fleet, self.records, self.shards = share.fleet, share.places, share.shards
        self.own, self.own_counts = share.own, share.own_counts
        self.encode_rows = encoder_for(self.shards)
        self.design = self.fleet.params  # as built, before any command
        planned = plan_faults(self.plan.scenario.faults, self.plan.build.fleet, self.seed)
        self.orders = Orders(planned, self.fleet, share.rows, self.own, self.step_s)

    @property
    def faults(self) -> FaultPlan:
        """The plan of faults on this process's satellites, those that commands brought with it."""
        return self.orders.faults

    def checkpoint(self) -> Checkpoint | None:
        """The whole state after the last tick; None while a roll-up lacks a part."""
        return state_of(self)

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on after a checkpoint's tick. Raises CheckpointError where it does not fit."""
        take_up(self, checkpoint)
        self._limit_compute()
        self._forget_lost()

    def follow(self, log: CommandLog) -> None:
        """Keep commands there from now on, and obey again those that the state has not seen."""
        self.orders.follow(log)

    @property
    def epoch_ns(self) -> int:
        """The epoch, on the grid of whole microseconds that a float of seconds can carry."""
        return round(self.plan.epoch_unix_s * 1e6) * 1000

    @property
    def time_ns(self) -> int:
        """Simulated time of the current tick."""
        return self.epoch_ns + round(self.tick * self.step_s * 1e9)

    async def run(self) -> None:
        """Tick until the duration is over."""
        begun_s = self.tick * self.step_s / self.plan.rate  # more than 0 after a checkpoint
        self.pace.start_unix_s = self.plan.started_at_s or self.clock.unix_s() - begun_s
        ticks_count = self.plan.duration_s / self.step_s
        while self.tick < ticks_count:
            await self.pace.until(self.tick * self.step_s)
            while self.outbox.is_full:
                self.changed.clear()
                await self.changed.wait()
            self.turn()
        self.done.set()

    def turn(self) -> None:
        """One tick and its reports, without waiting for anything."""
        self._obey_again()
        if self.tick:
            self._advance()
        self._report()
        self.tick += 1
        self.counts.ticks = self.tick

    def _advance(self) -> None:
        elapsed_s = self.tick * self.step_s
        self.environment = self.model.at(elapsed_s)
        self._leave_out_failed(elapsed_s)
        self.effects = self.faults.effects_at(elapsed_s)
        self.state = step(
            self.state,
            self.fleet,
            self.environment,
            self.step_s,
            elapsed_s,
            self.seed,
            self.effects,
        )

    def _leave_out_failed(self, elapsed_s: float) -> None:
        """A satellite that no longer propagates is named and reports no more; never guessed."""
        newly = self.model.failed(elapsed_s) & ~self.lost
        if not newly.any():
            return
        codes = self.model.error_codes(elapsed_s)
        for row in np.flatnonzero(newly).tolist():
            name = self.fleet.satellite_names[row]
            LOG.warning("%s no longer propagates (SGP4 error %d): left out", name, codes[row])
        self.lost = self.lost | newly
        self._forget_lost()

    def _forget_lost(self) -> None:
        owner = accelerator_rows(self.fleet.params.accel_count).owner
        self.shards = tuple(shard.without(self.lost, owner) for shard in self.shards)

    def _report(self) -> None:
        """Batches of every shard that is due at this tick, and now and then the roll-ups."""
        seen = snapshot(
            self.fleet,
            self.state,
            self.environment,
            self.seed,
            self.tick,
            self.effects,
            self.orders.limits,
        )
        due = [reporting(shard, seen) for shard in self.shards if shard.is_due(self.tick)]
        due = [shard for shard in due if shard.rows.size]
        rolls_up = self.tick % self.rollup_ticks == 0
        taken: list[tuple[IntArray, Columns]] = []

        def note(rows: IntArray, readings: Mapping[str, FloatArray]) -> None:
            self.minutes.note(rows, readings)
            if rolls_up:
                taken.append((rows, channel_columns(rows, seen, readings, live=True)))

        self.minutes.begin(self.time_ns)
        finished = [self.minutes.finished(shard, self.encode_rows) for shard in due]
        bodies = encode_reports(due, seen, self.time_ns, self.encode_rows, note)
        for shard, body, minutes in zip(due, bodies, finished, strict=True):
            self._send_report(shard, body, minutes)
        if rolls_up:
            self._roll_up(seen, self.tick // self.rollup_ticks, taken)
        self._note_changed_states()
        self.changed.set()
        self.to_send.set()

    @property
    def rollup_ticks(self) -> int:
        """Ticks from one roll-up to the next."""
        return self.rollups.ticks

    def _roll_up(self, seen: Snapshot, seq: int, taken: Taken) -> None:
        """The roll-up of the whole fleet, or what this process gives to it."""
        made = self.rollups.make(seen, seq, taken)
        if isinstance(made, bytes):
            self._put(ROLLUP_SHARD, seq, 0, made)
        elif made.index == 0:
            self.combine(made)
        else:
            self.outgoing.add_part(made)

    def combine(self, part: RollupPart) -> None:
        """One more part; whole roll-ups go out in order."""
        for seq, columns in self.rollups.parts.add(part):
            body = self.rollups.encoded(columns, seq)
            self._put(ROLLUP_SHARD, seq, 0, body, t_ns=self.rollups.time_ns(seq))
        self.changed.set()
        self.to_send.set()

    @property
    def owes(self) -> tuple[int, int]:
        """Bytes not known to be stored, and roll-ups that wait for other processes' parts."""
        return self.outbox.bytes_count, self.rollups.parts.waiting_count

    def _send_report(self, shard: Shard, body: bytes, minutes: MinuteRows | None) -> None:
        """One shard's batch; with playback, less what waits on board and plus what waited."""
        seq = shard.seq(self.tick)
        if self.recorders is None:
            lines = shard.lines + (len(minutes.places) if minutes else 0)
            body += minutes.body if minutes else b""
            self._put(shard.name, seq, len(shard.rows), body, lines=lines)
            self.on_report(body)
            return
        contact = self.state.ground_station_index >= 0
        accel_count = self.fleet.params.accel_count
        sent = self.recorders.transmit(shard, seq, body, contact, accel_count, minutes)
        self._put(shard.name, seq, sent.frames, sent.body, sent.late)
        self.on_report(sent.body)

    def _put(
        self,
        shard: str,
        seq: int,
        frames: int,
        body: bytes,
        late: int = 0,
        t_ns: int | None = None,
        lines: int | None = None,
    ) -> None:
        when_ns = self.time_ns if t_ns is None else t_ns
        rows = self.outgoing.add(shard, seq, frames, body, late, when_ns, lines)
        self.counts.frames_published += frames
        self.counts.frames_late += late
        self.counts.rows_published += rows

    def _note_changed_states(self) -> None:
        """Retained last-known state of every satellite whose mode or host changed."""
        changed = self.last_known.changed(self.fleet, self.state, self.own, self.time_ns)
        self.state_messages |= changed

    def obey(self, target: str, payload: bytes) -> bytes:
        """Carry out a command on the physics and say what was done."""
        done, event = self.orders.obey(target, payload, self.tick, self.time_ns)
        if done:
            self._limit_compute()
        self.counts.commands += int(done)
        self.counts.commands_refused += int(not done)
        return event

    def _obey_again(self) -> None:
        """Commands of before a restart, at their ticks."""
        if self.orders.obey_again(self.tick):
            self._limit_compute()

    def set_limits(self, overrides: Overrides) -> None:
        """Judge health by the dictionary's limits with these changed, from the next tick on."""
        self.orders.set_limits(overrides, self.tick)

    def _limit_compute(self) -> None:
        self.fleet = replace(self.fleet, params=self.orders.limited(self.design))

    def checks(self) -> dict[str, bool]:
        """Readiness: connected, and room for what is still to be stored."""
        return {"broker": self.broker_is_up, "outbox": not self.outbox.is_full}

    def status(self) -> dict[str, object]:
        """Counters for the retained service state."""
        return status_of(self)
