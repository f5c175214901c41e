"""Rainflow cycles of charge histories by the package rainflow (ASTM E1049-85): rainflow.json."""

from collections import Counter

import numpy as np
import rainflow
from orbits import write_reference


def histories() -> dict[str, list[float]]:
    draw = np.random.default_rng(1049)
    orbit = np.concatenate([np.linspace(0.95, 0.62, 20), np.linspace(0.62, 0.95, 40)])
    wander = np.clip(0.6 + np.cumsum(draw.normal(0.0, 0.05, 200)), 0.05, 1.0)
    noisy = np.tile(orbit, 5) - 0.1 * (draw.random(300) < 0.1)
    # The worked example of ASTM E1049-85, figure 6: -2, 1, -3, 5, -1, 3, -4, 4, -2.
    standard = (np.array([-2.0, 1.0, -3.0, 5.0, -1.0, 3.0, -4.0, 4.0, -2.0]) + 5.0) / 10.0
    return {
        "standard's example": standard.tolist(),
        "fifteen orbits": np.tile(orbit, 15).tolist(),
        "orbits with bursts": noisy.tolist(),
        "random walk": wander.tolist(),
    }


def main() -> None:
    cases = []
    for name, history in histories().items():
        rounded = [round(value, 4) for value in history]
        cycles: Counter[float] = Counter()
        for depth, _, weight, _, _ in rainflow.extract_cycles(rounded):
            cycles[round(depth, 6)] += weight
        rows = sorted(cycles.items())
        cases.append({"history": name, "soc_frac": rounded, "depth_and_count": rows})
        print(name, f"{sum(cycles.values()):g} cycles")
    write_reference("rainflow", ["rainflow"], "generate_rainflow.py", {"cases": cases})


if __name__ == "__main__":
    main()
