"""Ticks of a fleet in one call: tile after tile, and for each all ticks, in the order of stages.

A tile stops after the sky of a tick in which one of its satellites has an event, so that the rare
consequences of events are those of the numpy path (twin/upsets.py); the caller handles the stops
of all tiles together and resumes each at the plant of its tick. Tiles share nothing, so any
number of threads gives the same bytes.
"""

import math
from typing import Any

import numpy as np
from numba import njit, prange

from twin.battery_ageing import AGEING_INTERVAL_S
from twin.compiled import classes as k
from twin.compiled import rows as r
from twin.compiled.battery import age, close_cycles, look_ahead
from twin.compiled.draws import take_due
from twin.compiled.functions import kernel
from twin.compiled.heat import heat
from twin.compiled.particles import cosmic_rays, expose, map_places, trapped
from twin.compiled.plant import flow, grant, wish, work
from twin.compiled.sky import contacts, discs, places
from twin.constants import SECONDS_PER_JULIAN_YEAR
from twin.heat_network import PART_LIMIT_S
from twin.power import ARRAY_POINTING_COS, ARRAY_REFERENCE_W_M2


@njit(parallel=True, error_model="numpy", cache=True)
def run(
    todo: Any,
    reached: Any,
    resume: bool,
    due: Any,
    s: Any,
    begin: Any,
    end: Any,
    class_of: Any,
    constants: Any,
    matrices: Any,
    keys: Any,
    table: Any,
    sites: Any,
    axes: Any,
    edges: Any,
    protons: Any,
    electrons: Any,
    cosmic: Any,
    settings: Any,
    step_s: float,
    stream: Any,
) -> None:
    """Run tiles `todo` from the ticks they have reached to the end of the table, or to an event.

    reached (tiles,): moved on. due (tiles, TILE): 1 where a tile stopped for the satellite.
    s (tiles, ROWS TILE); begin, end: knots (tiles, 6 TILE); class_of (tiles,); keys (tiles, TILE);
    sites (ticks, k, 7) in the frame of the satellites; axes, edges, protons, electrons, cosmic:
    tables of particles; settings: see almanac.py. resume: the tiles have seen the events of the
    tick they have reached.
    """
    for each in prange(todo.size):
        tile = todo[each]
        index = class_of[tile]
        reached[tile] = _run_tile(
            reached[tile],
            resume,
            due[tile],
            s[tile],
            begin[tile],
            end[tile],
            constants[index],
            matrices[index],
            keys[tile],
            table,
            sites,
            axes,
            edges,
            protons,
            electrons,
            cosmic,
            settings,
            step_s,
            stream,
            np.empty(r.WORK_ROWS * r.TILE),
            np.empty(r.TILE, dtype=np.int64),
            np.empty(r.TILE),
        )


@kernel
def _run_tile(
    first: int,
    resume: bool,
    due: Any,
    s: Any,
    begin: Any,
    end: Any,
    c: Any,
    m: Any,
    keys: Any,
    table: Any,
    sites: Any,
    axes: Any,
    edges: Any,
    protons: Any,
    electrons: Any,
    cosmic: Any,
    settings: Any,
    step_s: float,
    stream: Any,
    w: Any,
    chosen: Any,
    spare_w: Any,
) -> int:
    talks = (c[k.RELAYED] == 0.0) & (c[k.GROUND_BIT_S] > 0.0)
    for tick in range(first, table.shape[0]):
        now = table[tick]
        if places(begin, end, now, settings[r.STRETCH], w) > 0:
            discs(w)
        if talks:  # else nothing depends on it
            contacts(sites[tick], settings[r.SINE2], w)
        if not (resume and tick == first):
            map_places(axes, now, w)
            trapped(edges, protons, electrons, axes, w)
            cosmic_rays(edges, cosmic, axes, w)
            looked_at = expose(s, w, c, now, step_s)
            if looked_at > 0 and take_due(s, w, c, keys, stream, now, due) > 0:
                return tick
        _plant(s, w, c, m, now, begin, end, settings, step_s, chosen, spare_w)
    return int(table.shape[0])


@kernel
def _plant(
    s: Any,
    w: Any,
    c: Any,
    m: Any,
    now: Any,
    begin: Any,
    end: Any,
    settings: Any,
    step_s: float,
    chosen: Any,
    spare_w: Any,
) -> None:
    elapsed_s = now[r.ELAPSED]
    ageing = max(1.0 - c[k.ARRAY_LOSS] * elapsed_s / SECONDS_PER_JULIAN_YEAR, 0.0)
    rated_w = c[k.ARRAY_W] * ageing * now[r.IRRADIANCE]
    rated_w *= ARRAY_POINTING_COS / ARRAY_REFERENCE_W_M2 * c[k.CONVERTER_FRAC]
    if wish(s, w, c, now, step_s) > 0:
        look_ahead(s, w, c, now, begin, end, rated_w, chosen, spare_w)
    grant(s, w, c, rated_w, step_s)
    if flow(s, w, c, step_s) > 0:
        close_cycles(s, w)
    work(s, w, c, step_s)
    turns = math.floor(elapsed_s / AGEING_INTERVAL_S)
    turns -= math.floor((elapsed_s - step_s) / AGEING_INTERVAL_S)
    if turns > 0:
        age(s, AGEING_INTERVAL_S * turns, c[k.CAPACITY_J] > 0.0)
    parts = math.ceil(step_s / PART_LIMIT_S)
    for part in range(parts):
        first, last = part == 0, part == parts - 1
        heat(s, w, c, m, now, settings[r.ALBEDO], settings[r.EARTH_IR], step_s, first, last)
