"""Latency against closed forms: light time, Erlang's waits, rings and gateways by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
from factories import make_environment, make_fleet
from satellites import EPOCH_UNIX_S, circular

from twin import latency
from twin.constants import EARTH_EQUATOR_RADIUS_M, SPEED_OF_LIGHT_M_S
from twin.environment import EnvironmentModel
from twin.latency_map import latency_map
from twin.network import link_range_m
from twin.state import Fleet, FloatArray


def test_val_light_time_of_650_km_and_of_the_moon() -> None:
    # Distance over c: 2.2 ms one way from 650 km overhead; 2.56 s to the Moon and back.
    assert 1e3 * float(latency.light_time_s(np.array(650e3))) == pytest.approx(2.168, abs=0.001)
    assert 2.0 * float(latency.light_time_s(np.array(384.4e6))) == pytest.approx(2.564, abs=0.001)


def erlang_c_wait_s(rho: float, servers: int, service_s: float) -> float:
    """Mean wait of M/M/c by Erlang's formula (1917)."""
    offered = rho * servers
    terms = sum(offered**k / math.factorial(k) for k in range(servers))
    last = offered**servers / math.factorial(servers) / (1.0 - rho)
    return last / (terms + last) * service_s / (servers * (1.0 - rho))


@pytest.mark.parametrize("servers", [1, 2, 8, 64])
@pytest.mark.parametrize("rho", [0.5, 0.8, 0.95])
def test_val_queue_wait_is_erlangs(servers: int, rho: float) -> None:
    ours = float(latency.queue_wait_s(np.array(rho), np.array(servers), np.array(0.2)))
    true = erlang_c_wait_s(rho, servers, 0.2)
    assert ours == pytest.approx(true, rel=0.12, abs=0.02 * 0.2)


def ring(count: int) -> Fleet:
    rows = np.arange(count)
    links = np.full((count, 4), -1, dtype=np.int64)
    links[:, 0], links[:, 1] = (rows - 1) % count, (rows + 1) % count
    fleet = make_fleet(np.ones(count, dtype=np.int64), link_range_limit_m=1e7)
    return replace(fleet, neighbour_index=links)


def ranges(fleet: Fleet, altitude_m: float = 2000e3) -> FloatArray:
    sky = make_environment(0.0, fleet.count, altitude_m=altitude_m)
    return link_range_m(sky.position_teme_m, fleet.neighbour_index, fleet.params)


def test_val_hops_round_a_ring_are_chords_times_hops() -> None:
    fleet = ring(12)
    range_m = ranges(fleet)
    chord_m = 2.0 * (6_371_008.8 + 2000e3) * math.sin(math.pi / 12.0)
    able = np.zeros(12, dtype=np.bool_)
    able[3] = True
    delay_s, server = latency.nearest_able(latency.link_graph(range_m, fleet.neighbour_index), able)
    hops = np.minimum((np.arange(12) - 3) % 12, (3 - np.arange(12)) % 12)
    one_s = chord_m / SPEED_OF_LIGHT_M_S + latency.HOP_SWITCH_S
    assert np.allclose(delay_s, hops * one_s, rtol=1e-9)
    assert np.all(server == 3)


def test_val_a_ring_cut_twice_falls_into_two_parts_and_one_is_cut_off() -> None:
    fleet = ring(12)
    range_m = ranges(fleet).copy()
    assert np.all(latency.link_parts(range_m, fleet.neighbour_index) == 0)
    for left, right in ((2, 3), (7, 8)):
        range_m[left, 1], range_m[right, 0] = np.nan, np.nan
    parts = latency.link_parts(range_m, fleet.neighbour_index)
    assert parts.tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0]
    able = np.zeros(12, dtype=np.bool_)
    able[0] = True
    graph = latency.link_graph(range_m, fleet.neighbour_index)
    delay_s, server = latency.nearest_able(graph, able)
    assert np.all(np.isinf(delay_s[parts == 1]))
    assert np.all(server[parts == 1] == -1)
    assert np.all(np.isfinite(delay_s[parts == 0]))


