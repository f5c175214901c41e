"""Our orbits, Sun and shadows against Skyfield, for any scenario: `twin verify`."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table
from sgp4.api import Satrec
from skyfield.api import wgs84
from skyfield.sgp4lib import TEME

from services.almanac import Almanac, open_almanac
from services.runs import OpenedScenario
from twin.clock import gmst_rad
from twin.constants import EARTH_MEAN_RADIUS_M
from twin.eclipse import sunlit_frac
from twin.geometry import geodetic_point, sun_vector
from twin.orbit import Orbits
from twin.state import BoolArray, FloatArray

SUB_POINT_TOLERANCE_M: Final = 200.0  # UT1 taken as UTC: up to 0.2 s of Earth rotation, 93 m
ALTITUDE_TOLERANCE_M: Final = 20.0
SUN_TOLERANCE_DEG: Final = 0.02  # the almanac's low-precision Sun: 0.015 deg
EDGE_TOLERANCE_S: Final = 0.5  # in low orbit; it grows with the time the Sun takes to set
SAMPLE_S: Final = 30.0
_EDGE_RESOLUTION_S: Final = 0.005


@dataclass(frozen=True)
class Comparison:
    """One quantity: how far the worst instant of any satellite is from Skyfield's."""

    quantity: str
    unit: str
    worst: float
    tolerance: float
    compared_count: int
    satellite: str  # where the worst is; empty for the Sun

    @property
    def passed(self) -> bool:
        """Within tolerance; what could not be compared (no eclipse) passes."""
        return self.compared_count == 0 or self.worst <= self.tolerance


def compare(opened: OpenedScenario, sats: int, hours: float) -> list[Comparison]:
    """Sub-points, altitudes, the Sun and eclipse edges of up to `sats` satellites over `hours`.

    Satellites are spread evenly over the fleet. Eclipse edges are the instants at which half of
    the Sun's disc is hidden by a sphere, which is Skyfield's model: our shadow is set to
    spherical for this, whatever the scenario says. Tolerances of edges are 0.5 s times the
    penumbra's length over 8.5 s (where the Sun sets slowly, a metre is more seconds).
    """
    count = opened.build.fleet.count
    rows = np.unique(np.linspace(0, count - 1, min(sats, count)).round().astype(int)).tolist()
    chosen = [(opened.build.fleet.satellite_ids[row], opened.satrecs[row]) for row in rows]
    elapsed_s = np.arange(0.0, hours * 3600.0 + 1e-6, SAMPLE_S)
    found: list[Comparison] = []
    with open_almanac() as almanac:
        found.append(_sun(almanac, opened.epoch_unix_s, elapsed_s))
        for name, satrec in chosen:
            found += _one(almanac, name, satrec, opened.epoch_unix_s, elapsed_s)
    return _worst_of_each(found)


