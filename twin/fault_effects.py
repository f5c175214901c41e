"""What is broken at one instant, as plain arrays: the input of the physics that faults act through.

Neutral values mean "healthy": multiplying by 1, adding 0 and comparing with False change no bit,
so a run whose effects are neutral is the run without faults. Arrays are read-only and shared.
"""

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Final

import numpy as np

from twin.network import LINKS, STATION_NAMES
from twin.state import SEE_KINDS, BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class SensorEffect:
    """One fault of one sensor type: which channel, and what it does to which rows."""

    channel: str
    stuck: FloatArray  # (n,) value that is repeated; nan = not stuck
    bias: FloatArray  # (n,) added to the reading, in the channel's unit


@dataclass(frozen=True)
class FaultEffects:
    """Effects of all faults at one instant, (n,) unless said; neutral value in brackets."""

    # space around the satellite
    proton_added_cm2_s: FloatArray  # [0] trapped protons above 50 MeV on top of the map's
    solar_proton_pfu: FloatArray  # [0] protons above 10 MeV in space, before geomagnetic access
    drag_gain: FloatArray  # [1] thermospheric density over the quiet one
    season_beta_rad: FloatArray  # [nan] beta angle that an eclipse season would bring
    along_track_m: FloatArray  # [0] displacement ahead of the planned place
    # attitude and drives
    tumble_rate_rad_s: FloatArray  # [0] body rate that an uncontrolled torque brings
    slew_error_rad: FloatArray  # [0] commanded angle away from the Sun attitude
    slew_rate_rad_s: FloatArray  # [0] body rate of that manoeuvre
    drive_stuck_frac: FloatArray  # [0] share of the array whose drive stands still
    drive_stuck_s: FloatArray  # [0] for how long it has
    # power
    array_power_frac: FloatArray  # [1] strings, converters' channels and cells that still work
    array_deployed_frac: FloatArray  # [1] share of the array's area that is unfolded
    battery_cells_lost_count: FloatArray  # [0] cells of the string that are bypassed
    battery_resistance_gain: FloatArray  # [1]
    safe_commanded: BoolArray  # [False]
    heater_stuck_on: BoolArray  # [False]
    heater_stuck_off: BoolArray  # [False]
    # heat
    pump_frac: FloatArray  # [1] speed of the pumps over nominal
    valve_stuck_frac: FloatArray  # [0] how far the mixing valve is stuck towards the radiator
    leak_frac_s: FloatArray  # [0] share of the coolant that is lost overboard per second
    puncture_frac: FloatArray  # [0] share of the radiator's area in panels with a hole
    puncture_leak_frac_s: FloatArray  # [0] share of the coolant through all those holes per second
    radiator_deployed_frac: FloatArray  # [1] share of the radiator's area that is unfolded
    radiator_absorptivity_added: FloatArray  # [0] solar absorptivity above the preset's
    radiator_sky_w_m2: FloatArray  # [0] infrared of neighbours in the radiator's view
    # radiation effects
    event_rate_per_s: FloatArray  # [0] (n, 7) expected events besides nature's, as SEE_KINDS
    dose_added_rad_s: FloatArray  # [0] ageing dose that the tick adds without prompt effects
    latchup_power_w: FloatArray  # [0] current of a latched part before its rail is cut
    # work
    arrival_gain: FloatArray  # [1] offered work over the planned
    wasted_frac: FloatArray  # [0] share of the work done that is thrown away
    restart_rate_per_s: FloatArray  # [0] job restarts
    checkpoint_rate_frac: FloatArray  # [1] storage bandwidth that is left for checkpoints
    training_stop_frac: FloatArray  # [0] share of synchronous training that cannot proceed
    host_down: BoolArray  # [False] host held in reboot
    firmware_version: IntArray  # [0] 0 = the fleet's image, 1 = the one being rolled out
    in_service: BoolArray  # [True] False = not launched, or lost
    # links and telemetry
    link_loss_db: FloatArray  # [0] (n, 4) loss of each terminal besides free space
    island: IntArray  # [0] links between different numbers are cut
    station_closed: BoolArray  # [False] (stations,) in the order of network.STATION_NAMES
    frame_lost: BoolArray  # [False]
    clock_offset_s: FloatArray  # [0] on-board clock ahead of UTC
    sensors: tuple[SensorEffect, ...] = ()

    def take(self, rows: IntArray) -> "FaultEffects":
        """The same effects for these rows, in their order; stations are everyone's."""
        common = {"sensors", "station_closed"}
        names = [field.name for field in fields(self) if field.name not in common]
        sensors = tuple(
            SensorEffect(one.channel, one.stuck[rows], one.bias[rows]) for one in self.sensors
        )
        taken = {name: getattr(self, name)[rows] for name in names}
        return replace(self, **taken, sensors=sensors)

    @property
    def closed_stations(self) -> tuple[int, ...]:
        """Indices of the ground stations that are out."""
        return tuple(np.flatnonzero(self.station_closed).tolist())


_ONES: Final = frozenset(
    {
        "drag_gain",
        "array_power_frac",
        "array_deployed_frac",
        "battery_resistance_gain",
        "pump_frac",
        "radiator_deployed_frac",
        "arrival_gain",
        "checkpoint_rate_frac",
    }
)
_FLAGS: Final = frozenset(
    {
        "safe_commanded",
        "heater_stuck_on",
        "heater_stuck_off",
        "host_down",
        "frame_lost",
        "station_closed",
    }
)
_CODES: Final = frozenset({"firmware_version", "island"})
_WIDE: Final = {"event_rate_per_s": len(SEE_KINDS), "link_loss_db": LINKS}


@lru_cache(maxsize=16)
def neutral_effects(count: int) -> FaultEffects:
    """Effects of nothing, for `count` satellites; the same read-only arrays every time."""
    arrays = {
        field.name: _neutral(field.name, count)
        for field in fields(FaultEffects)
        if field.name != "sensors"
    }
    return FaultEffects(**arrays)  # type: ignore[arg-type]  # names and kinds are the class's own


def _neutral(name: str, count: int) -> FloatArray | IntArray | BoolArray:
    shape = (len(STATION_NAMES),) if name == "station_closed" else (count,)
    array: FloatArray | IntArray | BoolArray
    if name in _WIDE:
        array = np.zeros((count, _WIDE[name]))
    elif name in _FLAGS:
        array = np.zeros(shape, dtype=np.bool_)
    elif name in _CODES:
        array = np.zeros(shape, dtype=np.int64)
    elif name == "in_service":
        array = np.ones(shape, dtype=np.bool_)
    elif name == "season_beta_rad":
        array = np.full(shape, np.nan)
    else:
        array = np.full(shape, 1.0 if name in _ONES else 0.0)
    array.flags.writeable = False
    return array
