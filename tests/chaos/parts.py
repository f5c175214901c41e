"""Real processes that are killed and started again: each in its own group, on ports of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Part:
    """One process of the pipeline."""

    name: str
    command: Sequence[str]
    log_path: Path
    environment: dict[str, str] = field(default_factory=dict)
    kills_count: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def rss_bytes(self) -> int:
        assert self.process is not None
        resident: int = psutil.Process(self.process.pid).memory_info().rss
        return resident

    @property
    def cpu_s(self) -> float:
        assert self.process is not None
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def start(self) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TWIN_")}
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=clean | {"PYTHONPATH": str(ROOT)} | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def signal(self, number: int) -> None:
        if self.is_running:
            assert self.process is not None
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """SIGKILL for the whole group, and wait for it."""
        self.kills_count += 1
        self.signal(signal.SIGKILL)
        self.wait(10.0)

    def wait(self, limit_s: float) -> int | None:
        """Its exit code; None if it still runs after that time."""
        if self.process is None:
            return None
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """However it is: gone."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if self.wait(5.0) is None:
            self.signal(signal.SIGKILL)
            self.wait(5.0)


def twin(*arguments: str) -> tuple[str, ...]:
    """Our own command line in this interpreter."""
    return (sys.executable, "-m", "services.cli", *arguments)


def until(
    holds: Callable[[], bool], limit_s: float, *, begun_s: float | None = None, look_s: float = 0.1
) -> float | None:
    """Seconds until it holds; None if it does not in time.

    Other people's processes tell nobody, so they are asked every `look_s`. begun_s: by the
    monotonic clock, now if not given.
    """
    since_s = time.monotonic() if begun_s is None else begun_s
    while time.monotonic() - since_s < limit_s:
        if holds():
            return time.monotonic() - since_s
        time.sleep(look_s)
    return None


def until_open(port: int, limit_s: float) -> None:
    """Wait until a port is listened on. Raises TimeoutError."""

    def is_open() -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    if until(is_open, limit_s) is None:
        raise TimeoutError(f"nothing listens on port {port} after {limit_s:g} s")
