"""Roll-ups of the fleet and its planes over a minute.

`fleet_1m` and `plane_1m` have the fields of `fleet_state` and `plane_state`, each over the
roll-ups of a minute, and leave with the first roll-up of a later minute.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from twin.channels import FLEET_MINUTE_MEASUREMENT, PLANE_MINUTE_MEASUREMENT
from twin.frames import FieldLayout, encode_rows, row_template
from twin.minutes import MEAN_DECIMALS, MINUTE_NS, minute_of
from twin.rollup_fields import over_time
from twin.rollups import REPORTED, REPORTED_LAYOUT, Tables, plane_groups
from twin.state import Fleet, FloatArray

OVER_TIME: Final = {name: over_time(field) for name, field in REPORTED.items()}
"""How each field of a roll-up is taken over a minute."""

_MEANS: Final = np.array([how == "mean" for how in OVER_TIME.values()])
_LARGEST: Final = np.array([how == "max" for how in OVER_TIME.values()])
ROLLUP_LAYOUT: Final = FieldLayout(
    REPORTED_LAYOUT.floats, (), REPORTED_LAYOUT.decimals + MEAN_DECIMALS * _MEANS.astype(np.int64)
)
"""Fields of `fleet_1m` and `plane_1m`: those of `fleet_state`."""


class RollupMinutes:
    """Roll-ups of the fleet and its planes over the current minute, (1 + planes, fields)."""

    def __init__(self, fleet: Fleet) -> None:
        planes, _ = plane_groups(fleet.planes)
        self._planes = planes
        tags = {"fleet": fleet.name}
        self._heads = [
            row_template(FLEET_MINUTE_MEASUREMENT, tags),
            *(row_template(PLANE_MINUTE_MEASUREMENT, tags | {"plane": one}) for one in planes),
        ]
        shape = (len(self._heads), len(REPORTED))
        self.minute = -1
        self.total, self.there, self.extreme = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self._sign = np.where(_LARGEST, 1.0, -1.0)  # the smallest is the largest of the negative
        self._left_out = -1
        self.forget()

    def moved(self, fleet: Fleet) -> "RollupMinutes":
        """The same for a changed fleet; the unfinished minute of a plane that leaves has no row."""
        found = RollupMinutes(fleet)
        found.minute, found._left_out = self.minute, self._left_out
        for name in ("total", "there", "extreme"):
            mine, theirs = getattr(self, name), getattr(found, name)
            theirs[0] = mine[0]
            for row, plane in enumerate(found._planes, 1):
                if plane in self._planes:
                    theirs[row] = mine[1 + self._planes.index(plane)]
        return found

    def add(self, time_ns: int, tables: Tables) -> bytes:
        """One more roll-up; rows of the minute that is over with it."""
        minute, body = minute_of(time_ns), b""
        if self.minute not in {-1, minute}:
            body = self._rows() if self.minute != self._left_out else b""
            self.forget()
        self.minute = minute
        scale = 10.0**REPORTED_LAYOUT.decimals
        values = np.round(np.concatenate(tables) * scale) / scale
        there = np.isfinite(values)
        self.there += there
        self.total += np.where(there, values, 0.0)
        signed = np.where(there, self._sign * values, -np.inf)
        self.extreme = np.maximum(self.extreme, signed)
        return body

    def _rows(self) -> bytes:
        some = self.there > 0.0
        mean = self.total / np.where(some, self.there, 1.0)
        extreme = self._sign * np.where(some, self.extreme, 0.0)
        table = np.where(some, np.where(_MEANS, mean, extreme), np.nan)
        no_states = np.zeros((len(self._heads), 0), dtype=np.int64)
        return encode_rows(self._heads, ROLLUP_LAYOUT, table, no_states, self.minute * MINUTE_NS)

    def leave_out(self, time_ns: int) -> None:
        """No rows of this minute: not all of its roll-ups are known."""
        self._left_out = minute_of(time_ns)

    def forget(self) -> None:
        """Nothing is known of any minute."""
        self.minute = -1
        self.total[:], self.there[:], self.extreme[:] = 0.0, 0.0, -np.inf

    def saved(self) -> dict[str, FloatArray]:
        """Arrays for a checkpoint; of the fleet as a whole, not of its satellites."""
        whole = {name: getattr(self, name).copy() for name in ("total", "there", "extreme")}
        return {"minute": np.array([float(self.minute)]), **whole}

    def restore(self, saved: Mapping[str, FloatArray]) -> None:
        """Go on from what `saved` gave. Raises KeyError where it lacks a part."""
        self.minute = int(saved["minute"][0])
        for name in ("total", "there", "extreme"):
            getattr(self, name)[:] = saved[name]
