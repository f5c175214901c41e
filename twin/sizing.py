"""What no preset can quote is sized here, once, from what it can: the sizing rules.

Thermal conductances follow from the temperature drops that a design point leaves; heat
capacities from masses and powers; battery resistance from the sag at 1 C. The rules are
assumptions unless a source is named; each is one function.
"""

from dataclasses import dataclass
from typing import Final

from twin.constants import CELSIUS_ZERO_K

# Die below throttle at the design point (assumption): the warmest sky of an orbit takes about
# 6 K of it, full load over the planned mean 6 K, the clock's control band 3 K.
DIE_MARGIN_K: Final = 16.0
CHAIN_LEAST_DROP_K: Final = 5.0  # assumption: no chain from die to radiator does better
DROP_LIMIT_K: Final = 30.0  # assumption: die to radiator; 25 K on the die is 0.036 K/W at 700 W
DIE_DROP_SHARE: Final = 0.60  # assumption: die to cold plate; Gilmore 2002 gives this ordering
PLATE_DROP_SHARE: Final = 0.25  # assumption: cold plate to loop; the rest is loop to radiator
BUS_LEAK_SHARE: Final = 0.10  # assumption: the bus has radiators of its own; through its mounts
BUS_LEAK_DROP_K: Final = 40.0  # a tenth of the bus power leaks when the radiator is 40 K warmer
BATTERY_DROP_K: Final = 3.0  # assumption: battery to bus at its design loss
BATTERY_LOSS_SHARE: Final = 0.03  # assumption: heat in the battery per watt of discharge

DIE_J_K_W: Final = 0.05  # assumption: 35 J/K at 700 W, inside the 5-60 J/K of packages
PLATE_J_K_W: Final = 1.0  # fleets drill T1: a cold plate without flow warms 1 K/s at full power
LOOP_J_KG_K: Final = 4700.0  # liquid ammonia near 300 K (NIST webbook: 4.7-4.8 kJ/kg/K)
RADIATOR_J_K_M2: Final = 1240.0  # 2.75 kg per two-sided m2 (ISS panels) at 900 J/kg/K, per side
BATTERY_J_K_WH: Final = 6.7  # 150 Wh/kg packs at 1000 J/kg/K
BUS_J_K_KG: Final = 450.0  # aluminium 900 J/kg/K on half of the mass
ARRAY_J_K_M2: Final = 1800.0  # 2 kg/m2 of blanket and substrate at 900 J/kg/K
CAPACITY_FLOOR_J_K: Final = 1000.0  # an absent battery or array stays an idle, regular node

SAG_FRAC_AT_1C: Final = 0.05  # assumption: string voltage lost at a 1 C discharge
NOMINAL_CELL_V: Final = 3.6  # lithium-ion, nominal
HEATER_W_PER_WH: Final = 0.01  # assumption: battery heater
BATTERY_ROUND_TRIP_FRAC: Final = 0.90  # assumption: charger, cells and discharge converter
CONVERTER_FRAC: Final = 0.95  # assumption: array to bus, the default of every preset


@dataclass(frozen=True)
class Conductances:
    """Links of the thermal chain of one satellite [W/K]."""

    die_plate_w_k: float  # all accelerators of the satellite together
    plate_loop_w_k: float
    loop_radiator_w_k: float
    bus_radiator_w_k: float
    battery_bus_w_k: float


def chain_drop_k(radiator_k: float, accel_throttle_c: float) -> float:
    """Temperature the chain may lose from die to radiator at full compute power [K].

    What is left between the radiator's design temperature and DIE_MARGIN_K below the throttle
    point, at most DROP_LIMIT_K; at least 5 K, where a hot radiator leaves no room and the
    design is short by nature (the clock then throttles, which is the true behaviour).

    Validity: designs of the presets.
    Source: by definition; margins are assumptions, beside the constants of `twin/sizing.py`.
    """
    room_k = accel_throttle_c + CELSIUS_ZERO_K - DIE_MARGIN_K - radiator_k
    return max(CHAIN_LEAST_DROP_K, min(DROP_LIMIT_K, room_k))


