"""`twin bench rules`: what one evaluation of all alert rules costs for a whole fleet.

The fleet is made of numbers, not of physics: readings that are well inside every limit with their
sensors' noise, then the same with a share of the satellites in breach of everything. Times are
process time of one thread, because a shared machine's wall clock says little.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from twin.alert_states import Evaluator, Series
from twin.alerts import RULES
from twin.channels import by_name
from twin.state import FloatArray

REPORT_S: Final = 10.0
WARM_REPORTS: Final = 400  # longer than most windows; the two of hours are then half full
REPEATS: Final = 15
LIMIT_S: Final = 0.050
Json = dict[str, Any]


def bench_rules(say: Callable[[str], None], satellites: int, stormy_pct: float) -> Json:
    """Measure and say how it goes; the figures as `--json` prints them."""
    ids = tuple(f"S{number}" for number in range(satellites))
    planes = tuple(f"P{number % 72}" for number in range(satellites))
    services = (("ingest", "1"), ("simulate", "1"))
    evaluator = Evaluator(Series("bench", ids, planes, services), RULES)
    random = np.random.default_rng(1)
    calm = _columns(evaluator, random)
    takes, calms = [], []
    for report in range(WARM_REPORTS):
        time_s = report * REPORT_S
        takes.append(_timed(partial(evaluator.observe, time_s, calm)))
        if report >= WARM_REPORTS - REPEATS:
            calms.append(_timed(partial(evaluator.evaluate, time_s)))
    calm_firing = len(evaluator.firing())
    storms = []
    hit = random.random(satellites) < stormy_pct / 100.0
    storm = {
        measurement: {
            field: np.where(hit, 1.0e6, values) if values.size == satellites else values
            for field, values in fields.items()
        }
        for measurement, fields in calm.items()
    }
    for report in range(WARM_REPORTS, WARM_REPORTS + REPEATS):
        time_s = report * REPORT_S
        evaluator.observe(time_s, storm)
        storms.append(_timed(partial(evaluator.evaluate, time_s)))
    figures: Json = {
        "rules": len(RULES),
        "satellites": satellites,
        "observe_ms": round(1e3 * statistics.median(takes), 2),
        "evaluate_ms": round(1e3 * statistics.median(calms), 2),
        "evaluate_storm_ms": round(1e3 * statistics.median(storms), 2),
        "calm_firing": calm_firing,
        "firing": len(evaluator.firing()),
        "history_mb": round(evaluator.nbytes / 1e6, 1),
    }
    say(
        f"{len(RULES)} rules, {satellites:,} satellites: {figures['evaluate_ms']:.1f} ms an "
        f"evaluation on a calm fleet (bound {1e3 * LIMIT_S:.0f}), "
        f"{figures['evaluate_storm_ms']:.1f} ms with {figures['firing']:,} alerts firing, "
        f"{figures['observe_ms']:.1f} ms to take a report time, {figures['history_mb']:.0f} MB"
    )
    return figures


def _columns(evaluator: Evaluator, random: np.random.Generator) -> dict[str, dict[str, FloatArray]]:
    """A value of the middle of its limits for every field that some rule reads."""
    counts = evaluator.series.counts
    return {
        measurement: {
            field: _middle(field) + 0.01 * random.standard_normal(counts[measurement])
            for field in fields
        }
        for measurement, fields in evaluator.fields.items()
    }


def _middle(field: str) -> float:
    row = by_name().get(field)
    if row is None or row.is_integer:
        return 0.0
    limits = row.limits
    low = limits.warning_low if limits.warning_low is not None else limits.critical_low
    high = limits.warning_high if limits.warning_high is not None else limits.critical_high
    if low is not None and high is not None:
        return 0.5 * (low + high)
    if low is not None:
        return 1.05 * low + 1.0
    return 0.0 if high is None else 0.5 * high


def _timed(work: Callable[[], object]) -> float:
    begin_s = time.process_time()
    work()
    return time.process_time() - begin_s
