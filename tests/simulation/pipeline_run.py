"""One run of the pipeline in virtual time: the real simulator and ingesters, simulated outside.

A seed decides everything: latencies, interleavings, jitter, which faults come when. After
`HEAL_S` every fault is healed and the fleet goes on reporting; the run is over when the simulator
has nothing left to send, and lost if that takes longer than `LIMIT_S`.
"""

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import small_fleet
from memory_broker import MemoryBroker, connector
from memory_network import Network
from memory_store import MemoryStore, StoreClient, draw_poison
from oracle import Journals, Oracle
from pipeline_faults import HEAL_S, heal_all, schedule
from small_fleet import RememberingSimulator
from virtual_time import PROCESS, VirtualLoop

import services.ingest
import services.metrics
import services.simulate
from services import dead_letters, spool
from services.ingest import run_ingest
from services.ingester import Ingester
from services.journal import in_thread
from services.pace import Clock
from services.settings import Settings
from services.simulate import run_simulate
from services.world import World
from services.writers_queue import QUEUE_BATCHES

START_UNIX_S = 1_790_000_000.0
RUN_S = 600.0  # of virtual time, the fleet reports for this long
LIMIT_S = 90.0  # after the last report nothing may be owed any more
POISON_ROWS = 4


@cache
def _settings() -> Settings:
    """Read once: that costs milliseconds, and services start a thousand times."""
    return Settings()


@dataclass
class Process:
    """A service that is started again whenever it has been killed."""

    name: str
    start: Callable[[], Coroutine[Any, Any, Any]]
    incarnation: int = 0
    is_alive: bool = False
    is_over: bool = False
    is_stopping: bool = False
    task: "asyncio.Task[Any] | None" = None

    @property
    def label(self) -> str:
        return f"{self.name}#{self.incarnation}"


@dataclass
class Result:
    """What a run has to say."""

    seed: int
    faults: list[str]
    trace_hash: str
    events: list[str]
    rows: int
    drained_s: float | None
    figures: dict[str, int] = field(default_factory=dict)


class PipelineRun:
    """A seed's world and what happens in it."""

    def __init__(self, loop: VirtualLoop, state_dir: Path) -> None:
        self.random = loop.random
        self.loop = loop
        self.state_dir = state_dir
        self.wall_jump_s = 0.0
        self.network = Network(loop, self.random)
        self.ingesters_count = 1 + int(self.random.random() < 0.3)
        self.broker = MemoryBroker(
            self.network,
            queue_limit=self.random.choice([20, 200, 10_000]),
            window=self.random.choice([1, 5, 20, 1000]),
        )
        truth = small_fleet.truth(RUN_S)
        rows = [
            row for batch in truth.values() for row in batch if row[0].startswith(b"sat_state,")
        ]
        self.store = MemoryStore(self.network, draw_poison(rows, self.random, POISON_ROWS))
        self.letters = Journals(
            state_dir, dead_letters.FILE_NAME, "SELECT id, payload FROM letters WHERE id > ?"
        )
        self.spools = Journals(
            state_dir, spool.FILE_NAME, "SELECT id, body FROM batches WHERE id > ?"
        )
        self.oracle = Oracle(truth, self.store.poison, loop.time, self.letters, self.spools)
        self.store.on_row = self.oracle.on_row
        self.store.on_request = lambda mode, lines: self.oracle.note(f"write {mode} {len(lines)}")
        self.broker.on_publish = self.oracle.on_publish
        self.broker.on_acknowledged = self.oracle.on_acknowledged
        self.ack_after = self.random.choice(["store", "store", "spool"])
        self.ingesters: list[tuple[str, Ingester, int]] = []
        self.simulator: Any = None
        self.kills = 0
        self.is_over = False
        self.paused: set[str] = set()  # ever
        self.tasks: list[asyncio.Task[Any]] = []
        self.processes = [Process("simulate", self._simulate)]
        for number in range(self.ingesters_count):
            self.processes.append(Process(f"ingest-{number}", self._ingester(str(number))))

    # -- the services

    def _world(self) -> World:
        clock = Clock(
            lambda: START_UNIX_S + self.loop.time() + self.wall_jump_s, self.random.uniform
        )
        store: Any = lambda _: StoreClient(self.store)  # noqa: E731
        return World(clock, connector(self.broker), store, in_thread)

    async def _simulate(self) -> None:
        plan = small_fleet.plan(RUN_S, START_UNIX_S)
        settings = _settings().model_copy(update={"state_dir": self.state_dir / "simulate"})
        self.simulator = await run_simulate(settings, plan, 1e9, self._world())

    def _ingester(self, number: str) -> Callable[[], Coroutine[Any, Any, None]]:
        own = {"state_dir": self.state_dir / f"ingest-{number}", "ack_after": self.ack_after}
        settings = _settings().model_copy(update=own)
        return lambda: run_ingest(settings, number, self._world())

    def watch(self, ingester: Ingester) -> None:
        """A new ingester: how many dead letters its file held before it."""
        name = (PROCESS.get() or "").partition("#")[0]
        self.ingesters.append((name, ingester, self.letters.read().counts.get(name, 0)))

    # -- processes

    def start(self, process: Process) -> None:
        if process.is_alive or process.is_over or self.is_over:
            return
        process.incarnation += 1
        process.is_alive, process.is_stopping = True, False
        context = copy_context()
        context.run(PROCESS.set, process.label)
        self.oracle.note(f"start {process.label}")
        task = self.loop.create_task(process.start(), context=context)
        process.task = task
        self.tasks.append(task)
        task.add_done_callback(
            lambda task: self._ended(process, task), context=self.network.outside
        )

    def _ended(self, process: Process, task: "asyncio.Task[Any]") -> None:
        if task is not process.task or self.is_over:
            return
        process.is_alive = False
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.oracle.blame(f"{process.label} ended with {error!r}")
        process.is_over = not process.is_stopping

    def kill(self, process: Process) -> None:
        """SIGKILL: it never runs again; the kernel closes its sockets."""
        if not process.is_alive or self.is_over:
            return
        self.kills += 1
        process.is_alive = False
        self.loop.stop_process(process.label)
        self.close_sockets(process.name)
        self._check_counts(process.name)

    def close_sockets(self, name: str) -> None:
        for session in list(self.broker.sessions.values()):
            if session.connection is not None and session.connection.link[0] == name:
                self.broker.detach(session.connection, gracefully=False)

    def _check_counts(self, name: str) -> None:
        """Every dead letter that is kept is counted, and every counted one is kept."""
        mine = [(one, before) for owner, one, before in self.ingesters if owner == name]
        if mine:
            ingester, before = mine[-1]
            kept = self.letters.read().counts.get(name, 0) - before
            letters = ingester.dead_letters
            if not kept <= letters.count <= kept + letters.waiting_count:
                self.oracle.blame(
                    f"{name}: {kept} dead letters, {ingester.dead_letters.count} counted"
                )

    async def play(self) -> float | None:
        """Run to the end; the second after the last report at which nothing was owed."""
        for process in self.processes:
            self.loop.call_later(self.random.uniform(0.0, 3.0), self.start, process)
        schedule(self)
        self.loop.call_later(HEAL_S, heal_all, self)
        while self._is_unfinished() and self.loop.time() < RUN_S + LIMIT_S:
            await asyncio.sleep(0.5)
            self._look()
        drained_s = self.loop.time() - RUN_S if self.processes[0].is_over else None
        if drained_s is None:
            self.oracle.blame("the simulator still owes after everything was healed")
        for process in self.processes[1:]:
            self._check_counts(process.name)
            if not process.is_alive and self.loop.time() > HEAL_S:
                self.oracle.blame(f"{process.label} is not running")
        owed = self.simulator.outbox.frames_count if self.simulator else 0
        self.oracle.judge(owed, self.broker.unknown_acknowledgements)
        return drained_s

    def _is_unfinished(self) -> bool:
        return not self.processes[0].is_over or bool(self.oracle.missing())

    def _look(self) -> None:
        """Memory stays bounded."""
        for name, ingester, _ in self.ingesters[-4:]:
            if ingester.queue.qsize() > QUEUE_BATCHES:
                self.oracle.blame(f"{name}: {ingester.queue.qsize()} batches queued")


