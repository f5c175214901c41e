"""A running simulator takes faults in and lets them go, and says so."""

import orjson
import pytest

from services.plan import Plan
from services.simulator import Simulator
from twin.scenario import build_fleet, load_scenario

TEXT = """
name: drill
epoch: 2026-05-01T00:00:00Z
fleet:
  - id: a
    preset: spacex-ai1
    orbit: {train: {count: 3, altitude_km: 650, ltan_h: 6.0, gap_km: 50}}
"""


@pytest.fixture
def simulator() -> Simulator:
    scenario = load_scenario("drill.yaml", lambda _: TEXT)
    assert scenario.epoch_unix_s is not None
    build = build_fleet(scenario, 0.0, lambda _: "")
    return Simulator(Plan(scenario, build, scenario.epoch_unix_s))


def answer(simulator: Simulator, target: str, **command: object) -> dict[str, object]:
    body = simulator.obey(target, orjson.dumps({"id": "x1", **command}))
    found: dict[str, object] = orjson.loads(body)
    return found


def advance(simulator: Simulator, ticks: int) -> None:
    for _ in range(ticks):
        simulator.tick += 1
        simulator._advance()


def test_a_pump_fails_on_command_and_comes_back(simulator: Simulator) -> None:
    advance(simulator, 5)
    done = answer(simulator, "a_2", command="inject", fault="T1", ramp_s=0.0)
    assert done["kind"] == "command_done" and done["satellites"] == 1
    advance(simulator, 30)
    assert simulator.state.flow_frac[1] < 0.01
    assert simulator.state.flow_frac[[0, 2]].tolist() == [1.0, 1.0]
    assert answer(simulator, "all", command="heal", fault="T1")["kind"] == "command_done"
    advance(simulator, 30)
    assert simulator.state.flow_frac[1] > 0.99


def test_what_cannot_be_done_is_refused_with_a_reason(simulator: Simulator) -> None:
    refused = answer(simulator, "a_1", command="inject", fault="T77")
    assert refused["kind"] == "command_refused" and "unknown fault 'T77'" in str(refused["reason"])
    refused = answer(simulator, "nobody", command="inject", fault="T1")
    assert "no satellite or plane 'nobody'" in str(refused["reason"])
    refused = answer(simulator, "all", command="heal", fault="T1")
    assert "no T1 is on there" in str(refused["reason"])


def test_compute_is_still_limited_on_command(simulator: Simulator) -> None:
    done = answer(simulator, "all", command="limit_compute", value=0.5)
    assert done["kind"] == "command_done"
    assert simulator.fleet.params.compute_peak_w.tolist() == [75e3] * 3
