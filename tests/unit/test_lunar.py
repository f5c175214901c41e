"""The lunar node: its day, its night, its distance."""

from pathlib import Path

import numpy as np
import pytest

from services.plan import Plan
from services.runs import open_scenario
from services.settings import load_settings
from services.simulator import Simulator
from twin.environment import EnvironmentSettings
from twin.errors import ConfigurationError
from twin.fleet_params import class_params
from twin.lunar import (
    MOON_DISTANCE_M,
    NEW_MOON_UNIX_S,
    SYNODIC_MONTH_S,
    LunarEnvironmentModel,
    disc_above_horizon_frac,
    night_duration_s,
    round_trip_s,
)
from twin.network import ground_contact, one_way_delay_s
from twin.noise import satellite_keys
from twin.site_presets import load_lunar
from twin.space_weather import SpaceWeather, SpaceWeatherEvent
from twin.state import Fleet
from twin.step import initial_state, step
from twin.surroundings import surroundings

SITE = load_lunar("lunar-node").site


def test_val_night_and_round_trip() -> None:
    """Golden numbers of the fleet table: 14.75 days of night, 2.56 s to and fro."""
    assert night_duration_s(0.0) / 86_400 == pytest.approx(14.75, abs=0.05)
    assert round_trip_s() == pytest.approx(2.56, abs=0.005)


def test_law_dark_time_of_a_month_is_the_closed_form() -> None:
    for latitude_deg in (0.0, 45.0, -70.0):
        site = SITE.model_copy(update={"latitude_deg": latitude_deg})
        model = LunarEnvironmentModel((site,), NEW_MOON_UNIX_S)
        times_s = np.linspace(0.0, SYNODIC_MONTH_S, 3000, endpoint=False)
        dark = sum(model.at(float(t)).sunlit_frac[0] == 0.0 for t in times_s) / len(times_s)
        expected = night_duration_s(latitude_deg) / SYNODIC_MONTH_S
        assert dark == pytest.approx(expected, abs=1e-3)


def test_near_side_has_noon_at_full_moon_and_the_earth_between() -> None:
    model = LunarEnvironmentModel((SITE,), NEW_MOON_UNIX_S)
    new, full = model.at(0.0), model.at(SYNODIC_MONTH_S / 2)
    assert new.sunlit_frac[0] == 0.0
    assert full.sunlit_frac[0] == 1.0
    for one, side in ((new, 1.0), (full, -1.0)):
        position = one.position_teme_m[0]
        assert np.linalg.norm(position) == pytest.approx(MOON_DISTANCE_M)
        assert position @ one.sun_unit == pytest.approx(side * MOON_DISTANCE_M)


def test_ground_is_hot_at_noon_and_cold_at_night() -> None:
    model = LunarEnvironmentModel((SITE,), NEW_MOON_UNIX_S)
    night_w = model.at(0.0).earth_ir_flux_w_m2[0]
    noon_w = model.at(SYNODIC_MONTH_S / 2).earth_ir_flux_w_m2[0]
    assert night_w == pytest.approx(4.4, abs=0.1)  # 0.95 sigma 95^4
    assert noon_w == pytest.approx(1208, abs=2)  # 0.95 sigma 387^4


def test_the_disc_sets_evenly() -> None:
    sines = np.linspace(-0.01, 0.01, 201)
    share = disc_above_horizon_frac(sines)
    assert np.all(np.diff(share) >= 0)
    assert share[100] == pytest.approx(0.5)
    assert (share[0], share[-1]) == (0.0, 1.0)


def test_battery_carries_the_night_and_the_array_refills_it() -> None:
    preset = load_lunar("lunar-node")
    night_h = night_duration_s(SITE.latitude_deg) / 3600
    need_kwh = (preset.values.bus_power_kw + preset.values.host_power_kw) * night_h
    depth = preset.values.battery_depth_limit_pct / 100
    assert need_kwh <= preset.values.battery_capacity_kwh * depth
    day_h = SYNODIC_MONTH_S / 3600 - night_h
    spare_kw = 0.95 * preset.values.array_power_kw - preset.values.bus_power_kw
    assert spare_kw * day_h > need_kwh


def lunar_fleet() -> Fleet:
    preset = load_lunar("lunar-node")
    return Fleet(
        name="moon",
        satellite_ids=("node",),
        satellite_names=("node",),
        planes=("moon",),
        presets=(preset.name,),
        accelerators=(preset.values.accelerator,),
        vendors=("none",),
        report_interval_s=np.array([60.0]),
        neighbour_index=np.full((1, 4), -1, dtype=np.int64),
        satellite_key=satellite_keys(["node"]),
        params=class_params([preset.values]),
    )


