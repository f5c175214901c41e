"""What a tick's kernels need beside the satellites: the Sun, the Earth's turn, tables and sites."""

import math
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from twin import network
from twin.clock import gmst_rad
from twin.compiled import rows as r
from twin.constants import EARTH_FLATTENING_FRAC
from twin.cosmic_rays import _INVERSE_L_LIMIT, _INVERSE_L_STEP, _by_inverse_l
from twin.environment import EnvironmentSettings, solar_irradiance_w_m2
from twin.geometry import sun_vector
from twin.orbit import KNOT_INTERVAL_S, hermite_weights
from twin.state import FloatArray
from twin.trapped import saa_drift_rad
from twin.trapped_table import FIELD_1960, trapped_table


def tick_table(
    elapsed_s: FloatArray,
    exposed_s: FloatArray,
    index: int,
    epoch_unix_s: float,
    settings: EnvironmentSettings,
) -> tuple[FloatArray, FloatArray]:
    """What is common to all satellites at instants (t,) after the knot `index`.

    The table (t, columns), columns as in twin/compiled/rows.py, but TICK, which is the caller's;
    and the ground stations (t, k, 7) in the frame of the satellites. exposed_s: time for which
    accelerators could fail.
    """
    elapsed = elapsed_s
    table = np.empty((elapsed.size, r.TICK_COLUMNS))
    begin_s = index * KNOT_INTERVAL_S
    part = (elapsed - begin_s) / KNOT_INTERVAL_S
    table[:, r.WEIGHTS : r.SUN] = np.stack(cast(Any, hermite_weights)(part), axis=1)
    # The Sun and the Earth's turn are smooth: three points a minute give them to 1e-15.
    nodes = [sun_vector(epoch_unix_s, begin_s + one) for one in (0.0, 30.0, 60.0)]
    u = 2.0 * part - 1.0
    # Sums written out: a matrix product may round a row differently with its neighbours.
    past, present, coming = 0.5 * u * (u - 1.0), 1.0 - u * u, 0.5 * u * (u + 1.0)
    unit = np.stack(
        [
            past * nodes[0].unit[axis]
            + present * nodes[1].unit[axis]
            + coming * nodes[2].unit[axis]
            for axis in range(3)
        ],
        axis=1,
    )
    distance = past * nodes[0].distance_m + present * nodes[1].distance_m
    distance = distance + coming * nodes[2].distance_m
    table[:, r.SUN : r.SUN + 3] = unit * distance[:, np.newaxis]
    table[:, r.SUN + 3 : r.SUN + 6] = unit
    table[:, r.SUN + 6] = 1.0 / np.hypot(unit[:, 0], unit[:, 1])
    turns = gmst_rad(epoch_unix_s, begin_s + 60.0) - gmst_rad(epoch_unix_s, begin_s)
    sidereal = gmst_rad(epoch_unix_s, begin_s) + turns % (2.0 * math.pi) * part
    # Linear in time: the drift of a minute's start and end give that of every tick.
    ends = [saa_drift_rad(epoch_unix_s + begin_s + one) for one in (0.0, 60.0)]
    drift = ends[0] + (ends[1] - ends[0]) * part
    table[:, r.TURN], table[:, r.DRIFT] = drift - sidereal, drift
    table[:, r.ELAPSED] = elapsed
    table[:, r.EXPOSED] = exposed_s
    constant = settings.solar_constant_w_m2
    table[:, r.IRRADIANCE] = solar_irradiance_w_m2(1.0, constant) / np.square(distance)
    return table, _turned_sites(sidereal)


def _turned_sites(sidereal_rad: FloatArray) -> FloatArray:
    # Position and vertical of each station turned with the Earth, height of its horizon.
    still = _sites()
    cosine, sine = np.cos(sidereal_rad)[:, np.newaxis], np.sin(sidereal_rad)[:, np.newaxis]
    out = np.repeat(still[np.newaxis], sidereal_rad.size, axis=0)
    for first in (0, 3):
        x, y = still[:, first], still[:, first + 1]
        out[:, :, first], out[:, :, first + 1] = cosine * x - sine * y, sine * x + cosine * y
    return out


@lru_cache(maxsize=1)
def _sites() -> FloatArray:
    sites = [(*one.position_m, *one.up_unit, one.height_m) for one in network.sites()]
    return np.array(sites, dtype=np.float64)


class Tables(NamedTuple):
    """What the look-ups of particles need, and what holds for all satellites."""

    axes: FloatArray
    edges: NDArray[np.uint64]
    protons: NDArray[np.uint64]
    electrons: NDArray[np.uint64]
    cosmic: FloatArray
    settings: FloatArray


def static_tables(settings: EnvironmentSettings) -> Tables:
    """Tables of particles and settings, as twin/compiled/ticks.py takes them."""
    found = trapped_table()
    proton, electron = found.protons["min"], found.electrons["min"]
    axes = zip(
        found.first + proton.first + electron.first,
        found.spacing + proton.spacing + electron.spacing,
        found.shape + proton.shape + electron.shape,
        strict=True,
    )
    grid = [(one, 1.0 / two, float(three)) for one, two, three in axes]
    grid.append((_INVERSE_L_LIMIT, _INVERSE_L_STEP, 0.0))
    above = found.heights
    grid.append((above.top_km, above.low_count - 1.0, 0.0))
    grid.append((above.top_radius_frac, 1.0 / above.spacing_frac, 0.0))
    common = np.zeros(4)
    common[r.STRETCH] = 1.0 / (1.0 - EARTH_FLATTENING_FRAC) if settings.oblate_shadow else 1.0
    common[r.SINE2] = math.sin(network.ELEVATION_MASK_RAD) ** 2
    common[r.ALBEDO], common[r.EARTH_IR] = settings.albedo_frac, settings.earth_ir_w_m2
    return Tables(
        np.array(grid),
        found.edges[FIELD_1960].view(np.uint64),
        _beside(proton.flux_cm2_s),
        _beside(electron.flux_cm2_s),
        _by_inverse_l(settings.space_weather.potential_mv),
        common,
    )


def _beside(flux_cm2_s: NDArray[np.float32]) -> NDArray[np.uint64]:
    # Each value and its successor in one 64-bit word, in the order of the flat table.
    flat = flux_cm2_s.ravel()
    return np.stack([flat, np.append(flat[1:], flat[-1:])], axis=1).view(np.uint64).ravel()
