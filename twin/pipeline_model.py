"""What the services would count of themselves while a part of the pipeline fails: for drills.

Rules about the pipeline read the measurement `ops`. Off line there is no pipeline, so its counters
are made from a table of how each behaves: a level while the fault lasts, a backlog that grows and
is worked off afterwards, a counter that grows and stays. Real processes are killed and starved
by `make chaos`. Rates are drill rates (assumptions), names those of services/ingest_metrics.py.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from twin.located_yaml import nearest

SERVICES: Final = (("ingest", "1"), ("simulate", "1"))
"""Processes of a drill: service and instance."""

Law = Literal["level", "backlog", "counter", "stop", "absent"]


@dataclass(frozen=True)
class Effect:
    """What a fault does to one number of one service."""

    service: str
    field: str  # every one of the service where it is absent
    law: Law
    size: float  # value of a level; growth per second of the others; a stop's share
    drain_per_s: float = 0.0  # a backlog's decline afterwards
    after_s: float = 0.0  # begins so long after the onset


_HEALTHY: Final[Mapping[tuple[str, str], float]] = {
    ("ingest", "store_up"): 1.0,
    ("ingest", "broker_up"): 1.0,
    ("simulate", "broker_up"): 1.0,
}
_ZERO: Final[Mapping[str, tuple[str, ...]]] = {
    "ingest": (
        "watermark_lag_seconds",
        "queue_bytes",
        "inflight",
        "spool_bytes",
        "dropped_total_spool_quota",
        "dropped_total_dlq_cap",
        "disk_failures_total_dead_letters",
        "disk_failures_total_spool",
        "dlq_total_frame",
        "dlq_total_owner",
        "dlq_total_schema",
        "dlq_total_row",
        "store_errors_total_rejected",
        "store_errors_total_5xx",
        "store_errors_total_4xx",
        "store_errors_total_no_answer",
        "retries_total",
        "seq_gap_total",
        "broker_dropped_total",
    ),
    "simulate": ("clock_lag_seconds", "queue_bytes", "inflight", "commands_refused_total"),
}
_EVERY_SERVICE: Final = ("event_loop_lag_seconds",)
TICKS_PER_S: Final = 1.0  # of a live simulator: the step of most scenarios; assumption

TELEMETRY_CUT: Final = "telemetry-cut"
SIMULATOR_AWAY: Final = "simulator-away"
PIPELINE_FAULTS: Final[Mapping[str, tuple[Effect, ...]]] = {
    # The store does not answer: what waits grows old as fast as the clock and is spooled; after
    # twenty minutes the spool's quota is full and the oldest is thrown away.
    "store-down": (
        Effect("ingest", "store_up", "level", 0.0),
        Effect("ingest", "watermark_lag_seconds", "backlog", 1.0, drain_per_s=10.0),
        Effect("ingest", "queue_bytes", "backlog", 20e3, drain_per_s=200e3),
        Effect("ingest", "inflight", "backlog", 1.0, drain_per_s=10.0),
        Effect("ingest", "spool_bytes", "backlog", 1e6, drain_per_s=10e6),
        Effect("ingest", "store_errors_total_no_answer", "counter", 0.2),
        Effect("ingest", "retries_total", "counter", 0.2),
        Effect("ingest", "dropped_total_spool_quota", "counter", 1.0, after_s=1200.0),
    ),
    # It answers with errors: writes are tried again and the rows wait.
    "store-errors": (
        Effect("ingest", "store_errors_total_5xx", "counter", 1.0),
        Effect("ingest", "retries_total", "counter", 1.0),
        Effect("ingest", "watermark_lag_seconds", "backlog", 0.2, drain_per_s=10.0),
    ),
    # It refuses rows: no right to write, and some of wrong types. They become dead letters, nothing
    # waits.
    "store-rejects": (
        Effect("ingest", "store_errors_total_4xx", "counter", 0.1),
        Effect("ingest", "store_errors_total_rejected", "counter", 0.05),
    ),
    "ingest-slow": (
        Effect("ingest", "watermark_lag_seconds", "backlog", 0.5, drain_per_s=1.0),
        Effect("ingest", "queue_bytes", "backlog", 100e3, drain_per_s=200e3),
        Effect("ingest", "inflight", "backlog", 0.5, drain_per_s=1.0),
    ),
    "broker-down": (
        Effect("ingest", "broker_up", "level", 0.0),
        Effect("simulate", "broker_up", "level", 0.0),
        Effect("simulate", "inflight", "backlog", 1.0, drain_per_s=10.0),
        Effect("simulate", "queue_bytes", "backlog", 20e3, drain_per_s=200e3),
    ),
    "broker-drops": (Effect("ingest", "broker_dropped_total", "counter", 1.0),),
    "poison": (Effect("ingest", "dlq_total_row", "counter", 0.5),),
    "dlq-full": (
        Effect("ingest", "dlq_total_row", "counter", 0.5),
        Effect("ingest", "dropped_total_dlq_cap", "counter", 0.5),
    ),
    "disk-failing": (
        Effect("ingest", "disk_failures_total_spool", "counter", 0.1),
        Effect("ingest", "disk_failures_total_dead_letters", "counter", 0.05),
    ),
    "sequence-gaps": (Effect("ingest", "seq_gap_total", "counter", 0.5),),
    "simulator-slow": (Effect("simulate", "clock_lag_seconds", "backlog", 0.5, drain_per_s=1.0),),
    # Paused, or without room for more frames; at less than 1 a tick gets through now and then.
    "simulator-stands": (Effect("simulate", "ticks_total", "stop", 1.0),),
    # Its process is gone: it says nothing of itself, and nothing of the fleet.
    SIMULATOR_AWAY: (Effect("simulate", "*", "absent", math.nan),),
    # Nothing of the fleet arrives any more, while all processes run.
    TELEMETRY_CUT: (Effect("simulate", "inflight", "backlog", 1.0, drain_per_s=10.0),),
    # More work than the event loop can turn over: everything in the process is late.
    "overload": (Effect("ingest", "event_loop_lag_seconds", "level", 2.0),),
}
"""Faults of the pipeline by name."""


@dataclass(frozen=True)
class PipelineFault:
    """One fault of the pipeline; times in seconds of the run, severity 0-1 scales its growth."""

    kind: str
    onset_s: float
    duration_s: float = math.inf
    severity: float = 1.0

    def __post_init__(self) -> None:
        """Raises ValueError for a kind that is not there."""
        if self.kind not in PIPELINE_FAULTS:
            hint = nearest(self.kind, list(PIPELINE_FAULTS))
            raise ValueError(f"unknown fault {self.kind!r}; {hint}")

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.onset_s + self.duration_s


def is_cut(faults: Mapping[str, PipelineFault], elapsed_s: float) -> bool:
    """Whether no report of the fleet, and no roll-up, arrives at an instant."""
    return any(
        one.kind in (TELEMETRY_CUT, SIMULATOR_AWAY) and one.onset_s <= elapsed_s < one.end_s
        for one in faults.values()
    )


def service_numbers(
    faults: Mapping[str, PipelineFault], elapsed_s: float
) -> dict[tuple[str, str], float]:
    """What each service counts at an instant, by (service, field); nan where it is not there."""
    found = {(service, name): 0.0 for service, names in _ZERO.items() for name in names}
    found |= _HEALTHY
    found |= {(service, name): 0.0 for service in _ZERO for name in _EVERY_SERVICE}
    found["simulate", "ticks_total"] = TICKS_PER_S * elapsed_s
    for fault in faults.values():
        for effect in PIPELINE_FAULTS[fault.kind]:
            at = (effect.service, effect.field)
            if effect.law == "level":
                if fault.onset_s <= elapsed_s < fault.end_s:
                    found[at] = effect.size * fault.severity
            elif effect.law == "stop":
                share = effect.size * fault.severity
                found[at] -= TICKS_PER_S * share * _lasted_s(fault, effect, elapsed_s)
            elif effect.law != "absent":
                found[at] += _grown(effect, fault, elapsed_s)
    found["simulate", "ticks_total"] = float(math.floor(found["simulate", "ticks_total"] + 1e-6))
    away = {
        effect.service
        for fault in faults.values()
        for effect in PIPELINE_FAULTS[fault.kind]
        if effect.law == "absent" and fault.onset_s <= elapsed_s < fault.end_s
    }
    return {at: math.nan if at[0] in away else value for at, value in found.items()}


def _grown(effect: Effect, fault: PipelineFault, elapsed_s: float) -> float:
    """Growth since the onset, whole numbers for counters; a backlog is worked off afterwards."""
    grown = _lasted_s(fault, effect, elapsed_s) * effect.size * fault.severity
    if effect.law == "counter":
        return float(math.floor(grown))
    return max(0.0, grown - effect.drain_per_s * max(0.0, elapsed_s - fault.end_s))


def _lasted_s(fault: PipelineFault, effect: Effect, elapsed_s: float) -> float:
    """For how long the effect has been there, until now or to its end."""
    return max(0.0, min(elapsed_s, fault.end_s) - fault.onset_s - effect.after_s)
