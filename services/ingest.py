"""The ingester service: MQTT in, the store out, watermarks back to the publishers.

What happens to a message is in `ingester.py`; here is the process around it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import orjson

from services import dead_letters, spool
from services.broker_access import DROPPED
from services.config_hash import settings_text
from services.control import Control
from services.dead_letters import DeadLetters
from services.ingest_group import Group, note_bytes
from services.ingest_metrics import watch_ingester
from services.ingester import Ingester
from services.journal import DiskError
from services.lanes import Lanes
from services.metrics import Metrics
from services.mqtt import Connection, Connector, ServiceState, keep_connected
from services.owners import Owners
from services.pace import Clock, full_jitter_s
from services.publish_all import publish_all
from services.settings import Settings
from services.spool import Spool
from services.store import Store, StoreUnavailableError, request_bytes
from services.telemetry import observed
from services.topics import Topics, parse
from services.world import REAL_WORLD, World

LOG = logging.getLogger(__name__)
WRITERS_COUNT = 3
WATERMARK_EVERY_S = 0.5
HEARD = frozenset({"stored", "wm"})  # lanes of a group of ingesters
STORE_LIMIT_S = 2.0  # between two looks whether the store is up; our choice
STOP_DRAIN_S = 3.0  # after SIGTERM there is no more time than this


async def run_ingest(
    settings: Settings,
    instance: str = "1",
    world: World = REAL_WORLD,
    control: Control | None = None,
) -> None:
    """Ingest until cancelled, or until drained where the operator asks for that."""
    control = control or Control()
    control.listen()
    letters = DeadLetters(
        settings.state_dir / dead_letters.FILE_NAME, world.clock.unix_s, world.offload
    )
    async with world.open_store(settings) as store:
        metrics = Metrics("ingest", instance)
        metrics.configured("settings", settings_text(settings))
        owners = Owners(settings.owners_file, metrics)
        lanes = Lanes(lambda: owners.table)
        control.on_reload.append(lambda: owners.reload(lanes))
        ingester = Ingester(
            store, letters, world.clock, lanes=lanes, request_bytes=request_bytes(settings)
        )
        watch_ingester(metrics, ingester, world.clock)
        async with (
            observed(settings.health_listen, ingester.checks, metrics, store, world.clock),
            _spool_of(settings, instance, ingester, world),
        ):
            await _prepare(store, world.clock)
            work = asyncio.create_task(_work(settings, ingester, metrics, instance, world, control))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await _stop(work, ingester, control)
    await letters.close()


async def _stop(work: "asyncio.Task[None]", ingester: Ingester, control: Control) -> None:
    """Finish what is on its way to the store, within the time that a SIGTERM leaves."""
    control.draining.set()
    limit_s = STOP_DRAIN_S if ingester.broker_is_up and ingester.store_is_up else 0.0
    await asyncio.wait({work}, timeout=limit_s)
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work


@asynccontextmanager
async def _spool_of(
    settings: Settings, instance: str, ingester: Ingester, world: World
) -> AsyncIterator[None]:
    """The ingester's spool where it acknowledges after one."""
    if settings.ack_after == "store":
        yield
        return
    name = spool.FILE_NAME if instance == "1" else f"{instance}-{spool.FILE_NAME}"
    ingester.spool = Spool(
        settings.state_dir / name,
        ingester.queue,
        int(settings.spool_quota_mb * 1e6),
        settings.spool_full == "drop_oldest",
        world.offload,
        ingester.durable,
    )
    try:
        ingester.adopt(ingester.spool.open())
    except DiskError as error:
        LOG.error("spool: %s; acknowledging after the store instead", error)
    try:
        yield
    finally:
        await ingester.spool.close()


