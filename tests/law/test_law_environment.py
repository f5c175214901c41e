"""Any instant, any shard, any order gives the same environment, byte for byte."""

from dataclasses import fields

import numpy as np
import pytest
from satellites import EPOCH_UNIX_S, circular, from_elements, starcloud, starlink

from twin.environment import EnvironmentModel, EnvironmentSettings
from twin.geometry import GeodeticPoint, earth_fixed_position_m, geodetic_point
from twin.orbit import KNOT_INTERVAL_S, Orbits
from twin.space_weather import SpaceWeather, SpaceWeatherEvent
from twin.state import Environment


def _fleet() -> list:
    return [
        starcloud(),
        starlink(),
        from_elements(EPOCH_UNIX_S, 2.0058, 63.4, node_deg=40.0, eccentricity=0.7),
        *(circular(EPOCH_UNIX_S, 400.0 + 7.0 * k, 3.0 * k, 11.0 * k, 29.0 * k) for k in range(34)),
    ]


def _rows(environment: Environment, rows: np.ndarray) -> dict[str, bytes]:
    out = {}
    for field in fields(environment):
        value = getattr(environment, field.name)
        if isinstance(value, np.ndarray) and field.name != "sun_unit":
            out[field.name] = value[rows].tobytes()
    return out


STORMY = EnvironmentSettings(
    space_weather=SpaceWeather(
        solar_cycle="max",
        lowers_cutoff=True,
        events=(
            SpaceWeatherEvent("spe", 4, -7200.0, 1e5),
            SpaceWeatherEvent("storm", 5, -7200.0, 1e5),
        ),
    )
)


@pytest.mark.parametrize("settings", [EnvironmentSettings(), STORMY])
def test_law_shards_and_order_do_not_change_a_byte(settings: EnvironmentSettings) -> None:
    fleet = _fleet()
    whole = EnvironmentModel(fleet, EPOCH_UNIX_S, settings).at(1234.5)
    assert bool(whole.spe_flux_cm2_s.max() > 0.0) is (settings is STORMY)
    order = np.random.default_rng(2).permutation(len(fleet))
    for chosen in (order, np.arange(5), np.array([7]), np.arange(30, 37)):
        part = EnvironmentModel([fleet[i] for i in chosen], EPOCH_UNIX_S, settings).at(1234.5)
        assert _rows(part, np.arange(chosen.size)) == _rows(whole, chosen)


@pytest.mark.parametrize("elapsed_s", [0.0, 59.999, 60.0, 3601.25, 86_400.0, -45.0])
def test_law_an_instant_does_not_depend_on_the_way_there(elapsed_s: float) -> None:
    fleet, rows = _fleet(), np.arange(37)
    direct = _rows(EnvironmentModel(fleet, EPOCH_UNIX_S).at(elapsed_s), rows)
    stepped = EnvironmentModel(fleet, EPOCH_UNIX_S)
    for before_s in (elapsed_s - 120.0, elapsed_s - 61.0, elapsed_s - 1.0, elapsed_s + 30.0, 1e5):
        stepped.at(before_s)
    assert _rows(stepped.at(elapsed_s), rows) == direct
    assert _rows(stepped.at(elapsed_s), rows) == direct


def test_law_motion_is_continuous_across_a_knot() -> None:
    orbits = Orbits(_fleet(), EPOCH_UNIX_S)
    for knot in (1, 2, 100):
        at_s = knot * KNOT_INTERVAL_S
        before, after = orbits.at(at_s - 1e-3), orbits.at(at_s)
        gap_m = after.position_teme_m - before.position_teme_m - before.velocity_teme_m_s * 1e-3
        assert np.abs(gap_m).max() < 1e-4
        assert np.abs(after.velocity_teme_m_s - before.velocity_teme_m_s).max() < 0.02


def test_law_a_satellite_that_fails_is_named_and_spoils_nobody_else() -> None:
    doomed = circular(EPOCH_UNIX_S, 150.0, 51.6)
    fallen = from_elements(EPOCH_UNIX_S, 17.5, 51.6)
    model = EnvironmentModel([starcloud(), fallen, doomed], EPOCH_UNIX_S)
    alone = EnvironmentModel([starcloud()], EPOCH_UNIX_S)
    environment = model.at(100.0)
    assert model.failed(100.0).tolist() == [False, True, False]
    assert model.error_codes(100.0)[1] == 6
    for name in (
        "latitude_rad",
        "sunlit_frac",
        "beta_rad",
        "proton_flux_cm2_s",
        "electron_flux_cm2_s",
        "gcr_flux_cm2_s",
        "spe_flux_cm2_s",
        "cutoff_gv",
        "air_density_kg_m3",
    ):
        values = getattr(environment, name)
        assert np.isnan(values).tolist() == [False, True, False], name
    one = np.array([0])
    assert _rows(environment, one) == _rows(alone.at(100.0), one)


def test_law_geodetic_coordinates_invert() -> None:
    generator = np.random.default_rng(4)
    sought = GeodeticPoint(
        generator.uniform(-np.pi / 2, np.pi / 2, 5000),
        generator.uniform(-np.pi, np.pi, 5000),
        generator.uniform(-100.0, 1.0e7, 5000),
    )
    found = geodetic_point(earth_fixed_position_m(*sought), 0.0)
    assert np.abs(found.latitude_rad - sought.latitude_rad).max() < np.radians(1e-6)
    assert np.abs(found.longitude_rad - sought.longitude_rad).max() < 1e-12
    assert np.abs(found.altitude_m - sought.altitude_m).max() < 0.01


def test_law_ranges_of_light_and_heat() -> None:
    model = EnvironmentModel(_fleet(), EPOCH_UNIX_S, EnvironmentSettings())
    seen = []
    for elapsed_s in np.arange(0.0, 6000.0, 100.0):
        now = model.at(float(elapsed_s))
        assert np.all((now.sunlit_frac >= 0.0) & (now.sunlit_frac <= 1.0))
        assert np.all((now.solar_flux_w_m2 >= 0.0) & (now.solar_flux_w_m2 < 1361.0 * 1.035))
        assert np.all(now.earth_ir_flux_w_m2 < 237.0)
        assert np.all(now.albedo_flux_w_m2 <= 0.3 * 1410.0)
        assert np.all((now.local_solar_time_h >= 0.0) & (now.local_solar_time_h < 24.0))
        assert np.all(now.proton_flux_cm2_s >= 0.0)
        seen.append(now.albedo_flux_w_m2)
    night = np.array(seen) == 0.0
    assert 0.3 < night[:, 3:].mean() < 0.7


def test_law_heat_from_the_earth_at_550_km() -> None:
    # Physics notes and Gilmore: view factor of a nadir plate 0.848 at 550 km.
    now = EnvironmentModel([circular(EPOCH_UNIX_S, 550.0, 0.5)], EPOCH_UNIX_S).at(0.0)
    assert now.earth_ir_flux_w_m2[0] == pytest.approx(237.0 * 0.848, rel=2e-3)
