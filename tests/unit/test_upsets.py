"""What each kind of radiation event does to accelerators, hosts and work."""

from dataclasses import replace

import numpy as np
import pytest
from factories import make_environment, make_fleet

from twin import upsets
from twin.state import SEE_KINDS, FleetState
from twin.step import initial_state

FLEET = make_fleet([0, 1, 2])  # 64 tensor chips, 2 and 72 GPUs


def fresh() -> FleetState:
    state = initial_state(FLEET, make_environment(0.0, 3), 1)
    return replace(
        state,
        at_risk_s=np.full(3, 40.0),
        delivered_s=np.full(3, 500.0),
        checkpoint_age_s=np.full(3, 60.0),
        utilisation_frac=np.full(3, 0.5),
    )


def struck(kind: int, row: int = 1, times: int = 1, seed: int = 1) -> FleetState:
    events = np.zeros((3, len(SEE_KINDS)), dtype=np.int64)
    events[row, kind] = times
    return upsets.with_upsets(replace(fresh(), see_event_count=events), events, FLEET, seed)


def test_silent_corruption_shows_only_at_the_canary() -> None:
    state = struck(upsets.SDC)
    assert state.accel_sdc_pending_count.sum() == 1
    assert state.accel_sdc_count.sum() == 0
    assert np.all(state.lost_s == 0.0)
    phase = np.zeros(3)
    early = upsets.with_canaries(state, FLEET, phase, 299.0, 1.0)
    assert early.accel_sdc_count.sum() == 0
    found = upsets.with_canaries(state, FLEET, phase, 300.0, 1.0)
    assert found.accel_sdc_count[64:66].sum() == 1
    assert found.accel_sdc_pending_count.sum() == 0
    assert found.lost_s[1] == pytest.approx(300.0 * 0.5 / 2)
    assert found.delivered_s[1] + found.lost_s[1] == 500.0


def test_memory_errors_have_their_three_outcomes() -> None:
    codes = set()
    for seed in range(60):
        state = struck(upsets.UECC, seed=seed)
        code = int(state.accel_xid.max())
        codes.add(code)
        assert state.accel_uecc_count.sum() == 1
        assert (state.accel_down_s.max() > 0.0) == (code == upsets.XID_DOUBLE_BIT)
        assert (state.lost_s[1] > 0.0) == (code != upsets.XID_ROW_REMAPPED)
    assert codes == {upsets.XID_ROW_REMAPPED, upsets.XID_CONTAINED, upsets.XID_DOUBLE_BIT}


def test_accelerator_interrupt_resets_the_chip_and_kills_the_job() -> None:
    state = struck(upsets.ACCEL_SEFI)
    assert state.accel_xid.max() == upsets.XID_OFF_THE_BUS
    assert state.accel_down_s.max() == upsets.ACCEL_RESET_S
    assert (state.lost_s[1], state.delivered_s[1], state.at_risk_s[1]) == (40.0, 460.0, 0.0)
    assert state.checkpoint_age_s[1] == 0.0
    assert np.all(state.lost_s[[0, 2]] == 0.0)


def test_chips_of_other_makers_have_no_xid() -> None:
    state = struck(upsets.ACCEL_SEFI, row=0)
    assert np.all(state.accel_xid == 0)
    assert state.accel_down_s.max() == upsets.ACCEL_RESET_S


def test_a_host_takes_its_eight_accelerators_along() -> None:
    state = struck(upsets.HOST_CPU_SEFI, row=2)
    assert state.host_down_s[2] == upsets.HOST_REBOOT_S
    down = np.flatnonzero(state.accel_down_s)
    assert down.size == 8
    assert down.min() >= 66
    assert (down.min() - 66) % 8 == 0
    aged = upsets.aged_outages(state, upsets.HOST_REBOOT_S)
    assert not aged.accel_down_s.any()
    assert not aged.host_down_s.any()


def test_latch_up_cuts_the_rail_and_hard_failure_is_for_ever() -> None:
    assert struck(upsets.SEL).accel_down_s.max() == upsets.RAIL_CUT_S + upsets.ACCEL_RESET_S
    dead = struck(upsets.HARD_FAIL)
    assert np.isinf(upsets.aged_outages(dead, 1e9).accel_down_s.max())
    rows = upsets.accelerator_rows(FLEET.params.accel_count)
    assert upsets.accelerators_up_count(dead.accel_down_s, rows).tolist() == [64, 1, 72]


def test_dead_chips_feel_nothing() -> None:
    events = np.zeros((3, len(SEE_KINDS)), dtype=np.int64)
    events[1, upsets.UECC] = 5
    dead = replace(fresh(), see_event_count=events, accel_down_s=np.full(64 + 2 + 72, np.inf))
    state = upsets.with_upsets(dead, events, FLEET, 1)
    assert state.accel_uecc_count.sum() == 0
    assert np.all(state.lost_s == 0.0)


def test_several_events_in_one_tick_are_drawn_apart() -> None:
    state = struck(upsets.UECC, row=2, times=200)
    assert state.accel_uecc_count.sum() == 200
    assert np.count_nonzero(state.accel_uecc_count[66:]) > 50


def test_corrected_errors_follow_the_hazard() -> None:
    state = fresh()
    hazard = state.see_hazard_count.copy()
    hazard[:, upsets.UECC] = 100.0
    after = upsets.with_corrected_errors(replace(state, see_hazard_count=hazard), FLEET, 1)
    expected = 100.0 * upsets.CECC_PER_UECC
    assert np.all(np.abs(after.cecc_event_count - expected) < 5 * np.sqrt(expected))
    assert after.accel_cecc_count[:64].sum() == after.cecc_event_count[0]
    assert after.accel_cecc_count.sum() == after.cecc_event_count.sum()
