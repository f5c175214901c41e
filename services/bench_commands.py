"""Commands that measure: `twin bench physics`."""

from typing import Annotated

import typer

bench_app = typer.Typer(no_args_is_help=True)


@bench_app.callback()
def bench() -> None:
    """Measure how fast the physics is."""


@bench_app.command()
def physics(
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Speed and memory of the compiled physics at 100, 10,000 and 1,000,000 satellites.

    On one thread, beside Basilisk in the same run where it is installed (pip install bsk).
    """
    from services.bench import as_json as line
    from services.bench import bench_physics

    figures = bench_physics(lambda text: typer.echo(text, err=as_json))
    if as_json:
        typer.echo(line(figures))
