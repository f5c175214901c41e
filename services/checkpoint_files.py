"""Files of checkpoints: written whole or not at all. Imports nothing of the twin."""

import os
from pathlib import Path

FOLDER = "checkpoints"


def forget_checkpoints(state_dir: Path) -> None:
    """A new run starts at its epoch."""
    for pattern in ("*.ckpt", "*.commands", "*.rollups"):
        for path in (state_dir / FOLDER).glob(pattern):
            path.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file so that it is either the old one or the new one, whole, after any crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    with beside.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
