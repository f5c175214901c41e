"""`twin provision`: dashboards, rules and routes into a Grafana, and nothing else there touched."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from services.arguments import parse_instant
from services.findings import Finding
from services.grafana_settings import GrafanaSettings, load_grafana_settings
from services.process import log_to_stderr, run
from services.provision_parts import PARTS, Part
from services.settings import Settings, load_settings

if TYPE_CHECKING:
    from services.provision import Change, Kind
    from services.provision_wanted import Wanted

DRIFT_EXIT = 2
BLOCKED_EXIT = 1

provision_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""Bring dashboards, data source, alert rules, contact points, policies and mute timings
into a Grafana (9.3 to 13).

`TWIN_GRAFANA_URL=http://grafana:3000 TWIN_GRAFANA_TOKEN_FILE=token twin provision plan`

What is ours has a uid or name that begins with `twin-`. What anybody else made is never changed,
also with --prune; what provisioning files own is left to them. A run that was killed is ended by
the next one. Where notifications go: TWIN_ALERT_PAGE_URL, ..._TICKET_URL, ..._LOG_URL,
..._DRILL_URL, ..._PAGE_EMAILS (docs/settings.md); without any, routing is left alone.

What rules of single satellites ask: TWIN_ALERT_SOURCE=telemetry (up to a thousand satellites) or
watch (any number, where `twin watch` runs). With TWIN_SCENARIO it says whether the fleet is too
large for the first, and which satellites report too rarely for the windows of the rules.""",
)

OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", help=f"Part, can be given again: {', '.join(PARTS)}. [default: all]"),
]
PruneOption = Annotated[
    bool, typer.Option("--prune", help="Also remove what is ours and no longer wanted.")
]
AdoptOption = Annotated[
    bool, typer.Option("--adopt", help="Take over what has our uid or name and not our mark.")
]
TokenOption = Annotated[
    Path | None,
    typer.Option(
        help="File (0600) for the token of service account twin-annotator, role Editor; without "
        "it there is no such account."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of lines.")]


def _parts(only: list[str] | None) -> tuple[Part, ...]:
    for name in only or ():
        if name not in PARTS:
            raise typer.BadParameter(f"{name!r}: one of {', '.join(PARTS)}", param_hint="--only")
    return tuple(part for part in PARTS if not only or part in only)


@contextmanager
def _opened(
    only: list[str] | None, token_file: Path | None, settings: Settings | None = None
) -> Iterator[tuple[list["Kind"], GrafanaSettings]]:
    """A session with Grafana and the kinds of resources that are asked for."""
    from services.grafana import Grafana
    from services.provision_fleet import fleet_warnings
    from services.provision_wanted import kinds, wanted

    log_to_stderr(logging.WARNING)
    parts, given = _parts(only), load_grafana_settings()
    settings = settings or load_settings()
    every = wanted(settings, given, token_file)
    if "rules" in parts:
        for warning in fleet_warnings(settings, given):
            typer.echo(f"warning: {warning}", err=True)
    with Grafana(given) as grafana:
        grafana.ready()
        _say_what_is_left_out(every, parts)
        yield kinds(grafana, given, every, parts), given


def _say_what_is_left_out(every: "Wanted", parts: Sequence[Part]) -> None:
    if "routing" in parts and not every.contacts:
        typer.echo("routing left alone: set TWIN_ALERT_PAGE_URL or another address", err=True)


def _print(changes: "Sequence[Change]", as_json: bool) -> None:
    if as_json:
        rows: list[dict[str, Any]] = [
            {"action": row.action, "kind": row.kind, "key": row.key, "reason": row.reason}
            for row in changes
        ]
        typer.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    for row in changes:
        typer.echo(str(row))
    count = sum(row.is_drift for row in changes)
    typer.echo(f"{count} to do" if count else "nothing to do")


@provision_app.command()
def plan(
    only: OnlyOption = None,
    prune: PruneOption = False,
    adopt: AdoptOption = False,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what `apply` would do; change nothing. Exit code 0 if nothing, 2 if something."""
    from services.provision import plan as planned

    with _opened(only, token_file) as (kinds, _):
        changes = planned(kinds, prune=prune, adopt=adopt)
    _print(changes, as_json)
    if any(row.is_drift for row in changes):
        raise typer.Exit(DRIFT_EXIT)


@provision_app.command()
def diff(
    only: OnlyOption = None,
    prune: PruneOption = False,
    adopt: AdoptOption = False,
    token_file: TokenOption = None,
) -> None:
    """Show each difference as `diff -u` does, without what Grafana itself rewrites.

    Secrets are never compared nor shown. Exit codes as of `plan`.
    """
    from services.provision import plan as planned

    with _opened(only, token_file) as (kinds, _):
        changes = planned(kinds, prune=prune, adopt=adopt)
    for row in changes:
        typer.echo(str(row))
        typer.echo(row.diff(), nl=False)
    if any(row.is_drift for row in changes):
        raise typer.Exit(DRIFT_EXIT)


@provision_app.command()
def apply(
    only: OnlyOption = None,
    prune: PruneOption = False,
    adopt: AdoptOption = False,
    token_file: TokenOption = None,
    influx: Annotated[
        Path | None,
        typer.Option(
            help="First set up the store with TWIN_INFLUX_* of its operator; its read and write "
            "tokens (or passwords) go into this directory, and Grafana gets the read one."
        ),
    ] = None,
    retention_days: Annotated[
        int, typer.Option(min=1, help="With --influx: how long the store keeps rows.")
    ] = 7,
) -> None:
    """Bring Grafana to what is wanted; say each thing that was done.

    Exit code 1 if something of somebody else stands in the way: it is named and left as it is.
    """
    from services.provision import apply as applied

    settings = load_settings()
    if influx is not None:
        settings = _set_up_store(settings, influx, retention_days)
    with _opened(only, token_file, settings) as (kinds, _):
        done = applied(kinds, prune=prune, adopt=adopt, tell=lambda row: typer.echo(str(row)))
    if not any(row.is_drift for row in done):
        typer.echo("nothing to do")
    if any(row.action == "blocked" for row in done):
        raise typer.Exit(BLOCKED_EXIT)


def _set_up_store(settings: Settings, directory: Path, retention_days: int) -> Settings:
    """Database or bucket, retention, users or tokens; the settings as the reader has them."""
    from services.store_setup import set_up_store
    from services.store_users import user_of

    directory.mkdir(parents=True, exist_ok=True)
    run(set_up_store(settings, directory, retention_days))
    typer.echo(f"store   {settings.influx_url} is set up; its tokens are in {directory}")
    reader = directory / "read"
    if not reader.exists():  # a 1.x that asks nobody for a log-in
        return settings
    given: dict[str, Any] = {"influx_password": None, "influx_token": None}
    if settings.influx_username:
        given |= {"influx_username": user_of("read"), "influx_password_file": reader}
    else:
        given |= {"influx_token_file": reader}
    return load_settings(**given)


@provision_app.command()
def export(
    directory: Annotated[Path, typer.Argument(help="Where the files go.")],
) -> None:
    """Write everything as files: provisioning YAML, dashboards, rule groups, alertmanager.yml.

    Needs no Grafana; holds no secret. For who provisions by files, Terraform or an operator.
    """
    from services.provision_export import export as written
    from services.provision_wanted import wanted

    names = written(wanted(load_settings(), load_grafana_settings()), directory)
    typer.echo(f"{len(names)} files in {directory}")


@provision_app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check version, log-in, plugin, data source and who owns the policies of a Grafana.

    One line per check, with the fix. Exit code 1 if any is not well.
    """
    from services.grafana import Grafana
    from services.provision_doctor import examine

    with Grafana(load_grafana_settings()) as grafana:
        found = list(examine(grafana))
    if as_json:
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        for one in found:
            _say(one)
    if not all(one.is_well for one in found):
        raise typer.Exit(1)


def _say(one: Finding) -> None:
    hint = "" if one.is_well else f"  -> {one.fix}"
    typer.echo(f"{'ok  ' if one.is_well else 'FAIL'} {one.subject}: {one.detail}{hint}")


@provision_app.command()
def smoke(
    out: Annotated[
        Path, typer.Option(help="Directory for pictures and the list of queries.")
    ] = Path("build/grafana-smoke"),
    only: OnlyOption = None,
) -> None:
    """Try everything on a real Grafana: `make grafana-smoke`.

    Applies, plans again (nothing may be left), asks every query of every panel through Grafana,
    waits until each rule has been evaluated, writes and removes an annotation, takes pictures.
    Exit code 1 if anything is not well.
    """
    from services.grafana_smoke import smoke as tried

    all_well = True
    with _opened(only, None) as (kinds, _):
        for one in tried(kinds[0].grafana, kinds, out):
            _say(one)
            all_well &= one.is_well
    if not all_well:
        raise typer.Exit(1)


@provision_app.command()
def annotate(
    text: Annotated[str, typer.Argument(help="What happened; shown on the dashboards.")],
    start: Annotated[str, typer.Option("--from", help="Instant, ISO 8601 UTC.")],
    stop: Annotated[str | None, typer.Option("--to", help="End, for a span of time.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Can be given again.")] = None,
    dashboard: Annotated[
        str | None, typer.Option(help="Only on the dashboard with this uid.")
    ] = None,
) -> None:
    """Write an annotation: a drill, a manoeuvre, planned work.

    `twin provision annotate "Drill: coolant leak" --tag drill --from 2026-11-22T10:00:00Z`.
    The token of twin-annotator (`apply --token-file`) is enough for it.
    """
    from services.grafana import Grafana
    from services.provision_notes import annotation

    body = annotation(text, parse_instant(start, "--from"), _end(stop), tag or [], dashboard)
    with Grafana(load_grafana_settings()) as grafana:
        made = grafana.ask("POST", "/annotations", body)
    typer.echo(f"annotation {made['id']}")


def _end(text: str | None) -> float | None:
    return None if text is None else parse_instant(text, "--to")
