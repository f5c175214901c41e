"""How long a request takes: access, hops over laser links, gateway, and the wait for a machine.

A user reaches the highest satellite above the mask; where none is in view, the request goes by
fibre to the ground station from which a satellite is reached soonest. The satellite answers
itself or passes the request on to the nearest one that can. Light time and geometry only; the
time to compute the answer is the workload's and not in it.
"""

from typing import Final, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from twin.constants import EARTH_MEAN_RADIUS_M, SPEED_OF_LIGHT_M_S
from twin.geometry import earth_fixed_position_m
from twin.network import ELEVATION_MASK_RAD, GROUND_STATIONS, RELAY_PATH_M, satellite_fixed_m
from twin.state import BoolArray, Environment, Fleet, FloatArray, IntArray

USER_MASK_RAD: Final = float(np.deg2rad(25.0))  # Starlink's minimum elevation, FCC filings; memory
HOP_SWITCH_S: Final = 2e-4  # forwarding in one satellite, optical-electrical-optical; assumption
FIBRE_SPEED_FRAC: Final = 1.0 / 1.468  # group index of silica at 1550 nm (Corning SMF-28); public
FIBRE_DETOUR: Final = 1.5  # cable length over the great circle; assumption, published 1.2 to 2
REQUEST_TOKENS: Final = 250.0  # of one answer: a paragraph or two; assumption
BUSIEST_FRAC: Final = 0.99  # a saturated queue has no mean: it is cut here,
# and the wait is then a lower bound


class Request(NamedTuple):
    """Parts of the way of one request from each ground point, (p,) in seconds, one way."""

    access_s: FloatArray  # ground or gateway to the first satellite; inf = nobody to be reached
    fibre_s: FloatArray  # ground to the gateway; 0 where a satellite is in view
    hops_s: FloatArray  # first satellite to the one that answers; inf = cut off
    wait_s: FloatArray  # for an accelerator, once
    serving_index: IntArray  # satellite that answers; -1 = none

    @property
    def one_way_s(self) -> FloatArray:
        """Ground to the machine [s], (p,)."""
        return self.access_s + self.fibre_s + self.hops_s

    @property
    def total_s(self) -> FloatArray:
        """There and back with the wait, before any computing [s], (p,)."""
        return 2.0 * self.one_way_s + self.wait_s


def light_time_s(distance_m: FloatArray) -> FloatArray:
    """One-way light time in vacuum [s], any shape: d / c. 650 km: 2.17 ms; the Moon: 1.28 s.

    Validity: vacuum.
    Source: by definition: t = d / c, c of SI 2019.
    """
    return np.asarray(distance_m / SPEED_OF_LIGHT_M_S)


def link_graph(link_range_m: FloatArray, neighbour_index: IntArray) -> csr_array:
    """Links that are up as a sparse graph (n, n), both directions; weights are delays [s].

    Weight: range / c + 0.2 ms of switching. link_range_m (n, 4), nan = down. A link counts
    when either end holds it up.

    Validity: links as at one instant; light moves while satellites do by below 0.1 %.
    Source: by definition: d / c; switching of 0.2 ms is an assumption, beside it in
    `twin/latency.py`.
    """
    count = len(neighbour_index)
    row, terminal = np.nonzero(np.isfinite(link_range_m) & (neighbour_index >= 0))
    delay_s = light_time_s(link_range_m[row, terminal]) + HOP_SWITCH_S
    one_way = csr_array((delay_s, (row, neighbour_index[row, terminal])), shape=(count, count))
    return csr_array(one_way.maximum(one_way.T))


def link_parts(link_range_m: FloatArray, neighbour_index: IntArray) -> IntArray:
    """Number of the connected part of each satellite, (n,), from 0 by first member.

    Two satellites are in one part when links that are up lead from one to the other.
    """
    graph = link_graph(link_range_m, neighbour_index)
    _, label = connected_components(graph, directed=False)
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    order = np.empty(first.size, dtype=np.int64)
    order[np.argsort(first)] = np.arange(first.size)
    return order[inverse]


def nearest_able(graph: csr_array, able: BoolArray) -> tuple[FloatArray, IntArray]:
    """Delay [s] to the nearest satellite that can answer and which that is, (n,) each.

    Dijkstra from all able satellites at once (scipy.sparse.csgraph). Cut off: inf and -1.
    """
    sources = np.flatnonzero(able)
    if not sources.size:
        return np.full(able.size, np.inf), np.full(able.size, -1, dtype=np.int64)
    delay_s, _, source = dijkstra(
        graph, directed=False, indices=sources, min_only=True, return_predecessors=True
    )
    reached = np.isfinite(delay_s)
    return delay_s, np.where(reached, source, -1).astype(np.int64)


def queue_wait_s(
    utilisation_frac: FloatArray, servers: IntArray, service_s: FloatArray
) -> FloatArray:
    """Mean wait of a request for one of c servers [s], any shape.

    W = S rho^(sqrt(2 (c + 1)) - 1) / (c (1 - rho)), exponential arrivals and service times.
    Exact for one server; against Erlang C within 12 % or 2 % of the service time.
    Source: Sakasegawa 1977, Ann. Inst. Stat. Math. 29, 67-75.

    Validity: utilisation below 1; inf at 1.
    """
    rho = np.clip(utilisation_frac, 0.0, BUSIEST_FRAC)
    count = np.maximum(servers, 1)
    power = np.sqrt(2.0 * (count + 1.0)) - 1.0
    return np.asarray(service_s * rho**power / (count * (1.0 - rho)))


