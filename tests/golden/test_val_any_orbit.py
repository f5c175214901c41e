"""Orbits and dates that nobody chose, against Skyfield as it runs: place, Sun, plane, shadow."""

import math
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from satellites import almanac, from_elements, skyfield_times
from skyfield.api import EarthSatellite, Loader, wgs84
from skyfield.jpllib import SpiceKernel
from skyfield.sgp4lib import TEME

from twin.clock import gmst_rad
from twin.environment import EnvironmentModel, EnvironmentSettings
from twin.geometry import geodetic_point, sun_vector
from twin.orbit import Orbits

YEAR_2000_S, YEAR_2050_S = 946_684_800.0, 2_524_608_000.0
EARTH_RADIUS_KM = 6378.137

epochs = st.floats(YEAR_2000_S, YEAR_2050_S).map(round).map(float)
angles = st.floats(0.0, 359.9)
perigees_km = st.floats(250.0, 36_000.0)
eccentricities = st.one_of(st.floats(0.0, 0.02), st.floats(0.0, 0.8))
elapsed = st.floats(-86_400.0, 3.0 * 86_400.0)


@pytest.fixture(scope="module")
def sky() -> Loader:
    return almanac()


@pytest.fixture(scope="module")
def planets(sky: Loader) -> Iterator[SpiceKernel]:
    with closing(sky("de421.bsp")) as kernel:
        yield kernel


def turns_per_day(perigee_km: float, eccentricity: float) -> float:
    sma_km = (EARTH_RADIUS_KM + perigee_km) / (1.0 - eccentricity)
    return 86_400.0 / (2.0 * math.pi * math.sqrt(sma_km**3 / 398_600.4418))


@settings(max_examples=60, deadline=None)
@given(
    epoch=epochs,
    perigee_km=perigees_km,
    eccentricity=eccentricities,
    inclination=st.floats(0.0, 179.0),
    node=angles,
    anomaly=angles,
    elapsed_s=elapsed,
)
def test_val_place_and_plane_of_any_orbit(
    sky: Loader,
    planets: SpiceKernel,
    epoch: float,
    perigee_km: float,
    eccentricity: float,
    inclination: float,
    node: float,
    anomaly: float,
    elapsed_s: float,
) -> None:
    turns = turns_per_day(perigee_km, eccentricity)
    assume(turns > 0.3)
    satrec = from_elements(
        epoch,
        turns,
        inclination,
        node_deg=node,
        anomaly_deg=anomaly,
        eccentricity=max(eccentricity, 1e-6),
    )
    model = EnvironmentModel([satrec], epoch, EnvironmentSettings(oblate_shadow=False))
    assume(not model.failed(elapsed_s)[0])
    now = model.at(elapsed_s)
    timescale = sky.timescale(builtin=True)
    time = skyfield_times(timescale, np.array([epoch + elapsed_s]))[0]
    flown = EarthSatellite.from_satrec(satrec, timescale)
    place = flown.at(time)
    position = place.frame_xyz(TEME)
    # 15 m: the curve between knots at the perigee of a transfer orbit; below 1 m in low circles.
    assert np.linalg.norm(now.position_teme_m[0] - position.m) < 1.0 + 100.0 * eccentricity
    truth = wgs84.geographic_position_of(place)
    # Both put the Greenwich meridian where UT1 says; Skyfield's UT1 leaves UTC after its tables.
    shift_s = (time.ut1 - 2_440_587.5) * 86_400.0 - (epoch + elapsed_s)
    sidereal = gmst_rad(epoch, elapsed_s) + shift_s * 7.292115e-5
    point = geodetic_point(now.position_teme_m, sidereal)
    east = math.remainder(point.longitude_rad[0] - truth.longitude.radians, math.tau)
    ground_m = 6.378e6 * math.hypot(
        east * math.cos(truth.latitude.radians), point.latitude_rad[0] - truth.latitude.radians
    )
    assert ground_m < 50.0  # polar motion 15 m, rounding of the Julian date 20 m
    assert now.altitude_m[0] == pytest.approx(truth.elevation.m, abs=1.0 + 100.0 * eccentricity)
    sun = planets["earth"].at(time).observe(planets["sun"]).apparent().frame_xyz(TEME).au
    # SGP4's velocity is not the derivative of its position (1 m/s apart at an eccentricity of 0.1),
    # so the true plane is that of Skyfield's places a second before and after.
    before, after = (
        flown.at(one).frame_xyz(TEME).km
        for one in skyfield_times(timescale, epoch + elapsed_s + np.array([-1.0, 1.0]))
    )
    momentum = np.cross(position.km, after - before)
    sine = momentum @ sun / np.linalg.norm(momentum) / np.linalg.norm(sun)
    off_deg = abs(math.degrees(now.beta_rad[0] - math.asin(sine)))
    assert off_deg < 0.0015 + 0.04 * eccentricity
    lit = now.sunlit_frac[0]
    if lit in (0.0, 1.0):
        # Skyfield's Sun is a point and its Earth a sphere: where ours is settled they must agree.
        assert bool(place.is_sunlit(planets)) == bool(lit)


