"""`twin passes` and `twin verify`: what Skyfield says about a scenario."""

from typing import Annotated

import typer

from services.arguments import EpochOption
from services.settings import load_settings

sky_app = typer.Typer()

ScenarioName = Annotated[str, typer.Argument(help="A scenario file or the name of a shipped one.")]
HoursOption = Annotated[float, typer.Option(min=0.1, max=24.0 * 366, help="Span from the epoch.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@sky_app.command()
def passes(
    scenario: ScenarioName,
    sat: Annotated[str, typer.Option(help="Id of the satellite.")],
    hours: HoursOption = 24.0,
    mask_deg: Annotated[
        float, typer.Option(min=0.0, max=85.0, help="Lowest elevation of a contact.")
    ] = 10.0,
    epoch: EpochOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ground-station passes of a satellite: rise, culmination, set, elevation, range, delay."""
    from services.passes import all_passes, print_passes
    from services.runs import open_scenario

    opened = open_scenario(load_settings(scenario=scenario, epoch=epoch))
    print_passes(all_passes(opened, sat, hours, mask_deg), as_json)


@sky_app.command()
def verify(
    scenario: ScenarioName,
    sats: Annotated[int, typer.Option(min=1, help="Satellites compared, spread evenly.")] = 5,
    hours: HoursOption = 6.0,
    epoch: EpochOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare orbits, Sun and eclipse edges with Skyfield; exit 1 beyond the tolerances."""
    from services.runs import open_scenario
    from services.verify import compare, print_comparisons

    opened = open_scenario(load_settings(scenario=scenario, epoch=epoch))
    found = compare(opened, sats, hours)
    print_comparisons(found, as_json)
    if not all(one.passed for one in found):
        raise typer.Exit(1)
