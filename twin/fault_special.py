"""Faults whose effects change in time, or reach beyond their targets: one function each."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np

from twin.fault_effects import FaultEffects, SensorEffect
from twin.network import LINKS, STATION_NAMES
from twin.noise import derived_keys, satellite_keys, uniform
from twin.state import Fleet, IntArray

SEASON_BETA_RAD: Final = float(np.deg2rad(58.6))
"""Smallest |beta| of a dawn-dusk orbit at 650 km in the year: 90 - 23.4 - (98 - 90) deg; it gives
the 19.7 min of shadow of a dawn-dusk orbit at solstice. Computed."""
LINK_LOSS_DB: Final = 120.0  # no beam at all, at any range; assumption
DROP_PERIOD_S: Final = 120.0  # assumption
DROP_LEAST_S, DROP_MOST_S = 15.0, 60.0  # published times of terminals; public
SLEW_RAD: Final = float(np.deg2rad(60.0))  # thruster axis into the direction of flight; assumption
SLEW_S: Final = 240.0  # to the burn attitude, 0.25 deg/s; assumption
BURN_S: Final = 120.0  # time in the burn attitude; assumption
BURN_M_S: Final = 0.05  # collision avoidance of Starlink (SpaceX 2022); public
BOOT_CYCLE_S: Final = 420.0  # boot loop: 5 min of boot, 2 min up; assumption
BOOT_S: Final = 300.0  # as upsets.HOST_REBOOT_S; assumption


class Now(NamedTuple):
    """Where and when effects are asked for."""

    fleet: Fleet
    seed: int
    elapsed_s: float


class Changes:
    """Effects in the making: neutral arrays, copied when a fault first touches them."""

    def __init__(self, neutral: FaultEffects) -> None:
        self._neutral = neutral
        self._touched: dict[str, Any] = {}
        self.sensors: list[SensorEffect] = []

    def array(self, name: str) -> Any:
        """The array of this effect, to write into."""
        if name not in self._touched:
            self._touched[name] = getattr(self._neutral, name).copy()
        return self._touched[name]

    def effects(self) -> FaultEffects:
        """What has been laid over the neutral effects."""
        return replace(self._neutral, **self._touched, sensors=tuple(self.sensors))


Special = Callable[[Changes, IntArray, float, float, float, Now], None]
"""(changes, rows, severity, seconds since the onset, duration, where and when)."""


def _drive_stuck(
    changes: Changes, rows: IntArray, severity: float, since_s: float, _: float, __: Now
) -> None:
    frac, stuck_s = changes.array("drive_stuck_frac"), changes.array("drive_stuck_s")
    worse = rows[frac[rows] < severity]
    frac[worse], stuck_s[worse] = severity, since_s


def _season(changes: Changes, rows: IntArray, _: float, __: float, ___: float, ____: Now) -> None:
    changes.array("season_beta_rad")[rows] = SEASON_BETA_RAD


def _flapping_links(
    changes: Changes, rows: IntArray, severity: float, since_s: float, _: float, now: Now
) -> None:
    # Each terminal drops once in every period, for a time of its own.
    turn, position_s = divmod(since_s, DROP_PERIOD_S)
    keys = derived_keys(now.fleet.satellite_key[rows][:, np.newaxis], np.arange(LINKS))
    draw = uniform(now.seed, "isl_drop", keys, int(turn))
    dropped = position_s < DROP_LEAST_S + (DROP_MOST_S - DROP_LEAST_S) * draw
    changes.array("link_loss_db")[rows] += severity * LINK_LOSS_DB * dropped


def _partition(
    changes: Changes, rows: IntArray, _: float, __: float, ___: float, ____: Now
) -> None:
    island = changes.array("island")
    island[rows] = 2 * island[rows] + 1  # nested cuts keep their own numbers


def _stations(
    changes: Changes, _: IntArray, severity: float, __: float, ___: float, now: Now
) -> None:
    draw = uniform(now.seed, "station_out", satellite_keys(STATION_NAMES), 0)
    changes.array("station_closed")[:] |= draw < severity


def _avoidance(
    changes: Changes, rows: IntArray, severity: float, since_s: float, duration_s: float, _: Now
) -> None:
    """Burns at the start, the middle and the end: away, back, stop; a slew before each.

    A burn dv against the motion moves the satellite ahead by 3 dv t (Clohessy & Wiltshire 1960,
    secular part).
    """
    window_s = 2.0 * SLEW_S + BURN_S
    drift_s = max(duration_s - window_s, 1.0) if np.isfinite(duration_s) else 2.0 * 5800.0
    burns_s = [window_s / 2.0 + share * drift_s for share in (0.0, 0.5, 1.0)]
    nearest_s = min((since_s - burn_s for burn_s in burns_s), key=abs)
    turned = np.clip((window_s / 2.0 - abs(nearest_s)) / SLEW_S, 0.0, 1.0)
    changes.array("slew_error_rad")[rows] += severity * SLEW_RAD * turned
    if 0.0 < turned < 1.0:
        changes.array("slew_rate_rad_s")[rows] += severity * SLEW_RAD / SLEW_S
    out_s = np.clip(since_s - burns_s[0], 0.0, drift_s)
    ahead_s = min(out_s, drift_s - out_s)
    changes.array("along_track_m")[rows] += 3.0 * severity * BURN_M_S * ahead_s


def _firmware(
    changes: Changes, rows: IntArray, severity: float, since_s: float, _: float, __: Now
) -> None:
    changes.array("firmware_version")[rows] = 1
    if since_s % BOOT_CYCLE_S < severity * BOOT_S:
        changes.array("host_down")[rows] = True


SPECIAL: Final[dict[str, Special]] = {
    "drive_stuck": _drive_stuck,
    "season": _season,
    "flapping_links": _flapping_links,
    "partition": _partition,
    "stations": _stations,
    "avoidance": _avoidance,
    "firmware": _firmware,
}
