"""`twin bench drills`: how much faster than real time a drill of 100 satellites runs off line."""

import time
from collections.abc import Callable
from typing import Any, Final

from services.drill_files import DRILL_FOLDER, open_drill
from services.drill_run import DrillRun
from services.drill_score import marked
from twin.alerts import RULES

DRILL: Final = DRILL_FOLDER / "bench" / "hundred.yaml"
REPEATS: Final = 5
BOUND: Final = 1000.0
Json = dict[str, Any]


def bench_drills(say: Callable[[str], None], repeats: int = REPEATS) -> Json:
    """Measure and say how it goes; the figures as `--json` prints them.

    Processor time of one thread, the best of some runs: on a shared machine the others tell of
    the neighbours. The first run reads the maps of trapped particles too.
    """
    drill, build = open_drill(str(DRILL))
    cpu_s, wall_s = [], []
    passed = True
    for _ in range(repeats):
        begin_cpu_s, begin_s = time.process_time(), time.perf_counter()
        score = marked(DrillRun(drill, build, RULES).run(), RULES).score
        cpu_s.append(time.process_time() - begin_cpu_s)
        wall_s.append(time.perf_counter() - begin_s)
        passed = passed and score.passed
    run_s = drill.keys.run_s
    figures: Json = {
        "satellites": build.fleet.count,
        "rules": len(RULES),
        "run_s": run_s,
        "passed": passed,
        "times_real_time": round(run_s / min(cpu_s)),
        "times_real_time_first_run": round(run_s / cpu_s[0]),
        "times_real_time_wall": round(run_s / min(wall_s)),
    }
    say(
        f"drill of {build.fleet.count} satellites, {len(RULES)} rules, {run_s:g} s in steps of "
        f"{drill.scenario.step_s:g} s: {figures['times_real_time']:,} x real time in processor "
        f"time (bound {BOUND:,.0f}; first run {figures['times_real_time_first_run']:,}), "
        f"{figures['times_real_time_wall']:,} x by the clock on the wall"
    )
    return figures