def print_comparisons(found: Sequence[Comparison], as_json: bool) -> None:
    """A table for people or one JSON object."""
    if as_json:
        rows = [asdict(one) | {"passed": one.passed} for one in found]
        whole = {"passed": all(one.passed for one in found), "comparisons": rows}
        print(orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
        return
    table = Table("quantity", "worst", "tolerance", "compared", "where", "verdict")
    for one in found:
        table.add_row(
            one.quantity,
            f"{one.worst:.4g} {one.unit}" if one.compared_count else "-",
            f"{one.tolerance:.4g} {one.unit}",
            f"{one.compared_count:,}",
            one.satellite,
            "ok" if one.passed else "BEYOND TOLERANCE",
        )
    Console(width=110).print(table)


def _worst_of_each(found: Sequence[Comparison]) -> list[Comparison]:
    """One row per quantity: the worst against its tolerance, with all that was compared."""
    out = []
    for quantity in dict.fromkeys(one.quantity for one in found):
        same = [one for one in found if one.quantity == quantity]
        worst = max(same, key=lambda one: one.worst / one.tolerance)
        total = sum(one.compared_count for one in same)
        out.append(Comparison(**{**asdict(worst), "compared_count": total}))
    return out


def _sun(almanac: Almanac, epoch_unix_s: float, elapsed_s: FloatArray) -> Comparison:
    """Direction of the Sun from the Earth's centre, in the frame that the orbits use."""
    hourly_s = elapsed_s[:: max(1, round(3600.0 / SAMPLE_S))]
    times = almanac.times(epoch_unix_s + hourly_s)
    earth, sun = almanac.planets["earth"], almanac.planets["sun"]
    theirs = np.asarray(earth.at(times).observe(sun).apparent().frame_xyz(TEME).au)
    theirs = theirs / np.linalg.norm(theirs, axis=0)
    ours = np.array([sun_vector(epoch_unix_s, float(t)).unit for t in hourly_s]).T
    # The chord: arccos has no digits left at these angles.
    angle_deg = np.degrees(2.0 * np.arcsin(0.5 * np.linalg.norm(ours - theirs, axis=0)))
    return Comparison(
        "Sun direction", "deg", float(angle_deg.max()), SUN_TOLERANCE_DEG, hourly_s.size, ""
    )


def _one(
    almanac: Almanac, name: str, satrec: Satrec, epoch_unix_s: float, elapsed_s: FloatArray
) -> list[Comparison]:
    """Sub-point, altitude and eclipse edges of one satellite."""
    orbits = Orbits([satrec], epoch_unix_s)
    satellite = almanac.satellite(satrec)
    truth = wgs84.geographic_position_of(satellite.at(almanac.times(epoch_unix_s + elapsed_s)))
    points = [
        geodetic_point(orbits.at(t).position_teme_m, gmst_rad(epoch_unix_s, t))
        for t in elapsed_s.tolist()
    ]
    latitude, longitude, altitude = np.array([np.concatenate(point) for point in points]).T
    north = latitude - truth.latitude.radians
    east = (longitude - truth.longitude.radians + np.pi) % (2.0 * np.pi) - np.pi
    ground_m = EARTH_MEAN_RADIUS_M * np.hypot(north, east * np.cos(latitude))
    higher_m = np.abs(altitude - truth.elevation.m)
    both = np.isfinite(ground_m) & np.isfinite(higher_m)
    count = int(both.sum())
    worst_ground_m = float(ground_m[both].max(initial=0.0))
    worst_height_m = float(higher_m[both].max(initial=0.0))
    return [
        Comparison("sub-point", "m", worst_ground_m, SUB_POINT_TOLERANCE_M, count, name),
        Comparison("altitude", "m", worst_height_m, ALTITUDE_TOLERANCE_M, count, name),
        *_edges(almanac, name, satellite, orbits, epoch_unix_s, elapsed_s),
    ]


def _edges(
    almanac: Almanac,
    name: str,
    satellite: Any,
    orbits: Orbits,
    epoch_unix_s: float,
    elapsed_s: FloatArray,
) -> list[Comparison]:
    """Every change of half-light that both see, by bisection in each."""

    def ours(instant_s: float) -> bool:
        sun = sun_vector(epoch_unix_s, instant_s)
        position_m = orbits.at(instant_s).position_teme_m
        return bool(sunlit_frac(position_m, sun.unit, sun.distance_m, oblate=False)[0] >= 0.5)

    def theirs(instant_s: FloatArray) -> BoolArray:
        times = almanac.times(epoch_unix_s + instant_s)
        return np.asarray(satellite.at(times).is_sunlit(almanac.planets))

    lit = theirs(elapsed_s)
    before = np.flatnonzero(lit[1:] != lit[:-1])
    if not before.size:
        return [Comparison("eclipse edge", "s", 0.0, EDGE_TOLERANCE_S, 0, name)]
    edges_s = _their_edges_s(theirs, elapsed_s[before], lit[before])
    found = []
    for edge_s, was_lit in zip(edges_s.tolist(), lit[before].tolist(), strict=True):
        off_s = _offset_s(ours, edge_s, bool(was_lit))
        tolerance_s = EDGE_TOLERANCE_S * max(1.0, _penumbra_s(orbits, epoch_unix_s, edge_s) / 8.5)
        found.append(Comparison("eclipse edge", "s", off_s, tolerance_s, 1, name))
    return found


def _their_edges_s(
    lit: Callable[[FloatArray], BoolArray], start_s: FloatArray, was_lit: BoolArray
) -> FloatArray:
    low_s, high_s = start_s.copy(), start_s + SAMPLE_S
    while float((high_s - low_s).max()) > _EDGE_RESOLUTION_S:
        middle_s = 0.5 * (low_s + high_s)
        same = lit(middle_s) == was_lit
        low_s, high_s = np.where(same, middle_s, low_s), np.where(same, high_s, middle_s)
    return 0.5 * (low_s + high_s)


def _offset_s(lit: Callable[[float], bool], edge_s: float, was_lit: bool) -> float:
    """How far our edge is from theirs [s]; infinite where we have none within a minute."""
    low_s, high_s = edge_s - 60.0, edge_s + 60.0
    if lit(low_s) != was_lit or lit(high_s) == was_lit:
        return float("inf")
    while high_s - low_s > _EDGE_RESOLUTION_S:
        middle_s = 0.5 * (low_s + high_s)
        low_s, high_s = (middle_s, high_s) if lit(middle_s) == was_lit else (low_s, middle_s)
    return abs(0.5 * (low_s + high_s) - edge_s)


def _penumbra_s(orbits: Orbits, epoch_unix_s: float, edge_s: float) -> float:
    """Length of the penumbra [s] from the slope of the lit fraction at half-light, 4 / pi."""
    fraction = []
    for instant_s in (edge_s - 0.5, edge_s + 0.5):
        sun = sun_vector(epoch_unix_s, instant_s)
        position_m = orbits.at(instant_s).position_teme_m
        fraction.append(float(sunlit_frac(position_m, sun.unit, sun.distance_m, oblate=False)[0]))
    slope_per_s = abs(fraction[1] - fraction[0])
    return float(4.0 / np.pi / slope_per_s) if slope_per_s > 0.0 else 0.0
