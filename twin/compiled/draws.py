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
def exponential(stream: Any, key: Any, counter: int) -> float:
    """twin/noise.py, exponential: of one stream's 64-bit key."""
    state = _mixed(key ^ stream)
    bits = _mixed(state ^ _mixed(np.uint64(counter) * _GOLDEN + _GOLDEN))
    return -math.log1p(-((np.float64(bits >> _12) + 0.5) * 2.0**-52))


@njit(error_model="numpy", cache=True)
def set_due(s: Any, i: int, c: Any) -> None:
    """Fluences and time at which the next event of satellite i is due."""
    due = math.inf
    for kind in (SDC, ACCEL_SEFI, HOST_CPU_SEFI, HOST_RAM_SEFI):
        due = min(due, s[r.THRESHOLD + kind, i] / max(c[k.RATES + kind], 1e-300))
    s[r.DUE_FLUENCE, i] = due
    memory = min(s[r.THRESHOLD + UECC, i], s[r.CECC_THRESHOLD, i] / CECC_PER_UECC)
    s[r.DUE_MEMORY, i] = memory / max(c[k.RATES + UECC], 1e-300)
    due = math.inf
    for kind in (SEL, HARD_FAIL):
        due = min(due, s[r.THRESHOLD + kind, i] / max(c[k.RATES + kind], 1e-300))
    s[r.DUE_S, i] = due


@njit(error_model="numpy", cache=True)
def hazard(s: Any, i: int, c: Any, kind: int, exposed_s: float) -> float:
    """Expected events of a kind so far."""
    if kind == UECC:
        return float(c[k.RATES + kind] * s[r.MEMORY_FLUENCE, i])
    if kind in (SEL, HARD_FAIL):
        return float(c[k.RATES + kind] * exposed_s)
    return float(c[k.RATES + kind] * s[r.FLUENCE, i])


@njit(error_model="numpy", cache=True)
def set_all_due(s: Any, class_of: Any, constants: Any) -> None:
    """`set_due` for every satellite."""
    for i in range(s.shape[1]):
        set_due(s, i, constants[class_of[i]])


@njit(error_model="numpy", cache=True)
def take_due(
    s: Any, class_of: Any, constants: Any, keys: Any, stream: Any, exposed_s: float, found: Any
) -> int:
    """Count the corrected errors that are due; rows with any other event into `found`.

    Returns how many there are. Their thresholds are the caller's to move on.
    """
    count = 0
    for i in range(s.shape[1]):
        if s[r.DUE, i] == 0.0:
            continue
        c = constants[class_of[i]]
        corrected = hazard(s, i, c, UECC, exposed_s) * CECC_PER_UECC
        while corrected >= s[r.CECC_THRESHOLD, i]:
            s[r.CECC_COUNT, i] += 1.0
            s[r.CECC_THRESHOLD, i] += exponential(stream, keys[i], int(s[r.CECC_COUNT, i]))
        other = False
        for kind in range(7):
            other |= hazard(s, i, c, kind, exposed_s) >= s[r.THRESHOLD + kind, i]
        if other and count < found.size:
            found[count] = i
            count += 1
        set_due(s, i, c)
    return count
