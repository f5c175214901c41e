"""The ingester's numbers under the names that dashboards and alerts know."""

from services.batches import Batch
from services.ingester import Ingester
from services.metrics import Metrics, Number
from services.pace import Clock

LIVE_WITHIN_S = 3600.0  # a report further from the wall clock than this is not a live one


def watch_ingester(metrics: Metrics, ingester: Ingester, clock: Clock) -> None:
    """Bind the ingester to its process's metrics."""
    letters = ingester.dead_letters

    def outcomes() -> dict[str, Number]:
        counts = ingester.counts
        return {
            "received": counts.messages,
            "stored": counts.batches,
            "duplicate": counts.duplicates,
            "foreign": counts.foreign,
            "dead_lettered": letters.count,
        }

    def dropped() -> dict[str, Number]:
        spool = ingester.spool
        return {
            "spool_quota": spool.dropped_batches if spool else 0,
            "dlq_cap": letters.evicted_count,
        }

    def disk_failures() -> dict[str, Number]:
        return {
            "dead_letters": letters.disk_failures_count,
            "spool": ingester.spool.disk_failures if ingester.spool else 0,
        }

    def stored(batch: Batch) -> None:
        late_s = clock.unix_s() - batch.time_ns * 1e-9
        if batch.time_ns and 0.0 <= late_s < LIVE_WITHIN_S:
            metrics.e2e_latency_s.observe(late_s)

    ingester.on_stored = stored
    ingester.guard.observe_write_s = metrics.store_write_s.observe
    metrics.messages(outcomes)
    metrics.counter("frames_stored_total", "Satellite rows", lambda: ingester.counts.frames_stored)
    metrics.counter("values_stored_total", "Values", lambda: ingester.counts.values_stored)
    metrics.counter("seq_gap_total", "Numbers skipped", lambda: ingester.marks.gaps_count)
    metrics.counter(
        "dlq_total", "Dead letters by kind", lambda: {**NO_LETTERS, **letters.by_kind}, "reason"
    )
    metrics.counter("dropped_total", "Given up; must stay 0", dropped, "reason")
    metrics.counter(
        "store_errors_total",
        "Answers other than stored",
        lambda: {**NO_ERRORS, **ingester.guard.errors},
        "class",
    )
    metrics.counter("disk_failures_total", "Writes our own disk refused", disk_failures, "file")
    metrics.counter("retries_total", "Writes tried again", lambda: ingester.guard.retries_count)
    metrics.gauge("watermark_lag_seconds", "Age of the oldest row due", ingester.oldest_wait_s)
    metrics.gauge("inflight", "Batches neither stored nor refused", lambda: ingester.waiting_count)
    metrics.gauge("queue_bytes", "Bytes that wait in memory", lambda: ingester.queued_bytes)
    metrics.gauge(
        "spool_bytes",
        "Bytes in the spool",
        lambda: ingester.spool.bytes_count if ingester.spool else 0,
    )
    metrics.gauge("store_up", "1 while rows go through", lambda: int(ingester.store_is_up))
    metrics.gauge("broker_up", "1 while connected", lambda: int(ingester.broker_is_up))
    metrics.counter("broker_dropped_total", "By $SYS of mosquitto", lambda: ingester.broker_dropped)


NO_LETTERS: dict[str, Number] = {"frame": 0, "owner": 0, "schema": 0, "row": 0}
NO_ERRORS: dict[str, Number] = {"rejected": 0, "5xx": 0, "4xx": 0, "no answer": 0}
