"""Power, heat, work and exposure of the satellites of one class for one tick, compiled.

The equations are those of twin/power.py, twin/battery.py, twin/thermal.py, twin/workload.py and
twin/network.py, which stay the oracle; what a class shares comes from twin/compiled/classes.py.
Straight-line code: every row an array of its own and no branch, so that it vectorises.
"""

import math
from typing import Any, Final

from numba import njit, prange

from twin.ageing import CLOCK_FLOOR_FRAC, CLOCK_LOSS_PER_KRAD, ERROR_GAIN_PER_KRAD, ONSET_RAD
from twin.battery import (
    _CELL_OCV_V,
    CELL_CHARGE_LIMIT_V,
    CHARGE_MIN_TEMP_K,
    FULL_SOC_FRAC,
)
from twin.battery_ageing import CYCLE_DEADBAND_FRAC, RESISTANCE_GROWTH_PER_FADE
from twin.compiled import classes as k
from twin.compiled.functions import clipped
from twin.power import (
    ARRAY_POINTING_COS,
    ARRAY_REFERENCE_K,
    CHARGE_RESERVE_FRAC,
    ECLIPSE_SUNLIT_FRAC,
    RECOVERY_DWELL_S,
    RECOVERY_SOC_FRAC,
    RESERVE_FULL_SOC_FRAC,
    SAFE_SOC_FRAC,
    SHARE_FULL_SOC_FRAC,
    SHARE_START_SOC_FRAC,
    STARVED_W,
)
from twin.radiation import GCR_RAD_CM2
from twin.thermal import (
    ARRAY_ABSORPTIVITY_FRAC,
    ARRAY_EDGE_VIEW_FRAC,
    ARRAY_EMISSIVITY_FRAC,
    BUS_ABSORPTIVITY_FRAC,
    BUS_EARTH_VIEW_FRAC,
    BUS_EMISSIVITY_FRAC,
    BUS_TO_RADIATOR_FRAC,
    HEATER_OFF_K,
    HEATER_ON_K,
    RADIATOR_SUN_SIN,
    THROTTLE_BAND_K,
    THROTTLE_DOWN_PER_S,
    THROTTLE_FLOOR_FRAC,
    THROTTLE_UP_PER_S,
    TRIP_RECOVERY_K,
)
from twin.workload import DIURNAL_AMPLITUDE_FRAC, QUEUE_LIMIT_S

_OCV: Final = _CELL_OCV_V
_SEGMENTS: Final = float(len(_CELL_OCV_V) - 1)


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


@njit(error_model="numpy", inline="always")
def _chain(
    m: Any, r: int, t0: float, t1: float, t2: float, t3: float, t4: float, t5: float
) -> float:
    total = m[r, 0] * t0 + m[r, 1] * t1 + m[r, 2] * t2
    return total + m[r, 3] * t3 + m[r, 4] * t4 + m[r, 5] * t5


@njit(error_model="numpy", inline="always")
def _heated(m: Any, r: int, q0: float, q1: float, q3: float, q4: float, q5: float) -> float:
    total = m[r, 6] * q0 + m[r, 7] * q1 + m[r, 8] * q3
    return total + m[r, 9] * q4 + m[r, 10] * q5


@njit(error_model="numpy", inline="always")
def _cell_v(soc: float) -> float:
    # twin/battery.py: open-circuit voltage of one cell.
    at = clipped(soc, 0.0, 1.0) * _SEGMENTS
    segment = min(math.floor(at), _SEGMENTS - 1.0)
    lower = int(segment)
    return _OCV[lower] + (at - segment) * (_OCV[lower + 1] - _OCV[lower])


@njit(error_model="numpy", inline="always")
def _current_a(power_w: float, open_v: float, resistance: float) -> float:
    # twin/battery.py, _source_current_a.
    square = max(open_v * open_v + 4.0 * resistance * power_w, 0.0)
    return 2.0 * power_w / (open_v + math.sqrt(square))


@njit(error_model="numpy", inline="always")
def _next_mode(
    soc: float, was: float, dark: bool, dwell: float, unserved: float, shed_soc: float, out: float
) -> float:
    # twin/power.py, next_mode; out: charge at which load shed is left.
    rested = dwell >= RECOVERY_DWELL_S
    leaves_safe = rested & (soc >= SAFE_SOC_FRAC + RECOVERY_SOC_FRAC)
    leaves_shed = rested & (soc >= out)
    safe = (soc < SAFE_SOC_FRAC) | (unserved > STARVED_W) | ((was == 3.0) & (not leaves_safe))
    shed = (soc < shed_soc) | (was == 3.0) | ((was == 2.0) & (not leaves_shed))
    now = 1.0 if dark else 0.0
    now = 2.0 if shed else now
    return 3.0 if safe else now


@njit(error_model="numpy", inline="always")
def _is_on(elapsed_s: float, phase: float, period: float, on_s: float) -> float:
    # twin/workload.py, burst_is_on: 1 or 0.
    turns = elapsed_s / max(period, 1e-9) + phase
    position = (turns - math.floor(turns)) * period
    return 1.0 if (period <= 0.0) | (position < on_s) else 0.0


