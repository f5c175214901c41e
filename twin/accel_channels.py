"""Channels of single accelerators: temperatures, clocks, power, error counters.

A satellite's accelerators share one mean die in the heat network; here each gets its own place
around that mean, fixed by its key.
"""

from functools import lru_cache
from typing import Final

import numpy as np

from twin.ageing import clock_margin_frac
from twin.constants import CELSIUS_ZERO_K
from twin.heat_network import DIE, PLATE
from twin.noise import derived_keys, normal
from twin.state import Fleet, FleetParams, FleetState, FloatArray, IntArray, KeyArray, Rows
from twin.upsets import accelerator_rows

MEMORY_LEAD_K: Final = 8.0  # HBM above the die at full load (assumption)
DIE_SPREAD_FRAC: Final = 0.05  # part-to-part spread of the rise over the plate (assumption)
REASON_POWER_CAP: Final = 0x4  # clock event reasons of NVIDIA DCGM
REASON_THERMAL: Final = 0x20


def accelerator_values(
    accelerators: IntArray, fleet: Fleet, state: FleetState
) -> tuple[dict[str, FloatArray], KeyArray]:
    """Values (r,) of every accelerator channel, and the keys (r,) of the flattened accelerators."""
    layout = accelerator_rows(fleet.params.accel_count)
    sat = layout.owner[accelerators]
    keys = derived_keys(fleet.satellite_key[sat], accelerators - layout.first[sat])
    params, down_s = fleet.params, state.accel_down_s[accelerators]
    is_up = (down_s <= 0.0) & (state.compute_power_w[sat] > 0.0)
    util = state.utilisation_frac[sat] * is_up
    idle_w, limit_w = params.accel_idle_w[sat], params.accel_power_limit_w[sat]
    die_c = _die_temp_k(keys, sat, state) - CELSIUS_ZERO_K
    uecc = state.accel_uecc_count[accelerators].astype(np.float64)
    values: dict[str, FloatArray] = {
        "accel_temp_c": die_c,
        "accel_mem_temp_c": die_c + MEMORY_LEAD_K * util,
        "accel_power_w": (idle_w + (limit_w - idle_w) * util) * is_up,
        "accel_clock_mhz": params.accel_clock_hz[sat]
        / 1e6
        * state.throttle_frac[sat]
        * is_up
        * clock_margin_frac(state.dose_rad[sat]),
        "accel_util_pct": 100.0 * util,
        "accel_energy_mj": 1e3 * state.accel_energy_j[accelerators],
        "accel_ecc_sbe_count": state.accel_cecc_count[accelerators].astype(np.float64),
        "accel_ecc_dbe_count": uecc,
        "accel_remapped_rows_count": uecc,
        "accel_error_code": state.accel_xid[accelerators].astype(np.float64),
        "accel_throttle_reasons": _throttle_reasons(sat, util, state, params),
        "accel_state": np.where(np.isinf(down_s), 2.0, (down_s > 0.0).astype(np.float64)),
    }
    return values, keys


def _die_temp_k(keys: KeyArray, sat: IntArray, state: FleetState) -> FloatArray:
    """Die temperature of single accelerators [K]: the mean die's rise over the plate, spread.

    Mounting and silicon differ from part to part by a fixed share of the rise; the share is
    drawn once per accelerator from its key.
    """
    plate_k = state.node_temp_k[sat, PLATE]
    spread = _die_spread(keys)
    rise_k = state.node_temp_k[sat, DIE] - plate_k
    die_k: FloatArray = plate_k + rise_k * (1.0 + DIE_SPREAD_FRAC * spread)
    return die_k


def hottest_die_temp_k(rows: Rows, fleet: Fleet, state: FleetState) -> FloatArray:
    """Hottest accelerator of each satellite [K], (r,); the mean die where there is none."""
    counts, keys = fleet.params.accel_count[rows], fleet.satellite_key[rows]
    least, most = _die_spread_range(keys.tobytes(), counts.tobytes())
    plate_k, die_k = state.node_temp_k[rows, PLATE], state.node_temp_k[rows, DIE]
    rise_k = die_k - plate_k
    hottest_k = plate_k + rise_k * (1.0 + DIE_SPREAD_FRAC * np.where(rise_k >= 0.0, most, least))
    return np.asarray(np.where(counts > 0, hottest_k, die_k))


@lru_cache(maxsize=256)
def _die_spread_range(keys: bytes, counts: bytes) -> tuple[FloatArray, FloatArray]:
    """Least and largest spread of each satellite's accelerators, (r,): fixed for its life."""
    key, count = np.frombuffer(keys, np.uint64), np.frombuffer(counts, np.int64)
    owner = np.repeat(np.arange(count.size), count)
    index = np.arange(owner.size) - np.repeat(np.cumsum(count) - count, count)
    spread = _die_spread(derived_keys(key[owner], index))
    least, most = np.full(count.size, np.inf), np.full(count.size, -np.inf)
    np.minimum.at(least, owner, spread)
    np.maximum.at(most, owner, spread)
    none = count == 0
    return np.where(none, 0.0, least), np.where(none, 0.0, most)


def _die_spread(keys: KeyArray) -> FloatArray:
    return np.asarray(np.clip(normal(0, "die_spread", keys, 0), -2.0, 2.0))


def _throttle_reasons(
    sat: IntArray, util: FloatArray, state: FleetState, params: FleetParams
) -> FloatArray:
    """Bit mask of DCGM: heat holds the clock down; the power mode caps a busy part."""
    hot = state.throttle_frac[sat] < 1.0
    capped = (util > 0.0) & (state.mode[sat] > 0)
    capped &= state.compute_power_w[sat] < params.compute_peak_w[sat]
    return REASON_THERMAL * hot.astype(np.float64) + REASON_POWER_CAP * capped.astype(np.float64)
