"""Battery ageing: cycles counted as they close, stress of each, capacity and resistance left.

Cycles are found by rainflow counting on the state of charge, streaming: each satellite keeps
its running extreme and at most REVERSALS open reversals, so that years cost no memory. The
life used is turned into capacity once a minute: it moves by parts in ten million.
"""

from typing import Final, NamedTuple

import numpy as np

from twin.replacing import replace
from twin.state import BoolArray, FleetParams, FleetState, FloatArray, IntArray

REVERSALS: Final = 8
"""Open reversals kept per satellite; one more and the oldest range is closed as half a cycle."""
CYCLE_DEADBAND_FRAC: Final = 0.002  # swings smaller than the gauge resolves; assumption
AGEING_INTERVAL_S: Final = 60.0  # calendar stress and health are brought up to date this often

# Xu, Oudalov, Ulbig, Andersson & Kirschen 2016, "Modeling of lithium-ion battery degradation for
# cell life assessment", IEEE Trans. Smart Grid 9(2), table I (LMO cell); confidence: memory.
DEPTH_K1: Final = 1.40e5
DEPTH_K2: Final = -0.501
DEPTH_K3: Final = -1.23e5
CHARGE_STRESS: Final = 1.04
CHARGE_REFERENCE_FRAC: Final = 0.5
TEMPERATURE_STRESS_PER_K: Final = 0.0693
TEMPERATURE_REFERENCE_K: Final = 298.15
CALENDAR_PER_S: Final = 4.14e-10
FILM_SHARE_FRAC: Final = 5.75e-2  # capacity that goes into the first film
FILM_RATE: Final = 121.0
# Internal resistance at 80 % capacity is half as much again as when new: the middle of what
# published cycling of nickel-rich 18650 cells shows (Schmalstieg et al. 2014); assumption.
RESISTANCE_GROWTH_PER_FADE: Final = 2.5


class CycleCount(NamedTuple):
    """Rainflow counting under way, and what the last sample closed."""

    extreme_frac: FloatArray  # (n,) farthest value since the last reversal
    reversal_frac: FloatArray  # (n, REVERSALS) open reversals, newest first, then nan
    closed: "ClosedCycles"


class ClosedCycles(NamedTuple):
    """Cycles closed by one sample, one entry each."""

    row: IntArray
    depth_frac: FloatArray
    mean_frac: FloatArray
    weight: FloatArray  # 1 whole, 0.5 half


def no_reversals_frac(soc_frac: FloatArray) -> FloatArray:
    """Open reversals before any sample but the first [0-1], (n, REVERSALS): the first is one.

    Validity: the start of a history.
    Source: by definition: ASTM E1049-85 (2017), 5.4.4, starting point.
    """
    open_frac = np.full((soc_frac.size, REVERSALS), np.nan)
    open_frac[:, 0] = soc_frac
    return open_frac


def count_cycles(
    soc_frac: FloatArray, extreme_frac: FloatArray, reversal_frac: FloatArray
) -> CycleCount:
    """Take one more sample of the state of charge into the count, (n,) each, (n, REVERSALS).

    A reversal is the running extreme once the charge has moved CYCLE_DEADBAND_FRAC back from
    it. Each reversal goes through the three-point rule of ASTM E1049-85 (2017), 5.4.4: with X
    the newest range and Y the one before, X >= Y closes Y, as half a cycle where Y holds the
    start of the history and as one otherwise. Equal to the reference count (package rainflow)
    while no more than REVERSALS reversals stay open; beyond that the oldest range closes early
    as half a cycle, as it would at the end of the history.

    Validity: histories with no more than REVERSALS open reversals are exact.
    Source: ASTM E1049-85 (2017), 5.4.4.
    """
    course = extreme_frac - reversal_frac[:, 0]  # positive while the charge rises
    step = soc_frac - extreme_frac
    onward = course * step >= 0.0
    turned = ~onward & (np.abs(step) >= CYCLE_DEADBAND_FRAC)
    new_extreme = np.where(onward | turned, soc_frac, extreme_frac)
    rows = np.flatnonzero(turned)
    if not rows.size:
        return CycleCount(new_extreme, reversal_frac, _nothing_closed())
    reversal_frac = reversal_frac.copy()
    stack, closed = _with_reversals(rows, reversal_frac[rows], extreme_frac[rows])
    reversal_frac[rows] = stack
    return CycleCount(new_extreme, reversal_frac, closed)


