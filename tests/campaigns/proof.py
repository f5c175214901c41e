"""400 cases of a drill on workers that are killed, against the same cases one after the other.

`make campaign-proof`: `twin drill campaign --serial` is the reference. The same campaign runs on
two Dask workers, of which one is killed (SIGKILL) every few dozen results; half way the campaign
itself is killed with all of them and started again. Every result file must be the same bytes. Then
some are deleted: the next start must make those, again the same, and touch no other.
Exit code 0 if all of that is so.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
DRILL = (ROOT / "tests" / "data" / "trial_drill.yaml").read_text("utf-8")
SEVERITIES, TARGETS, DRAWS = "0.1,0.2,0.3,0.5,1", "sc_1,sc_2", 4
PER_SEED = 5 * 2 * DRAWS
LOOK_S = 0.05


class ProofError(Exception):
    """What was to be proven is not so."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=400, help=f"a multiple of {PER_SEED}")
    parser.add_argument("--kills", type=int, default=6, help="of workers")
    parser.add_argument("--deleted", type=int, default=37, help="results to delete at the end")
    parser.add_argument("--seed", type=int, default=1, help="of whom to kill and what to delete")
    parser.add_argument("--jobs", type=int, default=2, help="workers")
    given = parser.parse_args()
    if given.cases % PER_SEED or given.cases <= given.deleted:
        parser.error(f"--cases: a multiple of {PER_SEED}, and more than --deleted")
    with tempfile.TemporaryDirectory(prefix="twin-campaign-") as home:
        try:
            prove(Path(home), given)
        except ProofError as error:
            print(f"NOT PROVEN: {error}")
            return 1
    return 0


def prove(home: Path, given: argparse.Namespace) -> None:
    """Run everything and compare. Raises ProofError."""
    (home / "trial.yaml").write_text(DRILL)
    seeds, chance = given.cases // PER_SEED, random.Random(given.seed)
    begin_s = time.monotonic()
    said = finished(started(home, "serial", seeds, "--serial"))
    wanted = files(home / "serial")
    check(len(wanted) == given.cases, f"{len(wanted)} results of {given.cases} cases")
    print(f"serial: {said} ({time.monotonic() - begin_s:.0f} s)")
    killed = parallel(home, seeds, given, chance)
    same(wanted, files(home / "parallel"))
    print(f"parallel, {killed} workers and once everything killed: {given.cases} files the same")
    gone = chance.sample(sorted(wanted), given.deleted)
    before = stamps(home / "parallel")
    for name in gone:
        (home / "parallel" / "results" / name).unlink()
    said = finished(started(home, "parallel", seeds, "--jobs", str(given.jobs)))
    check(f"{given.deleted} run now, {given.cases - given.deleted} kept" in said, said)
    same(wanted, files(home / "parallel"))
    after = stamps(home / "parallel")
    touched = sorted(name for name in before if after[name] != before[name])
    check(touched == sorted(gone), f"{len(touched)} files were written, {len(gone)} were missing")
    print(f"{given.deleted} deleted: {said}; no other file was touched")


def parallel(home: Path, seeds: int, given: argparse.Namespace, chance: random.Random) -> int:
    """The campaign on workers that are killed, and killed itself half way; how many were."""
    half, killed = given.cases // 2, 0
    places = [round(given.cases * (k + 0.5) / given.kills) for k in range(given.kills)]
    process = started(home, "parallel", seeds, "--jobs", str(given.jobs))
    for place in [one for one in places if one < half]:
        killed += kill_worker(process, lambda place=place: count(home) >= place, chance)
    wait_for(process, lambda: count(home) >= half)
    beside = workers(process)
    process.kill()
    process.communicate()
    for one in beside:
        if one.is_running():
            one.kill()
    kept = count(home)
    print(f"everything killed at {kept} results; started again")
    process = started(home, "parallel", seeds, "--jobs", str(given.jobs))
    for place in [one for one in places if one >= half]:
        killed += kill_worker(process, lambda place=place: count(home) >= place, chance)
    said = finished(process)
    check(f"{given.cases - kept} run now, {kept} kept" in said, said)
    check(killed >= given.kills - 1, f"only {killed} of {given.kills} workers were there to kill")
    return killed


def started(home: Path, out: str, seeds: int, *options: str) -> "subprocess.Popen[str]":
    """`twin drill campaign` as its own process."""
    command = [sys.executable, "-m", "services.cli", "drill", "campaign", str(home / "trial.yaml")]
    command += ["--out", str(home / out), "--seeds", str(seeds), "--severities", SEVERITIES]
    command += ["--targets", TARGETS, "--draws", str(DRAWS), "--vary", "battery,array-w", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finished(process: "subprocess.Popen[str]") -> str:
    """How many cases ran, from what it printed. Raises ProofError for a campaign that failed."""
    out, error = process.communicate()
    check(process.returncode == 0, f"exit code {process.returncode}: {out[-2000:]}{error[-2000:]}")
    found = re.search(r"\d+ of \d+ cases: (.*)", out)
    check(found is not None, out)
    assert found is not None
    return found[1]


def workers(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Its worker processes, which only run cases."""
    found = psutil.Process(process.pid).children(recursive=True)
    return [one for one in found if one.is_running() and "spawn_main" in " ".join(one.cmdline())]


def kill_worker(
    process: "subprocess.Popen[str]", due: Callable[[], bool], chance: random.Random
) -> int:
    """Kill one of the workers when it is due; how many were killed."""
    wait_for(process, due)
    there = workers(process) if process.poll() is None else []
    if not there:
        return 0
    os.kill(chance.choice(there).pid, signal.SIGKILL)
    return 1


def wait_for(process: "subprocess.Popen[str]", due: Callable[[], bool]) -> None:
    """Until it is due or the process has ended."""
    while process.poll() is None and not due():
        time.sleep(LOOK_S)  # another process's work


def count(home: Path) -> int:
    """Results that are there."""
    return sum(1 for _ in (home / "parallel" / "results").glob("*.json"))


def files(folder: Path) -> dict[str, bytes]:
    """Every result."""
    return {path.name: path.read_bytes() for path in (folder / "results").glob("*.json")}


def stamps(folder: Path) -> dict[str, int]:
    """When each result was written [ns]."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "results").glob("*.json")}


def same(wanted: dict[str, bytes], found: dict[str, bytes]) -> None:
    """Raises ProofError unless both are the same files with the same bytes."""
    check(
        wanted.keys() == found.keys(), f"{len(wanted.keys() ^ found.keys())} files differ by name"
    )
    differ = [name for name in wanted if wanted[name] != found[name]]
    check(not differ, f"{len(differ)} files differ, such as {differ[:3]}")


def check(good: bool, text: str) -> None:
    """Raises ProofError where it is not so."""
    if not good:
        raise ProofError(text)


if __name__ == "__main__":
    sys.exit(main())
