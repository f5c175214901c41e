"""`twin bench physics`: how fast the compiled physics is, beside Basilisk in the same run.

The fleet is the filing of a million satellites (`spacex-odc-1m`) at 1 s ticks, thinned evenly to
each size: orbit, eclipse, particles, power, heat, dose, work and event draws all on, one thread.
Nothing is published; what a service adds on top is the encoding of reports.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any, Final

import numba
import numpy as np
import orjson
import psutil

from services import basilisk_scene
from services.scenario_files import load_and_build
from twin.compiled.engine import CompiledFleet
from twin.compiled.opening import opened

SCENARIO: Final = "spacex-odc-1m"
SIZES: Final = (100, 10_000, 1_000_000)
STEP_S: Final = 1.0
REPEATS: Final = 7
BASILISK_COUNT: Final = 100
BASILISK_STEPS: Final = 600
# Ticks of one repeat, so that each takes about a tenth of a second or a few.
_TICKS: Final = {100: 1200, 10_000: 60, 1_000_000: 3}
SEED: Final = 1
Json = dict[str, Any]


def bench_physics(say: Callable[[str], None], sizes: tuple[int, ...] = SIZES) -> Json:
    """Measure and say how it goes; the figures as `--json` prints them."""
    numba.set_num_threads(1)
    scenario, build = load_and_build(SCENARIO, 0.0)
    epoch = scenario.epoch_unix_s or 0.0
    say(_load_line())
    speeds: Json = {}
    size_bytes = 0.0
    for count in sizes:
        begin_s = time.perf_counter()
        rows = np.linspace(0, build.fleet.count - 1, count).astype(np.int64)
        engine = opened(build.fleet, build.satrecs, epoch, STEP_S, SEED, rows=rows)
        engine.advance(1)
        ready_s = time.perf_counter() - begin_s
        speed, slowest_s = _speed(engine, _TICKS.get(count, 60))
        speeds[str(count)] = round(speed)
        size_bytes = engine.nbytes / count
        say(
            f"{count:>9,} satellites: {speed / 1e6:7.2f} M satellite-steps/s, "
            f"{1e3 * count / speed:9.3f} ms a tick (slowest repeat {1e3 * slowest_s:.3f}), "
            f"{size_bytes:.0f} bytes per satellite, ready in {ready_s:.1f} s"
        )
        del engine
    ratio = None
    if basilisk_scene.is_installed():
        basilisk = basilisk_scene.sat_steps_per_s(BASILISK_COUNT, BASILISK_STEPS, REPEATS)
        ratio = speeds[str(sizes[0])] / basilisk
        say(f"Basilisk, {BASILISK_COUNT} satellites: {basilisk:,.0f} satellite-steps/s")
        for count in sizes:
            say(f"{count:>9,} satellites: {speeds[str(count)] / basilisk:.0f} times Basilisk")
    else:
        say("Basilisk is not installed (pip install bsk): no ratio")
    say(_load_line())
    return {
        "sat_steps_per_s": speeds,
        "bytes_per_satellite": round(size_bytes),
        "ratio_to_basilisk": None if ratio is None else round(ratio, 1),
    }


def as_json(figures: Json) -> str:
    """The figures on one line."""
    return orjson.dumps(figures).decode()


def _load_line() -> str:
    one, five, _ = psutil.getloadavg()
    return f"load {one:.1f} (1 min), {five:.1f} (5 min) on {psutil.cpu_count()} processors"


def _speed(engine: CompiledFleet, ticks: int) -> tuple[float, float]:
    """Median satellite-steps per second, and the slowest repeat's time per tick [s]."""
    engine.advance(ticks)
    times = []
    for _ in range(REPEATS):
        begin_s = time.perf_counter()
        engine.advance(ticks)
        times.append((time.perf_counter() - begin_s) / ticks)
    return engine.count / statistics.median(times), max(times)
