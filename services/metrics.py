"""What a process tells of itself: one Prometheus registry, read at `/metrics` and into `ops`.

Counters that a service keeps anyway are read when somebody asks, so that they cost nothing
between; only durations are observed as they happen, by objects bound before. No label ever names
a satellite: what concerns one satellite is telemetry and belongs into the store.
"""

import asyncio
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from services.config_hash import hash_of

PREFIX = "twin_"
WRITE_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LATENCY_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
LOOP_LOOK_S = 1.0

Number = float | int
Reading = Number | Mapping[str, Number]


@dataclass(frozen=True)
class _Watched:
    """A number, or one per value of a label, that is read when asked for."""

    name: str
    text: str
    label: str
    is_counter: bool
    read: Callable[[], Reading]

    def rows(self) -> list[tuple[str, float]]:
        """Value of the label, if there is one, and the number."""
        reading = self.read()
        rows = reading.items() if isinstance(reading, Mapping) else [("", reading)]
        return [(value, float(number)) for value, number in rows]


class Metrics(Collector):
    """The metrics of one process."""

    def __init__(self, service: str, instance: str = "1") -> None:
        self.service, self.instance = service, instance
        self.registry = CollectorRegistry()
        self._watched: list[_Watched] = []
        self._read_messages: Callable[[], Mapping[str, Number]] | None = None
        self.registry.register(self)
        self.store_write_s = self._histogram(
            "store_write_seconds", "One request to the store that it took", WRITE_BUCKETS_S
        )
        self.e2e_latency_s = self._histogram(
            "e2e_latency_seconds", "From a report's own time to stored", LATENCY_BUCKETS_S
        )
        self.loop_lag_s = Gauge(
            f"{PREFIX}event_loop_lag_seconds", "How late the loop turns", registry=self.registry
        )
        self.last_turn_s: float | None = None
        self.reload_failures = 0
        self.config_hash = 0
        self._configured: dict[str, str] = {}
        self.connections = 0
        build = {"version": _version(), "python": platform.python_version()}
        Gauge(
            f"{PREFIX}build_info", "Always 1; what runs", list(build), registry=self.registry
        ).labels(**build).set(1)
        self.gauge("asyncio_tasks", "Tasks of the event loop", _tasks_count)
        self.counter("config_reload_failures_total", "Reloads refused", self._reload_failures)
        self.gauge("config_hash", "Changes when settings or files do", lambda: self.config_hash)
        self.counter(
            "reconnects_total", "Connections after the first", lambda: max(0, self.connections - 1)
        )

    def configured(self, name: str, text: str) -> None:
        """Something that this process was told: settings, or a file it has read."""
        self._configured[name] = text
        self.config_hash = hash_of(self._configured)

    def _reload_failures(self) -> Number:
        return self.reload_failures

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"{PREFIX}{name}", text, buckets=buckets, registry=self.registry)

    def counter(self, name: str, text: str, read: Callable[[], Reading], label: str = "") -> None:
        """Something that only grows; with a label `read` gives one number per value."""
        self._watched.append(_Watched(name, text, label, True, read))

    def gauge(self, name: str, text: str, read: Callable[[], Reading], label: str = "") -> None:
        """Something that goes up and down."""
        self._watched.append(_Watched(name, text, label, False, read))

    def messages(self, read: Callable[[], Mapping[str, Number]]) -> None:
        """`messages_total{svc, outcome}`: what became of what came in, or went out."""
        self._read_messages = read

    def collect(self) -> Iterable[Metric]:
        """The families that are read now; part of prometheus_client's protocol."""
        if self._read_messages is not None:
            family = CounterMetricFamily(
                f"{PREFIX}messages", "Batches and messages by outcome", labels=["svc", "outcome"]
            )
            for outcome, value in self._read_messages().items():
                family.add_metric([self.service, outcome], float(value))
            yield family
        for one in self._watched:
            kind = CounterMetricFamily if one.is_counter else GaugeMetricFamily
            labels = [one.label] if one.label else []
            found = kind(PREFIX + one.name.removesuffix("_total"), one.text, labels=labels)
            for label, number in one.rows():
                found.add_metric([label] if one.label else [], number)
            yield found

    def exposition(self) -> bytes:
        """Prometheus text format."""
        return generate_latest(self.registry)

    def fields(self) -> dict[str, float]:
        """Every number by a flat name, for the measurement `ops`; buckets are left out.

        So is a histogram that has seen nothing: a store would take its mean 0 / 0 for 0.
        """
        found: dict[str, float] = {}
        if self._read_messages is not None:
            for outcome, count in self._read_messages().items():
                found[f"messages_total_{outcome}".replace(" ", "_")] = float(count)
        for one in self._watched:
            for label, number in one.rows():
                found[f"{one.name}_{label}".removesuffix("_").replace(" ", "_")] = number
        for observed in (self.store_write_s, self.e2e_latency_s, self.loop_lag_s):
            numbers = {
                sample.name.removeprefix(PREFIX): float(sample.value)
                for family in observed.collect()
                for sample in family.samples
                if not sample.name.endswith(("_bucket", "_created"))
            }
            if all(number > 0.0 for name, number in numbers.items() if name.endswith("_count")):
                found |= numbers
        return found

    async def watch_loop(self) -> None:
        """Measure how late the event loop turns, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            self.last_turn_s = due_s = loop.time()
            await asyncio.sleep(LOOP_LOOK_S)
            self.loop_lag_s.set(max(0.0, loop.time() - due_s - LOOP_LOOK_S))


def _tasks_count() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # asked from outside the loop
        return 0


def _version() -> str:
    try:
        return version("orbital-twin")
    except PackageNotFoundError:
        return "unknown"
