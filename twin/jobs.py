"""Jobs of tenants: shares, priority, synchronous training over groups, retries and reroutes.

Everything is arrays over (satellites, tenants); tenants are few and looped over, satellites never
are. The unit of work is that of twin/workload.py, and the sums over tenants are its fields.
Groups do not look beyond themselves: what happens in one follows from its own satellites and the
links between them, so a process that simulates whole groups simulates them exactly. The unit of
sharding is the group (by default the plane); `twin.shards.fleet_part` adds the missing members.
"""

from typing import Final, NamedTuple

import numpy as np

from twin.power import LOAD_SHED, SAFE
from twin.state import BoolArray, Environment, Fleet, FleetState, FloatArray, IntArray
from twin.training_groups import any_member, group_exchange, is_member, slowest_pace_frac
from twin.workload import QUEUE_LIMIT_S, WorkDemand, diurnal_frac, dynamic_power_w, planned_frac

PATIENCE_S: Final = (
    86_400.0  # batch and training wait a day before they are turned away; assumption
)
IN_FLIGHT_S: Final = 10.0  # of inference that a killed job must do again; assumption
# Work of one generated image in tokens of the profile's text model: an H100 makes 1.7 images of
# SDXL a second (MLPerf Inference 4.0, 13.7 on eight; memory) and 2,500 tokens (profile).
TOKENS_PER_IMAGE: Final = 1470.0
_NO_RATE: Final = 1e-30


class TenantWish(NamedTuple):
    """What the tenants would like in this tick."""

    arrival_frac: FloatArray  # (n, k) work offered per second, after rerouting
    queue_s: FloatArray  # (n, k) after rerouting and retries
    offered_s: FloatArray  # (n, k) since the epoch, moved along with what was rerouted
    delivered_s: FloatArray  # (n, k) less what was lost or must be done again
    lost_s: FloatArray  # (n, k)
    at_risk_s: FloatArray  # (n, k)
    checkpoint_age_s: FloatArray  # (n, k)
    restart_s: FloatArray  # (n, k)
    overhead: FloatArray  # (n, k) exchange over computing of a training step


def no_tenants(count: int, tenants: int) -> dict[str, FloatArray]:
    """The tenants' fields of a FleetState at the epoch, (n, k) of zeros."""
    names = ["queue", "offered", "delivered", "lost", "refused", "at_risk"]
    names += ["checkpoint_age", "restart", "accel"]
    zeros = np.zeros((count, tenants))
    fields = {f"tenant_{name}_s": zeros for name in names}
    return fields | {"tenant_rate_frac": zeros, "tenant_energy_j": zeros}


def tenant_demand(
    state: FleetState,
    base: WorkDemand,
    fleet: Fleet,
    environment: Environment,
    *,
    killed: BoolArray,
    up_count: IntArray,
    step_s: float,
) -> tuple[WorkDemand, TenantWish]:
    """Demand of the whole satellite with tenants (n,), and what each tenant brings to it (n, k).

    base: the demand without tenants, whose limit (heat, faults, bursts) holds here too. killed:
    satellites on which an upset ended what ran, (n,).
    """
    down = (state.host_down_s > 0.0) | (up_count <= 0) | (state.mode == SAFE)
    wish = _after_losses(state, fleet, down, killed, step_s)
    wish = _with_arrivals(wish, fleet, environment, base)
    wish = _rerouted(wish, state, fleet, down)
    rate_frac = _served_frac(wish, fleet, state.mode, base.limit_frac, np.ones(fleet.count), step_s)
    total_frac = np.minimum(rate_frac.sum(axis=1), 1.0)
    power_w = base.idle_w + total_frac * dynamic_power_w(fleet.params)
    arrival_frac = wish.arrival_frac.sum(axis=1)
    return base._replace(arrival_frac=arrival_frac, rate_frac=total_frac, power_w=power_w), wish


