"""The simulator service: steps the pure twin against the clock and publishes its reports.

clock -> environment -> step -> reports -> outbox -> MQTT -> (watermark) -> released
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from services.children import STILL_OWED_EXIT
from services.command_log import CommandLog
from services.config_hash import settings_text
from services.control import Control
from services.limits import LimitsFile
from services.metrics import Metrics
from services.mirror import Mirror, mirror_of
from services.mqtt import Connection, ServiceState, keep_connected
from services.plan import Plan
from services.publish_all import publish_all
from services.resume import (
    CHECKPOINT_EVERY_S,
    checkpoint_path,
    keep_checkpoints,
    resume_from,
)
from services.scenario_copies import ScenarioCopies
from services.scenario_watch import ScenarioWatch
from services.service_metrics import watch_simulator
from services.settings import Settings
from services.simulator import OUTBOX_BYTES, Simulator
from services.simulator_hearing import hear
from services.telemetry import observed, ops_store
from services.watermark import Outbox, Owed
from services.world import REAL_WORLD, World
from twin.errors import TwinError

LOG = logging.getLogger(__name__)
PATIENCE_S = 6.0
SENDERS_COUNT = 16
STOP_DRAIN_S = 1.5  # after SIGTERM there is no more time than this


class StillOwedError(TwinError):
    """The store did not take everything in time; a restart sends the rest."""

    exit_code = STILL_OWED_EXIT


async def run_simulate(
    settings: Settings,
    plan: Plan,
    drain_s: float,
    world: World = REAL_WORLD,
    control: Control | None = None,
) -> Simulator:
    """Simulate until the plan's duration is over or this is cancelled; then drain what is owed.

    Raises StillOwedError where it ends by itself, or drained, and the store has not taken
    everything; whoever cancels it does not wait for that.
    """
    control = control or Control()
    control.listen()
    outbox = Outbox(OUTBOX_BYTES, settings.send_window_mb * 1e6)
    with control.interruptible():  # the first start on a machine compiles for some seconds
        simulator = Simulator(plan, outbox, clock=world.clock)
    path = checkpoint_path(settings.state_dir, plan)
    simulator.rollups.keep_in(path.with_suffix(".rollups"))
    simulator.copies = ScenarioCopies(path.with_suffix(".scenarios"))
    resume_from(path, simulator)
    simulator.follow(CommandLog(path.with_suffix(".commands"), plan.run_id))
    name = f"simulate{plan.part_name}"
    metrics = Metrics("simulate", plan.part_name.removeprefix("-") or "1")
    metrics.configured("settings", settings_text(settings))
    limits = LimitsFile(settings.limits_file, simulator, metrics)
    watch = ScenarioWatch(simulator, metrics)
    control.on_reload += [limits.reload, watch.reload]
    topic = simulator.topics.service(name)
    service = ServiceState(topic, name, lambda: metrics.config_hash)
    watch_simulator(metrics, simulator)
    mirror = mirror_of(settings, simulator)

    async def use(connection: Connection) -> None:
        simulator.broker_is_up = True
        metrics.connections += 1
        try:
            await _serve(simulator, connection, service, mirror)
        finally:
            simulator.broker_is_up = False

    client_id = f"simulate-{simulator.fleet.name}{plan.part_name}"
    async with (
        ops_store(settings, world.open_store) as store,
        observed(settings.health_listen, simulator.checks, metrics, store, world.clock),
    ):
        link = asyncio.create_task(
            keep_connected(
                settings,
                client_id,
                service,
                use,
                connector=world.connect,
                clock=world.clock,
            )
        )
        clock = asyncio.create_task(simulator.run())
        keeper = asyncio.create_task(keep_checkpoints(path, simulator, CHECKPOINT_EVERY_S))
        was_told = await _until_over(simulator, link, clock, drain_s, control)
        keeper.cancel()
    if any(simulator.owes) and not was_told:
        raise StillOwedError(_still_owed(simulator))
    return simulator


async def _until_over(
    simulator: Simulator,
    link: "asyncio.Task[None]",
    clock: "asyncio.Task[None]",
    drain_s: float,
    control: Control,
) -> bool:
    """Until what is owed is drained, or cannot be; whether this was told to stop."""
    limit_s: float | None = None
    asked = asyncio.create_task(control.draining.wait())
    try:
        await asyncio.wait({link, clock, asked}, return_when=asyncio.FIRST_COMPLETED)
        for task in (link, clock):
            if task.done():
                task.result()
    except asyncio.CancelledError:
        limit_s = STOP_DRAIN_S
        LOG.info("stopping: %d frames owed", simulator.outbox.frames_count)
    finally:
        clock.cancel()
        asked.cancel()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await _drain(simulator, drain_s)
        finally:
            link.cancel()
            await asyncio.wait({link, clock})
    return limit_s is not None


def _still_owed(simulator: Simulator) -> str:
    return (
        f"{simulator.outbox.frames_count} frames still owed to the store; "
        "started again with the same scenario and epoch the simulator sends them"
    )


async def _drain(simulator: Simulator, patience_s: float) -> None:
    """Wait until nothing is owed, as long as the store takes something every `patience_s`."""
    try:
        while any(simulator.owes):
            async with asyncio.timeout(patience_s):
                before = simulator.owes
                while simulator.owes == before:
                    simulator.changed.clear()
                    await simulator.changed.wait()
    except TimeoutError:
        LOG.warning("%s", _still_owed(simulator))


async def _serve(
    simulator: Simulator, connection: Connection, service: ServiceState, mirror: Mirror
) -> None:
    """One connection: send what is due, hear watermarks and commands, say how it goes."""
    simulator.outbox.forget_sends()
    async with _farewell(simulator, connection, service), asyncio.TaskGroup() as tasks:
        tasks.create_task(_hear(simulator, connection))
        tasks.create_task(_send(simulator, connection))
        tasks.create_task(_send_states(simulator, connection))
        tasks.create_task(mirror.send(connection))
        while True:
            state = service.payload("online", **simulator.status())
            await connection.publish(service.topic, state, retain=True)
            await asyncio.sleep(2.0)


@asynccontextmanager
async def _farewell(
    simulator: Simulator, connection: Connection, service: ServiceState
) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await connection.say_last(service.topic, service.payload("offline", **simulator.status()))


async def _hear(simulator: Simulator, connection: Connection) -> None:
    wanted = [simulator.topics.watermark(), simulator.topics.command()]
    index, count = simulator.plan.part
    if count > 1 and index == 0:
        wanted.append(simulator.topics.part())
    await connection.subscribe(*wanted)
    async for message in connection.messages():
        event = hear(simulator, message)
        if event is not None:
            await connection.publish(simulator.topics.event(), event)


async def _send(simulator: Simulator, connection: Connection) -> None:
    """Send batches in order, a bounded number at once; again those that seem lost."""
    loop = asyncio.get_running_loop()
    slots, outgoing = asyncio.Semaphore(SENDERS_COUNT), simulator.outgoing

    async def one(owed: Owed) -> None:
        try:
            heard = await connection.publish(outgoing.topic(owed), outgoing.payload(owed))
            simulator.counts.unheard += int(not heard)
        finally:
            slots.release()

    async with asyncio.TaskGroup() as tasks:
        while True:
            simulator.to_send.clear()
            for owed in list(simulator.outbox.due(loop.time(), PATIENCE_S)):
                await slots.acquire()
                if not simulator.outbox.owes(owed):
                    slots.release()
                    continue
                simulator.counts.resent += int(owed.sends_count > 0)
                simulator.outbox.sent(owed, loop.time())
                tasks.create_task(one(owed))
            try:
                async with asyncio.timeout(1.0):
                    await simulator.to_send.wait()
            except TimeoutError:
                continue


async def _send_states(simulator: Simulator, connection: Connection) -> None:
    """Events, and retained states when there is nothing more urgent; the newest of each wins."""
    while True:
        while simulator.events:
            await connection.publish(simulator.topics.event(), simulator.events[0])
            simulator.events.pop(0)
        pending, simulator.state_messages = simulator.state_messages, {}
        messages = [(simulator.topics.state(name), text) for name, text in pending.items()]
        try:
            await publish_all(connection, messages, retain=True)
        except BaseException:
            simulator.state_messages = pending | simulator.state_messages
            raise
        await asyncio.sleep(0.5)
