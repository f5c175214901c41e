"""A compiled fleet goes on from a state in which accelerators are out, as the numpy path does."""

import math
from dataclasses import fields

import numpy as np
from factories import make_fleet, take_state
from satellites import EPOCH_UNIX_S

from twin.compiled.engine import CompiledFleet
from twin.compiled.roster import roster
from twin.constellations import satrecs, walker
from twin.environment import EnvironmentModel
from twin.step import initial_state, step

STEP_S, HALF = 20.0, 75
RECORDS = list(satrecs(walker(6, 8, 1, 650e3, math.radians(70)), EPOCH_UNIX_S))


def test_val_a_state_with_outages_and_errors_is_carried_on() -> None:
    fleet = make_fleet(
        np.arange(len(RECORDS)) % 3,
        see_sensitivity_frac=300.0,
        sel_per_accel_year=300.0,
        hard_fail_per_accel_year=100.0,
    )
    model = EnvironmentModel(RECORDS, EPOCH_UNIX_S)
    state = initial_state(fleet, model.at(0.0), 7)
    middle = state
    for tick in range(1, 2 * HALF + 1):
        state = step(state, fleet, model.at(tick * STEP_S), STEP_S, tick * STEP_S, 7)
        if tick == HALF:
            middle = state
    assert ((middle.accel_down_s > 0.0) & np.isfinite(middle.accel_down_s)).any()
    assert np.isinf(middle.accel_down_s).any() and middle.accel_sdc_pending_count.any()
    assert (state.see_event_count.sum(axis=0) > middle.see_event_count.sum(axis=0)).sum() > 3
    who = roster(fleet, RECORDS, EPOCH_UNIX_S)
    found = []
    for parts in (1, 2):
        compiled = CompiledFleet(who, EPOCH_UNIX_S, STEP_S, 7)
        for rows in np.array_split(np.arange(fleet.count), parts):
            compiled.load(take_state(middle, fleet, rows), HALF, rows)
        compiled.advance(HALF)
        found.append(compiled.state(fleet, model.at(2 * HALF * STEP_S)))
    for field in fields(state):
        if field.name == "link_acquire_s":
            continue
        expected, got = getattr(state, field.name), getattr(found[0], field.name)
        assert getattr(found[1], field.name).tobytes() == got.tobytes(), field.name
        finite = np.abs(expected[np.isfinite(expected)])
        scale = float(finite.max(initial=0.0))
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9 * scale, err_msg=field.name)
