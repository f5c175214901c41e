"""Simulated time as somebody beside a simulator knows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twin.report_ages import NS_PER_S


@dataclass
class SimulatedClock:
    """Where a simulator is, from what it says of itself."""

    wall_s: Callable[[], float]
    epoch_ns: int
    rate: float = 1.0
    _time_ns: int = 0
    _heard_s: float = 0.0

    def hear(self, state: dict[str, Any]) -> None:
        """A retained state of the service."""
        if isinstance(time_ns := state.get("time_ns"), int) and time_ns > self._time_ns:
            self._time_ns, self._heard_s = time_ns, self.wall_s()
            self.rate = float(state.get("rate") or 1.0)

    @property
    def is_known(self) -> bool:
        """Whether it has spoken."""
        return self._time_ns > 0

    @property
    def elapsed_s(self) -> float:
        """Simulated seconds since the epoch."""
        since_s = (self.wall_s() - self._heard_s) * self.rate
        return (self._time_ns - self.epoch_ns) / NS_PER_S + since_s
