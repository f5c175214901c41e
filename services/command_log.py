"""Commands that a simulator has obeyed, on disk: a restart obeys them again, at the same ticks."""

import logging
import os
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from errno import ENOSPC
from pathlib import Path

import orjson

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class Obeyed:
    """One command: it acts from this tick on."""

    tick: int
    target: str
    payload: str


class CommandLog:
    """Lines of JSON, one for each command; a line is on the disk before its command acts."""

    def __init__(self, path: Path, run_id: str) -> None:
        self._path = path
        self._run_id = run_id

    def add(self, one: Obeyed) -> None:
        """Keep a command. Raises OSError when the disk does not take it; then nothing is kept."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = orjson.dumps(asdict(one) | {"run": self._run_id}) + b"\n"
        with self._path.open("a+b", buffering=0) as stream:
            size_bytes = stream.seek(0, os.SEEK_END)
            if size_bytes:
                stream.seek(-1, os.SEEK_END)
                # What a crash has cut short must not swallow this line too.
                line = line if stream.read(1) == b"\n" else b"\n" + line
            try:
                if stream.write(line) < len(line):
                    raise OSError(ENOSPC, os.strerror(ENOSPC))
                os.fsync(stream.fileno())
            except OSError:
                with suppress(OSError):
                    stream.truncate(size_bytes)
                raise

    def after(self, known: list[Obeyed]) -> list[Obeyed]:
        """Commands of this run that are not among the known ones, by tick, then as they came."""
        left = Counter(known)
        found = []
        for one in self._lines():
            if left[one] > 0:
                left[one] -= 1
            else:
                found.append(one)
        return sorted(found, key=lambda one: one.tick)

    def _lines(self) -> list[Obeyed]:
        return [order for run, order in orders_in(self._path) if run == self._run_id]


def orders_in(path: Path) -> list[tuple[str, Obeyed]]:
    """Commands in a file with the runs that they are of; of a file that is not there, none."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    found = []
    for line in data.splitlines():
        try:
            row = orjson.loads(line)
            found.append((str(row.pop("run")), Obeyed(**row)))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            LOG.warning("%s: a line cut short by a crash is left out", path)
    return found


def notes_of(obeyed: list[Obeyed]) -> str:
    """Commands as a checkpoint carries them."""
    return orjson.dumps([asdict(one) for one in obeyed]).decode() if obeyed else ""


def obeyed_of(notes: str) -> list[Obeyed]:
    """Commands that a checkpoint carries."""
    return [Obeyed(**row) for row in orjson.loads(notes)] if notes else []
