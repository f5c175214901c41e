"""A compiled fleet in its state before the epoch, made chunk by chunk so that memory is bounded."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from sgp4.api import Satrec

from twin.compiled.classes import Classes, classes_of
from twin.compiled.engine import CompiledFleet
from twin.compiled.roster import Roster, elements_of
from twin.environment import EnvironmentModel, EnvironmentSettings
from twin.orbit import Motion
from twin.shards import fleet_slice, take_fleet
from twin.state import BoolArray, Fleet, IntArray
from twin.step import initial_state

CHUNK_COUNT: Final = 20_000  # satellites made ready or looked at at once: with 72 accelerators
# each, the arrays of a chunk's accelerators are 80 MB


class CompiledMotion:
    """Where some rows of a compiled fleet are, as twin.environment.Moving."""

    def __init__(self, engine: CompiledFleet, rows: IntArray) -> None:
        self._engine, self._rows = engine, rows

    def at(self, elapsed_s: float) -> Motion:
        """Position and velocity (n, 3) at an instant [s after the epoch]."""
        return self._engine.motion(elapsed_s, self._rows)

    def error_codes(self, elapsed_s: float) -> IntArray:
        """1 where SGP4 gives no place, else 0, (n,): the kernels keep no code of each knot."""
        return self.failed(elapsed_s).astype(np.int64)

    def failed(self, elapsed_s: float) -> BoolArray:
        """True where a satellite has no valid motion at an instant, (n,)."""
        return np.isnan(self.at(elapsed_s).position_teme_m[:, 0])

    def __len__(self) -> int:
        """Number of satellites."""
        return self._rows.size


def opened(
    fleet: Fleet,
    satrecs: Sequence[Satrec],
    epoch_unix_s: float,
    step_s: float,
    seed: int,
    settings: EnvironmentSettings | None = None,
    *,
    rows: IntArray | None = None,
    tick: int = 0,
) -> CompiledFleet:
    """A compiled fleet of these rows of a built fleet (all by default) in their initial state.

    `tick` is the number that the state carries: the next tick is `tick + 1`. Raises
    NotCompiledError for what the kernels do not have.
    """
    everyone = np.arange(fleet.count) if rows is None else rows
    engine = CompiledFleet(
        _roster(fleet, satrecs, epoch_unix_s, everyone), epoch_unix_s, step_s, seed, settings
    )
    for begin in range(0, everyone.size, CHUNK_COUNT):
        chosen = np.arange(begin, min(begin + CHUNK_COUNT, everyone.size))
        motion = CompiledMotion(engine, chosen)
        sky = EnvironmentModel.along(motion, epoch_unix_s, settings).at(0.0)
        part = _part(fleet, everyone[chosen])
        engine.load(initial_state(part, sky, seed), tick, chosen)
    return engine


def _part(fleet: Fleet, rows: IntArray) -> Fleet:
    """`take_fleet` of these rows; where they follow each other, without copies."""
    begin, end = int(rows[0]), int(rows[-1]) + 1
    if not np.array_equal(rows, np.arange(begin, end)):
        return take_fleet(fleet, rows)
    part = fleet_slice(fleet, begin, end)
    links = part.neighbour_index
    inside = (links >= begin) & (links < end)
    return replace(part, neighbour_index=np.where(inside, links - begin, -1))


def _roster(fleet: Fleet, satrecs: Sequence[Satrec], epoch_unix_s: float, rows: IntArray) -> Roster:
    alike = classes_of(fleet.params)
    same = len(set(fleet.vendors)) == 1
    vendors = fleet.vendors[:1] * rows.size if same else [fleet.vendors[row] for row in rows]
    return Roster(
        Classes(alike.params, alike.of_row[rows]),
        fleet.satellite_key[rows],
        tuple(vendors),
        np.ascontiguousarray(elements_of(satrecs, epoch_unix_s)[:, rows]),
    )
