"""The catalogue of presets: all there, the golden numbers of the filings, all of them fly."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from services.cli import app
from services.preset_tables import any_preset
from services.scenario_files import list_scenarios, load_and_build
from twin.constants import EARTH_EQUATOR_RADIUS_M, EARTH_GM_M3_S2
from twin.constellations import satrecs
from twin.environment import EnvironmentModel, EnvironmentSettings
from twin.errors import ConfigurationError
from twin.fleet_params import class_params
from twin.mean_elements import GeneratedRecords
from twin.preset_files import preset_names, sources
from twin.preset_library import accelerator_profiles, list_presets, load_preset
from twin.scenario import build_fleet, load_scenario
from twin.sizing import CONVERTER_FRAC, eclipse_battery_j, sustained_load_w
from twin.step import initial_state, step
from twin.thermal import BUS_TO_RADIATOR_FRAC, equilibrium_temp_k

NOW_UNIX_S = 1_795_219_200.0  # 2026-11-21T00:00:00Z
SCENARIOS = {
    "amazon-leo-relay": 3236,
    "edge-swarm": 100,
    "openai-stoke-hypothetical": 24,
    "orbital-chenguang-16": 16,
    "starcloud-2": 2,
    "starcloud-5gw": 125,
    "starlink-v3-shell": 5280,
    "suncatcher-pair-2027": 2,
    "three-body-2800": 2800,
}
EMPTY_AS_NAN = ("link_range_m", "ground_range_m", "cycle_reversal_frac")
LARGE = {
    "blue-origin-sunrise": 51_600,
    "casc-gw-2030": 50_000,
    "starcloud-88k": 88_000,
    "orbital-inc-100k": 100_000,
}


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])


def test_every_preset_of_the_fleet_table_is_there() -> None:
    full = {"starcloud-1", "suncatcher-mvp", "hpe-sbc2-iss", "kepler-axiom-odc", "three-body-12"}
    full |= {"orbital-chenguang-16", "suncatcher-81", "starcloud-2", "starlink-v3-shell"}
    full |= {"spacex-ai1", "blue-origin-sunrise", "spacex-odc-1m"}
    derived = {"suncatcher-pair-2027", "openai-stoke-hypothetical", "casc-gw-2030"}
    derived |= {"three-body-2800", "edge-swarm", "amazon-leo-relay", "starcloud-88k"}
    derived |= {"starcloud-5gw", "orbital-inc-100k"}
    assert full | derived <= set(list_presets())
    assert {"ground-fairwater", "ground-hyperion", "xai-colossus"} <= set(preset_names("ground"))
    assert preset_names("lunar") == ("lunar-node",)


@pytest.mark.parametrize("name", [*preset_names("ground"), *preset_names("lunar")])
def test_sites_are_sourced_too(name: str) -> None:
    for row in any_preset(name).rows:
        assert "unknown source" not in row.source_text, row
        assert (row.confidence == "public") <= (row.source not in ("assumption", "computed")), row
        assert set(row.source.split(", ")) <= set(sources()), row


def test_val_filed_rows_sum_to_the_letter() -> None:
    """Golden numbers of the letter of 2026-05-29: 1,198,120 in 1,908 planes, 49.97 % SSO."""
    shells = load_preset("spacex-odc-1m").orbit.shells
    assert shells is not None
    counts = [one.filed_count for one in shells.rows]
    assert counts == [99_900, 99_980, 249_750, 244_860, 249_750, 253_880]
    assert shells.filed_count == 1_198_120
    assert sum(one.shells * one.planes for one in shells.rows) == 1_908
    sso = sum(one.filed_count for one in shells.rows if one.ltan_h is not None)
    assert 100 * sso / shells.filed_count == pytest.approx(49.97, abs=0.005)
    halves = [load_preset(f"spacex-odc-1m/{one}").orbit.shells for one in ("dawn-dusk", "inclined")]
    assert [one.cap for one in halves if one] == [round(1e6 * sso / 1_198_120), 500_284]


def test_val_sunrise_is_129_planes_of_400() -> None:
    made = load_preset("blue-origin-sunrise").orbit.constellation("ring", NOW_UNIX_S)
    assert made.count == 51_600
    heights_km = np.unique(np.round((made.sma_m - 6_378_135.0) / 1000.0, 6))
    assert heights_km == pytest.approx(np.arange(500, 1790, 10))
    assert np.bincount(made.plane_index).tolist() == [400] * 129
    tilts = np.degrees(made.inclination_rad)
    assert (97.0, 104.0) <= (tilts.min(), tilts.max()) <= (97.5, 104.5)


def test_the_million_builds_whole_and_lean() -> None:
    """All satellites are arrays; nothing makes a million SGP4 records."""
    _, build = load_and_build("spacex-odc-1m", NOW_UNIX_S)
    assert build.fleet.count == 1_000_000
    assert len(set(build.fleet.planes)) == 1_908
    assert isinstance(build.satrecs, GeneratedRecords)
    elements = build.satrecs.elements
    per_satellite = sum(one.nbytes for one in vars(elements).values() if hasattr(one, "nbytes"))
    assert per_satellite == 56 * elements.count
    filed = load_preset("spacex-odc-1m").orbit.shells
    assert filed is not None
    full = {(one.altitude_low_km, one.per_plane) for one in filed.rows}
    in_plane = np.bincount(
        np.unique(np.array(build.fleet.planes), return_inverse=True)[1], minlength=1_908
    )
    shares = in_plane / 1_000_000 * filed.filed_count
    assert all(min(abs(one - size) for _, size in full) < 1.3 for one in np.unique(shares))


@pytest.mark.parametrize(("name", "count"), SCENARIOS.items())
def test_scenarios_of_the_derived_presets_build(name: str, count: int) -> None:
    _, build = load_and_build(name, NOW_UNIX_S)
    assert build.fleet.count == len(set(build.fleet.satellite_ids)) == count


def test_large_scenarios_are_the_size_they_say() -> None:
    assert {*SCENARIOS, *LARGE, "spacex-odc-1m"} <= set(list_scenarios())
    for name, count in LARGE.items():
        assert load_preset(name).orbit.constellation("ring", NOW_UNIX_S).count == count


@pytest.mark.parametrize("name", list_presets())
def test_every_preset_steps_through_half_an_hour(name: str) -> None:
    """Two satellites of each class in a ring: all state stays finite, relays included."""
    text = f"""
