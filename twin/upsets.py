"""What radiation events do: which accelerator is hit, what stops, and what work is lost.

Everything here is O(events) but for the ageing of outages. Outcomes are drawn from counters of
the satellite's key, the kind and the event's number, so they do not depend on ticks or shards.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from twin.noise import derived_keys, exponential, uniform
from twin.radiation import ACCELS_PER_HOST_COUNT
from twin.replacing import replace
from twin.state import SEE_KINDS, BoolArray, Fleet, FleetState, FloatArray, IntArray, KeyArray

SDC, UECC, ACCEL_SEFI, HOST_CPU_SEFI, HOST_RAM_SEFI, SEL, HARD_FAIL = range(len(SEE_KINDS))

ACCEL_RESET_S: Final = 120.0  # drain, reset, reload weights from host memory; assumption
HOST_REBOOT_S: Final = 300.0  # server boot and container start; assumption
RAIL_CUT_S: Final = 10.0  # wait after the current limiter trips; assumption
CANARY_INTERVAL_S: Final = 300.0  # known-answer test "each N min", drill R7; assumption
CECC_PER_UECC: Final = (
    80.0  # corrected per uncorrected error; after Alsat-1, 98.6 % single-bit upsets; assumption
)

# Uncorrectable memory errors: a fifth are met by the scrubber before use (row remapped, no job
# hurt), most are contained to one job, a tenth force a reset. Codes after NVIDIA's Xid catalogue
# (NVIDIA Xid catalogue); shares: assumption.
XID_DOUBLE_BIT: Final = 48
XID_ROW_REMAPPED: Final = 63
XID_OFF_THE_BUS: Final = 79
XID_CONTAINED: Final = 94
SCRUBBED_FRAC: Final = 0.20
CONTAINED_FRAC: Final = 0.70
XID_VENDOR: Final = "nvidia"  # other makers report the same channels without a code


class AcceleratorRows(NamedTuple):
    """How the flat accelerator axis maps to satellites."""

    first: IntArray  # (n + 1,) index of a satellite's first accelerator; last = m
    owner: IntArray  # (m,) satellite of each accelerator


class _Events(NamedTuple):
    """One entry per event."""

    row: IntArray
    kind: IntArray
    key: KeyArray
    number: IntArray  # of this kind on this satellite, from 1


def accelerator_rows(accel_count: IntArray) -> AcceleratorRows:
    """Offsets and owners of the flat accelerator axis, computed once per layout."""
    return _rows_of(accel_count.tobytes())


def accelerators_up_count(accel_down_s: FloatArray, rows: AcceleratorRows) -> IntArray:
    """Accelerators in service on each satellite, (n,)."""
    lengths = np.diff(rows.first)
    down = np.flatnonzero(accel_down_s > 0.0)  # few: outages are rare
    return lengths - np.bincount(rows.owner[down], minlength=lengths.size)


def aged_outages(state: FleetState, step_s: float) -> FleetState:
    """The same state with every outage shorter by step_s; lost accelerators stay lost (inf)."""
    down = np.flatnonzero(state.accel_down_s)  # few of many: outages are rare
    if down.size:
        left_s = state.accel_down_s.copy()
        left_s[down] = np.maximum(left_s[down] - step_s, 0.0)
        state = replace(state, accel_down_s=left_s)
    if state.host_down_s.any():
        state = replace(state, host_down_s=np.maximum(state.host_down_s - step_s, 0.0))
    return state


def with_upsets(
    state: FleetState, new_event_count: IntArray, fleet: Fleet, seed: int
) -> FleetState:
    """Apply the events of one tick; new_event_count (n, 7), state already holds the new totals.

    Silent corruption waits for the canary. An uncorrectable error sets Xid 63, 94 or 48 (reset).
    An accelerator interrupt sets Xid 79 and a reset. A host interrupt stops the host and its
    accelerators. A latch-up cuts the rail for 10 s, then resets. A hard failure is for ever. All
    but silent corruption, scrubbed errors and latch-ups elsewhere undo the training work since
    the last checkpoint.
    """
    if not new_event_count.any():
        return state
    events = _events(state, new_event_count, fleet)
    rows = accelerator_rows(fleet.params.accel_count)
    count = fleet.params.accel_count[events.row]
    draw = uniform(seed, "see_target", events.key, events.number)
    target = rows.first[events.row] + np.minimum((draw * count).astype(np.int64), count - 1)
    outcome = uniform(seed, "see_outcome", events.key, events.number)
    alive = np.isfinite(state.accel_down_s[target])
    kills = np.isin(events.kind, (ACCEL_SEFI, HOST_CPU_SEFI, HOST_RAM_SEFI, SEL, HARD_FAIL))
    kills |= (events.kind == UECC) & (outcome >= SCRUBBED_FRAC)
    state = _with_accelerator_effects(state, events.kind, target, outcome, alive)
    state = _with_codes(
        state=state, events=events, target=target, outcome=outcome, alive=alive, fleet=fleet
    )
    state = _with_host_reboots(state, events, draw, fleet, rows)
    host_event = (events.kind == HOST_CPU_SEFI) | (events.kind == HOST_RAM_SEFI)
    return _with_killed_jobs(state, np.unique(events.row[kills & (alive | host_event)]))


def with_corrected_errors(state: FleetState, fleet: Fleet, seed: int) -> FleetState:
    """Count corrected memory errors: a Poisson process of 80 times the uncorrectable hazard."""
    hazard_count = state.see_hazard_count[:, UECC] * CECC_PER_UECC
    due = np.flatnonzero(hazard_count >= state.cecc_threshold_count)
    if not due.size:
        return state
    threshold, events = state.cecc_threshold_count.copy(), state.cecc_event_count.copy()
    errors = state.accel_cecc_count.copy()
    rows = accelerator_rows(fleet.params.accel_count)
    while due.size:
        key, count = fleet.satellite_key[due], fleet.params.accel_count[due]
        draw = uniform(seed, "cecc_target", key, events[due])
        np.add.at(errors, rows.first[due] + (draw * count).astype(np.int64), 1)
        events[due] += 1
        threshold[due] += exponential(seed, "cecc", key, events[due])
        due = due[hazard_count[due] >= threshold[due]]
    return replace(
        state, cecc_threshold_count=threshold, cecc_event_count=events, accel_cecc_count=errors
    )


def first_corrected_count(seed: int, satellite_key: KeyArray) -> FloatArray:
    """Hazard of the first corrected error, (n,), exponential of mean 1.

    Validity: one draw for each satellite and seed.
    Source: Cinlar 1975, Introduction to Stochastic Processes, section 4.7 (unit Poisson
    process).
    """
    return exponential(seed, "cecc", satellite_key, 0)


def with_canaries(
    state: FleetState, fleet: Fleet, phase_frac: FloatArray, elapsed_s: float, step_s: float
) -> FleetState:
    """Known-answer tests that fell due in the tick find the silent corruption before them.

    The accelerator's share of the work since the last canary is lost: interval * utilisation /
    accelerators, for each corruption, at most what was delivered.
    """
    pending = np.flatnonzero(state.accel_sdc_pending_count)
    if not pending.size:
        return state
    owner = accelerator_rows(fleet.params.accel_count).owner[pending]
    turn = elapsed_s / CANARY_INTERVAL_S + phase_frac[owner]
    due = np.floor(turn) > np.floor(turn - step_s / CANARY_INTERVAL_S)
    pending, owner = pending[due], owner[due]
    found = np.zeros_like(state.accel_sdc_pending_count)
    found[pending] = state.accel_sdc_pending_count[pending]
    found_count = np.bincount(owner, weights=found[pending], minlength=fleet.count)
    share_s = CANARY_INTERVAL_S * state.utilisation_frac / np.maximum(fleet.params.accel_count, 1)
    lost_s = np.minimum(found_count * share_s, state.delivered_s)
    return replace(
        state,
        accel_sdc_count=state.accel_sdc_count + found,
        accel_sdc_pending_count=state.accel_sdc_pending_count - found,
        delivered_s=state.delivered_s - lost_s,
        lost_s=state.lost_s + lost_s,
    )


@lru_cache(maxsize=8)
def _rows_of(accel_count: bytes) -> AcceleratorRows:
    count = np.frombuffer(accel_count, dtype=np.int64)
    owner = np.repeat(np.arange(count.size, dtype=np.int64), count)
    return AcceleratorRows(np.concatenate([[0], np.cumsum(count)]), owner)


def _events(state: FleetState, new_event_count: IntArray, fleet: Fleet) -> _Events:
    row, kind = np.nonzero(new_event_count * (fleet.params.accel_count > 0)[:, np.newaxis])
    times = new_event_count[row, kind]
    row, kind = np.repeat(row, times), np.repeat(kind, times)
    earlier = np.concatenate([np.arange(n) for n in times]) if times.size else times
    number = state.see_event_count[row, kind] - earlier
    return _Events(row, kind, derived_keys(fleet.satellite_key[row], kind), number)


def _with_accelerator_effects(
    state: FleetState, kind: IntArray, target: IntArray, outcome: FloatArray, alive: BoolArray
) -> FleetState:
    pending, uecc = state.accel_sdc_pending_count.copy(), state.accel_uecc_count.copy()
    np.add.at(pending, target[(kind == SDC) & alive], 1)
    np.add.at(uecc, target[(kind == UECC) & alive], 1)
    reset = (kind == UECC) & (outcome >= SCRUBBED_FRAC + CONTAINED_FRAC)
    down_s = np.select(
        [reset | (kind == ACCEL_SEFI), kind == SEL, kind == HARD_FAIL],
        [ACCEL_RESET_S, RAIL_CUT_S + ACCEL_RESET_S, np.inf],
        0.0,
    )
    outage_s = state.accel_down_s.copy()
    np.maximum.at(outage_s, target, down_s)
    return replace(
        state, accel_sdc_pending_count=pending, accel_uecc_count=uecc, accel_down_s=outage_s
    )


def _with_codes(
    *,
    state: FleetState,
    events: _Events,
    target: IntArray,
    outcome: FloatArray,
    alive: BoolArray,
    fleet: Fleet,
) -> FleetState:
    memory = np.where(outcome < SCRUBBED_FRAC, XID_ROW_REMAPPED, XID_CONTAINED)
    memory = np.where(outcome >= SCRUBBED_FRAC + CONTAINED_FRAC, XID_DOUBLE_BIT, memory)
    lost = (events.kind == ACCEL_SEFI) | (events.kind == HARD_FAIL)
    code = np.select([events.kind == UECC, lost], [memory, XID_OFF_THE_BUS], 0)
    coded = np.array([fleet.vendors[row] == XID_VENDOR for row in events.row])
    shown = (code > 0) & coded & alive
    last = state.accel_xid.copy()
    last[target[shown]] = code[shown]
    return replace(state, accel_xid=last)


def _with_host_reboots(
    state: FleetState, events: _Events, draw: FloatArray, fleet: Fleet, rows: AcceleratorRows
) -> FleetState:
    hit = np.flatnonzero((events.kind == HOST_CPU_SEFI) | (events.kind == HOST_RAM_SEFI))
    if not hit.size:
        return state
    host_s, outage_s = state.host_down_s.copy(), state.accel_down_s.copy()
    for event in hit:  # rare: a few an hour in ten thousand satellites
        row = events.row[event]
        count = int(fleet.params.accel_count[row])
        hosts = -(-count // ACCELS_PER_HOST_COUNT)
        first = int(draw[event] * hosts) * ACCELS_PER_HOST_COUNT
        last = min(first + ACCELS_PER_HOST_COUNT, count)
        span = slice(int(rows.first[row]) + first, int(rows.first[row]) + last)
        outage_s[span] = np.maximum(outage_s[span], HOST_REBOOT_S)
        host_s[row] = HOST_REBOOT_S
    return replace(state, host_down_s=host_s, accel_down_s=outage_s)


def _with_killed_jobs(state: FleetState, row: IntArray) -> FleetState:
    delivered, lost = state.delivered_s.copy(), state.lost_s.copy()
    at_risk, age = state.at_risk_s.copy(), state.checkpoint_age_s.copy()
    undone_s = np.minimum(at_risk[row], delivered[row])
    delivered[row] -= undone_s
    lost[row] += undone_s
    at_risk[row], age[row] = 0.0, 0.0
    kills = state.job_kill_count.copy()
    kills[row] += 1
    return replace(
        state,
        delivered_s=delivered,
        lost_s=lost,
        at_risk_s=at_risk,
        checkpoint_age_s=age,
        job_kill_count=kills,
    )
