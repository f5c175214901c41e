"""MQTT topics: the only place that knows how they are spelled.

fleet/v1/<fleet>/tlm/<shard>      batches of line protocol, QoS 1
fleet/v1/<fleet>/sat/<sat>/tlm    one satellite's telemetry as JSON: mirror, and foreign satellites
fleet/v1/<fleet>/lp/<source>      line protocol of publishers that are not ours (Telegraf)
fleet/v1/<fleet>/state/<sat>      retained last-known state of one satellite, on change
fleet/v1/<fleet>/cmd/<target>     commands: a satellite id, a plane or `all`
fleet/v1/<fleet>/event            what was done and what happened
fleet/v1/<fleet>/alerts           retained: which alert rules fire or wait on which satellites
fleet/v1/<fleet>/wm/<shard>       retained: stored without a gap up to this sequence number
fleet/v1/<fleet>/stored/<shard>   numbers of batches that one ingester of a group has stored
fleet/v1/<fleet>/part/<k>         what process k of a run in parts gives to the roll-ups
fleet/v1/<fleet>/service/<name>   retained: a service is online, draining or offline (last will)
"""

import re
from dataclasses import dataclass

ROOT = "fleet/v1"
SIMULATOR_SHARD = re.compile(r"s[0-9]{4,}|rollup")
"""Names of the shards that simulators publish; any other is a satellite's own lane."""


@dataclass(frozen=True)
class Topics:
    """Topics of one fleet; `+` gives the filters over every fleet."""

    fleet: str = "+"

    def telemetry(self, shard: str = "+") -> str:
        """Batches of one shard."""
        return f"{ROOT}/{self.fleet}/tlm/{shard}"

    def state(self, satellite: str = "+") -> str:
        """Last-known state of one satellite."""
        return f"{ROOT}/{self.fleet}/state/{satellite}"

    def command(self, target: str = "+") -> str:
        """Commands to one target."""
        return f"{ROOT}/{self.fleet}/cmd/{target}"

    def event(self) -> str:
        """Events of the fleet."""
        return f"{ROOT}/{self.fleet}/event"

    def alerts(self) -> str:
        """Alert states of the fleet, as the watcher last saw them."""
        return f"{ROOT}/{self.fleet}/alerts"

    def mirror(self, satellite: str = "+") -> str:
        """One satellite's telemetry as JSON."""
        return f"{ROOT}/{self.fleet}/sat/{satellite}/tlm"

    def lines(self, source: str = "+") -> str:
        """Line protocol of a publisher that is not ours."""
        return f"{ROOT}/{self.fleet}/lp/{source}"

    def watermark(self, shard: str = "+") -> str:
        """Stored-up-to marks of one shard."""
        return f"{ROOT}/{self.fleet}/wm/{shard}"

    def stored(self, shard: str = "+") -> str:
        """What one ingester of a group tells the others of one shard."""
        return f"{ROOT}/{self.fleet}/stored/{shard}"

    def part(self, index: str = "+") -> str:
        """Parts of roll-ups of one process."""
        return f"{ROOT}/{self.fleet}/part/{index}"

    def service(self, name: str = "+") -> str:
        """State of one service."""
        return f"{ROOT}/{self.fleet}/service/{name}"


@dataclass(frozen=True)
class Address:
    """A received topic in parts."""

    fleet: str
    lane: str  # tlm, sat, lp, state, cmd, event, alerts, wm, stored, part, service
    leaf: str  # shard, satellite, target or service; empty for event and alerts


def parse(topic: str) -> Address | None:
    """The parts of a topic of ours; None for anything else."""
    parts = topic.split("/")
    if parts[:2] == ROOT.split("/") and len(parts) == 6 and (parts[3], parts[5]) == ("sat", "tlm"):
        return Address(parts[2], "sat", parts[4])
    if parts[:2] != ROOT.split("/") or len(parts) not in {4, 5}:
        return None
    return Address(parts[2], parts[3], parts[4] if len(parts) == 5 else "")
