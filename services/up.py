"""`twin up`: broker, store, ingester, watcher, console and simulator from one command.

Ctrl-C stops everything in an order that lets the simulator drain first; so does the end of
`--for`, after which the frames in the store are counted.
"""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import orjson

from services.checkpoint_files import forget_checkpoints
from services.children import STILL_OWED_EXIT, twin_command
from services.mqtt import Connection, keep_connected
from services.settings import Settings
from services.stack import DRAIN_S, SERVERS, SERVICES, STOP_S, Stack, only_one
from services.store import StoreUnavailableError, open_store
from services.topics import Topics, parse
from twin.errors import TwinError

if TYPE_CHECKING:
    from services.runs import OpenedScenario

LOG = logging.getLogger(__name__)
FINAL_DRAIN_S = 60.0  # without progress, at the end of --for; after Ctrl-C there is DRAIN_S
INGEST_SPEAKS_S = 2.5
SETTLE_S = 0.6  # the simulator's farewell and the last watermarks arrive
MEASURE_EVERY_S = 0.5
PROGRESS_EVERY_S = 5.0


@dataclass(frozen=True)
class UpOptions:
    """What the command line asked for."""

    rate: float
    for_s: float | None  # simulated seconds
    quiet: bool
    announce: Callable[[str], None]
    on_opened: Callable[["OpenedScenario"], None]


@dataclass
class Watch:
    """The newest word of each service."""

    services: dict[str, dict[str, object]] = field(default_factory=dict)

    def hear(self, service: str, state: dict[str, object]) -> None:
        """Note what a service says; a last will has no counters and takes none away."""
        name = service.partition("-")[0]
        self.services[name] = self.services.get(name, {}) | state

    def count(self, service: str, counter: str) -> int:
        """A counter of a service; 0 if it has not spoken."""
        value = self.services.get(service, {}).get(counter, 0)
        return value if isinstance(value, int) else 0


class ChildFailedError(TwinError):
    """A process of the stack ended for good before its time."""

    def __init__(self, name: str, code: int, log_path: Path) -> None:
        self.exit_code = code if code > 0 else 70
        super().__init__(f"{name} ended with {code}; see {log_path}")


