"""Accelerators of a compiled fleet: kept only where something has happened to one.

A fresh accelerator has no outage and no counts; its energy is that of its satellite's
`unit_energy_j`. A satellite gets arrays of its own with its first event. Outages are kept as they
began, and aged by the numpy path's own subtraction when they are looked at, so that the bits are
the same.
"""

from dataclasses import dataclass, field

import numpy as np

from twin.state import FloatArray, IntArray

COUNTS = (
    "accel_uecc_count",
    "accel_sdc_count",
    "accel_sdc_pending_count",
    "accel_xid",
)


@dataclass
class Touched:
    """The accelerators of one satellite, (accel_count,) each."""

    down_s: FloatArray  # left at tick `at_tick`
    at_tick: IntArray
    unit_energy_j: FloatArray  # of the satellite when the outage began
    missed_j: FloatArray  # energy not used in outages that are over
    counts: dict[str, IntArray] = field(default_factory=dict)

    @classmethod
    def fresh(cls, count: int) -> "Touched":
        """Nothing has happened yet."""
        counts = {name: np.zeros(count, dtype=np.int64) for name in COUNTS}
        none = np.zeros(count, dtype=np.int64)
        return cls(np.zeros(count), none, np.zeros(count), np.zeros(count), counts)

    def down_at(self, tick: int, step_s: float) -> FloatArray:
        """Outage left at a tick [s], (accel_count,), by one subtraction a tick."""
        left_s = self.down_s.copy()
        for index in np.flatnonzero((left_s > 0.0) & np.isfinite(left_s)).tolist():
            left_s[index] = aged_s(float(left_s[index]), tick - int(self.at_tick[index]), step_s)
        return left_s

    def settle(self, tick: int, step_s: float, unit_energy_j: float) -> None:
        """Close outages that are over at a tick; the satellite's energy is that before it."""
        over = (self.down_s > 0.0) & (self.down_at(tick, step_s) <= 0.0)
        self.missed_j[over] += unit_energy_j - self.unit_energy_j[over]
        self.down_s[over] = 0.0

    def fall(self, tick: int, down_s: FloatArray, step_s: float, unit_energy_j: float) -> None:
        """Take new outages: down_s at this tick, (accel_count,)."""
        before_s = self.down_at(tick, step_s)
        changed = down_s != before_s
        begun = changed & (before_s <= 0.0)
        self.unit_energy_j[begun] = unit_energy_j
        self.down_s[changed], self.at_tick[changed] = down_s[changed], tick

    def energy_j(self, tick: int, step_s: float, unit_energy_j: float) -> FloatArray:
        """Energy used by each accelerator after a tick [J], (accel_count,)."""
        down = self.down_at(tick, step_s) > 0.0
        used_j = unit_energy_j - self.missed_j
        used_j[down] -= unit_energy_j - self.unit_energy_j[down]
        return used_j

    def next_change(self, tick: int, step_s: float) -> int | None:
        """The next tick at which an outage is over."""
        left_s = self.down_at(tick, step_s)
        waits = [
            ticks_until_up(float(one), step_s)
            for one in left_s[(left_s > 0.0) & np.isfinite(left_s)].tolist()
        ]
        return tick + min(waits) if waits else None


def aged_s(down_s: float, ticks: int, step_s: float) -> float:
    """An outage after some ticks [s], by the subtraction of each tick."""
    for _ in range(ticks):
        down_s = max(down_s - step_s, 0.0)
        if down_s == 0.0:
            break
    return down_s


def ticks_until_up(down_s: float, step_s: float) -> int:
    """Ticks until an outage is over."""
    ticks = 0
    while down_s > 0.0:
        down_s = max(down_s - step_s, 0.0)
        ticks += 1
    return ticks
