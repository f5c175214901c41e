"""influxd's configuration where we start one: the numbers of deploy/influxdb, for 1.x.

Larger caches mean fewer and larger files: at 10,000 satellites they are worth a factor of 1.7
(measured with 1.6.7). The cache is millions of small objects, and Go's collector walks all of
them whenever the heap has doubled; let the heap grow nine times instead, and it costs a third
less processor time (docs/pipeline.md). What bounds the memory is then a limit, not the factor.
"""

from pathlib import Path
from typing import Final

import psutil

CACHE_SNAPSHOT_BYTES: Final = 1_073_741_824
CACHE_MAX_BYTES: Final = 6_442_450_944
COMPACTIONS_AT_ONCE: Final = 1
GO: Final = {"GOGC": "800", "GOMEMLIMIT": "7GiB"}
"""Environment of the process: growth between two collections [%], and the heap that ends it."""
SMALLEST_LIMIT_MIB: Final = 2048  # the cache and what is written from it; our choice
OWN_MACHINE_FRAC: Final = (
    0.6  # of the memory, for a store that shares a machine with us; our choice
)


def machine_environment() -> dict[str, str]:
    """`GO` where no container bounds the memory: the heap may take most of the machine.

    Ten minutes at 10,000 satellites fill 7 GiB after one, and from then on the collector runs every
    25 s, each time for seconds (docs/pipeline.md).
    """
    limit_mib = round(OWN_MACHINE_FRAC * psutil.virtual_memory().total / 2**20)
    return GO | {"GOMEMLIMIT": f"{max(limit_mib, SMALLEST_LIMIT_MIB)}MiB"}


def influxd_conf(directory: Path, port: int) -> str:
    """A store on loopback with its files in a directory of its own."""
    return f"""\
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
dir = "{directory}/meta"
[data]
dir = "{directory}/data"
wal-dir = "{directory}/wal"
query-log-enabled = false
cache-snapshot-memory-size = {CACHE_SNAPSHOT_BYTES}
cache-max-memory-size = {CACHE_MAX_BYTES}
max-concurrent-compactions = {COMPACTIONS_AT_ONCE}
max-series-per-database = 0
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
[logging]
level = "warn"
"""
