"""`twin bench soak`: real servers for minutes, and whether anything of ours or theirs grows.

Resident memory, open descriptors, threads and asyncio tasks of every process are sampled; after a
warm-up the slopes and the growth are told. The database is let off its memory: it keeps what is
written to it in its cache until a snapshot, so its growth is told and not judged.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import psutil

from services.bench_servers import Bench, running_bench, write_scenario
from services.children import twin_command
from services.pipeline_bench import load_line

FLEET: Final = "soak"
SAMPLE_EVERY_S: Final = 2.0
WARM_UP_FRAC: Final = 0.5  # of the run: half of ten minutes, as the bar says
GROWTH_LIMIT: Final = 0.05
SLACK_COUNT: Final = 3.0  # descriptors, threads and tasks: one connection more is no leak
_OURS: Final = ("rss_mb", "fds", "threads", "tasks")
JUDGED: Final = {"simulate": _OURS, "ingest": _OURS, "broker": _OURS, "store": ("threads",)}
Json = dict[str, Any]


@dataclass
class Series:
    """One figure of one process over time."""

    times_s: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def after(self, warm_s: float) -> "Series":
        """What was seen from then on."""
        pairs = [(t, v) for t, v in zip(self.times_s, self.values, strict=True) if t >= warm_s]
        return Series([t for t, _ in pairs], [v for _, v in pairs])

    @property
    def slope_per_h(self) -> float:
        """Of a straight line through it, by least squares."""
        if len(self.times_s) < 2:
            return 0.0
        return 3600.0 * float(np.polyfit(self.times_s, self.values, 1)[0])

    @property
    def growth(self) -> float:
        """Median of the last fifth over that of the first, less 1: one peak does not count."""
        part = max(1, len(self.values) // 5)
        first, last = np.median(self.values[:part]), np.median(self.values[-part:])
        return float(last / first - 1.0) if first > 0.0 else 0.0

    def grows(self, what: str) -> bool:
        """Whether this is more than the bar allows."""
        part = max(1, len(self.values) // 5)
        more = np.median(self.values[-part:]) - np.median(self.values[:part])
        slack = 0.0 if what == "rss_mb" else SLACK_COUNT
        return self.growth > GROWTH_LIMIT and bool(more > slack)


async def soak(say: Callable[[str], None], satellites: int, for_s: float) -> Json:
    """Run and judge; `grew` names what is over the bar. Raises DependencyUnavailableError."""
    say(load_line())
    seen: dict[tuple[str, str], Series] = {}
    async with running_bench() as bench:
        scenario = write_scenario(bench.home, FLEET, satellites)
        command = twin_command("simulate", str(scenario), "--for", f"{for_s:g}s", "--drain", "60")
        simulate = bench.add("simulate", command)
        await simulate.start()
        assert simulate.process is not None
        begun_s = time.monotonic()
        while simulate.process.returncode is None:
            await _sample(bench, seen, time.monotonic() - begun_s, for_s)
            await asyncio.sleep(SAMPLE_EVERY_S)
        lost = satellites * round(for_s) - await bench.rows_count(FLEET)
    grew = []
    for (name, what), series in sorted(seen.items()):
        late = series.after(WARM_UP_FRAC * for_s)
        if not late.values:
            continue
        bad = what in JUDGED[name] and late.grows(what)
        grew += [f"{name} {what}"] if bad else []
        say(
            f"{name:9} {what:8} {late.values[0]:9.1f} -> {late.values[-1]:9.1f}  "
            f"{late.slope_per_h:+9.1f} an hour, {100.0 * late.growth:+.1f} %"
            f"{'  GROWS' if bad else ''}{'' if what in JUDGED[name] else '  (told, not judged)'}"
        )
    say(f"{satellites:,} satellites for {for_s:g} s: {lost} rows lost; {load_line()}")
    figures = {f"{name}_{what}": round(one.slope_per_h, 2) for (name, what), one in seen.items()}
    return {"lost": lost, "grew": grew, "slopes_per_h": figures}


async def _sample(
    bench: Bench, seen: dict[tuple[str, str], Series], elapsed_s: float, until_s: float
) -> None:
    """One look at every process; not while they drain and end."""
    if elapsed_s > until_s:
        return
    for name, child in bench.children.items():
        if child.process is None or child.process.returncode is not None:
            continue
        try:
            with (looked := psutil.Process(child.process.pid)).oneshot():
                found = {
                    "rss_mb": looked.memory_info().rss / 1e6,
                    "fds": float(looked.num_fds()),
                    "threads": float(looked.num_threads()),
                }
        except psutil.Error:
            continue
        if name in bench.health_ports:
            tasks_count = await bench.metric(name, "twin_asyncio_tasks")
            found |= {} if tasks_count is None else {"tasks": tasks_count}
        for what, value in found.items():
            series = seen.setdefault((name, what), Series())
            series.times_s.append(elapsed_s)
            series.values.append(value)
