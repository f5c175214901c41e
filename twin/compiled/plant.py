"""Exposure, power and work of the satellites of one class for one tick, compiled.

The equations are those of twin/radiation.py, twin/power.py, twin/battery.py, twin/workload.py and
twin/network.py, which stay the oracle; what a class shares comes from twin/compiled/classes.py.
Straight-line code: every row an array of its own and no branch, so that it vectorises.
"""

import math
from typing import Any

from numba import njit, prange

from twin.ageing import ERROR_GAIN_PER_KRAD, ONSET_RAD
from twin.battery import CELL_CHARGE_LIMIT_V, CHARGE_MIN_TEMP_K, FULL_SOC_FRAC
from twin.battery_ageing import CYCLE_DEADBAND_FRAC, RESISTANCE_GROWTH_PER_FADE
from twin.compiled import classes as k
from twin.compiled.functions import clipped
from twin.compiled.pieces import (
    cell_v,
    clock_frac,
    heater_demand_w,
    is_on,
    next_mode,
    source_current_a,
)
from twin.power import (
    ARRAY_REFERENCE_K,
    CHARGE_RESERVE_FRAC,
    ECLIPSE_SUNLIT_FRAC,
    RESERVE_FULL_SOC_FRAC,
    SHARE_FULL_SOC_FRAC,
    SHARE_START_SOC_FRAC,
)
from twin.radiation import GCR_RAD_CM2
from twin.workload import DIURNAL_AMPLITUDE_FRAC, QUEUE_LIMIT_S


@njit(parallel=True, fastmath=False, error_model="numpy", cache=True)
def expose(
    c: Any,
    step_s: float,
    exposed_s: float,
    protons: Any,
    electrons: Any,
    cosmic: Any,
    fluence: Any,
    memory_fluence: Any,
    due_fluence: Any,
    due_memory: Any,
    due_s: Any,
    dose: Any,
    dose_rate: Any,
    host_down: Any,
    due: Any,
) -> None:
    """Fluence, dose and the ageing of host outages over one tick; due: 1 where an event is.

    The hazard of every proton effect is its class's rate times the fluence, so one comparison
    with the fluence at which the next of any kind happens stands for five. Memory errors have a
    fluence of their own, which total dose weighs (twin/ageing.py).
    """
    rad_per_proton, rad_per_electron = c[k.RAD_PER_PROTON], c[k.RAD_PER_ELECTRON]
    upset_frac = c[k.UPSET_FRAC]
    gain_per_rad = ERROR_GAIN_PER_KRAD / 1000.0
    for i in prange(protons.size):
        rate = protons[i] * rad_per_proton + electrons[i] * rad_per_electron
        rate += cosmic[i] * GCR_RAD_CM2
        passed = (protons[i] * upset_frac + cosmic[i]) * step_s
        total = fluence[i] + passed
        gain = 1.0 + gain_per_rad * max(dose[i] - ONSET_RAD, 0.0)
        memory = memory_fluence[i] + passed * gain
        fluence[i] = total
        memory_fluence[i] = memory
        dose_rate[i] = rate
        dose[i] += rate * step_s
        host_down[i] = max(host_down[i] - step_s, 0.0)
        happens = (total >= due_fluence[i]) | (memory >= due_memory[i]) | (exposed_s >= due_s[i])
        due[i] = 1.0 if happens else 0.0