name: two
fleet:
  - id: s
    preset: {name}
    orbit: {{sso_ring: {{count: 2, altitude_km: 600, ltan_h: 6}}}}
"""
    build = build_fleet(load_scenario("s.yaml", {"s.yaml": text}.__getitem__), NOW_UNIX_S, str)
    model = EnvironmentModel(build.satrecs, NOW_UNIX_S)
    state = initial_state(build.fleet, model.at(0.0), 1)
    for tick in range(1, 31):
        state = step(state, build.fleet, model.at(60.0 * tick), 60.0, 60.0 * tick, 1)
    for key, value in vars(state).items():
        if isinstance(value, np.ndarray) and key not in EMPTY_AS_NAN:
            assert not np.isnan(value.astype(float)).any(), key
    dies_k = state.node_temp_k[:, 0]
    assert (dies_k < build.fleet.params.accel_throttle_k).all()
    assert (state.unserved_power_w == 0).all()


def test_val_radiators_stand_at_their_published_mean() -> None:
    """T_avg of the fleet table: payload mean and bus, two-sided radiator, design sink."""
    checked = []
    for name in list_presets():
        rows = {row.key: row for row in load_preset(name).rows}
        if "reference.radiator_k" not in rows or name.startswith("spacex-ai1"):
            continue
        values = load_preset(name).values
        heat_w = 1000 * (values.compute_average_kw + BUS_TO_RADIATOR_FRAC * values.bus_power_kw)
        emitting_m2 = values.radiator_emissivity * values.radiator_area_m2
        found_k = float(equilibrium_temp_k(heat_w, emitting_m2, values.radiator_sink_k))
        assert found_k == pytest.approx(float(rows["reference.radiator_k"].value), abs=3.0), name
        checked.append(name)
    assert {"orbital-chenguang-16", "starcloud-2", "blue-origin-sunrise"} <= set(checked)


def test_val_ai1_sustains_101_kw_new_and_90_kw_aged() -> None:
    """Golden numbers: 150 kW array, 600 km, worst orbit of 20.7 min eclipse, 8 kW bus."""
    values = load_preset("spacex-ai1").values
    orbit_s = math.tau * math.sqrt((EARTH_EQUATOR_RADIUS_M + 600e3) ** 3 / EARTH_GM_M3_S2)
    loads_kw = [
        sustained_load_w(values.array_power_kw * health, orbit_s, 20.7 * 60)
        for health in (1.0, 0.9)
    ]
    assert [one - values.bus_power_kw for one in loads_kw] == pytest.approx([101, 90], abs=0.5)
    battery_kwh = eclipse_battery_j(loads_kw[0] * 1000, 20.7 * 60, 0.8) / 3.6e6
    assert battery_kwh == pytest.approx(47, abs=0.5)


def test_chargers_return_in_sunlight_what_every_shadow_takes() -> None:
    """Where every orbit has a shadow: (bus + payload) t_e < what charger and array can return."""
    checked = []
    for name in list_presets():
        rows = {row.key: row.value for row in load_preset(name).rows}
        sunlit_frac = float(rows.get("reference.sunlit_frac") or 1.0)
        values = load_preset(name).values
        if sunlit_frac > 0.7 or values.battery_capacity_kwh == 0.0:
            continue
        eclipse_h = float(rows["reference.eclipse_max_min"]) / 60.0
        sunlit_h = eclipse_h * sunlit_frac / (1.0 - sunlit_frac)
        payload_kw = values.compute_average_kw
        load_kw = values.bus_power_kw + payload_kw * values.eclipse_compute_pct / 100.0
        charge_kw = min(
            values.battery_charge_limit_c * values.battery_capacity_kwh,
            values.array_power_kw * CONVERTER_FRAC - values.bus_power_kw - payload_kw,
        )
        assert load_kw * eclipse_h < charge_kw * sunlit_h, name
        checked.append(name)
    assert "starlink-v3-shell" in checked


def test_val_five_gigawatts_need_7_90_km2() -> None:
    """5 GW at 633.08 W/m2 net of planform, 49 % of 16 km2; the module's radiator gives that."""
    preset = load_preset("starcloud-5gw")
    values, modules = preset.values, preset.life.modules
    planform_km2 = values.radiator_area_m2 / 2 * modules / 1e6
    assert planform_km2 == pytest.approx(5e9 / 633.08 / 1e6, abs=0.005)
    assert planform_km2 == pytest.approx(7.90, abs=0.005)
    assert 100 * planform_km2 / 16 == pytest.approx(49, abs=0.5)
    assert values.array_area_m2 * modules == pytest.approx(16e6)
    emitting_m2 = values.radiator_emissivity * values.radiator_area_m2
    assert equilibrium_temp_k(5e9 / modules, emitting_m2, values.radiator_sink_k) == pytest.approx(
        293.15, abs=0.1
    )


