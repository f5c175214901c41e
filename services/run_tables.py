"""The rows that an offline run writes, and what its closing line says of them."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.run_files import Columns, RunFiles
from services.run_plot import plot_run
from services.runs import OpenedScenario
from twin.channels import BUS_CHANNELS
from twin.offline import Observed, Observer, OfflineRun, Part, rounded
from twin.reports import BUS_LAYOUT
from twin.rollup_fields import FIELDS
from twin.rollups import TENANT_FIELDS
from twin.state import SEE_KINDS, FloatArray, IntArray

_EVENTS: Final = (*SEE_KINDS, "corrected")


class RunTables:
    """Rows of each observation into the files, and what the closing line needs of them."""

    def __init__(
        self,
        files: RunFiles,
        opened: OpenedScenario,
        part: Part,
        observer: Observer,
        wanted: IntArray,
    ) -> None:
        self._files, self._fleet = files, part.fleet
        self._epoch_us = round(opened.epoch_unix_s * 1e6)
        self._step_s = opened.scenario.step_s
        self._count = part.end - part.begin
        self._observer = observer
        rows = (wanted + part.begin).tolist()
        self._ids = _texts([part.fleet.satellite_ids[row] for row in rows])
        self._planes = _texts([part.fleet.planes[row] for row in rows])
        self.elapsed_s: list[float] = []
        self._rows: list[FloatArray] = []

    def add(self, seen: Observed, tick: int) -> None:
        """One instant's rows of every table."""
        self.elapsed_s.append(tick * self._step_s)
        self._rows.append(seen.fleet)
        fleet = seen.fleet[np.newaxis]
        self._add("fleet", tick, {}, _named(FIELDS, fleet))
        planes = {"plane": _texts(self._observer.planes)}
        self._add("planes", tick, planes, _named(FIELDS, seen.planes))
        tenants = self._fleet.tenants.tenants
        if tenants:
            names = {"tenant": _texts([one.name for one in tenants])}
            self._add("tenants", tick, names, _named(TENANT_FIELDS, seen.tenants))
        if self._ids.size:
            values = _named(BUS_LAYOUT.floats, rounded(seen.floats, BUS_LAYOUT.decimals))
            states = dict(zip(BUS_LAYOUT.integers, seen.states.T, strict=True))
            channels = [values.get(one.name, states.get(one.name)) for one in BUS_CHANNELS]
            found = {
                one.name: value
                for one, value in zip(BUS_CHANNELS, channels, strict=True)
                if value is not None
            }
            self._add("satellites", tick, {"plane": self._planes, "sat": self._ids}, found)

    def _add(self, table: str, tick: int, names: Columns, values: Columns) -> None:
        count = len(next(iter(values.values())))
        now_us = self._epoch_us + round(tick * self._step_s * 1e6)
        head: dict[str, Any] = {
            "time": np.full(count, now_us, dtype="datetime64[us]"),
            "elapsed_s": np.full(count, tick * self._step_s),
            "fleet": _texts([self._fleet.name] * count),
        }
        self._files.add(table, head | dict(names) | dict(values))

    def figures(self, run: OfflineRun) -> dict[str, Any]:
        """What the fleet is like at the end, and its extremes on the way."""
        last = dict(zip(FIELDS, self._rows[-1].tolist(), strict=True))
        hottest = np.array([row[list(FIELDS).index("die_max_t_c")] for row in self._rows])
        lowest = np.array([row[list(FIELDS).index("soc_min_pct")] for row in self._rows])
        events = dict(zip(_EVENTS, run.event_counts().tolist(), strict=True))
        return {
            "satellites": self._count,
            "ticks": run.tick + 1,
            "observations": len(self._rows),
            "sunlit_pct": round(100.0 * last["sunlit_count"] / max(last["sats_count"], 1.0), 3),
            "soc_mean_pct": _known(last["soc_mean_pct"]),
            "soc_min_pct": _known(float(np.nanmin(lowest, initial=np.inf))),
            "die_max_t_c": _known(last["die_max_t_c"]),
            "die_max_of_run_t_c": _known(float(np.nanmax(hottest, initial=-np.inf))),
            "compute_w": last["compute_w"],
            "goodput_pct": _known(last["goodput_mean_pct"]),
            "events": events,
            "no_longer_propagating": int(run.failed().sum()),
        }

    def plot(self, path: Path, title: str) -> None:
        """The summary PNG."""
        table = dict(zip(FIELDS, np.array(self._rows).T, strict=True))
        title = f"{title}: {self._count:,} satellites, ticks of {self._step_s:g} s"
        plot_run(path, title, np.array(self.elapsed_s), table)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _named(names: Iterable[str], table: FloatArray) -> dict[str, FloatArray]:
    return dict(zip(names, table.T, strict=True))


def _texts(names: Sequence[str]) -> Any:
    return np.array(names, dtype=object)
