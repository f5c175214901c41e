"""What the services take from outside themselves, in one place.

In production this is the machine's clock, MQTT and the configured store. A simulation gives its
own and runs every service on virtual time in one thread (tests/simulation).
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.journal import Offload, in_thread
from services.mqtt import Connector, connect
from services.pace import SYSTEM_CLOCK, Clock
from services.settings import Settings
from services.store import Store, open_store


@dataclass(frozen=True)
class World:
    """Clock and chance, the way to a broker, to a store, and to a thread for the disk."""

    clock: Clock = SYSTEM_CLOCK
    connect: Connector = connect
    open_store: Callable[[Settings], Store] = open_store
    offload: Offload | None = None  # None = in the event loop itself


REAL_WORLD = World(offload=in_thread)