@njit(error_model="numpy", inline="always")
def _heater_w(full: float, battery_temp: float, heater_w: float) -> float:
    # twin/thermal.py, heater_demand_w.
    warm = (heater_w > 0.0) & (battery_temp < HEATER_OFF_K)
    return full if (battery_temp < HEATER_ON_K) | warm else 0.0


@njit(error_model="numpy", inline="always")
def _clock(dose: float) -> float:
    # twin/ageing.py, clock_margin_frac.
    loss = (CLOCK_LOSS_PER_KRAD / 1000.0) * max(dose - ONSET_RAD, 0.0)
    return max(1.0 - loss, CLOCK_FLOOR_FRAC)


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
        on = _is_on(elapsed_s, phase[i], period, on_s)
        up = up_count[i]
        running = on if host_down[i] <= 0.0 else 0.0
        limit = throttle[i] * _clock(dose[i]) * (up / max(accel_count, 1.0)) * running
        rate = min(arrival + queue[i] / step_s, limit)
        idle = (host_w + up * accel_idle) * on
        wanted_w = idle + rate * dynamic_w
        # mode
        z, was = soc[i], mode[i]
        dark = (lit[i] < ECLIPSE_SUNLIT_FRAC) & (not hosted)
        now = _next_mode(z, was, dark, dwell[i], unserved_w[i], shed_soc, shed_exit)
        dwell[i] = dwell[i] + step_s if now == was else 0.0
        mode[i] = now
        # sources and grant
        warmth = max(1.0 + temp_coeff * (array_temp[i] - ARRAY_REFERENCE_K), 0.0)
        available = rated_w * lit[i] * warmth
        cold = battery_temp[i]
        heater = _heater_w(heater_full, cold, heater_w[i])
        essential = bus_w + heater
        charge_as = new_charge_as * health[i]
        fade = RESISTANCE_GROWTH_PER_FADE * (1.0 - health[i])
        resistance = new_resistance * (1.0 + fade)
        open_v = _cell_v(z) * cells
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
        out_a = min(_current_a(within, open_v, -resistance), left_a)
        in_a = min(_current_a(surplus, open_v, resistance), top_a)
        in_a = min(in_a, max(limit_v - open_v, 0.0) / resistance)
        gain = coulombic * in_a - out_a
        open_v = _cell_v(z + 0.5 * gain * step_s / max(charge_as, 1e-30)) * cells
        wanted_a = _current_a(within, open_v, -resistance)
        out_a = min(wanted_a, left_a)
        in_a = min(_current_a(surplus, open_v, resistance), top_a)
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
        rising, falling = peak > last, peak < last
        beyond = ((z > peak) & (not falling)) | ((z < peak) & (not rising))
        back = (rising & (z <= peak - CYCLE_DEADBAND_FRAC)) | (
            falling & (z >= peak + CYCLE_DEADBAND_FRAC)
        )
        turned[i] = peak if back else math.nan
        extreme[i] = z if beyond | back else peak
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


