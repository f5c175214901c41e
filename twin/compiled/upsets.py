"""What events do to a satellite and its accelerators, compiled: twin/upsets.py for one at a time.

The records of accelerators are those of twin/compiled/accelerators.py.
"""

import math
from typing import Any, Final

from numba import njit

from twin.compiled import classes as k
from twin.compiled import rows as r
from twin.compiled.accelerators import (
    AT_TICK,
    BEGUN_J,
    DOWN_S,
    MISSED_J,
    NEXT,
    NONE,
    PENDING,
    SDC_COUNT,
    UECC_COUNT,
    XID,
    down_s_at,
    record_of,
)
from twin.compiled.draws import derived_key, exponential, hazard, set_due, uniform
from twin.radiation import ACCELS_PER_HOST_COUNT
from twin.upsets import (
    ACCEL_RESET_S,
    ACCEL_SEFI,
    CANARY_INTERVAL_S,
    CONTAINED_FRAC,
    HARD_FAIL,
    HOST_CPU_SEFI,
    HOST_RAM_SEFI,
    HOST_REBOOT_S,
    RAIL_CUT_S,
    SCRUBBED_FRAC,
    SDC,
    SEL,
    UECC,
    XID_CONTAINED,
    XID_DOUBLE_BIT,
    XID_OFF_THE_BUS,
    XID_ROW_REMAPPED,
)

_KINDS: Final = 7


@njit(error_model="numpy", cache=True)
def _fall(
    one: int, whole: Any, other: Any, tick: int, step_s: float, down_s: float, energy_j: float
) -> None:
    # Take an outage of at least down_s from this tick on.
    before_s = down_s_at(one, whole, other, tick, step_s)
    if down_s <= before_s:
        return
    if before_s <= 0.0:
        other[one, BEGUN_J] = energy_j
    other[one, DOWN_S], whole[one, AT_TICK] = down_s, tick


@njit(error_model="numpy", cache=True)
def _outage_s(kind: int, outcome: float) -> float:
    if (kind == ACCEL_SEFI) or (kind == UECC and outcome >= SCRUBBED_FRAC + CONTAINED_FRAC):
        return ACCEL_RESET_S
    if kind == SEL:
        return RAIL_CUT_S + ACCEL_RESET_S
    return math.inf if kind == HARD_FAIL else 0.0


@njit(error_model="numpy", cache=True)
def _code(kind: int, outcome: float) -> int:
    if kind == UECC:
        if outcome >= SCRUBBED_FRAC + CONTAINED_FRAC:
            return XID_DOUBLE_BIT
        return XID_ROW_REMAPPED if outcome < SCRUBBED_FRAC else XID_CONTAINED
    return XID_OFF_THE_BUS if kind in (ACCEL_SEFI, HARD_FAIL) else 0


@njit(error_model="numpy", cache=True)
def _settle(
    row: int, head: Any, whole: Any, other: Any, tick: int, step_s: float, energy_j: float
) -> None:
    # Outages that are over by now: what they spared is known.
    one = head[row]
    while one != NONE:
        if other[one, DOWN_S] > 0.0 and down_s_at(one, whole, other, tick, step_s) <= 0.0:
            other[one, MISSED_J] += energy_j - other[one, BEGUN_J]
            other[one, DOWN_S] = 0.0
        one = whole[one, NEXT]