def open_cycles(extreme_frac: FloatArray, reversal_frac: FloatArray) -> ClosedCycles:
    """What is still open at the end of a history: its last sample is a reversal, every range
    left is half a cycle (ASTM E1049 5.4.4).
    """
    rows = np.arange(extreme_frac.size)
    moved = np.flatnonzero(extreme_frac != reversal_frac[:, 0])
    stack = reversal_frac.copy()
    stack[moved], ended = _with_reversals(moved, stack[moved], extreme_frac[moved])
    row, place = np.nonzero(np.isfinite(stack[:, 1:]))
    ends = np.stack([stack[row, place], stack[row, place + 1]], axis=1)
    rest = _closed(rows[row], ends, np.full(row.size, 0.5))
    return _joined([ended, rest])


def cycle_stress(depth_frac: FloatArray) -> FloatArray:
    """Life used by one whole cycle of this depth at 50 % charge and 25 C [1], any shape.

    S_d = 1 / (k1 d^k2 + k3); Xu et al. 2016, eq. 24. Depth 0-1; 0 uses nothing.

    Validity: depths of 0-1, lithium manganese oxide cells as fitted.
    Source: Xu et al. 2016, IEEE Trans. Smart Grid 9, 1131, eq. 24.
    """
    depth = np.maximum(depth_frac, 1e-9)
    return np.asarray(1.0 / (DEPTH_K1 * depth**DEPTH_K2 + DEPTH_K3))


def state_stress(soc_frac: FloatArray, battery_temp_k: FloatArray) -> FloatArray:
    """Factor of charge and temperature on every stress [1], any shape; 1 at 50 % and 25 C.

    S_s S_T = exp(1.04 (s - 0.5)) exp(0.0693 (T - 25 C) 298.15 K / T); Xu et al. 2016, eq. 20
    and 22. Validity: 288 K and above; below that cold charging dominates and is not in it.

    Source: Xu et al. 2016, IEEE Trans. Smart Grid 9, 1131, eq. 20 and 22.
    """
    warmth = (battery_temp_k - TEMPERATURE_REFERENCE_K) * TEMPERATURE_REFERENCE_K / battery_temp_k
    charge = CHARGE_STRESS * (soc_frac - CHARGE_REFERENCE_FRAC)
    return np.asarray(np.exp(charge + TEMPERATURE_STRESS_PER_K * warmth))


def capacity_left_frac(life_used: FloatArray) -> FloatArray:
    """Capacity over that of the new battery [0-1], any shape, from the life used f,
    `life_used` [1].

    C = a exp(-121 f) + (1 - a) exp(-f), a = 0.0575 (film growth first, then linear fade);
    Xu et al. 2016, eq. 12. Validity: to 70 % capacity; no sudden failure at the end of life.

    Source: Xu et al. 2016, IEEE Trans. Smart Grid 9, 1131, eq. 12.
    """
    film = FILM_SHARE_FRAC * np.exp(-FILM_RATE * life_used)
    return np.asarray(film + (1.0 - FILM_SHARE_FRAC) * np.exp(-life_used))


def resistance_growth(health_frac: FloatArray) -> FloatArray:
    """Resistance over that of the new battery [1], any shape: 1 + 2.5 (1 - C / C0).

    Validity: `health_frac` of 0.7-1.
    Source: assumption: linear in the lost capacity, beside RESISTANCE_GROWTH_PER_FADE in
    `twin/battery_ageing.py`.
    """
    return np.asarray(1.0 + RESISTANCE_GROWTH_PER_FADE * (1.0 - health_frac))


def aged_params(params: FleetParams, health_frac: FloatArray) -> FleetParams:
    """The same fleet with the capacity and resistance that its batteries have left, (n,)."""
    return replace(
        params,
        battery_capacity_j=params.battery_capacity_j * health_frac,
        battery_resistance_ohm=params.battery_resistance_ohm * resistance_growth(health_frac),
    )


