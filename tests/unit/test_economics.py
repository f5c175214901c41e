"""Economics and footprint: published prices, sums that close, unknowns as distributions."""

import math
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from services.cli import app
from services.economic_choices import changed_sections, gathered_changes
from services.economics_tables import EconomicsOptions, economics_report
from twin.economic_inputs import economic_inputs, economics_file
from twin.economics import (
    HOURS_PER_YEAR,
    FleetEconomics,
    fleet_economics,
    ground_economics,
    launched_power_usd_per_kw_year,
    mean_surviving_frac,
    reentry_t_per_year,
    showback,
)
from twin.errors import ConfigurationError
from twin.launchers import launcher
from twin.monte_carlo import monte_carlo, triangular
from twin.preset_files import preset_names, sources
from twin.preset_library import list_presets, load_preset
from twin.site_presets import load_ground


def of(name: str, usd_per_kg: float | None = None) -> FleetEconomics:
    one = load_preset(name)
    vehicle = launcher(one.life.launcher)
    count = one.orbit.count
    inputs = economic_inputs({})
    return fleet_economics(name, one.values, one.life, count, vehicle, inputs, usd_per_kg)


@pytest.mark.parametrize(
    ("name", "usd_per_kg", "expected"),
    [
        ("suncatcher-81", 3600, 14_786),
        ("suncatcher-81", 200, 821),
        ("spacex-ai1", 1500, 5_355),
        ("spacex-ai1", 200, 714),
        ("spacex-odc-1m", 1500, 7_500),
        ("spacex-odc-1m", 200, 1_000),
    ],
)
def test_val_launched_power_price(name: str, usd_per_kg: float, expected: float) -> None:
    """Golden numbers: USD per kW-year (Suncatcher paper prints 14,700 and 810)."""
    assert of(name, usd_per_kg).launched_power_usd_per_kw_year == pytest.approx(expected, abs=0.5)


def test_val_a_million_satellites_bring_down_600_000_t_a_year() -> None:
    assert reentry_t_per_year(1_000_000, 3000.0, 5.0) == 600_000.0
    one = of("spacex-odc-1m")
    assert one.satellites_count / 5.0 == 200_000
    assert one.reentry_design_t_year == 600_000.0
    assert one.reentry_t_year > one.reentry_design_t_year


def test_survivors_are_the_closed_form() -> None:
    assert mean_surviving_frac(0.0, 5.0) == 1.0
    years = (np.arange(100_000) + 0.5) * 5.0 / 100_000
    assert mean_surviving_frac(0.1, 5.0) == pytest.approx(np.exp(-0.1 * years).mean(), rel=1e-9)


def test_costs_add_up_and_divide_by_what_is_sold() -> None:
    one = of("spacex-ai1")
    total = math.fsum(one.usd_year.values())
    assert one.usd_per_kw_year * one.compute_kw == pytest.approx(total)
    assert one.usd_per_accelerator_hour is not None
    assert one.usd_per_accelerator_hour * one.accelerator_hours_year == pytest.approx(total)
    best = 48 * 72 * HOURS_PER_YEAR * 0.95
    assert one.accelerator_hours_year == pytest.approx(best * mean_surviving_frac(0.1, 5.0))
    assert one.water_litre_year == 0.0


def test_a_cheaper_launch_is_cheaper_by_the_launch_alone() -> None:
    dear, cheap = of("spacex-ai1", 1500), of("spacex-ai1", 200)
    assert cheap.usd_year["launch"] / dear.usd_year["launch"] == pytest.approx(200 / 1500)
    for key in ("platform", "servers"):
        assert cheap.usd_year[key] == dear.usd_year[key]


def test_a_relay_has_no_accelerator_hours() -> None:
    one = of("amazon-leo-relay")
    assert one.usd_per_accelerator_hour is None
    assert one.accelerator_hours_year == 0.0
    assert one.usd_per_kw_year > 0.0


@pytest.mark.parametrize("name", list_presets())
def test_every_preset_has_economics(name: str) -> None:
    one = of(name)
    assert one.usd_per_kw_year > 0.0
    assert one.reentry_t_year > 0.0
    assert math.isfinite(one.usd_per_kw_year)


@pytest.mark.parametrize("name", preset_names("ground"))
def test_ground_sites_close(name: str) -> None:
    preset = load_ground(name)
    whole = ground_economics(preset, economic_inputs({}))
    assert whole.site_power_kw == pytest.approx(whole.it_power_kw * preset.site.pue)
    used = HOURS_PER_YEAR * 0.95
    assert whole.energy_kwh_year == pytest.approx(whole.site_power_kw * used)
    litres = whole.it_power_kw * used * preset.site.water_litre_per_kwh
    assert whole.water_litre_year == pytest.approx(litres)
    half = ground_economics(preset, economic_inputs({}), whole.it_power_kw / 2)
    assert half.water_litre_year == pytest.approx(whole.water_litre_year / 2)
    assert half.usd_per_kw_year == whole.usd_per_kw_year
    assert half.usd_per_accelerator_hour == pytest.approx(whole.usd_per_accelerator_hour)


def test_val_colossus_is_the_size_reported() -> None:
    """230,000 GPUs on 500 MW, 550,000 on 1 GW (S37), PUE included."""
    one, two = load_ground("xai-colossus").site, load_ground("xai-colossus/colossus-2").site
    assert (one.accel_count, two.accel_count) == (230_000, 550_000)
    assert one.it_power_mw * one.pue == pytest.approx(500, abs=1)
    assert two.it_power_mw * two.pue == pytest.approx(1000, abs=1)


