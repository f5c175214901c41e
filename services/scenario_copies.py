"""Copies of a scenario's files as a run has read them: by their content, written once.

A run that goes on with another fleet must be able to do it again (a restart, `twin gaps`) when the
files have long been changed, so they are kept beside its log of commands.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.checkpoint_files import write_whole
from services.commands import ScenarioCopy
from services.scenario_files import read_text
from twin.errors import ConfigurationError, Problem
from twin.scenario_layers import ReadText


@dataclass
class Recorded:
    """Reads files and remembers what was in them."""

    texts: dict[str, str] = field(default_factory=dict)

    def __call__(self, path: str) -> str:
        """Text of a file; raises what `read_text` does."""
        text = self.texts[path] = read_text(path)
        return text


def described(file: str, digest: str, texts: Mapping[str, str]) -> ScenarioCopy:
    """What a log line says of a scenario."""
    return ScenarioCopy(file=file, digest=digest, files={p: _name(t) for p, t in texts.items()})


class ScenarioCopies:
    """A folder of texts; without a folder they are kept in memory."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._texts: dict[str, str] = {}

    def keep(self, texts: Mapping[str, str]) -> None:
        """Keep these. Raises OSError where the disk does not take one."""
        for text in texts.values():
            name = _name(text)
            if self._folder is None:
                self._texts[name] = text
            elif not (self._folder / name).exists():
                write_whole(self._folder / name, text.encode())

    def reader(self, copy: ScenarioCopy) -> ReadText:
        """Reads a scenario's files as they were kept.

        It raises ConfigurationError for a copy that is not there or not what it was.
        """

        def read(path: str) -> str:
            name = copy.files.get(path)
            if name is None:
                raise FileNotFoundError(2, "not among the files that the run has read", path)
            if self._folder is None:
                return self._texts[name]
            place = self._folder / name
            try:
                text = place.read_bytes().decode()
            except (OSError, UnicodeDecodeError) as error:
                message = f"the run's copy of {path} cannot be read: {error}"
                raise ConfigurationError([Problem(str(place), None, "", message)]) from None
            if _name(text) != name:
                message = f"the run's copy of {path} is damaged"
                raise ConfigurationError([Problem(str(place), None, "", message)])
            return text

        return read


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
