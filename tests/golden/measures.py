"""What our physics is off by against the references: each number measured here, once.

Tests hold the numbers to their bounds; `python tests/golden/measure.py` writes them to
errors.json, from which docs/equations.md quotes them.
"""

import math
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from edges import case_of, edges_of
from measured import Measure
from more_measures import more_measures
from numpy.typing import NDArray
from orbits import is_high, reference, satrec
from plant import battery_off_frac, network_off_k

from twin.battery_ageing import (
    CYCLE_DEADBAND_FRAC,
    ClosedCycles,
    count_cycles,
    no_reversals_frac,
    open_cycles,
)
from twin.clock import gmst_rad
from twin.environment import EnvironmentModel
from twin.geometry import geodetic_point
from twin.orbit import Orbits
from twin.trapped import in_saa, proton_flux_cm2_s

Array = NDArray[np.float64]


@cache
def _edges(orbit: str) -> Array:
    return edges_of(orbit)


def _orbit_names(*, high: bool) -> list[str]:
    cases = reference("eclipse")["cases"]
    return [case["orbit"] for case in cases if is_high(case["elements"]) == high]


def edge_off_s(tool: str, orbit: str) -> float:
    theirs = np.array(case_of(orbit)["edges_s"][tool])
    ours = _edges(orbit)
    return float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else math.inf


def worst_edge_s(tool: str, *, high: bool) -> float:
    return max(edge_off_s(tool, orbit) for orbit in _orbit_names(high=high))


@cache
def place_offs(tool: str, year: str = "") -> Array:
    """Worst (ground m, up m, beta deg) over low orbits and over high ones, (2, 3).

    Ground: east and north arcs below. A year takes the orbits of that year only.
    """
    worst = np.zeros((2, 3))
    for case in reference("places")["cases"]:
        if year not in case["orbit"]:
            continue
        model = EnvironmentModel([satrec(case["elements"])], case["elements"]["epoch_unix_s"])
        for elapsed_s, row in zip(case["elapsed_s"], case[tool], strict=True):
            now = model.at(elapsed_s)
            theirs = np.radians([row[0], row[1], row[3]])
            east = math.remainder(now.longitude_rad[0] - theirs[1], math.tau) * math.cos(theirs[0])
            north = now.latitude_rad[0] - theirs[0]
            off = [
                math.hypot(east, north) * 6.378e6,
                now.altitude_m[0] - row[2],
                math.degrees(now.beta_rad[0] - theirs[2]),
            ]
            high = int(is_high(case["elements"]))
            worst[high] = np.maximum(worst[high], np.abs(off))
    return worst


def worst_network_k(step_s: float) -> float:
    return max(float(network_off_k(c, step_s).max()) for c in reference("thermal")["cases"])


def worst_battery_frac(step_s: float) -> float:
    return max(battery_off_frac(case, step_s) for case in reference("battery")["cases"])


@cache
def trapped_offs() -> dict[str, tuple[float, float]]:
    """Fluence of a day, and time in the anomaly, against AP8's own, minus 1, by orbit."""
    content = reference("trapped")
    found = {}
    for case in content["cases"]:
        elements = case["elements"]
        orbits = Orbits([satrec(elements)], elements["epoch_unix_s"])
        instants_s = np.arange(0.0, 86_400.0, content["step_s"])
        place_m = np.array([orbits.at(float(t)).position_teme_m[0] for t in instants_s])
        turn = np.array([gmst_rad(elements["epoch_unix_s"], float(t)) for t in instants_s])
        point = geodetic_point(place_m, 0.0)
        flux = proton_flux_cm2_s(
            point.latitude_rad,
            np.remainder(point.longitude_rad - turn + math.pi, math.tau) - math.pi,
            point.altitude_m,
            drift_rad=0.0,
        )
        fluence = float(flux.sum() * content["step_s"]) / case["fluence_cm2_day"]
        found[case["orbit"]] = (fluence - 1.0, float(in_saa(flux).mean()) - case["in_saa_frac"])
    return found


def worst_fluence_pct() -> float:
    return 100.0 * max(abs(fluence) for fluence, _ in trapped_offs().values())


def rainflow_off_count() -> float:
    """Largest difference of a count of cycles of one depth, over all histories."""
    worst = 0.0
    for case in reference("rainflow")["cases"]:
        soc = np.array(case["soc_frac"])
        extreme, reversal = soc[:1], no_reversals_frac(soc[:1])
        counted: Counter[float] = Counter()
        for value in soc[1:]:
            state = count_cycles(np.array([value]), extreme, reversal)
            extreme, reversal = state.extreme_frac, state.reversal_frac
            _add(counted, state.closed)
        _add(counted, open_cycles(extreme, reversal))
        wanted: Counter[float] = Counter()
        for depth, count in case["depth_and_count"]:
            wanted[round(depth, 4)] += count * (depth > CYCLE_DEADBAND_FRAC)
        depths = counted.keys() | wanted.keys()
        worst = max(worst, *(abs(counted[d] - wanted[d]) for d in depths))
    return worst


