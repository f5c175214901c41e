"""`twin up`: broker, store, ingester, console and simulator from one command.

What the environment names (TWIN_MQTT_URL, TWIN_INFLUX_URL) is used; what it does not name is
started here, on loopback. Ctrl-C stops everything in order, and so does the end of `--for`.
"""

import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson

from services.children import Child, twin_command
from services.embedded_broker import embedded_broker
from services.mqtt import Connection, keep_connected
from services.runs import OpenedScenario, report_counts
from services.settings import Settings, load_settings
from services.store import StoreUnavailableError, open_store
from services.topics import Topics, parse
from twin.errors import TwinError

LOG = logging.getLogger(__name__)
DRAIN_S = 2.5
STOP_S = 1.0
FINAL_DRAIN_S = 60.0
SETTLE_S = 0.6  # the simulator's farewell and the last watermarks arrive


@dataclass(frozen=True)
class UpOptions:
    """What the command line asked for."""

    opened: OpenedScenario
    scenario: str
    rate: float
    for_s: float | None  # simulated seconds
    quiet: bool
    announce: Callable[[str], None]

    @property
    def fleet(self) -> str:
        """Name of the fleet."""
        return self.opened.build.fleet.name


@dataclass
class Watch:
    """The newest word of each service."""

    services: dict[str, dict[str, object]] = field(default_factory=dict)

    def count(self, service: str, counter: str) -> int:
        """A counter of a service; 0 if it has not spoken."""
        value = self.services.get(service, {}).get(counter, 0)
        return value if isinstance(value, int) else 0


@dataclass
class Stack:
    """The running processes, in the order in which they are stopped."""

    settings: Settings
    children: list[Child]

    def child(self, name: str) -> Child | None:
        """The child of that name, if it is ours."""
        return next((child for child in self.children if child.name == name), None)


