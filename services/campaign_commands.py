"""`twin drill campaign`: one drill, many cases."""

from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from services.campaign_run import Results, plot_delays, run_on_dask, run_serial, summary_of
from services.drill_files import open_drill
from services.plotting import pyplot
from twin.campaigns import CampaignError, cases_of

JSON = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


def run_campaign(
    name: str,
    out: Path,
    *,
    seeds: int,
    severities: str,
    targets: str,
    draws: int,
    vary: str,
    scheduler: str | None,
    jobs: int | None,
    serial: bool,
) -> bool:
    """Run what is missing, write summary.json and delays.png; whether no case failed to run."""
    pyplot()  # missing: say so before the run
    drill, build = open_drill(name)
    wanted = _words(targets)
    for target in wanted:
        if target not in build.fleet.satellite_ids:
            raise CampaignError(f"--targets {target}: no such satellite in {build.fleet.name}")
    cases = cases_of(
        drill,
        seeds=seeds,
        severities=[_severity(text) for text in _words(severities)] or [None],
        targets=wanted or [None],
        draws=draws,
        vary=_words(vary),
    )
    try:
        results = Results(out)
        if serial:
            outcome = run_serial(cases, results)
        else:
            outcome = run_on_dask(cases, results, scheduler=scheduler, workers=jobs)
    except OSError as error:
        reason = f"{error.filename or out}: {error.strerror or error}"
        raise CampaignError(f"--out {out}: results cannot be written: {reason}") from None
    found = results.found(cases)
    summary = {"drill": drill.name, **summary_of(found, outcome)}
    (out / "summary.json").write_bytes(orjson.dumps(summary, option=JSON))
    plot_delays(found, out / "delays.png", drill.keys.title)
    _print(summary, f"{outcome.ran} run now, {outcome.kept} kept from before")
    return not outcome.failed


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _severity(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise CampaignError(f"--severities {text!r}: numbers from 0 to 1, with commas") from None


def _print(summary: dict[str, object], note: str) -> None:
    console = Console()
    table = Table("severity", "runs", "passed", "seen", "false pages", "delay p50", "delay p95")
    rows = summary["by_severity"]
    assert isinstance(rows, list)
    for row in rows:
        delays = [row["delay_p50_s"], row["delay_p95_s"]]
        table.add_row(
            "as written" if row["severity"] is None else f"{row['severity']:g}",
            str(row["runs"]),
            str(row["passed"]),
            f"{row['seen']} of {row['expected']}",
            str(row["false_pages"]),
            *("-" if one is None else f"{one:g} s" for one in delays),
        )
    console.print(table)
    console.print(f"{summary['results']} of {summary['cases']} cases: {note}", highlight=False)
    failed = summary["failed"]
    assert isinstance(failed, dict)
    for key, reason in failed.items():
        console.print(f"case {key} failed: {reason}", highlight=False, markup=False)
