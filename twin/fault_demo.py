"""Each fault on a small fleet beside the same fleet without it: for plots and for tests.

Two orbits of four satellites in a chain: rack satellites dawn-dusk, where nothing but the fault
happens, and hosted payloads at noon, where every orbit has an eclipse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from twin.channels import BUS_CHANNELS
from twin.environment import EnvironmentModel
from twin.fault_effects import FaultEffects
from twin.fault_kinds import FaultKind
from twin.faults import Fault, FaultPlan, plan_faults, planned
from twin.scenario import FleetBuild, Scenario, build_fleet, load_scenario
from twin.sensors import Snapshot, bus_telemetry, snapshot
from twin.state import Fleet, FleetState, FloatArray
from twin.step import initial_state, step

_TEXT: Final = """
name: fault-demo
epoch: 2026-03-20T12:00:00Z
seed: 11
fleet:
  - id: dawn
    preset: spacex-ai1
    overrides: {training_pct: 40}
    orbit: {train: {count: 4, altitude_km: 650, ltan_h: 6.0, gap_km: 50}}
  - id: noon
    preset: starlink-v3-shell
    overrides: {link_topology: chain}
    orbit: {train: {count: 4, altitude_km: 550, ltan_h: 11.0, gap_km: 50}}
"""
SHOWN_REPORTS: Final = 360  # of a run, at least
SHOWN_ROW: Final = 1  # of the chain of its orbit; it and the one before are the fault's targets


@dataclass(frozen=True)
class DemoRun:
    """What one satellite reports with and without a fault, (ticks,) each; nan = no report."""

    fault: Fault
    satellite: str
    elapsed_s: FloatArray
    plain: dict[str, FloatArray]
    broken: dict[str, FloatArray]


def demo_scenario() -> tuple[Scenario, FleetBuild]:
    """The scenario of the demonstrations and its fleet."""
    scenario = load_scenario("fault-demo.yaml", lambda _: _TEXT)
    assert scenario.epoch_unix_s is not None
    return scenario, _demo_build()


@cache
def _demo_build() -> FleetBuild:
    scenario = load_scenario("fault-demo.yaml", lambda _: _TEXT)
    assert scenario.epoch_unix_s is not None
    return build_fleet(scenario, scenario.epoch_unix_s, lambda _: "")


def demo_fault(kind: FaultKind, fleet: Fleet) -> Fault:
    """The fault as it is demonstrated: on the first two satellites of its orbit."""
    demo = kind.demo
    names = [one for one in fleet.satellite_ids if one.startswith(demo.orbit)]
    return planned(
        kind.id,
        onset_s=demo.onset_s,
        ramp_s=demo.ramp_s,
        duration_s=demo.duration_s,
        severity=demo.severity,
        satellites=tuple(names[: SHOWN_ROW + 1]),
        fraction=1.0,
    )


def demo_run(kind: FaultKind, channels: Sequence[str]) -> DemoRun:
    """Both runs of a kind's demonstration: the given channels of the shown satellite."""
    scenario, build = demo_scenario()
    fleet, demo = build.fleet, kind.demo
    fault = demo_fault(kind, fleet)
    plan = plan_faults([fault], fleet, scenario.seed)
    row = fleet.satellite_ids.index(fault.satellites[SHOWN_ROW])
    elapsed_s = np.arange(1.0, round(demo.run_s / demo.step_s) + 1.0, dtype=np.float64)
    elapsed_s = elapsed_s * demo.step_s
    runs = _both(scenario, build, plan, elapsed_s, demo.step_s)
    stride = _stride(elapsed_s.size)
    plain, broken = (_reported(run, row, channels) for run in runs)
    return DemoRun(fault, fleet.satellite_ids[row], elapsed_s[stride - 1 :: stride], plain, broken)


def _stride(ticks: int) -> int:
    """Ticks from one shown report to the next."""
    return max(1, ticks // SHOWN_REPORTS)


_Seen = list[Snapshot]


def _both(
    scenario: Scenario, build: FleetBuild, plan: FaultPlan, elapsed_s: FloatArray, step_s: float
) -> tuple[_Seen, _Seen]:
    assert scenario.epoch_unix_s is not None
    model = EnvironmentModel(build.satrecs, scenario.epoch_unix_s, scenario.environment.settings())
    fleet, seed = build.fleet, scenario.seed
    states: list[FleetState] = [initial_state(fleet, model.at(0.0), seed)] * 2
    seen: tuple[_Seen, _Seen] = ([], [])
    stride = _stride(elapsed_s.size)
    for tick, at_s in enumerate(elapsed_s.tolist(), start=1):
        environment = model.at(at_s)
        both: tuple[FaultEffects | None, ...] = (None, plan.effects_at(at_s))
        for run, effects in enumerate(both):
            states[run] = step(states[run], fleet, environment, step_s, at_s, seed, effects)
            if tick % stride:
                continue
            seen[run].append(snapshot(fleet, states[run], environment, seed, tick, effects))
    return seen


def _reported(run: _Seen, row: int, channels: Sequence[str]) -> dict[str, FloatArray]:
    rows = np.array([row])
    names = [one.name for one in BUS_CHANNELS if not one.is_integer]
    names += [one.name for one in BUS_CHANNELS if one.is_integer]
    table = []
    for seen in run:
        floats, states = bus_telemetry(rows, seen, seen.tick)
        values = np.concatenate([floats[0], states[0].astype(np.float64)])
        table.append(values * np.nan if seen.broken.frame_lost[row] else values)
    columns = np.array(table)
    return {name: columns[:, names.index(name)] for name in channels}
