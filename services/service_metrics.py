"""The numbers of the simulator, the console and the embedded store, by name."""

from typing import TYPE_CHECKING

from services.metrics import Metrics, Number

if TYPE_CHECKING:
    from services.embedded_store import StoreServer
    from services.simulator import Simulator


def watch_simulator(metrics: Metrics, simulator: "Simulator") -> None:
    """Bind a simulator to its process's metrics."""
    counts, outbox = simulator.counts, simulator.outbox

    def outcomes() -> dict[str, Number]:
        return {
            "published": counts.frames_published,
            "stored": counts.frames_stored,
            "late": counts.frames_late,
            "resent": counts.resent,
        }

    metrics.messages(outcomes)
    metrics.counter("ticks_total", "Steps of the physics", lambda: counts.ticks)
    metrics.counter("commands_total", "Commands carried out", lambda: counts.commands)
    metrics.counter("commands_refused_total", "Refused", lambda: counts.commands_refused)
    metrics.counter("parts_refused_total", "No roll-up parts", lambda: counts.parts_refused)
    metrics.counter(
        "disk_failures_total",
        "Writes our own disk refused",
        lambda: {"checkpoint": counts.checkpoint_failures},
        "file",
    )
    metrics.gauge("inflight", "Frames not known to be stored", lambda: outbox.frames_count)
    metrics.gauge("queue_bytes", "Bytes not known to be stored", lambda: outbox.bytes_count)
    metrics.gauge("clock_lag_seconds", "Behind the wall clock", lambda: simulator.pace.lag_s)
    metrics.gauge("satellites", "Simulated here", lambda: simulator.fleet.count)
    metrics.gauge("broker_up", "1 while connected", lambda: int(simulator.broker_is_up))
    metrics.configured("run", simulator.plan.run_id)


def watch_store(metrics: Metrics, server: "StoreServer") -> None:
    """Bind the embedded store to its process's metrics."""
    metrics.messages(lambda: {"stored": server.writes_count, "refused": server.refused_count})
    metrics.counter("rows_stored_total", "Rows written", lambda: server.rows_count)
    metrics.counter("queries_total", "Questions answered", lambda: server.queries_count)