@pytest.mark.parametrize(("begin_s", "lit"), [(0.0, False), (SYNODIC_MONTH_S / 2, True)])
def test_the_plant_runs_on_the_moon(begin_s: float, lit: bool) -> None:
    """Six hours of the same plant: asleep on its battery at new Moon, working at full Moon."""
    fleet = lunar_fleet()
    model = LunarEnvironmentModel((SITE,), NEW_MOON_UNIX_S)
    state = initial_state(fleet, model.at(begin_s), 1)
    charge_frac = state.soc_frac[0]
    for tick in range(1, 361):
        now_s = begin_s + 60.0 * tick
        state = step(state, fleet, model.at(now_s), 60.0, now_s, 1)
    assert np.isfinite(state.node_temp_k).all()
    assert state.dose_rad[0] < 0.01  # cosmic rays alone: no trapped protons there
    if lit:
        assert state.soc_frac[0] >= charge_frac
        assert state.array_power_w[0] > state.load_power_w[0] * 0.9
        return
    assert state.array_power_w[0] == 0.0
    assert state.compute_power_w[0] == pytest.approx(10.0)  # the host alone
    drawn_wh = (charge_frac - state.soc_frac[0]) * fleet.params.battery_capacity_j[0] / 3600.0
    assert drawn_wh == pytest.approx(6 * 40, rel=0.1)  # the survival load alone


def test_the_shipped_scenario_stands_on_the_moon() -> None:
    opened = open_scenario(load_settings(scenario="lunar-node"))
    assert opened.build.fleet.satellite_ids == ("node",)
    model = surroundings(
        opened.build.places, opened.epoch_unix_s, opened.scenario.environment.settings()
    )
    now = model.at(0.0)
    assert np.linalg.norm(now.position_teme_m[0]) == pytest.approx(MOON_DISTANCE_M)
    assert not model.failed(0.0).any()
    contact = ground_contact(now, opened.build.fleet.params)
    assert 2.0 * one_way_delay_s(contact.range_m)[0] == pytest.approx(2.56, abs=0.05)
    with pytest.raises(ConfigurationError, match="stands on the Moon"):
        _ = opened.satrecs


def test_the_simulator_reports_the_night_on_the_moon() -> None:
    opened = open_scenario(load_settings(scenario="lunar-node"))
    day = surroundings(opened.build.places, opened.epoch_unix_s, EnvironmentSettings())
    hours_s = np.arange(0.0, SYNODIC_MONTH_S, 3600.0)
    night_s = next(t for t in hours_s if day.at(t).sunlit_frac[0] == 0.0)
    epoch_unix_s = opened.epoch_unix_s + night_s + 7200.0
    simulator = Simulator(Plan(opened.scenario, opened.build, epoch_unix_s))
    assert simulator.state.array_power_w[0] == 0.0
    assert 0.0 < simulator.state.load_power_w[0] < 60.0
    assert not simulator.model.failed(0.0).any()


@pytest.mark.parametrize(
    ("fleet", "said"),
    [
        ("{id: a, preset: lunar-node, elements: {file: x.tle}}", "give site"),
        ("{id: a, preset: spacex-ai1, site: {latitude_deg: 0, longitude_deg: 0}}", "is in orbit"),
        ("{id: a, preset: lunar-node, site: {latitude_deg: 88, longitude_deg: 0}}", "80"),
        ("{id: a, preset: lunar-node}\n  - {id: b, preset: spacex-ai1}", "a scenario each"),
    ],
)
def test_what_cannot_stand_on_the_moon_is_named(tmp_path: Path, fleet: str, said: str) -> None:
    path = tmp_path / "moon.yaml"
    path.write_text(f"name: moon\nfleet:\n  - {fleet}\n")
    with pytest.raises(ConfigurationError, match=said):
        open_scenario(load_settings(scenario=str(path)))


def test_a_solar_particle_event_reaches_the_moon() -> None:
    weather = SpaceWeather(events=(SpaceWeatherEvent("spe", 3, 0.0, 86_400.0),))
    model = LunarEnvironmentModel((SITE,), NEW_MOON_UNIX_S, space_weather=weather)
    assert model.at(7200.0).spe_flux_cm2_s[0] > 0.0
    assert model.at(7200.0).s_level[0] == 3
