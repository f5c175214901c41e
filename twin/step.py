"""One tick of the whole fleet: the only place where the subsystems meet.

Order: events, wishes of the workload, power, heat, work done, links. Every function is pure.
"""

import numpy as np

from twin import battery_ageing, jobs, workload
from twin.ageing import clock_margin_frac
from twin.checks import check_step_s
from twin.fault_effects import FaultEffects
from twin.faulted import under_faults, with_plant, with_restarts
from twin.initial import initial_state
from twin.phases import Tick, after_events, after_heat, after_links, after_power
from twin.replacing import replace
from twin.state import Environment, Fleet, FleetState, FloatArray
from twin.upsets import accelerator_rows, accelerators_up_count

__all__ = ["initial_state", "step"]


def step(
    state: FleetState,
    fleet: Fleet,
    environment: Environment,
    step_s: float,
    elapsed_s: float,
    seed: int,
    effects: FaultEffects | None = None,
) -> FleetState:
    """State one tick of step_s later; `environment` and elapsed_s are those of the tick's end.

    Pure: same arguments, same bytes, whichever satellites share the arrays. Events do not
    depend on the tick; temperatures and charge converge at first order in it. Ticks of 0.1 to
    60 s; thermal accuracy in twin/thermal.py. `effects` are those of the faults at elapsed_s
    (twin/faults.py); None is a fleet without any. Raises OutOfRangeError for a tick of 0 s, less,
    nan or more than 600 s.
    """
    check_step_s(step_s)
    aged = battery_ageing.aged_params(fleet.params, state.battery_health_frac)
    fleet = replace(fleet, params=aged)
    broken = None
    if effects is not None:
        state = with_plant(state, fleet, effects, step_s)
        broken = under_faults(fleet, environment, state, effects)
        fleet, environment = broken.fleet, broken.environment
    tick = Tick(fleet, environment, step_s, elapsed_s, seed, _phase_frac(fleet), broken)
    kills = state.job_kill_count
    state = after_events(state, tick)
    rows = accelerator_rows(fleet.params.accel_count)
    up_count = accelerators_up_count(state.accel_down_s, rows)
    demand = workload.work_demand(
        state,
        environment,
        fleet.params,
        up_count=up_count,
        phase_frac=tick.phase_frac,
        step_s=step_s,
        clock_frac=clock_margin_frac(state.dose_rad),
        troubles=_troubles(effects),
    )
    wish = None
    if fleet.tenants.count:
        killed = state.job_kill_count != kills
        demand, wish = jobs.tenant_demand(
            state, demand, fleet, environment, killed=killed, up_count=up_count, step_s=step_s
        )
    state, balance = after_power(state, tick, demand)
    accel_w = workload.accelerator_power_w(balance.compute_w, up_count, fleet.params)
    state = after_heat(state, tick, balance, accel_w)
    if wish is None:
        done = workload.work_done(
            state, demand, balance.compute_w, fleet.params, step_s, _troubles(effects)
        )
        state = replace(state, **done._asdict())
    else:
        served = jobs.tenant_done(
            state, demand, wish, fleet, compute_power_w=balance.compute_w, step_s=step_s
        )
        state = replace(state, **served)  # type: ignore[arg-type]  # all of them float arrays
    if effects is not None:
        state = with_restarts(state, effects, step_s)
    state = after_links(state, tick)
    each_w = accel_w / np.maximum(up_count, 1)
    energy_j = state.accel_energy_j + np.repeat(each_w * step_s, fleet.params.accel_count)
    down = np.flatnonzero(state.accel_down_s > 0.0)  # few: they use nothing
    energy_j[down] = state.accel_energy_j[down] + 0.0 * each_w[rows.owner[down]]
    return replace(state, accel_energy_j=energy_j)


def _troubles(effects: FaultEffects | None) -> workload.Troubles | None:
    if effects is None:
        return None
    return workload.Troubles(
        effects.arrival_gain, effects.training_stop_frac, effects.checkpoint_rate_frac
    )


def _phase_frac(fleet: Fleet) -> FloatArray:
    # Bursts and canaries are spread by the satellite's name, so that they do not beat together.
    return (fleet.satellite_key >> np.uint64(11)).astype(np.float64) * 2.0**-53
