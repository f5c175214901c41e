"""Files of checkpoints: written whole or not at all. Imports nothing of the twin."""

import os
from contextlib import suppress
from pathlib import Path

FOLDER = "checkpoints"


def forget_checkpoints(state_dir: Path) -> None:
    """A new run starts at its epoch."""
    for pattern in ("*.ckpt", "*.commands", "*.rollups"):
        for path in (state_dir / FOLDER).glob(pattern):
            path.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file so that it is either the old one or the new one, whole, after any crash.

    Raises OSError where the disk does not take it; the old one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    try:
        with beside.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)  # a full disk must not be kept full by half a file
        raise
