"""Exact propagation of a linear heat network with radiating nodes: ETD1.

    T+ = E T + P (q + k T),  E = exp(A dt),  P = (integral of E over dt) C^-1,  A = C^-1 (K - k)

K holds the conductances, k the linear part of radiation, q the heat less the full T^4. The
linear part is exact, the rest of T^4 is held over the tick (Cox & Matthews 2002, J. Comput.
Phys. 176, eq. 4). One (E, P) pair serves all satellites of a thermal class.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from scipy.linalg import expm

from twin.state import THERMAL_NODES, FleetParams, FloatArray, IntArray

DIE, PLATE, LOOP, RADIATOR, BATTERY, BUS, ARRAY = range(len(THERMAL_NODES))
NODES: Final = len(THERMAL_NODES)
RADIATING: Final = (RADIATOR, BUS, ARRAY)
_LINKS: Final = ((DIE, PLATE), (PLATE, LOOP), (LOOP, RADIATOR), (BATTERY, BUS), (BUS, RADIATOR))


@dataclass(frozen=True)
class Propagator:
    """ETD1 of one thermal class and tick: T+ = E T + P q, with q in W."""

    decay: FloatArray  # E, (7, 7)
    response_k_w: FloatArray  # P, (7, 7)


class ClassDesign(NamedTuple):
    """Numbers that rows of one class share; hashable, so that the propagator can be cached."""

    heat_capacity_j_k: tuple[float, ...]
    conductance_w_k: tuple[float, ...]  # die-plate, plate-loop, loop-radiator, battery-bus, bus-rad
    linear_w_k: tuple[float, ...]  # 4 eps sigma A T_ref^3 of the RADIATING nodes


@lru_cache(maxsize=256)
def propagator(design: ClassDesign, step_s: float) -> Propagator:
    """The exact exponential of a class's linear network over one tick, computed once.

    exp([[A, 1], [0, 0]] dt) = [[E, integral of E], [0, 1]] holds also where A is singular
    (a platform without an array). Source: Van Loan (1978), IEEE TAC 23(3).
    """
    capacity = np.maximum(np.array(design.heat_capacity_j_k), 1e-3)
    network_w_k = np.zeros((NODES, NODES))
    for (i, j), conductance in zip(_LINKS, design.conductance_w_k, strict=True):
        network_w_k[[i, j], [j, i]] += conductance
        network_w_k[[i, j], [i, j]] -= conductance
    for node, linear in zip(RADIATING, design.linear_w_k, strict=True):
        network_w_k[node, node] -= linear
    block = np.zeros((2 * NODES, 2 * NODES))
    block[:NODES, :NODES] = network_w_k / capacity[:, np.newaxis]
    block[:NODES, NODES:] = np.eye(NODES)
    grown = np.asarray(expm(block * step_s), dtype=np.float64)
    return Propagator(grown[:NODES, :NODES], grown[:NODES, NODES:] / capacity)


@lru_cache(maxsize=8)
def class_rows(thermal_class: bytes) -> tuple[slice | IntArray, ...]:
    """Rows of each thermal class, as slices where they are neighbours; from the raw int64 codes."""
    codes = np.frombuffer(thermal_class, dtype=np.int64)
    groups: list[slice | IntArray] = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        contiguous = rows[-1] - rows[0] + 1 == rows.size
        groups.append(slice(int(rows[0]), int(rows[-1]) + 1) if contiguous else rows)
    return tuple(groups)


def class_design(params: FleetParams, row: int, linear_w_k: tuple[float, ...]) -> ClassDesign:
    """The shared numbers of the class that `row` belongs to; linear_w_k in order of RADIATING."""
    links = (
        params.die_plate_w_k,
        params.plate_loop_w_k,
        params.loop_radiator_w_k,
        params.battery_bus_w_k,
        params.bus_radiator_w_k,
    )
    capacity_j_k = tuple(params.heat_capacity_j_k[row].tolist())
    return ClassDesign(capacity_j_k, tuple(float(link[row]) for link in links), linear_w_k)


def propagated_temp_k(
    temp_k: FloatArray, heat_w: FloatArray, design: ClassDesign, step_s: float
) -> FloatArray:
    """Temperatures [K] after one tick, (7, n) from temperatures [K] and net heat [W], (7, n)."""
    # Sums in a fixed order, not a matrix product: BLAS may round a row differently with its
    # neighbours, and a satellite must not depend on its shard.
    step = propagator(design, step_s)
    heat_w = heat_w.copy()
    for node, linear in zip(RADIATING, design.linear_w_k, strict=True):
        heat_w[node] += linear * temp_k[node]
    result = np.empty_like(temp_k)
    chain, term = result[:ARRAY], np.empty_like(temp_k[:ARRAY])
    np.multiply(step.decay[:ARRAY, DIE, np.newaxis], temp_k[DIE], out=chain)
    for node in range(PLATE, ARRAY):
        chain += np.multiply(step.decay[:ARRAY, node, np.newaxis], temp_k[node], out=term)
    for node in (DIE, PLATE, RADIATOR, BATTERY, BUS):  # nothing heats the loop by itself
        chain += np.multiply(step.response_k_w[:ARRAY, node, np.newaxis], heat_w[node], out=term)
    result[ARRAY] = step.decay[ARRAY, ARRAY] * temp_k[ARRAY]
    result[ARRAY] += step.response_k_w[ARRAY, ARRAY] * heat_w[ARRAY]
    return result
