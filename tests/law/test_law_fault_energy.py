"""Energy and heat close under every fault: any severity, onset, targets and tick, two presets.

Both sides of each balance come from public quantities (`twin.energy_books`), never from what the
step keeps to itself.
"""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from factories import make_environment
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from twin.battery import capacity_a_s
from twin.battery_ageing import aged_params
from twin.energy_books import EnergyBooks, energy_books
from twin.fault_effects import FaultEffects
from twin.fault_kinds import FaultKind, fault_kinds
from twin.faulted import under_faults
from twin.faults import plan_faults, planned
from twin.scenario import build_fleet, load_scenario
from twin.state import Environment, Fleet, FleetState, FloatArray
from twin.step import initial_state, step

KINDS = tuple(fault_kinds().values())
TICKS, SEED = 16, 5
# A rack with a pumped loop, a small satellite on heat pipes, and a payload hosted on the ISS,
# which has no battery and no array.
TEXT = """
name: laws
epoch: 2026-03-20T12:00:00Z
fleet:
  - id: rack
    preset: spacex-ai1
    overrides: {training_pct: 40}
    orbit: {train: {count: 2, altitude_km: 650, ltan_h: 6, gap_km: 50}}
  - id: pipes
    preset: starcloud-1
    overrides: {training_pct: 40}
    orbit: {train: {count: 2, altitude_km: 550, ltan_h: 11, gap_km: 50}}
  - id: host
    preset: hpe-sbc2-iss
    orbit: {ring: {count: 1, altitude_km: 420, inclination_deg: 51.6}}
"""
COUNTERS = (
    "battery_throughput_j",
    "battery_life_used",
    "coolant_lost_kg",
    "radiator_isolated_frac",
    "dose_rad",
    "see_hazard_count",
    "see_event_count",
    "cecc_event_count",
    "offered_s",
    "lost_s",
    "refused_s",
    "restart_count",
    "job_kill_count",
    "accel_uecc_count",
    "accel_cecc_count",
    "accel_sdc_count",
    "accel_energy_j",
)
# nan says: no link, no contact, no open cycle
GAPS = {"link_range_m", "ground_range_m", "cycle_reversal_frac"}
ENDLESS = {"accel_down_s", "see_threshold_count"}  # inf says: for good, never


class Tick(NamedTuple):
    before: FleetState
    after: FleetState
    around: Environment
    effects: FaultEffects | None


@cache
def fleet() -> Fleet:
    scenario = load_scenario("laws.yaml", lambda _: TEXT)
    assert scenario.epoch_unix_s is not None
    return build_fleet(scenario, scenario.epoch_unix_s, lambda _: "").fleet


def ticks_of(
    kind: FaultKind, given: dict[str, float], mode: str, chosen: tuple[str, ...], step_s: float
) -> list[Tick]:
    """A run with one fault on the chosen satellites, some of which cross the shadow's edge."""
    onset_s = given["onset_ticks"] * step_s
    fault = planned(
        kind.id,
        onset_s=onset_s,
        ramp_s=given["ramp_ticks"] * step_s,
        duration_s=given["duration_ticks"] * step_s,
        severity=given["severity"],
        mode=mode,
        satellites=chosen,
        fraction=1.0,
    )
    plan = plan_faults([fault], fleet(), SEED)
    phase = np.linspace(1.4, 1.9, fleet().count) + given["phase"]
    state = initial_state(fleet(), sky(0.0, phase, given), SEED)
    # Charge from nearly empty to full, so that every limit of the battery is met.
    has = fleet().params.battery_capacity_j > 0.0
    state = replace(state, soc_frac=np.where(has, given["soc"], state.soc_frac))
    found = []
    for tick in range(1, TICKS + 1):
        around = sky(tick * step_s, phase, given)
        effects = plan.effects_at(around.elapsed_s)
        after = step(state, fleet(), around, step_s, around.elapsed_s, SEED, effects)
        found.append(Tick(state, after, around, effects))
        state = after
    return found


def sky(elapsed_s: float, phase: FloatArray, given: dict[str, float]) -> Environment:
    count = fleet().count
    around: Environment = make_environment(
        elapsed_s, count, beta_rad=given["beta"], phase_rad=phase
    )
    return around


