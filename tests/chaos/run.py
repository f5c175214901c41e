"""Chaos on real processes: mosquitto, influxd, `twin simulate` and `twin ingest` are killed, cut
off, starved, lied to and stopped under 1,000 satellites at 1 Hz; then every stored value is
recomputed from the scenario and compared bit for bit. Exit code 0 if every bar is met.

    python tests/chaos/run.py --list
    python tests/chaos/run.py --only R1 R2 --seed 7 --kills 40
    python tests/chaos/run.py --only R1 --order store broker --satellites 500
    python tests/chaos/run.py --only R9 --payloads 5000 --seed 3
    python tests/chaos/run.py --nightly                  # the large sizes: some hours

The same through make: make chaos ARGS="--only R1 --seed 7".
"""

import argparse
import os
import signal
import sys
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[up]) for up in range(3)]  # chaos, tests, the root

from chaos_scenarios import KILLED, SCENARIOS, Outcome, Size  # noqa: E402 - after the paths


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="say what there is and end")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(SCENARIOS))
    parser.add_argument(
        "--seed", type=int, default=1, help="of kills, waits, orders and hostile payloads"
    )
    parser.add_argument("--kills", type=int, default=24, help="of R1")
    parser.add_argument(
        "--order",
        nargs="+",
        default=[],
        choices=KILLED,
        help="whom to kill (R1), to pause (R19), to start (R16) in turn; drawn if not given",
    )
    parser.add_argument("--satellites", type=int, default=1000, help="a multiple of 25")
    parser.add_argument("--payloads", type=int, default=50_000, help="generated ones of R9")
    parser.add_argument("--nightly", action="store_true", help="large sizes instead of CI's")
    given = parser.parse_args()
    if given.list:
        for scenario in SCENARIOS.values():
            print((scenario.__doc__ or "").partition("\n")[0])
        return 0
    size = Size(
        given.seed,
        given.kills,
        given.nightly,
        tuple(given.order),
        given.satellites,
        given.payloads,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that every process is ended
    names, found = given.only or list(SCENARIOS), {}
    for place, name in enumerate(names, 1):
        print(f"[{place} of {len(names)}] ", end="")
        found[name] = passed(name, size)
    print(table(found))
    print(times(found))
    failed = [name for name, outcome in found.items() if outcome.missed]
    print(f"missed: {', '.join(failed)}" if failed else "all bars met")
    return 1 if failed else 0


def passed(name: str, size: Size) -> Outcome:
    """Run one scenario; what it raises is a bar that was missed."""
    begun_s = time.monotonic()
    print(SCENARIOS[name].__doc__, flush=True)
    try:
        outcome = SCENARIOS[name](size)
    except Exception as error:  # noqa: BLE001 - the other scenarios are still to run
        traceback.print_exc()
        outcome = Outcome()
        outcome.must("ran to its end", False, str(error).partition("\n")[0][:120])
    for figure in outcome.figures:
        print(f"       {figure}")
    for row in outcome.rows:
        print(f"  {'met   ' if row.is_met else 'MISSED'} {row.what}: {row.measured} ({row.bar})")
    outcome.took_s, load = time.monotonic() - begun_s, os.getloadavg()[0]
    print(f"       {outcome.took_s:.0f} s, load of the machine {load:.1f}", flush=True)
    return outcome


def table(found: dict[str, Outcome]) -> str:
    """Scenario, bar and figure, one line each."""
    rows = [("", "what", "measured", "bar", "")]
    for name, outcome in found.items():
        for row in outcome.rows or outcome.missed:
            verdict = "met" if row.is_met else "MISSED"
            rows.append((name, row.what, row.measured, row.bar, verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def times(found: dict[str, Outcome]) -> str:
    """What each scenario took, and all of them."""
    each = ", ".join(f"{name} {outcome.took_s:.0f} s" for name, outcome in found.items())
    whole_min = sum(outcome.took_s for outcome in found.values()) / 60.0
    return f"took {each}: {whole_min:.0f} minutes"


if __name__ == "__main__":
    sys.exit(main())
