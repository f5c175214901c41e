"""What dashboards read in place of ten thousand series: bins, and the fleet's ledger."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runs import open_scenario
from services.settings import load_settings
from twin.channels import by_name
from twin.economic_inputs import economic_inputs
from twin.economics import HOURS_PER_YEAR, fleet_economics, ground_economics
from twin.environment import EnvironmentModel
from twin.launchers import launcher
from twin.ledger import FIELDS, GROUND, Ledger, fleet_rates, ledger_values
from twin.preset_library import load_preset
from twin.rollup_bins import COUNT_FIELD, DISTRIBUTIONS, HIST_MEASUREMENT, bin_counts
from twin.rollup_fields import LIVE_FIELDS
from twin.rollups import encode_rollups
from twin.sensors import snapshot
from twin.site_presets import load_ground
from twin.step import initial_state, step

EDGES = (10.0, 20.0, 40.0)


@given(st.lists(st.one_of(st.floats(-1e3, 1e3), st.just(float("nan"))), max_size=60))
def test_law_every_known_value_is_in_exactly_one_bin(values: list[float]) -> None:
    found = bin_counts(np.array(values, dtype=np.float64), EDGES)
    known = [value for value in values if not np.isnan(value)]
    first = sum(value <= EDGES[0] for value in known)
    between = [sum(low < value <= high for value in known) for low, high in pairwise(EDGES)]
    between[-1] += sum(value > EDGES[-1] for value in known)
    assert found.tolist() == [first, *between]
    assert found.sum() == len(known)


def test_edges_ascend_and_channels_are_in_the_dictionary() -> None:
    for one in DISTRIBUTIONS:
        assert list(one.edges) == sorted(set(one.edges))
        assert by_name()[one.channel].kind == "float"


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, float]]:
    """Rows of 81 satellites at work for two minutes: measurement and tags -> fields."""
    opened = open_scenario(load_settings(scenario="suncatcher-81"))
    fleet, seed = opened.build.fleet, opened.scenario.seed
    model = EnvironmentModel(opened.build.satrecs, opened.epoch_unix_s)
    sky = model.at(0.0)
    state = initial_state(fleet, sky, seed)
    for tick in range(1, 13):
        sky = model.at(10.0 * tick)
        state = step(state, fleet, sky, 10.0, 10.0 * tick, seed)
    ledger = Ledger(fleet_rates(fleet), 0)
    text = encode_rollups(snapshot(fleet, state, sky, seed, 12), 120 * 10**9, ledger).decode()
    found = {}
    for line in text.splitlines():
        head, fields, stamp = line.split(" ")
        assert stamp == "120000000000"
        found[head] = {k: float(v) for k, v in (one.split("=") for one in fields.split(","))}
    return found


def test_each_distribution_counts_every_satellite_once(rows: dict[str, dict[str, float]]) -> None:
    for one in DISTRIBUTIONS:
        head = f"{HIST_MEASUREMENT},fleet=suncatcher-81,channel={one.channel},le="
        bins = {key[len(head) :]: cells for key, cells in rows.items() if key.startswith(head)}
        assert [float(edge) for edge in bins] == list(one.edges)
        assert sum(cells[COUNT_FIELD] for cells in bins.values()) == 81


def test_live_fields_are_beside_the_others(rows: dict[str, dict[str, float]]) -> None:
    fleet = rows["fleet_state,fleet=suncatcher-81"]
    absent = LIVE_FIELDS.keys() - fleet.keys()
    # Heat pipes have neither pump nor accumulator; no station in view, no delay; none waits for
    # a season that it is in, or that is further away than the forecast.
    no_pump, no_contact = (
        {"flow_min_pct", "accum_min_pct"},
        {"gnd_delay_max_ms", "gnd_delay_mean_ms"},
    )
    assert absent <= no_pump | no_contact | {"season_min_day"}
    assert fleet["load_w"] >= fleet["compute_w"] > 0.0
    assert fleet["dose_max_rad"] >= fleet["dose_mean_rad"]
    assert fleet["dose_rate_max_rad_day"] > 0.0
    assert fleet["dose_rate_mean_rad_day"] > 0.0


def test_the_ledger_of_two_minutes(rows: dict[str, dict[str, float]]) -> None:
    told = rows["economics,fleet=suncatcher-81"]
    one, inputs = load_preset("suncatcher-81"), economic_inputs({})
    planned = fleet_economics(
        "suncatcher-81", one.values, one.life, 81, launcher(one.life.launcher), inputs
    )
    hours = 120.0 / 3600.0
    assert told["elapsed_h"] == pytest.approx(hours, abs=1e-4)
    usd = sum(planned.usd_year.values()) * hours / HOURS_PER_YEAR
    assert told["cost_usd"] == pytest.approx(usd, rel=1e-4)
    assert 0.0 < told["energy_kwh"] < planned.compute_kw * hours
    ground = ground_economics(load_ground(GROUND), inputs, planned.compute_kw)
    yearly = ground.usd_per_kw_year * planned.compute_kw
    assert told["ground_cost_usd"] == pytest.approx(yearly * hours / HOURS_PER_YEAR, rel=1e-4)
    assert told["usd_per_mtok"] == pytest.approx(told["cost_usd"] / told["tokens_mtok"], rel=1e-3)
    # 436 g a kilowatt-hour out of the socket, of which the building takes its part.
    grid_kg = told["energy_kwh"] * load_ground(GROUND).site.pue * 0.436
    assert told["ground_co2e_kg"] == pytest.approx(grid_kg, rel=1e-4)


def test_a_ledger_at_the_epoch_divides_nothing_by_nothing() -> None:
    opened = open_scenario(load_settings(scenario="suncatcher-81"))
    rates = fleet_rates(opened.build.fleet)
    values = dict(zip(FIELDS, ledger_values(rates, 0.0, 0.0, 0.0), strict=True))
    lacking = {name for name, value in values.items() if np.isnan(value)}
    assert lacking == {"usd_per_kwh", "usd_per_mtok", "mtok_per_kwh"}
    assert values["cost_usd"] == 0.0


def test_a_fleet_on_the_moon_has_no_price() -> None:
    opened = open_scenario(load_settings(scenario="lunar-node"))
    assert fleet_rates(opened.build.fleet).cost_usd_s == 0.0
