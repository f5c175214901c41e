"""Ticks of a whole fleet in one call: the order of the stages, compiled.

Stops after the sky of a tick in which an event is due, so that the rare consequences of events
are drawn by the numpy path (twin/upsets.py); the caller resumes with the plant of that tick.
"""

import math
from typing import Any

import numpy as np
from numba import njit

from twin.battery_ageing import AGEING_INTERVAL_S
from twin.compiled import classes as k
from twin.compiled import rows as r
from twin.compiled.battery import age, close_cycles, look_ahead
from twin.compiled.draws import take_due
from twin.compiled.heat import heat
from twin.compiled.plant import expose, work_and_power
from twin.compiled.sky import contacts, cosmic_rays, discs, map_places, particles, places
from twin.constants import SECONDS_PER_JULIAN_YEAR
from twin.heat_network import PART_LIMIT_S
from twin.power import ARRAY_POINTING_COS, ARRAY_REFERENCE_W_M2


@njit(error_model="numpy", cache=True)
def run(
    s: Any,
    begin: Any,
    end: Any,
    bounds: Any,
    constants: Any,
    matrices: Any,
    table: Any,
    first: int,
    last: int,
    resume: bool,
    stop: bool,
    sky: Any,
    step_s: float,
    class_of: Any,
    keys: Any,
    stream: Any,
    found: Any,
) -> tuple[int, int]:
    """Run ticks first to last of the table.

    Returns the tick at which it stopped for events, or `last`, and how many satellites have one:
    their rows are in `found` (n,). Corrected errors are counted on the way.

    s (ROWS, n); begin, end: knots (6, n); bounds (classes + 1,): rows of each class; sky: sites,
    mask, map axes, map, flux, stretch, albedo, Earth's infrared. resume: the sky of `first` is
    done. stop: return after the sky of `first`, due or not.
    """
    for tick in range(first, last):
        now = table[tick]
        if not (resume and tick == first):
            _sky(s, begin, end, now, sky)
            _expose(s, bounds, constants, now, step_s)
            count = 0
            if s[r.DUE].max() > 0.0:
                exposed_s = now[r.EXPOSED]
                count = take_due(s, class_of, constants, keys, stream, exposed_s, found)
            if stop or count > 0:
                return tick, count
        _plant(s, begin, end, bounds, constants, matrices, now, sky, step_s)
    return last, 0


@njit(error_model="numpy", cache=True)
def _sky(s: Any, begin: Any, end: Any, now: Any, sky: Any) -> None:
    sites, sine2, axes, edges, protons, electrons, cosmic, stretch, _, _ = sky
    xs, ys, zs = s[r.X], s[r.Y], s[r.Z]
    places(
        begin[0],
        begin[1],
        begin[2],
        begin[3],
        begin[4],
        begin[5],
        end[0],
        end[1],
        end[2],
        end[3],
        end[4],
        end[5],
        now[r.WEIGHTS : r.WEIGHTS + 8],
        now[r.SUN : r.SUN + 7],
        stretch,
        xs,
        ys,
        zs,
        s[r.VIEW],
        s[r.ZENITH],
        s[r.DIURNAL],
        s[r.LIT],
    )
    discs(s[r.LIT])
    contacts(
        _turned(sites, now[r.COS_SIDEREAL], now[r.SIN_SIDEREAL]), sine2, xs, ys, zs, s[r.CONTACT]
    )
    # Flags and caps are set later in the tick: until then their row holds the other longitude.
    other = s[r.AHEAD]
    map_places(axes, now[r.TURN], now[r.DRIFT], xs, ys, zs, other)
    particles(edges, protons, electrons, axes, xs, ys, zs, s[r.PROTONS], s[r.ELECTRONS])
    cosmic_rays(edges, cosmic, axes, xs, ys, other, s[r.VIEW], s[r.COSMIC])


@njit(error_model="numpy", cache=True)
def _turned(sites: Any, cosine: float, sine: float) -> Any:
    # Sites from the Earth's frame to that of the satellites.
    out = sites.copy()
    for first in (0, 3):
        out[:, first] = cosine * sites[:, first] - sine * sites[:, first + 1]
        out[:, first + 1] = sine * sites[:, first] + cosine * sites[:, first + 1]
    return out


@njit(error_model="numpy", cache=True)
def _expose(s: Any, bounds: Any, constants: Any, now: Any, step_s: float) -> None:
    for index in range(bounds.size - 1):
        a, b = bounds[index], bounds[index + 1]
        expose(
            constants[index],
            step_s,
            now[r.EXPOSED],
            s[r.PROTONS, a:b],
            s[r.ELECTRONS, a:b],
            s[r.COSMIC, a:b],
            s[r.FLUENCE, a:b],
            s[r.MEMORY_FLUENCE, a:b],
            s[r.DUE_FLUENCE, a:b],
            s[r.DUE_MEMORY, a:b],
            s[r.DUE_S, a:b],
            s[r.DOSE, a:b],
            s[r.DOSE_RATE, a:b],
            s[r.HOST_DOWN, a:b],
            s[r.DUE, a:b],
        )


