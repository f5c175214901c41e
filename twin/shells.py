"""Stacks of orbital planes at many heights: the shells of a filing, up to a million satellites.

A row of a filing gives a range of heights and inclinations, a number of shells in it, planes per
shell and satellites per plane. Everything is arrays over planes, then over satellites.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twin.constellations import (
    SGP4_RADIUS_M,
    Constellation,
    raan_from_ltan_rad,
    sun_synchronous_inclination_rad,
)
from twin.neighbours import LINKS
from twin.state import FloatArray, IntArray


@dataclass(frozen=True)
class ShellRow:
    """One row of a filing. Shells are spread evenly over both ranges, ends included.

    `ltan_h` makes the row sun-synchronous: inclinations then follow from the heights and the
    first plane of each shell has this local time of the ascending node, the others share the
    circle evenly (two planes: 6 h and 18 h). Without it `inclination_*` rule, and shells are
    turned against each other by an even share of the plane spacing.
    """

    altitude_low_m: float
    altitude_high_m: float
    inclination_low_rad: float
    inclination_high_rad: float
    shells_count: int
    planes_count: int
    per_plane_count: int
    ltan_h: float | None = None


@dataclass(frozen=True)
class PlaneTable:
    """Planes, (p,) each, in the order of rows, then shells, then planes."""

    altitude_m: FloatArray
    inclination_rad: FloatArray
    raan_rad: FloatArray
    phase_rad: FloatArray  # argument of latitude of the first satellite
    count: IntArray  # satellites in the plane
    row_index: IntArray  # row of the filing


def plane_table(rows: Sequence[ShellRow], epoch_unix_s: float) -> PlaneTable:
    """All planes of the rows with their filed number of satellites."""
    parts = [_planes_of(index, row, epoch_unix_s) for index, row in enumerate(rows)]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    altitude_m, tilt, node, phase = (np.asarray(one, dtype=np.float64) for one in columns[:4])
    count, owner = (np.asarray(one, dtype=np.int64) for one in columns[4:])
    return PlaneTable(altitude_m, tilt, node, phase, count, owner)


def capped_counts(count: IntArray, cap_count: int) -> IntArray:
    """Satellites left in each plane when a total is capped, (p,): every plane thinned alike.

    Rounded running totals, so that the sum is the cap exactly and no plane is off its share by
    more than one. A cap above the total changes nothing.
    """
    total = int(count.sum())
    if cap_count >= total:
        return count
    ends = np.cumsum(count) * cap_count // total
    return np.diff(ends, prepend=0).astype(np.int64)


def plane_stack(table: PlaneTable) -> Constellation:
    """Satellites of all planes, evenly spaced in each, linked before and behind in their plane.

    No links cross planes: planes at different heights or inclinations drift apart within days.
    """
    plane = np.repeat(np.arange(len(table.count)), table.count)
    first = np.cumsum(table.count) - table.count
    slot = np.arange(len(plane)) - first[plane]
    size = table.count[plane]
    arc = table.phase_rad[plane] + math.tau * slot / size
    links = np.full((len(plane), LINKS), -1, dtype=np.int64)
    links[:, 0] = np.where(size > 2, first[plane] + (slot - 1) % size, -1)
    links[:, 1] = np.where(size > 1, first[plane] + (slot + 1) % size, -1)
    zero = np.zeros(len(plane))
    return Constellation(
        sma_m=SGP4_RADIUS_M + table.altitude_m[plane],
        ecc_frac=zero,
        inclination_rad=table.inclination_rad[plane],
        raan_rad=table.raan_rad[plane],
        arg_perigee_rad=zero,
        mean_anomaly_rad=arc % math.tau,
        plane_index=plane,
        slot_index=slot,
        neighbour_index=links,
    )


def _planes_of(index: int, row: ShellRow, epoch_unix_s: float) -> tuple[FloatArray | IntArray, ...]:
    """Columns of PlaneTable for one row."""
    planes = row.planes_count
    shell = np.repeat(np.arange(row.shells_count), planes)
    plane = np.tile(np.arange(planes), row.shells_count)
    share = shell / max(row.shells_count - 1, 1)
    altitude_m = row.altitude_low_m + share * (row.altitude_high_m - row.altitude_low_m)
    spacing = math.tau / planes
    if row.ltan_h is None:
        span = row.inclination_high_rad - row.inclination_low_rad
        tilt = np.asarray(row.inclination_low_rad + share * span, dtype=np.float64)
        node: FloatArray = np.asarray(spacing * (plane + shell / row.shells_count))
    else:
        tilt = np.array([sun_synchronous_inclination_rad(one) for one in altitude_m.tolist()])
        node = np.asarray(
            raan_from_ltan_rad(row.ltan_h, epoch_unix_s) + spacing * plane, np.float64
        )
    number = np.arange(len(plane))
    phase = math.tau / row.per_plane_count * number / len(plane)
    count = np.full(len(plane), row.per_plane_count, dtype=np.int64)
    return altitude_m, tilt, node % math.tau, phase, count, number * 0 + index
