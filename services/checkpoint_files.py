"""Files of checkpoints: written whole or not at all. Imports nothing of the twin.

Beside the newest some older ones are kept, spread over the run, so that what lies behind need not
be simulated from the epoch (`twin gaps`).
"""

import os
from contextlib import suppress
from pathlib import Path

FOLDER = "checkpoints"
KEPT_EVERY_S = 600.0  # simulated, between the older ones of a young run; our choice
KEPT_COUNT = 8  # of them; later ones lie further apart


def forget_checkpoints(state_dir: Path) -> None:
    """A new run starts at its epoch."""
    for pattern in ("*.ckpt", "*.commands", "*.rollups", "*.kept/*.ckpt", "*.scenarios/*"):
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


def kept_checkpoints(path: Path) -> list[Path]:
    """The newest checkpoint and the older ones beside it, the latest first."""
    older = sorted(_kept_folder(path).glob("*.ckpt"), key=_tick, reverse=True)
    return [path, *older] if path.exists() else older


def keep_older(path: Path, tick: int, step_s: float, run_id: str) -> None:
    """Keep the checkpoint that has just been written, if the last that is kept is long ago.

    Those of another run go; of too many every second one goes, so that they stay spread evenly.
    """
    folder = _kept_folder(path)
    folder.mkdir(parents=True, exist_ok=True)
    kept = sorted(folder.glob("*.ckpt"), key=_tick)
    if any(not one.name.startswith(f"{run_id}-") or _tick(one) > tick for one in kept):
        for one in kept:
            one.unlink(missing_ok=True)
        kept = []
    apart_s = max(KEPT_EVERY_S, tick * step_s / KEPT_COUNT)
    if kept and (tick - _tick(kept[-1])) * step_s < apart_s:
        return
    mine = folder / f"{run_id}-{tick}.ckpt"
    mine.unlink(missing_ok=True)
    os.link(path, mine)  # `write_whole` puts a new file in the old one's place
    for one in [*kept, mine][-2::-2] if len(kept) >= KEPT_COUNT else ():
        one.unlink(missing_ok=True)


def _kept_folder(path: Path) -> Path:
    return path.with_suffix(".kept")


def _tick(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])
