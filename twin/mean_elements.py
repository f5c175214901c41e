"""Mean elements of generated satellites as arrays, and SGP4 records of them made when asked for.

A planned fleet is arrays from end to end: a vectorised propagator reads `MeanElements`, tools
that want one satellite index `GeneratedRecords`. A million rows take 64 MB and no Python object.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import overload

import numpy as np
from sgp4.api import WGS72, Satrec

from twin.checks import check_orbits
from twin.constants import SECONDS_PER_DAY
from twin.state import FloatArray, IntArray

_SGP4_EPOCH_UNIX_DAYS = 7306.0  # 1949-12-31 to 1970-01-01


@dataclass(frozen=True)
class MeanElements:
    """SGP4 mean elements of one epoch, (n,) each: WGS72, TEME of the epoch, BSTAR 0.

    `sma_m` is Brouwer's mean semi-major axis and `mean_motion_rad_min` the Kozai mean motion that
    an element set carries for it (Hoots & Roehrich 1980, section 6). Angles in 0 to 2 pi.
    """

    epoch_unix_s: float
    sma_m: FloatArray
    ecc_frac: FloatArray
    inclination_rad: FloatArray
    raan_rad: FloatArray
    arg_perigee_rad: FloatArray
    mean_anomaly_rad: FloatArray
    mean_motion_rad_min: FloatArray

    def __post_init__(self) -> None:
        """Raises OutOfRangeError for elements that are nan, unbound or below the ground."""
        check_orbits(
            self.sma_m,
            self.ecc_frac,
            inclination_rad=self.inclination_rad,
            raan_rad=self.raan_rad,
            arg_perigee_rad=self.arg_perigee_rad,
            mean_anomaly_rad=self.mean_anomaly_rad,
            mean_motion_rad_min=self.mean_motion_rad_min,
        )

    @property
    def count(self) -> int:
        """Number of satellites."""
        return len(self.sma_m)

    def take(self, rows: IntArray) -> "MeanElements":
        """The same elements for the given rows."""
        columns = [field.name for field in fields(self) if field.name != "epoch_unix_s"]
        chosen = {name: np.asarray(getattr(self, name))[rows] for name in columns}
        return MeanElements(epoch_unix_s=self.epoch_unix_s, **chosen)

    @staticmethod
    def joined(parts: Sequence["MeanElements"]) -> "MeanElements":
        """Several sets of one epoch, one below the other. Raises ValueError for two epochs."""
        epochs = {one.epoch_unix_s for one in parts}
        if len(epochs) != 1:
            raise ValueError(f"elements of {len(epochs)} epochs cannot be joined")
        columns = [field.name for field in fields(MeanElements) if field.name != "epoch_unix_s"]
        whole = {name: np.concatenate([getattr(one, name) for one in parts]) for name in columns}
        return MeanElements(epoch_unix_s=epochs.pop(), **whole)


class GeneratedRecords(Sequence[Satrec]):
    """SGP4 records of generated satellites, numbered from 1, each made when it is asked for."""

    def __init__(self, elements: MeanElements, first_number: int = 1) -> None:
        self.elements = elements
        self._first_number = first_number

    def __len__(self) -> int:
        return self.elements.count

    @overload
    def __getitem__(self, index: int) -> Satrec: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Satrec]: ...
    def __getitem__(self, index: int | slice) -> Satrec | Sequence[Satrec]:
        rows = np.arange(len(self))[index]
        if isinstance(index, slice):
            return tuple(self._made(rows.reshape(-1)))
        return next(self._made(np.array([rows])))

    def __iter__(self) -> Iterator[Satrec]:
        return self._made(np.arange(len(self)))

    def _made(self, rows: IntArray) -> Iterator[Satrec]:
        one = self.elements
        epoch_days = one.epoch_unix_s / SECONDS_PER_DAY + _SGP4_EPOCH_UNIX_DAYS
        columns = (
            one.ecc_frac,
            one.arg_perigee_rad % math.tau,
            one.inclination_rad,
            one.mean_anomaly_rad % math.tau,
            one.mean_motion_rad_min,
            one.raan_rad % math.tau,
        )
        table = np.column_stack([column[rows] for column in columns]).tolist()
        for row, values in zip(rows.tolist(), table, strict=True):
            satrec = Satrec()
            number = (self._first_number + row) % 340_000  # the most that an Alpha-5 field holds
            satrec.sgp4init(WGS72, "i", number, epoch_days, 0.0, 0.0, 0.0, *values)
            yield satrec


def chosen_records(records: Sequence[Satrec], rows: IntArray) -> Sequence[Satrec]:
    """Records of these rows; arrays of elements stay arrays."""
    if isinstance(records, GeneratedRecords):
        return GeneratedRecords(records.elements.take(rows))
    return [records[row] for row in rows.tolist()]
