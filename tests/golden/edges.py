"""Our own eclipse edges, found as the tools' were, and how far they are from theirs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from orbits import reference, satrec

from twin.eclipse import sunlit_frac
from twin.geometry import sun_vector
from twin.orbit import Orbits


class Light:
    """Whether one satellite has at least half of the Sun, at any instant."""

    def __init__(self, elements: dict[str, Any], *, oblate: bool) -> None:
        self._orbits = Orbits([satrec(elements)], elements["epoch_unix_s"])
        self._epoch_unix_s, self._oblate = elements["epoch_unix_s"], oblate

    def at(self, elapsed_s: float) -> bool:
        sun = sun_vector(self._epoch_unix_s, elapsed_s)
        position_m = self._orbits.at(elapsed_s).position_teme_m
        return bool(sunlit_frac(position_m, sun.unit, sun.distance_m, self._oblate)[0] >= 0.5)


def our_edges_s(
    elements: dict[str, Any], span_s: float, coarse_s: float, *, oblate: bool = False
) -> NDArray[np.float64]:
    """Elapsed times [s] at which sunlit_frac crosses one half, to 1 ms."""
    light = Light(elements, oblate=oblate)
    grid = np.arange(0.0, span_s, coarse_s)
    state = np.array([light.at(float(t)) for t in grid])
    found = []
    for k in np.flatnonzero(state[1:] != state[:-1]):
        low, high = float(grid[k]), float(grid[k + 1])
        while high - low > 1e-3:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if light.at(middle) == state[k] else (low, middle)
        found.append(0.5 * (low + high))
    return np.array(found)


def case_of(orbit: str) -> dict[str, Any]:
    (case,) = (one for one in reference("eclipse")["cases"] if one["orbit"] == orbit)
    found: dict[str, Any] = case
    return found


def edges_of(orbit: str, *, oblate: bool = False) -> NDArray[np.float64]:
    case = case_of(orbit)
    coarse_s = 240.0 if case["span_s"] > 86_400.0 else 60.0
    return our_edges_s(case["elements"], case["span_s"], coarse_s, oblate=oblate)
