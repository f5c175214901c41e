"""`twin coverage`: which rule sees which fault, and what guards each rule's numbers."""

from pathlib import Path
from typing import Annotated

import typer

coverage_app = typer.Typer()


@coverage_app.command()
def coverage(
    mutate: Annotated[
        bool, typer.Option(help="Also move every threshold and `for`: some drill must fail.")
    ] = False,
    quiet_day: Annotated[
        bool, typer.Option(help="Also 1,000 satellites over a day without a fault: no page.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
    write: Annotated[Path | None, typer.Option(help="Page to write (docs/coverage.md).")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, max=256, help="Processes.")] = None,
) -> None:
    """Run every shipped drill and say which rule sees which fault.

    A fault that no rule sees, a rule that no fault fires, a rule without a near miss, a moved
    number that no drill notices, or a page on the quiet day ends with 1.
    """
    from services.coverage_tables import coverage_report

    complete = coverage_report(
        mutate=mutate, quiet_day=quiet_day, as_json=as_json, write=write, jobs=jobs
    )
    if not complete:
        raise typer.Exit(1)
