"""Electrical power: solar array, bus balance, power modes and what the payload may draw."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from twin.battery import battery_flow, discharge_limit_w
from twin.constants import SECONDS_PER_JULIAN_YEAR
from twin.state import MODES, BoolArray, FleetParams, FloatArray, IntArray

NOMINAL, ECLIPSE, LOAD_SHED, SAFE = (MODES.index(name) for name in MODES)

ARRAY_REFERENCE_W_M2: Final = 1361.0  # rating condition of array_power_w: total irradiance, 1 AU
ARRAY_REFERENCE_K: Final = 301.15  # 28 C, the rating temperature of space cells (AIAA S-111)
ARRAY_POINTING_COS: Final = 0.99939  # cos 2 deg; the channel warns at 2 deg; assumption

SHED_SOC_FRAC: Final = 0.35  # usual practice; assumption
# A payload granted exactly what the battery can give must not starve by a rounding error.
STARVED_W: Final = 1e-6
SAFE_SOC_FRAC: Final = 0.20  # usual practice; assumption
RECOVERY_SOC_FRAC: Final = 0.10  # climb above the trigger before a mode is left; assumption
RECOVERY_DWELL_S: Final = 120.0  # usual practice; assumption
RECOVERY_CEILING_FRAC: Final = 0.95  # recovery must stay reachable; assumption
ECLIPSE_SUNLIT_FRAC: Final = 0.5  # half-light starts the planned eclipse cap; assumption
SHED_ACCEL_FRAC: Final = 0.40  # accelerators capped at 40 % of their limit; assumption
# In sunlight the battery adds to the payload only when nearly full, so that bursts ride on it, and
# below 80 % part of the sunlight is kept for charging: the next eclipse comes first. Assumption.
SHARE_START_SOC_FRAC: Final = 0.80
SHARE_FULL_SOC_FRAC: Final = 0.90
CHARGE_RESERVE_FRAC: Final = 0.15  # of the source, in full from 50 % charge down; assumption
RESERVE_FULL_SOC_FRAC: Final = 0.50


@dataclass(frozen=True)
class PowerBalance:
    """One tick of the bus, (n,), all powers in W.

    array + external = load + charge - discharge at the bus; charge - discharge =
    stored + battery heat; demand = load + unserved.
    """

    array_w: FloatArray  # taken from the array, at the bus
    external_w: FloatArray  # taken from a host platform
    load_w: FloatArray  # served
    compute_w: FloatArray  # served
    heater_w: FloatArray  # served
    unserved_w: FloatArray
    converter_heat_w: FloatArray
    battery_heat_w: FloatArray
    stored_w: FloatArray
    discharge_w: FloatArray
    current_a: FloatArray
    voltage_v: FloatArray
    soc_frac: FloatArray


def array_available_w(
    solar_flux_w_m2: FloatArray,
    array_temp_k: FloatArray,
    elapsed_s: float,
    params: FleetParams,
) -> FloatArray:
    """Power the solar array can deliver at the bus [W], (n,).

    P = P0 (S / S0) cos(theta) [1 + beta (T - 28 C)] h max(0, 1 - r t) eta, with P0 the rated
    power at S0 = 1361 W/m2 and 28 C, S the sunlight here (distance and shadow in it), theta the
    pointing error of 2 deg, beta the temperature coefficient [1/K], T the array's own node, h
    the health of its strings, r the yearly loss, t years since the epoch, eta the converter.
    Validity: 150-400 K; linear ageing, good to a few years. Source: Wertz & Larson 1999, Space
    Mission Analysis and Design, section 11.4; rating conditions AIAA S-111.
    """
    years = elapsed_s / SECONDS_PER_JULIAN_YEAR
    ageing_frac = np.maximum(1.0 - params.array_loss_frac_per_year * years, 0.0)
    heat_frac = 1.0 + params.array_temp_coeff_per_k * (array_temp_k - ARRAY_REFERENCE_K)
    rated_w = params.array_power_w * params.array_health_frac * ageing_frac
    light_frac = solar_flux_w_m2 * (ARRAY_POINTING_COS / ARRAY_REFERENCE_W_M2)
    return rated_w * light_frac * np.maximum(heat_frac, 0.0) * params.converter_efficiency_frac


def shed_soc_frac(params: FleetParams) -> FloatArray:
    """Charge below which load is shed [0-1], (n,): 35 %, or the planned depth if that is higher.

    Validity: batteries planned for less than full depth.
    Source: assumption, beside SHED_SOC_FRAC in `twin/power.py`.
    """
    return np.maximum(SHED_SOC_FRAC, 1.0 - params.battery_depth_limit_frac)


def next_mode(
    *,
    mode: IntArray,
    dwell_s: FloatArray,
    soc_frac: FloatArray,
    sunlit_frac: FloatArray,
    unserved_power_w: FloatArray,
    params: FleetParams,
    step_s: float,
    commanded: BoolArray | None = None,
) -> tuple[IntArray, FloatArray]:
    """Power mode for this tick and the time spent in it [s], (n,) each.

    Worse modes start at once: safe below 20 % charge or after unserved power, load shed below
    35 % or below the planned depth of discharge if that is higher. They are left one rung at a
    time, after 120 s and 10 points of charge above the trigger. Nominal and eclipse follow the
    light; a hosted payload has no eclipse mode. `commanded` keeps a satellite in safe. The
    thresholds are assumptions, beside the constants.
    """
    # Written as arithmetic on 0/1 flags: np.where costs four times as much per satellite.
    shed_below_frac = shed_soc_frac(params)
    shed_exit_frac = np.minimum(shed_below_frac + RECOVERY_SOC_FRAC, RECOVERY_CEILING_FRAC)
    dark = (sunlit_frac < ECLIPSE_SUNLIT_FRAC) & (params.external_power_w <= 0.0)
    starved = unserved_power_w > STARVED_W
    rested = dwell_s >= RECOVERY_DWELL_S
    leaves_safe = rested & (soc_frac >= SAFE_SOC_FRAC + RECOVERY_SOC_FRAC)
    leaves_shed = rested & (soc_frac >= shed_exit_frac)
    safe = (soc_frac < SAFE_SOC_FRAC) | starved | ((mode == SAFE) & ~leaves_safe)
    safe = safe if commanded is None else safe | commanded
    shed = (soc_frac < shed_below_frac) | (mode == SAFE) | ((mode == LOAD_SHED) & ~leaves_shed)
    chosen = np.where(safe, SAFE, np.where(shed, LOAD_SHED, dark.astype(np.int64)))
    return chosen, (dwell_s + step_s) * (chosen == mode)


def payload_grant_w(
    *,
    demand_w: FloatArray,
    idle_w: FloatArray,
    available_w: FloatArray,
    essential_w: FloatArray,
    mode: IntArray,
    soc_frac: FloatArray,
    params: FleetParams,
    ahead_w: FloatArray | float = np.inf,
) -> FloatArray:
    """Power the payload may draw [W], (n,): the least of demand, mode cap and what is there.

    Cap: peak in nominal; in eclipse eclipse_compute_frac of the planned power, which is the
    average of continuous duty or the peak of bursts; hosts plus 40 % of the accelerators' limit
    in load shed; nothing in safe. A grant below idle powers nothing useful, so it is 0.
    available_w is array and host platform at the bus; essential_w is housekeeping and heater;
    ahead_w is what the rest of an eclipse can bear (twin/power_ahead.py).

    Validity: one tick; what the battery can carry beyond it is in `twin/power_ahead.py`.
    Source: by definition of the modes; the 40 % is an assumption, beside SHED_ACCEL_FRAC in
    `twin/power.py`.
    """
    accel_w = params.accel_count * params.accel_power_limit_w
    bursts = params.burst_period_s > 0.0
    planned_w = np.where(bursts, params.compute_peak_w, params.compute_average_w)
    eclipse_w = np.maximum(idle_w, params.eclipse_compute_frac * planned_w)
    shed_w = np.maximum(idle_w, params.host_power_w + SHED_ACCEL_FRAC * accel_w)
    cap_w = np.choose(mode, [params.compute_peak_w, eclipse_w, shed_w, np.zeros_like(demand_w)])
    share_frac = (soc_frac - SHARE_START_SOC_FRAC) / (SHARE_FULL_SOC_FRAC - SHARE_START_SOC_FRAC)
    share_frac = np.clip(np.maximum(share_frac, mode == ECLIPSE), 0.0, 1.0)
    empty_frac = (SHARE_START_SOC_FRAC - soc_frac) / (SHARE_START_SOC_FRAC - RESERVE_FULL_SOC_FRAC)
    reserve_frac = CHARGE_RESERVE_FRAC * np.clip(empty_frac, 0.0, 1.0) * (mode != ECLIPSE)
    margin_w = available_w * (1.0 - reserve_frac) - essential_w
    margin_w = margin_w + share_frac * discharge_limit_w(soc_frac, params)
    grant_w: FloatArray = np.minimum(np.minimum(demand_w, cap_w), np.minimum(margin_w, ahead_w))
    return grant_w * ((grant_w >= idle_w * (1.0 - 1e-9)) & (grant_w > 0.0))


def power_balance(
    *,
    compute_w: FloatArray,
    heater_w: FloatArray,
    array_w: FloatArray,
    soc_frac: FloatArray,
    battery_temp_k: FloatArray,
    params: FleetParams,
    step_s: float,
) -> PowerBalance:
    """Serve the loads from array, host platform and battery for one tick, (n,).

    The array gives what it can at the bus (array_w); what loads and charging do not take is not
    drawn from it. A shortfall cuts the payload first, then housekeeping and heater alike. State
    of charge never leaves [0, 1]. Energy in = load + stored + losses holds to rounding.

    Validity: ticks of 0.1-60 s, loads constant in the tick.
    Source: by definition: conservation of energy on one bus (Wertz & Larson 1999, section
    11.4).
    """
    essential_w = params.bus_power_w + heater_w
    demand_w = essential_w + compute_w
    source_w = array_w + params.external_power_w
    flow = battery_flow(
        deficit_w=np.maximum(demand_w - source_w, 0.0),
        surplus_w=np.maximum(source_w - demand_w, 0.0),
        soc_frac=soc_frac,
        battery_temp_k=battery_temp_k,
        params=params,
        step_s=step_s,
    )
    cut_w = np.minimum(flow.unserved_w, compute_w)
    essential_cut_frac = (flow.unserved_w - cut_w) / np.maximum(essential_w, 1e-30)
    load_w = demand_w - flow.unserved_w
    drawn_w = np.maximum(load_w + flow.charge_w - flow.discharge_w, 0.0)
    taken_w = np.minimum(drawn_w, array_w)
    return PowerBalance(
        array_w=taken_w,
        external_w=drawn_w - taken_w,
        load_w=load_w,
        compute_w=compute_w - cut_w,
        heater_w=heater_w * (1.0 - essential_cut_frac),
        unserved_w=flow.unserved_w,
        converter_heat_w=taken_w * (1.0 / params.converter_efficiency_frac - 1.0),
        battery_heat_w=flow.heat_w,
        stored_w=flow.stored_w,
        discharge_w=flow.discharge_w,
        current_a=flow.current_a,
        voltage_v=flow.voltage_v,
        soc_frac=flow.soc_frac,
    )