def tenant_done(
    state: FleetState,
    base: WorkDemand,
    wish: TenantWish,
    fleet: Fleet,
    *,
    compute_power_w: FloatArray,
    step_s: float,
) -> dict[str, FloatArray]:
    """Fields of FleetState after one tick of service with the granted power.

    The highest priority is served first, so when power is short the lowest tenant is the one
    that stops. Conserved for each tenant over its group: offered = delivered + lost + queue +
    refused. Energy goes to tenants by the work done, idle energy by their shares; the sum is the
    payload's.
    """
    power_frac = np.maximum(compute_power_w - base.idle_w, 0.0) / dynamic_power_w(fleet.params)
    rate_frac = _served_frac(wish, fleet, state.mode, base.limit_frac, power_frac, step_s)
    served_s = rate_frac * step_s
    waiting_s = np.maximum(wish.queue_s + wish.arrival_frac * step_s - served_s, 0.0)
    patience_s = np.where(fleet.tenants.mask(kind="inference") > 0.0, QUEUE_LIMIT_S, PATIENCE_S)
    burst_s = fleet.params.burst_period_s[:, np.newaxis]
    refused_s = np.maximum(waiting_s - np.maximum(patience_s, burst_s), 0.0)
    training = fleet.tenants.mask(kind="training")
    age_s = (wish.checkpoint_age_s + step_s * (rate_frac > 0.0)) * training
    interval_s = np.array([one.checkpoint_interval_s for one in fleet.tenants.tenants])
    at_risk_s = (wish.at_risk_s + served_s * training) * (age_s < interval_s)
    total_frac = rate_frac.sum(axis=1)
    assert fleet.tenant_share_frac is not None
    part = np.where(
        (total_frac > 0.0)[:, np.newaxis],
        rate_frac / np.maximum(total_frac, _NO_RATE)[:, np.newaxis],
        fleet.tenant_share_frac,
    )
    tenants = {
        "tenant_queue_s": waiting_s - refused_s,
        "tenant_offered_s": wish.offered_s + wish.arrival_frac * step_s,
        "tenant_delivered_s": wish.delivered_s + served_s,
        "tenant_lost_s": wish.lost_s,
        "tenant_refused_s": state.tenant_refused_s + refused_s,
        "tenant_at_risk_s": at_risk_s,
        "tenant_checkpoint_age_s": age_s * (age_s < interval_s),
        "tenant_restart_s": wish.restart_s,
        "tenant_rate_frac": rate_frac,
        "tenant_accel_s": state.tenant_accel_s + served_s * fleet.params.accel_count[:, np.newaxis],
        "tenant_energy_j": state.tenant_energy_j + part * (compute_power_w * step_s)[:, np.newaxis],
    }
    return tenants | _summed(tenants, total_frac)


def images_per_s(fleet: Fleet, state: FleetState) -> FloatArray:
    """Images produced [1/s], (n,): the image tenants' rate * tokens / 1,470."""
    image_frac = state.tenant_rate_frac @ fleet.tenants.mask(product="image")
    tokens_s = image_frac * fleet.params.accel_count * fleet.params.tokens_per_accel_s
    return np.asarray(tokens_s / TOKENS_PER_IMAGE)


def text_frac(fleet: Fleet, state: FleetState) -> FloatArray:
    """Utilisation that produces tokens, (n,): all of it but the image tenants'."""
    if not fleet.tenants.count:
        return state.utilisation_frac
    return state.tenant_rate_frac @ (1.0 - fleet.tenants.mask(product="image"))


def _summed(tenants: dict[str, FloatArray], total_frac: FloatArray) -> dict[str, FloatArray]:
    """The satellite's own fields: sums over tenants; the oldest checkpoint stands for all."""
    names = ("queue_s", "offered_s", "delivered_s", "lost_s", "refused_s")
    sums = {name: tenants[f"tenant_{name}"].sum(axis=1) for name in names}
    age_s = tenants["tenant_checkpoint_age_s"].max(axis=1)
    return sums | {
        "checkpoint_age_s": age_s,
        "at_risk_s": np.zeros_like(age_s),  # kept per tenant: upsets must not undo it twice
        "utilisation_frac": total_frac,
    }


def _after_losses(
    state: FleetState, fleet: Fleet, down: BoolArray, killed: BoolArray, step_s: float
) -> TenantWish:
    """What upsets, lost members and cut links undo, before any work of this tick."""
    delivered_s, lost_s = _with_foreign_losses(state)
    queue_s, at_risk_s = state.tenant_queue_s.copy(), state.tenant_at_risk_s.copy()
    age_s = state.tenant_checkpoint_age_s.copy()
    restart_s = np.maximum(state.tenant_restart_s - step_s, 0.0)
    overhead = np.zeros_like(queue_s)
    for k, tenant in enumerate(fleet.tenants.tenants):
        if tenant.kind != "training":
            again_s = np.minimum(IN_FLIGHT_S * state.tenant_rate_frac[:, k], delivered_s[:, k])
            again_s = again_s * (killed | down)
            delivered_s[:, k] -= again_s
            queue_s[:, k] += again_s
            continue
        overhead[:, k], cut = group_exchange(state, fleet, k)
        stopped = any_member(down | killed | cut, fleet, k)
        undone_s = np.minimum(at_risk_s[:, k], delivered_s[:, k]) * stopped
        delivered_s[:, k] -= undone_s
        lost_s[:, k] += undone_s
        at_risk_s[stopped, k], age_s[stopped, k] = 0.0, 0.0
        restart_s[stopped, k] = tenant.restart_s
    return TenantWish(
        arrival_frac=np.zeros_like(queue_s),
        queue_s=queue_s,
        offered_s=state.tenant_offered_s,
        delivered_s=delivered_s,
        lost_s=lost_s,
        at_risk_s=at_risk_s,
        checkpoint_age_s=age_s,
        restart_s=restart_s,
        overhead=overhead,
    )


