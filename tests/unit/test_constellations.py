"""Generated constellations: counts, spacing, links, and what SGP4 makes of the elements."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sgp4.api import SatrecArray

from twin.clock import julian_date
from twin.constellations import (
    SGP4_RADIUS_M,
    Constellation,
    kozai_mean_motion_rad_min,
    planar_cluster,
    satrecs,
    sso_ring,
    sun_synchronous_inclination_rad,
    train,
    walker,
)
from twin.elements import epoch_unix_s
from twin.neighbours import catalogued_planes, neighbour_links

EPOCH_UNIX_S = 1_795_219_200.0  # 2026-11-21T00:00:00Z


def positions_m(made: Constellation, elapsed_s: np.ndarray) -> np.ndarray:
    """(n, t, 3), TEME."""
    moments = [julian_date(EPOCH_UNIX_S, float(one)) for one in elapsed_s]
    whole, part = (np.array(column) for column in zip(*moments, strict=True))
    error, position_km, _ = SatrecArray(list(satrecs(made, EPOCH_UNIX_S))).sgp4(whole, part)
    assert not error.any()
    return position_km * 1000.0


def link_ranges_m(made: Constellation, elapsed_s: np.ndarray) -> np.ndarray:
    position_m = positions_m(made, elapsed_s)
    links = made.neighbour_index
    own, slot = np.nonzero(links >= 0)
    gap = position_m[own] - position_m[links[own, slot]]
    return np.linalg.norm(gap, axis=2)


@given(
    altitude_km=st.floats(200, 20_000),
    ecc=st.floats(0, 0.02),
    inclination_deg=st.floats(0, 180),
)
@settings(max_examples=100, deadline=None)
def test_law_sgp4_recovers_the_semi_major_axis_that_was_asked_for(
    altitude_km: float, ecc: float, inclination_deg: float
) -> None:
    made = walker(1, 1, 0, altitude_km * 1000.0, math.radians(inclination_deg))
    made.ecc_frac[:] = ecc
    (satrec,) = satrecs(made, EPOCH_UNIX_S)
    assert satrec.a * SGP4_RADIUS_M == pytest.approx(made.sma_m[0], abs=0.01)


def test_elements_hold_at_the_epoch_itself() -> None:
    made = sso_ring(1, 500e3, 6.0, EPOCH_UNIX_S)
    (satrec,) = satrecs(made, EPOCH_UNIX_S)
    assert epoch_unix_s(satrec) == pytest.approx(EPOCH_UNIX_S, abs=1e-4)


def test_kozai_motion_differs_from_the_two_body_one_by_j2() -> None:
    sma_m = np.array([SGP4_RADIUS_M + 500e3])
    polar = kozai_mean_motion_rad_min(sma_m, np.zeros(1), np.array([math.pi / 2]))
    equator = kozai_mean_motion_rad_min(sma_m, np.zeros(1), np.zeros(1))
    two_body = math.sqrt(3.986008e14 / sma_m[0] ** 3) * 60
    assert polar[0] < two_body < equator[0]
    assert equator[0] / two_body - 1 == pytest.approx(
        1.5 * 1.0826e-3 * (6378.1 / 6878.1) ** 2, 1e-2
    )


def test_cluster_holds_its_free_fall_ellipses_over_an_orbit_and_a_day() -> None:
    made = planar_cluster(5, 100.0, 650e3, 6.0, EPOCH_UNIX_S)
    assert made.count == 81
    for start_s in (0.0, 86_400.0):
        ranges_m = link_ranges_m(made, start_s + np.arange(0.0, 5_880.0, 30.0))
        print(f"neighbours {ranges_m.min():.2f} to {ranges_m.max():.2f} m")
        assert ranges_m.min() > 99.5
        assert ranges_m.max() < 201.0
        # each pair swings between both ends of the band: the 2:1 ellipse
        assert (ranges_m.max(axis=1) / ranges_m.min(axis=1)).min() > 1.95


def test_cluster_starts_on_the_lattice_and_no_two_members_ever_come_closer() -> None:
    made = planar_cluster(5, 100.0, 650e3, 6.0, EPOCH_UNIX_S)
    position_m = positions_m(made, np.arange(0.0, 5_880.0, 60.0))
    apart = np.linalg.norm(position_m[:, None] - position_m[None], axis=3)
    apart[np.arange(81), np.arange(81)] = np.inf
    assert apart.min() > 99.0
    centre = position_m[40]
    away_m = np.linalg.norm(position_m - centre, axis=2).max()
    assert away_m == pytest.approx(1000.0, rel=0.005)
    rows = [11, 9, 9, 9, 9, 9, 9, 7, 7, 1, 1]  # points of the disc by row; columns are the same
    pairs = 2 * sum(points - 1 for points in rows)
    assert (made.neighbour_index >= 0).sum() == 2 * pairs


def test_train_keeps_its_gap_and_is_an_open_chain() -> None:
    made = train(48, 600e3, 6.0, 50e3, EPOCH_UNIX_S)
    ranges_m = link_ranges_m(made, np.arange(0.0, 5_800.0, 60.0))
    assert ranges_m.min() > 49.8e3
    assert ranges_m.max() < 50.2e3
    assert made.neighbour_index[0].tolist() == [-1, 1, -1, -1]
    assert made.neighbour_index[47].tolist() == [46, -1, -1, -1]


@pytest.mark.parametrize("star", [False, True])
def test_walker_spreads_planes_and_phases(star: bool) -> None:
    made = walker(6, 4, 2, 780e3, math.radians(86.4), star=star)
    assert made.count == 24
    nodes = np.degrees(made.raan_rad.reshape(6, 4)[:, 0])
    assert nodes == pytest.approx(np.arange(6) * (30 if star else 60))
    phase = np.degrees(made.mean_anomaly_rad.reshape(6, 4))
    assert phase[1] - phase[0] == pytest.approx(np.full(4, 2 * 360 / 24))
    cross = made.neighbour_index.reshape(6, 4, 4)[:, :, 2:]
    assert (cross[0, :, 0] == -1).all() == star
    assert (cross[5, :, 1] == -1).all() == star


@given(
    planes=st.integers(1, 8),
    per_plane=st.integers(1, 9),
    phasing=st.integers(0, 7),
    seam=st.booleans(),
)
def test_law_links_of_a_grid_are_mutual_and_distinct(
    planes: int, per_plane: int, phasing: int, seam: bool
) -> None:
    links = neighbour_links("plus_grid", planes, per_plane, phasing, seam=seam)
    for row, others in enumerate(links.tolist()):
        given_ = [other for other in others if other >= 0]
        assert row not in given_
        assert all(row in links[other] for other in given_)


def test_ring_of_one_has_no_neighbour_and_of_two_only_one() -> None:
    assert (neighbour_links("ring", 1, 1, 0) == -1).all()
    assert neighbour_links("ring", 1, 2, 0).tolist() == [[-1, 1, -1, -1], [-1, 0, -1, -1]]


def test_catalogued_planes_find_the_planes_and_order_of_a_walker_pattern() -> None:
    made = walker(8, 11, 3, 550e3, math.radians(53.0), raan_rad=math.radians(2.0))
    shuffle = np.random.default_rng(1).permutation(made.count)
    whole, part = julian_date(EPOCH_UNIX_S)
    records = [satrecs(made, EPOCH_UNIX_S)[row] for row in shuffle]
    _, place, speed = SatrecArray(records).sgp4(np.array([whole]), np.array([part]))
    labels, links = catalogued_planes(place[:, 0], speed[:, 0])
    assert sorted(set(labels)) == [f"i053_n{45 * k:03d}" for k in range(8)]
    expected = neighbour_links("ring", 8, 11, 0)
    for row, member in enumerate(shuffle):
        assert [shuffle[one] for one in links[row, :2]] == expected[member, :2].tolist()


def test_no_sun_synchronous_orbit_exists_far_out() -> None:
    with pytest.raises(ValueError, match="no sun-synchronous inclination at 6000 km"):
        sun_synchronous_inclination_rad(6_000e3)


def test_ring_of_twelve_is_thirty_degrees_apart() -> None:
    made = sso_ring(12, 535e3, 6.0, EPOCH_UNIX_S)
    assert np.degrees(made.mean_anomaly_rad) == pytest.approx(np.arange(12) * 30.0)
