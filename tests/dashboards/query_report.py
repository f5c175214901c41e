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
import urllib.error
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.progress import track

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from influx_seed import FLEET, asked_channels, breach_bulk, bulk, happenings, lines, rollup_bulk  # noqa: E402
from influxql import filled, time_filters  # noqa: E402
from servers import InfluxServer, influxd_server  # noqa: E402

from dashboards.build import dashboards  # noqa: E402
from dashboards.query_list import ListedQuery, broken_promises, listed  # noqa: E402
from dashboards.rule_specs import RECORDED_WINDOW_S  # noqa: E402
from dashboards.rules_influxql import recorded_query, rule_query  # noqa: E402
from services.influx_config import GO  # noqa: E402
from twin.alerts import RULES  # noqa: E402

DATABASE = "telemetry"
HOUR_S = 3600
FRESH_MIN = 60.0  # as long as the longest window of a rule
IN_BREACH = 100  # satellites, of every rule, in the newest ten minutes: a bad day
INSTANTS_IN_BREACH = 60
PART = 720  # satellites written at a time
POINTS = 300
BAR_S = 1.0
TRIES = 10
ASKINGS = 3
RULE_KINDS = ("rule", "recorded")
LINES_AT_ONCE = 300  # small writes cost the store half (docs/pipeline.md)
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


@dataclass(frozen=True)
class Fleet:
    """What the store is filled with, and which queries it is filled for and asked."""

    satellites: int
    hours: float
    fresh_min: float
    only: str

    def moments_ns(self, stop_ns: int) -> list[int]:
        """Report times: 10 s in the newest minutes, 60 s up to two hours, 600 s before that."""
        fresh_s = round(self.fresh_min * 60)
        ages = [*range(0, fresh_s, 10), *range(fresh_s, 2 * HOUR_S, 60)]
        ages += range(2 * HOUR_S, 24 * HOUR_S, 600)
        until_s = self.hours * HOUR_S
        return [stop_ns - age * 10**9 for age in sorted(ages, reverse=True) if age < until_s]

    def queries(self) -> list[tuple[ListedQuery, int]]:
        """Every query of a dashboard once per text, every rule; and rules' windows [s]."""
        found = {one.query.text: (one, 0) for one in reversed(list(listed(dashboards())))}
        for rule in RULES:
            one = ListedQuery("rules", "rule", rule.name, rule_query(rule))
            found[one.key] = (one, round(rule.condition.window_s))
            if rule.scope == "satellite":
                one = ListedQuery("rules", "recorded", rule.name, recorded_query(rule))
                found[one.key] = (one, RECORDED_WINDOW_S)
        return [pair for pair in found.values() if self.only in pair[0].key]


def satellites_of(count: int, per_plane: int = 72) -> list[tuple[str, str]]:
    """Plane and name of so many satellites, 72 a plane as in a Starlink shell of 2026."""
    return [(f"Plane{row // per_plane:03d}", f"Sat_{row:05d}") for row in range(count)]


def fill(store: InfluxServer, chosen: Fleet, stop_ns: int) -> int:
    """Write a day of a fleet; returns the rows."""
    rows, moments = 0, chosen.moments_ns(stop_ns)
    fleet = satellites_of(chosen.satellites)
    channels = asked_channels([one.query for one, _ in chosen.queries()])
    parts = [fleet[begin : begin + PART] for begin in range(0, len(fleet), PART)]
    bodies = chain(
        breach_bulk(fleet[:IN_BREACH], moments[-INSTANTS_IN_BREACH:]),
        rollup_bulk(fleet, moments),
        *(bulk(part, moments, channels) for part in parts),
    )
    total = len(moments) * (1 + len(parts)) + min(len(moments), INSTANTS_IN_BREACH)
    for body in track(bodies, "filling", total, console=Console(stderr=True)):
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


def _seconds(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1]]


def span_s(one: ListedQuery) -> tuple[int, int]:
    """Seconds that a query looks back by default, and the least interval of its panel."""
    board = next(board for board in dashboards() if board.uid == one.dashboard)
    said, least = board.time_from.removeprefix("now-"), "10s"
    for panel in board.panels:
        if panel.queries and one.name.startswith(f"{panel.key}/"):
            said, least = panel.time_from or said, panel.min_interval
    return min(_seconds(said), 24 * HOUR_S), _seconds(least)


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


def filled_until_ns(store: InfluxServer, chosen: Fleet) -> tuple[int, int]:
    """Fill the store unless its directory says that it is full: the newest report's time, rows."""
    said = store.directory / "filled.json"
    wanted = asdict(chosen)
    if said.exists():
        kept: dict[str, int] = json.loads(said.read_text("utf-8"))
        if any(kept[key] != wanted[key] for key in ("satellites", "hours", "fresh_min")):
            raise SystemExit(f"{said}: another fleet than {wanted}; choose another directory")
        return kept["stop_ns"], kept["rows"]
    stop_ns = time.time_ns() // 10**10 * 10**10
    begun = time.monotonic()
    rows = fill(store, chosen, stop_ns)
    print(f"{rows:,} rows in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    said.write_text(json.dumps(wanted | {"stop_ns": stop_ns, "rows": rows}), "utf-8")
    return stop_ns, rows


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
    parser.add_argument("--only", default="", help="fill for, and ask, keys that have this")
    parser.add_argument("--out", type=Path, help="write docs/dashboard-queries.md there")
    parser.add_argument("--data", type=Path, help="keep the store there; asked again if filled")
    given = parser.parse_args()
    chosen = Fleet(given.satellites, given.hours, given.fresh, given.only)
    os.environ.update(GO)
    if given.data:
        given.data.mkdir(parents=True, exist_ok=True)
    with influxd_server(DATABASE, directory=given.data) as store:
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
