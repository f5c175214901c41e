"""What a scenario found: rows of the table, and bars of time on a machine that others use too."""

import os
import resource
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from services.pace import SYSTEM_CLOCK, Clock

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
BUSY = (0, 2, 5, 6, 7)  # user, system, irq, softirq, steal of /proc/stat; not nice
ALL = range(8)
MOST_ALLOWANCE = 5.0


@dataclass(frozen=True)
class Size:
    """How much of it: CI's by default; every choice can be another."""

    seed: int = 1
    kills: int = 24
    nightly: bool = False
    order: tuple[str, ...] = ()  # of what is killed or started; drawn where empty
    satellites: int = 1000
    payloads: int = 50_000
    clock: Clock = SYSTEM_CLOCK


@dataclass(frozen=True)
class Row:
    """One bar of the table."""

    what: str
    measured: str
    bar: str
    is_met: bool


class Neighbours:
    """What share of the processors everybody but this run has used since the start.

    A bar of time is for a machine that does nothing else. Where others take part of it, the time
    allowed is the bar over the part that they leave, and the table says so.
    """

    def __init__(self) -> None:
        self._begun = (self.ours_s(), *self._machine_s())

    def share(self) -> float:
        """Between 0 and 1."""
        ours_s, busy_s, all_s = (
            now - then
            for now, then in zip((self.ours_s(), *self._machine_s()), self._begun, strict=True)
        )
        return min(1.0, max(0.0, (busy_s - ours_s) / all_s)) if all_s > 0.0 else 0.0

    def allowance(self) -> float:
        """Factor on a bar of time."""
        return min(MOST_ALLOWANCE, 1.0 / max(1e-9, 1.0 - self.share()))

    @staticmethod
    def ours_s() -> float:
        """This process and its children, the dead ones too."""
        used_s = 0.0
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            usage = resource.getrusage(who)
            used_s += usage.ru_utime + usage.ru_stime
        for child in psutil.Process().children(recursive=True):
            try:
                times = child.cpu_times()
            except psutil.Error:
                continue
            used_s += times.user + times.system
        return used_s

    @staticmethod
    def _machine_s() -> tuple[float, float]:
        """Busy and all seconds of all processors."""
        ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        busy, whole = sum(ticks[index] for index in BUSY), sum(ticks[index] for index in ALL)
        return busy / TICKS_PER_S, whole / TICKS_PER_S


@dataclass
class Outcome:
    """A scenario's rows, and figures that have no bar."""

    rows: list[Row] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    neighbours: Neighbours = field(default_factory=Neighbours)
    took_s: float = 0.0

    @property
    def missed(self) -> list[Row]:
        """Bars that were not met; a scenario without any bar has shown nothing."""
        if not self.rows:
            return [Row("anything judged", "nothing", "something", False)]
        return [row for row in self.rows if not row.is_met]

    def at_most(self, what: str, value: float | None, limit: float, unit: str) -> None:
        """A figure that must not be above its limit."""
        text = "never" if value is None else f"{value:.4g} {unit}".strip()
        met = value is not None and value <= limit
        self.rows.append(Row(what, text, f"<= {limit:g} {unit}".strip(), met))

    def within(self, what: str, value_s: float | None, limit_s: float) -> None:
        """A time; the limit is stretched by what the neighbours take, and the row says so."""
        factor = self.neighbours.allowance()
        text = "never" if value_s is None else f"{value_s:.1f} s"
        bar = f"<= {limit_s:g} s"
        met = value_s is not None and value_s <= limit_s
        if not met:
            met = value_s is not None and value_s <= factor * limit_s
            bar += f" x {factor:.1f}: others use {100.0 * self.neighbours.share():.0f} %"
        self.rows.append(Row(what, text, bar, met))

    def must(self, what: str, holds: bool, measured: str = "", bar: str = "yes") -> None:
        """Something that holds or does not."""
        self.rows.append(Row(what, measured or ("yes" if holds else "no"), bar, holds))