def test_the_mixed_satellite_sums_exactly() -> None:
    """One B200 and four H100 as five equal devices: power, work and memory of the satellite."""
    profiles = accelerator_profiles()
    mix, big, small = profiles["starcloud-2-mix"], profiles["b200"], profiles["h100"]
    for key in ("tdp_w", "idle_w", "tokens_per_s", "memory_gb", "clock_mhz"):
        one, two, five = (float(getattr(p, key).value) for p in (big, small, mix))
        assert 5 * five == pytest.approx(one + 4 * two), key
    params = class_params([load_preset("starcloud-2").values])
    assert params.accel_count[0] * params.accel_power_limit_w[0] == 1000 + 4 * 700


def test_a_scenario_cannot_fly_a_site() -> None:
    text = "name: s\nfleet:\n  - {id: s, preset: ground-fairwater}\n"
    with pytest.raises(ConfigurationError, match="a site on the ground"):
        load_scenario("s.yaml", {"s.yaml": text}.__getitem__)
    with pytest.raises(ConfigurationError, match="a node on the Moon"):
        load_preset("lunar-node")


def test_show_says_where_each_number_comes_from() -> None:
    run = CliRunner().invoke(app, ["presets", "show", "spacex-odc-1m", "--json"])
    rows = {row["key"]: row for row in orjson.loads(run.stdout)["rows"]}
    assert rows["orbit.shells.rows.3.per_plane"]["value"] == 5565
    assert rows["orbit.shells.rows.3.per_plane"]["allowed"] == "1 to 10,000"
    assert rows["orbit.shells.rows.3.per_plane"]["source"] == "S15"
    assert rows["mass_kg"]["defined_in"] == "spacex-odc-1m"
    assert rows["accelerator"]["defined_in"] == "spacex-ai1"
    assert rows["life.launcher"]["value"] == "starship-2030s"
    run = CliRunner().invoke(app, ["presets", "show", "ground-fairwater", "--json"])
    site = {row["key"]: row["value"] for row in orjson.loads(run.stdout)["rows"]}
    assert site["site.land_acre"] == 315
    run = CliRunner().invoke(app, ["presets"])
    assert "lunar-node" in run.stdout and "xai-colossus" in run.stdout


