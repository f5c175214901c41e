"""What a running fleet has cost and produced so far: measurement `economics`, a row a roll-up.

Costs run with time (twin/economics.py: capital written off evenly), energy and tokens are what
the physics has counted since the epoch. The ground beside it is one site, scaled to the same
server power, with the same energy into its servers. Of carbon only the grid's share is known;
launch and manufacture are not in any figure here.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from twin.constants import SECONDS_PER_JULIAN_YEAR
from twin.economic_inputs import economic_inputs
from twin.economics import FleetEconomics, fleet_economics, ground_economics
from twin.frames import FieldLayout, encode_rows, row_template
from twin.launchers import launcher
from twin.preset_files import preset_names
from twin.preset_library import load_preset
from twin.site_presets import GroundSite, load_ground
from twin.state import Fleet, FleetState, FloatArray
from twin.upsets import accelerator_rows

ECONOMICS_MEASUREMENT: Final = "economics"
GROUND: Final = "ground-hyperion"
ENERGY: Final = "accel_energy_j"
TOKENS: Final = "tokens_count"
_J_PER_KWH: Final = 3.6e6
_TOKENS_PER_MTOK: Final = 1e6
_DECIMALS: Final = {
    "elapsed_h": 4,
    "cost_usd": 4,
    "energy_kwh": 6,
    "tokens_mtok": 6,
    "usd_per_kwh": 4,
    "usd_per_mtok": 6,
    "mtok_per_kwh": 6,
    "cost_usd_h": 4,
    "ground_cost_usd": 4,
    "ground_energy_kwh": 6,
    "ground_water_litre": 4,
    "ground_co2e_kg": 6,
    "reentry_kg": 6,
}
FIELDS: Final = tuple(_DECIMALS)
_LAYOUT: Final = FieldLayout(FIELDS, (), np.array(list(_DECIMALS.values())))


@dataclass(frozen=True)
class Rates:
    """What time and energy cost a whole fleet, and the same servers on the ground."""

    cost_usd_s: float  # launch, platform, servers, operations
    reentry_kg_s: float  # mass that replacements bring down, in steady state
    ground_cost_usd_s: float
    ground_pue: float
    ground_water_litre_kwh: float
    ground_co2e_kg_kwh: float  # of electricity from the grid


class Carried(NamedTuple):
    """What a run has cost and done with the fleets that it had before this one."""

    until_s: float = 0.0  # after the epoch: from then on it is this fleet that costs
    cost_usd: float = 0.0
    ground_cost_usd: float = 0.0
    reentry_kg: float = 0.0
    energy_j: float = 0.0  # of satellites that have left
    tokens_count: float = 0.0  # theirs


NOTHING: Final = Carried()
"""Of a run whose fleet has not changed."""


@dataclass(frozen=True)
class Ledger:
    """Rates of one run and the moment it began."""

    rates: Rates
    epoch_ns: int
    carried: Carried = NOTHING

    def changed(self, rates: Rates, elapsed_s: float, left: dict[str, FloatArray]) -> "Ledger":
        """The same account with the rates of another fleet from an instant on.

        left: the columns of `ledger_columns` of the satellites that leave.
        """
        before, since_s = self.carried, elapsed_s - self.carried.until_s
        carried = Carried(
            elapsed_s,
            before.cost_usd + self.rates.cost_usd_s * since_s,
            before.ground_cost_usd + self.rates.ground_cost_usd_s * since_s,
            before.reentry_kg + self.rates.reentry_kg_s * since_s,
            before.energy_j + float(left[ENERGY].sum()),
            before.tokens_count + float(left[TOKENS].sum()),
        )
        return Ledger(rates, self.epoch_ns, carried)


def fleet_rates(fleet: Fleet) -> Rates:
    """Rates of a fleet by the presets of its satellites, as published, not as a scenario has them.

    Satellites of no preset in orbit (a node on the Moon) cost nothing here: nobody sells a way
    there by the kilogram. Raises ConfigurationError for a fault in a shipped file.
    """
    inputs = economic_inputs({})
    known = preset_names("fleet")
    flown: list[FleetEconomics] = []
    for name, count in sorted(Counter(fleet.presets).items()):
        if name not in known:
            continue
        one = load_preset(name)
        vehicle = launcher(one.life.launcher)
        flown.append(fleet_economics(name, one.values, one.life, count, vehicle, inputs))
    site = load_ground(GROUND)
    power_kw = sum(one.compute_kw for one in flown)
    ground = ground_economics(site, inputs)  # a price per kilowatt has no size
    values: GroundSite = site.site
    return Rates(
        cost_usd_s=sum(sum(one.usd_year.values()) for one in flown) / SECONDS_PER_JULIAN_YEAR,
        reentry_kg_s=sum(one.reentry_t_year for one in flown) * 1e3 / SECONDS_PER_JULIAN_YEAR,
        ground_cost_usd_s=ground.usd_per_kw_year * power_kw / SECONDS_PER_JULIAN_YEAR,
        ground_pue=values.pue,
        ground_water_litre_kwh=values.water_litre_per_kwh,
        ground_co2e_kg_kwh=inputs.grid_co2e_g_per_kwh / 1e3,
    )


def ledger_columns(fleet: Fleet, state: FleetState) -> dict[str, FloatArray]:
    """Energy of the accelerators [J] and tokens since the epoch, (n,) each.

    Tokens are useful work less that of tenants who generate images, times the accelerators' rate
    at full clock.
    """
    params = fleet.params
    work_s = state.delivered_s
    if fleet.tenants.count:
        work_s = state.tenant_delivered_s @ (1.0 - fleet.tenants.mask(product="image"))
    owner = accelerator_rows(params.accel_count).owner
    energy_j = np.bincount(owner, state.accel_energy_j, fleet.count)
    return {
        ENERGY: energy_j.astype(np.float64),
        TOKENS: work_s * params.accel_count * params.tokens_per_accel_s,
    }


def ledger_values(
    rates: Rates,
    elapsed_s: float,
    energy_j: float,
    tokens_count: float,
    carried: Carried = NOTHING,
) -> FloatArray:
    """The fields of a row, (13,) in the order of FIELDS; nan where something is over nothing."""
    since_s = elapsed_s - carried.until_s
    cost_usd = carried.cost_usd + rates.cost_usd_s * since_s
    energy_kwh = (energy_j + carried.energy_j) / _J_PER_KWH
    tokens_mtok = (tokens_count + carried.tokens_count) / _TOKENS_PER_MTOK
    ground_kwh = energy_kwh * rates.ground_pue
    per_kwh, per_mtok = energy_kwh or np.nan, tokens_mtok or np.nan
    return np.array(
        [
            elapsed_s / 3600.0,
            cost_usd,
            energy_kwh,
            tokens_mtok,
            cost_usd / per_kwh,
            cost_usd / per_mtok,
            tokens_mtok / per_kwh,
            rates.cost_usd_s * 3600.0,
            carried.ground_cost_usd + rates.ground_cost_usd_s * since_s,
            ground_kwh,
            energy_kwh * rates.ground_water_litre_kwh,
            ground_kwh * rates.ground_co2e_kg_kwh,
            carried.reentry_kg + rates.reentry_kg_s * since_s,
        ]
    )


def encode_ledger(
    ledger: Ledger, fleet_name: str, columns: dict[str, FloatArray], time_ns: int
) -> bytes:
    """Line protocol of one row from the whole fleet's columns, (n,) each."""
    row = ledger_values(
        ledger.rates,
        (time_ns - ledger.epoch_ns) * 1e-9,
        float(columns[ENERGY].sum()),
        float(columns[TOKENS].sum()),
        ledger.carried,
    )
    head = row_template(ECONOMICS_MEASUREMENT, {"fleet": fleet_name})
    return encode_rows([head], _LAYOUT, row[np.newaxis], np.zeros((1, 0), dtype=np.int64), time_ns)
