"""Many seeds of the simulated pipeline, or one of them again with its trace.

    python tests/simulation/nightly.py --seeds 1000          # make simulate-nightly SEEDS=1000
    python tests/simulation/nightly.py --seeds 1000 --from 412
    python tests/simulation/nightly.py --seed 98 --trace trace.txt

One process for each processor. Prints every failing seed at once and progress: a bar at a terminal,
elsewhere a line every 10 s. Interrupted, it says with which `--from` the rest is done. Exits with
1 if a seed has failed, with 130 if it was interrupted.
"""

import argparse
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline_run import RUN_S, Result, run_seed
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY_S = 10.0
INTERRUPTED_EXIT = 130


@dataclass
class Tally:
    """What the seeds that are done have shown; they come in their order."""

    first: int
    count: int
    begun_s: float = field(default_factory=time.monotonic)
    done: int = 0
    kills: int = 0
    rows: int = 0
    failed: list[int] = field(default_factory=list)

    def add(self, result: Result) -> None:
        self.done += 1
        self.kills += result.figures["kills"]
        self.rows += result.rows
        if result.faults:
            self.failed.append(result.seed)

    @property
    def told(self) -> str:
        """One line."""
        took_s = max(1e-9, time.monotonic() - self.begun_s)
        names = f": {', '.join(map(str, self.failed))}" if self.failed else ""
        return (
            f"{self.done} of {self.count} seeds of {RUN_S:g} virtual seconds from {self.first} "
            f"in {took_s:.0f} s ({self.done * RUN_S / took_s:.0f} times real time): "
            f"{self.kills} kills, {self.rows} rows, {len(self.failed)} failed{names}"
        )


def told(result: Result) -> str:
    """A failing seed and the first things that were wrong."""
    return "\n".join([f"seed {result.seed} failed:", *(f"  {row}" for row in result.faults[:5])])


def results(seeds: range, processes: int) -> Iterator[Result]:
    """In the order of the seeds, whoever computes them."""
    if processes == 1 or len(seeds) == 1:
        yield from map(run_seed, seeds)
        return
    with multiprocessing.get_context("fork").Pool(processes, _deaf) as pool:
        yield from pool.imap(run_seed, seeds)


def _deaf() -> None:
    """Ctrl-C is for the process that hands out the seeds."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def run_all(tally: Tally, processes: int, trace: Path | None) -> None:
    """Every seed, with progress."""
    seeds = range(tally.first, tally.first + tally.count)
    console, line_s = Console(), time.monotonic()
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    bar = Progress(*columns, TimeRemainingColumn(), console=console)
    bar.disable = not console.is_terminal
    with bar:
        task = bar.add_task("seeds", total=tally.count)
        for result in results(seeds, processes):
            tally.add(result)
            bar.advance(task)
            if result.faults:
                bar.console.print(told(result), markup=False, highlight=False, soft_wrap=True)
            if trace:
                trace.write_text("\n".join(result.events) + "\n", "utf-8")
            if bar.disable and time.monotonic() - line_s >= LINE_EVERY_S:
                line_s = time.monotonic()
                print(tally.told, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1000, help="up to this one, which is not run")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first of them")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="at once")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", type=Path, help="file for the events of that one")
    given = parser.parse_args()
    first, end = (given.first, given.seeds) if given.seed is None else (given.seed, given.seed + 1)
    if not 0 <= first < end or given.processes < 1:
        parser.error(f"no seed from {first} to below {end}, or no process")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tally = Tally(first, end - first)
    try:
        run_all(tally, given.processes, given.trace)
    except KeyboardInterrupt:
        print(tally.told, flush=True)
        print(f"interrupted; the rest: --from {first + tally.done} --seeds {end}", flush=True)
        return INTERRUPTED_EXIT
    print(tally.told, flush=True)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
