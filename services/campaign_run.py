"""`twin drill campaign`: cases of a drill on Dask workers, each result a file of its own.

Results are written by this process, whole or not at all, as they come; a second start runs what is
missing. A worker that dies costs the case that it had, which goes to another one; a case that
fails, or that kills three workers, is reported and the others finish.
"""

import logging
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.campaign_case import CODE_VERSION, ChangedCodeError, refuse_other_code, run_case
from services.plotting import BROKEN, PLAIN, pyplot
from twin.campaigns import Case
from twin.errors import DependencyUnavailableError

DEATHS_ALLOWED = 3
LOST_WORKER_TIMEOUT = "1 day"
OnDone = Callable[[int, Any], None]


@dataclass
class Outcome:
    """What became of a campaign."""

    cases: int
    ran: int = 0
    kept: int = 0  # found from an earlier start
    failed: dict[str, str] = field(default_factory=dict)  # key -> reason


class Results:
    """One file for each case, in a directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "results"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._version = CODE_VERSION

    def path(self, case: Case) -> Path:
        """Where a case's result is, or will be."""
        return self.folder / f"{case.key(self._version)}.json"

    def missing(self, cases: Sequence[Case]) -> list[Case]:
        """Cases without a result, each once."""
        wanted = {self.path(case): case for case in cases}
        return [case for path, case in wanted.items() if not path.exists()]

    def keep(self, case: Case, result: bytes) -> None:
        """Write a result, whole or not at all. Raises ChangedCodeError for one of other code."""
        refuse_other_code(result, self._version)
        path = self.path(case)
        part = path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as stream:
            stream.write(result)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)

    def found(self, cases: Sequence[Case]) -> list[dict[str, Any]]:
        """Results of the cases that have one, in their order."""
        paths = (self.path(case) for case in cases)
        return [orjson.loads(path.read_bytes()) for path in paths if path.exists()]


def run_serial(
    cases: Sequence[Case], results: Results, work: Callable[[Case], bytes] = run_case
) -> Outcome:
    """One after the other in this process. Raises OSError where no result can be written."""
    missing = results.missing(cases)
    outcome = Outcome(len(cases), kept=len(cases) - len(missing))
    for case in missing:
        _take(case, partial(work, case), results, outcome)
    return outcome


def _take(case: Case, result_of: Callable[[], bytes], results: Results, outcome: Outcome) -> None:
    """Keep a case's result, or why there is none. Raises OSError where it cannot be written."""
    try:
        result = result_of()
    # Whatever the physics makes of drawn parameters (numpy's errors, ours), whatever the library
    # says of a worker that died (KilledWorker, CancelledError, CommClosedError): it is this case's
    # outcome, told with its type, and the others finish.
    except Exception as error:  # noqa: BLE001
        outcome.failed[results.path(case).stem] = f"{type(error).__name__}: {error}"
        return
    try:
        results.keep(case, result)
        outcome.ran += 1
    except ChangedCodeError as error:
        outcome.failed[results.path(case).stem] = f"{type(error).__name__}: {error}"


def run_on_dask(
    cases: Sequence[Case],
    results: Results,
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    work: Callable[[Case], bytes] = run_case,
    on_done: OnDone = lambda _count, _client: None,
) -> Outcome:
    """On a scheduler's workers, or on processes of this machine.

    Raises DependencyUnavailableError where Dask is not installed or the scheduler does not answer,
    OSError where no result can be written.
    """
    missing = results.missing(cases)
    outcome = Outcome(len(cases), kept=len(cases) - len(missing))
    if not missing:
        return outcome
    with _client(scheduler, min(workers or os.cpu_count() or 1, len(missing))) as client:
        as_completed: Any = import_module("distributed").as_completed
        futures = {client.submit(work, case, pure=False): case for case in missing}
        with _progress() as bar:
            job = bar.add_task("cases", total=len(cases), completed=outcome.kept)
            for count, future in enumerate(as_completed(futures), 1):
                _take(futures[future], future.result, results, outcome)
                bar.update(job, advance=1)
                on_done(count, client)
    return outcome


@contextmanager
def _client(scheduler: str | None, workers: int) -> Iterator[Any]:
    try:
        dask: Any = import_module("dask")
        distributed: Any = import_module("distributed")
    except ImportError:
        message = "Dask is not installed: pip install 'orbital-twin[campaign]'"
        raise DependencyUnavailableError(message) from None
    quiet = {
        "distributed.scheduler.allowed-failures": DEATHS_ALLOWED,
        "distributed.logging.distributed": "critical",
        "distributed.worker.daemon": True,
        # A worker that dies is started again by its nanny; Dask's 15 s are not enough for that on
        # a busy machine, and who is given up then is never replaced: the campaign would stand.
        "distributed.deploy.lost-worker-timeout": LOST_WORKER_TIMEOUT,
    }
    with dask.config.set(quiet):
        if scheduler is not None:
            try:
                client = distributed.Client(scheduler, timeout="10s")
            except OSError as error:
                raise DependencyUnavailableError(f"scheduler {scheduler}: {error}") from None
            with client:
                yield client
            return
        with (
            distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


def summary_of(found: Sequence[dict[str, Any]], outcome: Outcome) -> dict[str, Any]:
    """What a campaign says, by severity: seen, false pages, delays."""
    by_severity: dict[float, list[dict[str, Any]]] = {}
    for one in found:
        severity = one["case"]["severity"]
        by_severity.setdefault(math.nan if severity is None else severity, []).append(one["found"])
    rows = []
    for severity, runs in sorted(by_severity.items(), key=lambda row: str(row[0])):
        detections = [one for run in runs for one in run["detections"]]
        delays = sorted(one["delay_s"] for one in detections if one["delay_s"] is not None)
        rows.append(
            {
                "severity": None if math.isnan(severity) else severity,
                "runs": len(runs),
                "passed": sum(run["passed"] for run in runs),
                "expected": len(detections),
                "seen": sum(one["outcome"] == "seen" for one in detections),
                "false_pages": sum(len(run["false_pages"]) for run in runs),
                "delay_p50_s": _rank(delays, 0.5),
                "delay_p95_s": _rank(delays, 0.95),
            }
        )
    return {
        "cases": outcome.cases,
        "results": len(found),
        "failed": dict(sorted(outcome.failed.items())),
        "version": CODE_VERSION,
        "by_severity": rows,
    }


def _rank(delays: Sequence[float], share: float) -> float | None:
    """The smallest delay that this share of all does not exceed."""
    return delays[max(0, math.ceil(share * len(delays)) - 1)] if delays else None


def plot_delays(found: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Delay from the physical instant against severity, a dot for each detection, as PNG."""
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(7.5, 4.5))
    dots: dict[float, list[float]] = {}
    for one in found:
        severity = one["case"]["severity"]
        for row in one["found"]["detections"]:
            if row["delay_s"] is not None:
                dots.setdefault(1.0 if severity is None else severity, []).append(row["delay_s"])
    for severity, delays in dots.items():
        axes.plot([severity] * len(delays), delays, "o", color=PLAIN, alpha=0.35)
    at = sorted(dots)
    axes.plot(at, [_rank(sorted(dots[one]), 0.5) for one in at], "-", color=BROKEN, label="median")
    axes.plot(at, [_rank(sorted(dots[one]), 0.95) for one in at], "--", color=BROKEN, label="95 %")
    axes.set(xlabel="severity [0-1]", ylabel="delay of the alert [s]", title=title)
    axes.grid(alpha=0.3)
    if at:
        axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
