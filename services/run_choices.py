"""What `twin run` is asked for, checked against its scenario before anything is run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from services.run_files import FileFormat
from services.runs import OpenedScenario
from twin.errors import ConfigurationError, NotCompiledError, Problem
from twin.state import IntArray

Engine = Literal["auto", "compiled", "numpy"]
SMALL_FLEET_COUNT: Final = 100
"""Up to this many satellites every one's channels are written without being asked for."""
OBSERVED_EVERY_S: Final = 60.0


@dataclass(frozen=True)
class RunOptions:
    """What to run and what to keep of it."""

    duration_s: float
    every_s: float | None = None
    out: Path | None = None
    engine: Engine = "auto"
    seed: int | None = None
    part: tuple[int, int] = (0, 1)
    satellites: str | None = None
    file_format: FileFormat = "parquet"


def choose_engine(
    opened: OpenedScenario, asked: Engine
) -> tuple[Literal["compiled", "numpy"], str]:
    """Which engine runs a scenario, and why: a function of the scenario, never of timing.

    Raises ConfigurationError where the compiled one is asked for and does not have it all.
    """
    if asked == "numpy":
        return "numpy", "asked for"
    from twin.compiled.coverage import check_covered

    scenario, build = opened.scenario, opened.build
    settings = scenario.environment.settings()
    try:
        faults_count = len(scenario.faults)
        check_covered(build.fleet, build.places, opened.epoch_unix_s, settings, faults_count)
    except NotCompiledError as error:
        if asked == "compiled":
            message = f"{error.reason}; use --engine numpy or auto"
            problem = scenario.problem(tuple(error.key.split(".")), message)
            raise ConfigurationError([problem]) from None
        return "numpy", str(error)
    return "compiled", "asked for" if asked == "compiled" else "it has all that the scenario asks"


def wanted_rows(text: str | None, ids: Sequence[str]) -> IntArray:
    """Rows of the satellites whose channels are asked for: `all`, `none` or ids, comma-separated.

    By default all of a small fleet. Raises ConfigurationError for an id that is not there.
    """
    if text is None:
        text = "all" if len(ids) <= SMALL_FLEET_COUNT else "none"
    if text in {"all", "none"}:
        return np.arange(len(ids) if text == "all" else 0)
    row_of = {name: row for row, name in enumerate(ids)}
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in row_of]
    if unknown or not names:
        message = f"no satellite {unknown[0] if unknown else text!r}; all, none or ids such as "
        message += ", ".join(ids[:3])
        raise ConfigurationError([Problem("command line", None, "--satellites", message)])
    return np.unique(np.array([row_of[name] for name in names], dtype=np.int64))


def observed_ticks(options: RunOptions, step_s: float) -> tuple[int, int]:
    """Ticks between two observations, and the last tick.

    Raises ConfigurationError for times that are not whole multiples of the tick.
    """
    every_s = options.every_s
    if every_s is None:
        every_s = math.ceil(OBSERVED_EVERY_S / step_s - 1e-9) * step_s
    last, every = round(options.duration_s / step_s), round(every_s / step_s)
    for name, given_s, ticks in (("--for", options.duration_s, last), ("--every", every_s, every)):
        if ticks < 1 or abs(ticks * step_s - given_s) > 1e-6 * step_s:
            message = f"{given_s:g} s is not a whole multiple of the scenario's step_s {step_s:g}"
            raise ConfigurationError([Problem("command line", None, name, message)])
    return every, last
