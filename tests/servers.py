"""Real servers for tests: mosquitto and influxd as child processes on ports of their own.

Each context manager owns its port, its directory and its process group, and ends the group
whatever happens inside. Readiness is read from the server's own log, so nothing sleeps and
nothing polls. Where the binary is not installed the test is skipped, saying which package
to install.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

import pytest

from services.influx_config import influxd_conf

LOOPBACK = "127.0.0.1"
START_LIMIT_S = 30.0
STOP_LIMIT_S = 10.0
PORT_ATTEMPTS = 5
PORTS = SystemRandom()
LISTENER = re.compile(r"(?m)^listener\s+\d+.*$")
INFLUX_ADDRESS = re.compile(r"Listening on HTTP.*addr=127\.0\.0\.1:(\d+)")


@dataclass
class RunningServer:
    """A child process that is ready; `host` and `port` are where it listens."""

    host: str
    port: int
    directory: Path
    process: subprocess.Popen[str]
    log_lines: list[str] = field(default_factory=list)

    @property
    def log(self) -> str:
        """Everything the server wrote so far."""
        return "".join(self.log_lines)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the whole process group with `number`; harmless when it has ended already."""
        _end_group(self.process, number)


@dataclass
class MosquittoServer(RunningServer):
    """A broker; `url` is the value of TWIN_MQTT_URL."""

    @property
    def url(self) -> str:
        """The broker's address as our services take it."""
        return f"mqtt://{self.host}:{self.port}"


@dataclass
class InfluxServer(RunningServer):
    """A 1.x store; `url` is the value of TWIN_INFLUX_URL."""

    @property
    def url(self) -> str:
        """The store's address as our services take it."""
        return f"http://{self.host}:{self.port}"

    def write(self, database: str, lines: str | bytes) -> None:
        """POST line protocol; urllib raises on any answer but 2xx."""
        body = lines.encode() if isinstance(lines, str) else lines
        query = urllib.parse.urlencode({"db": database, "precision": "ns"})
        with urllib.request.urlopen(f"{self.url}/write?{query}", data=body, timeout=60):
            pass

    def query(self, text: str, database: str = "", epoch: str = "ns") -> bytes:
        """Answer of POST /query as bytes of JSON."""
        form = urllib.parse.urlencode({"db": database, "epoch": epoch, "q": text}).encode()
        with urllib.request.urlopen(f"{self.url}/query", data=form, timeout=60) as answer:
            content: bytes = answer.read()
        return content


def binary(name: str, package: str) -> str:
    """Path of a server's binary; skips the test where it is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed (Debian package {package})")
    return found


def free_port() -> int:
    """A loopback port that was free a moment ago; callers retry if it is taken since.

    Below the range from which the system takes ports for outgoing connections: those of other
    processes took one now and then before its server was up.
    """
    for _ in range(PORT_ATTEMPTS * 20):
        port = PORTS.randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
    raise OSError("no free port")


def _end_group(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> None:
    for attempt in (number, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, attempt)
        try:
            process.wait(timeout=STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            continue
        return


def _start(
    command: Sequence[str], directory: Path, ready: re.Pattern[str]
) -> tuple[subprocess.Popen[str], list[str], re.Match[str] | None]:
    """Start `command` and wait until a log line matches `ready`, or until its log ends."""
    process = subprocess.Popen(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    lines: list[str] = []
    matches: list[re.Match[str]] = []
    settled = threading.Event()

    def drain() -> None:
        # Reads to the end even when ready: a full pipe would stop the server.
        assert process.stdout is not None
        with process.stdout as stream:
            for line in stream:
                lines.append(line)
                found = ready.search(line)
                if found is not None and not matches:
                    matches.append(found)
                    settled.set()
        settled.set()

    threading.Thread(target=drain, daemon=True).start()
    settled.wait(START_LIMIT_S)
    if not matches:
        _end_group(process, signal.SIGKILL)
    return process, lines, matches[0] if matches else None


def rendered_listener(conf_text: str, port: int) -> str:
    """The configuration with its one listener moved to a loopback port.

    The broker leaves root for `mosquitto` unless told otherwise, and that user cannot read a
    test's private directory; as any other user the line has no effect.
    """
    own = f"listener {port} {LOOPBACK}"
    moved, count = LISTENER.subn(own, conf_text)
    if count > 1:
        message = f"{count} listeners in the configuration; this fixture moves exactly one"
        raise ValueError(message)
    text = moved if count else f"{own}\n{conf_text}"
    return text if re.search(r"(?m)^user\s", text) else f"{text}\nuser root\n"


@contextmanager
def mosquitto_server(
    conf_text: str = "allow_anonymous true\n",
    *,
    directory: Path | None = None,
    port: int | None = None,
) -> Iterator[MosquittoServer]:
    """A real broker with `conf_text`; its listener line, if any, is moved to our port.

    `directory` (for persistence across two runs) and `port` (for a restart in place) are
    chosen here when not given.
    """
    program = binary("mosquitto", "mosquitto")
    with tempfile.TemporaryDirectory(prefix="twin-mosquitto-") as own:
        home = (directory or Path(own)).resolve()  # the server runs there
        conf = home / "mosquitto.conf"
        for _ in range(PORT_ATTEMPTS):
            chosen = port or free_port()
            text = rendered_listener(conf_text, chosen)
            if "log_dest" not in text:
                text += "log_dest stderr\n"
            if "log_type" in text:  # readiness is told at this level
                text += "log_type information\n"
            conf.write_text(text)
            process, lines, ready = _start(
                (program, "-c", str(conf)), home, re.compile(r"mosquitto version \S+ running")
            )
            if ready is not None:
                break
            if "Address already in use" not in "".join(lines) or port is not None:
                pytest.fail("mosquitto did not start:\n" + "".join(lines))
        else:
            pytest.fail("mosquitto found no free port")
        try:
            yield MosquittoServer(LOOPBACK, chosen, home, process, lines)
        finally:
            _end_group(process)


@contextmanager
def influxd_server(
    *databases: str,
    directory: Path | None = None,
    port: int | None = None,
    asks_login: bool = False,
) -> Iterator[InfluxServer]:
    """A real InfluxDB 1.x with `databases` created.

    `directory` keeps the data for a second run; `port` starts it in place of a former one.
    """
    program = binary("influxd", "influxdb")
    with tempfile.TemporaryDirectory(prefix="twin-influxd-") as own:
        home = (directory or Path(own)).resolve()  # the server runs there
        # Readiness is told at this level; port 0 is the kernel's choice.
        text = influxd_conf(home, port or 0).replace('level = "warn"', 'format = "logfmt"')
        if asks_login:
            text = text.replace("[http]\n", "[http]\nauth-enabled = true\n")
        conf = home / "influxdb.conf"
        conf.write_text(text)
        process, lines, ready = _start((program, "-config", str(conf)), home, INFLUX_ADDRESS)
        if ready is None:
            pytest.fail("influxd did not start:\n" + "".join(lines))
        server = InfluxServer(LOOPBACK, int(ready[1]), home, process, lines)
        try:
            for name in databases:
                server.query(f'CREATE DATABASE "{name}"')
            yield server
        finally:
            _end_group(process)
