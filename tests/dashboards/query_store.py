"""The store that the query report asks: what it is filled with, and filling it."""

import json
import re
import sys
import time
import urllib.error
from dataclasses import asdict, dataclass
from itertools import chain

from influx_seed import (
    asked_channels,
    breach_bulk,
    bulk,
    happenings,
    lines,
    minute_lines,
    rollup_bulk,
    week_bulk,
)
from rich.console import Console
from rich.progress import track
from servers import InfluxServer

from dashboards.build import dashboards
from dashboards.query_list import ListedQuery, listed
from dashboards.rule_specs import RECORDED_WINDOW_S
from dashboards.rules_influxql import recorded_query, rule_query
from dashboards.shapes import MINUTES_DATABASE
from twin.alerts import RULES

DATABASE = "telemetry"
HOUR_S = 3600
IN_BREACH = 100  # satellites, of every rule, in the newest ten minutes: a bad day
INSTANTS_IN_BREACH = 60
MOMENTS_OF_AGES = 30  # five minutes at most: the rule looks at one
FEW_MIN = 10.0  # minutes of reports every 10 s: what panels of now and most rules look at
PART = 720  # satellites written at a time
TRIES = 10
LINES_AT_ONCE = 300  # small writes cost the store half (docs/pipeline.md)


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

    def recent(self, moments_ns: list[int]) -> int:
        """Place of the first moment that rules look at: the newest two hours."""
        return sum(one < moments_ns[-1] - 2 * HOUR_S * 10**9 for one in moments_ns)

    def minutes_ns(self, stop_ns: int) -> list[int]:
        """Times of the roll-ups over a minute: for seven times as long."""
        count = round(7 * 60 * self.hours)
        return [stop_ns - number * 60 * 10**9 for number in range(count, -1, -1)]

    def queries(self) -> list[tuple[ListedQuery, int]]:
        """Every query of a dashboard once per text, every rule; and rules' windows [s]."""
        found = {one.query.text: (one, 0) for one in reversed(list(listed(dashboards())))}
        for rule in RULES:
            one = ListedQuery("rules", "rule", rule.name, rule_query(rule))
            found[one.key] = (one, round(rule.condition.window_s))
            if rule.scope == "satellite":
                one = ListedQuery("rules", "recorded", rule.name, recorded_query(rule))
                found[one.key] = (one, RECORDED_WINDOW_S)
        return [pair for pair in found.values() if re.search(self.only, pair[0].key)]


def satellites_of(count: int, per_plane: int = 72) -> list[tuple[str, str]]:
    """Plane and name of so many satellites, 72 a plane as in a Starlink shell of 2026."""
    return [(f"Plane{row // per_plane:03d}", f"Sat_{row:05d}") for row in range(count)]


def fill(store: InfluxServer, chosen: Fleet, stop_ns: int) -> int:
    """Write a day of a fleet; returns the rows."""
    rows, moments = 0, chosen.moments_ns(stop_ns)
    fleet = satellites_of(chosen.satellites)
    asked = [one for one, _ in chosen.queries()]
    channels = asked_channels([one.query for one in asked])
    shown = asked_channels([one.query for one in asked if one.kind not in ("rule", "recorded")])
    parts = [fleet[begin : begin + PART] for begin in range(0, len(fleet), PART)]
    recent = chosen.recent(moments)
    bodies = chain(
        breach_bulk(fleet[:IN_BREACH], moments[-INSTANTS_IN_BREACH:]),
        rollup_bulk(fleet, moments),
        # Before the longest window of a rule only what panels show.
        *(bulk(part, moments[:recent], shown, ["sat_state"]) for part in parts),
        *(bulk(part, moments[recent:], channels, ["sat_state", "accel_state"]) for part in parts),
        bulk(fleet, moments[-MOMENTS_OF_AGES:], (), ["sat_watch"]),
    )
    few = [min(len(moments), count) for count in (INSTANTS_IN_BREACH, MOMENTS_OF_AGES)]
    total = len(moments) * (1 + len(parts)) + sum(few)
    for body in track(bodies, "filling", total, console=Console(stderr=True)):
        lines_ = body.splitlines(keepends=True)
        for start in range(0, len(lines_), LINES_AT_ONCE):
            _write(store, "".join(lines_[start : start + LINES_AT_ONCE]), DATABASE)
        rows += len(lines_)
    of_minutes = [one.query for one, _ in chosen.queries() if MINUTES_DATABASE in one.query.text]
    for body in week_bulk(fleet, chosen.minutes_ns(stop_ns), of_minutes):
        _write(store, body, MINUTES_DATABASE)
    # One plane with every channel, for the queries of one satellite, and what happened.
    store.write(DATABASE, lines(stop_ns))
    store.write(MINUTES_DATABASE, minute_lines(stop_ns))
    store.write(DATABASE, "\n".join(happenings(stop_ns)) + "\n")
    return rows


def _write(store: InfluxServer, body: str, database: str) -> None:
    """Once more where the store gave up on a write: it says 500 when its disk is busy."""
    for _ in range(TRIES):
        try:
            store.write(database, body)
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise
        else:
            return
    raise SystemExit(f"the store refused a write {TRIES} times")


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