@contextmanager
def _in_place(run: PipelineRun) -> Iterator[None]:
    """The services make their parts by name: these names are ours while a run lasts."""

    def watched(*given: Any, **named: Any) -> Ingester:
        ingester = ingester_class(*given, **named)
        run.watch(ingester)
        return ingester

    ingester_class, simulator_class = services.ingest.Ingester, services.simulate.Simulator
    count_tasks = services.metrics._tasks_count
    services.metrics._tasks_count = lambda: 0  # those of all processes: of no use, and slow
    services.ingest.Ingester = watched  # type: ignore[misc, assignment]
    services.simulate.Simulator = RememberingSimulator  # type: ignore[misc]
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        services.metrics._tasks_count = count_tasks
        services.ingest.Ingester = ingester_class  # type: ignore[misc]
        services.simulate.Simulator = simulator_class  # type: ignore[misc]


def run_seed(seed: int) -> Result:
    """One seed from start to end."""
    memory = Path("/dev/shm")
    state_dir = Path(tempfile.mkdtemp(prefix="twin-", dir=memory if memory.is_dir() else None))
    loop = VirtualLoop(Random(seed))
    run = PipelineRun(loop, state_dir)
    try:
        with _in_place(run):
            drained_s = loop.run_until_complete(run.play())
            faults, trace_hash = list(run.oracle.faults), run.oracle.trace_hash
            _tidy(run)
            run.letters.close()
            run.spools.close()
    finally:
        loop.close()
        shutil.rmtree(state_dir)
    figures = {
        "kills": run.kills,
        "dropped_by_broker": run.broker.dropped,
        "requests": run.store.requests,
        "dead_letters": len(run.letters.rows),
    }
    return Result(
        seed, faults, trace_hash, run.oracle.events, len(run.oracle.stored), drained_s, figures
    )


def _tidy(run: PipelineRun) -> None:
    """End every process in good order, so that nothing is left for the garbage collector."""

    async def until_done() -> None:
        run.is_over = True
        run.loop.start_all()
        for task in run.tasks:
            task.cancel()
        await asyncio.sleep(60.0)
        for left in run.loop.unfinished:
            left.cancel()
        await asyncio.sleep(60.0)
        assert not run.loop.unfinished

    run.loop.run_until_complete(until_done())
