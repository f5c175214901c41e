"""A `twin up` that serves: its processes, its addresses and the secrets it must not show."""

import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

START_LIMIT_S = 120.0
CANARIES = {
    name: f"canary-{name.lower()}-0123456789abcdef"
    for name in (
        "TWIN_MQTT_PASSWORD",
        "TWIN_INFLUX_PASSWORD",
        "TWIN_INFLUX_TOKEN",
        "TWIN_CONSOLE_TOKEN",
    )
}
"""Given by the environment; the run adds a password for each service and the store's token."""


@dataclass
class Running:
    """A `twin up` that serves."""

    process: "subprocess.Popen[str]"
    env: dict[str, str]
    state_dir: Path
    secrets: dict[str, str]
    said: list[str] = field(default_factory=list)

    @property
    def tree(self) -> list[psutil.Process]:
        """The supervisor and all its children."""
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def child(self, words: str) -> psutil.Process:
        """The one process whose command line has these words."""
        (found,) = [one for one in self.tree if words in " ".join(one.cmdline())]
        return found

    def port_of(self, process: psutil.Process) -> int:
        """The first port a process listens on."""
        ports = [c.laddr.port for c in process.net_connections("inet") if c.status == "LISTEN"]
        return int(min(ports))

    @property
    def console(self) -> str:
        """Address of the console."""
        return f"http://{self.env['TWIN_CONSOLE_LISTEN']}"

    @property
    def health(self) -> str:
        """Health address of the ingester."""
        return f"http://{self.env['TWIN_HEALTH_LISTEN']}"

    @property
    def health_of_simulator(self) -> str:
        """The next port: `twin up` gives each service one."""
        host, _, port = self.env["TWIN_HEALTH_LISTEN"].rpartition(":")
        return f"http://{host}:{int(port) + 1}/readyz"

    def leaks_in(self, text: str) -> list[str]:
        """Names of the secrets that a text shows."""
        return [name for name, secret in self.secrets.items() if secret in text]


def fetch(url: str, token: str = "") -> tuple[int, str]:
    """Status and body."""
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def until(running: Running, condition: Callable[[], bool]) -> None:
    """Ask again until something holds, or the run has ended."""
    for _ in range(int(START_LIMIT_S / 0.2)):
        try:
            if condition():
                return
        except OSError:
            pass
        try:
            running.process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
        break
    logs = "".join(path.read_text()[-2000:] for path in running.state_dir.glob("*.log"))
    pytest.fail(f"the run did not come up:\n{logs}")
