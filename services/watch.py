"""The watcher service: telemetry in, alerts out (`twin watch`).

What is judged how is in `watcher.py`, `fleet_watch.py` and `pipeline_watch.py`; here is the process
around them: one connection to the broker, one to the store, and a turn now and then.
"""

import asyncio
import logging

from services.control import Control
from services.lanes import Lanes
from services.metrics import Metrics
from services.mqtt import Connection, ServiceState, keep_connected
from services.owners import Owners
from services.pipeline_watch import PipelineWatch
from services.settings import Settings
from services.store import Store
from services.telemetry import observed
from services.topics import Topics
from services.watch_output import Output
from services.watcher import Watcher
from services.world import REAL_WORLD, World
from twin.alert_rule import INTERVAL_S
from twin.alerts import RULES

LOG = logging.getLogger(__name__)
TURN_S = 0.25
TELL_EVERY_S = 2.5


async def run_watch(
    settings: Settings, world: World = REAL_WORLD, control: Control | None = None
) -> None:
    """Watch until cancelled, or until the operator asks it to drain."""
    control = control or Control()
    control.listen()
    loop = asyncio.get_running_loop()
    output = Output(clock=world.clock)
    metrics = Metrics("watch")
    owners = Owners(settings.owners_file, metrics)
    lanes = Lanes(lambda: owners.table)
    control.on_reload.append(lambda: owners.reload(lanes))
    watcher = Watcher([one for one in RULES if one.scope != "pipeline"], output, loop.time, lanes)
    pipeline = PipelineWatch([one for one in RULES if one.scope == "pipeline"], output)
    service = _Service(watcher, pipeline, output)
    service.measure(metrics)
    async with (
        world.open_store(settings) as store,
        observed(settings.health_listen, service.checks, metrics, store, world.clock),
        asyncio.TaskGroup() as tasks,
    ):
        beside = [
            tasks.create_task(output.write_for_ever(store)),
            tasks.create_task(service.turn_for_ever()),
            tasks.create_task(service.watch_pipeline(store, world)),
        ]

        async def use(connection: Connection) -> None:
            metrics.connections += 1
            await service.serve(connection, control)

        await keep_connected(
            settings,
            "watch",
            service.state,
            use,
            connector=world.connect,
            clock=world.clock,
        )
        for task in beside:
            task.cancel()


class _Service:
    """The loops of the process."""

    def __init__(self, watcher: Watcher, pipeline: PipelineWatch, output: Output) -> None:
        self.watcher, self.pipeline, self.output = watcher, pipeline, output
        self.state = ServiceState(Topics("all").service("watch"), "watch")
        self.broker_is_up = False

    def checks(self) -> dict[str, bool]:
        """Readiness: connected to the broker, and the store takes what is written."""
        return {"broker": self.broker_is_up, "store": self.output.store_is_up}

    def measure(self, metrics: Metrics) -> None:
        """Bind what is counted to the process's metrics."""
        counts, sent, watcher = self.watcher.counts, self.output.counts, self.watcher
        metrics.messages(
            lambda: {
                "received": counts.messages,
                "refused": counts.refused,
                "ended_run": counts.ended_runs,
            }
        )
        metrics.counter("evaluations_total", "Instants judged", lambda: counts.evaluations)
        metrics.counter("evaluations_skipped_total", "Instants left out", lambda: watcher.skipped)
        metrics.counter("alert_changes_total", "Changes of alert states", lambda: counts.changes)
        metrics.counter("alerts_carried_total", "Known before a restart", lambda: counts.carried)
        metrics.counter("rows_stored_total", "Rows written", lambda: sent.rows_written)
        metrics.counter("rows_dropped_total", "Rows given up", lambda: sent.rows_dropped)
        metrics.counter("ages_replaced_total", "Never written", lambda: sent.ages_replaced)
        metrics.counter("events_dropped_total", "Events given up", lambda: sent.events_dropped)
        metrics.counter("fleets_refused_total", "Beyond the limit", lambda: counts.fleets_refused)
        metrics.counter("ops_failures_total", "No ops rows", lambda: self.pipeline.failures)
        metrics.gauge("evaluation_seconds", "The last one took", lambda: watcher.evaluation_s)
        metrics.gauge("fleets", "Watched", lambda: len(watcher.fleets))
        metrics.gauge("satellites", "Watched", self._satellites)
        metrics.gauge("queue_rows", "Rows and events that wait", lambda: self.output.waiting_count)
        metrics.gauge("broker_up", "1 while connected", lambda: int(self.broker_is_up))
        metrics.gauge("store_up", "1 while it takes rows", lambda: int(self.output.store_is_up))

    def _satellites(self) -> int:
        return sum(len(one.watch.ages) for one in self.watcher.fleets.values())

    async def turn_for_ever(self) -> None:
        """Judge what can be judged, again and again."""
        while True:
            await self.watcher.turn()
            await asyncio.sleep(TURN_S)

    async def watch_pipeline(self, store: Store, world: World) -> None:
        """The pipeline's rules, by the wall clock."""
        while True:
            await asyncio.sleep(INTERVAL_S - world.clock.unix_s() % INTERVAL_S)
            if self.output.store_is_up:
                await self.pipeline.evaluate(store, world.clock.unix_s())

    async def serve(self, connection: Connection, control: Control) -> None:
        """One connection; returns when the operator asks for it."""
        self.broker_is_up = True
        try:
            async with asyncio.TaskGroup() as tasks:
                beside = [
                    tasks.create_task(self._receive(connection)),
                    tasks.create_task(self.output.send_for_ever(connection)),
                    tasks.create_task(self._tell(connection)),
                ]
                await control.draining.wait()
                for task in beside:
                    task.cancel()
        finally:
            self.broker_is_up = False
            await connection.say_last(self.state.topic, self.state.payload("offline"))

    async def _receive(self, connection: Connection) -> None:
        topics = Topics()
        await connection.subscribe(
            topics.alerts(),
            topics.state(),
            topics.event(),
            topics.service(),
            topics.telemetry(),
            topics.mirror(),
            topics.lines(),
        )
        async for message in connection.messages():
            message.acknowledge()
            self.watcher.on_message(message)

    async def _tell(self, connection: Connection) -> None:
        """How the service is, retained, for whoever looks."""
        while True:
            counts = {
                "evaluations": self.watcher.counts.evaluations,
                "alerts": self._by_state(),
                "skipped": self.watcher.skipped,
            }
            payload = self.state.payload("online", **counts)
            await connection.publish(self.state.topic, payload, retain=True)
            await asyncio.sleep(TELL_EVERY_S)

    def _by_state(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for book in (self.pipeline.book, *(one.book for one in self.watcher.fleets.values())):
            for state, count in book.counts().items():
                found[state] = found.get(state, 0) + count
        return found
