"""Looking ahead: the charge at the end of the eclipse under way, and what it leaves for jobs.

The controller grants the payload no more than lets the battery reach the end of the shadow
above the charge at which it would have to shed, so that jobs slow down before they are cut.
"""

from typing import Final

import numpy as np

from twin.battery import cell_open_circuit_v, soc_of_stored_frac, stored_j
from twin.battery_ageing import aged_params
from twin.constants import EARTH_GM_M3_S2
from twin.eclipse import shadow_left_s
from twin.power import ECLIPSE_SUNLIT_FRAC, LOAD_SHED, SAFE, SAFE_SOC_FRAC, shed_soc_frac
from twin.replacing import replace
from twin.state import Environment, FleetParams, FleetState, FloatArray, IntArray, Rows

AHEAD_MARGIN_FRAC: Final = 0.02  # charge kept above the trigger for what the forecast misses;
# assumption, twice the error of a forecast over a low orbit's whole eclipse
# Charge at low voltage holds less energy than its share of the capacity, and resistance takes
# some: this covers both, so that the quick look never passes over a satellite that is short.
_LEAST_ENERGY_FRAC: Final = 0.8
_SOON_S: Final = 1.0  # a forecast over less is the present


def end_soc_frac(
    soc_frac: FloatArray, draw_w: FloatArray, remaining_s: FloatArray, params: FleetParams
) -> FloatArray:
    """State of charge when a constant draw ends [0-1], (n,): E(z') = E(z) - P (1 + R P / U^2) t.

    draw_w: at the battery's terminals [W], >= 0; remaining_s: [s]. U is taken at the present
    charge. Validity: R P << U^2; against the battery model over a 35 min eclipse of 25 % depth
    below 0.01.

    Source: closed form: energy drawn at constant power with the ohmic loss of Plett 2015,
    Battery Management Systems I, chapter 2.
    """
    chemical_w = draw_w * (1.0 + draw_w * _ohmic_per_w(soc_frac, params))
    return soc_of_stored_frac(stored_j(soc_frac, params) - chemical_w * remaining_s, params)


def affordable_draw_w(
    soc_frac: FloatArray, floor_frac: FloatArray, remaining_s: FloatArray, params: FleetParams
) -> FloatArray:
    """Largest constant draw that ends at the floor or above [W], (n,): `end_soc_frac` solved for P.

    0 where the charge is below the floor already.

    Validity: as `end_soc_frac`.
    Source: closed form: the positive root of `end_soc_frac` (Plett 2015, chapter 2, circuit).
    """
    room_j = np.maximum(stored_j(soc_frac, params) - stored_j(floor_frac, params), 0.0)
    mean_w = room_j / np.maximum(remaining_s, _SOON_S)
    return 2.0 * mean_w / (1.0 + np.sqrt(1.0 + 4.0 * _ohmic_per_w(soc_frac, params) * mean_w))


def rows_to_check(
    environment: Environment,
    soc_frac: FloatArray,
    demand_w: FloatArray,
    params: FleetParams,
) -> IntArray:
    """Satellites in shadow whose demand could reach the floor within half an orbit, (r,).

    No eclipse lasts longer than half an orbit, so all others need no forecast. A hosted payload
    has no battery of its own to spare.
    """
    dark = np.flatnonzero(
        (environment.sunlit_frac < ECLIPSE_SUNLIT_FRAC) & (params.external_power_w <= 0.0)
    )
    position = environment.position_teme_m[dark]
    radius_m = np.sqrt(np.einsum("ij,ij->i", position, position))
    half_s = np.pi * np.sqrt(radius_m**3 / EARTH_GM_M3_S2)
    room_j = soc_frac[dark] - (AHEAD_MARGIN_FRAC + shed_soc_frac(params)[dark])
    room_j *= _LEAST_ENERGY_FRAC * params.battery_capacity_j[dark]
    needs: IntArray = np.flatnonzero(demand_w[dark] * half_s > room_j)
    return dark[needs]


def ahead_cap_w(
    *,
    rows: IntArray,
    remaining_s: FloatArray,
    essential_w: FloatArray,
    array_w: FloatArray,
    mode: IntArray,
    soc_frac: FloatArray,
    params: FleetParams,
) -> FloatArray:
    """What the payload may draw [W], (n,), to end the eclipse above its trigger; inf elsewhere.

    rows (r,) in shadow with remaining_s (r,) to go, the rest (n,). The floor is the load-shed
    trigger, and the safe trigger once load is shed, 2 points above each.

    Validity: eclipses of half an orbit at most.
    Source: closed form: `affordable_draw_w` less the other loads; margins are assumptions,
    beside the constants of `twin/power_ahead.py`.
    """
    cap_w = np.full(soc_frac.size, np.inf)
    most_w = params.compute_peak_w[rows] + essential_w[rows]
    room_j = soc_frac[rows] - (AHEAD_MARGIN_FRAC + shed_soc_frac(params)[rows])
    room_j *= _LEAST_ENERGY_FRAC * params.battery_capacity_j[rows]
    short = np.flatnonzero(most_w * remaining_s > room_j)
    rows, remaining_s = rows[short], remaining_s[short]
    if not rows.size:
        return cap_w
    some = _battery_of(rows, params)
    shed = mode[rows] == LOAD_SHED
    floor_frac = np.where(shed, SAFE_SOC_FRAC, shed_soc_frac(some)) + AHEAD_MARGIN_FRAC
    draw_w = affordable_draw_w(soc_frac[rows], np.minimum(floor_frac, 1.0), remaining_s, some)
    spare_w = draw_w + array_w[rows] - essential_w[rows]
    cap_w[rows] = np.where(mode[rows] == SAFE, np.inf, np.maximum(spare_w, 0.0))
    return cap_w


def eclipse_end_soc_frac(
    rows: Rows, state: FleetState, environment: Environment, params: FleetParams
) -> FloatArray:
    """State of charge at the end of the eclipse under way at the present draw [0-1], (r,).

    The charge itself in sunlight. params are those of the new batteries.

    Validity: draws that do not change until sunrise.
    Source: closed form: `end_soc_frac` at the time left by Wertz 1978, section 5.1.
    """
    left_s = shadow_left_s(
        environment.position_teme_m[rows],
        environment.velocity_teme_m_s[rows],
        environment.sun_unit,
    )
    draw_w = np.maximum(-state.battery_voltage_v[rows] * state.battery_current_a[rows], 0.0)
    aged = aged_params(_battery_of(rows, params), state.battery_health_frac[rows])
    return end_soc_frac(state.soc_frac[rows], draw_w, left_s, aged)


def _battery_of(rows: Rows, params: FleetParams) -> FleetParams:
    """Batteries of some satellites, (r,); the other fields stay whole: nobody here reads them."""
    return replace(
        params,
        battery_capacity_j=params.battery_capacity_j[rows],
        battery_cells_in_series_count=params.battery_cells_in_series_count[rows],
        battery_resistance_ohm=params.battery_resistance_ohm[rows],
        battery_depth_limit_frac=params.battery_depth_limit_frac[rows],
    )


def _ohmic_per_w(soc_frac: FloatArray, params: FleetParams) -> FloatArray:
    """R / U^2 of the string [1/W], (n,)."""
    open_v = cell_open_circuit_v(soc_frac) * np.maximum(params.battery_cells_in_series_count, 1.0)
    return np.asarray(params.battery_resistance_ohm / (open_v * open_v))
