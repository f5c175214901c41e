"""Many seeds of the simulated pipeline, or one of them again with its trace.

    python tests/simulation/nightly.py --seeds 1000          # make simulate-nightly SEEDS=1000
    python tests/simulation/nightly.py --seed 98 --trace trace.txt

Prints progress and every failing seed; exits with 1 if one has failed.
"""

import argparse
import sys
import time
from pathlib import Path

from pipeline_run import RUN_S, Result, run_seed
from rich.progress import track


def told(result: Result) -> str:
    """A failing seed and the first things that were wrong."""
    return "\n".join([f"seed {result.seed} failed:", *(f"  {row}" for row in result.faults[:5])])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", type=Path, help="file for the events of that one")
    given = parser.parse_args()
    first, count = (given.first, given.seeds) if given.seed is None else (given.seed, 1)
    begun_s, failed, kills, rows = time.monotonic(), [], 0, 0
    for seed in track(range(first, first + count), description="seeds"):
        result = run_seed(seed)
        kills += result.figures["kills"]
        rows += result.rows
        if result.faults:
            failed.append(seed)
            print(told(result), flush=True)
        if given.trace:
            given.trace.write_text("\n".join(result.events) + "\n", "utf-8")
    took_s = time.monotonic() - begun_s
    print(
        f"{count} seeds of {RUN_S:g} virtual seconds in {took_s:.0f} s "
        f"({count * RUN_S / took_s:.0f} times real time): {kills} kills, {rows} rows, "
        f"{len(failed)} failed{': ' if failed else ''}{', '.join(map(str, failed))}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
