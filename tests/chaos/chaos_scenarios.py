"""Every scenario by its name in the list of bars (docs/reliability.md)."""

from collections.abc import Callable

from crowd import reconnect_storm
from disks import disk_full, own_disks
from kills import (
    KILLED,
    any_start_order,
    broker_killed_while_ingester_is_down,
    kill_any,
    paused,
    replayed,
    told_to_stop,
)
from limits import little_memory, on_virtual_time
from links import bad_links, partition, slow_store
from operators import reloaded, rivals
from outcome import Outcome, Size
from payloads import hostile_payloads, poison

__all__ = ["KILLED", "SCENARIOS", "Outcome", "Size"]

SCENARIOS: dict[str, Callable[[Size], Outcome]] = {
    "R1": kill_any,
    "R2": broker_killed_while_ingester_is_down,
    "R3": slow_store,
    "R4": partition,
    "R5": bad_links,
    "R6": disk_full,
    "R7": own_disks,
    "R9": hostile_payloads,
    "R10": poison,
    "R11": reconnect_storm,
    "R13": little_memory,
    "R14": told_to_stop,
    "R15": reloaded,
    "R16": any_start_order,
    "R17": rivals,
    "R18": replayed,
    "R19": paused,
    "R20": on_virtual_time,
}
