"""The simulator's own disk: full, read-only or broken, it costs the restart and nothing else."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from services.checkpoint_files import write_whole
from services.command_log import CommandLog, Obeyed
from services.resume import keep_checkpoints
from services.runs import open_scenario, plan_simulation
from services.settings import Settings
from services.simulator import Simulator


async def test_a_disk_that_takes_no_checkpoint_is_counted_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_scenario(Settings(scenario="suncatcher-81", epoch="2026-10-01T00:00:00Z"))
    one = Simulator(plan_simulation(opened, np.inf, None, None))
    path, tries = tmp_path / "a.ckpt", 0
    one.turn()
    one.outbox.take()
    written = asyncio.Event()

    def write(to: Path, data: bytes) -> None:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise OSError(28, "No space left on device")
        write_whole(to, data)
        loop.call_soon_threadsafe(written.set)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr("services.resume.write_whole", write)
    keeper = asyncio.create_task(keep_checkpoints(path, one, 0.0))
    async with asyncio.timeout(60.0):
        await written.wait()
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)
    assert one.counts.checkpoint_failures == 2
    assert path.exists()


def test_a_checkpoint_that_a_full_disk_cuts_short_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    write_whole(path, b"old")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _number: (_ for _ in ()).throw(OSError(5, "EIO")))
        with pytest.raises(OSError, match="EIO"):
            write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.ckpt"]


def test_a_command_that_was_not_kept_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.commands"
    log, kept, torn = CommandLog(path, "r1"), Obeyed(5, "all", "{}"), Obeyed(6, "x", "{}")
    log.add(kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _number: (_ for _ in ()).throw(OSError(5, "EIO")))
        with pytest.raises(OSError, match="EIO"):
            log.add(torn)
    path.write_bytes(path.read_bytes() + b'{"tick": 9, "targ')  # and a crash in the middle of one
    log.add(kept)
    assert log.after([]) == [kept, kept]
