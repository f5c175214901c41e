"""What one report costs inside the simulator: physics with sensors, and printing, alone."""

import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.scenario_files import load_and_build
from twin.frames import FRAME_VERSION, FrameHeader, batch
from twin.reports import encode_reports, encoder_for, plan_shards
from twin.sensors import bus_telemetry, snapshot
from twin.step import initial_state, step
from twin.surroundings import surroundings

TICKS: Final = 6
ROWS_AT_ONCE: Final = 4096  # as twin/reports.py reads them


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
    chunks = np.array_split(np.arange(fleet.count), -(-fleet.count // ROWS_AT_ONCE))
    simulate_s = encode_s = 0.0
    values = 0
    for tick in range(1, TICKS + 1):
        mark_s = time.process_time()
        environment = model.at(tick * step_s)
        state = step(state, fleet, environment, step_s, tick * step_s, seed)
        seen = snapshot(fleet, state, environment, seed, tick)
        sensed_s = time.process_time()
        for rows in chunks:
            bus_telemetry(rows, seen, tick)
        ready = time.process_time()
        bodies = list(encode_reports(shards, seen, tick, encode))
        header = FrameHeader(FRAME_VERSION, fleet.name, "bench", "s0000", tick, 0, tick, 1, 0, 0)
        for body in bodies:
            batch(header, body)
        done_s = time.process_time()
        simulate_s += ready - mark_s
        encode_s += done_s - ready - (ready - sensed_s)  # reports read the sensors themselves
        values += sum(body.count(b"=") for body in bodies) - 3 * fleet.count  # less the tags
    samples = TICKS * fleet.count
    return StageCosts(
        1e6 * simulate_s / samples, 1e6 * encode_s / samples, values / samples, ready_s
    )
