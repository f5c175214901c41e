"""Chaos on real processes: mosquitto, influxd, `twin simulate` and `twin ingest` are killed, cut
off, starved and stopped under 1,000 satellites at 1 Hz; then every stored value is recomputed.

    python tests/chaos/run.py --list
    python tests/chaos/run.py --only R1 --seed 7 --kills 24
    python tests/chaos/run.py --long                     # the nightly sizes
"""

import argparse
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from chaos_scenarios import SCENARIOS, Outcome, Size  # noqa: E402 - after the paths


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="say what there is and end")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(SCENARIOS))
    parser.add_argument("--seed", type=int, default=1, help="of the order of kills and starts")
    parser.add_argument("--kills", type=int, default=24, help="of R1")
    parser.add_argument("--long", action="store_true", help="nightly sizes instead of CI's")
    given = parser.parse_args()
    if given.list:
        for name, scenario in SCENARIOS.items():
            print(f"{name:4} {scenario.__doc__}")
        return 0
    size = Size(given.seed, given.kills, given.long)
    failed = [name for name in given.only or SCENARIOS if not passed(name, size)]
    print(f"failed: {', '.join(failed)}" if failed else "all bars met")
    return 1 if failed else 0


def passed(name: str, size: Size) -> bool:
    """Run one scenario and print its rows of the table."""
    begun_s = time.monotonic()
    print(f"{name:4} {SCENARIOS[name].__doc__}", flush=True)
    try:
        outcome = SCENARIOS[name](size)
    except (AssertionError, TimeoutError) as error:
        outcome = Outcome(missed=[str(error)])
    for figure in outcome.figures:
        print(f"       {figure}")
    for missed in outcome.missed:
        print(f"  MISSED {missed}")
    took_s = time.monotonic() - begun_s
    print(f"       {'missed' if outcome.missed else 'met'} in {took_s:.0f} s", flush=True)
    return not outcome.missed


if __name__ == "__main__":
    sys.exit(main())
