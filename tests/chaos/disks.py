"""Disks that are full, read-only or broken: the store's, and our own."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench import Bench, pipeline
from kills import judged
from outcome import Outcome, Size
from parts import until
from raw_mqtt import publish_all

from services.dead_letters import FILE_NAME, LetterFile
from services.journal import DiskError
from services.topics import Topics

NOT_READY_LIMIT_S = 10.0
RECOVERY_LIMIT_S = 30.0
STUCK_S = 10.0  # with room on its disk
FRESH_LIMIT_S = 5.0
BAD_EACH = 20  # messages that nobody can use, in each phase
OURS = ("ingest", "simulate")


def disk_full(size: Size) -> Outcome:
    """R6: the store's disk is full for a while; nothing is given up, nothing of ours restarted."""
    outcome, full_s = Outcome(), 60.0 if size.nightly else 15.0
    with pipeline(size.seed, run_s=full_s + 45.0, satellites=size.satellites) as bench:
        disk = bench.home / "influx"
        with small_disk(disk, "400m") as is_mounted:
            if not is_mounted:
                return _not_run(outcome)
            bench.start()
            bench.until(6.0)
            fill(disk)
            begun_s, noticed_s = time.monotonic(), None
            while time.monotonic() - begun_s < full_s:
                if noticed_s is None and not bench.is_ready():
                    noticed_s = time.monotonic() - begun_s
                time.sleep(0.25)
            outcome.within("/readyz says 503", noticed_s, NOT_READY_LIMIT_S)
            letters = bench.metric("dlq_total")
            outcome.at_most("dead letters of an outage", letters, 0.0, "")
            unfill(disk)
            _start_again_if_stuck(bench, outcome)
            outcome.within("drained after", bench.drained_s(150.0), RECOVERY_LIMIT_S)
            judged(bench, outcome)
            bench.end()
            return outcome


def _start_again_if_stuck(bench: Bench, outcome: Outcome) -> None:
    """InfluxDB 1.x can keep its error although there is room: then nothing else helps."""
    stamp_ns = bench.stamp_ns(bench.now_s)
    if until(lambda: bench.store.takes(stamp_ns), STUCK_S, look_s=0.5) is not None:
        outcome.figures.append("the store takes rows as soon as there is room")
        return
    outcome.figures.append(
        f"the store refuses rows {STUCK_S:g} s after there is room (influxdb#9923, #24460): "
        "started again"
    )
    outcome.must("the log says so", "has to be started again" in bench.log("ingest"))
    store = bench.parts["store"]
    store.signal(signal.SIGTERM)
    if store.wait(30.0) is None:
        store.kill()
    store.start()


def own_disks(size: Size) -> Outcome:
    """R7: spool, dead letters and checkpoints on disks that are full, read-only, or fail fsync."""
    outcome, each_s = Outcome(), 20.0 if size.nightly else 8.0
    settings = {"ingest": {"TWIN_ACK_AFTER": "spool"}}
    run_s = 6.0 * each_s + 50.0
    with pipeline(size.seed, run_s=run_s, satellites=size.satellites, settings=settings) as bench:
        folders = [bench.home / name for name in OURS]
        with small_disk(folders[0], "24m") as first, small_disk(folders[1], "24m") as second:
            if not (first and second):
                return _not_run(outcome)
            bench.start()
            bench.until_ready()
            sent = 0
            for name, broken in (("full", _full), ("read-only", _read_only), ("EIO", _eio)):
                with broken(bench, folders) as how:
                    outcome.figures.append(f"{name}: {how}")
                    _send_bad(bench, sent)
                    sent += BAD_EACH
                    time.sleep(each_s)
                    outcome.within(
                        f"fresh report stored, {name}", bench.fresh_s(30.0), FRESH_LIMIT_S
                    )
                time.sleep(each_s)
            failures = bench.metric("disk_failures_total")
            outcome.must("failures counted", failures > 0, f"{failures:g}", "> 0")
            kept_s = _until_kept(bench, sent)
            outcome.within(f"all {sent} bad messages kept", kept_s, RECOVERY_LIMIT_S)
            judged(bench, outcome)
            bench.end()
            return outcome


def _send_bad(bench: Bench, first: int) -> None:
    topic = Topics("nobody").telemetry("s0000")
    messages = [(topic, b"bad %d" % number) for number in range(first, first + BAD_EACH)]
    publish_all(bench.broker_port, messages)


def _until_kept(bench: Bench, count: int, limit_s: float = 60.0) -> float | None:
    """Seconds until the file of dead letters holds every one of them."""

    def are_kept() -> bool:
        file = LetterFile(bench.home / "ingest" / FILE_NAME)
        try:
            return len({letter.payload for letter in file.read()}) == count
        except DiskError:
            return False
        finally:
            file.close()

    return until(are_kept, limit_s, look_s=0.5)


@contextmanager
def _full(_bench: Bench, folders: list[Path]) -> Iterator[str]:
    for folder in folders:
        fill(folder)
    yield "no byte left"
    for folder in folders:
        unfill(folder)


@contextmanager
def _read_only(bench: Bench, _folders: list[Path]) -> Iterator[str]:
    """A file system cannot be made so under files that are open for writing: the calls say it."""
    with _lying(bench, "pwrite64,ftruncate", "EROFS") as how:
        yield how


@contextmanager
def _eio(bench: Bench, _folders: list[Path]) -> Iterator[str]:
    with _lying(bench, "fsync,fdatasync", "EIO") as how:
        yield how


@contextmanager
def _lying(bench: Bench, calls: str, error: str) -> Iterator[str]:
    """System calls of the ingester that fail; strace does it."""
    strace = shutil.which("strace")
    process = bench.parts["ingest"].process
    if strace is None or process is None:
        yield "not run: no strace"
        return
    traced = subprocess.Popen(
        [
            *(strace, "-q", "-f", "-o", str(bench.home / "strace.log"), "-p", str(process.pid)),
            *("-e", f"trace={calls}", "-e", f"inject={calls}:error={error}"),
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"{calls} of the ingester fail with {error}"
    finally:
        traced.send_signal(signal.SIGINT)
        traced.wait(10.0)


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[bool]:
    """A file system of its own in memory; False where we may not mount one."""
    path.mkdir(exist_ok=True)
    if not _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)):
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "-l", str(path)], capture_output=True, check=False)


def _mount(*arguments: str) -> bool:
    return not subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode


def fill(folder: Path) -> None:
    """Until the last byte."""
    with (folder / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while ballast.write(bytes(2**20)):
            pass
    with (folder / "ballast").open("ab", buffering=0) as ballast, suppress(OSError):
        while ballast.write(bytes(512)):
            pass


def unfill(folder: Path) -> None:
    """Room again."""
    with suppress(FileNotFoundError):
        (folder / "ballast").unlink()


def _not_run(outcome: Outcome) -> Outcome:
    outcome.figures.append("not run: this user may not mount a file system")
    outcome.must("a file system of its own", True, "not run", "root")
    return outcome
