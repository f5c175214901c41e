"""What the sensors report: fleet state in SI to channels in operator units, with noise.

The only way out of SI. Values come in the order of the wire (`FieldLayout`): floats first,
then states. Noise is a pure function of (seed, channel, satellite, tick), so any shard reports
the same bytes. NaN means that the satellite has no such sensor, or that it is lost.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from twin import model_channels, plant_channels, state_channels
from twin.accel_channels import accelerator_values
from twin.channel_limits import LimitTable, add_health
from twin.channels import ACCEL_CHANNELS, BUS_CHANNELS, Channel
from twin.fault_effects import FaultEffects, neutral_effects
from twin.faulted import broken_environment
from twin.noise import normals
from twin.state import (
    Environment,
    Fleet,
    FleetState,
    FloatArray,
    IntArray,
    KeyArray,
    neighbours,
)

GROUP_VALUES: Final = 16_384
"""Numbers of noise that are drawn at once: a part of a core's cache."""


class Snapshot(NamedTuple):
    """The fleet at one tick: all that sensors can look at; make it with `snapshot`."""

    fleet: Fleet
    state: FleetState
    environment: Environment
    seed: int
    tick: int
    effects: FaultEffects | None = None  # of the faults at this tick
    limits: LimitTable | None = None  # that health is judged by; None: the dictionary's

    @property
    def broken(self) -> FaultEffects:
        """Effects of faults, neutral where there are none."""
        return neutral_effects(self.fleet.count) if self.effects is None else self.effects


def snapshot(
    fleet: Fleet,
    state: FleetState,
    environment: Environment,
    seed: int,
    tick: int,
    effects: FaultEffects | None = None,
    limits: LimitTable | None = None,
) -> Snapshot:
    """The fleet at one tick in its surroundings as faults leave them."""
    if effects is not None:
        environment = broken_environment(environment, effects)
    return Snapshot(fleet, state, environment, seed, tick, effects, limits)


def bus_telemetry(
    rows: IntArray, seen: Snapshot, seq: int | IntArray
) -> tuple[FloatArray, IntArray]:
    """Floats (r, f) and states (r, s) of the given satellites, in wire order.

    seq: number of this report since the epoch, of all satellites or of each (r,). Many
    satellites in one call cost a fraction of as many calls: some quantities take the whole
    fleet, and numpy's calls cost as much as a hundred of their numbers.
    """
    return in_wire_order(bus_readings(rows, seen, seq), BUS_CHANNELS)


def bus_readings(rows: IntArray, seen: Snapshot, seq: int | IntArray) -> dict[str, FloatArray]:
    """What `bus_telemetry` says, by channel, (r,) each: for who wants few of them."""
    return reported(bus_values(rows, seen, seq), rows, seen)


def bus_values(rows: IntArray, seen: Snapshot, seq: int | IntArray) -> dict[str, FloatArray]:
    """What the bus channels of these satellites would say without sensors, (r,) each.

    Without the channels of health, which judge readings.
    """
    fleet, state, environment = seen.fleet, seen.state, seen.environment
    chosen = neighbours(rows)
    values = state_channels.orbit(chosen, fleet.params, environment)
    values["orb_decay_model_m_day"] = values["orb_sma_decay_m_day"] / seen.broken.drag_gain[chosen]
    values["orb_sma_decay_m_day"] *= plant_channels.drag_area_gain(chosen, state, seen.broken)
    values["orb_eclipse_season_day"] = model_channels.eclipse_season_day(chosen, environment)
    values |= plant_channels.attitude(chosen, environment, state, seen.broken)
    values |= state_channels.power(chosen, fleet, state, environment)
    values |= plant_channels.array_model(chosen, fleet, state, environment)
    values |= plant_channels.cells(chosen, fleet, state, seen.broken)
    values |= state_channels.heat(chosen, fleet, state)
    values |= plant_channels.coolant(chosen, fleet, state, seen.broken)
    values |= state_channels.radiation(chosen, environment, state)
    values |= model_channels.radiation_model(chosen, fleet, environment, seen.broken)
    values |= model_channels.heat_model(chosen, fleet, state, environment)
    values |= state_channels.work(chosen, fleet, state)
    values |= state_channels.links(chosen, fleet, state, seen.broken)
    values |= plant_channels.platform(chosen, seen.broken)
    values["tm_seq"] = np.broadcast_to(np.asarray(seq, dtype=np.float64), rows.shape)
    return values


def reported(
    values: Mapping[str, FloatArray], rows: IntArray, seen: Snapshot, *, noise: bool = True
) -> dict[str, FloatArray]:
    """The same as sensors read it, broken ones too, and the health that follows, (r,) each.

    noise: False = as perfect sensors would read it.
    """
    found = dict(values)
    if noise:
        _add_noise(found, BUS_CHANNELS, seen.fleet.satellite_key[rows], seen)
    plant_channels.break_sensors(found, rows, seen.broken)
    add_health(found, seen.limits)
    return found


def accelerator_telemetry(accelerators: IntArray, seen: Snapshot) -> tuple[FloatArray, IntArray]:
    """Floats (r, f) and states (r, s) of the given flattened accelerators, in wire order."""
    values, keys = accelerator_values(accelerators, seen.fleet, seen.state)
    _add_noise(values, ACCEL_CHANNELS, keys, seen)
    return in_wire_order(values, ACCEL_CHANNELS)


def _add_noise(
    values: dict[str, FloatArray], channels: Sequence[Channel], keys: KeyArray, seen: Snapshot
) -> None:
    """Gaussian sensor noise of each channel's sigma, kept inside the channel's range.

    Many channels of few satellites at once: numpy's calls cost as much as a hundred numbers.
    """
    noisy = [channel for channel in channels if channel.noise > 0.0]
    size = max(1, GROUP_VALUES // max(keys.size, 1))
    for start in range(0, len(noisy), size):
        group = noisy[start : start + size]
        names = tuple(channel.name for channel in group)
        sigma = np.array([[channel.noise] for channel in group])
        low = [[-np.inf if channel.low is None else channel.low] for channel in group]
        high = [[np.inf if channel.high is None else channel.high] for channel in group]
        drawn = sigma * normals(seen.seed, names, keys, seen.tick)
        for index, name in enumerate(names):
            drawn[index] += values[name]
        values.update(zip(names, np.clip(drawn, low, high, out=drawn), strict=True))


def in_wire_order(
    values: Mapping[str, FloatArray], channels: Sequence[Channel]
) -> tuple[FloatArray, IntArray]:
    """Floats (r, f) and states (r, s) of these channels; a state has no place for NaN."""
    floats = np.column_stack([values[c.name] for c in channels if not c.is_integer])
    states = np.column_stack([values[c.name] for c in channels if c.is_integer])
    return floats, states.astype(np.int64)