def test_law_tenants_sum_to_the_fleet() -> None:
    one = of("spacex-ai1")
    for shares in ({"xai": 0.6, "third-party": 0.4}, {"xai": 1 / 3, "other": 1 / 7}, {}):
        rows = showback(one.accelerator_hours_year, one.energy_kwh_year, shares)
        hours = math.fsum(row.accelerator_hours for row in rows)
        assert hours == pytest.approx(one.accelerator_hours_year, rel=1e-12)
        energy = math.fsum(row.energy_kwh for row in rows)
        assert energy == pytest.approx(one.energy_kwh_year, rel=1e-12)
    with pytest.raises(ConfigurationError, match=r"sum to 1\.2"):
        showback(1.0, 1.0, {"a": 0.7, "b": 0.5})
    with pytest.raises(ConfigurationError, match="tenant a: -1 is out of range"):
        showback(1.0, 1.0, {"a": -1.0})


def test_triangular_draws_have_the_right_mean_and_ends() -> None:
    share = (np.arange(200_000) + 0.5) / 200_000
    drawn = triangular(share, 2.0, 3.0, 9.0)
    assert (drawn.min(), drawn.max()) == (pytest.approx(2, abs=0.02), pytest.approx(9, abs=0.02))
    assert drawn.mean() == pytest.approx((2 + 3 + 9) / 3, rel=1e-4)
    assert drawn.var() == pytest.approx((4 + 9 + 81 - 6 - 18 - 27) / 18, rel=1e-3)
    assert (triangular(share, 5.0, 5.0, 5.0) == 5.0).all()


def test_monte_carlo_is_a_function_of_its_seed() -> None:
    one = load_preset("spacex-ai1")
    vehicle, inputs = launcher("starship-2027"), economic_inputs({})
    first, again, other = (
        monte_carlo("a", one.values, one.life, 48, vehicle, inputs, None, 400, seed)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first.percentiles != other.percentiles
    for low, middle, high in first.percentiles.values():
        assert low < middle < high
    with pytest.raises(ConfigurationError, match="allowed 1 to 100,000"):
        monte_carlo("a", one.values, one.life, 48, vehicle, inputs, None, 0, 1)


def test_every_input_is_sourced() -> None:
    shipped = economics_file()
    ends = [bound for one in shipped.distributions.values() for bound in (one.low, one.high)]
    for number in [*shipped.inputs.values(), *ends, *shipped.published.values()]:
        assert set(number.source.split(", ")) <= set(sources())


def test_inputs_change_by_flag_and_by_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("server_usd_per_kw_year: 4000\nmass_kg: 2500\n")
    changes = gathered_changes(["mass_kg=3000", "life_year=4"], str(file))
    one = load_preset("spacex-ai1")
    values, life, inputs = changed_sections(one.values, one.life, changes)
    assert (values.mass_kg, life.life_year, inputs.server_usd_per_kw_year) == (3000, 4, 4000)
    price = launched_power_usd_per_kw_year(200.0, 3000.0, 120.0, 4.0)
    report = economics_report("spacex-ai1", changes, {}, EconomicsOptions(usd_per_kg=200.0))
    assert report.fleet.launched_power_usd_per_kw_year == pytest.approx(price)
    changes = gathered_changes(
        ["ground.pue=1.5", "usd_per_kg=100", "radiator_w_m2.low=300", "loss_pct=0"], None
    )
    options = EconomicsOptions(samples_count=50)
    report = economics_report("spacex-ai1", changes, {}, options)
    assert report.fleet.usd_per_kg == 100
    assert all(one.site_power_kw == pytest.approx(1.5 * one.it_power_kw) for one in report.ground)
    assert report.monte_carlo is not None
    assert report.monte_carlo.triangles[1].low == 300
    assert report.monte_carlo.triangles[1].sources[0] == "changed"
    with pytest.raises(ConfigurationError, match=r"pue: 0\.5 is out of range"):
        economics_report("spacex-ai1", {"ground.pue": 0.5}, {}, options)
    with pytest.raises(ConfigurationError, match=r"radiator_w_m2\.low: -1 is out of range"):
        economics_report("spacex-ai1", {"radiator_w_m2.low": -1}, {}, options)
    with pytest.raises(ConfigurationError, match="did you mean 'mass_kg'"):
        gathered_changes(["mas_kg=1"], None)
    with pytest.raises(ConfigurationError, match="must be key=value"):
        gathered_changes(["mass_kg"], None)
    with pytest.raises(ConfigurationError, match=r"mass_kg: -1\.0 is out of range"):
        changed_sections(one.values, one.life, {"mass_kg": -1.0})
    with pytest.raises(ConfigurationError, match=r"availability_pct: 200\.0 is out of range"):
        economic_inputs({"availability_pct": 200.0})


def test_the_command_prints_and_gives_json() -> None:
    arguments = ["economics", "--preset", "spacex-ai1", "--usd-per-kg", "200"]
    run = CliRunner().invoke(app, [*arguments, "--monte-carlo", "200", "--tenant", "xai=0.6"])
    assert run.exit_code == 0, run.output
    assert "714" in run.stdout and "p90" in run.stdout and "unallocated" in run.stdout
    assert "ground-fairwater" in run.stdout
    run = CliRunner().invoke(app, [*arguments, "--json", "--monte-carlo", "50", "--seed", "3"])
    report = orjson.loads(run.stdout)
    assert report["fleet"]["launched_power_usd_per_kw_year"] == pytest.approx(714)
    assert report["monte_carlo"]["samples_count"] == 50
    assert {one["name"] for one in report["ground"]} == set(preset_names("ground"))
