"""Orbits of the fleet: SGP4 at knots one minute apart and a cubic Hermite curve between them."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from sgp4.api import Satrec, SatrecArray

from twin.checks import check_number
from twin.clock import julian_date
from twin.errors import OutOfRangeError
from twin.mean_elements import GeneratedRecords
from twin.state import BoolArray, FloatArray, IntArray

KNOT_INTERVAL_S: Final = 60.0  # 0.5 m of error in low orbit, 6 m at 120 s; computed
_METRES_PER_KM: Final = 1000.0


class Motion(NamedTuple):
    """TEME position [m] and velocity [m/s], (n, 3) each, components contiguous in memory.

    Rows of satellites that SGP4 could not propagate are nan.
    """

    position_teme_m: FloatArray
    velocity_teme_m_s: FloatArray


class _Knot(NamedTuple):
    position_m: FloatArray  # (3, n)
    velocity_m_s: FloatArray  # (3, n)
    error_code: IntArray  # (n,)


class Orbits:
    """TEME motion of n satellites at any instant, from their mean elements.

    SGP4 (Vallado et al. 2006, AIAA 2006-6753) is evaluated at epoch + k x 60 s only; between
    two knots r(t) is the cubic with SGP4's positions and velocities at both ends, and v(t) its
    derivative. Error against SGP4 itself in low orbit: below 0.5 m and 0.1 m/s; at the perigee
    of a transfer orbit 15 m and 4 m/s (0.02 deg of beta). Knots belong to the epoch, so an
    instant gives the same bytes whichever way it was reached; the two knots around the last
    instant are kept and nothing else (about 100 bytes per satellite).

    Validity: orbits that SGP4 propagates, within some days of their elements.
    Source: Vallado et al. 2006, AIAA 2006-6753 (SGP4); Montenbruck & Gill 2000, section 4.2.
    """

    def __init__(self, satrecs: Sequence[Satrec], epoch_unix_s: float) -> None:
        check_number("epoch_unix_s", epoch_unix_s, -1e10, 1e11)
        _check_elements(satrecs)
        self._satellites = SatrecArray(list(satrecs))
        self._count = len(satrecs)
        self._epoch_unix_s = epoch_unix_s
        self._knots: dict[int, _Knot] = {}

    def at(self, elapsed_s: float) -> Motion:
        """Position and velocity (n, 3) at an instant [s after the epoch], also before it.

        Raises no error for satellites that do not propagate: see `error_codes`.
        """
        index, begin, end = self._interval(elapsed_s)
        part = (elapsed_s - index * KNOT_INTERVAL_S) / KNOT_INTERVAL_S
        weights = hermite_weights(part)
        return Motion(_blended(begin, end, weights[:4]).T, _blended(begin, end, weights[4:]).T)

    def error_codes(self, elapsed_s: float) -> IntArray:
        """SGP4 error code of each satellite around an instant, (n,); 0 = propagates.

        1 mean eccentricity, 2 mean motion, 3 perturbed eccentricity, 4 semi-latus rectum out of
        range, 6 decayed; -1 = a result that is not finite. The first error of the two knots.
        """
        _, begin, end = self._interval(elapsed_s)
        return np.where(begin.error_code != 0, begin.error_code, end.error_code)

    def failed(self, elapsed_s: float) -> BoolArray:
        """True where a satellite has no valid motion at an instant, (n,)."""
        return np.not_equal(self.error_codes(elapsed_s), 0)

    def _interval(self, elapsed_s: float) -> tuple[int, _Knot, _Knot]:
        index = math.floor(elapsed_s / KNOT_INTERVAL_S)
        kept = self._knots
        if index not in kept or index + 1 not in kept:
            self._knots = {i: kept[i] if i in kept else self._knot(i) for i in (index, index + 1)}
        return index, self._knots[index], self._knots[index + 1]

    def _knot(self, index: int) -> _Knot:
        whole, fraction = julian_date(self._epoch_unix_s, index * KNOT_INTERVAL_S)
        codes, position_km, velocity_km_s = self._satellites.sgp4(
            np.array([whole]), np.array([fraction])
        )
        position_m = np.ascontiguousarray(position_km[:, 0, :].T) * _METRES_PER_KM
        velocity_m_s = np.ascontiguousarray(velocity_km_s[:, 0, :].T) * _METRES_PER_KM
        error_code = codes[:, 0].astype(np.int64)
        finite = np.isfinite(position_m).all(axis=0) & np.isfinite(velocity_m_s).all(axis=0)
        error_code[(error_code == 0) & ~finite] = -1
        # SGP4 still returns numbers with some errors (a decayed satellite): never use them.
        position_m[:, error_code != 0] = np.nan
        velocity_m_s[:, error_code != 0] = np.nan
        return _Knot(position_m, velocity_m_s, error_code)

    def __len__(self) -> int:
        """Number of satellites."""
        return self._count


def hermite_weights(part: float) -> tuple[float, ...]:
    """Weights at a part [0-1] of the interval: four of position, then four of velocity [1/s].

    Of begin position, end position, begin velocity, end velocity. Hermite basis (e.g. Montenbruck
    & Gill 2000, section 4.2), factored to be exact at 0 and 1.

    Validity: `part` [0-1]; the motion's fourth derivative bounds the error, 0.4 m for low
    orbits at knots of 60 s.
    Source: Montenbruck & Gill 2000, Satellite Orbits, section 4.2 (Hermite basis).
    """
    rest = 1.0 - part
    slope = 6.0 * part * rest / KNOT_INTERVAL_S
    return (
        (1.0 + 2.0 * part) * rest * rest,
        part * part * (3.0 - 2.0 * part),
        KNOT_INTERVAL_S * part * rest * rest,
        -KNOT_INTERVAL_S * part * part * rest,
        -slope,
        slope,
        rest * (1.0 - 3.0 * part),
        part * (3.0 * part - 2.0),
    )


def _blended(begin: _Knot, end: _Knot, weights: tuple[float, ...]) -> FloatArray:
    out = begin.position_m * weights[0]
    out += end.position_m * weights[1]
    out += begin.velocity_m_s * weights[2]
    out += end.velocity_m_s * weights[3]
    return out


def _check_elements(satrecs: Sequence[Satrec]) -> None:
    # Only what is not a number: elements that decay or do not propagate are told by error_codes.
    if isinstance(satrecs, GeneratedRecords):
        return  # checked where they were made
    names = ("ecco", "inclo", "nodeo", "argpo", "mo", "no_kozai", "bstar")
    for row, one in enumerate(satrecs):
        if not math.isfinite(sum(getattr(one, name) for name in names)):
            key = next(name for name in names if not math.isfinite(getattr(one, name)))
            whose = f"satellite {one.satnum} (row {row})"
            raise OutOfRangeError(key, getattr(one, key), "finite elements", whose)
