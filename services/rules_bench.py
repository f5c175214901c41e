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
WARM_REPORTS: Final = 100  # longer than the windows of minutes; those of hours are part full
REPEATS: Final = 15
LIMIT_S: Final = 0.050
Json = dict[str, Any]
Columns = dict[str, dict[str, FloatArray]]


def bench_rules(say: Callable[[str], None], satellites: int, stormy_pct: float) -> Json:
    """Measure and say how it goes; the figures as `--json` prints them."""
    ids = tuple(f"S{number}" for number in range(satellites))
    planes = tuple(f"P{number % 72}" for number in range(satellites))
    services = (("ingest", "1"), ("simulate", "1"))
    evaluator = Evaluator(Series("bench", ids, planes, services), RULES)
    random = np.random.default_rng(1)
    takes, calms = [], []
    for report in range(WARM_REPORTS):
        time_s = report * REPORT_S
        calm = _columns(evaluator, random, report)
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


CALM: Final = {
    "orb_sunlit_frac": 1.0, "orb_decay_model_m_day": 10.0, "orb_sma_decay_m_day": 10.0,
    "eps_batt_w": 10.0, "eps_compute_w": 1000.0, "tcs_margin_k": 20.0, "tcs_loop_drop_pct": 100.0,
    "tcs_rad_t_k": 320.0, "tcs_bus_t_c": 20.0, "tcs_loop_return_t_c": 40.0, "tcs_die_max_t_c": 70.0,
    "tcs_coldplate_t_c": 60.0, "rad_dose_rate_rad_day": 0.4, "rad_dose_model_rad_day": 0.4,
    "isl_up_pct": 100.0, "job_util_pct": 60.0, "tcs_loop_pressure_kpa": 2100.0,
    "tcs_accum_level_pct": 95.0, "accel_available_pct": 100.0, "accel_available_mean_pct": 100.0,
    "sats_count": 100.0, "contact_count": 100.0, "isl_largest_pct": 100.0, "isl_parts_count": 1.0,
    "decay_mean_m_day": 10.0, "decay_model_mean_m_day": 10.0, "season_min_day": 32.0,
    "store_up": 1.0, "broker_up": 1.0,
}  # fmt: skip
"""A value of every field in the middle of whose limits not all is well, or that has none."""
COUNTED: Final = frozenset({"ticks_total", "tm_seq"})
"""Counters that stand still only where something is wrong: one more at each report."""


def _columns(evaluator: Evaluator, random: np.random.Generator, report: int) -> Columns:
    """A healthy value of every field that some rule reads, with its sensor's noise."""
    counts = evaluator.series.counts
    columns: Columns = {}
    for measurement, fields in evaluator.fields.items():
        columns[measurement] = {}
        for field in fields:
            noise = by_name()[field].noise if field in by_name() else 0.0
            value = float(report) if field in COUNTED else _calm(field)
            columns[measurement][field] = value + noise * random.standard_normal(
                counts[measurement]
            )
    return columns


def _calm(field: str) -> float:
    if field in CALM:
        return CALM[field]
    row = by_name().get(field)
    if row is None or row.is_integer:
        return 0.0
    limits = row.limits
    low, high = limits.warning_low, limits.warning_high
    if low is not None and high is not None:
        return 0.5 * (low + high)
    if low is not None:
        return 0.5 * (low + 100.0)
    return 0.0 if high is None else 0.5 * high


def _timed(work: Callable[[], object]) -> float:
    begin_s = time.process_time()
    work()
    return time.process_time() - begin_s
