"""What a compiled fleet shows beside its kernels: links and space weather, as the numpy path."""

import math
from dataclasses import replace

import numpy as np
import pytest
from factories import make_fleet
from satellites import EPOCH_UNIX_S

from twin.compiled.coverage import check_covered
from twin.compiled.links import link_acquire_s, with_links
from twin.compiled.offline import CompiledRun
from twin.compiled.opening import opened
from twin.constellations import satrecs, walker
from twin.environment import EnvironmentModel, EnvironmentSettings
from twin.errors import NotCompiledError
from twin.faults import FaultPlan
from twin.offline import NumpyRun, fleet_part_rows
from twin.sensors import bus_telemetry
from twin.space_weather import SpaceWeather, SpaceWeatherEvent
from twin.state import Fleet
from twin.step import initial_state, step

STEP_S = 10.0
WALKER = walker(6, 8, 1, 900e3, math.radians(70))
RECORDS = list(satrecs(WALKER, EPOCH_UNIX_S))


def linked_fleet() -> Fleet:
    fleet = make_fleet(np.arange(len(RECORDS)) % 3, link_acquire_s=(45.0, 60.0, 15.0))
    # Five planes' neighbours across: out of reach for a part of every orbit.
    params = replace(fleet.params, link_range_limit_m=np.full(fleet.count, 4.6e6))
    return replace(fleet, neighbour_index=WALKER.neighbour_index, params=params)


def test_val_links_lost_are_acquired_again_as_by_numpy() -> None:
    fleet = linked_fleet()
    model = EnvironmentModel(RECORDS, EPOCH_UNIX_S)
    state = initial_state(fleet, model.at(0.0), 7)
    compiled = opened(fleet, RECORDS, EPOCH_UNIX_S, STEP_S, 7)
    waiting = 0
    for tick in range(1, 151):
        now = model.at(tick * STEP_S)
        state = step(state, fleet, now, STEP_S, tick * STEP_S, 7)
        compiled.advance(1)
        if tick in {1, 3, 50} or tick > 140:
            found = with_links(compiled.state(fleet, now), link_acquire_s(compiled, fleet))
            assert found.link_acquire_s.tobytes() == state.link_acquire_s.tobytes()
            np.testing.assert_allclose(found.link_range_m, state.link_range_m, rtol=1e-9)
            lasting = np.broadcast_to(fleet.params.link_acquire_s[:, np.newaxis], (48, 4))
            waiting += int(((state.link_acquire_s > 0.0) & (state.link_acquire_s < lasting)).sum())
    assert waiting > 0  # some were on their way back


def test_val_a_storm_shows_in_the_channels_of_both_engines() -> None:
    storm = SpaceWeatherEvent("storm", 4, 0.0, 7200.0)
    settings = EnvironmentSettings(space_weather=SpaceWeather(events=(storm,)))
    fleet = linked_fleet()
    part = fleet_part_rows(fleet, RECORDS)
    check_covered(fleet, RECORDS, EPOCH_UNIX_S, settings, 0)
    runs = (
        NumpyRun(part, EPOCH_UNIX_S, STEP_S, 7, settings, FaultPlan(fleet, 7)),
        CompiledRun(part, EPOCH_UNIX_S, STEP_S, 7, settings),
    )
    tables = []
    for run in runs:
        run.advance(100)
        (view,) = run.views()
        assert view.seen.environment.g_level.tolist() == [4] * fleet.count
        tables.append(bus_telemetry(view.rows, view.seen, 0))
    # Residuals that are 0 but for rounding have no scale of their own.
    scale = np.nanmax(np.abs(tables[0][0]), axis=0, initial=1e-3)
    np.testing.assert_allclose(tables[1][0] / scale, tables[0][0] / scale, rtol=0, atol=1e-8)
    assert np.array_equal(tables[0][1], tables[1][1])


@pytest.mark.parametrize(
    ("weather", "key"),
    [
        (SpaceWeather(solar_cycle="max"), "solar_cycle"),
        (SpaceWeather(events=(SpaceWeatherEvent("spe", 3, 0.0, 3600.0),)), "events"),
        (
            SpaceWeather(lowers_cutoff=True, events=(SpaceWeatherEvent("storm", 3, 0.0, 3600.0),)),
            "cutoff_lowering",
        ),
    ],
)
def test_what_kernels_do_not_have_is_named(weather: SpaceWeather, key: str) -> None:
    settings = EnvironmentSettings(space_weather=weather)
    with pytest.raises(NotCompiledError, match=rf"^environment.space_weather.{key}: .* compiled$"):
        check_covered(linked_fleet(), RECORDS, EPOCH_UNIX_S, settings, 0)
