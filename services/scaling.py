"""What a fleet costs on servers: messages, bytes, cores, disk and memory. Arithmetic, no I/O.

Every number that goes in has a source; `docs/scaling.md` is rendered from here. Costs of one report
grow with its bytes (broker, ingester) or with its values (store), those of the physics with the
steps of all satellites; all are proportional to the size of the fleet. Valid while each
process keeps its part in memory and every server has its own cores; it says nothing of latency.
"""

import math
from dataclasses import dataclass
from typing import Final

HOUR_S: Final = 3_600.0
DAY_S: Final = 86_400.0


@dataclass(frozen=True)
class Figure:
    """One number that goes in: value, unit, where it comes from, how sure it is."""

    name: str
    value: float
    unit: str
    source: str
    confidence: str  # measured, estimated, read, assumed, chosen


FRAME_BYTES: Final = Figure(
    "a report of all bus channels", 2033.0, "B",
    "20 reports of 1,000 `amazon-leo-relay`, header of the batch included", "measured",
)  # fmt: skip
FRAME_VALUES: Final = Figure(
    "values in it", 94.0, "", "the same: values of `tests/chaos/test_groups.py` by rows", "measured"
)
BATCH_FRAMES: Final = Figure(
    "reports in one MQTT message", 278.0, "",
    "10,000 of them that report together; a batch holds at most 30,000 values", "measured",
)  # fmt: skip
STEP_US: Final = Figure(
    "simulator, one step of one satellite", 2.0, "us",
    "CPU of `Simulator.turn` in 20 ticks: 59 us a report of `starlink-compute`, which then"
    " stepped ten times for it, less what its bytes cost as in the next row", "estimated",
)  # fmt: skip
REPORT_US: Final = Figure(
    "simulator, one report made and encoded", 26.0, "us",
    "the same of 1,000 relays, 28 us for a step and a report; two busy cores", "measured",
)  # fmt: skip
STEP_S: Final = Figure("between two steps", 1.0, "s", "`step_s` of most scenarios", "chosen")
BROKER_US_KB: Final = Figure(
    "broker, in and out", 1.2, "us/kB", "mosquitto 2.0.11, QoS 1, 1.1 kB a report, 100 in a batch",
    "measured",
)  # fmt: skip
INGEST_US_KB: Final = Figure(
    "ingester, checked and written",
    3.2,
    "us/kB",
    "as above, acknowledged after the store",
    "measured",
)
STORE_US_VALUE: Final = Figure(
    "InfluxDB, a value in a wide row", 1.9, "us",
    "influxd 1.6.7 at 10,000 satellites: 88 to 94 us for rows of 50 values", "measured",
)  # fmt: skip
STORE_VALUE_BYTES: Final = Figure(
    "a stored value",
    3.0,
    "B",
    "floats that drift, compressed by InfluxDB; noise costs more",
    "assumed",
)
STORE_SERIES_KB: Final = Figure(
    "InfluxDB's memory for a series", 106.0, "kB", "5.3 GB with 50,000 series, index in memory",
    "measured",
)  # fmt: skip
SATELLITE_KB: Final = Figure(
    "simulator's memory for a satellite", 11.3, "kB",
    "resident after 11 ticks: 360 MB of 10,281 `starlink-compute`, 255 MB of 1,000 relays",
    "measured",
)  # fmt: skip
PROCESS_MB: Final = Figure(
    "memory of a simulator process", 244.0, "MB", "what is left of it", "measured"
)
COPIES: Final = Figure("servers that keep a message", 3.0, "", "`TWIN_NATS_REPLICAS`", "chosen")
MQTT_COPIES: Final = Figure(
    "and NATS's own copies for MQTT at QoS 1", 3.0, "", "its stream $MQTT_msgs, NATS documentation",
    "read",
)  # fmt: skip
OUTAGE_H: Final = Figure("an outage of the store that the stream bridges", 1.0, "h", "", "chosen")
RAW_DAYS: Final = Figure("reports are kept", 7.0, "d", "`store_setup --retention-days`", "chosen")
LOAD: Final = Figure(
    "of a core that is planned with", 0.5, "", "the rest is for catching up", "chosen"
)

FIGURES: Final = (
    FRAME_BYTES, FRAME_VALUES, BATCH_FRAMES, STEP_US, REPORT_US, STEP_S, BROKER_US_KB, INGEST_US_KB,
    STORE_US_VALUE, STORE_VALUE_BYTES, STORE_SERIES_KB, SATELLITE_KB, PROCESS_MB, COPIES,
    MQTT_COPIES, OUTAGE_H, RAW_DAYS, LOAD,
)  # fmt: skip


@dataclass(frozen=True)
class Load:
    """What a fleet asks of servers."""

    frames_per_s: float
    messages_per_s: float
    bytes_per_s: float
    values_per_s: float
    simulate_cores: float  # busy, without the rest that LOAD leaves
    broker_cores: float  # of each server that keeps a copy
    ingest_cores: float
    store_cores: float
    store_bytes_per_day: float
    stream_write_bytes_per_s: float  # on each server, two streams
    stream_bytes: float  # on each server, for OUTAGE_H
    simulate_memory_bytes: float
    store_memory_bytes: float

    @property
    def simulators(self) -> int:
        """Processes (`--shard k/n`), each on a core of its own."""
        return processes(self.simulate_cores)

    @property
    def ingesters(self) -> int:
        """Processes of one group; at least two, so that one can die."""
        return max(2, processes(self.ingest_cores))


def processes(cores: float) -> int:
    """Processes of one core each, loaded to LOAD."""
    return max(1, math.ceil(cores / LOAD.value))


def load_of(satellites: int, interval_s: float) -> Load:
    """The load of a fleet that reports every `interval_s` seconds.

    frames/s = satellites / interval; cores = frames/s (or steps/s) * CPU seconds of one;
    disk = values/s * bytes a value * 86,400 s. Raises ValueError for what is not above 0.
    """
    if satellites <= 0 or not interval_s > 0.0:
        raise ValueError(f"{satellites} satellites every {interval_s} s: both must be above 0")
    frames_per_s = satellites / interval_s
    bytes_per_s = frames_per_s * FRAME_BYTES.value
    values_per_s = frames_per_s * FRAME_VALUES.value
    steps_per_s = satellites / STEP_S.value
    simulate = (steps_per_s * STEP_US.value + frames_per_s * REPORT_US.value) * 1e-6
    simulators = processes(simulate)
    copies = (COPIES.value + MQTT_COPIES.value) / COPIES.value  # on each of the servers
    return Load(
        frames_per_s=frames_per_s,
        messages_per_s=frames_per_s / BATCH_FRAMES.value,
        bytes_per_s=bytes_per_s,
        values_per_s=values_per_s,
        simulate_cores=simulate,
        broker_cores=bytes_per_s * BROKER_US_KB.value * 1e-9,
        ingest_cores=bytes_per_s * INGEST_US_KB.value * 1e-9,
        store_cores=values_per_s * STORE_US_VALUE.value * 1e-6,
        store_bytes_per_day=values_per_s * STORE_VALUE_BYTES.value * DAY_S,
        stream_write_bytes_per_s=bytes_per_s * copies,
        stream_bytes=bytes_per_s * OUTAGE_H.value * HOUR_S,
        simulate_memory_bytes=satellites * SATELLITE_KB.value * 1e3
        + simulators * PROCESS_MB.value * 1e6,
        store_memory_bytes=satellites * STORE_SERIES_KB.value * 1e3,
    )
