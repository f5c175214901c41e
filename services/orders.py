"""Commands as they change a run: the plan of faults, limits of power, and what a restart obeys."""

import logging
import math
from bisect import insort
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import orjson

from services.command_log import CommandLog, Obeyed
from services.commands import (
    ChangeFleet,
    Command,
    CommandRefusedError,
    Heal,
    Inject,
    LimitCompute,
    SetLimits,
    known_kind,
    obeyed_plan,
    read_command,
    read_order,
    target_rows,
)
from twin.channel_limits import LimitError, LimitTable, Overrides, limits_with
from twin.faults import FaultPlan
from twin.state import BoolArray, Fleet, FleetParams, FloatArray, IntArray

LOG = logging.getLogger(__name__)


class Orders:
    """What commands have made of a run, in the process of some of its satellites.

    Targets are chosen from the whole fleet, also by a process with a part of it: the same draws,
    stations and neighbours as in one process.
    """

    def __init__(
        self, planned: FaultPlan, fleet: Fleet, rows: IntArray, own: BoolArray, step_s: float
    ) -> None:
        """planned: on the whole fleet; fleet: of this process, its `rows` of the whole; own: (n,)
        which of them it reports."""
        self.limit_frac: FloatArray = np.ones(fleet.count)  # payload power over its peak
        self.obeyed: list[Obeyed] = []
        self.to_obey: deque[Obeyed] = deque()  # from before a restart, at ticks still to come
        self.log: CommandLog | None = None
        self.limits: LimitTable | None = None  # None: the dictionary's
        self.change_fleet: Callable[[ChangeFleet, int], None] | None = None  # who can, if anybody
        self._overrides: dict[str, dict[str, float | None]] = {}
        self._fleet, self._rows, self._own, self._step_s = fleet, rows, own, step_s
        self._take(planned)

    def _take(self, whole: FaultPlan) -> None:
        self._whole = whole
        partly = self._rows.size < whole.fleet.count
        self.faults = whole.part(self._fleet, self._rows) if partly else whole

    def move(self, planned: FaultPlan, fleet: Fleet, rows: IntArray, own: BoolArray) -> None:
        """The fleet is another from now on: as for the constructor. Power limits are taken over
        by whoever calls."""
        self._fleet, self._rows, self._own = fleet, rows, own
        self._take(planned)

    @property
    def whole_plan(self) -> FaultPlan:
        """Faults of the whole fleet, also in a process with a part of it."""
        return self._whole

    def follow(self, log: CommandLog) -> None:
        """Keep commands there from now on, and obey again those that the state has not seen."""
        self.log = log
        self.to_obey = deque(log.after(self.obeyed))

    def answers(self, target: str) -> bool:
        """Whether it is this process that tells of a command: it reports one of its satellites.

        The process of the first satellite tells of targets that do not exist.
        """
        try:
            rows = target_rows(self._whole.fleet, target)
        except CommandRefusedError:
            rows = [0]
        return bool(np.isin(self._rows[self._own], rows).any())

    def obey_again(self, tick: int) -> bool:
        """Commands from before a restart that are due at this tick; whether there were any."""
        due: list[Obeyed] = []
        while self.to_obey and self.to_obey[0].tick <= tick:
            due.append(self.to_obey.popleft())
        self.carry_out_in_turn(due)
        return bool(due)

    def carry_out_in_turn(self, orders: Sequence[Obeyed]) -> None:
        """Orders of before a restart; of several changes of the fleet at a tick the last counts."""
        last = {one.tick: one for one in orders if fleet_order(one)}
        for one in orders:
            if one is last.get(one.tick, one) or not fleet_order(one):
                self.carry_out_again(one)
            else:
                self.obeyed.append(one)

    def carry_out_again(self, order: Obeyed) -> None:
        """A command that was taken for its tick; what has become impossible until then is not done.

        It stays among the obeyed ones: a restart must come to the same end.
        """
        try:
            self.carry_out(order)
        except CommandRefusedError as error:
            LOG.warning("command for tick %d is not carried out: %s", order.tick, error)
            self.obeyed.append(order)

    def carry_out(self, order: Obeyed, *, live: bool = False) -> int:
        """Obey a command that came at a tick; the number of its satellites that are ours.

        A live one is on the disk before it acts. Raises CommandRefusedError, then nothing changed.
        """
        command = read_order(order.payload.encode())
        if isinstance(command, SetLimits):
            self._judge_by(command, order, live=live)
            return int(self._own.sum())
        if isinstance(command, ChangeFleet):
            if self.change_fleet is None:
                raise CommandRefusedError("a fleet in parts does not change")
            self.change_fleet(command, order.tick)
            self.obeyed.append(order)
            return int(self._own.sum())
        rows = target_rows(self._whole.fleet, order.target)
        faults = self._whole
        if not isinstance(command, LimitCompute):
            faults = obeyed_plan(faults, command, rows, order.tick * self._step_s)
        if live:
            self._keep(order)
        here = np.isin(self._rows, rows)
        if isinstance(command, LimitCompute):
            self.limit_frac[here] = command.value
        else:
            self._take(faults)
        self.obeyed.append(order)
        return int((here & self._own).sum())

    def obey(self, target: str, payload: bytes, tick: int, time_ns: int) -> tuple[bool, bytes]:
        """Carry out a live command: whether it was, and the event that says what was done."""
        event: dict[str, object] = {"t_ns": time_ns, "target": target}
        try:
            command = read_command(payload)
            event["id"] = command.id
            due_tick = self._due_tick(command, tick)
            order = Obeyed(due_tick, target, payload.decode())
            if due_tick > tick:
                kind, satellites = "command_planned", self._plan(command, order)
            else:
                kind, satellites = "command_done", self.carry_out(order, live=True)
        except CommandRefusedError as error:
            return False, orjson.dumps(event | {"kind": "command_refused", "reason": str(error)})
        done = {"kind": kind, "satellites": satellites} | command.model_dump()
        return True, orjson.dumps(event | done)

    def set_limits(self, overrides: Overrides, tick: int) -> None:
        """Judge by these from this tick on, where they are not in force already.

        Raises CommandRefusedError where the disk does not take it.
        """
        told = [
            self._overrides,
            *(found for one in self.to_obey if (found := _limits_of(one)) is not None),
        ]
        wanted = {name: dict(limits) for name, limits in overrides.items()}
        if told[-1] == wanted:
            return
        payload = {"id": "limits", "command": "set_limits", "limits": wanted}
        self.carry_out(Obeyed(tick, "all", orjson.dumps(payload).decode()), live=True)

    def _judge_by(self, command: SetLimits, order: Obeyed, *, live: bool) -> None:
        try:
            table = limits_with(command.limits)
        except LimitError as error:
            raise CommandRefusedError(str(error)) from None
        if live:
            self._keep(order)
        self._overrides = command.limits
        self.limits = table if command.limits else None
        self.obeyed.append(order)

    def _due_tick(self, command: Command, tick: int) -> int:
        """The tick a command acts at; an injected fault is planned at once, for its onset."""
        due_s = command.due_s(tick * self._step_s)
        if isinstance(command, Inject) or command.at_s is None:
            return tick
        return math.ceil(due_s / self._step_s - 1e-9)

    def _plan(self, command: Command, order: Obeyed) -> int:
        """Keep a command for its tick; the number of its satellites that are ours."""
        rows = target_rows(self._whole.fleet, order.target)
        if isinstance(command, Heal):
            known_kind(command.fault)
        self.keep_for_later(order)
        return int((np.isin(self._rows, rows) & self._own).sum())

    def keep_for_later(self, order: Obeyed) -> None:
        """On the disk now, obeyed at its tick. Raises CommandRefusedError where that fails."""
        self._keep(order)
        insort(self.to_obey, order, key=lambda one: one.tick)

    def _keep(self, order: Obeyed) -> None:
        """On the disk before it acts. Raises CommandRefusedError where that fails."""
        if self.log is None:
            return
        try:
            self.log.add(order)
        except OSError as error:
            raise CommandRefusedError(f"it cannot be kept for a restart: {error}") from None

    def limited(self, design: FleetParams) -> FleetParams:
        """Payloads as designed, less what commands have limited."""
        peak_w = design.compute_peak_w * self.limit_frac
        average_w = np.minimum(design.compute_average_w, peak_w)
        return replace(design, compute_peak_w=peak_w, compute_average_w=average_w)


def _limits_of(order: Obeyed) -> dict[str, dict[str, float | None]] | None:
    """Limits that an order sets; None for any other."""
    command = read_order(order.payload.encode())
    return command.limits if isinstance(command, SetLimits) else None


def fleet_order(order: Obeyed) -> ChangeFleet | None:
    """The change of the fleet that an order is; None for any other."""
    command = read_order(order.payload.encode())
    return command if isinstance(command, ChangeFleet) else None