@njit(error_model="numpy", cache=True)
def _strike(
    s: Any,
    i: int,
    key: Any,
    kind: int,
    number: int,
    row: int,
    count: int,
    coded: bool,
    tick: int,
    step_s: float,
    streams: Any,
    head: Any,
    whole: Any,
    other: Any,
    used: Any,
) -> bool:
    """One event; true if it ends what ran. streams: of "see", "see_target" and "see_outcome"."""
    of_kind = derived_key(key, kind)
    draw = uniform(streams[1], of_kind, number)
    outcome = uniform(streams[2], of_kind, number)
    one = record_of(min(int(draw * count), count - 1), row, head, whole, other, used)
    # A unit that fails in this very tick still counts its other events.
    alive = not (math.isinf(other[one, DOWN_S]) and whole[one, AT_TICK] < tick)
    energy_j = s[r.UNIT_ENERGY + i]
    if alive:
        whole[one, PENDING] += 1 if kind == SDC else 0
        whole[one, UECC_COUNT] += 1 if kind == UECC else 0
        code = _code(kind, outcome)
        if coded and code > 0:
            whole[one, XID] = code
    _fall(one, whole, other, tick, step_s, _outage_s(kind, outcome), energy_j)
    if kind in (HOST_CPU_SEFI, HOST_RAM_SEFI):
        hosts = -(-count // ACCELS_PER_HOST_COUNT)
        first = int(draw * hosts) * ACCELS_PER_HOST_COUNT
        for index in range(first, min(first + ACCELS_PER_HOST_COUNT, count)):
            hit = record_of(index, row, head, whole, other, used)
            _fall(hit, whole, other, tick, step_s, HOST_REBOOT_S, energy_j)
        s[r.HOST_DOWN + i] = HOST_REBOOT_S
        return True
    ends = kind in (ACCEL_SEFI, SEL, HARD_FAIL)
    return (ends or (kind == UECC and outcome >= SCRUBBED_FRAC)) and alive


@njit(error_model="numpy", cache=True)
def _undo(s: Any, i: int) -> None:
    # The training work since the last checkpoint is lost.
    undone_s = min(s[r.AT_RISK + i], s[r.DELIVERED + i])
    s[r.DELIVERED + i] -= undone_s
    s[r.LOST + i] += undone_s
    s[r.AT_RISK + i] = 0.0
    s[r.AGE + i] = 0.0
    s[r.KILLS + i] += 1.0


@njit(error_model="numpy", cache=True)
def _is_canary(turn: float, step_s: float) -> bool:
    return math.floor(turn) > math.floor(turn - step_s / CANARY_INTERVAL_S)


@njit(error_model="numpy", cache=True)
def _find_corruption(s: Any, i: int, row: int, count: int, head: Any, whole: Any) -> None:
    found = 0
    one = head[row]
    while one != NONE:
        found += whole[one, PENDING]
        whole[one, SDC_COUNT] += whole[one, PENDING]
        whole[one, PENDING] = 0
        one = whole[one, NEXT]
    share_s = CANARY_INTERVAL_S * s[r.UTILISATION + i] / max(count, 1)
    lost_s = min(found * share_s, s[r.DELIVERED + i])
    s[r.DELIVERED + i] -= lost_s
    s[r.LOST + i] += lost_s


@njit(error_model="numpy", cache=True)
def _next_look(
    s: Any,
    i: int,
    row: int,
    count: int,
    tick: int,
    elapsed_s: float,
    step_s: float,
    head: Any,
    whole: Any,
    other: Any,
) -> None:
    # Accelerators in service, and the next tick at which that changes or a canary finds something.
    down, pending, wait = 0, 0, math.inf
    one = head[row]
    while one != NONE:
        left_s = down_s_at(one, whole, other, tick, step_s)
        down += 1 if left_s > 0.0 else 0
        pending += whole[one, PENDING]
        if 0.0 < left_s < math.inf:
            ticks = 0
            while left_s > 0.0:
                left_s = max(left_s - step_s, 0.0)
                ticks += 1
            wait = min(wait, ticks)
        one = whole[one, NEXT]
    planned = tick + wait
    if pending > 0:
        for ahead in range(1, int(CANARY_INTERVAL_S / step_s) + 3):
            turn = (tick + ahead) * step_s + (elapsed_s - tick * step_s)
            if _is_canary(turn / CANARY_INTERVAL_S + s[r.PHASE + i], step_s):
                planned = min(planned, float(tick + ahead))
                break
    s[r.UP_COUNT + i] = count - down
    s[r.PLANNED + i] = planned


@njit(error_model="numpy", cache=True)
def upset(
    s: Any,
    slots: Any,
    rows: Any,
    now: Any,
    class_of: Any,
    constants: Any,
    keys: Any,
    coded: Any,
    streams: Any,
    step_s: float,
    head: Any,
    whole: Any,
    other: Any,
    used: Any,
) -> None:
    """Events of satellites (d,), each at its own tick: now (d, TICK_COLUMNS).

    s (tiles, ROWS TILE); slots, rows: where a satellite lies and its row of the roster; coded
    (d,): its maker reports codes. head (n,): first record of each satellite; whole, other:
    records; used (1,): how many. In the order of twin/upsets.py: within a tick by kind, of a kind
    the newest first.
    """
    for at in range(slots.size):
        tile, i, row = slots[at] // r.TILE, slots[at] % r.TILE, rows[at]
        t, c, key = s[tile], constants[class_of[tile]], keys[tile, i]
        tick, elapsed_s = int(now[at, r.TICK]), now[at, r.ELAPSED]
        count = int(c[k.ACCEL_COUNT])
        _settle(row, head, whole, other, tick, step_s, t[r.UNIT_ENERGY + i])
        ended = False
        for kind in range(_KINDS):
            expected = hazard(t, i, c, kind, now[at, r.EXPOSED])
            before = int(t[r.COUNT + kind * r.TILE + i])
            number = before
            while expected >= t[r.THRESHOLD + kind * r.TILE + i]:
                number += 1
                gap = exponential(streams[0], derived_key(key, kind), number)
                t[r.THRESHOLD + kind * r.TILE + i] += gap
            t[r.COUNT + kind * r.TILE + i] = number
            for one in range(number, before if count > 0 else number, -1):
                ended |= _strike(
                    t,
                    i,
                    key,
                    kind,
                    one,
                    row,
                    count,
                    coded[at],
                    tick,
                    step_s,
                    streams,
                    head,
                    whole,
                    other,
                    used,
                )
        if ended:
            _undo(t, i)
        if _is_canary(elapsed_s / CANARY_INTERVAL_S + t[r.PHASE + i], step_s):
            _find_corruption(t, i, row, count, head, whole)
        _next_look(t, i, row, count, tick, elapsed_s, step_s, head, whole, other)
        set_due(t, i, c)


@njit(error_model="numpy", cache=True)
def look_again(
    s: Any,
    slots: Any,
    rows: Any,
    class_of: Any,
    constants: Any,
    tick: int,
    step_s: float,
    head: Any,
    whole: Any,
    other: Any,
) -> None:
    """Accelerators in service of satellites (d,) after a tick, and when to look at each next.

    As after an event: for satellites whose records were loaded.
    """
    for at in range(slots.size):
        tile, i = slots[at] // r.TILE, slots[at] % r.TILE
        count = int(constants[class_of[tile], k.ACCEL_COUNT])
        elapsed_s = tick * step_s
        _next_look(s[tile], i, rows[at], count, tick, elapsed_s, step_s, head, whole, other)