@njit(parallel=True, fastmath=False, error_model="numpy", cache=True)
def heat(
    c: Any,
    m: Any,
    step_s: float,
    begins: bool,
    ends: bool,
    irradiance_w_m2: float,
    albedo_frac: float,
    earth_ir_w_m2: float,
    lit: Any,
    view: Any,
    zenith: Any,
    up_count: Any,
    array_w: Any,
    load_w: Any,
    compute_w: Any,
    heater_w: Any,
    battery_heat: Any,
    throttle: Any,
    radiated: Any,
    absorbed: Any,
    die: Any,
    plate: Any,
    loop: Any,
    radiator: Any,
    battery: Any,
    bus: Any,
    array: Any,
) -> None:
    """Temperatures after a part of a tick of step_s, and the clock that heat allows at its end.

    begins, ends: first and last part of the tick; the radiator's heat is that of its start.

    m (7, 13): rows of nodes; columns 0-5 decay, 6-10 response to heat in die, plate, radiator,
    battery and bus, 11-12 correction for radiator and bus. Row 6, the array: decay, response and
    correction in columns 0, 6 and 11.
    """
    host_w, efficiency = c[k.HOST_W], c[k.CONVERTER_FRAC]
    body_m2, array_m2, radiator_m2 = c[k.BODY_M2], c[k.ARRAY_M2], c[k.RADIATOR_M2]
    emissive, absorptive = c[k.RADIATOR_EMISSIVITY], c[k.RADIATOR_ABSORPTIVITY]
    sink_view, sink_w_m2 = c[k.SINK_VIEW_FRAC], c[k.SINK_W_M2]
    hosted = c[k.EXTERNAL_W] > 0.0
    rad_r, rad_b, rad_a = c[k.RADIATING], c[k.RADIATING + 1], c[k.RADIATING + 2]
    lin_r, lin_b, lin_a = c[k.LINEAR], c[k.LINEAR + 1], c[k.LINEAR + 2]
    throttle_k, trip_k = c[k.THROTTLE_K], c[k.TRIP_K]
    fall, rise = THROTTLE_DOWN_PER_S * step_s, THROTTLE_UP_PER_S * step_s
    for i in prange(die.size):
        solar = irradiance_w_m2 * lit[i]
        infrared = earth_ir_w_m2 * view[i]
        cosine = abs(zenith[i])
        albedo = albedo_frac * irradiance_w_m2 * view[i] * max(zenith[i], 0.0)
        # heat from the sky
        warm = sink_w_m2 if hosted else infrared * sink_view
        light = 0.0 if hosted else albedo * sink_view + solar * (0.5 * RADIATOR_SUN_SIN)
        taken = radiator_m2 * (emissive * warm + absorptive * light)
        body = BUS_EMISSIVITY_FRAC * infrared + BUS_ABSORPTIVITY_FRAC * albedo
        body *= body_m2 * BUS_EARTH_VIEW_FRAC
        edge = ARRAY_EDGE_VIEW_FRAC + (1.0 - ARRAY_EDGE_VIEW_FRAC) * cosine
        shine = ARRAY_ABSORPTIVITY_FRAC * (solar * ARRAY_POINTING_COS + albedo * edge)
        shine = array_m2 * (shine + infrared * edge * ARRAY_EMISSIVITY_FRAC)
        # heat from the loads
        converter = array_w[i] * (1.0 / efficiency - 1.0)
        accel = max(compute_w[i] - host_w, 0.0) if up_count[i] > 0.0 else 0.0
        housekeeping = load_w[i] - compute_w[i] - heater_w[i]
        t0, t1, t2, t3, t4, t5, t6 = (
            die[i],
            plate[i],
            loop[i],
            radiator[i],
            battery[i],
            bus[i],
            array[i],
        )
        r2, b2, a2 = t3 * t3, t5 * t5, t6 * t6
        excess_r = lin_r * t3 - rad_r * r2 * r2
        excess_b = lin_b * t5 - rad_b * b2 * b2
        excess_a = lin_a * t6 - rad_a * a2 * a2
        q1 = compute_w[i] - accel
        q3 = BUS_TO_RADIATOR_FRAC * housekeeping + taken + excess_r
        q4 = battery_heat[i] + heater_w[i]
        q5 = (1.0 - BUS_TO_RADIATOR_FRAC) * housekeeping + converter + body + excess_b
        q6 = shine - (array_w[i] + converter) + excess_a
        # predictor
        n3 = _chain(m, 3, t0, t1, t2, t3, t4, t5) + _heated(m, 3, accel, q1, q3, q4, q5)
        n5 = _chain(m, 5, t0, t1, t2, t3, t4, t5) + _heated(m, 5, accel, q1, q3, q4, q5)
        n6 = m[6, 0] * t6 + m[6, 6] * q6
        r2, b2, a2 = n3 * n3, n5 * n5, n6 * n6
        change_r = (lin_r * n3 - rad_r * r2 * r2) - excess_r
        change_b = (lin_b * n5 - rad_b * b2 * b2) - excess_b
        change_a = (lin_a * n6 - rad_a * a2 * a2) - excess_a
        # corrector
        n0 = _chain(m, 0, t0, t1, t2, t3, t4, t5) + _heated(m, 0, accel, q1, q3, q4, q5)
        n1 = _chain(m, 1, t0, t1, t2, t3, t4, t5) + _heated(m, 1, accel, q1, q3, q4, q5)
        n2 = _chain(m, 2, t0, t1, t2, t3, t4, t5) + _heated(m, 2, accel, q1, q3, q4, q5)
        n4 = _chain(m, 4, t0, t1, t2, t3, t4, t5) + _heated(m, 4, accel, q1, q3, q4, q5)
        n0 += m[0, 11] * change_r + m[0, 12] * change_b
        n3 += m[3, 11] * change_r + m[3, 12] * change_b
        die[i] = n0
        plate[i] = n1 + m[1, 11] * change_r + m[1, 12] * change_b
        loop[i] = n2 + m[2, 11] * change_r + m[2, 12] * change_b
        radiator[i] = n3
        battery[i] = n4 + m[4, 11] * change_r + m[4, 12] * change_b
        bus[i] = n5 + m[5, 11] * change_r + m[5, 12] * change_b
        array[i] = n6 + m[6, 11] * change_a
        absorbed[i] = taken
        square = t3 * t3
        radiated[i] = rad_r * square * square if begins else radiated[i]
        # clock
        excess, was = n0 - throttle_k, throttle[i]
        ramp = max(was - fall, THROTTLE_FLOOR_FRAC) if excess > 0.0 else was
        climbed = min(max(was, THROTTLE_FLOOR_FRAC) + rise, 1.0)
        ramp = climbed if excess < -THROTTLE_BAND_K else ramp
        tripped = (was <= 0.0) & (excess > -TRIP_RECOVERY_K)
        ramp = 0.0 if tripped | (n0 >= trip_k) else ramp
        throttle[i] = ramp if ends else was
