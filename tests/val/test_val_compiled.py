"""Compiled kernels against what they must equal: the sgp4 library and the numpy path."""

import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from factories import make_fleet
from satellites import EPOCH_UNIX_S, circular, from_elements, starcloud
from sgp4.api import SatrecArray

from twin.clock import julian_date
from twin.compiled.engine import CompiledFleet
from twin.compiled.propagate import propagate
from twin.compiled.roster import elements_of, roster
from twin.constellations import satrecs, walker
from twin.elements import parse_elements
from twin.environment import EnvironmentModel
from twin.step import initial_state, step

_PER_ACCELERATOR = (
    "accel_uecc_count",
    "accel_cecc_count",
    "accel_sdc_count",
    "accel_sdc_pending_count",
    "accel_xid",
)
STARLINK = Path(__file__).parents[2] / "data" / "starlink-2026-04-30.tle"


def test_val_sgp4_over_arrays_is_the_library_to_a_millimetre() -> None:
    catalogued = [one.satrec for one in parse_elements(STARLINK.read_text(), "starlink")][::20]
    odd = [
        starcloud(),
        circular(EPOCH_UNIX_S, 150.0, 10.0),  # low perigee: density model of its own
        from_elements(EPOCH_UNIX_S, 17.5, 51.6),  # below the ground: error 6
        from_elements(EPOCH_UNIX_S, 12.0, 63.4, node_deg=40.0, eccentricity=0.2),
        from_elements(EPOCH_UNIX_S, 14.0, 179.9999999, eccentricity=0.01),
        from_elements(EPOCH_UNIX_S, 7.0, 0.0, eccentricity=0.3),
    ]
    records = [*catalogued, *odd]
    epoch = 1_777_550_400.0  # 2026-04-30T12:00Z
    elements = elements_of(records, epoch)
    motion, code = np.empty((6, len(records))), np.empty(len(records), dtype=np.int64)
    library = SatrecArray(records)
    for elapsed_s in (0.0, 60.0, 86_400.0, 30 * 86_400.0, -5 * 86_400.0):
        whole, part = julian_date(epoch, elapsed_s)
        error, place, speed = library.sgp4(np.array([whole]), np.array([part]))
        propagate(elements, elapsed_s / 60.0, motion, code)
        assert code.tolist() == error[:, 0].tolist()
        good = code == 0
        assert good.sum() > 480
        assert np.isnan(motion[:, ~good]).all()
        assert np.abs(motion[:3, good].T - place[good, 0] * 1e3).max() < 1e-3
        assert np.abs(motion[3:, good].T - speed[good, 0] * 1e3).max() < 1e-6


@pytest.mark.parametrize(
    ("step_s", "ticks", "altitude_m"),
    [(1.0, 130, 550e3), (20.0, 150, 650e3), (60.0, 90, 1200e3), (60.0, 30, 4000e3)],
)
def test_val_compiled_ticks_are_those_of_the_numpy_path(
    step_s: float, ticks: int, altitude_m: float
) -> None:
    """Every field to 1e-9 of its largest value, through every kind of event and shadow."""
    records = list(satrecs(walker(6, 8, 1, altitude_m, math.radians(70)), EPOCH_UNIX_S))
    fleet = make_fleet(
        np.arange(len(records)) % 3,
        see_sensitivity_frac=300.0,
        sel_per_accel_year=300.0,
        hard_fail_per_accel_year=100.0,
        burst_period_s=(0.0, 900.0, 0.0),
        burst_on_s=(0.0, 300.0, 0.0),
    )
    model = EnvironmentModel(records, EPOCH_UNIX_S)
    state = initial_state(fleet, model.at(0.0), 7)
    compiled = CompiledFleet(roster(fleet, records, EPOCH_UNIX_S), EPOCH_UNIX_S, step_s, 7)
    compiled.load(state, 0)
    compiled.advance(ticks)
    for tick in range(1, ticks + 1):
        state = step(state, fleet, model.at(tick * step_s), step_s, tick * step_s, 7)
    found = compiled.state(fleet, model.at(ticks * step_s))
    assert state.see_event_count.sum() > (100 if step_s > 1.0 else 0)
    for field in fields(state):
        if field.name == "link_acquire_s":  # needs the history of links: not in the kernels
            continue
        expected, got = getattr(state, field.name), getattr(found, field.name)
        assert expected.dtype == got.dtype, field.name
        finite = np.abs(expected[np.isfinite(expected)])
        scale = float(finite.max(initial=0.0))
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9 * scale, err_msg=field.name)


def test_val_thousands_of_compiled_events_are_those_of_the_numpy_path() -> None:
    """Every count and code exactly, outages and lost work to rounding; more than once a tick."""
    step_s, ticks, seed = 60.0, 40, 3
    records = list(satrecs(walker(8, 8, 1, 1200e3, math.radians(70)), EPOCH_UNIX_S))
    fleet = make_fleet(
        np.arange(len(records)) % 3,
        see_sensitivity_frac=50.0,
        sel_per_accel_year=3e4,
        hard_fail_per_accel_year=4e3,
    )
    model = EnvironmentModel(records, EPOCH_UNIX_S)
    state = initial_state(fleet, model.at(0.0), seed)
    compiled = CompiledFleet(roster(fleet, records, EPOCH_UNIX_S), EPOCH_UNIX_S, step_s, seed)
    compiled.load(state, 0)
    compiled.advance(ticks)
    for tick in range(1, ticks + 1):
        state = step(state, fleet, model.at(tick * step_s), step_s, tick * step_s, seed)
    found = compiled.state(fleet, model.at(ticks * step_s))
    assert state.see_event_count.sum(axis=0).min() > 0
    assert state.see_event_count.sum() > 5000
    assert np.isinf(state.accel_down_s).sum() > 300
    assert state.accel_sdc_count.sum() > 300
    for name in ("see_event_count", "cecc_event_count", "job_kill_count", *_PER_ACCELERATOR):
        np.testing.assert_array_equal(getattr(found, name), getattr(state, name), err_msg=name)
    for name in ("see_threshold_count", "accel_down_s", "lost_s", "delivered_s", "accel_energy_j"):
        expected = getattr(state, name)
        scale = float(np.abs(expected[np.isfinite(expected)]).max())
        got = getattr(found, name)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9 * scale, err_msg=name)
