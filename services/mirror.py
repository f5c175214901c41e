"""The mirror: chosen satellites, one JSON message for each report, beside the batches.

It is a convenience: bounded, the oldest give way, and nothing waits for it.
"""

import asyncio
from collections import deque

from services.mqtt import Connection
from services.satellite_json import documents_of
from services.settings import Settings
from services.simulator import Simulator
from services.topics import Topics
from twin.errors import ConfigurationError, Problem

WAITING_LIMIT = 1_000
LOOK_S = 0.25


class Mirror:
    """What is to be said of the chosen satellites of one fleet."""

    def __init__(self, topics: Topics, satellites: frozenset[str], run: str) -> None:
        self._topics = topics
        self._satellites = satellites
        self._run = run
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=WAITING_LIMIT)

    def note(self, body: bytes) -> None:
        """A report that is about to be published in a batch."""
        if self._satellites:
            self._waiting.extend(documents_of(body, self._satellites, self._run).items())

    async def send(self, connection: Connection) -> None:
        """Publish what waits, for ever; nothing to do where no satellite is chosen."""
        while self._satellites:
            while self._waiting:
                satellite, payload = self._waiting[0]
                await connection.publish(self._topics.mirror(satellite), payload)
                if self._waiting and self._waiting[0][1] is payload:
                    self._waiting.popleft()
            await asyncio.sleep(LOOK_S)


def mirror_of(settings: Settings, simulator: Simulator) -> Mirror:
    """The mirror that the settings ask for, fed by the simulator.

    Raises ConfigurationError for a satellite that the fleet does not have.
    """
    names = [name.strip() for name in settings.mirror_satellites.split(",") if name.strip()]
    known = {*simulator.plan.build.fleet.satellite_ids}
    unknown = sorted(set(names) - known)
    if unknown:
        text = f"no satellite {', '.join(unknown)} in {simulator.fleet.name}"
        raise ConfigurationError([Problem("environment", None, "TWIN_MIRROR_SATELLITES", text)])
    mirror = Mirror(simulator.topics, frozenset(names), simulator.plan.run_id)
    simulator.on_report = mirror.note
    return mirror