@settings(max_examples=150, deadline=None)
@given(epoch=epochs)
def test_val_sun_on_any_date(sky: Loader, planets: SpiceKernel, epoch: float) -> None:
    time = skyfield_times(sky.timescale(builtin=True), np.array([epoch]))[0]
    seen = planets["earth"].at(time).observe(planets["sun"]).apparent().frame_xyz(TEME).au
    distance_au = float(np.linalg.norm(seen))
    ours = sun_vector(epoch)
    off_deg = math.degrees(math.asin(np.linalg.norm(np.cross(ours.unit, seen / distance_au))))
    assert off_deg < 0.0012
    assert ours.distance_m / 149_597_870_700.0 == pytest.approx(distance_au, abs=4e-5)
    assert np.linalg.norm(ours.unit) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("latitude_deg", [-90.0, -89.9999, 89.9999, 90.0])
@pytest.mark.parametrize("longitude_deg", [-180.0, -179.9999, 0.0, 179.9999])
def test_val_poles_and_date_line(latitude_deg: float, longitude_deg: float) -> None:
    # Skyfield's own conversion of the same ground track point, 500 km above it.
    x, y, z = wgs84.latlon(latitude_deg, longitude_deg, 5e5).itrs_xyz.m
    point = geodetic_point(np.array([[x, y, z]]), 0.0)
    assert math.degrees(point.latitude_rad[0]) == pytest.approx(latitude_deg, abs=1e-7)
    assert point.altitude_m[0] == pytest.approx(5e5, abs=1e-3)
    assert -math.pi <= point.longitude_rad[0] <= math.pi
    if abs(latitude_deg) < 90.0:
        off = math.remainder(point.longitude_rad[0] - math.radians(longitude_deg), math.tau)
        assert abs(off) < 1e-7


@pytest.mark.parametrize(
    ("turns", "eccentricity", "least_m", "most_m"), [(15.5, 1e-4, 0.0, 0.5), (2.27, 0.728, 1.0, 15)]
)
def test_val_curve_between_knots_of_low_and_eccentric_orbits(
    turns: float, eccentricity: float, least_m: float, most_m: float
) -> None:
    epoch = 1_795_219_200.0
    satrec = from_elements(epoch, turns, 30.0, eccentricity=eccentricity)
    orbits = Orbits([satrec], epoch)
    off_m = 0.0
    for elapsed_s in np.arange(-3000.0, 3000.0, 13.7):
        _, truth_km, _ = satrec.sgp4_tsince(elapsed_s / 60.0)
        apart_m = orbits.at(float(elapsed_s)).position_teme_m[0] - np.array(truth_km) * 1e3
        off_m = max(off_m, float(np.linalg.norm(apart_m)))
    assert least_m < off_m < most_m
