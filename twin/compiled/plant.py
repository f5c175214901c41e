"""Power and work of a tile of satellites for one tick, compiled.

The equations are those of twin/power.py, twin/battery.py, twin/workload.py and
twin/network.py, which stay the oracle; what a class shares comes from twin/compiled/classes.py.
Straight-line code without branches, so that it vectorises.
"""

import math
from typing import Any

import numpy as np

from twin.battery import CELL_CHARGE_LIMIT_V, CHARGE_MIN_TEMP_K, FULL_SOC_FRAC
from twin.battery_ageing import CYCLE_DEADBAND_FRAC, RESISTANCE_GROWTH_PER_FADE
from twin.compiled import classes as k
from twin.compiled.functions import clipped, inverse_root, kernel
from twin.compiled.pieces import (
    cell_v,
    clock_frac,
    heater_demand_w,
    is_on,
    next_mode,
    source_current_a,
)
from twin.compiled.rows import (
    AGE,
    AHEAD,
    ARRAY,
    ARRAY_W,
    ARRIVAL,
    AT_RISK,
    AVAILABLE_W,
    BACKLOG,
    BATTERY,
    BATTERY_HEAT,
    COMPUTE_W,
    CONTACT,
    CURRENT,
    DELIVERED,
    DIURNAL,
    DOSE,
    DWELL,
    ELAPSED,
    EXTREME,
    GRANT_W,
    HEALTH,
    HEATER_DEMAND_W,
    HEATER_W,
    HOST_DOWN,
    IDLE_W,
    LIT,
    LOAD_W,
    LOW_SOC,
    MODE,
    OFFERED,
    OPEN_V,
    PER_OHM,
    PHASE,
    QUEUE,
    RATE,
    REACH_W,
    REFUSED,
    REVERSAL,
    SOC,
    THROTTLE,
    THROUGHPUT,
    TILE,
    TURNED,
    UNIT_ENERGY,
    UNSERVED_W,
    UP_COUNT,
    UTILISATION,
    VOLTAGE,
    X,
    Y,
    Z,
)
from twin.constants import EARTH_GM_M3_S2
from twin.power import (
    ARRAY_REFERENCE_K,
    CHARGE_RESERVE_FRAC,
    ECLIPSE_SUNLIT_FRAC,
    RESERVE_FULL_SOC_FRAC,
    SHARE_FULL_SOC_FRAC,
    SHARE_START_SOC_FRAC,
)
from twin.power_ahead import _LEAST_ENERGY_FRAC, AHEAD_MARGIN_FRAC
from twin.workload import DIURNAL_AMPLITUDE_FRAC, QUEUE_LIMIT_S


@kernel
def wish(s: Any, w: Any, c: Any, now: Any, step_s: float) -> int:
    """Work offered, what the payload and the heater want; how many need a forecast.

    A satellite whose demand could reach the floor within half an orbit of shadow needs one:
    AHEAD is then 0, else inf.
    """
    planned, training = c[k.PLANNED_FRAC] * c[k.HAS_ACCEL], c[k.TRAINING_FRAC]
    per_accel, accel_idle = 1.0 / max(c[k.ACCEL_COUNT], 1.0), c[k.ACCEL_IDLE_W]
    host_w, dynamic_w, bus_w = c[k.HOST_W], c[k.DYNAMIC_W], c[k.BUS_W]
    period, on_s, heater_full = c[k.BURST_PERIOD_S], c[k.BURST_ON_S], c[k.HEATER_W]
    hosted, elapsed_s, per_step = c[k.EXTERNAL_W] > 0.0, now[ELAPSED], 1.0 / step_s
    floor, least_j = AHEAD_MARGIN_FRAC + c[k.SHED_SOC_FRAC], _LEAST_ENERGY_FRAC * c[k.CAPACITY_J]
    half_turn = math.pi / math.sqrt(EARTH_GM_M3_S2)
    count = 0
    for i in range(TILE):
        wave = 1.0 + DIURNAL_AMPLITUDE_FRAC * w[DIURNAL + i]
        arrival = planned * (training + (1.0 - training) * wave)
        on = is_on(elapsed_s, s[PHASE + i], period, on_s)
        up = s[UP_COUNT + i]
        running = on if s[HOST_DOWN + i] <= 0.0 else 0.0
        limit = s[THROTTLE + i] * clock_frac(s[DOSE + i]) * (up * per_accel) * running
        rate = min(arrival + s[QUEUE + i] * per_step, limit)
        idle = (host_w + up * accel_idle) * on
        heater = heater_demand_w(heater_full, s[BATTERY + i], s[HEATER_W + i])
        w[ARRIVAL + i] = arrival
        w[RATE + i] = rate
        w[IDLE_W + i] = idle
        w[HEATER_DEMAND_W + i] = heater
        x, y, z = w[X + i], w[Y + i], w[Z + i]
        radius2 = x * x + y * y + z * z
        cube = radius2 * radius2 * inverse_root(radius2)
        half_s = half_turn * (cube * inverse_root(cube))
        room = least_j * s[HEALTH + i] * (s[SOC + i] - floor)
        needs = (idle + rate * dynamic_w + bus_w + heater) * half_s > room
        needs = needs & (w[LIT + i] < ECLIPSE_SUNLIT_FRAC) & (not hosted)
        w[AHEAD + i] = 0.0 if needs else np.inf
        count += 1 if needs else 0
    return count