def request_latency(
    *,
    latitude_rad: FloatArray,
    longitude_rad: FloatArray,
    environment: Environment,
    fleet: Fleet,
    link_range_m: FloatArray,
    able: BoolArray,
    wait_s: FloatArray,
) -> Request:
    """The way of a request from each ground point (p,) to the machine that answers it.

    able, wait_s: which satellites can answer and how long a request waits there, (n,).
    """
    delay_s, server = nearest_able(link_graph(link_range_m, fleet.neighbour_index), able)
    sky = np.stack(satellite_fixed_m(environment), axis=1)
    first, access_s = _soonest(latitude_rad, longitude_rad, sky, USER_MASK_RAD, delay_s)
    relayed = fleet.params.ground_relayed
    gateway, fibre_s, gateway_access_s = _through_gateways(
        latitude_rad, longitude_rad, sky, delay_s, relayed
    )
    direct = first >= 0
    chosen = np.where(direct, first, gateway)
    known = np.maximum(chosen, 0)
    reached = chosen >= 0
    return Request(
        access_s=np.where(direct, access_s, gateway_access_s),
        fibre_s=np.where(direct, 0.0, fibre_s),
        hops_s=np.where(reached, delay_s[known], np.inf),
        wait_s=np.where(reached, wait_s[np.maximum(server[known], 0)], 0.0),
        serving_index=np.where(reached, server[known], -1),
    )


def _soonest(
    latitude_rad: FloatArray,
    longitude_rad: FloatArray,
    sky_m: FloatArray,
    mask_rad: float,
    delay_s: FloatArray,
) -> tuple[IntArray, FloatArray]:
    """The satellite above the mask over which an answer is nearest, and its light time, (p,)."""
    index = np.full(latitude_rad.size, -1, dtype=np.int64)
    access_s = np.full(latitude_rad.size, np.inf)
    ground = earth_fixed_position_m(latitude_rad, longitude_rad, np.zeros(latitude_rad.size))
    up = _vertical(latitude_rad, longitude_rad)
    radius2_m2 = np.einsum("ij,ij->i", sky_m, sky_m)
    for part in np.array_split(np.arange(latitude_rad.size), latitude_rad.size // 64 + 1):
        at, normal = ground[part], up[part]
        height_m = normal @ sky_m.T - np.einsum("ij,ij->i", at, normal)[:, np.newaxis]
        square = radius2_m2 - 2.0 * (at @ sky_m.T) + np.einsum("ij,ij->i", at, at)[:, np.newaxis]
        slant_m = np.sqrt(np.maximum(square, 0.0))
        seen = height_m > slant_m * np.sin(mask_rad)
        total_s = np.where(seen, light_time_s(slant_m) + delay_s, np.inf)
        best = np.argmin(total_s, axis=1)
        row = np.arange(part.size)
        found = np.isfinite(total_s[row, best])
        index[part] = np.where(found, best, -1)
        access_s[part] = np.where(found, light_time_s(slant_m[row, best]), np.inf)
    return index, access_s


def _through_gateways(
    latitude_rad: FloatArray,
    longitude_rad: FloatArray,
    sky_m: FloatArray,
    delay_s: FloatArray,
    relayed: BoolArray,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """First satellite over the best ground station or relay, fibre and radio time, (p,)."""
    site_lat = np.deg2rad([site.latitude_deg for site in GROUND_STATIONS])
    site_lon = np.deg2rad([site.longitude_deg for site in GROUND_STATIONS])
    first, radio_s = _soonest(site_lat, site_lon, sky_m, ELEVATION_MASK_RAD, delay_s)
    cosine = np.clip(
        _vertical(latitude_rad, longitude_rad) @ _vertical(site_lat, site_lon).T, -1.0, 1.0
    )
    cable_m = FIBRE_DETOUR * EARTH_MEAN_RADIUS_M * np.arccos(cosine)
    cable_s = cable_m / (FIBRE_SPEED_FRAC * SPEED_OF_LIGHT_M_S)
    onward_s = np.where(first >= 0, radio_s + delay_s[np.maximum(first, 0)], np.inf)
    best = np.argmin(cable_s + onward_s, axis=1)
    row = np.arange(latitude_rad.size)
    index, fibre_s, access_s = first[best], cable_s[row, best], radio_s[best]
    if relayed.any():  # a relay's terminals are everywhere: no fibre, the relay's own path
        over = int(np.argmin(np.where(relayed, delay_s, np.inf)))
        relay_s = RELAY_PATH_M / SPEED_OF_LIGHT_M_S
        better = relay_s + delay_s[over] < (cable_s + onward_s)[row, best]
        index = np.where(better, over, index)
        fibre_s = np.where(better, 0.0, fibre_s)
        access_s = np.where(better, relay_s, access_s)
    return index, fibre_s, access_s


def _vertical(latitude_rad: FloatArray, longitude_rad: FloatArray) -> FloatArray:
    """Geodetic vertical, (p, 3)."""
    cos_lat = np.cos(latitude_rad)
    parts = (cos_lat * np.cos(longitude_rad), cos_lat * np.sin(longitude_rad), np.sin(latitude_rad))
    return np.stack(parts, axis=1)
