"""Every query of every dashboard on a real InfluxDB with a whole fleet: time, rows, bytes.

    python tests/dashboards/query_report.py                 # 10,281 satellites, a day; minutes
    python tests/dashboards/query_report.py --satellites 200 --hours 1
    python tests/dashboards/query_report.py --out docs/dashboards.md

Each query is asked with both forms of Grafana's macros, three times, and the slower form's median
is printed. Panels that look at the newest minutes (`timeFrom`) are asked for those, the others for
the dashboard's own range, at most the day that there is.
"""

import argparse
import json
import os
import statistics
import sys
import time
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from influx_seed import FLEET, bulk, happenings, lines  # noqa: E402
from influxql import filled, time_filters  # noqa: E402
from servers import InfluxServer, influxd_server  # noqa: E402

from dashboards.build import dashboards  # noqa: E402
from dashboards.query_list import ListedQuery, broken_promises, listed  # noqa: E402
from dashboards.rules_influxql import rule_query  # noqa: E402
from services.influx_config import GO  # noqa: E402
from twin.alerts import RULES  # noqa: E402

DATABASE = "telemetry"
HOUR_S = 3600
FRESH_S = 1800  # as long as the default range: every 10 s; then every minute, then ten
POINTS = 300
TRIES = 10
LINES_AT_ONCE = 300  # small writes cost the store half (docs/pipeline.md)
UNITS = {"m": 60, "h": HOUR_S, "d": 24 * HOUR_S}


@dataclass(frozen=True)
class Measured:
    """One query: what it cost, and what it broke of its promises."""

    listed: ListedQuery
    seconds: float
    rows: int
    series: int
    size_bytes: int
    broken: list[str]


def moments_ns(stop_ns: int, hours: float) -> list[int]:
    """Report times: 10 s in the newest half hour, 60 s for two hours, 600 s before."""
    ages = [*range(0, FRESH_S, 10), *range(FRESH_S, 2 * HOUR_S, 60)]
    ages += range(2 * HOUR_S, 24 * HOUR_S, 600)
    return [stop_ns - age * 10**9 for age in sorted(ages, reverse=True) if age < hours * HOUR_S]


def satellites_of(count: int, per_plane: int = 72) -> list[tuple[str, str]]:
    """Plane and name of so many satellites, 72 a plane as in a Starlink shell of 2026."""
    return [(f"Plane{row // per_plane:03d}", f"Sat_{row:05d}") for row in range(count)]


def fill(store: InfluxServer, count: int, hours: float, stop_ns: int) -> int:
    """Write a day of a fleet; returns the rows."""
    rows = 0
    moments = moments_ns(stop_ns, hours)
    bodies = bulk(satellites_of(count), moments)
    for body in track(bodies, "filling", len(moments), console=Console(stderr=True)):
        lines_ = body.splitlines(keepends=True)
        for start in range(0, len(lines_), LINES_AT_ONCE):
            _write(store, "".join(lines_[start : start + LINES_AT_ONCE]))
        rows += len(lines_)
    # One plane with every channel, for the queries of one satellite, and what happened.
    store.write(DATABASE, lines(stop_ns))
    store.write(DATABASE, "\n".join(happenings(stop_ns)) + "\n")
    return rows


def _write(store: InfluxServer, body: str) -> None:
    """Once more where the store gave up on a write: it says 500 when its disk is busy."""
    for _ in range(TRIES):
        try:
            store.write(DATABASE, body)
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise
        else:
            return
    raise SystemExit(f"the store refused a write {TRIES} times")


def span_s(one: ListedQuery) -> int:
    """Seconds that a query looks back by default."""
    board = next(board for board in dashboards() if board.uid == one.dashboard)
    said = board.time_from.removeprefix("now-")
    for panel in board.panels:
        if panel.queries and one.name.startswith(f"{panel.key}/") and panel.time_from:
            said = panel.time_from
    return min(int(said[:-1]) * UNITS[said[-1]], 24 * HOUR_S)


def ask(store: InfluxServer, text: str) -> tuple[float, bytes]:
    """Median of three askings [s], and the answer."""
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        answer = store.query(text, DATABASE, "ms")
        took.append(time.perf_counter() - begun)
    return statistics.median(took), answer


def measure(store: InfluxServer, one: ListedQuery, variables: dict[str, str], stop_ns: int,
            wanted_s: int | None = None) -> Measured:  # fmt: skip
    """Ask a query in both forms and check what it promises."""
    age_s = wanted_s or span_s(one)
    every = f"{max(10, age_s // POINTS)}s"
    slowest, content = 0.0, b""
    for form in time_filters(stop_ns - age_s * 10**9, stop_ns, age_s).values():
        text = filled(one.query.text, variables, form, every)
        seconds, content = ask(store, text)
        slowest = max(slowest, seconds)
    result = json.loads(content)["results"][0]
    series = result.get("series", [])
    broken = [result["error"]] if "error" in result else []
    if one.kind != "rule":  # where all is well a rule's answer is empty, after a storm it is long
        broken += broken_promises(one.query, series)
    rows = sum(len(found["values"]) for found in series)
    return Measured(one, slowest, rows, len(series), len(content), broken)


def table(measured: list[Measured]) -> Iterator[str]:
    """The report as Markdown."""
    yield "| query | ms | rows | series | bytes |"
    yield "|---|---:|---:|---:|---:|"
    for one in measured:
        yield (
            f"| {one.listed.key} | {one.seconds * 1e3:.0f} | {one.rows:,} | {one.series:,} "
            f"| {one.size_bytes:,} |"
        )


def main() -> int:
    """0 when every query keeps its promises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--satellites", type=int, default=10_281)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--out", type=Path, help="also write the table there")
    chosen = parser.parse_args()
    os.environ.update(GO)
    with influxd_server(DATABASE) as store:
        stop_ns = time.time_ns() // 10**10 * 10**10
        begun = time.monotonic()
        rows = fill(store, chosen.satellites, chosen.hours, stop_ns)
        print(f"{rows:,} rows in {time.monotonic() - begun:.0f} s", file=sys.stderr)
        plane, sat = satellites_of(chosen.satellites)[0]
        fleet_wide = {"fleet": FLEET, "plane": plane, "sat": sat}
        detailed = {"fleet": FLEET, "plane": "Plane1", "sat": "Sat1_1"}
        seen: dict[str, Measured] = {}
        for one in listed(dashboards()):
            if one.query.text not in seen:
                values = detailed if "${sat:raw}" in one.query.text else fleet_wide
                seen[one.query.text] = measure(store, one, values, stop_ns)
        for rule in RULES:
            one = ListedQuery("rules", "rule", rule.name, rule_query(rule))
            window_s = round(rule.condition.window_s)
            seen[one.key] = measure(store, one, fleet_wide, stop_ns, window_s)
    measured = list(seen.values())
    text = "\n".join(table(sorted(measured, key=lambda one: -one.seconds)))
    print(text)
    if chosen.out:
        chosen.out.write_text(text + "\n", "utf-8")
    broken = [f"{one.listed.key}: {what}" for one in measured for what in one.broken]
    print("\n".join(broken), file=sys.stderr)
    slow = [one.listed.key for one in measured if one.seconds >= 1.0]
    print(f"{len(measured)} queries, {len(slow)} over a second", *slow, file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
