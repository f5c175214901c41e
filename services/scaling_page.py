"""docs/scaling.md, rendered from `scaling.py`."""

from services.scaling import FIGURES, LOAD, OUTAGE_H, RAW_DAYS, Load, load_of

FLEETS = (
    ("10 k, every second", 10_000, 1.0),
    ("100 k, every 10 s", 100_000, 10.0),
    ("100 k, every second", 100_000, 1.0),
    ("1 M, every minute", 1_000_000, 60.0),
    ("1 M, every 10 s", 1_000_000, 10.0),
    ("1 M, every second", 1_000_000, 1.0),
)

HEAD = """\
# From one machine to a million satellites

Generated from `services/scaling.py` by `make generate`; `tests/unit/test_scaling.py` measures the
size of a report again. It is arithmetic from figures measured on two shared cores, not a test at
these sizes: nothing above 10,000 satellites was run end to end, and the loss of a broker and of
an ingester was tried at 1,000 reports a second (`tests/chaos/test_groups.py`).

## What goes in

"""
TABLE = """
## What comes out

Reports of all bus channels, raw. Cores are busy ones; processes are planned at {load:.0%} of a
core each.

"""
TAIL = """
## What to do with it

- **Up to 10,000 reports a second** one machine of 8 cores with mosquitto is enough; nearly all of
  it is the store. With three NATS servers and two ingesters nothing depends on one machine but
  the store.
- **At 100,000 a second** simulators are parts of one run (`twin simulate --shard k/n`, the
  manifests of `deploy/kubernetes`), ingesters a group. One InfluxDB does not take it: the store
  has to be one that is spread over servers and takes line protocol with "the same key and time
  overwrites" (InfluxDB 3 Enterprise; QuestDB with `DEDUP UPSERT KEYS`). None of these was run
  here.
- **A million satellites every second** is a matter of the store alone: simulators and ingesters
  are {sim} processes together, the store {store:,.0f} cores. Report less often, report chosen
  channels of most satellites, and keep roll-ups; what is asked of a fleet is answered by roll-ups
  anyway, which cost the same for ten satellites and for a million. `twin run` computes a million
  on one machine.
- **A broker** here is one that keeps up with the bytes. Of NATS with `sync_interval: always` only
  the loss was tried, not the rate: each server writes the bytes twice (its own MQTT stream and
  ours), and waits for its disk. Give it disks that acknowledge in less than a millisecond, and
  measure first.
- **An hour without the store** fills the stream by the row "stream for an outage": that is
  `TWIN_NATS_STREAM_GB`. When it is full, publishers keep what is owed and wait.
"""


def scaling_page() -> str:
    """The page as Markdown."""
    rows = ["| figure | value | confidence | source |", "|---|---|---|---|"]
    for one in FIGURES:
        value = f"{one.value:,g} {one.unit}".strip()
        rows.append(f"| {one.name} | {value} | {one.confidence} | {one.source or '-'} |")
    loads = [load_of(count, interval_s) for _, count, interval_s in FLEETS]
    table = ["| | " + " | ".join(name for name, _, _ in FLEETS) + " |"]
    table.append("|---" * (len(FLEETS) + 1) + "|")
    table += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in _cells(loads)]
    most = loads[-1]
    tail = TAIL.format(sim=f"{most.simulators + most.ingesters:,}", store=most.store_cores)
    middle = TABLE.format(load=LOAD.value)
    return HEAD + "\n".join(rows) + "\n" + middle + "\n".join(table) + "\n" + tail


def _cells(loads: list[Load]) -> list[tuple[str, list[str]]]:
    days, hours = RAW_DAYS.value, OUTAGE_H.value
    return [
        ("reports/s", [f"{one.frames_per_s:,.0f}" for one in loads]),
        ("messages/s", [f"{one.messages_per_s:,.0f}" for one in loads]),
        ("payload [MB/s]", [_short(one.bytes_per_s / 1e6) for one in loads]),
        ("values/s [million]", [_short(one.values_per_s / 1e6) for one in loads]),
        ("simulator cores", [_short(one.simulate_cores) for one in loads]),
        ("simulator processes", [f"{one.simulators:,}" for one in loads]),
        ("simulator memory [GB]", [_short(one.simulate_memory_bytes / 1e9) for one in loads]),
        ("broker cores, each copy", [_short(one.broker_cores) for one in loads]),
        ("disk of each NATS server [MB/s]",
         [_short(one.stream_write_bytes_per_s / 1e6) for one in loads]),
        (f"stream for an outage of {hours:g} h [GB]",
         [_short(one.stream_bytes / 1e9) for one in loads]),
        ("ingester cores", [_short(one.ingest_cores) for one in loads]),
        ("ingester processes", [f"{one.ingesters:,}" for one in loads]),
        ("store cores", [_short(one.store_cores) for one in loads]),
        ("store disk a day [GB]", [_short(one.store_bytes_per_day / 1e9) for one in loads]),
        (f"store disk for {days:g} days [TB]",
         [_short(days * one.store_bytes_per_day / 1e12) for one in loads]),
        ("store memory for series [GB]", [_short(one.store_memory_bytes / 1e9) for one in loads]),
    ]  # fmt: skip


def _short(value: float) -> str:
    """Two digits that matter; whole from 10 on."""
    return f"{value:,.0f}" if value >= 10.0 else f"{value:.2g}"
