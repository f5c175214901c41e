"""Links that are being acquired again in a compiled fleet.

No kernel keeps them, as nothing in the plant depends on links. They need no more of the past than
the longest acquisition: its ticks are gone through again when somebody looks.
"""

import math
from dataclasses import replace

import numpy as np

from twin import network
from twin.compiled.engine import CompiledFleet
from twin.state import Fleet, FleetState, FloatArray


def link_acquire_s(engine: CompiledFleet, fleet: Fleet) -> FloatArray:
    """Time until each link carries data again after the last tick [s], (n, 4).

    `fleet` is the roster's, links to rows of it. Equation as network.next_acquire_s, from the tick
    that the longest acquisition (params.link_acquire_s) reaches back to, or from the state that
    was loaded where that is later.

    Validity: a link's past before that tick cannot matter: by now it has been acquired or lost
    again.
    Source: network.next_acquire_s, of which this gives the same numbers.
    """
    params, step_s = fleet.params, engine.step_s
    wanted = (fleet.neighbour_index >= 0) & (params.link_rate_bit_s > 0.0)[:, np.newaxis]
    longest_s = float(params.link_acquire_s.max(initial=0.0, where=wanted.any(axis=1)))
    first = engine.tick - math.ceil(longest_s / step_s)
    begun, acquire_s = engine.loaded_links()
    if first > begun:
        acquire_s = np.zeros_like(acquire_s)
    if longest_s <= 0.0 and not acquire_s.any():
        return acquire_s
    for tick in range(max(first, begun + 1), engine.tick + 1):
        position_m = engine.motion(tick * step_s).position_teme_m
        range_m = network.link_range_m(position_m, fleet.neighbour_index, params)
        acquire_s = network.next_acquire_s(
            acquire_s, range_m, fleet.neighbour_index, params, step_s
        )
    return acquire_s


def with_links(state: FleetState, acquire_s: FloatArray) -> FleetState:
    """The state with links that are being acquired, (n, 4) [s]: they carry nothing yet."""
    range_m = np.where(acquire_s > 0.0, np.nan, state.link_range_m)
    return replace(state, link_range_m=range_m, link_acquire_s=acquire_s)
