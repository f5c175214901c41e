"""What one report costs inside the simulator: physics with sensors, and printing, alone."""

import time
from dataclasses import dataclass
from typing import Any, Final

from services.scenario_files import load_and_build
from twin.frames import FRAME_VERSION, FrameHeader, batch
from twin.reports import encode_reports, encoder_for, plan_shards
from twin.sensors import snapshot
from twin.step import initial_state, step
from twin.surroundings import surroundings

TICKS: Final = 6


@dataclass(frozen=True)
class StageCosts:
    """Processor time per satellite sample [us], and how many values one holds."""

    simulate_us: float
    encode_us: float
    values_per_sample: float
    ready_s: float  # wall seconds until the fleet could be stepped


def stage_costs(scenario_file: str) -> StageCosts:
    """Measure both stages of a scenario whose satellites report at every tick."""
    begun_s = time.monotonic()
    scenario, build = load_and_build(scenario_file, 0.0)
    fleet, step_s, seed = build.fleet, scenario.step_s, scenario.seed
    model = surroundings(
        build.places, scenario.epoch_unix_s or 0.0, scenario.environment.settings()
    )
    shards = plan_shards(fleet, step_s)
    encode = encoder_for(shards)
    environment = model.at(0.0)
    state = initial_state(fleet, environment, seed)
    ready_s = time.monotonic() - begun_s
    header = FrameHeader(FRAME_VERSION, fleet.name, "bench", "s0000", 0, 0, 0, 1, 0, 0)
    whole_s = encode_s = 0.0
    values = 0

    def timed_encode(*arguments: Any) -> bytes:
        nonlocal encode_s
        mark_s = time.process_time()
        body = encode(*arguments)
        batch(header, body, len(arguments[0]))
        encode_s += time.process_time() - mark_s
        return body

    for tick in range(1, TICKS + 1):
        mark_s = time.process_time()
        environment = model.at(tick * step_s)
        state = step(state, fleet, environment, step_s, tick * step_s, seed)
        seen = snapshot(fleet, state, environment, seed, tick)
        bodies = list(encode_reports(shards, seen, tick, timed_encode))
        whole_s += time.process_time() - mark_s
        values += sum(body.count(b"=") for body in bodies) - 3 * fleet.count  # less the tags
    samples = TICKS * fleet.count
    return StageCosts(
        1e6 * (whole_s - encode_s) / samples, 1e6 * encode_s / samples, values / samples, ready_s
    )
