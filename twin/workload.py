"""Work: what users offer, what the payload may serve, what is finished and what faults undo.

The unit of work is one second of the whole satellite at full clock and peak power.
"""

from typing import Final, NamedTuple

import numpy as np

from twin.state import Environment, FleetParams, FleetState, FloatArray, IntArray

# Inference demand below the satellite follows local solar time: 1 + 0.4 cos(2 pi (t - 15 h) / 24).
# Day peak about 2.3 times the night trough, as published traces of language-model serving show
# (e.g. Wang et al. 2024, BurstGPT; Azure LLM trace 2023); confidence: memory, shape an assumption.
DIURNAL_AMPLITUDE_FRAC: Final = 0.4
DIURNAL_PEAK_H: Final = 15.0
BURST_LOAD_FRAC: Final = 0.95  # offered over the planned duty of a burst payload; assumption
MIN_OFFERED_FRAC: Final = 0.02  # a payload planned at idle still answers probes; assumption
# Requests wait at most this long, or one burst period, before they are refused; assumption.
QUEUE_LIMIT_S: Final = 600.0
# Answers are text: about 4 bytes a token (English, byte-pair tokenisers); confidence: memory.
RESULT_BYTES_PER_TOKEN: Final = 4.0
CHECKPOINT_WRITE_S: Final = 30.0  # healthy storage, hidden behind the work; assumption


class WorkDemand(NamedTuple):
    """What the payload would like for this tick, (n,)."""

    arrival_frac: FloatArray  # work offered per second
    rate_frac: FloatArray  # work it would do per second, given heat, faults and bursts
    power_w: FloatArray  # that rate's power
    idle_w: FloatArray  # power of doing nothing, ready; 0 between bursts
    limit_frac: FloatArray = np.ones(1)  # rate that heat, faults and bursts allow
    arrival_gain: FloatArray | float = 1.0  # offered work over the planned, under faults


class WorkDone(NamedTuple):
    """Fields of FleetState after service, (n,), under their own names."""

    queue_s: FloatArray
    checkpoint_age_s: FloatArray
    at_risk_s: FloatArray
    delivered_s: FloatArray
    offered_s: FloatArray
    refused_s: FloatArray
    utilisation_frac: FloatArray


class Troubles(NamedTuple):
    """What faults do to the work, (n,); neutral values 1, 0, 1."""

    arrival_gain: FloatArray  # offered work over the planned
    training_stop_frac: FloatArray  # share of synchronous training that cannot proceed
    checkpoint_rate_frac: FloatArray  # storage bandwidth that is left for checkpoints


def diurnal_frac(local_solar_time_h: FloatArray) -> FloatArray:
    """Inference demand over its daily mean, (n,); the mean over 24 h is exactly 1.

    Validity: mean of a large population; local solar time.
    Source: assumption, r = 1 + 0.4 cos(2 pi (t - 15 h) / 24), after traces of language-model
    serving (Wang et al. 2024, BurstGPT, arXiv:2401.17644).
    """
    angle_rad = (local_solar_time_h - DIURNAL_PEAK_H) * (2.0 * np.pi / 24.0)
    return np.asarray(1.0 + DIURNAL_AMPLITUDE_FRAC * np.cos(angle_rad))


def planned_frac(params: FleetParams) -> FloatArray:
    """Mean utilisation that the preset plans [0-1], (n,).

    Continuous duty: (P_average - P_idle) / (P_peak - P_idle). Bursts: on-time over period,
    times 0.95, as the payload is off between them.

    Validity: presets whose average lies between idle and peak.
    Source: closed form: linear power model (Fan, Weber & Barroso 2007, ISCA, section 4).
    """
    idle_w = params.host_power_w + params.accel_count * params.accel_idle_w
    continuous = (params.compute_average_w - idle_w) / dynamic_power_w(params)
    duty = params.burst_on_s / np.maximum(params.burst_period_s, 1e-9)
    frac = np.where(params.burst_period_s > 0.0, duty * BURST_LOAD_FRAC, continuous)
    return np.clip(frac, MIN_OFFERED_FRAC, 1.0)


