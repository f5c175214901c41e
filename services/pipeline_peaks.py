"""As fast as possible, ours and the naive design in turns: a part of `twin bench pipeline`."""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from services.bench_servers import DATABASE, Bench, module_command, write_scenario
from services.children import twin_command
from services.naive_design import MEASUREMENT

STILL_S: Final = 10.0  # without a new row: the naive design has lost the rest
LONGEST_S: Final = 60.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class PeakSize:
    """How much is sent as fast as possible."""

    satellites: int
    ticks: int = 24  # the first one makes the series, which costs more than rows
    naive_ticks: int = 2
    repeats: int = 2


async def peaks(bench: Bench, say: Say, size: PeakSize) -> tuple[float, float]:
    """Medians of samples per second, ours and the naive design's."""
    ours: list[float] = []
    naive: list[float] = []
    for number in range(size.repeats):
        ours.append(await peak(bench, number, size))
        naive.append(await _naive_peak(bench, number, size))
        say(f"as fast as possible: {ours[-1]:,.0f} samples/s, the naive design {naive[-1]:,.0f}")
    return statistics.median(ours), statistics.median(naive)


async def peak(bench: Bench, number: int, size: PeakSize) -> float:
    """From the first row that is stored to the last."""
    fleet = f"peak{number}"
    scenario = write_scenario(bench.home, fleet, size.satellites, seed=number)
    simulate = bench.add(
        fleet,
        twin_command(
            *("simulate", str(scenario), "--rate", "max", "--for", f"{size.ticks}s"),
            *("--drain", "60"),
        ),
    )
    before = await bench.frames_stored()
    await simulate.start()
    assert simulate.process is not None
    rate = await rate_of(bench.frames_stored, before, size.satellites * size.ticks)
    await simulate.process.wait()
    return rate


async def _naive_peak(bench: Bench, number: int, size: PeakSize) -> float:
    fleet = f"naive{number}"
    scenario = write_scenario(bench.home, fleet, size.satellites, seed=number)
    module = "services.naive_design"
    ports = str(bench.broker_port), str(bench.store_port)
    listener = bench.add(f"{fleet}-in", module_command(module, "ingest", *ports, DATABASE))
    await listener.start()
    async with asyncio.timeout(60.0):
        while b"ready" not in listener.log_path.read_bytes():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    arguments = ("publish", ports[0], str(scenario), str(size.naive_ticks))
    sender = bench.add(f"{fleet}-out", module_command(module, *arguments))

    async def stored() -> int:
        return await bench.rows_count(fleet, MEASUREMENT)

    await sender.start()
    rate = await rate_of(stored, 0, size.satellites * size.naive_ticks, may_lose=True)
    await sender.stop(5.0)
    await listener.stop(5.0)
    return rate


async def rate_of(
    count: Callable[[], Any], before: int, wanted: int, *, may_lose: bool = False
) -> float:
    """Rows per second between the first that is seen stored and the last one.

    may_lose: rows that never come are the design's own; it is measured by those that came.
    """
    first, first_s = last, last_s = before, time.monotonic()
    begun_s = first_s
    while last - before < wanted:
        now, now_s = await count(), time.monotonic()
        if now > last:
            last, last_s = now, now_s
        # The clock starts at the last look that saw nothing, or the first rows if more are to come.
        if first == before and now - before < wanted:
            first, first_s = now, now_s
        if may_lose and first < last and now_s - last_s > STILL_S:
            break
        if now_s - begun_s > LONGEST_S + wanted / 500.0:
            raise TimeoutError(f"{now - before} of {wanted} rows stored")
        await asyncio.sleep(0.1)
    return float((last - first) / max(last_s - first_s, 1e-3))
