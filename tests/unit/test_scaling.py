"""The arithmetic of docs/scaling.md, and the figures of it that can be measured again at once."""

import math
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runs import open_scenario, plan_simulation
from services.scaling import (
    BATCH_FRAMES,
    FIGURES,
    FRAME_BYTES,
    FRAME_VALUES,
    LOAD,
    STORE_US_VALUE,
    load_of,
    processes,
)
from services.scaling_page import scaling_page
from services.settings import Settings
from services.simulator import Simulator
from twin.frames import open_batch
from twin.reports import plan_shards


def test_a_report_is_as_large_as_the_page_says() -> None:
    opened = open_scenario(Settings(scenario="tests/chaos/thousand.yaml"))
    simulator = Simulator(plan_simulation(opened, math.inf, None, None))
    for _ in range(3):
        simulator.turn()
    owed = [one for one in simulator.outbox if one.frames]
    frames = sum(one.frames for one in owed)
    assert sum(len(one.payload) for one in owed) / frames == pytest.approx(
        FRAME_BYTES.value, rel=0.1
    )
    row = open_batch(owed[0].payload)[1].splitlines()[0].split(b" ")[1]
    assert row.count(b"=") == pytest.approx(FRAME_VALUES.value, rel=0.1)


def test_a_message_holds_as_many_reports_as_the_page_says(tmp_path: Path) -> None:
    text = Path("tests/chaos/thousand.yaml").read_text("utf-8")
    large = tmp_path / "large.yaml"
    large.write_text(text.replace("per_plane: 40", "per_plane: 400"), "utf-8")
    opened = open_scenario(Settings(scenario=str(large)))
    fleet = opened.build.fleet
    assert fleet.count == 10_000
    shards = plan_shards(fleet, opened.scenario.step_s)
    assert fleet.count / len(shards) == pytest.approx(BATCH_FRAMES.value, rel=0.05)


def test_ten_thousand_by_hand() -> None:
    load = load_of(10_000, 1.0)
    assert load.bytes_per_s == pytest.approx(20.33e6)
    assert load.values_per_s == pytest.approx(0.94e6)
    assert load.store_cores == pytest.approx(0.94e6 * STORE_US_VALUE.value * 1e-6)
    assert load.store_bytes_per_day == pytest.approx(243.6e9, rel=1e-3)  # 0.94e6 * 3 B * 86,400 s
    assert load.stream_bytes == pytest.approx(73.2e9, rel=1e-3)
    assert (load.simulators, load.ingesters) == (1, 2)


@given(st.integers(1, 10**6), st.floats(0.1, 3600.0), st.integers(2, 50))
def test_law_the_load_is_proportional_to_reports(count: int, interval_s: float, k: int) -> None:
    one, more = asdict(load_of(count, interval_s)), asdict(load_of(count * k, interval_s))
    del one["simulate_memory_bytes"], more["simulate_memory_bytes"]  # processes are whole
    for name, value in one.items():
        assert more[name] == pytest.approx(k * value), name


@given(st.floats(0.0, 1e4))
def test_law_no_process_is_planned_beyond_its_load(cores: float) -> None:
    assert cores / processes(cores) <= LOAD.value * (1.0 + 1e-12)


@pytest.mark.parametrize(("count", "interval_s"), [(0, 1.0), (10, 0.0), (10, math.nan)])
def test_no_fleet_has_no_load(count: int, interval_s: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        load_of(count, interval_s)


def test_every_figure_is_on_the_page_with_its_source() -> None:
    page = scaling_page()
    for one in FIGURES:
        assert f"| {one.name} | " in page
        assert one.source or one.confidence == "chosen"