def burst_is_on(
    elapsed_s: float, phase_frac: FloatArray, params: FleetParams
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """True while the payload may run, (n,): always, or burst_on_s out of each burst_period_s.

    phase_frac in [0, 1) spreads the satellites over the period.
    """
    period_s = np.maximum(params.burst_period_s, 1e-9)
    position_s = np.mod(elapsed_s + phase_frac * period_s, period_s)
    return (params.burst_period_s <= 0.0) | (position_s < params.burst_on_s)


def work_demand(
    state: FleetState,
    environment: Environment,
    params: FleetParams,
    *,
    up_count: IntArray,
    phase_frac: FloatArray,
    step_s: float,
    clock_frac: FloatArray | float = 1.0,
    troubles: Troubles | None = None,
) -> WorkDemand:
    """Offered work and the power to do it, (n,).

    Arrivals: planned utilisation times (training share + inference share times the diurnal
    curve of the ground below). Rate: arrivals and queue, at most the clock that heat allows
    times the share of accelerators up; none while the host is down. Power is linear between
    idle and peak: a throttled clock saves in proportion (real chips save more; conservative).
    clock_frac: what total dose leaves of the clock. Under faults training waits for its stopped
    share and for the longer writes of checkpoints.
    """
    inference_frac = (1.0 - params.training_frac) * diurnal_frac(environment.local_solar_time_h)
    arrival_frac = planned_frac(params) * (params.training_frac + inference_frac)
    arrival_frac = arrival_frac * (params.accel_count > 0)
    on = burst_is_on(environment.elapsed_s, phase_frac, params)
    up_frac = up_count / np.maximum(params.accel_count, 1)
    limit_frac = state.throttle_frac * clock_frac
    limit_frac = limit_frac * up_frac * (on & (state.host_down_s <= 0.0))
    if troubles is not None:
        arrival_frac = arrival_frac * troubles.arrival_gain
        limit_frac = limit_frac * _training_speed_frac(troubles, params)
    rate_frac = np.minimum(arrival_frac + state.queue_s / step_s, limit_frac)
    idle_w = (params.host_power_w + up_count * params.accel_idle_w) * on
    power_w = idle_w + rate_frac * dynamic_power_w(params)
    gain = 1.0 if troubles is None else troubles.arrival_gain
    return WorkDemand(arrival_frac, rate_frac, power_w, idle_w, limit_frac, gain)


def work_done(
    state: FleetState,
    demand: WorkDemand,
    compute_power_w: FloatArray,
    params: FleetParams,
    step_s: float,
    troubles: Troubles | None = None,
) -> WorkDone:
    """Serve the queue with the granted power for one tick, (n,).

    rate = min(wanted, (P - P_idle) / (P_peak - P_idle)). What waits longer than the queue limit
    is refused. Training since the last checkpoint is at risk until the next one. Conserved:
    offered = delivered + lost + queue + refused.

    Validity: ticks short against the queue limit.
    Source: by definition: conservation of work; linear power model of Fan, Weber & Barroso
    2007, ISCA, section 4.
    """
    power_frac = np.maximum(compute_power_w - demand.idle_w, 0.0) / dynamic_power_w(params)
    rate_frac = np.minimum(demand.rate_frac, power_frac)
    served_s, arrived_s = rate_frac * step_s, demand.arrival_frac * step_s
    waiting_s = np.maximum(state.queue_s + arrived_s - served_s, 0.0)
    refused_s = np.maximum(waiting_s - np.maximum(QUEUE_LIMIT_S, params.burst_period_s), 0.0)
    running = (state.host_down_s <= 0.0) & (compute_power_w > 0.0)
    age_s = state.checkpoint_age_s + step_s
    due_s = params.checkpoint_interval_s
    if troubles is not None:
        due_s = due_s + extra_write_s(troubles)
    saved = running & (age_s >= due_s)
    at_risk_s = state.at_risk_s + served_s * params.training_frac
    return WorkDone(
        queue_s=waiting_s - refused_s,
        checkpoint_age_s=age_s * ~saved,
        at_risk_s=at_risk_s * ~saved,
        delivered_s=state.delivered_s + served_s,
        offered_s=state.offered_s + arrived_s,
        refused_s=state.refused_s + refused_s,
        utilisation_frac=rate_frac,
    )


def extra_write_s(troubles: Troubles) -> FloatArray:
    """Time a checkpoint takes to write beyond the healthy 30 s [s], (n,); inf when it cannot.

    Validity: jobs that wait for their checkpoint.
    Source: by definition: t = t0 / b - t0 with b the bandwidth that is left; t0 is an
    assumption, beside it in `twin/workload.py`.
    """
    rate_frac = troubles.checkpoint_rate_frac
    slow_s = CHECKPOINT_WRITE_S / np.maximum(rate_frac, 1e-9) - CHECKPOINT_WRITE_S
    return np.where(rate_frac > 0.0, slow_s, np.inf)


def _training_speed_frac(troubles: Troubles, params: FleetParams) -> FloatArray:
    # A job that writes for longer than its interval stops for it altogether.
    stalled = np.minimum(
        extra_write_s(troubles) / np.maximum(params.checkpoint_interval_s, 1.0), 1.0
    )
    stopped = np.maximum(stalled, troubles.training_stop_frac)
    return 1.0 - params.training_frac * stopped


def accelerator_power_w(
    compute_power_w: FloatArray, up_count: IntArray, params: FleetParams
) -> FloatArray:
    """Power of all accelerators of a satellite together [W], (n,): payload less its hosts.

    Validity: payloads of accelerators and hosts.
    Source: by definition: payload power less the hosts' share.
    """
    return np.maximum(compute_power_w - params.host_power_w, 0.0) * (up_count > 0)


def tokens_per_s(utilisation_frac: FloatArray, params: FleetParams) -> FloatArray:
    """Tokens a satellite produces [1/s], (n,): utilisation * accelerators * tokens each.

    Validity: the model and batch of the accelerator's profile.
    Source: by definition; tokens of each accelerator are in its profile with source.
    """
    return utilisation_frac * params.accel_count * params.tokens_per_accel_s


def result_bit_s(utilisation_frac: FloatArray, params: FleetParams) -> FloatArray:
    """Results to bring down [bit/s], (n,): the inference share's tokens at 4 bytes each.

    Validity: text results.
    Source: by definition; 4 bytes a token is an assumption, beside the constant of
    `twin/workload.py`.
    """
    inference_frac = 1.0 - params.training_frac
    return tokens_per_s(utilisation_frac, params) * inference_frac * (8.0 * RESULT_BYTES_PER_TOKEN)


def goodput_frac(delivered_s: FloatArray, offered_s: FloatArray) -> FloatArray:
    """Useful work over work offered since the epoch [0-1], (n,); 1 before any was offered.

    Validity: since the epoch.
    Source: by definition: work delivered over work offered.
    """
    return np.where(offered_s > 0.0, delivered_s / np.maximum(offered_s, 1e-30), 1.0)


def dynamic_power_w(params: FleetParams) -> FloatArray:
    """Power between idle and peak [W], (n,); a floor keeps peak = idle from dividing by 0.

    Validity: peak above idle.
    Source: closed form: linear power model (Fan, Weber & Barroso 2007, ISCA, section 4).
    """
    idle_w = params.host_power_w + params.accel_count * params.accel_idle_w
    return np.maximum(params.compute_peak_w - idle_w, 1e-3)
