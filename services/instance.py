"""One process per name and state directory, and where to reach it.

The lock falls with the process, however that ends; the file says who holds it.
"""

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from twin.errors import ConfigurationError, Problem, TwinError

LOOK_S = 0.1
LOOKS_COUNT = 5


class AlreadyRunningError(TwinError):
    """Another process has this name here; may pass, so exit code 75."""

    exit_code = 75


@contextmanager
def only_instance(state_dir: Path, name: str) -> Iterator[None]:
    """Hold a name. Raises AlreadyRunningError naming the process that holds it."""
    path = _path(state_dir, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a+")
    except OSError as error:
        message = f"cannot be written: {error.strerror}"
        raise ConfigurationError([Problem(str(path), None, "TWIN_STATE_DIR", message)]) from None
    with lock:
        if not _locked(lock):
            raise AlreadyRunningError(
                f"{name} runs already with {state_dir} (process {path.read_text().strip()}); "
                "stop it, or set TWIN_STATE_DIR"
            )
        with suppress(OSError):  # a full disk: the lock holds, only who holds it is not told
            lock.truncate(0)
            os.write(lock.fileno(), str(os.getpid()).encode())
        yield


def running(state_dir: Path) -> dict[str, int]:
    """Names and process ids of what runs with a state directory."""
    found: dict[str, int] = {}
    for path in sorted(state_dir.glob("*.pid")):
        with path.open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                text = lock.read().strip()
                if text.isdigit():
                    found[path.stem] = int(text)
    return found


async def drain(state_dir: Path, name: str) -> None:
    """Ask a service to take nothing more, finish what it has, and end; wait until it has.

    Raises ConfigurationError where no such service runs.
    """
    found = running(state_dir)
    if name not in found:
        names = ", ".join(found) or "none"
        message = f"no such service runs with this directory; running: {names}"
        raise ConfigurationError([Problem(str(state_dir), None, name, message)])
    os.kill(found[name], signal.SIGUSR1)
    while running(state_dir).get(name) == found[name]:  # noqa: ASYNC110 - no event of ours
        await asyncio.sleep(LOOK_S)


def _locked(file: IO[str]) -> bool:
    """Whether the lock is ours now; who only looks holds it for an instant."""
    for _ in range(LOOKS_COUNT):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(LOOK_S / LOOKS_COUNT)
        else:
            return True
    return False


def _path(state_dir: Path, name: str) -> Path:
    return state_dir / f"{name}.pid"