def test_val_a_request_below_a_satellite_takes_the_light_time_of_its_height() -> None:
    # One satellite of 650 km, and the user at its sub-satellite point at that instant.
    model = EnvironmentModel([circular(EPOCH_UNIX_S, 650.0, 53.0, anomaly_deg=40.0)], EPOCH_UNIX_S)
    sky, fleet = model.at(0.0), make_fleet([1])
    asked = latency.request_latency(
        latitude_rad=sky.latitude_rad,
        longitude_rad=sky.longitude_rad,
        environment=sky,
        fleet=fleet,
        link_range_m=np.full((1, 4), np.nan),
        able=np.ones(1, dtype=np.bool_),
        wait_s=np.full(1, 0.01),
    )
    assert asked.fibre_s[0] == 0.0
    assert asked.one_way_s[0] == pytest.approx(sky.altitude_m[0] / SPEED_OF_LIGHT_M_S, rel=1e-6)
    assert asked.total_s[0] == pytest.approx(2.0 * asked.one_way_s[0] + 0.01)
    assert asked.serving_index[0] == 0


def test_val_a_user_who_sees_nobody_goes_by_fibre_to_a_gateway_or_not_at_all() -> None:
    # A satellite straight above Singapore; the user sits a quarter of the Earth to the west.
    model = EnvironmentModel([circular(EPOCH_UNIX_S, 600.0, 0.5)], EPOCH_UNIX_S)
    above = model.at(0.0)
    gateway = np.deg2rad([1.40, 103.83])
    sky = replace(above, latitude_rad=gateway[:1], longitude_rad=gateway[1:])
    fleet = make_fleet([1])

    def ask(environment: object) -> latency.Request:
        return latency.request_latency(
            latitude_rad=gateway[:1],
            longitude_rad=gateway[1:] - math.pi / 2.0,
            environment=environment,  # type: ignore[arg-type]
            fleet=fleet,
            link_range_m=np.full((1, 4), np.nan),
            able=np.ones(1, dtype=np.bool_),
            wait_s=np.zeros(1),
        )

    asked = ask(sky)
    quarter_m = 6_371_008.8 * math.acos(math.sin(gateway[0]) ** 2)
    cable_s = quarter_m * latency.FIBRE_DETOUR / (latency.FIBRE_SPEED_FRAC * SPEED_OF_LIGHT_M_S)
    assert asked.fibre_s[0] == pytest.approx(cable_s, rel=1e-6)
    assert asked.access_s[0] == pytest.approx(sky.altitude_m[0] / SPEED_OF_LIGHT_M_S, rel=1e-4)
    ocean = np.deg2rad([0.0, -130.0])  # no station within 2,700 km of there
    away = replace(sky, latitude_rad=ocean[:1], longitude_rad=ocean[1:])
    lost = ask(away)
    assert np.isinf(lost.one_way_s[0])
    assert lost.serving_index[0] == -1


def test_val_an_equatorial_ring_serves_the_tropics_directly_and_the_poles_by_gateway() -> None:
    # From 600 km a user above 25 deg elevation is within 9.6 deg of the ring's track.
    count = 24
    satellites = [
        circular(EPOCH_UNIX_S, 600.0, 0.5, anomaly_deg=360.0 / count * k) for k in range(count)
    ]
    found = latency_map(ring(count), EnvironmentModel(satellites, EPOCH_UNIX_S), instants=3)
    rows = {row.name: row for row in found.bands}
    tropics, north = rows["+0 to +15"], rows["+60 to +75"]
    assert found.link_parts_count == 1
    assert len(rows) == 12
    assert tropics.direct_frac > 0.3
    assert north.direct_frac == 0.0
    assert north.one_way_p50_s > tropics.one_way_p50_s
    slant_m = math.sqrt(
        (EARTH_EQUATOR_RADIUS_M * math.sin(math.radians(25.0))) ** 2
        + 600e3**2
        + 2.0 * EARTH_EQUATOR_RADIUS_M * 600e3
    ) - EARTH_EQUATOR_RADIUS_M * math.sin(math.radians(25.0))
    direct_limit_s = slant_m / SPEED_OF_LIGHT_M_S
    assert tropics.one_way_p50_s >= 600e3 / SPEED_OF_LIGHT_M_S
    assert direct_limit_s < north.one_way_p50_s
    for row in found.bands:
        assert row.reached_frac == 1.0
        assert row.one_way_p50_s <= row.one_way_p95_s
