"""Every query of every dashboard on a real InfluxDB with a whole fleet: time, rows, bytes.

    python tests/dashboards/query_report.py                 # 10,281 satellites, a day; minutes
    python tests/dashboards/query_report.py --satellites 200 --hours 1
    python tests/dashboards/query_report.py --data var/queries   # filled once, asked again

Each query is asked with both forms of Grafana's macros, three times, and the slower form's median
is printed, beside the processor time of the store: the latter is the same on a busy machine. Panels
that look at the newest minutes (`timeFrom`) are asked for those, the others for the dashboard's own
range, at most the day that there is; rules for their windows.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from influx_seed import FLEET  # noqa: E402
from influxql import filled, time_filters  # noqa: E402
from query_store import (  # noqa: E402
    DATABASE,
    HOUR_S,
    IN_BREACH,
    Fleet,
    filled_until_ns,
    satellites_of,
)
from servers import InfluxServer, influxd_server  # noqa: E402

from dashboards.build import dashboards  # noqa: E402
from dashboards.query_list import ListedQuery, broken_promises  # noqa: E402
from dashboards.shapes import MINUTES_DATABASE  # noqa: E402
from services.influx_config import GO  # noqa: E402

FRESH_MIN = 60.0  # as long as the longest window of a rule
POINTS = 300
BAR_S = 1.0
ASKINGS = 3
RULE_KINDS = ("rule", "recorded")
UNITS = {"s": 1, "m": 60, "h": HOUR_S, "d": 24 * HOUR_S}


@dataclass(frozen=True)
class Measured:
    """One query: what it cost, and what it broke of its promises."""

    listed: ListedQuery
    seconds: float
    processor_s: float
    rows: int
    series: int
    size_bytes: int
    broken: list[str]


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


def ask(store: InfluxServer, text: str) -> tuple[float, float, bytes]:
    """Median of three askings [s], processor time of one [s], and the answer."""
    took = []
    used_s = processor_s(store)
    for _ in range(ASKINGS):
        begun = time.perf_counter()
        answer = store.query(text, DATABASE, "ms")
        took.append(time.perf_counter() - begun)
    return statistics.median(took), (processor_s(store) - used_s) / ASKINGS, answer


def measure(store: InfluxServer, one: ListedQuery, variables: dict[str, str], stop_ns: int,
            window_s: int | None = None) -> Measured:  # fmt: skip
    """Ask a query in both forms and check what it promises."""
    age_s, least_s = (window_s, 10) if window_s else span_s(one)
    every = f"{max(least_s, age_s // POINTS)}s"
    slowest, most, content = 0.0, 0.0, b""
    for form in time_filters(stop_ns - age_s * 10**9, stop_ns, age_s).values():
        text = filled(one.query.text, variables, form, every)
        seconds, used_s, content = ask(store, text)
        slowest, most = max(slowest, seconds), max(most, used_s)
    result = json.loads(content)["results"][0]
    series = result.get("series", [])
    broken = [result["error"]] if "error" in result else []
    if (
        one.kind not in RULE_KINDS
    ):  # where all is well a rule's answer is empty, after a storm it is long
        broken += broken_promises(one.query, series)
    rows = sum(len(found["values"]) for found in series)
    return Measured(one, slowest, most, rows, len(series), len(content), broken)


def table(measured: Sequence[Measured]) -> str:
    """What was measured as Markdown, the slowest first."""
    rows = [
        "| query | ms | of processor | rows | series | bytes |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    rows += [
        f"| {one.listed.key} | {one.seconds * 1e3:.0f} | {one.processor_s * 1e3:.0f} "
        f"| {one.rows:,} | {one.series:,} | {one.size_bytes:,} |"
        for one in sorted(measured, key=lambda one: -one.seconds)
    ]
    return "\n".join(rows) + "\n"


def slow(measured: Sequence[Measured]) -> str:
    """How many there are and which take a second or more."""
    names = [one.listed.key for one in measured if one.seconds >= BAR_S]
    worst = max(measured, key=lambda one: one.processor_s)
    return (
        f"{len(measured)} queries, {len(measured) - len(names)} under a second"
        f"{': all but ' + ', '.join(names) if names else ''}; the most processor time of one: "
        f"{worst.processor_s * 1e3:.0f} ms ({worst.listed.key})."
    )


def page(measured: Sequence[Measured], chosen: Fleet, rows: int) -> str:
    """docs/dashboard-queries.md."""
    load = ", ".join(f"{one:.0f}" for one in os.getloadavg())
    when = time.strftime("%Y-%m-%d", time.gmtime())
    parts = [
        f"""# What every query costs

    make queries                            # fills a store for some minutes, then asks
    make queries ARGS='--data var/queries'  # keeps the store and asks it again the next time

Each query of every panel, variable, annotation and rule, once per text, against Debian's InfluxDB
1.6.7 with {chosen.hours:g} h of {chosen.satellites:,} satellites ({rows:,} rows: every 10 s in the
newest {chosen.fresh_min:g} minutes, every minute up to two hours, every ten minutes before that).
Both forms of Grafana's macros, three times each; the slower form's median is shown, and the store's
processor time for one asking, which other work on the machine does not change. Measured {when} on
{os.cpu_count()} processors, average load {load}.
"""
    ]
    for title, kinds, text in (
        ("Dashboards", ("panel", "variable", "annotation"), ""),
        ("Rules", ("rule",), "A rule is asked every 10 s and answers with those in breach. "),
        (
            "Rules of single satellites that ask what the watch found",
            ("recorded",),
            f"`TWIN_ALERT_SOURCE=watch twin provision apply`; {IN_BREACH} satellites are in\n"
            "breach of every rule. ",
        ),
    ):
        found = [one for one in measured if one.listed.kind in kinds]
        if found:
            total_s = sum(one.processor_s for one in found)
            said = f"All together: {total_s:.1f} s of processor time."
            parts.append(f"## {title}\n\n{text}{slow(found)} {said}\n\n{table(found)}")
    return "\n".join(parts)


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
    parser.add_argument("--fresh", type=float, default=FRESH_MIN, help="minutes of 10 s reports")
    parser.add_argument(
        "--only", default="", help="fill for, and ask, keys that match this expression"
    )
    parser.add_argument("--out", type=Path, help="write docs/dashboard-queries.md there")
    parser.add_argument("--data", type=Path, help="keep the store there; asked again if filled")
    given = parser.parse_args()
    chosen = Fleet(given.satellites, given.hours, given.fresh, given.only)
    os.environ.update(GO)
    if given.data:
        given.data.mkdir(parents=True, exist_ok=True)
    with influxd_server(DATABASE, MINUTES_DATABASE, directory=given.data) as store:
        stop_ns, rows = filled_until_ns(store, chosen)
        measured = asked(store, chosen, stop_ns)
    print(table(measured) + slow(measured))
    if given.out:
        given.out.write_text(page(measured, chosen, rows), "utf-8")
    broken = [f"{one.listed.key}: {what}" for one in measured for what in one.broken]
    print("\n".join(broken), file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
