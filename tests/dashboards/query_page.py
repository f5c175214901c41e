"""What the query report measured, as the page docs/dashboard-queries.md."""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from query_store import FEW_MIN, IN_BREACH, Fleet

from dashboards.panels import SERIES_LIMIT
from dashboards.query_list import ListedQuery
from services.watch_output import BREACHES_LIMIT

BAR_S = 1.0
RULE_KINDS = ("rule", "recorded")


@dataclass(frozen=True)
class Measured:
    """One query: what it cost, and what it broke of its promises."""

    listed: ListedQuery
    first_s: float  # the very first asking
    seconds: float  # median of the slower form
    processor_s: float
    rows: int
    series: int
    size_bytes: int
    broken: list[str]

    @property
    def series_limit(self) -> int:
        """Series that it may have; 0 for a rule, which answers with whoever is in breach."""
        is_rule = self.listed.kind in RULE_KINDS
        return 0 if is_rule else min(self.listed.query.series_limit, SERIES_LIMIT)


def table(measured: Sequence[Measured]) -> str:
    """What was measured as Markdown, the slowest first."""
    rows = [
        "| query | first ms | ms | of processor | rows | series | allowed | bytes |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    rows += [
        f"| {one.listed.key} | {one.first_s * 1e3:.0f} | {one.seconds * 1e3:.0f} "
        f"| {one.processor_s * 1e3:.0f} | {one.rows:,} | {one.series:,} "
        f"| {one.series_limit or '-'} | {one.size_bytes:,} |"
        for one in sorted(measured, key=lambda one: -one.seconds)
    ]
    return "\n".join(rows) + "\n"


def verdict(measured: Sequence[Measured]) -> str:
    """Which queries take a second or more, at the first asking or at all, or have more series."""
    worst = max(measured, key=lambda one: one.processor_s)
    over = [one for one in measured if one.series_limit and one.series > one.series_limit]
    slow = [one for one in measured if one.seconds >= BAR_S]
    first = [one for one in measured if one.first_s >= BAR_S and one not in slow]
    return "\n".join(
        (
            f"{len(measured)} queries, all together {sum(one.processor_s for one in measured):.1f} "
            "s of the store's processor; the most of one: "
            f"{worst.processor_s * 1e3:.0f} ms ({worst.listed.key}).",
            "",
            f"- a second or more: {_named((one, f'{one.seconds:.1f} s') for one in slow)}",
            "- a second or more at the first asking only: "
            + _named((one, f"{one.first_s:.1f} s") for one in first),
            "- more series than declared: "
            + _named((one, f"{one.series} of {one.series_limit}") for one in over),
            "- another broken promise: "
            + _named(
                (one, "; ".join(one.broken)) for one in measured if one.broken and one not in over
            ),
        )
    )


def _named(found: Iterable[tuple[Measured, str]]) -> str:
    names = [f"{one.listed.key} ({what})" for one, what in found]
    return ", ".join(names) or "none"


def page(measured: Sequence[Measured], chosen: Fleet, rows: int) -> str:
    """docs/dashboard-queries.md."""
    load = ", ".join(f"{one:.0f}" for one in os.getloadavg())
    when = time.strftime("%Y-%m-%d", time.gmtime())
    parts = [
        f"""# What every query costs

    make queries                            # fills a store for some minutes, then asks
    make queries ARGS='--data var/queries'  # keeps the store and asks it again the next time

Each query of every panel, variable, annotation and rule, once per text, against Debian's InfluxDB
1.6.7 with {chosen.hours:g} h of {chosen.satellites:,} satellites ({rows:,} rows: every 10 s
in the newest {chosen.fresh_min:g} minutes, every minute up to two hours, every ten minutes before).
Both forms of Grafana's macros, three times each (once where that took {BAR_S:g} s or more), when
the store had nothing else to do any more. `first ms` is the very first asking; `ms` the median of
the slower form; `of processor` what the store used for one asking, which other work on the machine
does not change. Measured {when} on {os.cpu_count()} processors, average load {load}.
"""
    ]
    for title, kinds, text in _SECTIONS:
        found = [one for one in measured if one.listed.kind in kinds]
        if found:
            parts.append(f"## {title}\n\n{text}\n{verdict(found)}\n\n{table(found)}")
    return "\n".join(parts)


_SECTIONS = (
    (
        "Dashboards",
        ("panel", "variable", "annotation"),
        f"The bar: a second each, and the series that a query declares, {SERIES_LIMIT} at most.\n"
        "The board of weeks has seven days, 1.5 million rows of planes, where the bar has one.\n",
    ),
    (
        "Rules of single satellites that ask what the watch found",
        ("recorded",),
        f"`TWIN_ALERT_SOURCE=watch`, as in `docker-compose.yml`; asked every 10 s. {IN_BREACH}\n"
        "satellites are in breach of every rule. A rule has as many series as satellites are in\n"
        f"breach, at most {BREACHES_LIMIT:,}.\n",
    ),
    (
        "Rules that ask telemetry, and those of planes, the fleet and the pipeline",
        ("rule",),
        "`TWIN_ALERT_SOURCE=telemetry`, the default of `twin provision`, meant for up to a\n"
        "thousand satellites: asked every 10 s, so what all of them take together must stay far\n"
        "below 10 s of processor time. Values are drawn from the whole range of each channel, so\n"
        "many satellites are in breach and answers are longer than a real fleet's. Windows of\n"
        f"more than {FEW_MIN:g} minutes hold fewer reports than those of a fleet every 10 s.\n",
    ),
)
