"""Control groups of version 1, where this machine lets us write to them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from parts import Part

ROOT = Path("/sys/fs/cgroup")


class ControlGroup:
    """One group of one controller."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._taken: list[int] = []

    def take(self, part: Part) -> None:
        """Move a running process in."""
        assert part.process is not None
        (self.path / "cgroup.procs").write_text(str(part.process.pid))
        self._taken.append(part.process.pid)

    def wrapped(self, command: tuple[str, ...]) -> tuple[str, ...]:
        """The command, in the group from its first instruction on."""
        return ("sh", "-c", f'echo $$ > {self.path}/cgroup.procs; exec "$@"', "sh", *command)

    def read(self, name: str) -> int:
        """A number of the group."""
        return int((self.path / name).read_text())

    def release(self) -> None:
        """Everybody out again."""
        for pid in self._taken:
            with suppress(OSError):
                (self.path.parent / "cgroup.procs").write_text(str(pid))
        self._taken = []


@contextmanager
def control_group(controller: str, limits: Mapping[str, str]) -> Iterator[ControlGroup | None]:
    """A group with limits; None where there is no such controller or no right to it."""
    path = ROOT / controller / f"twin-chaos-{os.getpid()}"
    try:
        path.mkdir()
        for name, value in limits.items():
            (path / name).write_text(value)
    except OSError:
        with suppress(OSError):
            path.rmdir()
        yield None
        return
    group = ControlGroup(path)
    try:
        yield group
    finally:
        group.release()
        with suppress(OSError):
            path.rmdir()
