"""Every query of every dashboard on a real InfluxDB with a whole fleet: time, rows, bytes.

    python tests/dashboards/query_report.py                 # 10,281 satellites, a day; minutes
    python tests/dashboards/query_report.py --satellites 200 --hours 1
    python tests/dashboards/query_report.py --data var/queries   # filled once, asked again

The store is asked when it has digested what it was filled with. Each query is asked with both forms
of Grafana's macros, three times, and the slower form's median is printed, beside the very first
asking and the processor time of the store: the latter is the same on a busy machine. Panels
that look at the newest minutes (`timeFrom`) are asked for those, the others for the dashboard's own
range, at most the day that there is; rules for their windows.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.progress import track

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from influx_seed import FLEET  # noqa: E402
from influxql import filled, time_filters  # noqa: E402
from query_page import BAR_S, RULE_KINDS, Measured, page, table, verdict  # noqa: E402
from query_store import (  # noqa: E402
    DATABASE,
    FEW_MIN,
    HOUR_S,
    Fleet,
    filled_until_ns,
    satellites_of,
)
from servers import InfluxServer, influxd_server  # noqa: E402

from dashboards.build import dashboards  # noqa: E402
from dashboards.query_list import ListedQuery, broken_promises  # noqa: E402
from dashboards.shapes import MINUTES_DATABASE  # noqa: E402
from services.influx_config import machine_environment  # noqa: E402

POINTS = 300
ASKINGS = 3
SETTLE_LOOK_S = 2.0
SETTLED_FRAC = 0.1  # of one processor over SETTLE_LOOKS looks: nothing is compacted any more
SETTLE_LOOKS = 5
SETTLE_LIMIT_S = 180.0
UNITS = {"s": 1, "m": 60, "h": HOUR_S, "d": 24 * HOUR_S}


def _seconds(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1]]


def span_s(one: ListedQuery) -> tuple[int, int]:
    """Seconds that a query looks back by default, and the least interval of its panel."""
    board = next(board for board in dashboards() if board.uid == one.dashboard)
    said, least = board.time_from.removeprefix("now-"), "10s"
    for panel in board.panels:
        if panel.queries and one.name.startswith(f"{panel.key}/"):
            said, least = panel.time_from or said, panel.min_interval
    longest_s = (7 if MINUTES_DATABASE in one.query.text else 1) * 24 * HOUR_S
    return min(_seconds(said), longest_s), _seconds(least)


def processor_s(store: InfluxServer) -> float:
    """What the store has used of processors since it began, all threads."""
    stat = Path(f"/proc/{store.process.pid}/stat").read_text("ascii")
    fields = stat.rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settle(store: InfluxServer) -> float:
    """Wait until the store does nothing by itself any more; how long that took [s].

    After a fill it compacts for a while, and the first queries would be charged with that.
    """
    begun_s, calm = time.monotonic(), 0
    with Console(stderr=True).status("the store digests what it was filled with"):
        while calm < SETTLE_LOOKS and time.monotonic() - begun_s < SETTLE_LIMIT_S:
            used_s = processor_s(store)
            with suppress(subprocess.TimeoutExpired):
                store.process.wait(SETTLE_LOOK_S)
                raise SystemExit(f"the store has ended: {store.log[-300:]}")
            is_calm = processor_s(store) - used_s < SETTLED_FRAC * SETTLE_LOOK_S
            calm = calm + 1 if is_calm else 0
    return time.monotonic() - begun_s


def ask(store: InfluxServer, text: str) -> tuple[list[float], float, bytes]:
    """How long up to three askings took [s], processor time of one [s], and the answer.

    One that takes the bar or longer is not asked again.
    """
    took: list[float] = []
    used_s = processor_s(store)
    while len(took) < ASKINGS and (not took or took[0] < BAR_S):
        begun = time.perf_counter()
        answer = store.query(text, DATABASE, "ms")
        took.append(time.perf_counter() - begun)
    return took, (processor_s(store) - used_s) / len(took), answer


def measure(store: InfluxServer, one: ListedQuery, variables: dict[str, str], stop_ns: int,
            window_s: int | None = None) -> Measured:  # fmt: skip
    """Ask a query in both forms and check what it promises."""
    age_s, least_s = (window_s, 10) if window_s else span_s(one)
    every = f"{max(least_s, age_s // POINTS)}s"
    first, slowest, most, content = 0.0, 0.0, 0.0, b""
    for form in time_filters(stop_ns - age_s * 10**9, stop_ns, age_s).values():
        text = filled(one.query.text, variables, form, every)
        took, used_s, content = ask(store, text)
        first = first or took[0]
        slowest, most = max(slowest, statistics.median(took)), max(most, used_s)
    result = json.loads(content)["results"][0]
    series = result.get("series", [])
    broken = [result["error"]] if "error" in result else []
    if (
        one.kind not in RULE_KINDS
    ):  # where all is well a rule's answer is empty, after a storm it is long
        broken += broken_promises(one.query, series)
    rows = sum(len(found["values"]) for found in series)
    return Measured(one, first, slowest, most, rows, len(series), len(content), broken)


def asked(store: InfluxServer, chosen: Fleet, stop_ns: int) -> list[Measured]:
    """Every chosen query."""
    plane, sat = satellites_of(chosen.satellites)[0]
    fleet_wide = {"fleet": FLEET, "plane": plane, "sat": sat}
    detailed = {"fleet": FLEET, "plane": "Plane1", "sat": "Sat1_1"}
    found = []
    for one, window_s in track(chosen.queries(), "asking", console=Console(stderr=True)):
        values = detailed if "${sat:raw}" in one.query.text else fleet_wide
        found.append(measure(store, one, values, stop_ns, window_s))
    return found


def main() -> int:
    """0 when every query keeps its promises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--satellites", type=int, default=10_281)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--fresh", type=float, default=FEW_MIN, help="minutes of 10 s reports")
    parser.add_argument(
        "--only", default="", help="fill for, and ask, keys that match this expression"
    )
    parser.add_argument("--out", type=Path, help="write docs/dashboard-queries.md there")
    parser.add_argument("--data", type=Path, help="keep the store there; asked again if filled")
    given = parser.parse_args()
    chosen = Fleet(given.satellites, given.hours, given.fresh, given.only)
    os.environ.update(machine_environment())
    if given.data:
        given.data.mkdir(parents=True, exist_ok=True)
    with influxd_server(DATABASE, MINUTES_DATABASE, directory=given.data) as store:
        stop_ns, rows = filled_until_ns(store, chosen)
        print(f"settled in {settle(store):.0f} s", file=sys.stderr)
        measured = asked(store, chosen, stop_ns)
    print(table(measured) + verdict(measured))
    if given.out:
        given.out.write_text(page(measured, chosen, rows), "utf-8")
    broken = [f"{one.listed.key}: {what}" for one in measured for what in one.broken]
    print("\n".join(broken), file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
