"""The coverage of faults by rules, for people: at a terminal and as docs/coverage.md."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console
from rich.table import Table

from services.coverage_run import Coverage, coverage
from services.drill_files import DRILL_FOLDER
from services.drill_set import run_shown
from services.drill_tables import as_data, print_marks
from twin.alerts import RULES
from twin.drill_load import GIVEN
from twin.fault_kinds import fault_kinds
from twin.pipeline_model import PIPELINE_FAULTS
from twin.rule_mutants import mutants

QUIET_DAY: Final = str(DRILL_FOLDER / "quiet" / "quiet-day.yaml")
_HEAD: Final = """# What the drills cover

Written by `twin coverage --mutate --write docs/coverage.md`; it runs every drill of `drills/`, so
it is not a part of `make generate`. A fault is covered when some drill injects it and a rule that
the drill expects fires in time on those it hit; a rule is covered when some fault fires it and some
near miss does not.

"""


def print_coverage(found: Coverage, console: Console, *, mutated: bool) -> None:
    """The matrix, then what is missing."""
    table = Table("fault", "", "rules that see it", "drills")
    for fault, title, rules, drills in _rows(found):
        table.add_row(fault, title, rules or "[red]none[/]", drills)
    console.print(table)
    for line in _summary(found, mutated=mutated):
        console.print(line, highlight=False)
    for failure in found.failures:
        console.print(f"[red]{failure}[/]", highlight=False)


def coverage_page(found: Coverage, *, mutated: bool) -> str:
    """docs/coverage.md; without mutants it says so instead of counting none as noticed."""
    lines = ["| fault | | rules that see it | drills |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in _rows(found)]
    lines += ["", "## Rules", "", "| rule | severity | faults that fire it | near misses in |"]
    lines += ["|---|---|---|---|"]
    for rule in RULES:
        faults = [fault for fault, row in found.matrix.items() if rule.name in row]
        near = found.near_misses.get(rule.name, [])
        cells = (f"`{rule.name}`", rule.severity, " ".join(faults), ", ".join(near))
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## Moved numbers", "", *_summary(found, mutated=mutated)]
    if not mutated:
        lines.append("No number was moved in this run: it was without `--mutate`.")
    if found.uncaught:
        lines += ["", "| rule | moved | why no drill can notice |", "|---|---|---|"]
        lines += [f"| `{rule}` | {what} | {why} |" for rule, what, why in found.uncaught]
    return _HEAD + "\n".join(lines) + "\n"


def _rows(found: Coverage) -> list[tuple[str, str, str, str]]:
    titles = {kind.id: kind.title for kind in fault_kinds().values()}
    rows = []
    for fault in (*fault_kinds(), *PIPELINE_FAULTS, GIVEN):
        row = found.matrix.get(fault, {})
        drills = dict.fromkeys(one for names in row.values() for one in names)
        rows.append(
            (
                fault,
                titles.get(fault, "the scenario itself" if fault == GIVEN else "pipeline"),
                ", ".join(row),
                ", ".join(drills),
            )
        )
    return rows


def _summary(found: Coverage, *, mutated: bool) -> Sequence[str]:
    faults = len(fault_kinds()) + len(PIPELINE_FAULTS)
    lines = [
        f"{len(found.drills)} drills; {faults - len(found.unseen_faults)} of {faults} faults seen; "
        f"{len(RULES) - len(found.unfired_rules)} of {len(RULES)} rules fired; "
        f"{len(RULES) - len(found.rules_without_near_miss)} with a near miss."
    ]
    if mutated:
        count, silent = len(mutants(RULES)), len(found.uncaught)
        told = sum(bool(why) for _, _, why in found.uncaught)
        lines.append(
            f"{count} rules with a number moved: {count - silent} noticed by some drill, "
            f"{told} explained, {silent - told} neither."
        )
    return lines


def coverage_report(
    *, mutate: bool, quiet_day: bool, as_json: bool, write: Path | None, jobs: int | None
) -> bool:
    """Run the set, print, write; whether the coverage is complete."""
    found = coverage(mutate=mutate, jobs=jobs)
    data, complete = found.data(), not found.failures
    quiet = run_shown(QUIET_DAY) if quiet_day else None
    if quiet is not None:
        data["quiet_day"] = as_data(quiet)
        complete = complete and quiet.score.passed
    if write is not None:
        write.write_text(coverage_page(found, mutated=mutate), "utf-8")
    if as_json:
        options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
        print_json = Console(highlight=False, soft_wrap=True)
        print_json.print(orjson.dumps(data, option=options).decode(), markup=False)
        return complete
    print_coverage(found, Console(), mutated=mutate)
    if quiet is not None:
        print_marks(quiet, Console())
    return complete
