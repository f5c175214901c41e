"""Records of the accelerators of a compiled fleet, compiled: only where something has happened.

The records of a satellite are a list, linked by index. A record has room for what twin/state.py
holds per accelerator: outage, errors, silent corruption, code, and the energy that outages
spared. Outages are kept as they began and aged by the numpy path's own subtraction when they are
looked at, so that the bits are the same.
"""

import math
from typing import Any, Final

import numpy as np
from numba import njit

# Columns of the whole numbers (m, 7) and of the others (m, 3) of a record.
NEXT, INDEX, UECC_COUNT, SDC_COUNT, PENDING, XID, AT_TICK = range(7)
DOWN_S, BEGUN_J, MISSED_J = range(3)  # outage left at AT_TICK; of a sound unit then; spared so far
NONE: Final = -1


@njit(error_model="numpy", cache=True)
def aged_s(down_s: float, ticks: int, step_s: float) -> float:
    """An outage after some ticks [s], by the subtraction of each tick as in the numpy path."""
    if math.isinf(down_s):
        return down_s
    for _ in range(ticks):
        down_s = max(down_s - step_s, 0.0)
        if down_s == 0.0:
            break
    return down_s


@njit(error_model="numpy", cache=True)
def down_s_at(one: int, whole: Any, other: Any, tick: int, step_s: float) -> float:
    """Outage of a record's accelerator that is left at a tick [s]."""
    return aged_s(other[one, DOWN_S], tick - whole[one, AT_TICK], step_s)


@njit(error_model="numpy", cache=True)
def record_of(index: int, row: int, head: Any, whole: Any, other: Any, used: Any) -> int:
    """The record of accelerator `index` of a satellite, a new one where it has none."""
    one = head[row]
    while one != NONE:
        if whole[one, INDEX] == index:
            return int(one)
        one = whole[one, NEXT]
    one = used[0]
    used[0] += 1
    whole[one] = 0
    other[one] = 0.0
    whole[one, NEXT], whole[one, INDEX] = head[row], index
    head[row] = one
    return int(one)


@njit(error_model="numpy", cache=True)
def outages_s(whole: Any, other: Any, tick: int, step_s: float) -> Any:
    """Outage left of each record's accelerator after a tick [s], (m,)."""
    left_s = np.empty(len(whole))
    for one in range(len(whole)):
        left_s[one] = down_s_at(one, whole, other, tick, step_s)
    return left_s


@njit(error_model="numpy", cache=True)
def owners(head: Any, whole: Any) -> Any:
    """The place in `head` of each record's satellite, (m,), -1 where it is not there."""
    found = np.full(len(whole), -1, dtype=np.int64)
    for row in range(head.size):
        one = head[row]
        while one != NONE:
            found[one] = row
            one = whole[one, NEXT]
    return found
