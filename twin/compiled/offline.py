"""A run as pure physics by compiled ticks; looked at in chunks, so that memory is bounded."""

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
from sgp4.api import Satrec

from twin.compiled.coverage import check_on_orbit
from twin.compiled.links import link_acquire_s, with_links
from twin.compiled.opening import CHUNK_COUNT, CompiledMotion, opened
from twin.environment import EnvironmentModel, EnvironmentSettings
from twin.offline import Part, View
from twin.sensors import snapshot
from twin.shards import fleet_slice
from twin.state import BoolArray, IntArray


class CompiledRun:
    """The same physics as twin.offline.NumpyRun within 1e-9, by twin.compiled.engine.

    Raises NotCompiledError for what the kernels do not have.
    """

    def __init__(
        self,
        part: Part,
        epoch_unix_s: float,
        step_s: float,
        seed: int,
        settings: EnvironmentSettings,
    ) -> None:
        check_on_orbit(part.places)
        self._part, self._epoch_unix_s, self._settings = part, epoch_unix_s, settings
        self._engine = opened(
            part.fleet,
            cast(Sequence[Satrec], part.places),
            epoch_unix_s,
            step_s,
            seed,
            settings,
            tick=-1,
        )

    @property
    def tick(self) -> int:
        """The last tick that was run; -1 before the epoch's."""
        return self._engine.tick

    @property
    def nbytes(self) -> int:
        """Bytes that the engine holds for its satellites."""
        return self._engine.nbytes

    def advance(self, ticks: int) -> None:
        """Run some ticks."""
        self._engine.advance(ticks)

    def views(self) -> Iterator[View]:
        """Own satellites, a chunk at a time."""
        engine, begin, end = self._engine, self._part.begin, self._part.end
        elapsed_s = self.tick * engine.step_s
        acquire_s = link_acquire_s(engine, self._part.fleet)
        for first in range(begin, end, CHUNK_COUNT):
            rows = np.arange(first, min(first + CHUNK_COUNT, end))
            motion = CompiledMotion(engine, rows)
            model = EnvironmentModel.along(motion, self._epoch_unix_s, self._settings)
            environment = model.at(elapsed_s)
            fleet = fleet_slice(self._part.fleet, first, first + rows.size)
            state = with_links(engine.state(fleet, environment, rows), acquire_s[rows])
            seen = snapshot(fleet, state, environment, engine.seed, self.tick)
            yield View(seen, np.arange(rows.size), first - begin)

    def event_counts(self) -> IntArray:
        """Events so far of own satellites by kind, corrected errors last, (8,)."""
        return self._engine.event_counts(np.arange(self._part.begin, self._part.end))

    def failed(self) -> BoolArray:
        """True for own satellites that no longer propagate."""
        own = np.arange(self._part.begin, self._part.end)
        return CompiledMotion(self._engine, own).failed(self.tick * self._engine.step_s)
