"""The pumped loop: flow, coolant inventory in its accumulator, pressure, isolation of panels."""

from typing import Final, NamedTuple

import numpy as np

from twin.state import BoolArray, FleetParams, FloatArray, IntArray

PUMPED_FROM_KG: Final = 2.0  # up to this the preset's fluid is that of heat pipes; presets' note
PUMP_COAST_S: Final = 4.0  # impeller and fluid inertia; assumption
PUMP_NOMINAL_RPM: Final = 14_000.0  # ISS external pump module class; confidence: memory
ACCUMULATOR_FRAC: Final = 0.15  # of the coolant is held by the accumulator; assumption
FILL_FRAC: Final = 0.95  # level of the accumulator at the epoch; assumption
CUT_OFF_FRAC: Final = 0.04  # pumps stop below it: ISS P6 loop, leak of May 2013 (NASA); public
FILL_PRESSURE_PA: Final = 2.1e6  # ammonia loops of the ISS, about 300 psi; confidence: memory
GAS_FRAC: Final = 0.5  # gas volume over liquid volume of a full accumulator; assumption
TRIP_PRESSURE_FRAC: Final = 0.85  # isolation valves of punctured panels close; assumption
NOMINAL_LOOP_RISE_K: Final = 8.0  # supply to return at the planned payload; assumption

# Film coefficient of turbulent flow goes with flow^0.8 (Dittus & Boelter 1930; public); metal and
# still fluid carry the rest. A mixing valve passes 70 % of the flow through the radiator at the
# design point and can open to all of it (assumption).
FLOW_EXPONENT: Final = 0.8
STILL_FRAC: Final = 0.02
VALVE_OPEN_FRAC: Final = 0.70
FLOW_LEVELS: Final = 64
VALVE_LEVELS: Final = 8
CONDUCTANCE_LEVELS: Final = (FLOW_LEVELS + 1) * (VALVE_LEVELS + 1)


class Loop(NamedTuple):
    """State of the loop, (n,)."""

    flow_frac: FloatArray
    coolant_lost_kg: FloatArray
    radiator_isolated_frac: FloatArray


def is_pumped(params: FleetParams) -> BoolArray:
    """True where the payload is cooled by a pumped loop, not by heat pipes, (n,)."""
    return params.coolant_kg > PUMPED_FROM_KG


def accumulator_frac(coolant_lost_kg: FloatArray, params: FleetParams) -> FloatArray:
    """Level of the accumulator [0-1], (n,): 95 % less what leaked, over 15 % of the coolant.

    Validity: liquid coolant, one loop.
    Source: by definition; 95 % and 15 % are assumptions, beside them in `twin/coolant.py`.
    """
    held_kg = np.maximum(ACCUMULATOR_FRAC * params.coolant_kg, 1e-9)
    return np.clip(FILL_FRAC - coolant_lost_kg / held_kg, 0.0, 1.0)


def loop_pressure_pa(coolant_lost_kg: FloatArray, params: FleetParams) -> FloatArray:
    """Pressure of the loop [Pa], (n,): the accumulator's gas expands into what leaked.

    p = p0 Vg / (Vg + dV), isothermal; Vg is half of the liquid that a full accumulator holds.

    Validity: slow leaks, gas at constant temperature.
    Source: closed form: Boyle's law; volumes are assumptions, beside them in `twin/coolant.py`.
    """
    gone_frac = FILL_FRAC - accumulator_frac(coolant_lost_kg, params)
    return np.asarray(FILL_PRESSURE_PA * GAS_FRAC / (GAS_FRAC + gone_frac))


