"""Dose against published figures, events against Poisson."""

from dataclasses import fields, replace

import numpy as np
import pytest
from satellites import EPOCH_UNIX_S, circular
from scipy import stats

from twin.environment import EnvironmentModel, EnvironmentSettings
from twin.noise import satellite_keys
from twin.radiation import advance_hazard, dose_rate_rad_s, initial_hazard, see_rate_per_s
from twin.shielding import shield_dose_frac, shield_electron_rad_cm2, shield_spe_frac
from twin.space_weather import SpaceWeather, SpaceWeatherEvent
from twin.state import SEE_KINDS, FleetParams

YEAR_S = 31_557_600.0
DAY_S = 86_400.0
SHIELDS_MM = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0)


def _shielded(shields_mm: list[float]) -> FleetParams:
    count = len(shields_mm)
    blank = {f.name: np.zeros(count) for f in fields(FleetParams)}
    shields = {
        "accel_count": np.ones(count, dtype=np.int64),
        "see_sensitivity_frac": np.ones(count),
        "shield_dose_frac": np.array([shield_dose_frac(mm) for mm in shields_mm]),
        "shield_spe_frac": np.array([shield_spe_frac(mm) for mm in shields_mm]),
        "shield_electron_rad_cm2": np.array([shield_electron_rad_cm2(mm) for mm in shields_mm]),
    }
    return FleetParams(**blank | shields)  # type: ignore[arg-type]


def _ring(altitude_km: float, inclination_deg: float, count: int = 12) -> list:
    return [
        circular(EPOCH_UNIX_S, altitude_km, inclination_deg, 30.0 * k, 137.0 * k)
        for k in range(count)
    ]


def _dose_rad(
    satellites: list, shields_mm: list[float], weather: SpaceWeather, span_s: float, step_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Dose behind each satellite's shield and expected silent corruptions, (n,)."""
    settings = EnvironmentSettings(space_weather=weather)
    model, params = EnvironmentModel(satellites, EPOCH_UNIX_S, settings), _shielded(shields_mm)
    dose, corrupted = np.zeros(len(satellites)), np.zeros(len(satellites))
    for elapsed_s in np.arange(0.0, span_s, step_s):
        around = model.at(float(elapsed_s))
        dose += dose_rate_rad_s(around, params) * step_s
        corrupted += see_rate_per_s(around, params)[:, SEE_KINDS.index("sdc")] * step_s
    return dose, corrupted


def test_val_annual_dose_of_a_sun_synchronous_orbit() -> None:
    # arXiv:2511.19468: about 150 rad/yr behind 10 mm Al at 650 km, by another tool over a cycle.
    # AP8 at solar minimum is the upper end of it; SHIELDOSE-2 has 45 rad/yr on the ISS.
    satellites = _ring(650.0, 97.99) + _ring(420.0, 51.64)
    yearly = {}
    for solar in ("min", "max"):
        weather = SpaceWeather(solar_cycle=solar)
        dose, _ = _dose_rad(satellites, [10.0] * 24, weather, DAY_S, 30.0)
        yearly[solar] = (dose * YEAR_S / DAY_S).reshape(2, 12).mean(axis=1)
    print("rad/yr SSO, ISS:", {k: v.round(1).tolist() for k, v in yearly.items()})
    assert 121.0 < yearly["min"][0] < 195.0
    assert 100.0 < yearly["max"][0] < 150.0
    assert yearly["min"] == pytest.approx([180.0, 41.0], rel=0.15)
    assert np.all(yearly["max"] < yearly["min"])


def test_val_dose_behind_thin_shields_is_that_of_shieldose() -> None:
    # SPENVIS, SHIELDOSE-2, ISS orbit, AP8MIN and AE8MAX, rad/yr behind 1 to 20 mm.
    published = np.array([1897.0, 704.0, 341.0, 109.0, 45.0, 33.0])
    satellites = _ring(420.0, 51.64)
    fluxes = np.zeros(2)
    for elapsed_s in np.arange(0.0, DAY_S, 30.0):
        if not elapsed_s:
            quiet = EnvironmentModel(satellites, EPOCH_UNIX_S)
            active = EnvironmentModel(
                satellites,
                EPOCH_UNIX_S,
                EnvironmentSettings(space_weather=SpaceWeather(solar_cycle="max")),
            )
        fluxes[0] += quiet.at(float(elapsed_s)).proton_flux_cm2_s.mean()
        fluxes[1] += active.at(float(elapsed_s)).electron_flux_cm2_s.mean()
    mean = fluxes / np.arange(0.0, DAY_S, 30.0).size
    around = replace(
        quiet.at(0.0),
        proton_flux_cm2_s=np.full(6, mean[0]),
        electron_flux_cm2_s=np.full(6, mean[1]),
        gcr_flux_cm2_s=np.zeros(6),
        spe_flux_cm2_s=np.zeros(6),
    )
    ours = dose_rate_rad_s(around, _shielded(list(SHIELDS_MM))) * YEAR_S
    print("ISS rad/yr:", ours.round(1).tolist(), "fluxes", mean.round(1).tolist())
    assert ours == pytest.approx(published, rel=0.2)


def test_val_great_event_hits_sun_synchronous_orbits_only() -> None:
    # SAPPHIRE's 1-in-10-year event (S4) adds some 6-11 rad there; the survey's drill has 30 rad
    # for S4; our S4 peaks between. None below 30 deg of inclination, next to none on the ISS.
    event = SpaceWeatherEvent("spe", 4, 3600.0, 48 * 3600.0)
    satellites = _ring(650.0, 97.99, 6) + _ring(550.0, 30.0, 6) + _ring(420.0, 51.64, 6)
    doses, corruptions = zip(
        *(
            _dose_rad(satellites, [10.0] * 18, SpaceWeather(events=events), 3 * DAY_S, 60.0)
            for events in ((), (event,))
        ),
        strict=True,
    )
    added = (doses[1] - doses[0]).reshape(3, 6).mean(axis=1)
    quiet, stormy = (one.reshape(3, 6).mean(axis=1) for one in corruptions)
    print("S4 adds rad:", added.round(3), "SDC", quiet.round(3), stormy.round(3))
    assert 5.0 < added[0] < 30.0
    assert added[1] == 0.0
    assert added[2] < 0.02 * added[0]
    assert stormy[0] > 5.0 * quiet[0]
    assert stormy[1] == quiet[1]


def test_val_counts_are_poisson_and_kinds_independent() -> None:
    satellites, mean = 4000, 2.5
    keys = satellite_keys([f"S{i}" for i in range(satellites)])
    hazard = initial_hazard(11, keys)
    rate = np.full((satellites, len(SEE_KINDS)), mean / 1000.0)
    for _ in range(10):
        hazard = advance_hazard(hazard, rate, 100.0, 11, keys)
    counts = hazard.event_count
    bins = np.minimum(counts, 8)
    expected = stats.poisson.pmf(np.arange(8), mean)
    expected = np.append(expected, 1.0 - expected.sum()) * satellites
    for kind in range(len(SEE_KINDS)):
        seen = np.bincount(bins[:, kind], minlength=9)
        assert stats.chisquare(seen, expected).pvalue > 1e-4
    matrix = np.corrcoef(counts.T) - np.eye(len(SEE_KINDS))
    assert np.abs(matrix).max() < 4.5 / satellites**0.5


def test_val_waiting_times_are_exponential() -> None:
    keys = satellite_keys([f"S{i}" for i in range(3000)])
    first = initial_hazard(5, keys).threshold_count[:, 0]
    assert stats.kstest(first, "expon").pvalue > 1e-4