@njit(parallel=True, fastmath=False, error_model="numpy", cache=True)
def work_and_power(
    c: Any,
    step_s: float,
    elapsed_s: float,
    rated_w: float,
    lit: Any,
    diurnal: Any,
    contact: Any,
    phase: Any,
    dose: Any,
    ahead: Any,
    health: Any,
    up_count: Any,
    host_down: Any,
    throttle: Any,
    battery_temp: Any,
    array_temp: Any,
    soc: Any,
    current: Any,
    voltage: Any,
    throughput: Any,
    low_soc: Any,
    array_w: Any,
    load_w: Any,
    compute_w: Any,
    heater_w: Any,
    unserved_w: Any,
    available_w: Any,
    battery_heat: Any,
    extreme: Any,
    reversal: Any,
    turned: Any,
    mode: Any,
    dwell: Any,
    queue: Any,
    age: Any,
    delivered: Any,
    offered: Any,
    refused: Any,
    at_risk: Any,
    utilisation: Any,
    backlog: Any,
    unit_energy: Any,
) -> None:
    """Offered work, mode, grant, bus and battery, work done and results waiting, one tick.

    rated_w: what the array gives in full light at 28 C, at the bus. turned: the charge of the
    reversal that this tick makes, nan without one.
    """
    planned, training, has_accel = c[k.PLANNED_FRAC], c[k.TRAINING_FRAC], c[k.HAS_ACCEL]
    accel_count, accel_idle, host_w = c[k.ACCEL_COUNT], c[k.ACCEL_IDLE_W], c[k.HOST_W]
    dynamic_w, period, on_s = c[k.DYNAMIC_W], c[k.BURST_PERIOD_S], c[k.BURST_ON_S]
    bus_w, external, heater_full = c[k.BUS_W], c[k.EXTERNAL_W], c[k.HEATER_W]
    shed_soc, shed_exit = c[k.SHED_SOC_FRAC], c[k.SHED_EXIT_FRAC]
    peak_w, eclipse_w, shed_w = c[k.PEAK_W], c[k.ECLIPSE_W], c[k.SHED_W]
    temp_coeff = c[k.ARRAY_COEFF]
    cells, new_resistance, new_charge_as = c[k.CELLS], c[k.RESISTANCE_OHM], c[k.CHARGE_A_S]
    out_c, in_c, coulombic = c[k.OUT_LIMIT_C], c[k.IN_LIMIT_C], c[k.COULOMBIC_FRAC]
    limit_v = CELL_CHARGE_LIMIT_V * cells
    checkpoint_s, result_bit_s, ground_bit_s = (
        c[k.CHECKPOINT_S],
        c[k.RESULT_BIT_S],
        c[k.GROUND_BIT_S],
    )
    relayed, hosted = c[k.RELAYED] > 0.0, external > 0.0
    wait_limit = max(QUEUE_LIMIT_S, period)
    reserve_span = SHARE_START_SOC_FRAC - RESERVE_FULL_SOC_FRAC
    share_span = SHARE_FULL_SOC_FRAC - SHARE_START_SOC_FRAC
    for i in prange(soc.size):
        # work offered and wanted
        wave = 1.0 + DIURNAL_AMPLITUDE_FRAC * diurnal[i]
        arrival = planned * (training + (1.0 - training) * wave) * has_accel
        on = is_on(elapsed_s, phase[i], period, on_s)
        up = up_count[i]
        running = on if host_down[i] <= 0.0 else 0.0
        limit = throttle[i] * clock_frac(dose[i]) * (up / max(accel_count, 1.0)) * running
        rate = min(arrival + queue[i] / step_s, limit)
        idle = (host_w + up * accel_idle) * on
        wanted_w = idle + rate * dynamic_w
        # mode
        z, was = soc[i], mode[i]
        dark = (lit[i] < ECLIPSE_SUNLIT_FRAC) & (not hosted)
        now = next_mode(z, was, dark, dwell[i], unserved_w[i], shed_soc, shed_exit)
        dwell[i] = dwell[i] + step_s if now == was else 0.0
        mode[i] = now
        # sources and grant
        warmth = max(1.0 + temp_coeff * (array_temp[i] - ARRAY_REFERENCE_K), 0.0)
        available = rated_w * lit[i] * warmth
        cold = battery_temp[i]
        heater = heater_demand_w(heater_full, cold, heater_w[i])
        essential = bus_w + heater
        charge_as = new_charge_as * health[i]
        fade = RESISTANCE_GROWTH_PER_FADE * (1.0 - health[i])
        resistance = new_resistance * (1.0 + fade)
        open_v = cell_v(z) * cells
        matched = min(out_c * charge_as / 3600.0, open_v / (2.0 * resistance))
        reach_w = matched * (open_v - matched * resistance) if z > 0.0 else 0.0
        in_eclipse = now == 1.0
        share = 1.0 if in_eclipse else clipped((z - SHARE_START_SOC_FRAC) / share_span, 0.0, 1.0)
        reserve = CHARGE_RESERVE_FRAC * clipped((SHARE_START_SOC_FRAC - z) / reserve_span, 0.0, 1.0)
        reserve = 0.0 if in_eclipse else reserve
        margin = (available + external) * (1.0 - reserve) - essential + share * reach_w
        cap = max(idle, eclipse_w) if in_eclipse else peak_w
        cap = max(idle, shed_w) if now == 2.0 else cap
        cap = 0.0 if now == 3.0 else cap
        grant = min(min(wanted_w, cap), min(margin, ahead[i]))
        grant = grant if (grant >= idle * (1.0 - 1e-9)) & (grant > 0.0) else 0.0
        # bus and battery
        demand, source = essential + grant, available + external
        deficit, surplus = max(demand - source, 0.0), max(source - demand, 0.0)
        within = min(deficit, reach_w)
        left_a = z * charge_as / step_s
        room_a = (1.0 - z) * charge_as / (step_s * coulombic)
        top_a = min(in_c * charge_as / 3600.0, room_a) if cold >= CHARGE_MIN_TEMP_K else 0.0
        out_a = min(source_current_a(within, open_v, -resistance), left_a)
        in_a = min(source_current_a(surplus, open_v, resistance), top_a)
        in_a = min(in_a, max(limit_v - open_v, 0.0) / resistance)
        gain = coulombic * in_a - out_a
        open_v = cell_v(z + 0.5 * gain * step_s / max(charge_as, 1e-30)) * cells
        wanted_a = source_current_a(within, open_v, -resistance)
        out_a = min(wanted_a, left_a)
        in_a = min(source_current_a(surplus, open_v, resistance), top_a)
        in_a = min(in_a, max(limit_v - open_v, 0.0) / resistance)
        gain = coulombic * in_a - out_a
        drained = out_a * (open_v - out_a * resistance) if wanted_a > left_a else within
        charge = in_a * (open_v + in_a * resistance)
        missing = deficit - drained
        cut = min(missing, grant)
        kept = 1.0 - (missing - cut) / max(essential, 1e-30)
        load = demand - missing
        taken = min(max(load + charge - drained, 0.0), available)
        served = grant - cut
        z = clipped(z + gain * step_s / max(charge_as, 1e-30), 0.0, 1.0)
        soc[i] = z
        current[i] = in_a - out_a
        voltage[i] = open_v + (in_a - out_a) * resistance
        throughput[i] += drained * step_s
        low_soc[i] = z if z >= FULL_SOC_FRAC else min(low_soc[i], z)
        array_w[i] = taken
        load_w[i] = load
        compute_w[i] = served
        heater_w[i] = heater * kept
        unserved_w[i] = missing
        available_w[i] = available
        battery_heat[i] = charge - drained - open_v * gain
        # cycles of the battery: twin/battery_ageing.py, count_cycles
        peak, last = extreme[i], reversal[i]
        onward = (peak - last) * (z - peak) >= 0.0
        back = (not onward) & (abs(z - peak) >= CYCLE_DEADBAND_FRAC)
        turned[i] = peak if back else math.nan
        extreme[i] = z if onward | back else peak
        # work done
        power_frac = max(served - idle, 0.0) / dynamic_w
        rate = min(rate, power_frac)
        done, come = rate * step_s, arrival * step_s
        waiting = max(queue[i] + come - done, 0.0)
        away = max(waiting - wait_limit, 0.0)
        older = age[i] + step_s
        saved = (host_down[i] <= 0.0) & (served > 0.0) & (older >= checkpoint_s)
        queue[i] = waiting - away
        age[i] = 0.0 if saved else older
        at_risk[i] = 0.0 if saved else at_risk[i] + done * training
        delivered[i] += done
        offered[i] += come
        refused[i] += away
        utilisation[i] = rate
        drain = ground_bit_s if (contact[i] > 0.0) | relayed else 0.0
        backlog[i] = max(backlog[i] + (rate * result_bit_s - drain) * step_s, 0.0)
        accel_w = max(served - host_w, 0.0) if up > 0.0 else 0.0
        unit_energy[i] += accel_w / max(up, 1.0) * step_s
