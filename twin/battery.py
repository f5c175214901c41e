"""Li-ion battery: open-circuit curve, closed-form current and exact book-keeping of energy.

The string is one ideal source U(z) behind one resistance R. Currents are constant in a tick.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from twin.constants import CELSIUS_ZERO_K
from twin.state import FleetParams, FloatArray, IntArray

# Open-circuit voltage of a nickel-rich graphite cell at 0, 10, ... 100 % of charge, 25 C.
# Shape after published 18650 NCA curves (Panasonic NCR18650B class); confidence: memory, +-0.03 V.
_CELL_OCV_V: Final = np.array(
    [3.00, 3.40, 3.52, 3.58, 3.63, 3.69, 3.78, 3.88, 3.98, 4.07, 4.18], dtype=np.float64
)
_CELL_SLOPE_V: Final = np.diff(_CELL_OCV_V)
_SEGMENTS: Final = len(_CELL_SLOPE_V)
# Integral of the curve from empty to the start of each segment, in volts times charge fraction.
_CELL_AREA_V: Final = np.concatenate(
    [[0.0], np.cumsum(0.5 * (_CELL_OCV_V[1:] + _CELL_OCV_V[:-1])) / _SEGMENTS]
)
CELL_MEAN_V: Final = float(_CELL_AREA_V[-1])
CELL_CHARGE_LIMIT_V: Final = 4.20  # end-of-charge voltage of the same class; confidence: memory
CHARGE_MIN_TEMP_K: Final = CELSIUS_ZERO_K  # lithium plates below 0 C; usual practice
FULL_SOC_FRAC: Final = 0.98  # counts as "full" for the depth of discharge; confidence: assumption
LEAST_RESISTANCE_OHM: Final = 1e-9  # keeps the quotients finite when a preset says 0


@dataclass(frozen=True)
class BatteryFlow:
    """One tick of the battery, (n,); powers at the terminals, positive = out of the battery."""

    current_a: FloatArray  # positive = charging
    voltage_v: FloatArray  # terminal
    discharge_w: FloatArray
    charge_w: FloatArray
    unserved_w: FloatArray
    stored_w: FloatArray  # rate of change of chemical energy, negative while discharging
    heat_w: FloatArray  # I^2 R and coulombic loss
    soc_frac: FloatArray  # at the end of the tick


def cell_open_circuit_v(soc_frac: FloatArray) -> FloatArray:
    """Open-circuit voltage of one cell [V] against state of charge [0-1], (n,) in, (n,) out.

    Piecewise linear in ten segments; monotone; arguments are taken inside [0, 1].

    Validity: 25 C, no hysteresis; within 0.03 V of the class.
    Source: shape of published NCA 18650 curves (Panasonic NCR18650B data sheet, 2012);
    confidence: memory.
    """
    position, segment = _segment(soc_frac)
    return _CELL_OCV_V[segment] + (position - segment) * _CELL_SLOPE_V[segment]


def capacity_a_s(params: FleetParams) -> FloatArray:
    """Charge capacity of the string [A s], (n,): nominal energy over mean open-circuit voltage.

    Validity: new batteries; ageing scales the energy.
    Source: by definition: Q = E / mean U.
    """
    cells_count = np.maximum(params.battery_cells_in_series_count, 1.0)
    return params.battery_capacity_j / (CELL_MEAN_V * cells_count)


def stored_j(soc_frac: FloatArray, params: FleetParams) -> FloatArray:
    """Chemical energy above empty [J], (n,): E(z) = Q * integral of U from 0 to z (exact).

    Validity: charge within [0, 1].
    Source: closed form: E(z) = Q integral of U, exact for the piecewise linear U.
    """
    return params.battery_capacity_j * _area_v(soc_frac) / CELL_MEAN_V


def soc_of_stored_frac(energy_j: FloatArray, params: FleetParams) -> FloatArray:
    """State of charge [0-1] at a stored energy [J], (n,) each: the inverse of `stored_j`.

    Interpolated in a table of 201 charges; error below 1e-4. 1 where there is no battery.

    Validity: energies between empty and full.
    Source: closed form: the inverse of `stored_j`, from a table.
    """
    capacity_j = params.battery_capacity_j
    share_frac = energy_j / np.maximum(capacity_j, 1e-30)
    soc_frac = np.interp(share_frac, _TABLE_ENERGY_FRAC, _TABLE_SOC_FRAC)
    return np.where(capacity_j > 0.0, soc_frac, 1.0)


def discharge_limit_w(soc_frac: FloatArray, params: FleetParams) -> FloatArray:
    """Largest power at the terminals within the C-rate and the matched load [W], (n,).

    Validity: one tick; temperature is not in R.
    Source: closed form: P = I (U - I R) at the C-rate, at most U^2 / (4 R) (matched load; Plett
    2015, chapter 2).
    """
    open_v = string_open_circuit_v(soc_frac, params)
    resistance_ohm = np.maximum(params.battery_resistance_ohm, LEAST_RESISTANCE_OHM)
    limit_a = _rate_limit_a(params, params.battery_discharge_limit_c)
    current_a = np.minimum(limit_a, open_v / (2.0 * resistance_ohm))
    power_w: FloatArray = current_a * (open_v - current_a * resistance_ohm)
    return power_w * (soc_frac > 0.0)


def battery_flow(
    *,
    deficit_w: FloatArray,
    surplus_w: FloatArray,
    soc_frac: FloatArray,
    battery_temp_k: FloatArray,
    params: FleetParams,
    step_s: float,
) -> BatteryFlow:
    """Current, losses and state of charge for one tick, all (n,).

    Discharge: P = I (U - I R), so I = 2 P / (U + sqrt(U^2 - 4 R P)), bounded by the C-rate, the
    matched load U / 2R and the charge left. Charge: I = 2 P / (U + sqrt(U^2 + 4 R P)), bounded
    by the C-rate, the end-of-charge voltage (V_max - U) / R (which yields constant current,
    then constant voltage) and the room left; none below 0 C. dz/dt = (eta_c I_ch - I_dis) / Q.
    U is taken in the middle of the tick (midpoint rule), limits of discharge at its start.

    Inputs: deficit and surplus at the terminals >= 0, one of them zero; soc in [0, 1].
    Validity: ticks short against 1 / C-rate; no temperature in R, no ageing, no self-discharge.
    Error of the charge against a tight ODE solution of the same circuit, four orbits with bursts
    and constant-current constant-voltage charging: below 1e-4 at ticks of 10 s, 0.001 at 60 s.
    Source: equivalent-circuit model as in Plett (2015), Battery Management Systems I, chapter 2.
    """
    charge_a_s = np.maximum(capacity_a_s(params), 1e-30)
    efficiency_frac = params.battery_coulombic_frac
    served_w = np.minimum(deficit_w, discharge_limit_w(soc_frac, params))
    resistance_ohm = np.maximum(params.battery_resistance_ohm, LEAST_RESISTANCE_OHM)
    left_a = soc_frac * capacity_a_s(params) / step_s
    open_v = string_open_circuit_v(soc_frac, params)
    for at_middle in (False, True):
        wanted_a = _source_current_a(served_w, open_v, -resistance_ohm)
        out_a = np.minimum(wanted_a, left_a)
        in_a = _charge_current_a(
            surplus_w=surplus_w,
            open_v=open_v,
            soc_frac=soc_frac,
            battery_temp_k=battery_temp_k,
            params=params,
            step_s=step_s,
        )
        gain_a = efficiency_frac * in_a - out_a
        if not at_middle:
            open_v = string_open_circuit_v(soc_frac + 0.5 * gain_a * step_s / charge_a_s, params)
    emptied_w = out_a * (open_v - out_a * resistance_ohm)
    discharge_w = np.where(wanted_a > left_a, emptied_w, served_w)
    stored_w = open_v * gain_a
    charge_w = in_a * (open_v + in_a * resistance_ohm)
    current_a = in_a - out_a
    return BatteryFlow(
        current_a=current_a,
        voltage_v=open_v + current_a * resistance_ohm,
        discharge_w=discharge_w,
        charge_w=charge_w,
        unserved_w=deficit_w - discharge_w,
        stored_w=stored_w,
        heat_w=charge_w - discharge_w - stored_w,
        soc_frac=np.clip(soc_frac + gain_a * step_s / charge_a_s, 0.0, 1.0),
    )


def string_open_circuit_v(soc_frac: FloatArray, params: FleetParams) -> FloatArray:
    """Open-circuit voltage of the string [V], (n,): that of one cell times cells in series.

    Validity: balanced cells.
    Source: by definition: U = n U_cell.
    """
    return cell_open_circuit_v(soc_frac) * np.maximum(params.battery_cells_in_series_count, 1.0)


def _charge_current_a(
    *,
    surplus_w: FloatArray,
    open_v: FloatArray,
    soc_frac: FloatArray,
    battery_temp_k: FloatArray,
    params: FleetParams,
    step_s: float,
) -> FloatArray:
    resistance_ohm = np.maximum(params.battery_resistance_ohm, LEAST_RESISTANCE_OHM)
    limit_v = CELL_CHARGE_LIMIT_V * np.maximum(params.battery_cells_in_series_count, 1.0)
    room_a = (1.0 - soc_frac) * capacity_a_s(params) / (step_s * params.battery_coulombic_frac)
    current_a = _source_current_a(surplus_w, open_v, resistance_ohm)
    current_a = np.minimum(current_a, _rate_limit_a(params, params.battery_charge_limit_c))
    current_a = np.minimum(current_a, np.maximum(limit_v - open_v, 0.0) / resistance_ohm)
    return np.minimum(current_a, room_a) * (battery_temp_k >= CHARGE_MIN_TEMP_K)


def _source_current_a(
    power_w: FloatArray, open_v: FloatArray, resistance_ohm: FloatArray
) -> FloatArray:
    # The rationalised root of P = I (U + I R): no cancellation when R P is small against U^2.
    root_v = np.sqrt(np.maximum(open_v * open_v + 4.0 * resistance_ohm * power_w, 0.0))
    return 2.0 * power_w / (open_v + root_v)


def _rate_limit_a(params: FleetParams, rate_c: FloatArray) -> FloatArray:
    return rate_c * capacity_a_s(params) / 3600.0


def _area_v(soc_frac: FloatArray) -> FloatArray:
    """Integral of the cell's curve from empty [V], exact."""
    position, segment = _segment(soc_frac)
    offset = position - segment
    mean_v = _CELL_OCV_V[segment] + 0.5 * offset * _CELL_SLOPE_V[segment]
    area_v: FloatArray = _CELL_AREA_V[segment] + offset * mean_v / _SEGMENTS
    return area_v


def _segment(soc_frac: FloatArray) -> tuple[FloatArray, IntArray]:
    position = np.clip(soc_frac, 0.0, 1.0) * _SEGMENTS
    segment = np.minimum(position.astype(np.int64), _SEGMENTS - 1)
    return position, segment


_TABLE_SOC_FRAC: Final = np.linspace(0.0, 1.0, 201)
_TABLE_ENERGY_FRAC: Final = _area_v(_TABLE_SOC_FRAC) / CELL_MEAN_V
