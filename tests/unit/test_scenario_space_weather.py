"""Space weather and shadow from a scenario to the physics and to the channels."""

import numpy as np
import pytest

from twin.channels import BUS_CHANNELS
from twin.environment import EnvironmentModel
from twin.fleet_build import build_fleet
from twin.scenario import load_scenario
from twin.sensors import Snapshot, bus_telemetry
from twin.space_weather import SpaceWeather, SpaceWeatherEvent
from twin.step import initial_state, step

HOUR_S = 3600.0
TEXT = """name: storm
epoch: 2026-11-21T00:00:00Z
environment:
  shadow: spherical
  space_weather:
    solar_cycle: max
    density_frac: 3
    events:
      - {kind: spe, level: S4, start_h: 1, duration_h: 48}
      - {kind: storm, level: G5, start_h: 2, duration_h: 24}
fleet:
  - id: polar
    preset: spacex-ai1
    orbit: {sso_ring: {count: 24, altitude_km: 650, ltan_h: 6}}
  - id: low
    preset: spacex-ai1
    orbit: {ring: {count: 24, altitude_km: 550, inclination_deg: 30}}
"""


def test_keys_reach_the_environment_model() -> None:
    scenario = load_scenario("s.yaml", {"s.yaml": TEXT}.__getitem__)
    settings = scenario.environment.settings()
    assert not settings.oblate_shadow
    assert settings.space_weather == SpaceWeather(
        solar_cycle="max",
        modulation_mv=None,
        density_frac=3.0,
        lowers_cutoff=False,
        events=(
            SpaceWeatherEvent("spe", 4, HOUR_S, 48 * HOUR_S),
            SpaceWeatherEvent("storm", 5, 2 * HOUR_S, 24 * HOUR_S),
        ),
    )
    assert settings.space_weather.potential_mv == 1000.0
    plain = load_scenario(
        "s.yaml",
        {"s.yaml": TEXT[: TEXT.index("environment")] + TEXT[TEXT.index("fleet:") :]}.__getitem__,
    )
    assert plain.environment.settings().oblate_shadow
    assert plain.environment.settings().space_weather == SpaceWeather()
    assert SpaceWeather().potential_mv == 400.0


@pytest.fixture(scope="module")
def channels() -> dict[str, dict[float, np.ndarray]]:
    """Channels by name at the epoch and three hours later, through a real step."""
    scenario = load_scenario("s.yaml", {"s.yaml": TEXT}.__getitem__)
    assert scenario.epoch_unix_s is not None
    build = build_fleet(scenario, scenario.epoch_unix_s, str)
    model = EnvironmentModel(build.satrecs, scenario.epoch_unix_s, scenario.environment.settings())
    state = initial_state(build.fleet, model.at(0.0), 1)
    found: dict[str, dict[float, np.ndarray]] = {}
    for elapsed_s in (0.0, 3 * HOUR_S):
        around = model.at(elapsed_s)
        state = step(state, build.fleet, around, 1.0, elapsed_s, 1)
        seen = Snapshot(build.fleet, state, around, 1, int(elapsed_s))
        floats, states = bus_telemetry(np.arange(48), seen, 1)
        for name, column in zip(_wire(False), floats.T, strict=True):
            found.setdefault(name, {})[elapsed_s] = column
        for name, column in zip(_wire(True), states.T, strict=True):
            found.setdefault(name, {})[elapsed_s] = column
    return found


def _wire(integers: bool) -> list[str]:
    return [row.name for row in BUS_CHANNELS if row.is_integer is integers]


def test_a_storm_shows_in_the_channels(channels: dict[str, dict[float, np.ndarray]]) -> None:
    before, during = 0.0, 3 * HOUR_S
    assert np.all(channels["swx_s_level"][before] == 0)
    assert np.all(channels["swx_s_level"][during] == 4)
    assert np.all(channels["swx_g_level"][before] == 0)
    assert np.all(channels["swx_g_level"][during] == 5)
    solar = channels["rad_spe_flux_cm2_s"]
    assert np.all(solar[before] == 0.0)
    assert solar[during][:24].max() > 1e3
    assert np.all(solar[during][24:] == 0.0)
    over_the_poles = solar[during] > 1e3
    dose = channels["rad_dose_rate_rad_day"]
    assert np.all(dose[during][over_the_poles] > 5.0)
    # After an hour of a G5 storm: 1 + 4 (1 - exp(-1/3)) = 2.13 times the density.
    decay = channels["orb_sma_decay_m_day"]
    assert np.median(decay[during] / decay[before]) == pytest.approx(2.13, rel=0.05)
    assert np.all(channels["orb_in_saa"][during][over_the_poles] == 0)


def test_quiet_channels_are_there(channels: dict[str, dict[float, np.ndarray]]) -> None:
    low, high = channels["rad_gcr_flux_cm2_s"][0.0][24:], channels["rad_gcr_flux_cm2_s"][0.0][:24]
    assert 0.04 < low.min() < low.max() < 0.6
    assert high.max() > 1.0
    assert channels["rad_cutoff_gv"][0.0][:24].min() < 0.3
    assert channels["rad_cutoff_gv"][0.0][24:].min() > 3.0
    assert channels["rad_electron_flux_cm2_s"][0.0].max() > 100.0
