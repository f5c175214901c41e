"""One drill against a running stack: the same faults as commands, the alerts as they are told.

The simulator must fly the drill's own scenario (`twin drill scenario`), at any rate: everything is
judged in simulated time, counted from its epoch. What the watcher or Grafana said becomes the
same trace as off line; the instants of physical truth come from the twin run beside it.
"""

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import orjson

from services.drill_clock import SimulatedClock
from services.drill_commands_live import Order, orders_of, shifted
from services.drill_grafana import GrafanaWatch, Told
from services.drill_notes import Notes
from services.drill_run import DrillRun, Trace
from services.drill_watched import Changes
from services.mqtt import Connection, LostConnectionError, connect
from services.settings import Settings
from services.topics import Topics, parse
from twin.alert_rule import INTERVAL_S, Rule
from twin.drill_load import Drill
from twin.errors import DependencyUnavailableError, TwinError
from twin.fleet_build import FleetBuild
from twin.report_ages import NS_PER_S

_T = TypeVar("_T")
LOG = logging.getLogger(__name__)
ANSWER_S = 10.0
FOUND_S = 20.0
STALLED_S = 120.0
HEAL_S = 20.0
LEAD_WALL_S = 1.5
LOOK_S = 0.1
BEHIND_LIMIT_S = 20.0
ATTEMPTS = 5
ONE_AT_A_TIME = threading.Lock()  # runs off line beside connections that must be kept


class DrillAbortedError(TwinError):
    """A live drill that could not go on; what it had broken is healed."""

    exit_code = 1


class DrillLateError(TwinError):
    """The first command of a drill came after its instant; nothing is broken yet."""


