"""Commands around the way to the store: dead letters, settings, draining."""

from typing import Annotated

import typer

from services.process import run
from services.settings import load_settings

dlq_app = typer.Typer(no_args_is_help=True)
config_app = typer.Typer(no_args_is_help=True)
drain_app = typer.Typer()

IdsArgument = Annotated[
    list[int] | None, typer.Argument(help="Numbers from `twin dlq list`. [default: all]")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON, one object a line.")]


@dlq_app.command("list")
def dlq_list(as_json: JsonOption = False) -> None:
    """Every message and row that nobody could use, with the reason."""
    from services.dlq import list_letters

    list_letters(load_settings(), as_json=as_json)


@dlq_app.command("show")
def dlq_show(number: Annotated[int, typer.Argument(help="Number of the letter.")]) -> None:
    """One letter: its reason, topic and first 4 KiB."""
    from services.dlq import show_letter

    show_letter(load_settings(), number)


@dlq_app.command("replay")
def dlq_replay(ids: IdsArgument = None) -> None:
    """Put letters through the ingester's checks and into the store again.

    What the store takes is forgotten here; what it refuses stays. Exit code 1 if any stayed.
    """
    from services.dlq import Replayed, replay_letters

    done = run(replay_letters(load_settings(), ids or None)) or Replayed()
    typer.echo(f"{done.stored} stored, {done.stayed} still refused")
    if done.stayed:
        raise typer.Exit(1)


@dlq_app.command("purge")
def dlq_purge(
    ids: IdsArgument = None,
    everything: Annotated[bool, typer.Option("--all", help="All letters.")] = False,
) -> None:
    """Throw letters away for good."""
    from services.dlq import purge_letters

    if not ids and not everything:
        raise typer.BadParameter("name letters, or say --all", param_hint="ids")
    typer.echo(f"{purge_letters(load_settings(), ids or None)} letters thrown away")


@config_app.command("show")
def config_show(
    origin: Annotated[bool, typer.Option("--origin", help="Where each value comes from.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Every setting as the services would see it; secrets are masked."""
    from services.setting_table import print_settings

    print_settings(load_settings(), origin=origin, as_json=as_json)


@config_app.command("owners")
def config_owners(
    scenario: Annotated[str, typer.Argument(help="A scenario file or a shipped one's name.")],
    was: Annotated[
        list[str] | None,
        typer.Option(help="What its run has flown before, the first one first; may be repeated."),
    ] = None,
) -> None:
    """Which shard names which satellite in a scenario: a file for TWIN_OWNERS_FILE.

    Where a running fleet is to change: `twin config owners new.yaml --was old.yaml`, SIGHUP to the
    ingester and the watcher, then the new scenario in the place of the old one and SIGHUP to the
    simulator.
    """
    from services.owners import owners_text

    typer.echo(owners_text(load_settings(scenario=scenario), was or ()), nl=False)


@drain_app.command("drain")
def drain(
    service: Annotated[
        str, typer.Argument(help="A running service: ingest-1, simulate-FLEET.")
    ] = "ingest-1",
) -> None:
    """Let a service take in nothing more, finish what it has, and end; wait for that.

    SIGTERM does the same but gives it 5 seconds. What a drained ingester did not take waits in
    the broker, what a drained simulator did not send is simulated again at its next start.
    """
    from services.instance import drain as drain_service

    run(drain_service(load_settings().state_dir, service))
    typer.echo(f"{service} is drained and has ended")