@njit(error_model="numpy", cache=True)
def _plant(
    s: Any,
    begin: Any,
    end: Any,
    bounds: Any,
    constants: Any,
    matrices: Any,
    now: Any,
    sky: Any,
    step_s: float,
) -> None:
    elapsed_s, irradiance = now[r.ELAPSED], now[r.IRRADIANCE]
    for index in range(bounds.size - 1):
        a, b, c = bounds[index], bounds[index + 1], constants[index]
        ageing = max(1.0 - c[k.ARRAY_LOSS] * elapsed_s / SECONDS_PER_JULIAN_YEAR, 0.0)
        rated_w = c[k.ARRAY_W] * ageing * irradiance * (ARRAY_POINTING_COS / ARRAY_REFERENCE_W_M2)
        rated_w *= c[k.CONVERTER_FRAC]
        battery_k, array_k = s[r.TEMPERATURE + 4, a:b], s[r.TEMPERATURE + 6, a:b]
        look_ahead(
            c,
            step_s,
            elapsed_s,
            rated_w,
            now[r.WEIGHTS : r.WEIGHTS + 8],
            now[r.SUN : r.SUN + 7],
            begin[0, a:b],
            begin[1, a:b],
            begin[2, a:b],
            begin[3, a:b],
            begin[4, a:b],
            begin[5, a:b],
            end[0, a:b],
            end[1, a:b],
            end[2, a:b],
            end[3, a:b],
            end[4, a:b],
            end[5, a:b],
            s[r.LIT, a:b],
            s[r.DIURNAL, a:b],
            s[r.PHASE, a:b],
            s[r.DOSE, a:b],
            s[r.UP_COUNT, a:b],
            s[r.HOST_DOWN, a:b],
            s[r.THROTTLE, a:b],
            battery_k,
            array_k,
            s[r.SOC, a:b],
            s[r.HEALTH, a:b],
            s[r.HEATER_W, a:b],
            s[r.UNSERVED_W, a:b],
            s[r.MODE, a:b],
            s[r.DWELL, a:b],
            s[r.QUEUE, a:b],
            s[r.AHEAD, a:b],
        )
        work_and_power(
            c,
            step_s,
            elapsed_s,
            rated_w,
            s[r.LIT, a:b],
            s[r.DIURNAL, a:b],
            s[r.CONTACT, a:b],
            s[r.PHASE, a:b],
            s[r.DOSE, a:b],
            s[r.AHEAD, a:b],
            s[r.HEALTH, a:b],
            s[r.UP_COUNT, a:b],
            s[r.HOST_DOWN, a:b],
            s[r.THROTTLE, a:b],
            battery_k,
            array_k,
            s[r.SOC, a:b],
            s[r.CURRENT, a:b],
            s[r.VOLTAGE, a:b],
            s[r.THROUGHPUT, a:b],
            s[r.LOW_SOC, a:b],
            s[r.ARRAY_W, a:b],
            s[r.LOAD_W, a:b],
            s[r.COMPUTE_W, a:b],
            s[r.HEATER_W, a:b],
            s[r.UNSERVED_W, a:b],
            s[r.AVAILABLE_W, a:b],
            s[r.BATTERY_HEAT, a:b],
            s[r.EXTREME, a:b],
            s[r.REVERSAL, a:b],
            s[r.TURNED, a:b],
            s[r.MODE, a:b],
            s[r.DWELL, a:b],
            s[r.QUEUE, a:b],
            s[r.AGE, a:b],
            s[r.DELIVERED, a:b],
            s[r.OFFERED, a:b],
            s[r.REFUSED, a:b],
            s[r.AT_RISK, a:b],
            s[r.UTILISATION, a:b],
            s[r.BACKLOG, a:b],
            s[r.UNIT_ENERGY, a:b],
        )
        close_cycles(
            s[r.TURNED, a:b],
            battery_k,
            s[r.REVERSAL : r.REVERSAL + 8, a:b],
            s[r.LIFE, a:b],
        )
        turns = np.floor(elapsed_s / AGEING_INTERVAL_S)
        turns -= np.floor((elapsed_s - step_s) / AGEING_INTERVAL_S)
        if turns > 0.0:
            lapse_s, present = AGEING_INTERVAL_S * turns, c[k.CAPACITY_J] > 0.0
            age(lapse_s, present, s[r.SOC, a:b], battery_k, s[r.LIFE, a:b], s[r.HEALTH, a:b])
        parts = math.ceil(step_s / PART_LIMIT_S)
        for part in range(parts):
            heat(
                c,
                matrices[index],
                step_s,
                part == 0,
                part == parts - 1,
                irradiance,
                sky[8],
                sky[9],
                s[r.LIT, a:b],
                s[r.VIEW, a:b],
                s[r.ZENITH, a:b],
                s[r.UP_COUNT, a:b],
                s[r.ARRAY_W, a:b],
                s[r.LOAD_W, a:b],
                s[r.COMPUTE_W, a:b],
                s[r.HEATER_W, a:b],
                s[r.BATTERY_HEAT, a:b],
                s[r.THROTTLE, a:b],
                s[r.RADIATED, a:b],
                s[r.ABSORBED, a:b],
                s[r.TEMPERATURE, a:b],
                s[r.TEMPERATURE + 1, a:b],
                s[r.TEMPERATURE + 2, a:b],
                s[r.TEMPERATURE + 3, a:b],
                battery_k,
                s[r.TEMPERATURE + 5, a:b],
                array_k,
            )