def _add(counted: Counter[float], closed: ClosedCycles) -> None:
    for depth, weight in zip(closed.depth_frac, closed.weight, strict=True):
        counted[round(float(depth), 4)] += float(weight)


def _tool(name: str, word: str) -> str:
    made_by: str = reference(name)["header"]["tool"]
    return next(part for part in made_by.split(", ") if part.startswith(word))


def _eclipse_measures() -> Iterator[Measure]:
    for tool, word in (("basilisk", "bsk"), ("brahe", "brahe"), ("satkit", "satkit")):
        for high, what, bound in ((False, "low", 0.05), (True, "high", 1.5)):
            yield Measure(
                "twin.eclipse.sunlit_frac",
                f"half-light instants of {what} orbits, spherical Earth",
                "s",
                _tool("eclipse", word),
                lambda tool=tool, high=high: worst_edge_s(tool, high=high),  # type: ignore[misc]
                bound,
            )


def _place_measures() -> Iterator[Measure]:
    rows = (
        # column, function, what, unit, bounds low and high
        (0, "twin.geometry.geodetic_point", "sub-point", "m", 10.0, 20.0),
        (1, "twin.geometry.geodetic_point", "height", "m", 1.0, 15.0),
        (2, "twin.geometry.beta_angle_rad", "angle of the Sun to the plane", "deg", 0.0025, 0.03),
    )
    for column, function, what, unit, *bounds in rows:
        for high, word in enumerate(("low", "high")):
            yield Measure(
                function,
                f"{what}, {word} orbits of 2001-2049, UT1 taken as UTC by both",
                unit,
                _tool("places", "satkit"),
                lambda high=high, column=column: float(  # type: ignore[misc]
                    place_offs("satkit")[high, column]
                ),
                bounds[high],
            )
    yield Measure(
        "twin.geometry.geodetic_point",
        "sub-point, orbits of 2026, UT1 - UTC in theirs",
        "m",
        _tool("places", "skyfield"),
        lambda: float(place_offs("skyfield", "2026")[:, 0].max()),
        100.0,
    )
    yield Measure(
        "twin.geometry.beta_angle_rad",
        "angle of the Sun to the plane, low orbits of 2001-2049",
        "deg",
        _tool("places", "skyfield") + " with JPL DE421",
        lambda: float(place_offs("skyfield")[0, 2]),
        0.0025,
    )


def _plant_measures() -> Iterator[Measure]:
    for step_s, network_k, charge_frac in ((10.0, 0.1, 2e-5), (60.0, 0.5, 5e-4)):
        yield Measure(
            "twin.heat_network.propagated_temp_k",
            f"16 random stiff networks under pulsed load, ticks of {step_s:.0f} s",
            "K",
            _tool("thermal", "scipy") + " Radau",
            lambda step_s=step_s: worst_network_k(step_s),  # type: ignore[misc]
            network_k,
        )
        yield Measure(
            "twin.battery.battery_flow",
            f"state of charge (0-1) over four orbits, ticks of {step_s:.0f} s",
            "",
            _tool("battery", "scipy") + " Radau",
            lambda step_s=step_s: worst_battery_frac(step_s),  # type: ignore[misc]
            charge_frac,
        )


def _other_measures() -> Iterator[Measure]:
    yield Measure(
        "twin.trapped.proton_flux_cm2_s",
        "fluence of a day above 50 MeV, worst of nine orbits from 420 to 1600 km",
        "%",
        _tool("trapped", "aep8") + " (AP8MIN)",
        worst_fluence_pct,
        3.0,
    )
    yield Measure(
        "twin.battery_ageing.count_cycles",
        "cycles of one depth in four histories",
        "cycles",
        _tool("rainflow", "rainflow"),
        rainflow_off_count,
        0.0,
    )


MEASURES: tuple[Measure, ...] = (
    *_other_measures(),
    *_eclipse_measures(),
    *_place_measures(),
    *_plant_measures(),
    *more_measures(),
)


def as_json(measure: Measure) -> dict[str, Any]:
    return {
        "function": measure.function,
        "what": measure.what,
        "unit": measure.unit,
        "against": measure.against,
        "error": float(f"{measure.value():.2g}"),
    }
