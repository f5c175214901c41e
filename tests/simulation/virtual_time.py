"""An event loop on virtual time, in which whole processes can be killed, paused and seen again.

Time stands still while anything can run and jumps to the next timer when nothing can. Callbacks
that are ready together run in an order drawn from a seed, so that a seed is one interleaving and
replays exactly. Every task belongs to a process (a context variable); the callbacks of a process
that is stopped are put aside: for good, that is kill -9, no `finally` runs; for a while, SIGSTOP.
"""

import asyncio
import heapq
import selectors
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any

PROCESS: ContextVar[str | None] = ContextVar("process", default=None)
DISK_S = (0.001, 0.02)  # a call handed to a thread takes this long
TASKS_SLACK = 100  # ended tasks that are kept until somebody looks; each is seen by all_tasks()
_Due = tuple[float, int, asyncio.TimerHandle]
"""When, a serial number among equals, what: compared as tuples, which is many times faster."""


def _nothing() -> None:
    """A turn of the loop in which nothing happens."""


class StuckError(Exception):
    """Nothing is ready and no timer is set: everybody waits for everybody."""


class _Selector(selectors.SelectSelector):
    """Waits by moving the clock; the loop's own wake-up pipe is registered and never read."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise StuckError
        self.now_s += max(0.0, timeout)
        return []


class _Task(asyncio.Task):  # type: ignore[type-arg]
    """Hashed by serial number and not by address, so that sets keep one order in every run."""

    def __init__(self, serial: int, work: Any, **more: Any) -> None:
        self.serial = serial  # before asyncio puts the task into its set of all
        super().__init__(work, **more)

    def __hash__(self) -> int:
        return self.serial


class _Future(asyncio.Future):  # type: ignore[type-arg]
    """The same for futures."""

    serial = 0

    def __hash__(self) -> int:
        return self.serial


class VirtualLoop(asyncio.SelectorEventLoop):
    """One thread, one seed, no wall clock."""

    def __init__(self, random: Random) -> None:
        self.selector = _Selector()
        super().__init__(self.selector)
        self.random = random
        self._serial = 0
        self._stopped: dict[str | None, list[asyncio.Handle]] = {}
        self._tasks: list[_Task] = []  # strong: a dead process's tasks must not be collected
        self._tasks_limit = TASKS_SLACK
        self._timers: list[_Due] = []
        self.set_task_factory(self._make_task)  # type: ignore[arg-type]

    def time(self) -> float:
        return self.selector.now_s

    # -- processes

    def stop_process(self, name: str) -> None:
        """Nothing of this process runs until `start_process`."""
        aside = self._stopped.setdefault(name, [])
        for place, handle in enumerate(self._ready):
            if handle._context.get(PROCESS) == name:
                aside.append(handle)
                # The loop has counted its turn: something must stand in its place.
                self._ready[place] = asyncio.Handle(_nothing, (), self, handle._context)
        kept: list[_Due] = []
        for due in sorted(self._timers):
            timer = due[2]
            if timer._context.get(PROCESS) == name and not timer._cancelled:
                aside.append(timer)
            else:
                kept.append(due)
        self._timers = kept  # in order, and so a heap

    def start_process(self, name: str) -> None:
        """The process goes on where it stood; timers that have passed meanwhile fire at once."""
        for handle in self._stopped.pop(name, []):
            if handle._cancelled:
                continue
            if isinstance(handle, asyncio.TimerHandle) and handle._when > self.time():
                self._push(handle)
            else:
                self._ready.append(handle)

    def start_all(self) -> None:
        """Let every process go on, also the dead: the run is over, only the tidying is left."""
        for name in list(self._stopped):
            self.start_process(name)

    @property
    def unfinished(self) -> list[_Task]:
        """Every task but the caller's that has not ended."""
        current = asyncio.current_task(self)
        return [task for task in self._tasks if not task.done() and task is not current]

    # -- asyncio's own hooks

    def _make_task(self, loop: Any, work: Any, **more: Any) -> _Task:
        self._serial += 1
        task = _Task(self._serial, work, loop=loop, **more)
        if len(self._tasks) > self._tasks_limit:
            self._tasks = [one for one in self._tasks if not one.done()]
            self._tasks_limit = 2 * len(self._tasks) + TASKS_SLACK
        self._tasks.append(task)
        return task

    def create_future(self) -> _Future:
        future = _Future(loop=self)
        self._serial += 1
        future.serial = self._serial
        return future

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        if context is None:
            context = copy_context()
        handle = asyncio.Handle(callback, args, self, context)
        self._stopped.get(context.get(PROCESS), self._ready).append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.selector.now_s + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        if context is None:
            context = copy_context()
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._push(timer)
        return timer

    def _push(self, timer: asyncio.TimerHandle) -> None:
        self._serial += 1
        heapq.heappush(self._timers, (timer._when, self._serial, timer))

    def _run_once(self) -> None:
        """One turn, as asyncio's: what is due now, in a drawn order; else the clock moves."""
        timers, ready = self._timers, self._ready
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not ready and not self._stopping:
            self.selector.select(timers[0][0] - self.selector.now_s if timers else None)
        now_s = self.selector.now_s
        while timers and timers[0][0] <= now_s:
            ready.append(heapq.heappop(timers)[2])
        if len(ready) > 1:
            self.random.shuffle(ready)  # type: ignore[arg-type] # a short deque
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def run_in_executor(self, executor: Any, call: Callable[..., Any], *args: Any) -> Any:  # noqa: ARG002
        """A thread's work: done later, in one piece, unless the process is killed before."""
        future = self.create_future()

        def run() -> None:
            if future.cancelled():
                return
            try:
                future.set_result(call(*args))
            except Exception as error:  # noqa: BLE001 - handed to whoever waits
                future.set_exception(error)

        self.call_later(self.random.uniform(*DISK_S), run)
        return future