def with_ageing(
    state: FleetState,
    battery_temp_k: FloatArray,
    params: FleetParams,
    step_s: float,
    elapsed_s: float,
) -> FleetState:
    """State after one tick of ageing; state of charge and temperature (n,) are the tick's.

    f = sum n S_d S_s S_T + k_t integral S_s S_T dt (Xu et al. 2016, eq. 25). A cycle takes its
    own mean charge and the temperature at which it closes. The part of a fading battery's
    charge that fades with it is lost: some 1e-9 of the stored energy a minute.

    Validity: ticks within which the charge moves one way.
    Source: Xu et al. 2016, IEEE Trans. Smart Grid 9, 1131, eq. 25.
    """
    count = count_cycles(state.soc_frac, state.cycle_extreme_frac, state.cycle_reversal_frac)
    life = state.battery_life_used
    closed = count.closed
    if closed.row.size:
        stress = cycle_stress(closed.depth_frac) * closed.weight
        stress = stress * state_stress(closed.mean_frac, battery_temp_k[closed.row])
        life = life + np.bincount(closed.row, weights=stress, minlength=life.size)
    turns = np.floor(elapsed_s / AGEING_INTERVAL_S)
    turns -= np.floor((elapsed_s - step_s) / AGEING_INTERVAL_S)
    health = state.battery_health_frac
    if turns > 0.0:
        calendar = CALENDAR_PER_S * AGEING_INTERVAL_S * turns
        life = life + calendar * state_stress(state.soc_frac, battery_temp_k)
        present = params.battery_capacity_j > 0.0
        health = np.where(present, capacity_left_frac(life), 1.0)
    return replace(
        state,
        battery_life_used=life,
        battery_health_frac=health,
        cycle_extreme_frac=count.extreme_frac,
        cycle_reversal_frac=count.reversal_frac,
    )


def _nothing_closed() -> ClosedCycles:
    nothing = np.zeros(0)
    return ClosedCycles(np.zeros(0, dtype=np.int64), nothing, nothing, nothing)


def _with_reversals(
    rows: IntArray, stack_frac: FloatArray, newest_frac: FloatArray
) -> tuple[FloatArray, ClosedCycles]:
    """Push one reversal on each row's stack (r, REVERSALS) and close what it closes."""
    points = np.column_stack([newest_frac, stack_frac])
    found: list[ClosedCycles] = []
    while True:
        # Ranges to a missing point are nan and close nothing.
        newest, before = np.abs(points[:, 0] - points[:, 1]), np.abs(points[:, 1] - points[:, 2])
        here = np.flatnonzero(newest >= before)
        if not here.size:
            break
        at_start = np.isnan(points[here, 3])
        found.append(_closed(rows[here], points[here, 1:3], np.where(at_start, 0.5, 1.0)))
        points[here] = _without_range(points[here], at_start)
    full = np.flatnonzero(np.isfinite(points[:, REVERSALS]))
    found.append(_closed(rows[full], points[full, REVERSALS - 1 :], np.full(full.size, 0.5)))
    return points[:, :REVERSALS], _joined(found)


def _joined(parts: list[ClosedCycles]) -> ClosedCycles:
    return ClosedCycles(
        np.concatenate([one.row for one in parts]),
        np.concatenate([one.depth_frac for one in parts]),
        np.concatenate([one.mean_frac for one in parts]),
        np.concatenate([one.weight for one in parts]),
    )


def _closed(rows: IntArray, ends_frac: FloatArray, weight: FloatArray) -> ClosedCycles:
    one, other = ends_frac[:, 0], ends_frac[:, 1]
    return ClosedCycles(rows, np.abs(one - other), 0.5 * (one + other), weight)


def _without_range(points: FloatArray, at_start: BoolArray) -> FloatArray:
    """Drop the range before the newest: its older point at the start, both points elsewhere."""
    left = np.full_like(points, np.nan)
    left[:, 0] = points[:, 0]
    left[:, 1:-2] = points[:, 3:]
    left[at_start, 1] = points[at_start, 1]
    return left
