"""Battery orbits by scipy from the circuit's own differential equation: writes battery.json.

One ideal source U(z) behind R, written out once more: discharge at constant power, charge at
constant power, then constant current, then constant voltage. Radau at 1e-11, in pieces between
the jumps of the load; several orbits of sunlight, shadow and bursts.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from orbits import write_reference
from scipy.integrate import solve_ivp

Array = NDArray[np.float64]

# Open-circuit voltage of one cell at 0, 10, ... 100 % of charge; as in twin/battery.py.
OCV_V = np.array([3.00, 3.40, 3.52, 3.58, 3.63, 3.69, 3.78, 3.88, 3.98, 4.07, 4.18])
LEVELS = np.linspace(0.0, 1.0, 11)
MEAN_V = float(np.sum(0.5 * (OCV_V[1:] + OCV_V[:-1])) / 10.0)
LIMIT_V = 4.20
PERIOD_S, SUNLIT_S = 5640.0, 3540.0

CASES: list[dict[str, float]] = [
    # watts: array in sunlight, housekeeping, burst; batteries in watt-hours
    {"array_w": 26e3, "load_w": 14e3, "burst_w": 4e3, "wh": 30e3, "cells": 28, "sag": 0.05},
    {"array_w": 12e3, "load_w": 5e3, "burst_w": 2e3, "wh": 9e3, "cells": 28, "sag": 0.10},
    {"array_w": 145e3, "load_w": 70e3, "burst_w": 50e3, "wh": 150e3, "cells": 108, "sag": 0.03},
    {"array_w": 1.4e3, "load_w": 0.5e3, "burst_w": 0.7e3, "wh": 1.1e3, "cells": 8, "sag": 0.08},
    {"array_w": 9e3, "load_w": 3e3, "burst_w": 0.0, "wh": 5e3, "cells": 28, "sag": 0.20},
]
START_SOC = (0.9, 0.6, 0.8, 0.95, 0.5)
CHARGE_C = (0.5, 0.7, 0.5, 1.0, 1.0)
COULOMBIC = (0.995, 0.99, 0.999, 0.995, 1.0)


def resistance_ohm(case: dict[str, float]) -> float:
    return case["sag"] * (3.6 * case["cells"]) ** 2 / case["wh"]


def plan(case: dict[str, float]) -> list[tuple[float, float]]:
    """(duration [s], power into the bus [W]) for four orbits; every jump on a whole minute."""
    pieces = []
    for orbit in range(4):
        for start_s in np.arange(0.0, PERIOD_S, 300.0):
            end_s = min(start_s + 300.0, PERIOD_S)
            for low_s, high_s in ((start_s, min(end_s, SUNLIT_S)), (max(start_s, SUNLIT_S), end_s)):
                if high_s <= low_s:
                    continue
                burst = int(start_s // 300.0 + orbit) % 3 == 0
                source_w = case["array_w"] * (low_s < SUNLIT_S)
                load_w = case["load_w"] + case["burst_w"] * burst
                pieces.append((high_s - low_s, source_w - load_w))
    return pieces


def current_a(soc: float, power_w: float, case: dict[str, float], charge_c: float) -> float:
    """Positive while charging."""
    open_v = float(np.interp(soc, LEVELS, OCV_V)) * case["cells"]
    ohm = resistance_ohm(case)
    root_v = np.sqrt(open_v**2 + 4.0 * ohm * power_w)
    wanted_a = 2.0 * power_w / (open_v + root_v)
    if power_w <= 0.0:
        return wanted_a
    limit_a = charge_c * case["wh"] / (MEAN_V * case["cells"])
    return max(min(wanted_a, limit_a, (LIMIT_V * case["cells"] - open_v) / ohm), 0.0)


def solved(case: dict[str, float], start: float, charge_c: float, eta: float) -> Array:
    """State of charge once a minute, from the start."""
    capacity_a_s = case["wh"] * 3600.0 / (MEAN_V * case["cells"])
    soc, rows = start, [start]
    for duration_s, power_w in plan(case):

        def slope(_: float, z: Array, power_w: float = power_w) -> list[float]:
            amps = current_a(float(z[0]), power_w, case, charge_c)
            return [amps * (eta if amps > 0.0 else 1.0) / capacity_a_s]

        found = solve_ivp(
            slope,
            (0.0, duration_s),
            [soc],
            method="Radau",
            t_eval=np.arange(60.0, duration_s + 1.0, 60.0),
            rtol=1e-9,
            atol=1e-11,
            max_step=30.0,
        )
        assert found.success
        assert found.y.min() > 0.0
        rows += found.y[0].tolist()
        # Full is full: charging stops there, and the next discharge starts from there.
        soc = min(float(found.y[0, -1]), 1.0)
    return np.minimum(np.array(rows), 1.0)


def main() -> None:
    cases: list[dict[str, Any]] = []
    for case, start, charge_c, eta in zip(CASES, START_SOC, CHARGE_C, COULOMBIC, strict=True):
        soc = solved(case, start, charge_c, eta)
        print(f"{case['wh']:.0f} Wh: {soc.min():.3f} to {soc.max():.3f}, ends at {soc[-1]:.3f}")
        cases.append(
            {
                **case,
                "resistance_ohm": resistance_ohm(case),
                "charge_c": charge_c,
                "coulombic_frac": eta,
                "plan_s_w": plan(case),
                "soc_frac": np.round(soc, 7).tolist(),
            }
        )
    write_reference("battery", ["scipy"], "generate_battery.py", {"cases": cases})


if __name__ == "__main__":
    main()
