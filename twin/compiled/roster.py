"""Who flies in a compiled fleet, from a built fleet or from arrays alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sgp4.api import Satrec

from twin.clock import julian_date
from twin.compiled.classes import Classes, classes_of
from twin.compiled.propagate import is_near_earth
from twin.errors import NotCompiledError
from twin.mean_elements import GeneratedRecords, MeanElements
from twin.state import Fleet, FloatArray, KeyArray


@dataclass(frozen=True)
class Roster:
    """Who flies in a compiled fleet, (n,): all that a million satellites need."""

    classes: Classes
    keys: KeyArray
    vendors: Sequence[str]
    elements: FloatArray  # (8, n), see propagate.ELEMENTS


def roster(fleet: Fleet, satrecs: Sequence[Satrec], epoch_unix_s: float) -> Roster:
    """The roster of a built fleet. Raises NotCompiledError for tenants and for deep space."""
    if fleet.tenants.count:
        raise NotCompiledError("tenants", "tenants are served in the numpy path only")
    elements = elements_of(satrecs, epoch_unix_s)
    return Roster(classes_of(fleet.params), fleet.satellite_key, fleet.vendors, elements)


def elements_of(satrecs: Sequence[Satrec], epoch_unix_s: float) -> FloatArray:
    """Elements (8, n) of SGP4 records, see propagate.ELEMENTS.

    Raises NotCompiledError for deep space.
    """
    elements = element_rows(satrecs, epoch_unix_s)
    if not is_near_earth(elements).all():
        message = "a period of 225 minutes or more: deep-space SGP4 is not compiled"
        raise NotCompiledError("fleet", message)
    return elements


def element_rows(satrecs: Sequence[Satrec], epoch_unix_s: float) -> FloatArray:
    """The same, deep space or not."""
    if isinstance(satrecs, GeneratedRecords):
        return _elements_of_arrays(satrecs.elements, epoch_unix_s)
    whole, part = julian_date(epoch_unix_s)
    rows = [
        (
            one.no_kozai,
            one.ecco,
            one.inclo,
            one.nodeo,
            one.argpo,
            one.mo,
            one.bstar,
            (whole - one.jdsatepoch) * 1440.0 + (part - one.jdsatepochF) * 1440.0,
        )
        for one in satrecs
    ]
    return np.ascontiguousarray(np.array(rows, dtype=np.float64).reshape(-1, 8).T)


def _elements_of_arrays(made: MeanElements, epoch_unix_s: float) -> FloatArray:
    none = np.zeros(made.count)
    age_min = none + (epoch_unix_s - made.epoch_unix_s) / 60.0
    columns = (
        made.mean_motion_rad_min,
        made.ecc_frac,
        made.inclination_rad,
        made.raan_rad,
        made.arg_perigee_rad,
        made.mean_anomaly_rad,
        none,
        age_min,
    )
    return np.stack(columns)
