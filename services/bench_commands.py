"""Commands that measure: `twin bench physics`, `rules`, `drills`, `pipeline`, `soak`."""

from typing import Annotated

import typer

from services.arguments import Duration, parse_duration

bench_app = typer.Typer(no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="One line of JSON.")]


@bench_app.callback()
def bench() -> None:
    """Measure how fast the physics, the alert rules and the way to the store are."""


@bench_app.command()
def physics(as_json: JsonOption = False) -> None:
    """Speed and memory of the compiled physics at 100, 10,000 and 1,000,000 satellites.

    On one thread, beside Basilisk in the same run where it is installed (pip install bsk).
    """
    from services.bench import as_json as line
    from services.bench import bench_physics

    figures = bench_physics(lambda text: typer.echo(text, err=as_json))
    if as_json:
        typer.echo(line(figures))


@bench_app.command()
def rules(
    satellites: Annotated[
        int, typer.Option(min=10, max=200_000, help="Of the fleet that is judged.")
    ] = 10_281,
    storm: Annotated[
        float, typer.Option(min=0, max=100, help="Share of them in breach of everything [%].")
    ] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """One evaluation of all alert rules for a whole fleet: time, and memory of their windows.

    On one thread, in processor time; first a calm fleet, then one in a storm.
    """
    from services.bench import as_json as line
    from services.rules_bench import bench_rules

    figures = bench_rules(lambda text: typer.echo(text, err=as_json), satellites, storm)
    if as_json:
        typer.echo(line(figures))


@bench_app.command()
def drills(as_json: JsonOption = False) -> None:
    """How much faster than real time a drill of 100 satellites runs, in processor time.

    Physics, sensors, all alert rules every 10 s, score; one process, the best of five runs.
    """
    from services.bench import as_json as line
    from services.drill_bench import bench_drills

    figures = bench_drills(lambda text: typer.echo(text, err=as_json))
    if as_json:
        typer.echo(line(figures))


@bench_app.command()
def pipeline(
    satellites: Annotated[
        int, typer.Option(min=4, max=100_000, help="Reporting at 1 Hz.")
    ] = 10_000,
    duration: Annotated[
        Duration, typer.Option("--for", parser=parse_duration, help="Of the run at 1 Hz.")
    ] = 60.0,
    briefly: Annotated[
        bool, typer.Option("--quick", help="Few satellites, seconds: whether it runs.")
    ] = False,
    large_pages: Annotated[
        bool,
        typer.Option(
            "--huge-pages",
            help="Set the kernel's transparent huge pages to `always` for this run (root only).",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """From tick to queryable row: values/s, latency, losses, processor time of each part.

    On mosquitto and InfluxDB 1.x (Debian's packages) with the numbers that we ship, started here
    on loopback in a temporary directory; the naive design (one JSON message and one Point per
    sample) runs in turns with ours. About two minutes more than --for.
    """
    from services.bench import as_json as line
    from services.huge_pages import huge_pages
    from services.pipeline_bench import Size, bench_pipeline, quick
    from services.pipeline_peaks import PeakSize
    from services.process import run

    def say(text: str) -> None:
        typer.echo(text, err=as_json)

    if not duration >= 10.0:
        raise typer.BadParameter("at least 10s", param_hint="--for")
    size = quick(satellites) if briefly else Size(satellites, duration, PeakSize(satellites))
    with huge_pages(large_pages, say):
        figures = run(bench_pipeline(say, size))
    if figures is not None and as_json:
        typer.echo(line(figures))


@bench_app.command()
def soak(
    satellites: Annotated[int, typer.Option(min=4, max=100_000, help="Reporting at 1 Hz.")] = 1000,
    duration: Annotated[
        Duration, typer.Option("--for", parser=parse_duration, help="How long; half is warm-up.")
    ] = 600.0,
    as_json: JsonOption = False,
) -> None:
    """Memory, descriptors, threads and tasks of every process while 1,000 satellites report.

    On real servers started here. Exit code 1 if a figure of the second half grows by more than
    5 %, or a row is lost.
    """
    from services.bench import as_json as line
    from services.pipeline_soak import soak as run_soak
    from services.process import run

    if not duration >= 20.0:
        raise typer.BadParameter("at least 20s", param_hint="--for")
    figures = run(run_soak(lambda text: typer.echo(text, err=as_json), satellites, duration))
    if figures is None:
        return
    if as_json:
        typer.echo(line(figures))
    if figures["grew"] or figures["lost"]:
        raise typer.Exit(1)