async def _work(
    settings: Settings,
    ingester: Ingester,
    metrics: Metrics,
    instance: str,
    world: World,
    control: Control,
) -> None:
    topic = Topics("all").service(f"ingest-{instance}")
    service = ServiceState(topic, "ingest", lambda: metrics.config_hash)
    group = Group(settings.group, ingester.marks) if settings.group else None
    if group is not None:
        ingester.on_durable = group.stored

    async def use(connection: Connection) -> None:
        ingester.broker_is_up = True
        metrics.connections += 1
        try:
            await _serve(ingester, connection, service, control, group)
        finally:
            ingester.broker_is_up = False

    async with asyncio.TaskGroup() as tasks:
        beside = [tasks.create_task(ingester.write_for_ever()) for _ in range(WRITERS_COUNT)]
        if ingester.spool is not None:
            beside.append(tasks.create_task(ingester.spool.run()))
        await keep_connected(
            settings,
            f"ingest-{instance}",
            service,
            use,
            # A session that is kept would have a dead ingester dealt its share for days.
            persistent=group is None,
            connector=_connector(settings, world),
            clock=world.clock,
        )
        for task in beside:
            task.cancel()


async def _prepare(store: Store, clock: Clock) -> None:
    """Start-order free: wait for the store as long as it takes."""
    waits_s, told = full_jitter_s(0.1, STORE_LIMIT_S, clock), False
    while True:
        try:
            await store.prepare()
        except StoreUnavailableError as error:
            if not told:
                LOG.warning("store: %s; trying again", error)
            told = True
            await asyncio.sleep(next(waits_s))
        else:
            return


async def _serve(
    ingester: Ingester,
    connection: Connection,
    service: ServiceState,
    control: Control,
    group: Group | None,
) -> None:
    """One connection: receive, and tell publishers what is stored; returns when drained."""
    async with asyncio.TaskGroup() as tasks:
        teller = tasks.create_task(_tell(ingester, connection, service, group))
        receiver = tasks.create_task(_receive(ingester, connection, group))
        await control.draining.wait()
        receiver.cancel()
        LOG.info("draining: %d batches wait", ingester.waiting_count)
        await ingester.until_idle()
        await _tell_marks(ingester, connection, group)
        teller.cancel()


def _connector(settings: Settings, world: World) -> Connector:
    """MQTT alone, or MQTT and a JetStream that keeps the telemetry."""
    if settings.nats_url is None:
        return world.connect
    from services.jetstream import stream_connector

    return stream_connector(settings.nats_url, world.connect)


async def _receive(ingester: Ingester, connection: Connection, group: Group | None) -> None:
    topics, loop = Topics(), asyncio.get_running_loop()
    lanes = [topics.telemetry(), topics.mirror(), topics.lines()]
    wanted = [*group.shared(lanes), *group.filters()] if group else lanes
    await connection.subscribe(*wanted, DROPPED)
    async for message in connection.messages():
        if message.topic == DROPPED:
            message.acknowledge()
            ingester.broker_dropped = _count_of(message.payload)
        elif group is not None and (address := parse(message.topic)) and address.lane in HEARD:
            message.acknowledge()
            if key := group.hear(message.topic, message.payload, loop.time()):
                ingester.learnt(key)
        else:
            await ingester.receive(message)


def _count_of(payload: bytes) -> int:
    return int(payload) if payload.isdigit() and len(payload) < 19 else 0


async def _tell(
    ingester: Ingester, connection: Connection, service: ServiceState, group: Group | None
) -> None:
    """Watermarks twice a second, the service's own counters every two seconds."""
    turn = 0
    try:
        while True:
            await _tell_marks(ingester, connection, group)
            if turn % 4 == 0:
                state = service.payload("online", **ingester.status())
                await connection.publish(service.topic, state, retain=True)
            turn += 1
            await asyncio.sleep(WATERMARK_EVERY_S)
    finally:
        await connection.say_last(service.topic, service.payload("offline", **ingester.status()))


async def _tell_marks(ingester: Ingester, connection: Connection, group: Group | None) -> None:
    marks = ingester.changed_marks()
    if group is not None:
        group.look_for_holes(asyncio.get_running_loop().time())
        await _tell_group(group, connection)
        marks = group.worth_telling(marks, asyncio.get_running_loop().time())
    messages = [
        (Topics(fleet).watermark(shard), orjson.dumps({"run": run, "seq": seq}))
        for (fleet, run, shard), seq in marks.items()
    ]
    await publish_all(connection, messages, retain=True)


async def _tell_group(group: Group, connection: Connection) -> None:
    """What this ingester has stored, to the others of its group."""
    notes = group.take_notes()
    try:
        while notes:
            for topic, payload in note_bytes(*notes[-1]):
                await connection.publish(topic, payload)
            notes.pop()
    finally:
        group.give_back(notes)
