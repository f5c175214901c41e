"""Stuck wings and docking hold in the physics what `twin.deployment` says of them."""

from pathlib import Path

import numpy as np
import pytest

from services.runs import open_scenario
from services.settings import load_settings
from twin.channels import BUS_CHANNELS
from twin.deployment import STATE_BY_NAME, StateLimits, state_limits
from twin.environment import EnvironmentModel
from twin.faults import Fault, plan_faults, planned
from twin.preset_library import load_preset
from twin.sensors import bus_telemetry, snapshot
from twin.state import FleetState
from twin.step import initial_state, step

SCENARIO = """
name: new
epoch: 2026-03-20T00:00:00Z
fleet:
  - id: a
    preset: spacex-ai1
    orbit: {train: {count: 1, altitude_km: 650, ltan_h: 6.0, gap_km: 50}}
"""
FLOATS = [one.name for one in BUS_CHANNELS if not one.is_integer]
STATES = [one.name for one in BUS_CHANNELS if one.is_integer]


def after(tmp_path: Path, fault: Fault, elapsed_s: float) -> tuple[FleetState, dict[str, float]]:
    """State and telemetry of one satellite after ten minutes that end at an instant."""
    path = tmp_path / "new.yaml"
    path.write_text(SCENARIO)
    opened = open_scenario(load_settings(scenario=str(path)))
    fleet, model = opened.build.fleet, EnvironmentModel(opened.build.satrecs, opened.epoch_unix_s)
    plan = plan_faults([fault], fleet, 1)
    state = initial_state(fleet, model.at(elapsed_s - 600.0), 1)
    for now_s in np.arange(elapsed_s - 590.0, elapsed_s + 1.0, 10.0).tolist():
        effects = plan.effects_at(now_s)
        state = step(state, fleet, model.at(now_s), 10.0, now_s, 1, effects)
    seen = snapshot(fleet, state, model.at(elapsed_s), 1, 1, plan.effects_at(elapsed_s))
    floats, states = bus_telemetry(np.arange(1), seen, 1)
    values = dict(zip(FLOATS, floats[0].tolist(), strict=True))
    return state, values | dict(zip(STATES, states[0].tolist(), strict=True))


def limits(name: str) -> StateLimits:
    return state_limits(load_preset("spacex-ai1").values, STATE_BY_NAME[name])


def test_a_module_that_docks_is_off_and_a_docked_one_radiates_less(tmp_path: Path) -> None:
    state, _ = after(tmp_path, planned("O5", mode="approach"), 3600.0)
    assert state.compute_power_w[0] == limits("docking").payload_limit_w == 0.0
    docked, seen = after(tmp_path, planned("O5", mode="docked"), 3600.0)
    assert seen["tcs_rad_area_pct"] == pytest.approx(100.0 * STATE_BY_NAME["docked"].radiator_frac)
    assert docked.compute_power_w[0] > 0.0
    free, _ = after(tmp_path, planned("O5", mode="docked", onset_s=1e6), 3600.0)
    # The same heat through 95 % of the area: a warmer radiator.
    assert docked.node_temp_k[0, 3] > free.node_temp_k[0, 3] + 0.5


@pytest.mark.parametrize("mode", ["array", "radiator"])
def test_stuck_wings_carry_half(tmp_path: Path, mode: str) -> None:
    state, _ = after(tmp_path, planned("O3", mode=mode), 3600.0)
    stuck = limits(f"{mode}_stuck")
    assert state.array_available_w[0] == pytest.approx(stuck.array_power_w, rel=0.2)
    assert stuck.payload_limit_w < limits("deployed").payload_limit_w
