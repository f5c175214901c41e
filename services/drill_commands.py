"""`twin drill`: scored fault-injection drills."""

from pathlib import Path
from typing import Annotated

import typer

drill_app = typer.Typer(no_args_is_help=True)

_JobsOption = Annotated[
    int | None, typer.Option(min=1, max=256, help="Processes side by side. [default: all cores]")
]


@drill_app.command("run")
def drill_run(
    names: Annotated[
        list[str] | None, typer.Argument(help="Drill files, or names of shipped ones.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="The whole shipped set.")] = False,
    html: Annotated[Path | None, typer.Option(help="Report as one HTML file, with plots.")] = None,
    json: Annotated[Path | None, typer.Option(help="Report as JSON.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Report as JUnit XML, for CI.")] = None,
    jobs: _JobsOption = None,
) -> None:
    """Break something in the physics, watch the alert rules, give marks. No servers.

    `twin drill run pump-failure --html report.html`, `twin drill run --all --junit drills.xml`.

    A drill says what is given (a fleet that must be quiet first), what is injected and when, which
    rules must fire on whom and by when, which may not, and how soon they resolve. Delays count
    from the instant at which a rule's condition is physically true. Ends with 1 when a drill
    fails; the same files and seed give the same bytes.
    """
    from services.drill_files import list_drills
    from services.drill_set import Wanted, run_one, run_set

    if every == bool(names):
        raise typer.BadParameter("give the name of a drill, several, or --all")
    wanted = Wanted(html, json, junit)
    chosen = list_drills() if every else list(names or ())
    passed = run_one(chosen[0], wanted) if len(chosen) == 1 else run_set(chosen, wanted, jobs)
    if not passed:
        raise typer.Exit(1)


@drill_app.command("list")
def drill_list() -> None:
    """The shipped drills: name, level, what is broken and which rules must see it."""
    from services.drill_show import print_drills

    print_drills()


@drill_app.command("show")
def drill_show(name: Annotated[str, typer.Argument(help="A drill file or a name.")]) -> None:
    """One drill in words: what is given, broken, expected, forbidden, and who acts."""
    from services.drill_show import print_drill

    print_drill(name)
