"""Memory that is short, and the pipeline on virtual time."""

import os
import re
import subprocess
import sys
import time

from bench import pipeline
from groups import control_group
from kills import judged
from outcome import Outcome, Size
from parts import ROOT

CAP_MIB = 128
RATE = 10.0  # times the fleet's own pace
STORE_BYTES_S = 3_000_000.0  # so slow that what comes must wait somewhere
SEEDS, NIGHTLY_SEEDS = 30, 1000
SEEDS_LIMIT_S = 15.0  # of 30 seeds, start and imports with them; of processors and by the clock


def little_memory(size: Size) -> Outcome:
    """R13: an ingester of default settings capped at 128 MiB, ten times the load, a slow store."""
    outcome, run_s = Outcome(), 600.0 if size.nightly else 120.0
    with (
        control_group("memory", {"memory.limit_in_bytes": str(CAP_MIB * 2**20)}) as group,
        pipeline(
            size.seed,
            run_s=run_s,
            proxied=True,
            satellites=size.satellites,
            rate=RATE,
        ) as bench,
    ):
        if group is None:
            outcome.figures.append("not run: no cgroup of version 1 to write to")
            outcome.must("a cap", True, "not run", "root")
            return outcome
        part = bench.parts["ingest"]
        part.command = group.wrapped(tuple(part.command))
        bench.start()
        bench.links["store"].set(rate_bytes_s=STORE_BYTES_S)
        bench.until(run_s)
        bench.links["store"].set()
        process = part.process
        judged(bench, outcome, limit_s=900.0)  # it has no bar of time
        lives = part.is_running and part.process is process
        outcome.must("no process was killed for memory", lives)
        most_mib = group.read("memory.max_usage_in_bytes") / 2**20
        outcome.at_most("most memory, files in the cache too", most_mib, CAP_MIB, "MiB")
        outcome.figures.append(f"resident at the end {part.rss_bytes / 2**20:.0f} MiB")
    return outcome


def on_virtual_time(size: Size) -> Outcome:
    """R20: the whole pipeline on virtual time, 30 seeds of ten minutes with every fault."""
    outcome, seeds = Outcome(), NIGHTLY_SEEDS if size.nightly else SEEDS
    first = (size.seed - 1) * seeds
    command = [
        *(sys.executable, "tests/simulation/nightly.py"),
        *("--from", str(first), "--seeds", str(first + seeds)),
    ]
    before_s, begun_s = outcome.neighbours.ours_s(), time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    took_s, cpu_s = time.monotonic() - begun_s, outcome.neighbours.ours_s() - before_s
    told = done.stdout.strip().splitlines()[-1:] or [done.stderr.strip()[-200:]]
    outcome.figures += [told[0]]
    outcome.must(f"{seeds} seeds from {first}", done.returncode == 0, _failed(told[0]), "0 failed")
    if not size.nightly:
        outcome.within("the seeds took", took_s, SEEDS_LIMIT_S)
        outcome.at_most("processor time of the seeds", cpu_s, SEEDS_LIMIT_S, "s")
    return outcome


def _failed(told: str) -> str:
    found = re.search(r"\d+ failed.*", told)
    return found[0] if found else "did not run"
