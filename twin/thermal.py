"""Seven-node thermal network: accelerators to radiator, battery and bus, solar array.

    C_i dT_i/dt = sum_j G_ij (T_j - T_i) + Q_i - eps sigma A_i T_i^4

Chain die - cold plate - loop - radiator; battery - bus - radiator; the array by itself. The
radiator, the bus body and the array radiate. Advanced by twin/heat_network.py.
"""

from typing import Final, NamedTuple

import numpy as np

from twin.constants import STEFAN_BOLTZMANN_W_M2_K4 as SIGMA
from twin.coolant import CONDUCTANCE_LEVELS, conductance_gain
from twin.heat_network import (
    ARRAY,
    BATTERY,
    BUS,
    DIE,
    PLATE,
    RADIATOR,
    class_design,
    class_rows,
    propagated_temp_k,
)
from twin.state import Environment, FleetParams, FloatArray, IntArray

# Reference of the linear part of each radiating node: radiator, bus, array. Any value is
# consistent; these gave the least error against an adaptive solver from sunlight into shadow.
REFERENCE_K: Final = np.array([320.0, 290.0, 280.0])

# Nadir infrared for which a design sink holds: 237 W/m2 (Gilmore 2002, chapter 2) times the
# view of the Earth from 600 km, (6371 / 6971)^2. Computed.
DESIGN_EARTH_IR_W_M2: Final = 237.0 * 0.835
RADIATOR_SUN_SIN: Final = 0.0349  # edge-on within 2 deg; assumption

# Housekeeping electronics sit on heat pipes of the main radiator, as the radiator areas of the
# presets imply (their T_avg holds with the bus power on it); the
# rest, converters and the battery stay on the body and its own radiators. Assumption.
BUS_TO_RADIATOR_FRAC: Final = 0.90

BUS_DESIGN_K: Final = 293.15  # what body radiators are sized for: 20 C, usual practice; assumption
BUS_EMISSIVITY_FRAC: Final = 0.85  # optical solar reflector or white paint; assumption
BUS_ABSORPTIVITY_FRAC: Final = 0.15  # the same; assumption
BUS_EARTH_VIEW_FRAC: Final = (
    0.31  # edge-on plate over nadir plate at 550 km, 0.258 / 0.848; computed
)

ARRAY_ABSORPTIVITY_FRAC: Final = 0.90  # triple-junction cells under glass; assumption
ARRAY_EMISSIVITY_FRAC: Final = 0.85  # each face; assumption
ARRAY_POINTING_COS: Final = 0.99939  # sun-tracking within 2 deg; assumption
# Both faces together see this share of the nadir plate's Earth flux edge-on, all of it face-on;
# between, linear in |cos| (2 x 0.258 / 0.848 at 550 km). Computed, within 0.05.
ARRAY_EDGE_VIEW_FRAC: Final = 0.61


class HeatLoads(NamedTuple):
    """Heat put into the network [W], (n,) each."""

    die_w: FloatArray
    plate_w: FloatArray  # hosts
    battery_w: FloatArray  # losses and heater
    bus_w: FloatArray  # housekeeping
    converter_w: FloatArray
    array_electrical_w: FloatArray  # taken out of the array at its terminals


class ThermalTick(NamedTuple):
    """Temperatures [K] (n, 7) after a tick; radiator heat at its start [W], (n,)."""

    node_temp_k: FloatArray
    radiated_w: FloatArray
    absorbed_w: FloatArray


class Changed(NamedTuple):
    """What faults make of the network and its sky, (n,)."""

    sized: FleetParams  # parameters as designed: body radiators and classes are sized by them
    level: IntArray  # flow and valve, as conductance_level gives them; 0 = nominal
    array_cos: FloatArray  # of the Sun on the array, besides its tracking error
    radiator_sin: FloatArray  # of the Sun over the radiator's plane, besides its edge-on error
    radiator_sky_w_m2: FloatArray  # infrared of neighbours on the radiator