def conductances(
    *,
    full_compute_w: float,
    accelerator_w: float,
    bus_power_w: float,
    drop_k: float,
) -> Conductances:
    """Conductance of each link = heat it carries at full compute power / its share of the drop.

    `accelerator_w`: all accelerators at their cap; hosts join at the cold plate.

    Validity: steady full power.
    Source: closed form: G = Q / dT (Fourier's law); shares are assumptions, beside the
    constants of `twin/sizing.py`.
    """
    loop_share = 1.0 - DIE_DROP_SHARE - PLATE_DROP_SHARE
    loss_w = BATTERY_LOSS_SHARE * (full_compute_w + bus_power_w)
    return Conductances(
        die_plate_w_k=accelerator_w / (DIE_DROP_SHARE * drop_k),
        plate_loop_w_k=full_compute_w / (PLATE_DROP_SHARE * drop_k),
        loop_radiator_w_k=full_compute_w / (loop_share * drop_k),
        bus_radiator_w_k=BUS_LEAK_SHARE * max(bus_power_w, 1.0) / BUS_LEAK_DROP_K,
        battery_bus_w_k=max(loss_w, 1.0) / BATTERY_DROP_K,
    )


def heat_capacities_j_k(
    *,
    accelerator_w: float,
    full_compute_w: float,
    coolant_kg: float,
    radiator_area_m2: float,
    radiator_heat_store_j_k: float,
    battery_wh: float,
    mass_kg: float,
    array_area_m2: float,
) -> tuple[float, ...]:
    """Heat capacity of each node in the order of twin.state.THERMAL_NODES [J/K].

    Validity: lumped nodes.
    Source: by definition: C = m cp; masses and specific heats are beside the constants of
    `twin/sizing.py`.
    """
    return (
        DIE_J_K_W * accelerator_w,
        PLATE_J_K_W * full_compute_w,
        max(LOOP_J_KG_K * coolant_kg, CAPACITY_FLOOR_J_K),
        RADIATOR_J_K_M2 * radiator_area_m2 + radiator_heat_store_j_k,
        max(BATTERY_J_K_WH * battery_wh, CAPACITY_FLOOR_J_K),
        max(BUS_J_K_KG * mass_kg, CAPACITY_FLOOR_J_K),
        max(ARRAY_J_K_M2 * array_area_m2, CAPACITY_FLOOR_J_K),
    )


def battery_resistance_ohm(cells_in_series_count: int, battery_wh: float) -> float:
    """Resistance of the string from SAG_FRAC_AT_1C: R = s U^2 / P(1 C); 1 ohm without battery.

    Validity: `cells_in_series_count` of equal cells at 25 C.
    Source: closed form: Ohm's law at 1 C (Plett 2015, chapter 2); the sag is an assumption,
    beside it in `twin/sizing.py`.
    """
    nominal_v = NOMINAL_CELL_V * cells_in_series_count
    return SAG_FRAC_AT_1C * nominal_v**2 / battery_wh if battery_wh > 0 else 1.0


def sustained_load_w(
    array_power_w: float,
    orbit_s: float,
    eclipse_s: float,
    *,
    converter_frac: float = CONVERTER_FRAC,
    battery_round_trip_frac: float = BATTERY_ROUND_TRIP_FRAC,
) -> float:
    """Bus load that an array carries for ever, eclipse included [W].

    Energy over an orbit: P_array eta_c t_sun = L (t_sun + t_eclipse / eta_rt), so
    L = P_array eta_c t_sun / (t_sun + t_eclipse / eta_rt). Constant array power in sunlight.

    Validity: one eclipse an orbit.
    Source: Wertz & Larson 1999, Space Mission Analysis and Design, eq. 11-5.
    """
    sunlit_s = orbit_s - eclipse_s
    supply_w = array_power_w * converter_frac * sunlit_s
    return supply_w / (sunlit_s + eclipse_s / battery_round_trip_frac)


def eclipse_battery_j(load_w: float, eclipse_s: float, depth_frac: float) -> float:
    """Battery that carries a load through an eclipse to the given depth [J]: L t / d.

    Validity: constant load; losses are in the depth.
    Source: Wertz & Larson 1999, Space Mission Analysis and Design, section 11.4.2.
    """
    return load_w * eclipse_s / depth_frac
