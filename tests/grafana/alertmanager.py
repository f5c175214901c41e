"""Debian's Alertmanager as a child process, and its amtool."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers import LOOPBACK, RunningServer, _end_group, _start, binary

from dashboards.alertmanager_yaml import alertmanager_config
from dashboards.routes import MUTES, Receiver, RouteSpec, contacts, reachable

PACKAGE = "prometheus-alertmanager"
LISTENING = re.compile(r"Listening on.*address=127\.0\.0\.1:(\d+)")


def configuration(root: RouteSpec, url: str) -> str:
    """Our tree with every receiver at `url`/<receiver>."""
    keys: tuple[Receiver, ...] = ("page", "ticket", "log", "drill")
    told = contacts({key: f"{url}/{key}" for key in keys})
    return alertmanager_config(reachable(root, {one.name for one in told}), told, MUTES)


def amtool(*words: str, path: Path) -> str:
    """What amtool says of a configuration; a failure is a failure here."""
    program = binary("amtool", PACKAGE)
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False, cwd=path)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@contextmanager
def alertmanager(configuration_text: str) -> Iterator[RunningServer]:
    """A real Alertmanager on a port of its own, alone: no cluster."""
    program = binary(PACKAGE, PACKAGE)
    with tempfile.TemporaryDirectory(prefix="twin-alertmanager-") as own:
        home = Path(own)
        (home / "alertmanager.yml").write_text(configuration_text)
        command = (
            program,
            f"--config.file={home / 'alertmanager.yml'}",
            f"--storage.path={home}",
            f"--web.listen-address={LOOPBACK}:0",
            "--cluster.listen-address=",
            "--log.level=info",
        )
        process, lines, ready = _start(command, home, LISTENING)
        if ready is None:
            pytest.fail("alertmanager did not start:\n" + "".join(lines))
        try:
            yield RunningServer(LOOPBACK, int(ready[1]), home, process, lines)
        finally:
            _end_group(process)