def _with_foreign_losses(state: FleetState) -> tuple[FloatArray, FloatArray]:
    """Losses booked on the satellite since the last tick (canaries, faults), by work delivered."""
    delivered_s, lost_s = state.tenant_delivered_s.copy(), state.tenant_lost_s.copy()
    foreign_s = state.lost_s - lost_s.sum(axis=1)
    rows = np.flatnonzero(foreign_s > 1e-9)
    if rows.size:
        have_s = delivered_s[rows]
        total_s = np.maximum(have_s.sum(axis=1), _NO_RATE)
        taken_s = have_s * np.minimum(foreign_s[rows] / total_s, 1.0)[:, np.newaxis]
        delivered_s[rows] -= taken_s
        lost_s[rows] += taken_s
    return delivered_s, lost_s


def _with_arrivals(
    wish: TenantWish, fleet: Fleet, environment: Environment, base: WorkDemand
) -> TenantWish:
    """Planned work by shares; inference follows the day below the satellite."""
    assert fleet.tenant_share_frac is not None
    day = diurnal_frac(environment.local_solar_time_h)[:, np.newaxis]
    inference = fleet.tenants.mask(kind="inference")
    shape = inference * day + (1.0 - inference)
    planned = planned_frac(fleet.params) * (fleet.params.accel_count > 0) * base.arrival_gain
    return wish._replace(arrival_frac=planned[:, np.newaxis] * fleet.tenant_share_frac * shape)


def _rerouted(wish: TenantWish, state: FleetState, fleet: Fleet, down: BoolArray) -> TenantWish:
    """Inference of satellites that are down goes over their links to members that are up.

    Seen from the receiver: it sums over its own four terminals, so no order of satellites shows.
    """
    inference = np.flatnonzero(fleet.tenants.mask(kind="inference"))
    if not (down.any() and inference.size):
        return wish
    assert fleet.tenant_group_index is not None
    arrival, queue, offered = (
        one.copy() for one in (wish.arrival_frac, wish.queue_s, wish.offered_s)
    )
    far = np.maximum(fleet.neighbour_index, 0)
    usable = np.isfinite(state.link_range_m) & (fleet.neighbour_index >= 0)
    usable &= down[far] & ~down[:, np.newaxis]
    for k in inference.tolist():
        group, member = fleet.tenant_group_index[:, k], is_member(fleet, k)
        to = usable & (group[far] == group[:, np.newaxis]) & member[:, np.newaxis]
        ways = np.bincount(far[to], minlength=down.size)
        leaves = ways > 0
        for amount in (arrival, queue):
            part = amount[:, k] / np.maximum(ways, 1)
            gained = (part[far] * to).sum(axis=1)
            if amount is queue:  # what was offered there is now this satellite's to answer
                offered[:, k] += gained - amount[:, k] * leaves
            amount[:, k] = np.where(leaves, 0.0, amount[:, k] + gained)
    return wish._replace(arrival_frac=arrival, queue_s=queue, offered_s=offered)


def _served_frac(
    wish: TenantWish,
    fleet: Fleet,
    mode: IntArray,
    limit_frac: FloatArray,
    power_frac: FloatArray,
    step_s: float,
) -> FloatArray:
    """Rate of each tenant (n, k): by priority, within time and power; training in lockstep.

    A training tenant that holds the share s of its satellites' time advances at s / (1 + s x),
    x its exchange over its computing, and at the slowest member's pace.
    """
    wanted = wish.arrival_frac + wish.queue_s / step_s
    rate = np.zeros_like(wanted)
    time_left, power_left = limit_frac.copy(), np.minimum(power_frac, 1.0)
    for k in fleet.tenants.by_priority:
        tenant = fleet.tenants.tenants[k]
        free = np.maximum(np.minimum(time_left, 1.0), 0.0)
        if tenant.kind == "training":
            extra = wish.overhead[:, k]
            pace = np.where(np.isfinite(extra), free / (1.0 + free * extra), 0.0)
            pace = np.minimum(np.minimum(wanted[:, k], pace), np.maximum(power_left, 0.0))
            pace = slowest_pace_frac(pace * (wish.restart_s[:, k] <= 0.0), fleet, k)
            finite = np.where(np.isfinite(extra), extra, 0.0)
            time_left = time_left - pace / np.maximum(1.0 - pace * finite, _NO_RATE)
        else:
            pace = np.minimum(np.minimum(wanted[:, k], free), np.maximum(power_left, 0.0))
            if tenant.kind == "batch":
                pace = pace * (mode < LOAD_SHED)
            time_left = time_left - pace
        power_left = power_left - pace
        rate[:, k] = pace
    return rate
