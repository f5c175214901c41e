"""Closed forms that the battery's current must satisfy, evaluated independently."""

import numpy as np
from factories import class_params
from scipy.optimize import brentq

from twin.battery import CELL_MEAN_V, battery_flow, cell_open_circuit_v, stored_j


def test_val_discharge_current_solves_the_circuit() -> None:
    params = class_params(battery_discharge_limit_c=10.0)
    power_w = np.array([5e3, 9e3, 20e3])
    flow = battery_flow(
        deficit_w=power_w,
        surplus_w=np.zeros(3),
        soc_frac=np.full(3, 0.55),
        battery_temp_k=np.full(3, 295.0),
        params=params,
        step_s=1e-6,  # so short that the middle of the tick is its start
    )
    for row in range(3):
        open_v = float(cell_open_circuit_v(np.array([0.55]))[0])
        open_v *= params.battery_cells_in_series_count[row]
        ohm = params.battery_resistance_ohm[row]
        root = brentq(lambda i: i * (open_v - i * ohm) - power_w[row], 0.0, open_v / 2 / ohm)  # noqa: B023
        assert abs(-flow.current_a[row] - root) < 1e-9 * root
        assert abs(flow.heat_w[row] - root**2 * ohm) < 1e-6 * power_w[row]


def test_val_stored_energy_is_the_integral_of_the_curve() -> None:
    params = class_params()
    charge = np.linspace(0.0, 0.73, 200_001)
    volts = cell_open_circuit_v(charge)
    mean = float(np.sum(0.5 * (volts[1:] + volts[:-1])) / 200_000) * 0.73
    expected = params.battery_capacity_j * mean / CELL_MEAN_V
    assert np.allclose(stored_j(np.full(3, 0.73), params), expected, rtol=1e-8)
    assert np.allclose(stored_j(np.ones(3), params), params.battery_capacity_j, rtol=1e-12)
