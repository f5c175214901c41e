"""Simulated time as the data tells it: where it is, how fast it runs, how old it is."""

import math
from collections import deque
from collections.abc import Callable

RATE_WINDOW_S = 60.0
ANCHORS_KEPT = 600
NS = 10**9


class DataClock:
    """Follows the newest timestamp of the telemetry against a wall clock [s]."""

    def __init__(self, wall_s: Callable[[], float]) -> None:
        self.newest_ns = 0
        self._wall_s = wall_s
        self._newest_wall_s = self._fresh_wall_s = wall_s()
        self._anchors: deque[tuple[float, int]] = deque(maxlen=ANCHORS_KEPT)
        self._traffic: deque[tuple[float, int, int]] = deque(maxlen=30)

    def saw(self, time_ns: int) -> None:
        """A report newer than its satellite's last one arrived, stamped `time_ns`."""
        self._fresh_wall_s = self._wall_s()
        if time_ns > self.newest_ns:
            self.newest_ns, self._newest_wall_s = time_ns, self._fresh_wall_s

    def tick(self, messages: int, lines: int) -> None:
        """Once per picture: keep what rate and traffic are computed from."""
        now_s = self._wall_s()
        self._traffic.append((now_s, messages, lines))
        if self.newest_ns and (not self._anchors or self._anchors[-1][1] != self.newest_ns):
            self._anchors.append((self._newest_wall_s, self.newest_ns))
        while len(self._anchors) > 2 and now_s - self._anchors[0][0] > RATE_WINDOW_S:
            self._anchors.popleft()

    def rate(self) -> float:
        """Simulated seconds per wall second over the last minute; NaN until it is known."""
        if len(self._anchors) < 2:
            return math.nan
        (wall_0, ns_0), (wall_1, ns_1) = self._anchors[0], self._anchors[-1]
        return (ns_1 - ns_0) / NS / (wall_1 - wall_0) if wall_1 > wall_0 else math.nan

    def rate_or_real_time(self) -> float:
        """The rate, or 1 while it is not known."""
        rate = self.rate()
        return 1.0 if math.isnan(rate) else rate

    def age_s(self) -> float:
        """Wall seconds since the newest report arrived; NaN before the first."""
        return self._wall_s() - self._newest_wall_s if self.newest_ns else math.nan

    def now_ns(self) -> int:
        """Simulated time now: the newest report plus what the rate adds since it arrived."""
        if not self.newest_ns:
            return 0
        return self.newest_ns + int(self.age_s() * self.rate_or_real_time() * NS)

    def quiet_s(self) -> float:
        """Wall seconds since any report was newer than its satellite's last one."""
        return self._wall_s() - self._fresh_wall_s

    def traffic_per_s(self) -> tuple[float, float]:
        """Messages and lines per wall second over the last pictures; NaN until known."""
        if len(self._traffic) < 2:
            return math.nan, math.nan
        (wall_0, messages_0, lines_0), (wall_1, messages_1, lines_1) = (
            self._traffic[0],
            self._traffic[-1],
        )
        span_s = max(wall_1 - wall_0, 1e-9)
        return (messages_1 - messages_0) / span_s, (lines_1 - lines_0) / span_s