def free_ports(count: int) -> list[int]:
    """Free loopback ports, all different because all are held at once."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [opened.getsockname()[1] for opened in sockets]


def plan_stack(settings: Settings, options: UpOptions) -> Stack:
    """Which processes to start and what each is told."""
    state_dir = settings.state_dir.resolve()
    mqtt_port, client_port, store_port = free_ports(3)
    told: dict[str, str] = {"TWIN_STATE_DIR": str(state_dir)}
    servers: list[Child] = []
    if "TWIN_MQTT_URL" not in os.environ:
        told["TWIN_MQTT_URL"] = f"mqtt://127.0.0.1:{mqtt_port}"
        broker = embedded_broker(state_dir / "broker", mqtt_port, client_port)
        servers.append(Child("broker", broker.command, {}, state_dir / "broker.log"))
    if not settings.influx_url and not settings.store_url:
        told["TWIN_STORE_URL"] = f"http://127.0.0.1:{store_port}"
        command = twin_command("store", "--listen", f"127.0.0.1:{store_port}")
        servers.append(Child("store", command, told, state_dir / "store.log"))
    simulate = ["simulate", options.scenario, "--rate", str(options.rate)]
    epoch_unix_s = options.opened.epoch_unix_s
    started_at_s = epoch_unix_s if options.opened.is_present else time.time()
    simulate += ["--epoch", repr(epoch_unix_s), "--started-at", repr(started_at_s)]
    simulate += ["--drain", str(FINAL_DRAIN_S)]
    if options.for_s is not None:
        simulate += ["--for", f"{options.for_s}s"]
    services = [
        Child(name, twin_command(*command), told, state_dir / f"{name}.log")
        for name, command in (
            ("simulate", simulate),
            ("ingest", ["ingest"]),
            ("console", ["console"]),
        )
    ]
    child_settings = load_settings(
        mqtt_url=told.get("TWIN_MQTT_URL"), store_url=told.get("TWIN_STORE_URL")
    )
    return Stack(child_settings, [*services, *reversed(servers)])


async def run_up(settings: Settings, options: UpOptions) -> dict[str, object]:
    """Run until the simulation is over or this is cancelled; returns the summary."""
    stack, watch = plan_stack(settings, options), Watch()
    started_s, interrupted = time.monotonic(), False
    async with asyncio.TaskGroup() as tasks:
        watcher = tasks.create_task(_watch(stack.settings, watch))
        try:
            await _run_children(settings, stack, watch, options)
        except asyncio.CancelledError:
            interrupted = True
            this = asyncio.current_task()
            assert this is not None
            this.uncancel()
        finally:
            stored = await _stop(stack, options)
            watcher.cancel()
    return _summary(stack, options, watch, stored, time.monotonic() - started_s, interrupted)


async def _run_children(settings: Settings, stack: Stack, watch: Watch, options: UpOptions) -> None:
    for child in reversed(stack.children):
        await child.start()
    async with asyncio.TaskGroup() as tasks:
        beside = [
            tasks.create_task(_measure(stack)),
            tasks.create_task(_announce_console(settings, options.announce)),
        ]
        if not options.quiet:
            beside.append(tasks.create_task(_progress(watch, options)))
        await _until_over(stack)
        for task in beside:
            task.cancel()


async def _until_over(stack: Stack) -> None:
    """Until the simulator ends by itself, or a process ends that must not."""
    runs = {asyncio.create_task(child.keep_running()): child for child in stack.children}
    try:
        done, _ = await asyncio.wait(runs, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in runs:
            task.cancel()
    for task in done:
        child, code = runs[task], task.result()
        if child.name != "simulate" or code != 0:
            raise ChildFailedError(child.name, code, child.log_path)


class ChildFailedError(TwinError):
    """A process of the stack ended for good before its time."""

    def __init__(self, name: str, code: int, log_path: Path) -> None:
        self.exit_code = code if code > 0 else 70
        super().__init__(f"{name} ended with {code}; see {log_path}")


async def _watch(settings: Settings, watch: Watch) -> None:
    async def use(connection: Connection) -> None:
        await connection.subscribe(Topics().service())
        async for message in connection.messages():
            message.acknowledge()
            address = parse(message.topic)
            if address is not None:
                with suppress(orjson.JSONDecodeError):
                    watch.services[address.leaf.partition("-")[0]] = orjson.loads(message.payload)

    await keep_connected(settings, f"up-{os.getpid()}", None, use)


async def _measure(stack: Stack) -> None:
    while True:
        for child in stack.children:
            child.measure()
        await asyncio.sleep(0.5)


async def _announce_console(settings: Settings, announce: Callable[[str], None]) -> None:
    """Say where the console is as soon as it answers."""
    url = f"http://{settings.console_listen}/"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0)) as session:
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(url + "healthz") as answer:
                    if answer.status == 200:
                        break
            await asyncio.sleep(0.05)
    announce(f"Console: {url}")


async def _progress(watch: Watch, options: UpOptions) -> None:
    """A line on the terminal every few seconds: nobody should wonder whether it lives."""
    while True:
        await asyncio.sleep(5.0)
        options.announce(
            f"{options.opened.build.fleet.count:,} satellites, "
            f"{watch.count('simulate', 'frames_published'):,} frames published, "
            f"{watch.count('ingest', 'frames_stored'):,} stored, "
            f"{watch.count('simulate', 'owed'):,} owed, "
            f"{watch.count('ingest', 'dead_lettered'):,} dead letters"
        )


async def _stop(stack: Stack, options: UpOptions) -> dict[str, int] | None:
    """Stop in order; ask the store what it holds once everything is written."""
    simulate, *others = stack.children
    for child in stack.children:
        child.measure()
    await simulate.stop(DRAIN_S)
    await asyncio.sleep(SETTLE_S)
    stored = await _stored_frames(stack, options) if options.for_s is not None else None
    for child in others:
        child.measure()
    services = [child for child in others if child.name in {"ingest", "console"}]
    servers = [child for child in others if child not in services]
    await asyncio.gather(*(child.stop(STOP_S) for child in services))
    await asyncio.gather(*(child.stop(STOP_S) for child in servers))
    return stored


async def _stored_frames(stack: Stack, options: UpOptions) -> dict[str, int] | None:
    start_ns = round(options.opened.epoch_unix_s * 1e6) * 1000
    stop_ns = start_ns + round((options.for_s or 0.0) * 1e9)
    try:
        async with open_store(stack.settings) as store:
            await store.prepare()
            return await store.frames_per_satellite(options.fleet, start_ns, stop_ns)
    except StoreUnavailableError as error:
        LOG.warning("stored frames cannot be counted: %s", error)
        return None


def _summary(
    stack: Stack,
    options: UpOptions,
    watch: Watch,
    stored: dict[str, int] | None,
    wall_s: float,
    cancelled: bool,
) -> dict[str, object]:
    published = watch.count("simulate", "frames_published")
    owed = watch.count("simulate", "owed")
    dead = watch.count("ingest", "dead_lettered_frames")
    in_store = (
        sum(stored.values()) if stored is not None else watch.count("ingest", "frames_stored")
    )
    complete = None
    if stored is not None:
        expected = report_counts(options.opened, options.for_s or 0.0)
        complete = sum(stored.get(sat) == count for sat, count in expected.items())
    return {
        "fleet": options.fleet,
        "scenario": options.scenario,
        "satellites": options.opened.build.fleet.count,
        "left_out": len(options.opened.build.left_out),
        "frames_published": published,
        "frames_stored": in_store,
        "frames_counted_by": "store" if stored is not None else "ingester",
        "satellites_complete": complete,
        "samples_stored": watch.count("ingest", "rows_stored"),
        "dead_lettered": watch.count("ingest", "dead_lettered"),
        "owed": owed,
        "lost": published - in_store - dead - owed,
        "duplicates": watch.count("ingest", "duplicates"),
        "interrupted": cancelled,
        "ticks": watch.count("simulate", "ticks"),
        "wall_s": round(wall_s, 2),
        "parts": {
            child.name: {
                "cpu_s": round(child.usage.cpu_s, 2),
                "peak_rss_mb": round(child.usage.peak_rss_bytes / 1e6, 1),
            }
            for child in stack.children
        },
        "python": sys.version.split()[0],
    }
