"""The first law, kept in books: what a satellite takes in, stores and radiates at one instant.

    sum(C dT/dt) = absorbed + dissipated - array - radiated
    sum(C dT/dt) + dE/dt = absorbed + external - radiated

T and C are the temperatures and capacities of all nodes, E the chemical energy of the battery;
dissipated is electricity that becomes heat, array the electricity taken out of the solar array
at its terminals, external what a host platform's bus gives. Coolant that leaks overboard is taken
to be replaced by nothing: capacities stay as designed.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from twin.battery import LEAST_RESISTANCE_OHM
from twin.battery_ageing import aged_params
from twin.coolant import conductance_level
from twin.fault_effects import FaultEffects
from twin.faulted import under_faults
from twin.heat_network import RADIATING
from twin.state import Environment, Fleet, FleetParams, FleetState, FloatArray
from twin.thermal import (
    Changed,
    array_absorbed_w,
    body_absorbed_w,
    bus_body_area_m2,
    radiating_w_k4,
    radiator_absorbed_w,
)


class EnergyBooks(NamedTuple):
    """Powers [W] and energies [J] of each satellite, (n,) each.

    Flows other than `radiated_w` are those of the tick that ended in the state, held over it.
    """

    absorbed_w: FloatArray  # sunlight, albedo and infrared, by radiator, body and array
    dissipated_w: FloatArray  # electricity turned into heat: loads, converter, battery
    array_electrical_w: FloatArray  # out of the solar array at its terminals
    external_w: FloatArray  # from a host platform
    radiated_w: FloatArray  # by radiator, body and array at the state's temperatures
    chemical_w: FloatArray  # into the battery's cells, negative while they discharge
    heat_store_j: FloatArray  # sum of C T over all nodes, above 0 K

    @property
    def heat_in_w(self) -> FloatArray:
        """Heat that goes into the nodes, before what they radiate [W], (n,)."""
        return self.absorbed_w + self.dissipated_w - self.array_electrical_w


def energy_books(
    fleet: Fleet,
    environment: Environment,
    state: FleetState,
    effects: FaultEffects | None = None,
) -> EnergyBooks:
    """The books of a tick from what is public about it: state, surroundings, faults.

    Arguments are those of the tick's end (`twin.step.step`). Heat of a tick is constant over it;
    emission is that of the instant, so over a tick it is the trapezoid of two books, good to
    0.1 % of the throughput at ticks of 20 s (an array of 1 kg/m2 at a shadow's edge).
    """
    fleet = replace(fleet, params=aged_params(fleet.params, state.battery_health_frac))
    sized, params, changed = fleet.params, fleet.params, None
    if effects is not None:
        broken = under_faults(fleet, environment, state, effects)
        params, environment = broken.fleet.params, broken.environment
        level = conductance_level(state.flow_frac, effects.valve_stuck_frac)
        changed = Changed(
            sized,
            level,
            broken.sun.array_cos,
            broken.sun.radiator_sin,
            effects.radiator_sky_w_m2,
        )
    absorbed_w = (
        radiator_absorbed_w(environment, params, changed)
        + array_absorbed_w(environment, params, changed)
        + body_absorbed_w(environment, bus_body_area_m2(sized))
    )
    terminals_w = state.battery_voltage_v * state.battery_current_a
    chemical_w = _chemical_w(state, params)
    array_electrical_w = state.array_power_w / params.converter_efficiency_frac
    lost_w = array_electrical_w - state.array_power_w + terminals_w - chemical_w
    fourth_k4 = np.square(np.square(state.node_temp_k[:, RADIATING])).T
    emitting_w_k4 = radiating_w_k4(params, bus_body_area_m2(sized))
    return EnergyBooks(
        absorbed_w=absorbed_w,
        dissipated_w=state.load_power_w + lost_w,
        array_electrical_w=array_electrical_w,
        external_w=state.load_power_w + terminals_w - state.array_power_w,
        radiated_w=np.asarray((emitting_w_k4 * fourth_k4).sum(axis=0)),
        chemical_w=chemical_w,
        heat_store_j=np.asarray((sized.heat_capacity_j_k * state.node_temp_k).sum(axis=1)),
    )


def _chemical_w(state: FleetState, params: FleetParams) -> FloatArray:
    # Open-circuit voltage times current into the cells; the coulombic loss of charging is heat.
    current_a = state.battery_current_a
    ohm = np.maximum(params.battery_resistance_ohm, LEAST_RESISTANCE_OHM)
    open_v = state.battery_voltage_v - current_a * ohm
    kept_frac = np.where(current_a > 0.0, params.battery_coulombic_frac, 1.0)
    return np.asarray(open_v * current_a * kept_frac)
