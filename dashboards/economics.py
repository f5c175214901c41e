"""Economics and footprint: cost and work of the fleet so far, and the ground beside it."""

from collections.abc import Sequence

from dashboards.influxql import FLEET_VARIABLE, of_cells
from dashboards.panels import DashboardSpec, FieldStyle, PanelSpec
from dashboards.parts import ANNOTATIONS, NOWHERE, Row, heading, placed
from dashboards.shapes import Cell
from twin.ledger import ECONOMICS_MEASUREMENT

UID = "twin-economics"
COST = (
    "Launch, platform, servers and operations by the presets' published figures, written off "
    "evenly over the satellites' life (`twin economics`)."
)
GROUND = (
    "The same server power at Meta's Hyperion site: servers, building, and electricity at its "
    "PUE, by published figures and assumptions (`twin presets show ground-hyperion`)."
)
CARBON = (
    "The mean of the world's grid in 2022, 436 g a kilowatt-hour (Ember). Launch and manufacture "
    "are in no figure here: no source for them is at hand."
)


def _now(key: str, title: str, field: str, unit: str, text: str, decimals: int) -> PanelSpec:
    return PanelSpec(
        key=f"now-{key}",
        kind="stat",
        title=title,
        description=text,
        grid=NOWHERE,
        queries=(of_cells(ECONOMICS_MEASUREMENT, (Cell(title, field),)),),
        style=FieldStyle(unit, decimals=decimals),
    )


def _over(
    key: str, title: str, fields: Sequence[tuple[str, str]], unit: str, text: str
) -> PanelSpec:
    cells = [Cell(label, field) for label, field in fields]
    return PanelSpec(
        key=key,
        kind="timeseries",
        title=title,
        description=text,
        grid=NOWHERE,
        queries=(of_cells(ECONOMICS_MEASUREMENT, cells),),
        style=FieldStyle(unit),
    )


def economics() -> DashboardSpec:
    """The dashboard of money, energy and footprint since the epoch."""
    rows = (
        Row(
            4,
            (
                _now("cost", "Cost so far", "cost_usd", "currencyUSD", COST, 2),
                _now("mtok", "Cost of a million tokens", "usd_per_mtok", "currencyUSD", COST, 4),
                _now("kwh", "Cost of a kilowatt-hour", "usd_per_kwh", "currencyUSD",
                     f"All costs over the energy of the accelerators. {COST}", 2),
                _now("per-kwh", "Tokens a kilowatt-hour", "mtok_per_kwh", "suffix:million",
                     "Tokens over the energy of the accelerators, since the epoch.", 2),
                _now("energy", "Energy so far", "energy_kwh", "kwatth",
                     "What the accelerators have used since the epoch.", 1),
                _now("hours", "Running for", "elapsed_h", "h", "Since the epoch of the run.", 1),
            ),
        ),
        heading("Cost"),
        Row(
            9,
            (
                _over("ground", "In orbit and on the ground",
                      (("In orbit", "cost_usd"), ("On the ground", "ground_cost_usd")),
                      "currencyUSD", f"{COST}\n\n{GROUND}"),
                _over("unit-cost", "Cost of a million tokens", (("Cost", "usd_per_mtok"),),
                      "currencyUSD", f"All costs over all tokens since the epoch. {COST}"),
                _over("rate", "Cost of an hour", (("Cost", "cost_usd_h"),), "currencyUSD", COST),
            ),
        ),
        heading("Energy and tokens"),
        Row(
            9,
            (
                _over("energy", "Energy",
                      (("Accelerators", "energy_kwh"), ("Site on the ground", "ground_energy_kwh")),
                      "kwatth", f"Of the accelerators since the epoch.\n\n{GROUND}"),
                _over("tokens", "Tokens since the epoch", (("Tokens", "tokens_mtok"),),
                      "suffix:million", "Useful work times the accelerators' published rate."),
                _over("efficiency", "Tokens a kilowatt-hour", (("Tokens", "mtok_per_kwh"),),
                      "suffix:million", "Tokens over the energy of the accelerators."),
            ),
        ),
        heading("Footprint"),
        Row(
            9,
            (
                _over("carbon", "Carbon of the same energy from the ground's grid",
                      (("On the ground", "ground_co2e_kg"),), "masskg", f"{GROUND}\n\n{CARBON}"),
                _over("water", "Water that the ground would take",
                      (("On the ground", "ground_water_litre"),), "litre",
                      f"Cooling water for the same energy; none in orbit.\n\n{GROUND}"),
                _over("reentry", "Mass that comes down", (("Re-entries", "reentry_kg"),), "masskg",
                      "Satellites replaced, in steady state, by the time since the epoch: all of "
                      "their mass enters the atmosphere."),
            ),
        ),
    )  # fmt: skip
    return DashboardSpec(
        uid=UID,
        title="Economics and footprint",
        description="Cost, energy, tokens and footprint since the epoch, beside the ground.",
        file_name="economics.json",
        variables=(FLEET_VARIABLE,),
        links=("orbital-twin",),
        annotations=ANNOTATIONS,
        panels=placed(rows),
        time_from="now-3h",
    )
