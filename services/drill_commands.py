"""`twin drill`: scored fault-injection drills."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from services.drill_set import Wanted

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
    live: Annotated[
        bool, typer.Option("--live", help="On the running stack: commands, real alerts, marks.")
    ] = False,
    grafana: Annotated[
        bool, typer.Option("--grafana", help="With --live: alerts from Grafana, not twin watch.")
    ] = False,
) -> None:
    """Break something in the physics, watch the alert rules, give marks. No servers.

    `twin drill run pump-failure --html report.html`, `twin drill run --all --junit drills.xml`.

    A drill says what is given (a fleet that must be quiet first), what is injected and when, which
    rules must fire on whom and by when, which may not, and how soon they resolve. Delays count
    from the instant at which a rule's condition is physically true. Ends with 1 when a drill
    fails; the same files and seed give the same bytes.

    With `--live --grafana` the alerts are Grafana's: its webhooks (POST to TWIN_DRILL_LISTEN, path
    /drill) and the states of its rules at TWIN_GRAFANA_URL, every 2 s. Grafana judges the present:
    fly at rate 1 and give simulator and drill one TWIN_EPOCH, the instant of the start.
    """
    from services.drill_files import list_drills
    from services.drill_set import Wanted, run_one, run_set

    if every == bool(names):
        raise typer.BadParameter("give the name of a drill, several, or --all")
    if grafana and not live:
        raise typer.BadParameter("--grafana goes with --live")
    if live:
        if len(names or ()) != 1:
            raise typer.BadParameter("--live runs one drill at a time")
        _run_live((names or [""])[0], Wanted(html, json, junit), by_grafana=grafana)
        return
    wanted = Wanted(html, json, junit)
    chosen = list_drills() if every else list(names or ())
    passed = run_one(chosen[0], wanted) if len(chosen) == 1 else run_set(chosen, wanted, jobs)
    if not passed:
        raise typer.Exit(1)


def _run_live(name: str, wanted: "Wanted", *, by_grafana: bool) -> None:
    from services.drill_live import run_live_drill
    from services.process import log_to_stderr, run
    from services.settings import load_settings

    log_to_stderr(logging.WARNING)
    passed = run(run_live_drill(load_settings(), name, wanted, by_grafana=by_grafana))
    if passed is None:
        raise typer.Exit(130)
    if not passed:
        raise typer.Exit(1)


@drill_app.command("campaign")
def drill_campaign(
    name: Annotated[str, typer.Argument(help="A drill file or a name.")],
    out: Annotated[Path, typer.Option(help="Folder of the results, the summary and the plot.")],
    seeds: Annotated[int, typer.Option(min=1, help="Seeds from the drill's own on.")] = 4,
    severities: Annotated[str, typer.Option(help="Such as 0.25,0.5,1; default: as written.")] = "",
    targets: Annotated[str, typer.Option(help="Satellites to hit in turn, with commas.")] = "",
    draws: Annotated[int, typer.Option(min=1, help="Draws of what is uncertain.")] = 1,
    vary: Annotated[
        str, typer.Option(help="Of hard-failures, cross-sections, array-w, battery.")
    ] = "",
    scheduler: Annotated[
        str | None, typer.Option(help="A Dask scheduler, tcp://host:8786; default: started here.")
    ] = None,
    jobs: _JobsOption = None,
    serial: Annotated[bool, typer.Option(help="In this process, one after the other.")] = False,
) -> None:
    """One drill many times, off line: seeds x severities x targets x draws, on Dask workers.

    `twin drill campaign pump-failure --out pump --severities 0.1,0.3,1 --seeds 20 --vary battery
    --draws 5`. Each result is a file named by a hash of its case and of the code; started again, it
    runs what is missing. Needs `pip install 'orbital-twin[campaign]'`.
    """
    from services.campaign_commands import run_campaign

    if not run_campaign(
        name,
        out,
        seeds=seeds,
        severities=severities,
        targets=targets,
        draws=draws,
        vary=vary,
        scheduler=scheduler,
        jobs=jobs,
        serial=serial,
    ):
        raise typer.Exit(1)


@drill_app.command("scenario")
def drill_scenario(
    name: Annotated[str, typer.Argument(help="A drill file or a name.")],
    out: Annotated[Path, typer.Option(help="Scenario file to write.")],
) -> None:
    """What a simulator must fly for a live drill: `twin up --scenario FILE --rate 10`.

    Then, beside it, `twin drill run NAME --live`.
    """
    from services.drill_live import scenario_text

    out.write_text(scenario_text(name), "utf-8")
    typer.echo(str(out))


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
