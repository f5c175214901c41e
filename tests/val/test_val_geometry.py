"""Place, Sun and look angles against Skyfield (JPL DE421, IERS) and published examples."""

import math
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from satellites import EPOCH_UNIX_S, almanac, circular, from_elements, skyfield_times, starcloud
from skyfield.api import EarthSatellite, Loader, wgs84
from skyfield.jpllib import SpiceKernel
from skyfield.sgp4lib import TEME
from skyfield.timelib import Time

from twin.clock import gmst_rad
from twin.environment import EnvironmentModel
from twin.geometry import GeodeticPoint, geodetic_point, look_angles, sun_vector

INSTANTS_S = np.linspace(0.0, 86_400.0, 41) + 17.3


@pytest.fixture(scope="module")
def sky() -> Loader:
    return almanac()


@pytest.fixture(scope="module")
def planets(sky: Loader) -> Iterator[SpiceKernel]:
    with closing(sky("de421.bsp")) as kernel:
        yield kernel


def _times(sky: Loader, unix_s: np.ndarray) -> Time:
    return skyfield_times(sky.timescale(builtin=True), unix_s)


def _satellites() -> list:
    return [
        starcloud(),
        circular(EPOCH_UNIX_S, 650.0, 97.99, 30.0, 200.0),
        circular(EPOCH_UNIX_S, 1200.0, 89.9, 100.0, 10.0),
        from_elements(EPOCH_UNIX_S, 2.0058, 63.4, node_deg=40.0, eccentricity=0.7),
    ]


def test_val_sidereal_time_of_vallado_example() -> None:
    # Vallado 2013, example 3-5: 1992-08-20T12:14 UT1, 152.578787810 deg.
    unix_s = 714_312_840.0
    assert math.degrees(gmst_rad(unix_s)) == pytest.approx(152.578787810, abs=1e-6)


def test_val_sub_point_and_height_against_skyfield(sky: Loader) -> None:
    model = EnvironmentModel(_satellites(), EPOCH_UNIX_S)
    worst = np.zeros(3)
    times = _times(sky, EPOCH_UNIX_S + INSTANTS_S)
    for row, satrec in enumerate(_satellites()):
        earth_satellite = EarthSatellite.from_satrec(satrec, sky.timescale(builtin=True))
        truth = wgs84.geographic_position_of(earth_satellite.at(times))
        for k, elapsed_s in enumerate(INSTANTS_S):
            ours = model.at(float(elapsed_s))
            east = ours.longitude_rad[row] - truth.longitude.radians[k]
            east = math.remainder(east, 2.0 * math.pi) * math.cos(truth.latitude.radians[k])
            north = ours.latitude_rad[row] - truth.latitude.radians[k]
            up_m = ours.altitude_m[row] - truth.elevation.m[k]
            worst = np.maximum(worst, np.abs([math.degrees(east), math.degrees(north), up_m]))
    print(f"worst east {worst[0]:.5f} deg, north {worst[1]:.5f} deg, height {worst[2]:.2f} m")
    assert worst[0] < 0.001
    assert worst[1] < 0.001
    assert worst[2] < 5.0


def test_val_sun_against_de421_over_half_a_century(sky: Loader, planets: SpiceKernel) -> None:
    unix_s = np.linspace(946_684_800.0, 2_524_608_000.0, 701)
    times = _times(sky, unix_s)
    seen = planets["earth"].at(times).observe(planets["sun"]).apparent()
    direction = seen.frame_xyz(TEME).au
    distance_au = np.linalg.norm(direction, axis=0)
    for k, instant in enumerate(unix_s):
        sun = sun_vector(float(instant))
        cross = np.linalg.norm(np.cross(sun.unit, direction[:, k] / distance_au[k]))
        assert math.degrees(math.asin(cross)) < 0.0011
        assert sun.distance_m / 149_597_870_700.0 == pytest.approx(distance_au[k], abs=4e-5)


def test_val_beta_and_solar_time_against_skyfield(sky: Loader, planets: SpiceKernel) -> None:
    satrec = circular(EPOCH_UNIX_S, 650.0, 97.99, 30.0, 200.0)
    model = EnvironmentModel([satrec], EPOCH_UNIX_S)
    for elapsed_s in INSTANTS_S:
        time = _times(sky, np.array([EPOCH_UNIX_S + elapsed_s]))[0]
        sun = planets["earth"].at(time).observe(planets["sun"]).apparent().frame_xyz(TEME).au
        place = EarthSatellite.from_satrec(satrec, sky.timescale(builtin=True)).at(time)
        position, velocity = place.frame_xyz_and_velocity(TEME)
        normal = np.cross(position.km, velocity.km_per_s)
        truth_rad = math.asin(normal @ sun / np.linalg.norm(normal) / np.linalg.norm(sun))
        angle = math.atan2(position.km[1], position.km[0]) - math.atan2(sun[1], sun[0])
        ours = model.at(float(elapsed_s))
        assert math.degrees(abs(ours.beta_rad[0] - truth_rad)) < 0.0015
        hours = ours.local_solar_time_h[0] - (12.0 + angle * 12.0 / math.pi)
        assert abs(math.remainder(hours, 24.0)) < 0.002
        assert 0.0 <= ours.local_solar_time_h[0] < 24.0


def test_val_look_angles_against_skyfield(sky: Loader) -> None:
    # Svalbard, Punta Arenas, Quito: near the pole, south, on the equator at height.
    places = [(78.23, 15.39, 450.0), (-53.0, -70.85, 20.0), (-0.2, -78.5, 2850.0)]
    station = GeodeticPoint(
        np.radians([p[0] for p in places]),
        np.radians([p[1] for p in places]),
        np.array([p[2] for p in places]),
    )
    satellites = _satellites()
    model = EnvironmentModel(satellites, EPOCH_UNIX_S)
    for elapsed_s in INSTANTS_S[::4]:
        env = model.at(float(elapsed_s))
        angles = look_angles(
            GeodeticPoint(env.latitude_rad, env.longitude_rad, env.altitude_m), station
        )
        assert angles.elevation_rad.shape == (4, 3)
        time = _times(sky, np.array([EPOCH_UNIX_S + elapsed_s]))[0]
        for i, satrec in enumerate(satellites):
            satellite = EarthSatellite.from_satrec(satrec, sky.timescale(builtin=True))
            for j, place in enumerate(places):
                topos = wgs84.latlon(place[0], place[1], elevation_m=place[2])
                elevation, _, distance = (satellite - topos).at(time).altaz()
                assert math.degrees(angles.elevation_rad[i, j]) == pytest.approx(
                    elevation.degrees, abs=0.01
                )
                assert angles.range_m[i, j] == pytest.approx(distance.m, abs=150.0)


def test_val_geodetic_latitude_at_the_poles_and_the_equator() -> None:
    # WGS84: a = 6378137 m, b = 6356752.3142 m.
    position = np.array([[0.0, 0.0, 6_356_752.3142 + 5e5], [6_378_137.0 + 5e5, 0.0, 0.0]])
    point = geodetic_point(position, 0.0)
    assert np.degrees(point.latitude_rad) == pytest.approx([90.0, 0.0], abs=1e-9)
    assert point.altitude_m == pytest.approx([5e5, 5e5], abs=1e-3)