def advance_temperatures(
    node_temp_k: FloatArray,
    loads: HeatLoads,
    environment: Environment,
    params: FleetParams,
    step_s: float,
    changed: Changed | None = None,
) -> ThermalTick:
    """One tick of the network, (n, 7) in and out; equations in twin/heat_network.py.

    Rows of one thermal_class must share capacities and conductances as designed; the heat, the
    sky and radiating areas are each row's own and held over the tick. Error against a tight ODE
    solution, full load in sunlight to idle in shadow: below 0.1 K at ticks of 10 s, 0.5 K at
    60 s. Validity 150-400 K.
    """
    temp_k = np.ascontiguousarray(node_temp_k.T)
    sized = params if changed is None else changed.sized
    body_m2 = bus_body_area_m2(sized)
    surfaces_w_k4 = radiating_w_k4(params, body_m2)
    sized_w_k4 = surfaces_w_k4 if changed is None else radiating_w_k4(sized, body_m2)
    absorbed_w = radiator_absorbed_w(environment, params, changed)
    heat_w = np.zeros_like(temp_k)
    heat_w[DIE], heat_w[PLATE], heat_w[BATTERY] = loads.die_w, loads.plate_w, loads.battery_w
    heat_w[RADIATOR] = BUS_TO_RADIATOR_FRAC * loads.bus_w + absorbed_w
    heat_w[BUS] = (1.0 - BUS_TO_RADIATOR_FRAC) * loads.bus_w + loads.converter_w
    heat_w[BUS] += body_absorbed_w(environment, body_m2)
    heat_w[ARRAY] = array_absorbed_w(environment, params, changed) - loads.array_electrical_w
    result_k = np.empty_like(temp_k)
    code = sized.thermal_class
    if changed is not None:
        code = code * CONDUCTANCE_LEVELS + changed.level
    for rows in class_rows(code.tobytes()):
        first = rows.start if isinstance(rows, slice) else int(rows[0])
        linear_w_k = tuple((4.0 * sized_w_k4[:, first] * REFERENCE_K**3).tolist())
        gain = (1.0, 1.0) if changed is None else conductance_gain(int(changed.level[first]))
        design = class_design(sized, first, linear_w_k, gain)
        result_k[:, rows] = propagated_temp_k(
            temp_k[:, rows], heat_w[:, rows], surfaces_w_k4[:, rows], design, step_s
        )
    square_k2 = np.square(temp_k[RADIATOR])
    emitted_w = surfaces_w_k4[0] * square_k2 * square_k2
    return ThermalTick(result_k.T, emitted_w, absorbed_w)


def radiating_w_k4(params: FleetParams, body_m2: FloatArray) -> FloatArray:
    """eps sigma A of radiator, body and array (both its faces) [W/K4], (3, n).

    Validity: gray surfaces. Source: Stefan-Boltzmann law, closed form (Gilmore 2002, chapter 2).
    """
    return np.asarray(
        SIGMA
        * np.stack(
            [
                params.radiator_area_m2 * params.radiator_emissivity_frac,
                body_m2 * BUS_EMISSIVITY_FRAC,
                params.array_area_m2 * (2.0 * ARRAY_EMISSIVITY_FRAC),
            ]
        )
    )


def radiator_absorbed_w(
    environment: Environment, params: FleetParams, changed: Changed | None = None
) -> FloatArray:
    """Heat the radiator takes from the sky [W], (n,).

    q = A [eps F q_IR + alpha F q_albedo + (alpha / 2) sin(2 deg) S]. The radiator flies edge-on
    to the Sun. Its view of the Earth F (with the back of the array) is sized by the preset's
    sink: eps sigma A T_sink^4 = eps A F 198 W/m2, at most 1, so that at 600 km without albedo
    the sink is the design's. A payload hosted by a platform (external_power_w > 0) is cooled by
    the platform's loop: a constant sink at radiator_sink_k. A body that turns away from the Sun
    shows it one face of the radiator: the sine then grows to 1.

    Validity: gray two-sided radiators, Earth as a uniform source.
    Source: Gilmore 2002, Spacecraft Thermal Control Handbook, chapter 2 (environmental
    heating).
    """
    sink_w_m2 = SIGMA * np.square(np.square(params.radiator_sink_k))
    view_frac = np.minimum(sink_w_m2 / DESIGN_EARTH_IR_W_M2, 1.0)
    infrared_w_m2 = environment.earth_ir_flux_w_m2 * view_frac
    hosted = params.external_power_w > 0.0
    infrared_w_m2 = np.where(hosted, sink_w_m2, infrared_w_m2)
    light_w_m2 = environment.albedo_flux_w_m2 * view_frac
    half_sine: FloatArray | float = 0.5 * RADIATOR_SUN_SIN
    if changed is not None:
        half_sine = half_sine + (0.5 - half_sine) * changed.radiator_sin
        infrared_w_m2 = infrared_w_m2 + changed.radiator_sky_w_m2 * ~hosted
    light_w_m2 = (light_w_m2 + environment.solar_flux_w_m2 * half_sine) * ~hosted
    flux_w_m2 = (
        params.radiator_emissivity_frac * infrared_w_m2
        + params.radiator_absorptivity_frac * light_w_m2
    )
    return np.asarray(params.radiator_area_m2 * flux_w_m2)


