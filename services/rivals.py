"""Two processes with one client id at one broker: each one's connection ends the other's.

MQTT lets the newer connection win, and 3.1.1 does not say so to the older one: both would take
over from each other for ever. What can be seen is that a session ended young although the broker
is there. Who sees that several times in a row waits much longer than after an outage, so that
the other's session grows old and it alone goes on; the one that waits is not ready.
"""

from dataclasses import dataclass

from services.pace import SYSTEM_CLOCK, Clock

YOUNG_S = 10.0  # a session that lasted less may have been taken over; our choice
FREE_COUNT = 2  # young sessions in a row that a bad link may explain
FIRST_WAIT_S = 60.0  # then at most 3 takeovers a minute, reliability bar R17
LONGEST_WAIT_S = 240.0


@dataclass
class Rivals:
    """Counts the young sessions of one client in a row."""

    clock: Clock = SYSTEM_CLOCK
    young_count: int = 0

    def wait_s(self, lasted_s: float | None) -> float:
        """How long to stay away [s] after a session of this length; 0 for no more than usual.

        None is an attempt that came to no session: then the broker was away, nobody's rival.
        """
        if lasted_s is None or lasted_s >= YOUNG_S:
            self.young_count = 0
            return 0.0
        self.young_count += 1
        over = self.young_count - FREE_COUNT
        if over <= 0:
            return 0.0
        bound_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (over - 1))
        return self.clock.uniform(0.5 * bound_s, bound_s)
