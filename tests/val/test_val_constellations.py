"""Constellations against published inclinations, SGP4's own precession and the real Sun."""

import math
from contextlib import closing

import numpy as np
import pytest
from satellites import almanac
from sgp4.api import SatrecArray

from twin.clock import julian_date
from twin.constellations import (
    Constellation,
    raan_from_ltan_rad,
    satrecs,
    sso_ring,
    sun_synchronous_inclination_rad,
    walker,
)

EPOCH_UNIX_S = 1_795_219_200.0  # 2026-11-21T00:00:00Z


@pytest.mark.parametrize(
    ("altitude_km", "inclination_deg"),
    [(500, 97.40), (650, 97.99), (700, 98.19), (1000, 99.48), (1500, 101.96), (2000, 104.89)],
)
def test_val_sun_synchronous_inclinations_as_published(
    altitude_km: float, inclination_deg: float
) -> None:
    # rMcDonald17/Orbital-Datacenters, docs/eclipse_geometry.md, two decimals
    ours = math.degrees(sun_synchronous_inclination_rad(altitude_km * 1000.0))
    assert ours == pytest.approx(inclination_deg, abs=0.006)


@pytest.mark.parametrize("altitude_km", [500, 650, 1000])
def test_val_sgp4_turns_the_node_with_the_mean_sun(altitude_km: float) -> None:
    # SGP4 adds J2 squared and J4 terms to the first-order condition: 0.33 % = 1.2 deg a year
    (satrec,) = satrecs(sso_ring(1, altitude_km * 1000.0, 6.0, EPOCH_UNIX_S), EPOCH_UNIX_S)
    deg_per_day = math.degrees(satrec.nodedot) * 1440.0
    assert deg_per_day == pytest.approx(360.0 / 365.2421897, rel=4e-3)


@pytest.mark.parametrize("date", [(2026, 4, 15), (2026, 6, 13), (2026, 9, 1), (2026, 12, 25)])
@pytest.mark.parametrize("ltan_h", [6.0, 10.5, 18.0])
def test_val_node_follows_the_true_sun_where_the_equation_of_time_is_nil(
    date: tuple[int, int, int], ltan_h: float
) -> None:
    load = almanac()
    moment = load.timescale(builtin=True).utc(*date, 12)
    with closing(load("de421.bsp")) as planets:
        sun = planets["earth"].at(moment).observe(planets["sun"]).apparent()
    sun_hours, _, _ = sun.radec("date")
    epoch_unix_s = moment.utc_datetime().timestamp()
    ours_h = math.degrees(raan_from_ltan_rad(ltan_h, epoch_unix_s)) / 15.0
    apart_h = (ours_h - sun_hours.hours - (ltan_h - 12.0) + 12.0) % 24.0 - 12.0
    assert abs(apart_h) < 1.0 / 60.0  # the equation of time is below half a minute those days


@pytest.mark.parametrize(
    ("made", "expected_km"),
    [
        (sso_ring(12, 535e3, 6.0, EPOCH_UNIX_S), 3578.0),  # Three-Body, fleets table
        (sso_ring(16, 750e3, 6.0, EPOCH_UNIX_S), 2781.0),  # Orbital Chenguang
        (sso_ring(10, 600e3, 6.0, EPOCH_UNIX_S), 4313.0),  # Kepler
        (walker(48, 110, 1, 350e3, math.radians(38.0), topology="ring"), 384.0),  # Starlink shell
    ],
    ids=["three-body", "chenguang", "kepler", "starlink"],
)
def test_val_neighbours_in_the_plane_as_tabled(made: Constellation, expected_km: float) -> None:
    whole, part = julian_date(EPOCH_UNIX_S)
    records = list(satrecs(made, EPOCH_UNIX_S))
    _, position_km, _ = SatrecArray(records).sgp4(np.array([whole]), np.array([part]))
    gap_km = position_km[:, 0] - position_km[made.neighbour_index[:, 1], 0]
    ranges_km = np.linalg.norm(gap_km, axis=1)
    # chord 2 a sin(180/n) of the mean orbit; J2 moves single ranges by 0.15 %
    assert np.mean(ranges_km) == pytest.approx(expected_km, rel=1.5e-3)
