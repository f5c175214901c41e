"""Which of the due satellites have an event, compiled: the counting processes and their draws.

The numbers are those of twin/noise.py and twin/radiation.py; a satellite's next event of each
kind lies at a hazard, here turned into the fluence or time at which the hazard gets there.
"""

import math
from typing import Any, Final

import numpy as np
from numba import njit

from twin.compiled import classes as k
from twin.compiled import rows as r
from twin.upsets import (
    ACCEL_SEFI,
    CECC_PER_UECC,
    HARD_FAIL,
    HOST_CPU_SEFI,
    HOST_RAM_SEFI,
    SDC,
    SEL,
    UECC,
)

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_30: Final = np.uint64(30)
_27: Final = np.uint64(27)
_31: Final = np.uint64(31)
_12: Final = np.uint64(12)


@njit(error_model="numpy", cache=True)
def _mixed(word: Any) -> Any:
    word = (word ^ (word >> _30)) * _MIX_1
    word = (word ^ (word >> _27)) * _MIX_2
    return word ^ (word >> _31)


@njit(error_model="numpy", cache=True)
def derived_key(key: Any, index: int) -> Any:
    """twin/noise.py, derived_keys."""
    return _mixed(key ^ _mixed(np.uint64(index) * _GOLDEN + _GOLDEN))


@njit(error_model="numpy", cache=True)
def uniform(stream: Any, key: Any, counter: int) -> float:
    """twin/noise.py, uniform: of one stream's 64-bit key."""
    state = _mixed(key ^ stream)
    bits = _mixed(state ^ _mixed(np.uint64(counter) * _GOLDEN + _GOLDEN))
    return float((np.float64(bits >> _12) + 0.5) * 2.0**-52)


@njit(error_model="numpy", cache=True)
def exponential(stream: Any, key: Any, counter: int) -> float:
    """twin/noise.py, exponential."""
    return -math.log1p(-uniform(stream, key, counter))


@njit(error_model="numpy", cache=True)
def set_due(s: Any, i: int, c: Any) -> None:
    """Fluences and time at which the next event of satellite i of a tile is due."""
    due = math.inf
    for kind in (SDC, ACCEL_SEFI, HOST_CPU_SEFI, HOST_RAM_SEFI):
        due = min(due, s[r.THRESHOLD + kind * r.TILE + i] / max(c[k.RATES + kind], 1e-300))
    s[r.DUE_FLUENCE + i] = due
    memory = min(s[r.THRESHOLD + UECC * r.TILE + i], s[r.CECC_THRESHOLD + i] / CECC_PER_UECC)
    s[r.DUE_MEMORY + i] = memory / max(c[k.RATES + UECC], 1e-300)
    due = math.inf
    for kind in (SEL, HARD_FAIL):
        due = min(due, s[r.THRESHOLD + kind * r.TILE + i] / max(c[k.RATES + kind], 1e-300))
    s[r.DUE_S + i] = due


@njit(error_model="numpy", cache=True)
def hazard(s: Any, i: int, c: Any, kind: int, exposed_s: float) -> float:
    """Expected events of a kind so far."""
    if kind == UECC:
        return float(c[k.RATES + kind] * s[r.MEMORY_FLUENCE + i])
    if kind in (SEL, HARD_FAIL):
        return float(c[k.RATES + kind] * exposed_s)
    return float(c[k.RATES + kind] * s[r.FLUENCE + i])


@njit(error_model="numpy", cache=True)
def set_all_due(s: Any, at: Any, class_of: Any, constants: Any) -> None:
    """`set_due` for satellites `at` of a fleet: tile times TILE plus place in the tile."""
    for one in at:
        tile = one // r.TILE
        set_due(s[tile], one % r.TILE, constants[class_of[tile]])


@njit(error_model="numpy", cache=True)
def take_due(s: Any, w: Any, c: Any, keys: Any, stream: Any, now: Any, found: Any) -> int:
    """Count the corrected errors that are due; `found` (TILE,) is 1 where there is anything else.

    Returns how many there are. Their thresholds are the caller's to move on.
    """
    count = 0
    exposed_s = now[r.EXPOSED]
    for i in range(r.TILE):
        found[i] = 0
        if w[r.DUE + i] == 0.0:
            continue
        corrected = hazard(s, i, c, UECC, exposed_s) * CECC_PER_UECC
        while corrected >= s[r.CECC_THRESHOLD + i]:
            s[r.CECC_COUNT + i] += 1.0
            s[r.CECC_THRESHOLD + i] += exponential(stream, keys[i], int(s[r.CECC_COUNT + i]))
        other = now[r.TICK] >= s[r.PLANNED + i]
        for kind in range(7):
            other |= hazard(s, i, c, kind, exposed_s) >= s[r.THRESHOLD + kind * r.TILE + i]
        if other:
            found[i] = 1
            count += 1
        set_due(s, i, c)
    return count
