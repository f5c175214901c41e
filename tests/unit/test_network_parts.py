"""A fleet that falls into pieces is seen at fleet level: parts of the link graph in roll-ups."""

from pathlib import Path

import numpy as np
import pytest

from services.runs import open_scenario
from services.settings import load_settings
from twin.environment import EnvironmentModel
from twin.faults import plan_faults
from twin.rollup_fields import FIELDS
from twin.rollups import encode_rollups
from twin.sensors import snapshot
from twin.step import initial_state, step


def rows_of(tmp_path: Path, faults: str, base: str = "suncatcher-81") -> dict[str, dict[str, str]]:
    """Roll-up rows after one tick: measurement and tags -> field -> text."""
    scenario = tmp_path / "case.yaml"
    root = Path(__file__).parents[2]
    scenario.write_text(
        f"extends: {root}/scenarios/{base}.yaml\nname: parts\nepoch: 2026-05-01T00:00:00Z\n{faults}"
    )
    opened = open_scenario(load_settings(scenario=str(scenario)))
    fleet, seed = opened.build.fleet, opened.scenario.seed
    sky = EnvironmentModel(opened.build.satrecs, opened.epoch_unix_s).at(10.0)
    effects = plan_faults(opened.scenario.faults, fleet, seed).effects_at(10.0)
    state = step(initial_state(fleet, sky, seed), fleet, sky, 1.0, 10.0, seed, effects)
    text = encode_rollups(snapshot(fleet, state, sky, seed, 10, effects), 10**9).decode()
    found = {}
    for line in text.splitlines():
        head, fields, _ = line.split(" ")
        found[head] = dict(one.split("=") for one in fields.split(","))
    return found


def test_a_whole_cluster_is_one_part(tmp_path: Path) -> None:
    row = rows_of(tmp_path, "")["fleet_state,fleet=parts"]
    assert float(row["isl_parts_count"]) == 1.0
    assert float(row["isl_largest_pct"]) == 100.0


def test_a_partition_shows_as_parts_and_as_the_share_of_the_largest(tmp_path: Path) -> None:
    faults = "faults:\n  - {kind: N2, onset_s: 0, fraction: 0.4}\n"
    row = rows_of(tmp_path, faults)["fleet_state,fleet=parts"]
    assert float(row["isl_parts_count"]) >= 2.0
    assert 30.0 < float(row["isl_largest_pct"]) < 100.0


def test_planes_count_their_own_parts_and_lost_satellites_none(tmp_path: Path) -> None:
    faults = "faults:\n  - {kind: O4, onset_s: 0}\n"
    rows = rows_of(tmp_path, faults)
    assert all("isl_parts_count" not in row for row in rows.values())
    planes = [head for head in rows_of(tmp_path, "") if head.startswith("plane_state")]
    assert planes


def test_a_satellite_without_lasers_has_no_part(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "fleet:\n  - {id: alone, preset: hpe-sbc2-iss}\n", "flown-2026")
    assert "isl_parts_count" not in rows["fleet_state,fleet=parts"]


@pytest.mark.parametrize(
    ("labels", "parts", "largest_pct"),
    [
        ([0.0, 0.0, 0.0, 1.0], 2.0, 75.0),
        ([5.0, 5.0, np.nan, np.nan], 1.0, 100.0),
        ([np.nan] * 4, np.nan, np.nan),
    ],
)
def test_parts_by_hand(labels: list[float], parts: float, largest_pct: float) -> None:
    values, whole = np.array(labels), np.zeros(4, dtype=np.int64)
    for field, wanted in (("isl_parts_count", parts), ("isl_largest_pct", largest_pct)):
        _, reduce, _ = FIELDS[field]
        assert reduce(values, whole, 1) == pytest.approx(np.array([wanted]), nan_ok=True)
        two = reduce(values, np.array([0, 0, 1, 1]), 2)
        assert two.shape == (2,)
