"""Drills off line, one or the whole set, side by side in processes; reports as files."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
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
from twin.alert_rule import INTERVAL_S
from twin.alerts import RULES
from twin.drill_load import Drill

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
    begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
    one = run_shown(name)
    took_s, cpu_s = time.perf_counter() - begin_s, time.process_time() - begin_cpu_s
    print_marks(one, Console())
    what, run_s = f"{one.trace.fleet.count} satellites", one.trace.plan.run_s
    _say(f"{speed(run_s, took_s, what)} ({run_s / cpu_s:,.0f} x by processor time)")
    section = drill_section(one) if wanted.html is not None else ""
    write_reports([Report(as_data(one), cases_of(one), section)], wanted)
    return one.score.passed


def run_set(names: Sequence[str], wanted: Wanted, jobs: int | None = None) -> bool:
    """Run drills side by side, print the scoreboard, write; whether all passed."""
    if wanted.html is not None:
        pyplot()
    begin_s = time.perf_counter()
    reports = run_reports(names, pages=wanted.html is not None, jobs=jobs)
    took_s = time.perf_counter() - begin_s
    print_scoreboard([one.data for one in reports], Console())
    run_s = sum(float(one.data["run_s"]) for one in reports)
    _say(speed(run_s, took_s, f"{len(names)} drills on {_processes(jobs, names)} processes"))
    write_reports(reports, wanted)
    return all(one.data["passed"] for one in reports)


def run_reports(names: Sequence[str], *, pages: bool, jobs: int | None = None) -> list[Report]:
    """Reports of drills in the order of their names, whichever ends first.

    Raises ConfigurationError for a file that is wrong before any is run.
    """
    costs = {name: _cost(open_drill(name)[0]) for name in names}
    work = partial(report_of, pages=pages)
    return side_by_side(work, names, jobs, "drills", cost=costs.__getitem__)


def _cost(drill: Drill) -> float:
    """How long a drill runs, in no unit: its steps, and its evaluations at a third of a step."""
    return drill.keys.run_s * (1.0 / drill.scenario.step_s + 0.3 / INTERVAL_S)


def report_of(name: str, *, pages: bool = False) -> Report:
    """Run one drill in this process."""
    one = run_drill(name)
    return Report(as_data(one), cases_of(one), drill_section(one) if pages else "")


def side_by_side(
    work: Callable[[str], _T],
    names: Sequence[str],
    jobs: int | None,
    what: str,
    cost: Callable[[str], float] = lambda _name: 0.0,
) -> list[_T]:
    """work(name) of every name in processes of their own, in the order of the names.

    The costliest begin first, so that none is still running when the others are done.
    """
    with (
        _progress() as bar,
        ProcessPoolExecutor(_processes(jobs, names), mp_context=get_context("spawn")) as pool,
    ):
        job = bar.add_task(what, total=len(names))
        running = {name: pool.submit(work, name) for name in sorted(names, key=cost, reverse=True)}
        try:
            for one in as_completed(running.values()):
                one.result()
                bar.update(job, advance=1)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # a failure ends the set
        return [running[name].result() for name in names]


def _processes(jobs: int | None, names: Sequence[str]) -> int:
    return min(jobs or len(os.sched_getaffinity(0)), len(names))


def speed(run_s: float, took_s: float, what: str) -> str:
    """`100 satellites: 3000 s of simulated time in 1.9 s, 1,579 x real time`; never in a report,
    which is the same bytes every time."""
    times = f"{run_s / max(took_s, 1e-9):,.0f} x real time"
    return f"{what}: {run_s:g} s of simulated time in {took_s:.1f} s, {times}"


def _say(text: str) -> None:
    Console(stderr=True).print(text, highlight=False)


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
            _say(f"wrote {path}")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