@dataclass
class Run:
    """One run from start to summary."""

    settings: Settings
    options: UpOptions
    stack: Stack
    watch: Watch = field(default_factory=Watch)
    opened: "OpenedScenario | None" = None
    stored: dict[str, int] | None = None
    interrupted: bool = False

    async def until_over(self) -> None:
        """Start everything and wait; then stop everything, whatever happened."""
        async with asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(self._measure()), tasks.create_task(self._announce())]
            try:
                await self._start(beside, tasks)
                await self._until_simulated()
            except asyncio.CancelledError:
                self.interrupted = True
                this = asyncio.current_task()
                assert this is not None
                this.uncancel()
            finally:
                await self._stop_services()
                for task in beside:
                    task.cancel()
                await self._stop_all(SERVERS)
                self.stack.forget_credentials()

    async def _start(self, beside: list[asyncio.Task[None]], tasks: asyncio.TaskGroup) -> None:
        """The console first: people look at it, and it boots while the scenario is read."""
        forget_checkpoints(self.settings.state_dir)  # only a restart inside this run goes on
        await self.stack.start_broker()
        await self.stack.start("console", twin_command("console"))
        self.opened = await asyncio.to_thread(_open, self.settings)
        self.options.on_opened(self.opened)
        await self.stack.start_store()
        await self.stack.start("ingest", twin_command("ingest"))
        await self.stack.start("watch", twin_command("watch"))
        await self.stack.start("simulate", self._simulate_command(self.opened))
        beside.append(tasks.create_task(self._listen()))
        if not self.options.quiet:
            beside.append(tasks.create_task(self._progress()))

    def _simulate_command(self, opened: "OpenedScenario") -> tuple[str, ...]:
        started_at_s = opened.epoch_unix_s if opened.is_present else time.time()
        arguments = ["simulate", self.settings.scenario, "--rate", repr(self.options.rate)]
        arguments += ["--epoch", repr(opened.epoch_unix_s), "--started-at", repr(started_at_s)]
        arguments += ["--drain", repr(FINAL_DRAIN_S)]
        if self.options.for_s is not None:
            arguments += ["--for", f"{self.options.for_s!r}s"]
        return twin_command(*arguments)

    async def _until_simulated(self) -> None:
        """Until the simulator ends by itself; an error if another process ends for good."""
        runs = {asyncio.create_task(c.keep_running()): c for c in self.stack.children}
        try:
            done, _ = await asyncio.wait(runs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in runs:
                task.cancel()
        for task in done:
            child, code = runs[task], task.result()
            if child.name != "simulate" or code not in {0, STILL_OWED_EXIT}:
                raise ChildFailedError(child.name, code, child.log_path)

    async def _listen(self) -> None:
        async def use(connection: Connection) -> None:
            await connection.subscribe(Topics().service())
            async for message in connection.messages():
                message.acknowledge()
                address = parse(message.topic)
                if address is not None and not message.retained:  # not of an earlier run
                    with suppress(orjson.JSONDecodeError):
                        self.watch.hear(address.leaf, orjson.loads(message.payload))

        await keep_connected(self.stack.settings, f"up-{os.getpid()}", None, use)

    async def _measure(self) -> None:
        while True:
            self.stack.measure()
            await asyncio.sleep(MEASURE_EVERY_S)

    async def _announce(self) -> None:
        """Say where the console is as soon as it answers."""
        scheme = "https" if self.settings.console_certificate_file else "http"
        url = f"{scheme}://{self.stack.console_listen}/"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0)) as session:
            while True:
                with suppress(aiohttp.ClientError, TimeoutError):
                    # It is our own child; whose name its certificate has does not matter here.
                    async with session.get(url + "healthz", ssl=False) as answer:
                        if answer.status == 200:
                            break
                await asyncio.sleep(0.05)
        self.options.announce(f"Console: {url}")
        self.options.announce(f"Broker: {self.stack.settings.mqtt_url} (`twin send` finds it)")

    async def _progress(self) -> None:
        """A line every few seconds: nobody should wonder whether it lives."""
        watch = self.watch
        while True:
            await asyncio.sleep(PROGRESS_EVERY_S)
            self.options.announce(
                f"{watch.count('simulate', 'satellites'):,} satellites, "
                f"{watch.count('simulate', 'frames_published'):,} frames published, "
                f"{watch.count('ingest', 'frames_stored'):,} stored, "
                f"{watch.count('simulate', 'owed'):,} owed, "
                f"{watch.count('ingest', 'dead_lettered'):,} dead letters"
            )

    async def _stop_services(self) -> None:
        """Stop in order; ask the store what it holds once everything is written."""
        self.stack.measure()
        for child in self.stack.named("simulate"):
            await child.stop(DRAIN_S)
            await asyncio.sleep(SETTLE_S)
        if self.opened is not None and self.options.for_s is not None and not self.interrupted:
            await self._until_unspooled()
            self.stored = await self._stored_frames(self.opened)
        self.stack.measure()
        await self._stop_all(SERVICES)

    async def _until_unspooled(self) -> None:
        """What the ingester has acknowledged from its spool is still on the way to the store."""
        if self.settings.ack_after != "spool":
            return
        left = -1
        with suppress(TimeoutError):
            while left != 0:
                async with asyncio.timeout(FINAL_DRAIN_S):
                    before = left
                    while left == before or left < 0:
                        await asyncio.sleep(INGEST_SPEAKS_S)  # it tells its counters this often
                        left = self.watch.count("ingest", "spooled")

    async def _stop_all(self, names: tuple[str, ...]) -> None:
        await asyncio.gather(*(child.stop(STOP_S) for child in self.stack.named(*names)))

    async def _stored_frames(self, opened: "OpenedScenario") -> dict[str, int] | None:
        start_ns = round(opened.epoch_unix_s * 1e6) * 1000
        stop_ns = start_ns + round((self.options.for_s or 0.0) * 1e9)
        try:
            async with open_store(self.stack.settings) as store:
                await store.prepare()
                name = opened.build.fleet.name
                return await store.frames_per_satellite(name, start_ns, stop_ns)
        except StoreUnavailableError as error:
            LOG.warning("stored frames cannot be counted: %s", error)
            return None

    def summary(self, wall_s: float) -> dict[str, object]:
        """What became of every frame, and what each process used."""
        counts = self._frame_counts(self.opened) if self.opened else {}
        return counts | {
            "interrupted": self.interrupted,
            "wall_s": round(wall_s, 2),
            "parts": {
                child.name: {
                    "cpu_s": round(child.usage.cpu_s, 2),
                    "peak_rss_mb": round(child.usage.peak_rss_bytes / 1e6, 1),
                }
                for child in self.stack.children
            },
            "python": sys.version.split()[0],
        }

    def _frame_counts(self, opened: "OpenedScenario") -> dict[str, object]:
        from services.runs import report_counts

        watch, stored = self.watch, self.stored
        published, owed = (
            watch.count("simulate", "frames_published"),
            watch.count("simulate", "owed"),
        )
        dead = watch.count("ingest", "dead_lettered_frames")
        complete = None
        in_store = watch.count("ingest", "frames_stored")
        if stored is not None:
            in_store = sum(stored.values())
            expected = report_counts(opened, self.options.for_s or 0.0)
            complete = sum(stored.get(sat) == count for sat, count in expected.items())
        return {
            "scenario": self.settings.scenario,
            "fleet": opened.build.fleet.name,
            "satellites": opened.build.fleet.count,
            "left_out": len(opened.build.left_out),
            "frames_published": published,
            "frames_stored": in_store,
            "frames_counted_by": "ingester" if stored is None else "store",
            "satellites_complete": complete,
            "samples_stored": watch.count("ingest", "values_stored"),
            "dead_lettered": watch.count("ingest", "dead_lettered"),
            "owed": owed,
            # A frame may be in the store and still owed: its acknowledgement is on the way.
            "lost": max(0, published - in_store - dead - owed),
            "duplicates": watch.count("ingest", "duplicates"),
            "ticks": watch.count("simulate", "ticks"),
        }


async def run_up(settings: Settings, options: UpOptions) -> dict[str, object]:
    """Run until the simulation is over or this is cancelled; returns the summary.

    Raises ConfigurationError for a scenario with problems, ChildFailedError for a process that
    will not run.
    """
    started_s = time.monotonic()
    with only_one(settings.state_dir):
        run = Run(settings, options, Stack(settings))
        await run.until_over()
    return run.summary(time.monotonic() - started_s)


def _open(settings: Settings) -> "OpenedScenario":
    """Read and build the scenario; its imports are heavy, so they are part of this work."""
    from services.runs import open_scenario

    return open_scenario(settings)
