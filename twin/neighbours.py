"""Who talks to whom: neighbour tables (n, 4) of planned and of catalogued fleets."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from twin.state import FloatArray, IntArray

LINKS: Final = 4
TOPOLOGIES: Final = ("none", "ring", "plus_grid", "chain", "lattice")


def neighbour_links(
    topology: str, planes: int, per_plane: int, phasing: int, *, seam: bool = False
) -> IntArray:
    """Neighbours (n, 4) as previous, next, left, right; -1 = none; rows are plane by plane."""
    count = planes * per_plane
    links = np.full((count, LINKS), -1, dtype=np.int64)
    if topology == "none":
        return links
    plane, slot = np.divmod(np.arange(count), per_plane)
    if per_plane > 1:
        links[:, 1] = plane * per_plane + (slot + 1) % per_plane
    if per_plane > 2:
        links[:, 0] = plane * per_plane + (slot - 1) % per_plane
    if topology == "plus_grid" and planes > 1:
        # walking past the last plane of a delta comes back `phasing` slots ahead
        right_slot = (slot + np.where(plane == planes - 1, phasing, 0)) % per_plane
        left_slot = (slot - np.where(plane == 0, phasing, 0)) % per_plane
        links[:, 2] = (plane - 1) % planes * per_plane + left_slot
        links[:, 3] = (plane + 1) % planes * per_plane + right_slot
        if seam or planes == 2:
            links[plane == 0, 2] = -1
            links[plane == planes - 1, 3] = -1
    return links


def catalogued_planes(
    position_m: FloatArray, velocity_m_s: FloatArray
) -> tuple[list[str], IntArray]:
    """Plane labels and in-plane ring neighbours (n, 4) of satellites that are simply there.

    `position_m`, `velocity_m_s`: (n, 3) in TEME at one instant. Satellites whose osculating
    inclination falls in the same 1 deg bin and node in the same 5 deg bin (the plane spacing of
    the 72-plane Starlink shells) are one plane; each is linked with the next before and behind
    by argument of latitude. Bins are fixed, so a plane that straddles an edge shows as two.
    """
    momentum = np.cross(position_m, velocity_m_s)
    tilt = np.arctan2(np.hypot(momentum[:, 0], momentum[:, 1]), momentum[:, 2])
    node = np.arctan2(momentum[:, 0], -momentum[:, 1]) % math.tau
    along_node = position_m[:, 0] * np.cos(node) + position_m[:, 1] * np.sin(node)
    across = np.cross(momentum, np.column_stack((np.cos(node), np.sin(node), node * 0.0)))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    latitude_arg = np.arctan2(np.sum(position_m * across, axis=1), along_node) % math.tau
    inclination_bin = np.rint(np.degrees(tilt)).astype(np.int64)
    node_bin = (np.floor(np.degrees(node) / 5.0) * 5).astype(np.int64) % 360
    code = inclination_bin * 1000 + node_bin
    names = {c: f"i{c // 1000:03d}_n{c % 1000:03d}" for c in np.unique(code).tolist()}
    return [names[c] for c in code.tolist()], _ring_by_angle(code, latitude_arg)


def _ring_by_angle(group: IntArray, angle_rad: FloatArray) -> IntArray:
    """Previous and next of each row by angle within its group, closed; (n, 4)."""
    order = np.lexsort((angle_rad, group))
    _, start, size = np.unique(group[order], return_index=True, return_counts=True)
    size_here, start_here = np.repeat(size, size), np.repeat(start, size)
    place = np.arange(len(group)) - start_here
    links = np.full((len(group), LINKS), -1, dtype=np.int64)
    following = order[start_here + (place + 1) % size_here]
    before = order[start_here + (place - 1) % size_here]
    links[order, 1] = np.where(size_here > 1, following, -1)
    links[order, 0] = np.where(size_here > 2, before, -1)
    return links


def lattice_links(i: IntArray, j: IntArray) -> IntArray:
    """Nearest lattice points below, above, behind and ahead, (n, 4)."""
    row = {point: index for index, point in enumerate(zip(i.tolist(), j.tolist(), strict=True))}
    steps: Sequence[tuple[int, int]] = ((-1, 0), (1, 0), (0, -1), (0, 1))
    return np.array([[row.get((a + da, b + db), -1) for da, db in steps] for a, b in row])