def test_replacing_a_cap_leaves_the_filing_whole() -> None:
    shells = load_preset("spacex-odc-1m").orbit.shells
    assert shells is not None
    assert replace(shells.rows[0].row(), shells_count=1).shells_count == 1
    uncapped = shells.model_copy(update={"cap": None}).constellation(NOW_UNIX_S)
    assert uncapped.count == 1_198_120


def test_val_sunrise_planes_see_more_sun_the_higher_they_fly() -> None:
    """Golden eclipse minutes of dawn-dusk planes: 22.7 at 500, 13.0 at 1,000, 8.7 at 1,200 km.

    The share of a plane's 400 satellites in shadow at a solstice is the share of the orbit.
    """
    made = load_preset("blue-origin-sunrise").orbit
    worst = np.zeros(129)
    for epoch_unix_s in (1_813_536_000.0, 1_829_304_000.0):  # 2027-06-21 and 2027-12-20
        orbits = made.constellation("none", epoch_unix_s)
        model = EnvironmentModel(
            satrecs(orbits, epoch_unix_s), epoch_unix_s, EnvironmentSettings(oblate_shadow=False)
        )
        dark = 1.0 - model.at(0.0).sunlit_frac
        period_min = math.tau * np.sqrt(orbits.sma_m**3 / EARTH_GM_M3_S2) / 60.0
        shadow_min = np.bincount(orbits.plane_index, weights=dark * period_min) / 400
        worst = np.maximum(worst, shadow_min)
    heights_km = np.arange(500, 1790, 10)
    golden = {500: 22.7, 600: 20.7, 700: 18.8, 1000: 13.0, 1200: 8.7}
    for height_km, minutes in golden.items():
        # one satellite of 400 is a quarter of a minute; the golden shadow is a cylinder
        assert worst[heights_km == height_km][0] == pytest.approx(minutes, abs=0.5), height_km
    assert worst[heights_km >= 1460].max() == 0.0  # penumbra and the Sun's true place: above 1,391
    assert (np.diff(worst) <= 0.3).all()
