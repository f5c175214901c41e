"""Stiff seven-node heat networks under pulsed load by scipy's implicit solvers: thermal.json.

The equations are written out here once more and integrated by Radau and by BDF, both at
tolerances of 1e-10; the file keeps Radau's temperatures once a minute and how far BDF is from
them. Networks are drawn at random over the sizes of the presets and well beyond them, arrays from a
blanket of 1 kg/m2 to a rigid 3.5 kg/m2.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from orbits import write_reference
from scipy.integrate import solve_ivp

Array = NDArray[np.float64]

SIGMA = 5.670374419e-8  # CODATA 2018
NODES = ("die", "cold_plate", "loop", "radiator", "battery", "bus", "array")
LINKS = ((0, 1), (1, 2), (2, 3), (4, 5), (5, 3))
RADIATING = (3, 5, 6)
MINUTE_S = 60.0


def network(draw: np.random.Generator) -> dict[str, Any]:
    """A satellite of 0.3 to 300 kW: capacities, links, emitting areas and a plan of pulses."""
    power_w = 10.0 ** draw.uniform(2.5, 5.5)
    radiator_k = draw.uniform(290.0, 345.0)
    radiator_m2 = power_w / (SIGMA * radiator_k**4 - 120.0)
    array_m2 = power_w * draw.uniform(1.3, 2.0) / 250.0
    body_m2 = 0.1 * radiator_m2 * draw.uniform(0.3, 1.5)
    drop_k = draw.uniform(8.0, 30.0)
    share = draw.dirichlet([6.0, 2.5, 1.5])
    capacity = [
        power_w * draw.uniform(0.01, 0.08),
        power_w * draw.uniform(0.4, 2.0),
        power_w * draw.uniform(0.5, 4.0),
        radiator_m2 * draw.uniform(600.0, 2500.0),
        power_w * draw.uniform(2.0, 10.0),
        power_w * draw.uniform(5.0, 30.0),
        array_m2 * 10.0 ** draw.uniform(2.9, 3.5),
    ]
    links = [
        *(power_w / (part * drop_k) for part in share),
        power_w * draw.uniform(0.002, 0.02),
        power_w * draw.uniform(0.0002, 0.002),
    ]
    return {
        "heat_capacity_j_k": capacity,
        "conductance_w_k": links,
        "emitting_m2": [0.9 * radiator_m2, 0.85 * body_m2, 1.7 * array_m2],
        "start_k": [radiator_k, radiator_k, radiator_k, radiator_k, 293.0, 293.0, 250.0],
        "plan": plan(draw, power_w, array_m2, radiator_m2, body_m2),
    }


def plan(
    draw: np.random.Generator, power_w: float, array_m2: float, radiator_m2: float, body_m2: float
) -> list[dict[str, Any]]:
    """Twelve phases: sunlight and shadow in turns, the payload on and off inside both."""
    phases = []
    for k in range(12):
        lit = k % 6 < 4
        load_w = power_w * draw.choice([0.0, 0.1, 0.6, 1.0, 1.0])
        array_w_m2 = 0.9 * 1361.0 * lit + 0.6 * 200.0 + 90.0 * lit - 230.0 * lit
        heat_w = [
            0.85 * load_w,
            0.15 * load_w,
            0.0,
            radiator_m2 * (120.0 + 20.0 * lit),
            0.01 * power_w,
            body_m2 * 60.0 + 0.03 * load_w,
            array_m2 * array_w_m2,
        ]
        phases.append({"duration_s": MINUTE_S * int(draw.integers(2, 16)), "heat_w": heat_w})
    return phases


def solved(case: dict[str, Any], method: str) -> Array:
    """Temperatures once a minute (minutes + 1, 7)."""
    capacity = np.array(case["heat_capacity_j_k"])
    links = np.zeros((7, 7))
    for (i, j), g in zip(LINKS, case["conductance_w_k"], strict=True):
        links[i, j] += g
        links[j, i] += g
        links[i, i] -= g
        links[j, j] -= g
    emitting_w_k4 = np.zeros(7)
    emitting_w_k4[list(RADIATING)] = SIGMA * np.array(case["emitting_m2"])
    temp = np.array(case["start_k"])
    rows = [temp]
    for phase in case["plan"]:
        heat_w = np.array(phase["heat_w"])

        def slope(_: float, t: Array, heat_w: Array = heat_w) -> Array:
            return (links @ t + heat_w - emitting_w_k4 * t**4) / capacity

        def jacobian(_: float, t: Array) -> Array:
            return (links - np.diag(4.0 * emitting_w_k4 * t**3)) / capacity[:, None]

        minutes = np.arange(1, round(phase["duration_s"] / MINUTE_S) + 1) * MINUTE_S
        found = solve_ivp(
            slope,
            (0.0, phase["duration_s"]),
            temp,
            method=method,
            jac=jacobian,
            t_eval=minutes,
            rtol=1e-10,
            atol=1e-8,
        )
        assert found.success
        rows += list(found.y.T)
        temp = found.y[:, -1]
    return np.array(rows)


def main() -> None:
    draw = np.random.default_rng(20261122)
    cases = []
    for _ in range(16):
        case = network(draw)
        radau, bdf = solved(case, "Radau"), solved(case, "BDF")
        case["temp_k"] = np.round(radau, 4).tolist()
        case["other_solver_off_k"] = float(np.abs(radau - bdf).max())
        print(f"{len(radau)} minutes, solvers differ by {case['other_solver_off_k']:.1e} K")
        cases.append(case)
    write_reference("thermal", ["scipy"], "generate_thermal.py", {"nodes": NODES, "cases": cases})


if __name__ == "__main__":
    main()
