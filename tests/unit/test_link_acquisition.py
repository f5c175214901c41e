"""A laser link that geometry broke needs its acquisition time before it carries data again."""

from dataclasses import replace

import numpy as np
from factories import make_environment, make_fleet

from twin.state import Environment, Fleet
from twin.step import initial_state, step


def pair(acquire_s: float) -> Fleet:
    fleet = make_fleet([1, 1], link_acquire_s=acquire_s, see_sensitivity_frac=0.0)
    return replace(fleet, neighbour_index=np.array([[1, -1, -1, -1], [0, -1, -1, -1]]))


def sky(second: int, apart_rad: float) -> Environment:
    return make_environment(float(second), 2, phase_rad=np.array([0.0, apart_rad]))


def links_up(acquire_s: float, apart: list[float]) -> list[bool]:
    fleet = pair(acquire_s)
    state = initial_state(fleet, sky(0, apart[0]), 1)
    up = []
    for second, angle in enumerate(apart[1:], start=1):
        state = step(state, fleet, sky(second, angle), 1.0, float(second), 1)
        both = np.isfinite(state.link_range_m[:, 0])
        assert both[0] == both[1]
        assert np.isnan(state.link_range_m[:, 1:]).all()
        up.append(bool(both[0]))
    return up


def test_a_link_out_of_range_returns_after_its_acquisition_time() -> None:
    near, far = 0.1, 1.5  # 700 km, and beyond the limit of 5,000 km
    course = [near] * 6 + [far] * 3 + [near] * 30
    assert links_up(15.0, course) == [True] * 5 + [False] * 3 + [False] * 14 + [True] * 16
    assert links_up(0.0, course) == [True] * 5 + [False] * 3 + [True] * 30


def test_links_possible_at_the_epoch_are_up_from_the_start() -> None:
    assert all(links_up(60.0, [0.1] * 5))
