"""`twin run`: a scenario as pure physics, as fast as it goes, to files. No servers."""

import math
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from services.run_choices import RunOptions, choose_engine, observed_ticks, wanted_rows
from services.run_files import RunFiles
from services.run_plot import can_plot
from services.run_tables import RunTables
from services.runs import OpenedScenario, plan_simulation
from twin.faults import plan_faults
from twin.offline import NumpyRun, Observer, OfflineRun, Part, fleet_part_rows

_STEPS_AT_ONCE: Final = 2_000_000  # satellite-steps between two moves of the progress bar


class Timing(NamedTuple):
    """Wall time of a run [s]: making ready, the ticks alone, all of it."""

    ready_s: float
    ticks_s: float
    whole_s: float


def run_offline(
    opened: OpenedScenario, options: RunOptions, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run and write; the figures of the closing line.

    Raises ConfigurationError for options that do not fit the scenario and where nothing can be
    written, EmptyPartError for too many parts. Leaves no file behind then.
    """
    begun_s = time.perf_counter()
    if options.seed is not None:
        opened = replace(opened, scenario=replace(opened.scenario, seed=options.seed))
    scenario, build = opened.scenario, opened.build
    every, last = observed_ticks(options, scenario.step_s)
    wanted = wanted_rows(options.satellites, build.fleet.satellite_ids)
    part = fleet_part_rows(build.fleet, build.places, *options.part)
    name, why = choose_engine(opened, options.engine)
    plan = plan_simulation(opened, math.inf, options.duration_s, None, options.part)
    folder = options.out or Path("runs") / f"{scenario.name}{plan.part_name}"
    with RunFiles(folder) as files:
        say(f"engine: {name} ({why})")
        if not can_plot():
            say("no plot: matplotlib is not installed (pip install 'orbital-twin[plots]')")
        first = part.rows[part.begin]
        own_wanted = wanted[(wanted >= first) & (wanted < first + part.end - part.begin)] - first
        observer = Observer(part, own_wanted)
        table = RunTables(files, opened, part, observer, own_wanted)
        with _progress() as bar:
            job = bar.add_task("making ready", total=last + 1)
            run = _started(opened, part, name)
            run.advance(1)
            ready_s = time.perf_counter() - begun_s
            bar.update(job, description="running", advance=1)
            table.add(observer.observe(run, 0), 0)
            ticks_s = 0.0
            while run.tick < last:
                ahead = min(every - run.tick % every, last - run.tick)
                ahead = min(ahead, max(1, _STEPS_AT_ONCE // part.rows.size))
                before_s = time.perf_counter()
                run.advance(ahead)
                ticks_s += time.perf_counter() - before_s
                bar.update(job, advance=ahead)
                if run.tick % every == 0 or run.tick == last:
                    table.add(observer.observe(run, len(table.elapsed_s)), run.tick)
        figures = {
            "scenario": scenario.name,
            "run": plan.run_id,
            "engine": name,
            "why": why,
            "epoch_unix_s": opened.epoch_unix_s,
            "seed": scenario.seed,
            "step_s": scenario.step_s,
            "part": list(options.part),
            **table.figures(run),
        }
        # What a run gives is the same every time; how long it took is not, and is not written.
        (files.work / "run.json").write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))
        if can_plot():
            table.plot(files.work / "summary.png", f"{scenario.name}, {name} engine")
        written = files.publish(options.file_format)
    timing = Timing(ready_s, ticks_s, time.perf_counter() - begun_s)
    return figures | _speed(figures, timing) | {"files": [str(path) for path in written]}


def _started(opened: OpenedScenario, part: Part, engine: str) -> OfflineRun:
    scenario = opened.scenario
    epoch, settings = opened.epoch_unix_s, scenario.environment.settings()
    if engine == "compiled":
        from twin.compiled.offline import CompiledRun

        return CompiledRun(part, epoch, scenario.step_s, scenario.seed, settings)
    whole = opened.build.fleet
    faults = plan_faults(scenario.faults, whole, scenario.seed)
    if part.fleet is not whole:
        faults = faults.part(part.fleet, part.rows)
    return NumpyRun(part, epoch, scenario.step_s, scenario.seed, settings, faults)


def _speed(figures: dict[str, Any], timing: Timing) -> dict[str, Any]:
    steps = figures["satellites"] * (figures["ticks"] - 1)
    return {
        "sat_steps_per_s": round(steps / max(timing.ticks_s, 1e-9)),
        "ready_s": round(timing.ready_s, 2),
        "ticks_s": round(timing.ticks_s, 3),
        "wall_s": round(timing.whole_s, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def closing_lines(figures: dict[str, Any]) -> list[str]:
    """What was run, how fast, and how the fleet is at the end."""
    happened = [f"{count:,} {name}" for name, count in figures["events"].items() if count]
    left = figures["no_longer_propagating"]
    lines = [
        f"{figures['satellites']:,} satellites, {figures['ticks']:,} ticks of "
        f"{figures['step_s']:g} s: {figures['sat_steps_per_s'] / 1e6:.2f} M satellite-steps/s "
        f"({figures['ticks_s']:.1f} s of ticks, {figures['wall_s']:.1f} s in all, "
        f"{figures['peak_memory_mb']:,} MB)",
        f"sunlit {figures['sunlit_pct']:.1f} %, charge {_text(figures['soc_mean_pct'])} % "
        f"(least {_text(figures['soc_min_pct'])} %), hottest die "
        f"{_text(figures['die_max_t_c'])} C (of the run "
        f"{_text(figures['die_max_of_run_t_c'])} C), goodput {_text(figures['goodput_pct'])} %, "
        f"events: {', '.join(happened) or 'none'}",
    ]
    if left:
        lines.append(f"{left:,} satellites no longer propagate at the end")
    return [*lines, *(f"wrote {path}" for path in figures["files"])]


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TextColumn("{task.completed:,}/{task.total:,} ticks"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
