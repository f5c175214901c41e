"""The processes of `twin up`: started together, watched, restarted, stopped in order.

Children ignore the terminal's interrupt: the supervisor passes it on as SIGTERM in an order
that lets the simulator drain before its broker and store go. Brokers install a handler of their
own, so the broker alone stands in another process group. Nothing outlives the supervisor.
"""

import asyncio
import ctypes
import logging
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

LOG = logging.getLogger(__name__)
STILL_OWED_EXIT = 74
"""Of a simulator that is done but for what the store has not taken. Not 75: that is a name that
another process still holds, which may pass, so such a child is started again."""
FINAL_EXITS = frozenset({0, STILL_OWED_EXIT, 78})  # done; done but for that; cannot be done
RESTARTS_LIMIT = 5
RESTART_WINDOW_S = 60.0
PR_SET_PDEATHSIG = 1  # prctl(2), Linux
_LIBC = ctypes.CDLL(None)


@dataclass
class Usage:
    """What a process used: CPU seconds so far and its largest resident size."""

    cpu_s: float = 0.0
    peak_rss_bytes: int = 0


@dataclass
class Child:
    """One process and what is known of it."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    log_path: Path
    process: asyncio.subprocess.Process | None = None
    usage: Usage = field(default_factory=Usage)
    restarts_s: list[float] = field(default_factory=list)
    _earlier_cpu_s: float = 0.0

    async def start(self) -> None:
        """Start it in the supervisor's process group, its output in its own log file."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self._earlier_cpu_s = self.usage.cpu_s
        with self.log_path.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                env=os.environ | self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_prepare,
                process_group=0 if self.name == "broker" else None,
            )

    def measure(self) -> None:
        """Note CPU and memory; a process that has ended keeps its last figures."""
        if self.process is None or self.process.returncode is not None:
            return
        try:
            with (looked := psutil.Process(self.process.pid)).oneshot():
                times, memory = looked.cpu_times(), looked.memory_info()
        except psutil.Error:
            return
        self.usage.cpu_s = self._earlier_cpu_s + times.user + times.system
        self.usage.peak_rss_bytes = max(self.usage.peak_rss_bytes, memory.rss)

    async def stop(self, patience_s: float) -> None:
        """SIGTERM, and SIGKILL if that is not enough."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            async with asyncio.timeout(patience_s):
                await self.process.wait()
        except TimeoutError:
            LOG.warning("%s did not stop in %.1f s; killed", self.name, patience_s)
            self.process.kill()
            await self.process.wait()

    async def keep_running(self) -> int:
        """Wait; start again after a crash. Returns the exit code that ends it for good."""
        while True:
            assert self.process is not None
            code = await self.process.wait()
            now_s = time.monotonic()
            self.restarts_s = [s for s in self.restarts_s if now_s - s < RESTART_WINDOW_S]
            if code in FINAL_EXITS or len(self.restarts_s) >= RESTARTS_LIMIT:
                return code
            self.restarts_s.append(now_s)
            LOG.warning("%s ended with %d; starting it again (%s)", self.name, code, self.log_path)
            await self.start()


def _prepare() -> None:
    """In the child before it runs: deaf to Ctrl-C, and ended if the supervisor is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def twin_command(*arguments: str) -> tuple[str, ...]:
    """Our own command line in this interpreter."""
    return (sys.executable, "-m", "services.cli", *arguments)
