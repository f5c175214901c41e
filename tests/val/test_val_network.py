"""Ground passes against skyfield, line of sight against plane geometry."""

from dataclasses import replace

import numpy as np
import pytest
from factories import class_params, make_environment, make_fleet
from skyfield.api import wgs84

from twin import network


def test_val_range_and_elevation_agree_with_skyfield() -> None:
    rng = np.random.default_rng(3)
    count = 60
    params = make_fleet([0] * count).params
    environment = replace(
        make_environment(0.0, count),
        latitude_rad=np.deg2rad(rng.uniform(-85.0, 85.0, count)),
        longitude_rad=np.deg2rad(rng.uniform(-180.0, 180.0, count)),
        altitude_m=rng.uniform(350e3, 1400e3, count),
    )
    contact = network.ground_contact(environment, params)
    fixed_m = np.stack(network.satellite_fixed_m(environment), axis=1)
    seen = 0
    for row in range(count):
        best = (np.deg2rad(10.0), -1, np.nan)
        for index, station in enumerate(network.GROUND_STATIONS):
            site = wgs84.latlon(station.latitude_deg, station.longitude_deg, station.height_m)
            offset_m = fixed_m[row] - site.itrs_xyz.m
            range_m = float(np.linalg.norm(offset_m))
            lat, lon = site.latitude.radians, site.longitude.radians
            up = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
            elevation = float(np.arcsin(offset_m @ up / range_m))
            best = max(best, (elevation, index, range_m))
        assert contact.station_index[row] == best[1]
        if best[1] >= 0:
            seen += 1
            assert contact.range_m[row] == pytest.approx(best[2], abs=0.1)
        else:
            assert np.isnan(contact.range_m[row])
    assert 5 < seen < count - 5


def test_val_geodetic_position_agrees_with_skyfield() -> None:
    environment = make_environment(0.0, 30, beta_rad=1.2)
    fixed_m = np.stack(network.satellite_fixed_m(environment), axis=1)
    for row in range(30):
        lat_deg = np.rad2deg(environment.latitude_rad[row])
        lon_deg = np.rad2deg(environment.longitude_rad[row])
        truth = wgs84.latlon(lat_deg, lon_deg, environment.altitude_m[row]).itrs_xyz.m
        assert np.allclose(fixed_m[row], truth, atol=0.1)


@pytest.mark.parametrize(("altitude_m", "limit_m"), [(535e3, 4.9307e6), (350e3, 3.7717e6)])
def test_val_line_of_sight_ends_where_the_line_grazes_80_km(
    altitude_m: float, limit_m: float
) -> None:
    # 2 sqrt((R + h)^2 - (R + 80 km)^2) with R = 6371 km.
    params = class_params(link_range_limit_m=1e8).take(np.zeros(2, dtype=np.int64))
    neighbours = np.array([[1, -1, -1, -1], [0, -1, -1, -1]])
    for range_m, up in ((limit_m * 0.999, True), (limit_m * 1.001, False)):
        half = np.arcsin(0.5 * range_m / (6_371_008.8 + altitude_m))
        place = make_environment(
            0.0, 2, altitude_m=altitude_m, phase_rad=np.array([-half, half])
        ).position_teme_m
        ranges = network.link_range_m(place, neighbours, params)
        assert np.all(np.isfinite(ranges[:, 0]) == up)
        assert np.all(np.isnan(ranges[:, 1:]))
        if up:
            assert np.allclose(ranges[:, 0], range_m, rtol=1e-9)


def test_val_three_body_ring_neighbours_are_3578_km_apart() -> None:
    # Twelve satellites evenly at 535 km (fleet study, computed there with R = 6378 km).
    params = class_params().take(np.zeros(12, dtype=np.int64))
    ring = np.arange(12)
    neighbours = np.stack([(ring + 1) % 12, (ring - 1) % 12, ring * 0 - 1, ring * 0 - 1], axis=1)
    place = make_environment(0.0, 12, altitude_m=535e3 + 6_378_137.0 - 6_371_008.8).position_teme_m
    params = replace(params, link_range_limit_m=np.full(12, 5e6))
    ranges = network.link_range_m(place, neighbours, params)
    assert np.allclose(ranges[:, :2], 3578e3, atol=1e3)


def test_val_margin_follows_the_square_law() -> None:
    params = class_params(link_reference_range_m=1000.0)
    margin = network.link_margin_db(np.array([[1e3, 2e3], [100.0, 500.0], [np.nan, 1e4]]), params)
    assert np.allclose(margin[:2], [[0.0, -6.0206], [20.0, 6.0206]], atol=1e-4)
    assert np.isnan(margin[2, 0])
