"""`twin economics`: what a fleet costs and leaves behind, beside data centres on the ground."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import orjson
from rich.console import Console
from rich.table import Table

from services.economic_choices import (
    changed_ends,
    changed_sections,
    changed_site,
    chosen_launcher,
)
from twin.economic_inputs import economics_file
from twin.economics import (
    FleetEconomics,
    GroundEconomics,
    TenantShare,
    fleet_economics,
    ground_economics,
    showback,
)
from twin.monte_carlo import PERCENTILES, MonteCarlo, monte_carlo
from twin.preset_files import preset_names, sources
from twin.preset_library import load_preset
from twin.site_presets import load_ground


@dataclass(frozen=True)
class EconomicsReport:
    """Everything that the command prints."""

    fleet: FleetEconomics
    ground: tuple[GroundEconomics, ...]
    tenants: tuple[TenantShare, ...]
    monte_carlo: MonteCarlo | None
    launcher: str
    inputs: dict[str, float]


@dataclass(frozen=True)
class EconomicsOptions:
    """What the user asked for beside the preset."""

    usd_per_kg: float | None = None
    vehicle: str | None = None
    samples_count: int = 0
    seed: int = 1


def economics_report(
    preset: str,
    changes: Mapping[str, object],
    tenants: Mapping[str, float],
    options: EconomicsOptions,
) -> EconomicsReport:
    """Figures of one preset with the user's changes. Raises ConfigurationError by name."""
    one = load_preset(preset)
    values, life, inputs = changed_sections(one.values, one.life, changes)
    vehicle, life = chosen_launcher(life, options.vehicle, changes)
    count = one.orbit.count
    price = options.usd_per_kg
    fleet = fleet_economics(preset, values, life, count, vehicle, inputs, price)
    scale_kw = fleet.compute_kw or None
    drawn = None
    if options.samples_count:
        drawn = monte_carlo(
            preset,
            values,
            life,
            count,
            vehicle,
            inputs,
            price,
            options.samples_count,
            options.seed,
            changed_ends(changes),
        )
    return EconomicsReport(
        fleet=fleet,
        ground=tuple(
            ground_economics(changed_site(load_ground(name), changes), inputs, scale_kw)
            for name in preset_names("ground")
        ),
        tenants=showback(fleet.accelerator_hours_year, fleet.energy_kwh_year, tenants),
        monte_carlo=drawn,
        launcher=vehicle.name,
        inputs=inputs.model_dump(),
    )


def print_economics(report: EconomicsReport, *, as_json: bool) -> None:
    """As tables or as JSON."""
    if as_json:
        text = orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2).decode()
        sys.stdout.write(text + "\n")
        return
    console = Console(highlight=False)
    _print_fleet(console, report)
    _print_ground(console, report)
    if len(report.tenants) > 1:
        table = Table("tenant", "accelerator-hours", "kWh", box=None, title="a year, by tenant")
        for share in report.tenants:
            table.add_row(
                share.tenant, f"{share.accelerator_hours:,.0f}", f"{share.energy_kwh:,.0f}"
            )
        console.print(table)
    if report.monte_carlo is not None:
        _print_monte_carlo(console, report.monte_carlo)
    _print_inputs(console, report)


def _print_fleet(console: Console, report: EconomicsReport) -> None:
    one = report.fleet
    console.print(
        f"[bold]{one.name}[/]: {one.satellites_count:,} satellites, {one.compute_kw:,.0f} kW of "
        f"payload, {one.accelerators_count:,} accelerators, by {report.launcher} at "
        f"{one.usd_per_kg:,.0f} USD/kg\n"
    )
    hour = one.usd_per_accelerator_hour
    lines = {
        "launched power, USD per kW-year": f"{one.launched_power_usd_per_kw_year:,.0f} "
        f"(of {one.rated_power_kw:g} kW a satellite)",
        "all in, USD per kW-year": f"{one.usd_per_kw_year:,.0f}",
        "USD per accelerator-hour": "-" if hour is None else f"{hour:,.2f}",
        **{f"  {key}, USD a year": f"{usd:,.0f}" for key, usd in one.usd_year.items()},
        "satellites replaced a year": f"{one.replaced_per_year:,.1f}",
        "launches a year": f"{one.launches_per_year:,.1f}",
        "re-entry, t a year": f"{one.reentry_t_year:,.1f} "
        f"({one.reentry_design_t_year:,.1f} without spares and failures)",
        "water, litres a year": f"{one.water_litre_year:,.0f}",
    }
    table = Table.grid(padding=(0, 2))
    for label, text in lines.items():
        table.add_row(label, text)
    console.print(table)


def _print_ground(console: Console, report: EconomicsReport) -> None:
    table = Table(
        "ground, same payload", "USD/kW-yr", "USD/accel-h", "MWh a year", "m3 water", "acres",
        box=None,
    )  # fmt: skip
    for one in report.ground:
        table.add_row(
            one.name,
            f"{one.usd_per_kw_year:,.0f}",
            f"{one.usd_per_accelerator_hour:,.2f}",
            f"{one.energy_kwh_year / 1e3:,.0f}",
            f"{one.water_litre_year / 1e3:,.0f}",
            f"{one.land_acre:,.1f}",
        )
    console.print()
    console.print(table)
    published = economics_file().published
    orbit, ground = published["orbit_usd_per_accel_hour"], published["ground_usd_per_accel_hour"]
    console.print(
        f"published: {orbit.value} in orbit, {ground.value} on the ground, USD per accelerator-hour"
        f" ({orbit.note})\n"
    )


def _print_monte_carlo(console: Console, drawn: MonteCarlo) -> None:
    console.print(f"{drawn.samples_count:,} draws, seed {drawn.seed}")
    for one in drawn.triangles:
        console.print(
            f"  {one.name}: triangular {one.low:g} / {one.mode:.4g} / {one.high:g} "
            f"[dim]({', '.join(one.sources)})[/]"
        )
    table = Table("result", *(f"p{one}" for one in PERCENTILES), box=None)
    for label, numbers in drawn.percentiles.items():
        table.add_row(label, *(f"{one:,.4g}" for one in numbers))
    console.print(table)
    console.print()


def _print_inputs(console: Console, report: EconomicsReport) -> None:
    for key, one in economics_file().inputs.items():
        used = report.inputs[key]
        origin = f"{one.confidence}, {one.source}: {sources()[one.source.split(', ')[0]]}"
        text = origin if used == one.value else "set by you"
        console.print(f"[dim]{key} = {used:g}  ({text})[/]", soft_wrap=True)
    console.print("[dim]No CO2: no source for a figure is at hand.[/]")
