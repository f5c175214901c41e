"""From the fairing to service: what a satellite may draw in each state of its deployment.

A module cannot power its payload before its radiator is out: the heat would have nowhere to go.
"""

from dataclasses import dataclass
from typing import Final

from twin.constants import CELSIUS_ZERO_K, SECONDS_PER_DAY
from twin.constants import STEFAN_BOLTZMANN_W_M2_K4 as SIGMA
from twin.life_values import LifeValues
from twin.preset_library import accelerator_profiles
from twin.preset_values import PresetValues
from twin.sizing import CHAIN_LEAST_DROP_K
from twin.thermal import BUS_TO_RADIATOR_FRAC


@dataclass(frozen=True)
class DeploymentState:
    """Shares of array and radiator in use, and whether the payload may be on."""

    name: str
    array_frac: float
    radiator_frac: float
    payload_enabled: bool


STATES: Final = (
    # Body cells and body radiator carry the housekeeping until the wings are out: assumption.
    DeploymentState("stowed", 0.02, 0.02, False),
    DeploymentState("array_deployed", 1.0, 0.02, False),
    DeploymentState("deployed", 1.0, 1.0, True),
    DeploymentState("docking", 1.0, 1.0, False),  # payload off while it approaches: assumption
    # Neighbours cover some of the sky: 5 % as in the Suncatcher cluster; assumption
    DeploymentState("docked", 1.0, 0.95, True),
    # Drill O3: a hinge or latch holds half of a wing back.
    DeploymentState("array_stuck", 0.5, 1.0, True),
    DeploymentState("radiator_stuck", 1.0, 0.5, True),
)
STATE_BY_NAME: Final = {one.name: one for one in STATES}

STOWED_S: Final = 0.5 * SECONDS_PER_DAY  # detumble, first contact; assumption
ARRAY_TO_RADIATOR_S: Final = 1.0 * SECONDS_PER_DAY  # arrays first, for power; assumption


@dataclass(frozen=True)
class StateLimits:
    """Limits of one satellite in one state [W]."""

    start_s: float  # after separation
    state: str
    array_power_w: float  # at the bus, in sunlight
    radiator_power_w: float  # heat at the warmest radiator that the dies allow
    payload_limit_w: float


def state_limits(values: PresetValues, state: DeploymentState, start_s: float = 0.0) -> StateLimits:
    """What array and radiator allow in a state.

    Power: f_a P_array eta_c + external - bus. Heat: f_r eps sigma A (T^4 - T_sink^4) less the
    housekeeping heat, with T the radiator temperature at which the dies begin to throttle behind
    the least chain drop of `twin.sizing`. The payload gets the smaller one, at most its peak,
    and nothing where the state does not enable it.
    """
    array_w = 1000.0 * values.array_power_kw * state.array_frac
    array_w *= values.array_health_pct / 100.0 * values.converter_efficiency_pct / 100.0
    throttle_c = float(accelerator_profiles()[values.accelerator].throttle_c.value)
    warm_k = throttle_c + CELSIUS_ZERO_K - CHAIN_LEAST_DROP_K
    area_m2 = values.radiator_area_m2 * state.radiator_frac
    heat_w = SIGMA * values.radiator_emissivity * area_m2
    heat_w *= max(warm_k**4 - values.radiator_sink_k**4, 0.0)
    bus_w = 1000.0 * values.bus_power_kw
    supply_w = array_w + 1000.0 * values.external_power_kw - bus_w
    room_w = min(supply_w, heat_w - BUS_TO_RADIATOR_FRAC * bus_w, 1000.0 * values.compute_peak_kw)
    payload_w = max(room_w, 0.0) if state.payload_enabled else 0.0
    return StateLimits(start_s, state.name, array_w, heat_w, payload_w)


def deployment_timeline(values: PresetValues, life: LifeValues) -> tuple[StateLimits, ...]:
    """States of a satellite from separation on, each with its start and its limits.

    Stowed, then arrays, then radiator; a platform of modules adds docking after commissioning.
    """
    commissioned_s = life.commissioning_day * SECONDS_PER_DAY
    out_s = min(STOWED_S + ARRAY_TO_RADIATOR_S, commissioned_s)
    steps = [(0.0, "stowed"), (min(STOWED_S, out_s), "array_deployed"), (out_s, "deployed")]
    if life.modules > 1:
        docked_s = commissioned_s + life.docking_day * SECONDS_PER_DAY
        steps += [(commissioned_s, "docking"), (docked_s, "docked")]
    return tuple(state_limits(values, STATE_BY_NAME[name], at_s) for at_s, name in steps)


def service_start_s(life: LifeValues) -> float:
    """From separation to service [s]: commissioning, and docking where there are modules."""
    docking_day = life.docking_day if life.modules > 1 else 0.0
    return (life.commissioning_day + docking_day) * SECONDS_PER_DAY
