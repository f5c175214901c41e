"""Shells of a filing: every plane where the row says, thinned evenly, cheap at a million."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sgp4.api import SatrecArray

from twin.clock import julian_date
from twin.constellations import mean_elements, raan_from_ltan_rad, satrecs, walker
from twin.errors import ConfigurationError
from twin.mean_elements import GeneratedRecords, MeanElements
from twin.orbit_spec import MAX_SATELLITES, OrbitSpec
from twin.scenario import build_fleet, load_scenario
from twin.shells import ShellRow, capped_counts, plane_stack, plane_table

EPOCH_UNIX_S = 1_800_000_000.0
INCLINED = ShellRow(550e3, 568e3, math.radians(26), math.radians(32), 10, 30, 7)
DAWN = ShellRow(565e3, 585e3, 0.0, 0.0, 5, 2, 11, ltan_h=6.0)


def test_a_row_spreads_its_shells_over_heights_and_inclinations() -> None:
    table = plane_table([INCLINED], EPOCH_UNIX_S)
    assert len(table.count) == 300
    assert np.unique(table.altitude_m) == pytest.approx(np.linspace(550e3, 568e3, 10))
    tilts = np.unique(np.round(np.degrees(table.inclination_rad), 9))
    assert tilts == pytest.approx(np.linspace(26, 32, 10))
    nodes = np.sort(table.raan_rad)
    assert np.diff(nodes) == pytest.approx(math.tau / 300)  # shells interleave


def test_sun_synchronous_planes_stand_opposite_and_follow_the_height() -> None:
    table = plane_table([DAWN], EPOCH_UNIX_S)
    first = raan_from_ltan_rad(6.0, EPOCH_UNIX_S)
    assert table.raan_rad[0::2] == pytest.approx(first)
    assert table.raan_rad[1::2] == pytest.approx((first + math.pi) % math.tau)
    assert np.degrees(table.inclination_rad[[0, -1]]) == pytest.approx([97.65, 97.73], abs=0.02)


def test_members_are_evenly_spaced_and_linked_in_their_plane() -> None:
    made = plane_stack(plane_table([DAWN], EPOCH_UNIX_S))
    assert made.count == 5 * 2 * 11
    for plane in range(10):
        rows = np.flatnonzero(made.plane_index == plane)
        gaps = np.diff(made.mean_anomaly_rad[rows]) % math.tau
        assert gaps == pytest.approx(math.tau / 11)
        assert set(made.neighbour_index[rows, :2].ravel()) == set(rows)
        assert np.all(made.neighbour_index[made.neighbour_index[rows, 1], 0] == rows)
    assert np.all(made.neighbour_index[:, 2:] == -1)


@given(
    st.lists(st.integers(1, 6000), min_size=1, max_size=60),
    st.integers(1, 300_000),
)
def test_law_a_cap_is_met_exactly_and_every_plane_gives_its_share(
    counts: list[int], cap: int
) -> None:
    filed = np.array(counts, dtype=np.int64)
    left = capped_counts(filed, cap)
    total = int(filed.sum())
    assert left.sum() == min(cap, total)
    assert np.all(np.abs(left - filed * min(1.0, cap / total)) < 1.0 + 1e-9)
    assert np.all((left >= 0) & (left <= filed))


def test_a_row_needs_one_way_to_say_the_inclination() -> None:
    row = {"altitude_low_km": 500, "altitude_high_km": 600, "shells": 2, "planes": 1}
    for extra in (
        {},
        {"inclination_low_deg": 0.0},
        {"ltan_h": 6.0, "inclination_low_deg": 0.0, "inclination_high_deg": 30.0},
    ):
        with pytest.raises(ValueError, match="give ltan_h, or both"):
            OrbitSpec.model_validate({"shells": {"rows": [{**row, "per_plane": 5, **extra}]}})
    upside_down = {**row, "altitude_high_km": 400, "per_plane": 5, "ltan_h": 6.0}
    with pytest.raises(ValueError, match="below altitude_low_km"):
        OrbitSpec.model_validate({"shells": {"rows": [upside_down]}})


def test_a_scenario_may_ask_for_shells_and_not_for_more_than_there_is_room_for() -> None:
    text = """
name: stack
epoch: 2027-01-01T00:00:00Z
fleet:
  - id: s
    preset: three-body-12
    orbit:
      shells:
        cap: 30
        rows:
          - {altitude_low_km: 500, altitude_high_km: 520, ltan_h: 6.0, shells: 3, planes: 2,
             per_plane: 7}
"""
    build = build_fleet(load_scenario("s.yaml", {"s.yaml": text}.__getitem__), 0.0, str)
    assert build.fleet.count == 30
    assert len(set(build.fleet.planes)) == 6
    assert build.fleet.satellite_ids[0] == "s_000_000"
    wrong = text.replace("per_plane: 7", "per_plane: 9_000").replace("shells: 3", "shells: 500")
    with pytest.raises(ConfigurationError, match=f"allowed 1 to {MAX_SATELLITES}"):
        load_scenario("s.yaml", {"s.yaml": wrong.replace("cap: 30", "")}.__getitem__)
    with pytest.raises(ConfigurationError, match="did you mean 'planes'"):
        misspelt = {"s.yaml": text.replace(" planes:", " plane:")}
        load_scenario("s.yaml", misspelt.__getitem__)


def test_records_are_made_when_asked_for_and_are_the_same_whichever_way() -> None:
    records = satrecs(walker(3, 5, 1, 550e3, 0.9), EPOCH_UNIX_S)
    assert isinstance(records, GeneratedRecords)
    assert len(records) == 15
    whole, part = (np.array([one]) for one in julian_date(EPOCH_UNIX_S))
    _, together, _ = SatrecArray(list(records)).sgp4(whole, part)
    single = [records[row].sgp4(whole[0], part[0])[1] for row in range(-15, 0)]
    assert np.array_equal(together[:, 0], np.array(single))
    assert [one.satnum for one in records[3:6]] == [4, 5, 6]


def test_elements_join_and_select() -> None:
    one = mean_elements(walker(2, 4, 1, 550e3, 0.9), EPOCH_UNIX_S)
    both = MeanElements.joined([one, one])
    assert both.count == 16
    assert np.array_equal(both.take(np.arange(8, 16)).raan_rad, one.raan_rad)
    with pytest.raises(ValueError, match="2 epochs"):
        MeanElements.joined([one, mean_elements(walker(1, 2, 0, 6e5, 1.0), 0.0)])
