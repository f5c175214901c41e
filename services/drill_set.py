"""Drills off line, one or the whole set, side by side in processes; reports as files."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from services.drill_files import open_drill
from services.drill_page import drill_section, drills_page
from services.drill_run import DrillRun
from services.drill_score import Marked, marked
from services.drill_tables import (
    Cases,
    as_data,
    cases_of,
    junit,
    print_marks,
    print_scoreboard,
)
from services.plotting import pyplot
from twin.alerts import RULES

_T = TypeVar("_T")


class Report(NamedTuple):
    """All that is kept of one drill; small enough to come from another process."""

    data: dict[str, Any]
    cases: Cases
    section: str  # of the page; empty unless it is asked for


class Wanted(NamedTuple):
    """Files to write."""

    html: Path | None = None
    json: Path | None = None
    junit: Path | None = None


def run_drill(name: str, moved: Callable[[float], None] | None = None) -> Marked:
    """Run and score one drill. Raises ConfigurationError."""
    drill, build = open_drill(name)
    return marked(DrillRun(drill, build, RULES).run(moved), RULES)


def run_shown(name: str) -> Marked:
    """Run and score one drill with a bar on standard error. Raises ConfigurationError."""
    with _progress() as bar:
        job = bar.add_task(name, total=1.0)
        return run_drill(name, lambda share: bar.update(job, completed=share))


def run_one(name: str, wanted: Wanted) -> bool:
    """Run one drill, print its marks, write what is wanted; whether it passed."""
    if wanted.html is not None:
        pyplot()  # missing: say so before the run
    one = run_shown(name)
    print_marks(one, Console())
    section = drill_section(one) if wanted.html is not None else ""
    write_reports([Report(as_data(one), cases_of(one), section)], wanted)
    return one.score.passed


def run_set(names: Sequence[str], wanted: Wanted, jobs: int | None = None) -> bool:
    """Run drills side by side, print the scoreboard, write; whether all passed."""
    if wanted.html is not None:
        pyplot()
    for name in names:
        open_drill(name)  # a file that is wrong is told at once
    reports = run_reports(names, pages=wanted.html is not None, jobs=jobs)
    print_scoreboard([one.data for one in reports], Console())
    write_reports(reports, wanted)
    return all(one.data["passed"] for one in reports)


def run_reports(names: Sequence[str], *, pages: bool, jobs: int | None = None) -> list[Report]:
    """Reports of drills in the order of their names, whichever ends first."""
    return side_by_side(partial(report_of, pages=pages), names, jobs, "drills")


def report_of(name: str, *, pages: bool = False) -> Report:
    """Run one drill in this process."""
    one = run_drill(name)
    return Report(as_data(one), cases_of(one), drill_section(one) if pages else "")


def side_by_side(
    work: Callable[[str], _T], names: Sequence[str], jobs: int | None, what: str
) -> list[_T]:
    """work(name) of every name in processes of their own, in the order of the names."""
    count = jobs or len(os.sched_getaffinity(0))
    with (
        _progress() as bar,
        ProcessPoolExecutor(min(count, len(names)), mp_context=get_context("spawn")) as pool,
    ):
        job = bar.add_task(what, total=len(names))
        found = []
        for one in pool.map(work, names):
            found.append(one)
            bar.update(job, advance=1)
        return found


def write_reports(reports: Sequence[Report], wanted: Wanted) -> None:
    """Write the files that are wanted."""
    data = [one.data for one in reports]
    if wanted.json is not None:
        whole = data[0] if len(data) == 1 else {"drills": data}
        options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
        wanted.json.write_bytes(orjson.dumps(whole, option=options))
    if wanted.junit is not None:
        wanted.junit.write_bytes(junit([(one.data["drill"], one.cases) for one in reports]))
    if wanted.html is not None:
        wanted.html.write_text(drills_page(data, [one.section for one in reports]), "utf-8")
    for path in wanted:
        if path is not None:
            Console(stderr=True).print(f"wrote {path}", highlight=False)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