@kernel
def grant(s: Any, w: Any, c: Any, rated_w: float, step_s: float) -> None:
    """Mode, sources and what the payload gets.

    rated_w: what the array gives in full light at 28 C, at the bus.
    """
    dynamic_w, bus_w, external, hosted = (
        c[k.DYNAMIC_W],
        c[k.BUS_W],
        c[k.EXTERNAL_W],
        c[k.EXTERNAL_W] > 0.0,
    )
    shed_soc, shed_exit = c[k.SHED_SOC_FRAC], c[k.SHED_EXIT_FRAC]
    peak_w, eclipse_w, shed_w = c[k.PEAK_W], c[k.ECLIPSE_W], c[k.SHED_W]
    cells, new_resistance, new_charge_as = c[k.CELLS], c[k.RESISTANCE_OHM], c[k.CHARGE_A_S]
    temp_coeff, out_per_s = c[k.ARRAY_COEFF], c[k.OUT_LIMIT_C] / 3600.0
    per_reserve = 1.0 / (SHARE_START_SOC_FRAC - RESERVE_FULL_SOC_FRAC)
    per_share = 1.0 / (SHARE_FULL_SOC_FRAC - SHARE_START_SOC_FRAC)
    for i in range(TILE):
        idle, z, was, dwell = w[IDLE_W + i], s[SOC + i], s[MODE + i], s[DWELL + i]
        dark = (w[LIT + i] < ECLIPSE_SUNLIT_FRAC) & (not hosted)
        mode = next_mode(z, was, dark, dwell, s[UNSERVED_W + i], shed_soc, shed_exit)
        s[DWELL + i] = dwell + step_s if mode == was else 0.0
        s[MODE + i] = mode
        warmth = max(1.0 + temp_coeff * (s[ARRAY + i] - ARRAY_REFERENCE_K), 0.0)
        available = rated_w * w[LIT + i] * warmth
        s[AVAILABLE_W + i] = available
        health = s[HEALTH + i]
        resistance = new_resistance * (1.0 + RESISTANCE_GROWTH_PER_FADE * (1.0 - health))
        per_ohm = 1.0 / resistance
        open_v = cell_v(z) * cells
        matched = min(out_per_s * (new_charge_as * health), 0.5 * open_v * per_ohm)
        reach_w = matched * (open_v - matched * resistance) if z > 0.0 else 0.0
        w[OPEN_V + i] = open_v
        w[PER_OHM + i] = per_ohm
        w[REACH_W + i] = reach_w
        in_eclipse = mode == 1.0
        share = clipped((z - SHARE_START_SOC_FRAC) * per_share, 0.0, 1.0)
        share = 1.0 if in_eclipse else share
        reserve = CHARGE_RESERVE_FRAC * clipped((SHARE_START_SOC_FRAC - z) * per_reserve, 0.0, 1.0)
        reserve = 0.0 if in_eclipse else reserve
        margin = (available + external) * (1.0 - reserve) - (bus_w + w[HEATER_DEMAND_W + i])
        margin += share * reach_w
        cap = max(idle, eclipse_w) if in_eclipse else peak_w
        cap = max(idle, shed_w) if mode == 2.0 else cap
        cap = 0.0 if mode == 3.0 else cap
        given = min(min(idle + w[RATE + i] * dynamic_w, cap), min(margin, w[AHEAD + i]))
        given = given if (given >= idle * (1.0 - 1e-9)) & (given > 0.0) else 0.0
        w[GRANT_W + i] = given