def array_absorbed_w(
    environment: Environment, params: FleetParams, changed: Changed | None = None
) -> FloatArray:
    """Light and infrared absorbed by the solar array before any power is drawn [W], (n,).

    q = A [alpha S cos + F (eps q_IR + alpha q_albedo)], F for both faces = 0.61 + 0.39 |cos g|,
    g the angle between the Sun and the vertical.

    Validity: flat wings that track the Sun; view of the Earth within 0.05.
    Source: Gilmore 2002, Spacecraft Thermal Control Handbook, chapter 2 (environmental
    heating).
    """
    x_m, y_m, z_m = environment.position_teme_m.T
    sun_x, sun_y, sun_z = environment.sun_unit.tolist()
    radius_m = np.sqrt(x_m * x_m + y_m * y_m + z_m * z_m)
    cosine = np.abs(x_m * sun_x + y_m * sun_y + z_m * sun_z) / radius_m
    view_frac = ARRAY_EDGE_VIEW_FRAC + (1.0 - ARRAY_EDGE_VIEW_FRAC) * cosine
    light_w_m2 = environment.solar_flux_w_m2 * ARRAY_POINTING_COS
    if changed is not None:
        light_w_m2 = light_w_m2 * changed.array_cos
    light_w_m2 = light_w_m2 + environment.albedo_flux_w_m2 * view_frac
    infrared_w_m2 = environment.earth_ir_flux_w_m2 * view_frac * ARRAY_EMISSIVITY_FRAC
    return np.asarray(params.array_area_m2 * (ARRAY_ABSORPTIVITY_FRAC * light_w_m2 + infrared_w_m2))


def radiator_design_k(params: FleetParams) -> FloatArray:
    """Radiator temperature at the planned power [K], (n,).

    Q is the payload's average and 90 % of housekeeping. AI1: 337.10 K at 120 kW in all.

    Validity: continuous duty at the planned average.
    Source: closed form: Stefan-Boltzmann law; AI1 at 337.10 K in doi:10.5281/zenodo.20670771
    (2026).
    """
    heat_w = params.compute_average_w + BUS_TO_RADIATOR_FRAC * params.bus_power_w
    emitting_m2 = params.radiator_emissivity_frac * params.radiator_area_m2
    return np.asarray(equilibrium_temp_k(heat_w, emitting_m2, params.radiator_sink_k))


def equilibrium_temp_k(
    heat_w: FloatArray | float, emitting_m2: FloatArray | float, sink_k: FloatArray | float
) -> FloatArray:
    """Temperature of a surface that radiates `heat_w` to a sink [K]; any one shape.

    T = (Q / (sigma eps A) + T_sink^4)^(1/4), emitting_m2 = eps A. Gray surface, view factor 1.
    Source: Stefan-Boltzmann law, e.g. Gilmore 2002, chapter 2.

    Validity: gray surface, uniform temperature, `emitting_m2` = eps A.
    """
    fourth = heat_w / (SIGMA * emitting_m2) + np.square(np.square(sink_k))
    return np.asarray(np.sqrt(np.sqrt(fourth)))


def bus_body_area_m2(params: FleetParams) -> FloatArray:
    """Body-mounted radiator of the bus [m2], (n,), sized as designers do: 20 C at design heat.

    Design heat: the housekeeping that is not on the main radiator, converter losses at the
    average draw, and what leaks in from the main radiator; at least 5 % of the housekeeping.

    Validity: buses cooled through their own walls.
    Source: closed form: Stefan-Boltzmann law at 20 C; the 5 % floor is an assumption, beside it
    in `twin/thermal.py`.
    """
    load_w = params.bus_power_w + params.compute_average_w
    converter_w = load_w * (1.0 / params.converter_efficiency_frac - 1.0)
    leak_w = params.bus_radiator_w_k * (radiator_design_k(params) - BUS_DESIGN_K)
    own_w = (1.0 - BUS_TO_RADIATOR_FRAC) * params.bus_power_w + converter_w + leak_w
    heat_w = np.maximum(own_w, 0.05 * params.bus_power_w)
    sky_w_m2 = BUS_EMISSIVITY_FRAC * BUS_EARTH_VIEW_FRAC * DESIGN_EARTH_IR_W_M2
    return np.asarray(heat_w / (BUS_EMISSIVITY_FRAC * SIGMA * BUS_DESIGN_K**4 - sky_w_m2))


def body_absorbed_w(environment: Environment, body_m2: FloatArray) -> FloatArray:
    """Infrared and albedo absorbed by the body's own radiators [W], (n,).

    q = A F (eps q_IR + alpha q_albedo), F = 0.31 of an edge-on plate over a nadir plate. They
    are on the body's dark sides: no direct Sun.

    Validity: gray surfaces, Earth as a uniform source.
    Source: Gilmore 2002, Spacecraft Thermal Control Handbook, chapter 2.
    """
    infrared_w_m2 = BUS_EMISSIVITY_FRAC * environment.earth_ir_flux_w_m2
    light_w_m2 = BUS_ABSORPTIVITY_FRAC * environment.albedo_flux_w_m2
    return body_m2 * BUS_EARTH_VIEW_FRAC * (infrared_w_m2 + light_w_m2)
