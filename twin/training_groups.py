"""Groups of satellites that work for one tenant: who belongs, how fast they exchange gradients.

A group that trains goes at the pace of its slowest member and stops while it is in pieces.
"""

import numpy as np

from twin.constants import SPEED_OF_LIGHT_M_S
from twin.latency import HOP_SWITCH_S, link_parts
from twin.state import BoolArray, Fleet, FleetState, FloatArray


def exchange_s(
    members: FloatArray, gradient_byte: float, rate_bit_s: FloatArray, range_m: FloatArray
) -> FloatArray:
    """Time of one gradient exchange [s], any shape: ring all-reduce over the slowest link.

    t = 2 (N - 1) / N * 8 B / R + 2 (N - 1) (d / c + 0.2 ms): bandwidth-optimal (Patarasuk &
    Yuan 2009, J. Parallel Distrib. Comput. 69, 117-124). 0 for one member; inf without a rate.

    Validity: `members` [1] on a ring of links, no other traffic on them.
    Source: Patarasuk & Yuan 2009, J. Parallel Distrib. Comput. 69, 117-124; the switching of
    0.2 ms is an assumption, beside it in `twin/latency.py`.
    """
    others = members - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        data_s = 2.0 * others / members * 8.0 * gradient_byte / rate_bit_s
    turns_s = 2.0 * others * (range_m / SPEED_OF_LIGHT_M_S + HOP_SWITCH_S)
    return np.where(others > 0.0, data_s + turns_s, 0.0)


def group_exchange(state: FleetState, fleet: Fleet, k: int) -> tuple[FloatArray, BoolArray]:
    """Exchange over computing of a step for each satellite, (n,), and who is cut off, (n,)."""
    assert fleet.tenant_group_index is not None
    tenant, group = fleet.tenants.tenants[k], fleet.tenant_group_index[:, k]
    member = is_member(fleet, k)
    size = np.bincount(group[member], minlength=int(group.max()) + 1).astype(np.float64)
    if size.max() <= 1.0:
        return np.zeros(group.size), np.zeros(group.size, dtype=np.bool_)
    far = np.maximum(fleet.neighbour_index, 0)
    inside = (fleet.neighbour_index >= 0) & (group[far] == group[:, np.newaxis])
    inside &= member[:, np.newaxis] & member[far]
    range_m = np.where(inside, state.link_range_m, np.nan)
    up = np.isfinite(range_m)
    slowest = np.full(size.size, np.inf)
    np.minimum.at(slowest, group[member], fleet.params.link_rate_bit_s[member])
    longest = np.zeros(size.size)
    np.maximum.at(longest, group, np.where(up, range_m, 0.0).max(axis=1))
    spent_s = exchange_s(np.maximum(size, 1.0), tenant.gradient_byte, slowest, longest)
    whole = up.any(axis=1) | (size[group] <= 1.0)
    if not np.array_equal(up, inside):  # some link is down: is any group in pieces?
        label = link_parts(range_m, fleet.neighbour_index)
        least, most = np.full(size.size, group.size), np.zeros(size.size, dtype=np.int64)
        np.minimum.at(least, group[member], label[member])
        np.maximum.at(most, group[member], label[member])
        whole &= (least >= most)[group]
    return spent_s[group] / tenant.step_compute_s, member & ~whole


def is_member(fleet: Fleet, k: int) -> BoolArray:
    """Which satellites have a share of tenant k, (n,)."""
    assert fleet.tenant_share_frac is not None
    return np.asarray(fleet.tenant_share_frac[:, k] > 0.0)


def any_member(flag: BoolArray, fleet: Fleet, k: int) -> BoolArray:
    """True for every member of a group in which any member is flagged, (n,)."""
    assert fleet.tenant_group_index is not None
    group, member = fleet.tenant_group_index[:, k], is_member(fleet, k)
    hit = np.bincount(group[flag & member], minlength=int(group.max()) + 1) > 0
    return np.asarray(hit[group] & member)


def slowest_pace_frac(pace_frac: FloatArray, fleet: Fleet, k: int) -> FloatArray:
    """The least pace_frac of the group for each of its members, (n,); 0 elsewhere.

    Validity: synchronous training. Source: by definition of lockstep: p = min over members.
    """
    assert fleet.tenant_group_index is not None
    group, member = fleet.tenant_group_index[:, k], is_member(fleet, k)
    least = np.full(int(group.max()) + 1, np.inf)
    np.minimum.at(least, group[member], pace_frac[member])
    return np.where(member, least[group], 0.0)