@kernel
def flow(s: Any, w: Any, c: Any, step_s: float) -> int:
    """Bus and battery: twin/power.py and twin/battery.py; how many reversals of the charge.

    TURNED: the charge of the reversal that this tick makes, nan without one.
    """
    bus_w, external, cells = c[k.BUS_W], c[k.EXTERNAL_W], c[k.CELLS]
    new_resistance, new_charge_as, in_per_s = (
        c[k.RESISTANCE_OHM],
        c[k.CHARGE_A_S],
        c[k.IN_LIMIT_C] / 3600.0,
    )
    coulombic, limit_v, per_step = c[k.COULOMBIC_FRAC], CELL_CHARGE_LIMIT_V * cells, 1.0 / step_s
    room_per_s = 1.0 / (step_s * coulombic)
    turns = 0
    for i in range(TILE):
        # One of surplus and drain is 0, so that one current stands for both.
        z, health, open_v, per_ohm = s[SOC + i], s[HEALTH + i], w[OPEN_V + i], w[PER_OHM + i]
        charge_as = new_charge_as * health
        resistance = new_resistance * (1.0 + RESISTANCE_GROWTH_PER_FADE * (1.0 - health))
        per_charge = step_s / max(charge_as, 1e-30)
        heater, given, available = w[HEATER_DEMAND_W + i], w[GRANT_W + i], s[AVAILABLE_W + i]
        essential, source = bus_w + heater, available + external
        demand = essential + given
        deficit, surplus = max(demand - source, 0.0), max(source - demand, 0.0)
        within = min(deficit, w[REACH_W + i])
        left_a = z * charge_as * per_step
        top_a = min(in_per_s * charge_as, (1.0 - z) * charge_as * room_per_s)
        top_a = top_a if s[BATTERY + i] >= CHARGE_MIN_TEMP_K else 0.0
        flow_a = source_current_a(surplus - within, open_v, resistance)
        out_a = min(max(-flow_a, 0.0), left_a)
        in_a = min(max(flow_a, 0.0), top_a)
        in_a = min(in_a, max(limit_v - open_v, 0.0) * per_ohm)
        gain = coulombic * in_a - out_a
        open_v = cell_v(z + 0.5 * gain * per_charge) * cells
        flow_a = source_current_a(surplus - within, open_v, resistance)
        wanted_a = max(-flow_a, 0.0)
        out_a = min(wanted_a, left_a)
        in_a = min(max(flow_a, 0.0), top_a)
        in_a = min(in_a, max(limit_v - open_v, 0.0) * per_ohm)
        gain = coulombic * in_a - out_a
        drained = out_a * (open_v - out_a * resistance) if wanted_a > left_a else within
        charge = in_a * (open_v + in_a * resistance)
        missing = deficit - drained
        cut = min(missing, given)
        load = demand - missing
        z = clipped(z + gain * per_charge, 0.0, 1.0)
        s[SOC + i] = z
        s[CURRENT + i] = in_a - out_a
        s[VOLTAGE + i] = open_v + (in_a - out_a) * resistance
        s[THROUGHPUT + i] += drained * step_s
        s[LOW_SOC + i] = z if z >= FULL_SOC_FRAC else min(s[LOW_SOC + i], z)
        s[ARRAY_W + i] = min(max(load + charge - drained, 0.0), available)
        s[LOAD_W + i] = load
        s[COMPUTE_W + i] = given - cut
        s[HEATER_W + i] = heater * (1.0 - (missing - cut) / max(essential, 1e-30))
        s[UNSERVED_W + i] = missing
        w[BATTERY_HEAT + i] = charge - drained - open_v * gain
        # cycles of the battery: twin/battery_ageing.py, count_cycles
        peak, last = s[EXTREME + i], s[REVERSAL + i]
        onward = (peak - last) * (z - peak) >= 0.0
        back = (not onward) & (abs(z - peak) >= CYCLE_DEADBAND_FRAC)
        w[TURNED + i] = peak if back else math.nan
        s[EXTREME + i] = z if onward | back else peak
        turns += 1 if back else 0
    return turns


@kernel
def work(s: Any, w: Any, c: Any, step_s: float) -> None:
    """Work done with what the payload got, checkpoints and results waiting for the ground."""
    training, host_w, per_dynamic = c[k.TRAINING_FRAC], c[k.HOST_W], 1.0 / c[k.DYNAMIC_W]
    checkpoint_s, result_bit_s = c[k.CHECKPOINT_S], c[k.RESULT_BIT_S]
    ground_bit_s, relayed = c[k.GROUND_BIT_S], c[k.RELAYED] > 0.0
    wait_limit = max(QUEUE_LIMIT_S, c[k.BURST_PERIOD_S])
    for i in range(TILE):
        served = s[COMPUTE_W + i]
        rate = min(w[RATE + i], max(served - w[IDLE_W + i], 0.0) * per_dynamic)
        done, come = rate * step_s, w[ARRIVAL + i] * step_s
        waiting = max(s[QUEUE + i] + come - done, 0.0)
        away = max(waiting - wait_limit, 0.0)
        older = s[AGE + i] + step_s
        saved = (s[HOST_DOWN + i] <= 0.0) & (served > 0.0) & (older >= checkpoint_s)
        s[QUEUE + i] = waiting - away
        s[AGE + i] = 0.0 if saved else older
        s[AT_RISK + i] = 0.0 if saved else s[AT_RISK + i] + done * training
        s[DELIVERED + i] += done
        s[OFFERED + i] += come
        s[REFUSED + i] += away
        s[UTILISATION + i] = rate
        drain = ground_bit_s if (w[CONTACT + i] > 0.0) | relayed else 0.0
        s[BACKLOG + i] = max(s[BACKLOG + i] + (rate * result_bit_s - drain) * step_s, 0.0)
        up = s[UP_COUNT + i]
        accel_w = max(served - host_w, 0.0) if up > 0.0 else 0.0
        s[UNIT_ENERGY + i] += accel_w / max(up, 1.0) * step_s
