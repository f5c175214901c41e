"""`twin bench pipeline`: from tick to queryable row through a real broker and a real store.

Four measurements on the same machine, one after another: sustained at 1 Hz (with probes that ask
the store until a row is there), as fast as possible beside the naive design in turns, a fleet of
10,281 real satellites that reports every 10 s, and the two stages inside the simulator by
themselves, because they share its process.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import psutil

from services.bench_servers import Bench, running_bench, write_scenario
from services.children import twin_command
from services.pipeline_peaks import PeakSize, peaks
from services.scenario_files import load_and_build
from services.stage_costs import stage_costs

FLEET: Final = "bench"
REAL_SCENARIO: Final = "starlink-compute"
WARM_UP_TICKS: Final = 5
PROBED_COUNT: Final = 4
PROBE_EVERY_S: Final = 0.025
LATE_PROBE_EVERY_S: Final = 0.25  # after a second: a store that is behind is not asked so often
DAY_WARM_UP_S: Final = 15.0
DAY_WINDOW_S: Final = 30.0  # three ticks and their reports
OWN = ("simulate", "encode", "publish", "ingest")
Json = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    satellites: int
    for_s: float  # of the run at 1 Hz
    peak: PeakSize
    lead_s: float = 6.0  # for the simulator's start
    has_day: bool = True


def quick(satellites: int) -> Size:
    """Everything but the day once and briefly: whether it runs, not how fast."""
    few = min(satellites, 100)
    return Size(few, 3.0, PeakSize(few, 4, 1, 1), 2.0, has_day=False)


@dataclass(frozen=True)
class Sustained:
    """What the run at 1 Hz gave."""

    latencies_s: list[float]
    lost: int
    took_s: float
    cpu_us: dict[str, float]  # of each process, per satellite sample


async def bench_pipeline(say: Say, size: Size) -> Json:
    """All measurements; the figures as `--json` prints them. Raises DependencyUnavailableError."""
    satellites, for_s = size.satellites, size.for_s
    say(load_line())
    async with running_bench() as bench:
        scenario = write_scenario(bench.home, FLEET, satellites)
        costs = stage_costs(str(scenario))
        lead_s = size.lead_s + 4.0 * costs.ready_s
        run = await _sustained(bench, scenario, satellites, for_s, lead_s)
        cpu = _parts(run.cpu_us, costs.simulate_us, costs.encode_us)
        values = costs.values_per_sample * satellites * round(for_s)
        p50_s, p99_s = _quantile(run.latencies_s, 0.50), _quantile(run.latencies_s, 0.99)
        values_per_s = (values - run.lost * costs.values_per_sample) / run.took_s
        own_us = sum(cpu[name] for name in OWN)
        say(
            f"{satellites:,} satellites x {costs.values_per_sample:.0f} channels x 1 Hz for "
            f"{for_s:g} s: {values_per_s:,.0f} values/s, {run.lost} rows lost"
        )
        say(f"tick to queryable: p50 {p50_s:.3f} s, p99 {p99_s:.3f} s")
        say("processor time per satellite sample [us]: " + _table(cpu))
        say(f"our own share {own_us:.1f} us, the store {cpu['store']:.1f} us")
        ours, naive = await peaks(bench, say, size.peak)
    day_pct = await _day_pct(say) if size.has_day else None
    say(load_line())
    return {
        "values_per_s": round(values_per_s),
        "p50_queryable_s": round(p50_s, 3),
        "p99_queryable_s": round(p99_s, 3),
        "lost": run.lost,
        "cpu_us_per_sample": {name: round(one, 2) for name, one in cpu.items()},
        "own_cpu_us_per_sample": round(own_us, 2),
        "peak_samples_per_s": round(ours),
        "naive_samples_per_s": round(naive),
        "ratio_to_naive": round(ours / naive, 2),
        "day_of_10281_core_pct": None if day_pct is None else round(day_pct, 2),
    }


def load_line() -> str:
    """How busy the machine is with everything."""
    one, five, _ = psutil.getloadavg()
    return f"load {one:.1f} (1 min), {five:.1f} (5 min) on {psutil.cpu_count()} processors"


def _parts(cpu_us: dict[str, float], simulate_us: float, encode_us: float) -> dict[str, float]:
    """The simulator's process in its three parts; what is not physics or encoding is publishing.

    The two were measured alone. Where they come to more than the process used, they share it.
    """
    whole = cpu_us["simulate"]
    share = min(1.0, whole / (simulate_us + encode_us))
    return {
        "simulate": share * simulate_us,
        "encode": share * encode_us,
        "publish": max(0.0, whole - simulate_us - encode_us),
        "broker": cpu_us["broker"],
        "ingest": cpu_us["ingest"],
        "store": cpu_us["store"],
    }


def _table(cpu: dict[str, float]) -> str:
    return ", ".join(f"{name} {one:.1f}" for name, one in cpu.items())


def _quantile(values: list[float], share: float) -> float:
    return float(np.quantile(values, share)) if values else float("nan")


async def _sustained(
    bench: Bench, scenario: Path, satellites: int, for_s: float, lead_s: float
) -> Sustained:
    """At 1 Hz in real time; processor times are those after the first ticks."""
    begun_s = time.time() + lead_s
    simulate = bench.add(
        "simulate",
        twin_command(
            *("simulate", str(scenario), "--for", f"{for_s:g}s", "--drain", "60"),
            *("--started-at", repr(begun_s)),
        ),
    )
    await simulate.start()
    assert simulate.process is not None
    probing = asyncio.create_task(_probe(bench, scenario, begun_s, for_s))
    warm_s = _warm_ticks(satellites, for_s) - 0.05
    await asyncio.sleep(max(0.0, begun_s + warm_s - time.time()))
    before, seen = bench.cpu_s(), await bench.frames_stored()
    watch = asyncio.create_task(_watch(bench))
    await simulate.process.wait()
    watch.cancel()
    latencies_s = await probing
    after = bench.cpu_s()
    stored = await bench.rows_count(FLEET)
    samples = max(1, await bench.frames_stored() - seen)
    last_s = for_s - 1.0 + (latencies_s[-1] if latencies_s else 0.0)
    return Sustained(
        latencies_s,
        satellites * round(for_s) - stored,
        max(for_s, last_s),
        {name: 1e6 * (after[name] - before[name]) / samples for name in after},
    )


def _warm_ticks(satellites: int, for_s: float) -> int:
    """The first state of every satellite is published once: some seconds for many of them."""
    return min(WARM_UP_TICKS + satellites // 1000, int(for_s / 2.0))


async def _watch(bench: Bench) -> None:
    """A process that has ended cannot be asked: keep the newest figures."""
    while True:
        bench.cpu_s()
        await asyncio.sleep(0.1)


async def _probe(bench: Bench, scenario: Path, begun_s: float, for_s: float) -> list[float]:
    """Seconds from the due time of ticks to the rows of some satellites being found."""
    loaded, build = load_and_build(str(scenario), 0.0)
    chosen = Random(1)
    found: list[float] = []
    for tick in range(_warm_ticks(build.fleet.count, for_s), round(for_s)):
        due_s = begun_s + tick
        if time.time() > due_s + 0.5:
            continue  # the last tick took longer than a second: its own figures say so
        await asyncio.sleep(max(0.0, due_s - time.time()))
        names = chosen.sample(build.fleet.satellite_ids, min(PROBED_COUNT, build.fleet.count))
        t_ns = round(((loaded.epoch_unix_s or 0.0) + tick) * 1e9)
        missing = set(names)
        with suppress(TimeoutError):
            async with asyncio.timeout(30.0):
                while missing:
                    either = " OR ".join(f"\"sat\" = '{name}'" for name in sorted(missing))
                    series = await bench.query(
                        f'SELECT "tm_seq" FROM "sat_state" WHERE time = {t_ns} AND ({either})'
                        ' GROUP BY "sat"'
                    )
                    there = {one["tags"]["sat"] for one in series} & missing
                    found += [time.time() - due_s] * len(there)
                    missing -= there
                    if missing:
                        late = time.time() > due_s + 1.0
                        await asyncio.sleep(LATE_PROBE_EVERY_S if late else PROBE_EVERY_S)
        found += [time.time() - due_s] * len(missing)  # given up: at least so long
    return found


async def _day_pct(say: Say) -> float:
    """Our share of a core with 10,281 real satellites that report every 10 s."""
    async with running_bench() as bench:
        simulate = bench.add("simulate", twin_command("simulate", REAL_SCENARIO))
        await simulate.start()
        before = await bench.frames_stored()
        async with asyncio.timeout(120.0):
            while await bench.frames_stored() == before:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        await asyncio.sleep(DAY_WARM_UP_S)
        begun, begun_s = bench.cpu_s(), time.monotonic()
        await asyncio.sleep(DAY_WINDOW_S)
        ended, took_s = bench.cpu_s(), time.monotonic() - begun_s
    own_s = sum(ended[name] - begun[name] for name in ("simulate", "ingest"))
    say(f"{REAL_SCENARIO} at its own pace: {100.0 * own_s / took_s:.1f} % of a core, ours")
    return 100.0 * own_s / took_s