@dataclass
class LiveDrill:
    """A drill on a running fleet, from its first look to the last heal."""

    settings: Settings
    drill: Drill
    build: FleetBuild
    rules: Sequence[Rule]
    notes: Notes
    said: Callable[[str], None] = lambda _line: None
    grafana: GrafanaWatch | None = None
    """Who tells of the alerts; the watcher where it is None."""
    wall_unix_s: Callable[[], float] = time.time
    changes: Changes = field(init=False)

    def __post_init__(self) -> None:
        """Raises ConfigurationError for a drill that cannot be run live."""
        scenario = self.drill.scenario
        assert scenario.epoch_unix_s is not None
        self.epoch_ns = round(scenario.epoch_unix_s * 1e6) * 1000
        self.fleet = self.build.fleet
        self.topics = Topics(self.fleet.name)
        self.changes = Changes(self.rules, scenario.epoch_unix_s, self.notes.change)
        if self.grafana is not None:
            tags = {rule.name: rule.tags for rule in self.rules}
            epoch_unix_s = scenario.epoch_unix_s
            self.grafana.told = Told(self.changes, tags, self.fleet.name, epoch_unix_s)
        self._answers: dict[tuple[str, str], asyncio.Future[dict[str, Any]]] = {}
        self._sent: list[Order] = []
        self._watch_is_online = False
        orders_of(self.drill, self.fleet, self.rules)  # what cannot be commanded is told at once

    async def run(self) -> tuple[Trace, Trace]:
        """Inject, watch, heal; what happened, and what happens off line at the same instants.

        Raises DrillAbortedError and what connections raise.
        """
        loop = asyncio.get_running_loop()
        self.clock = SimulatedClock(loop.time, self.epoch_ns)
        try:
            playing = self._at_the_broker(self._played)
            if self.grafana is not None:
                playing = self.grafana.beside(playing)
            drill = await playing
        except LostConnectionError as error:
            raise DrillAbortedError(f"broker {self.settings.mqtt_url}: {error}") from None
        finally:
            await self._heal_all()
        self.said("The twin is run beside it for the instants of physical truth.")
        off_line = await asyncio.to_thread(self._off_line, drill)
        return replace(off_line, transitions=self.changes.until(drill.keys.run_s)), off_line

    def _off_line(self, drill: Drill) -> Trace:
        with ONE_AT_A_TIME:
            return DrillRun(drill, self.build, self.rules).run()

    async def _at_the_broker(self, work: Callable[[Connection], Awaitable[_T]]) -> _T:
        """Do some work on a connection of its own, hearing what is said meanwhile."""
        async with connect(self.settings, f"drill-{uuid.uuid4().hex[:12]}", None) as connection:
            await connection.subscribe(
                self.topics.event(), self.topics.alerts(), Topics().service()
            )
            reader = asyncio.ensure_future(self._read(connection))
            doing = asyncio.ensure_future(work(connection))
            try:
                await asyncio.wait({reader, doing}, return_when=asyncio.FIRST_COMPLETED)
                if not doing.done():
                    reader.result()
                    raise DrillAbortedError("the broker has ended the connection")
                return doing.result()
            finally:
                for task in (doing, reader):
                    task.cancel()
                await asyncio.gather(doing, reader, return_exceptions=True)

    async def _played(self, connection: Connection) -> Drill:
        """The drill as it was run: later, where the first command came too late to be obeyed."""
        await self._until(
            lambda: self.clock.is_known, FOUND_S, f"no simulator of {self.fleet.name}"
        )
        if self.grafana is None:
            await self._until(lambda: self._watch_is_online, FOUND_S, "no watcher (`twin watch`)")
        else:
            await self._until_grafana_looks(self.grafana)
        for attempt in range(1, ATTEMPTS + 1):
            lead_s = self._lead_s() * attempt
            drill = self._placed(lead_s)
            try:
                await self._play(connection, drill, lead_s)
            except DrillLateError as error:
                self.said(f"{error}; once more, later")
            else:
                return drill
        raise DrillAbortedError(f"the simulator was ahead of its commands {ATTEMPTS} times")

    async def _until_grafana_looks(self, grafana: GrafanaWatch) -> None:
        """Grafana judges the present, so the fleet must be flown in it."""
        behind_s = self.wall_unix_s() - self.epoch_ns / NS_PER_S - self.clock.elapsed_s
        if abs(behind_s) > BEHIND_LIMIT_S or self.clock.rate != grafana.rate:
            raise DrillAbortedError(
                f"{self.fleet.name} is flown {behind_s:g} s behind the clock at rate "
                f"{self.clock.rate:g}; Grafana judges the present (at most {BEHIND_LIMIT_S:g} s, "
                "rate 1): give simulator and drill one TWIN_EPOCH, the instant of the start"
            )
        grafana.told.behind_s = behind_s
        await self._until(lambda: grafana.has_looked, FOUND_S, "no states of rules from Grafana")

    def _placed(self, lead_s: float) -> Drill:
        """The drill at the simulator's time: as written if that has not begun, else from now."""
        now_s = self.clock.elapsed_s
        if now_s + lead_s < self.drill.keys.quiet_s:
            return self.drill
        by_s = -(-(now_s + lead_s) // INTERVAL_S) * INTERVAL_S
        self.said(f"The simulator is {now_s:g} s after its epoch; the drill begins at {by_s:g} s.")
        return shifted(self.drill, by_s)

    def _lead_s(self) -> float:
        return LEAD_WALL_S * self.clock.rate + 2.0 * self.drill.scenario.step_s

    async def _play(self, connection: Connection, drill: Drill, lead_s: float) -> None:
        for order in orders_of(drill, self.fleet, self.rules):
            ahead_s = lead_s if order.is_timed else 0.0
            await self._until_simulated(order.at_s - ahead_s)
            answer = await self._send(connection, order.target, order.body())
            if not self._sent and "is in the past" in str(answer.get("reason")):
                raise DrillLateError(f"{order.id} on {order.target}: {answer['reason']}")
            if answer["kind"] != "command_done":
                raise DrillAbortedError(f"{order.id} on {order.target}: {answer.get('reason')}")
            self._sent.append(order)
            self.said(f"{order.at_s:g} s: {order.text} on {order.target}")
            self.notes.note(order.at_s, "drill_inject", order.target, order.text)
        await self._until_judged(drill.keys.run_s)

    async def _until_simulated(self, elapsed_s: float) -> None:
        while (left_s := elapsed_s - self.clock.elapsed_s) > 0.0:  # noqa: ASYNC110 - it may slow
            await asyncio.sleep(min(left_s / self.clock.rate, 1.0))

    async def _until_judged(self, elapsed_s: float) -> None:
        """Until the watcher has judged this instant; it may stall, but not for ever."""
        while (judged_s := self.changes.judged_s) < elapsed_s:
            since = f"nothing judged after {judged_s:g} s of simulated time"
            await self._until(partial(self._is_judged_beyond, judged_s), STALLED_S, since)

    def _is_judged_beyond(self, elapsed_s: float) -> bool:
        return self.changes.judged_s > elapsed_s

    async def _until(self, holds: Callable[[], bool], limit_s: float, failure: str) -> None:
        try:
            async with asyncio.timeout(limit_s):
                while not holds():  # noqa: ASYNC110 - many small conditions, looked at in turn
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise DependencyUnavailableError(f"{failure} in {limit_s:g} s") from None

    async def _read(self, connection: Connection) -> None:
        async for message in connection.messages():
            message.acknowledge()
            address = parse(message.topic)
            try:
                told = orjson.loads(message.payload)
            except orjson.JSONDecodeError:
                continue
            if address is None or not isinstance(told, dict):
                continue
            if address.lane == "service":
                if address.fleet == self.fleet.name and str(told.get("service", "")).startswith(
                    "simulate"
                ):
                    self.clock.hear(told)
                self._watch_is_online |= address.leaf == "watch" and told.get("state") == "online"
            elif address.lane == "alerts" or told.get("kind") == "alert":
                self._hear_watcher(address.lane, told)
            else:
                self._hear_answer(told)

    def _hear_watcher(self, lane: str, told: dict[str, Any]) -> None:
        if self.grafana is not None:
            return
        if lane == "alerts":
            self.changes.snapshot(told)
        else:
            self.changes.event(told)

    def _hear_answer(self, told: dict[str, Any]) -> None:
        answer = self._answers.get((str(told.get("id")), str(told.get("target"))))
        if answer is not None and not answer.done():
            answer.set_result(told)

    async def _send(
        self, connection: Connection, target: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        key = (str(body["id"]), target)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[key] = answer
        await connection.publish(self.topics.command(target), orjson.dumps(body))
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError:
            raise DrillAbortedError(f"{key[0]} on {target}: no answer in {ANSWER_S:g} s") from None
        finally:
            del self._answers[key]

    async def _heal_all(self) -> None:
        """End what was begun and has not ended by itself, also one that is still to begin."""
        left = [one for one in self._sent if one.is_timed and one.end_s > self.clock.elapsed_s]
        if not left:
            return
        try:
            async with asyncio.timeout(HEAL_S):
                await self._at_the_broker(partial(self._heal, left))
        except (TimeoutError, LostConnectionError, DrillAbortedError) as error:
            what = ", ".join(f"{one.fault} on {one.target}" for one in left)
            LOG.error("not healed: %s (%s); use `twin send`", what, error)

    async def _heal(self, left: Sequence[Order], connection: Connection) -> None:
        for order in left:
            await self._until_simulated(order.at_s + self.drill.scenario.step_s)
            heal = {"id": f"heal-{order.id}", "command": "heal", "fault": order.fault}
            answer = await self._send(connection, order.target, heal)
            self.said(f"healed {order.fault} on {order.target}: {answer['kind']}")
            at_s = self.clock.elapsed_s
            self.notes.note(at_s, "drill_heal", order.target, f"heal {order.fault}")
