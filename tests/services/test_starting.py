"""A signal while a service still imports ends it with 0; a command that did not run, not so."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from services.cli_services import services_app
from services.starting import SERVICES, is_service

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0
BLOCKS = """\
import os, sys
print("importing", flush=True)
sys.stdin.buffer.read()  # for ever: nobody closes it
"""


def ended_while_importing(folder: Path, number: int, *arguments: str) -> int:
    """Exit code of the program when the signal comes in the middle of its first big import."""
    (folder / "typer.py").write_text(BLOCKS)
    path = f"{folder}:{ROOT}"
    with subprocess.Popen(
        [sys.executable, "-m", "services.cli", *arguments],
        env=os.environ | {"PYTHONPATH": path},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"importing\n"
            process.send_signal(number)
            return process.wait(LIMIT_S)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name", ["simulate", "ingest"])
def test_a_signal_during_the_imports_of_a_service_ends_it_with_0(
    tmp_path: Path, name: str, number: signal.Signals
) -> None:
    assert ended_while_importing(tmp_path, number, name) == 0


@pytest.mark.parametrize("arguments", [("check",), ("simulate", "--check")])
def test_a_check_that_was_ended_has_not_passed(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert ended_while_importing(tmp_path, signal.SIGTERM, *arguments) == -signal.SIGTERM


def test_the_services_are_commands_and_only_the_program_runs_them() -> None:
    commands = {
        command.name or "" for command in typer.main.get_group(services_app).commands.values()
    }
    assert commands - SERVICES == {"doctor", "health"}
    assert is_service(["/usr/bin/twin", "ingest", "--instance", "2"])
    assert is_service(["/x/services/cli.py", "up"])
    assert not is_service(["/usr/bin/pytest", "up"])
    assert not is_service(["/usr/bin/twin"])
