"""A fleet in which nothing is broken is, bit by bit, the fleet without any faults."""

from dataclasses import fields, replace

import numpy as np
from factories import make_environment, make_fleet

from twin.fault_effects import FaultEffects, neutral_effects
from twin.step import initial_state, step

COUNT, STEP_S, TICKS, SEED = 23, 20.0, 60, 7


def test_law_neutral_effects_change_no_bit() -> None:
    neighbours = np.stack([(np.arange(COUNT) + k) % COUNT for k in (1, 22, 2, 21)], axis=1)
    fleet = make_fleet(np.arange(COUNT) % 3, see_sensitivity_frac=300.0, sel_per_accel_year=300.0)
    fleet = replace(fleet, neighbour_index=neighbours)
    plain = broken = initial_state(fleet, make_environment(0.0, COUNT), SEED)
    for tick in range(1, TICKS + 1):
        sky = make_environment(tick * STEP_S, COUNT)
        plain = step(plain, fleet, sky, STEP_S, sky.elapsed_s, SEED)
        nothing = neutral_effects(COUNT)
        broken = step(broken, fleet, sky, STEP_S, sky.elapsed_s, SEED, nothing)
    for field in fields(plain):
        one, other = getattr(plain, field.name), getattr(broken, field.name)
        assert one.tobytes() == other.tobytes(), field.name


def test_neutral_effects_cover_every_field_and_cannot_be_written() -> None:
    nothing = neutral_effects(3)
    for field in fields(FaultEffects):
        value = getattr(nothing, field.name)
        assert field.name == "sensors" or not value.flags.writeable