def next_loop(
    before: Loop,
    *,
    pump_frac: FloatArray,
    leak_frac_s: FloatArray,
    puncture_frac: FloatArray,
    puncture_leak_frac_s: FloatArray,
    params: FleetParams,
    step_s: float,
) -> Loop:
    """The loop one tick later, (n,).

    Flow follows the pumps with a lag of 4 s and stops at an empty accumulator (4 %). Coolant
    leaks until it is gone; what leaves through punctured panels (`puncture_frac` of the area,
    `puncture_leak_frac_s` through all their holes) until pressure falls below 85 % and the
    panels' valves close: then their area is lost instead, and other leaks go on. A punctured heat
    pipe takes its panel at once. Nothing refills in orbit.

    Source: bookkeeping of mass by definition; 4 s, 4 % and 85 % stand beside their sources in
    `twin/coolant.py`.
    """
    pumped = is_pumped(params)
    open_frac = np.maximum(puncture_frac - before.radiator_isolated_frac, 0.0)
    holes_frac_s = puncture_leak_frac_s * open_frac / np.maximum(puncture_frac, 1e-9)
    leaving_frac_s = (leak_frac_s + holes_frac_s) * pumped
    lost_kg = before.coolant_lost_kg + leaving_frac_s * params.coolant_kg * step_s
    lost_kg = np.minimum(lost_kg, np.maximum(params.coolant_kg, before.coolant_lost_kg))
    low = loop_pressure_pa(lost_kg, params) < TRIP_PRESSURE_FRAC * FILL_PRESSURE_PA
    closes = np.where(pumped, low, True)
    isolated_frac = np.maximum(before.radiator_isolated_frac, puncture_frac * closes)
    wet = accumulator_frac(lost_kg, params) > CUT_OFF_FRAC
    target_frac = np.where(pumped, pump_frac * wet, 1.0)
    decay = float(np.exp(-step_s / PUMP_COAST_S))
    flow_frac = target_frac + (before.flow_frac - target_frac) * decay
    return Loop(flow_frac, lost_kg, isolated_frac)


def conductance_level(flow_frac: FloatArray, valve_stuck_frac: FloatArray) -> IntArray:
    """Flow and valve on the grid of the heat network, (n,); 0 = nominal.

    Satellites of one thermal class and level share one propagator; flow in 64 steps, valve in 8.
    """
    slow = np.round((1.0 - np.clip(flow_frac, 0.0, 1.0)) * FLOW_LEVELS).astype(np.int64)
    valve = np.round(np.clip(valve_stuck_frac, 0.0, 1.0) * VALVE_LEVELS).astype(np.int64)
    return slow * (VALVE_LEVELS + 1) + valve


def conductance_gain(level: int) -> tuple[float, float]:
    """Plate-to-loop and loop-to-radiator conductance over nominal at a level.

    Validity: `level` of `conductance_level`; flows from standstill to nominal; result over
    nominal [1].
    Source: Dittus & Boelter 1930, Univ. Calif. Publ. Eng. 2, 443 (film goes with flow^0.8); the
    still share and the valve's stroke are assumptions, beside them in `twin/coolant.py`.
    """
    slow, valve = divmod(level, VALVE_LEVELS + 1)
    flow_frac = 1.0 - slow / FLOW_LEVELS
    film = STILL_FRAC + (1.0 - STILL_FRAC) * flow_frac**FLOW_EXPONENT
    opened = 1.0 + (valve / VALVE_LEVELS) * (1.0 / VALVE_OPEN_FRAC - 1.0)
    return (film, film * opened) if level else (1.0, 1.0)


def supply_temp_k(
    loop_temp_k: FloatArray,
    radiator_temp_k: FloatArray,
    flow_frac: FloatArray,
    valve_stuck_frac: FloatArray,
    params: FleetParams,
) -> FloatArray:
    """Coolant on its way from the radiator to the cold plates [K], (n,).

    T_loop - Q / (m cp), at coldest the radiator; Q = G (T_loop - T_radiator), m cp such that the
    planned payload warms the coolant by 8 K at full flow. Where the loop is colder than the
    radiator it takes heat from it.

    Validity: steady flow, well mixed loop.
    Source: closed form: Q = m cp dT; the 8 K are an assumption, beside it in `twin/coolant.py`.
    """
    drop_k = loop_temp_k - radiator_temp_k
    film = STILL_FRAC + (1.0 - STILL_FRAC) * np.clip(flow_frac, 0.0, 1.0) ** FLOW_EXPONENT
    film = film * (1.0 + valve_stuck_frac * (1.0 / VALVE_OPEN_FRAC - 1.0))
    stream_w_k = params.compute_average_w / NOMINAL_LOOP_RISE_K * np.maximum(flow_frac, 1e-3)
    share = params.loop_radiator_w_k * film / np.maximum(stream_w_k, 1e-9)
    return np.asarray(loop_temp_k - drop_k * np.minimum(share, 1.0))