CASES = st.fixed_dictionaries(
    {
        "severity": st.one_of(st.just(1.0), st.floats(0.0, 1.0)),
        "onset_ticks": st.integers(0, TICKS // 2),
        "ramp_ticks": st.integers(0, 6),
        "duration_ticks": st.integers(1, 2 * TICKS),
        "phase": st.floats(0.0, 6.28),
        "beta": st.floats(0.0, 1.3),
        "soc": st.floats(0.05, 1.0),
    }
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
# No shrinking: it would run the fleet for minutes, and every case names its numbers.
@settings(max_examples=2, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(
    given_case=CASES,
    mode=st.integers(0, 9),
    chosen=st.sets(st.integers(0, 4), min_size=1),
    step_s=st.sampled_from([1.0, 5.0, 10.0, 20.0]),
)
def test_law_energy_and_heat_close_under_the_fault(
    kind: FaultKind, given_case: dict[str, float], mode: int, chosen: set[int], step_s: float
) -> None:
    names = tuple(fleet().satellite_ids[row] for row in sorted(chosen))
    found = ticks_of(
        kind, given_case, kind.modes[mode % len(kind.modes)] if kind.modes else "", names, step_s
    )
    books = [books_of(one) for one in found]
    for one, flows in zip(found, books, strict=True):
        _check_bus(one, flows)
        _check_charge(one, step_s)
        _check_bounds(one)
    _check_heat(found, books, step_s)


def _check_bus(one: Tick, books: EnergyBooks) -> None:
    """array + external = load + battery terminals; only a host platform gives from outside."""
    state = one.after
    scale_w = 1.0 + state.load_power_w + state.array_power_w + np.abs(books.external_w)
    hosted = fleet().params.external_power_w
    assert np.all(books.external_w >= -1e-9 * scale_w)
    assert np.all(books.external_w <= hosted + 1e-9 * scale_w)
    assert np.all(state.array_power_w <= state.array_available_w * (1.0 + 1e-9))
    # Electricity is neither made nor lost on its way to heat.
    gap_w = books.heat_in_w - (books.absorbed_w + books.external_w - books.chemical_w)
    assert np.max(np.abs(gap_w) / (scale_w + books.absorbed_w)) < 1e-9
    assert np.all(books.dissipated_w >= -1e-9 * scale_w)


def _check_charge(one: Tick, step_s: float) -> None:
    """dz = eta I dt / Q, Q of the cells that are there in this tick; nothing else moves it."""
    params = aged_params(fleet().params, one.before.battery_health_frac)
    if one.effects is not None:
        now = replace(fleet(), params=params)
        params = under_faults(now, one.around, one.after, one.effects).fleet.params
    current_a = one.after.battery_current_a
    kept_frac = np.where(current_a > 0.0, params.battery_coulombic_frac, 1.0)
    gain = kept_frac * current_a * step_s / np.maximum(capacity_a_s(params), 1e-30)
    moved = one.after.soc_frac - one.before.soc_frac
    has = params.battery_capacity_j > 0.0
    assert np.max(np.abs(moved - gain)[has]) < 1e-12
    assert np.all(current_a[~has] == 0.0)


def _check_heat(found: list[Tick], books: list[EnergyBooks], step_s: float) -> None:
    """sum(C dT) = heat in - radiated: each tick to the trapezoid's error at a shadow's edge, which
    goes with the square of the tick (0.4 % at 20 s), the run to 0.1 % of what went through."""
    capacity_j_k = fleet().params.heat_capacity_j_k
    first_store_j = np.sum(capacity_j_k * found[0].before.node_temp_k, axis=1)
    gain_j, through_j = np.zeros(fleet().count), np.zeros(fleet().count)
    for one, after in zip(found, books, strict=True):
        start = books_of(one._replace(after=replace(one.after, node_temp_k=one.before.node_temp_k)))
        radiated_w = 0.5 * (start.radiated_w + after.radiated_w)
        gain_j += (after.heat_in_w - radiated_w) * step_s
        change_j = after.heat_store_j - start.heat_store_j
        gap_j = np.abs((after.heat_in_w - radiated_w) * step_s - change_j)
        tick_j = (np.abs(after.absorbed_w) + after.dissipated_w + radiated_w) * step_s
        through_j += tick_j
        assert np.max(gap_j / tick_j) < 1e-5 + 1e-5 * step_s**2
    store_j = books[-1].heat_store_j - first_store_j
    assert np.max(np.abs(store_j - gain_j) / through_j) < 1e-3


def _check_bounds(one: Tick) -> None:
    state = one.after
    assert np.all((state.soc_frac >= 0.0) & (state.soc_frac <= 1.0))
    assert np.all((state.node_temp_k > 3.0) & (state.node_temp_k < 500.0))
    for name in ("throttle_frac", "flow_frac", "utilisation_frac", "battery_health_frac"):
        value = getattr(state, name)
        assert np.all((value >= 0.0) & (value <= 1.0)), name
    for name in COUNTERS:
        assert np.all(getattr(state, name) >= getattr(one.before, name)), name
    for name in FleetState.__dataclass_fields__:
        value = getattr(state, name)
        if name in GAPS | ENDLESS:
            assert not np.isnan(value).any() or name in GAPS, name
        else:
            assert np.isfinite(value).all(), name


def books_of(one: Tick) -> EnergyBooks:
    return energy_books(fleet(), one.around, one.after, one.effects)
