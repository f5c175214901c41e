"""Commands about a fleet's life and money: `twin life`, `twin economics`."""

import time
from pathlib import Path
from typing import Annotated

import typer

life_app = typer.Typer()

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Replace an input, key=value; may be given several times."),
]
InputsOption = Annotated[
    str | None, typer.Option("--inputs", help="YAML file of such keys; --set wins.")
]
LauncherOption = Annotated[
    str | None, typer.Option("--launcher", help="Another launcher than the preset's.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
PresetOption = Annotated[str | None, typer.Option("--preset", help="Name of a preset.")]


@life_app.command()
def life(
    scenario: Annotated[str | None, typer.Argument(help="A scenario file or name.")] = None,
    preset: PresetOption = None,
    years: Annotated[float, typer.Option(help="How long to play the plan.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Fate of launches and satellites.")] = 1,
    vehicle: LauncherOption = None,
    changes: SetOption = None,
    inputs: InputsOption = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", help="Also draw it, a PNG.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """A fleet's launches, losses, spares, failures and re-entries: plan against actual.

    A launch-slip fault (O4) of the scenario holds back the launches of its targets by its
    duration; without an end it loses them.
    """
    from services.economic_choices import gathered_changes
    from services.life_tables import fleets_of, played_fleets, print_life

    if scenario is not None and preset is not None:
        raise typer.BadParameter("give a scenario or --preset, not both")
    fleets = fleets_of(scenario, preset, float(round(time.time())))
    chosen = gathered_changes(changes or [], inputs)
    played = played_fleets(fleets, years, seed, chosen, vehicle)
    if plot is not None:
        from services.life_plots import plot_lives

        plot_lives([life for life, _ in played], plot)
    print_life(played, as_json=as_json)


@life_app.command()
def economics(
    preset: Annotated[str, typer.Option("--preset", help="Name of a preset.")],
    usd_per_kg: Annotated[
        float | None, typer.Option(min=0.0, help="Launch price. [default: the launcher's]")
    ] = None,
    vehicle: LauncherOption = None,
    changes: SetOption = None,
    inputs: InputsOption = None,
    tenants: Annotated[
        list[str] | None, typer.Option("--tenant", help="Showback, name=share of the fleet.")
    ] = None,
    samples: Annotated[
        int, typer.Option("--monte-carlo", min=0, help="Draws over what nobody has published.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Cost per kW-year and accelerator-hour, footprint, and ground sites beside them."""
    from services.economic_choices import gathered_changes, parsed_shares
    from services.economics_tables import EconomicsOptions, economics_report, print_economics

    options = EconomicsOptions(usd_per_kg, vehicle, samples, seed)
    chosen = gathered_changes(changes or [], inputs)
    report = economics_report(preset, chosen, parsed_shares(tenants or []), options)
    print_economics(report, as_json=as_json)
