"""Our heat network and battery run along the plans of the reference files."""

from typing import Any

import numpy as np
from factories import class_params
from numpy.typing import NDArray

from twin import thermal
from twin.battery import battery_flow
from twin.constants import STEFAN_BOLTZMANN_W_M2_K4
from twin.heat_network import ClassDesign, propagated_temp_k

Array = NDArray[np.float64]


def network_off_k(case: dict[str, Any], step_s: float) -> Array:
    """Largest distance from the reference of each node, at whole minutes (7,)."""
    emitting_w_k4 = STEFAN_BOLTZMANN_W_M2_K4 * np.array(case["emitting_m2"])
    linear_w_k = 4.0 * emitting_w_k4 * thermal.REFERENCE_K**3
    design = ClassDesign(
        tuple(case["heat_capacity_j_k"]),
        tuple(case["conductance_w_k"]),
        tuple(linear_w_k.tolist()),
    )
    temp_k = np.array(case["start_k"])[:, np.newaxis]
    rows = [temp_k[:, 0]]
    for phase in case["plan"]:
        heat_w = np.array(phase["heat_w"])[:, np.newaxis]
        for _ in range(round(phase["duration_s"] / 60.0)):
            for _ in range(round(60.0 / step_s)):
                temp_k = propagated_temp_k(
                    temp_k, heat_w, emitting_w_k4[:, np.newaxis], design, step_s
                )
            rows.append(temp_k[:, 0])
    off_k: Array = np.abs(np.array(rows) - np.array(case["temp_k"])).max(axis=0)
    return off_k


def battery_off_frac(case: dict[str, Any], step_s: float) -> float:
    """Largest distance of the state of charge from the reference, at whole minutes."""
    params = class_params(
        battery_capacity_j=case["wh"] * 3600.0,
        battery_cells_in_series_count=case["cells"],
        battery_resistance_ohm=case["resistance_ohm"],
        battery_charge_limit_c=case["charge_c"],
        battery_discharge_limit_c=10.0,
        battery_coulombic_frac=case["coulombic_frac"],
    )
    soc_frac = np.full(3, case["soc_frac"][0])
    rows = [soc_frac[0]]
    for duration_s, power_w in case["plan_s_w"]:
        for _ in range(round(duration_s / 60.0)):
            for _ in range(round(60.0 / step_s)):
                flow = battery_flow(
                    deficit_w=np.full(3, max(-power_w, 0.0)),
                    surplus_w=np.full(3, max(power_w, 0.0)),
                    soc_frac=soc_frac,
                    battery_temp_k=np.full(3, 295.0),
                    params=params,
                    step_s=step_s,
                )
                soc_frac = flow.soc_frac
            rows.append(soc_frac[0])
    return float(np.abs(np.array(rows) - np.array(case["soc_frac"])).max())
