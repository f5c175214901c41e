"""Space weather as a scenario gives it: the phase of the solar cycle, events, and their course."""

import math
from dataclasses import dataclass
from typing import Final, Literal

from twin.cosmic_rays import SOLAR_MAXIMUM_MV, SOLAR_MINIMUM_MV
from twin.solar_particles import event_pfu, s_level
from twin.trapped_table import Solar

STORM_DENSITY_FRAC: Final = (1.0, 1.3, 1.6, 2.2, 3.5, 5.0)
"""Thermospheric density in a storm of level G0-G5 over the quiet one; assumption, anchored in
+50 % at 210 km in the minor storm of February 2022 and in a decay of 38 m/day that rose to
180 m/day in the G5 storm of May 2024 (Parker & Linares 2024,
J. Spacecraft and Rockets 61, 1412)."""
STORM_RISE_S: Final = (
    3.0 * 3600.0
)  # density follows heating by 3-6 h (Oliveira et al. 2017); public
STORM_RECOVERY_S: Final = 12.0 * 3600.0  # nitric-oxide cooling, 0.5-1 day (same); public
LOWERING_RAD_PER_G: Final = math.radians(1.0)
"""Cutoff moves equatorward by 1 deg of invariant latitude per level G: Leske et al. 2001 (JGR
106, 30011) have 5.3 deg per 100 nT of Dst; recalled, confidence: memory."""

EventKind = Literal["spe", "storm"]


@dataclass(frozen=True)
class SpaceWeatherEvent:
    """A solar particle event (NOAA S level) or a geomagnetic storm (NOAA G level)."""

    kind: EventKind
    level: int  # 1-5
    start_s: float  # after the epoch
    duration_s: float


@dataclass(frozen=True)
class SpaceWeather:
    """What a scenario says about the Sun."""

    solar_cycle: Solar = "min"  # phase of the trapped-particle models
    modulation_mv: float | None = None  # None: that of the phase
    density_frac: float = 1.0  # quiet thermosphere over the mid-cycle table
    lowers_cutoff: bool = False  # storms move geomagnetic cutoffs equatorward
    events: tuple[SpaceWeatherEvent, ...] = ()

    @property
    def potential_mv(self) -> float:
        """Modulation potential of cosmic rays [MV]: 400 at solar minimum, 1000 at maximum."""
        if self.modulation_mv is not None:
            return self.modulation_mv
        return SOLAR_MINIMUM_MV if self.solar_cycle == "min" else SOLAR_MAXIMUM_MV


@dataclass(frozen=True)
class SpaceWeatherNow:
    """The same for the whole fleet at one instant."""

    solar_particle_pfu: float  # above 10 MeV in free space
    s_level: int
    g_level: int
    density_frac: float  # over the mid-cycle table
    cutoff_lowering_rad: float


def space_weather_at(weather: SpaceWeather, elapsed_s: float) -> SpaceWeatherNow:
    """Space weather at an instant [s after the epoch], a function of nothing else.

    Particle fluxes of overlapping events add; of overlapping storms the strongest counts.
    G level n is Kp = n + 4 (NOAA). It holds from a storm's start to its end; density follows
    with a rise of 3 h and a recovery of 12 h (e-folding).

    Validity: the events that a scenario names; a global state, the same over the whole fleet.
    Source: NOAA Space Weather Scales 2011 (Kp = n + 4, S levels in decades of pfu).
    """
    pfu = sum(
        event_pfu(one.level, elapsed_s - one.start_s, one.duration_s)
        for one in weather.events
        if one.kind == "spe"
    )
    storms = [one for one in weather.events if one.kind == "storm"]
    g_level = max((one.level for one in storms if _is_on(one, elapsed_s)), default=0)
    storm_frac = max((_storm_density_frac(one, elapsed_s) for one in storms), default=1.0)
    return SpaceWeatherNow(
        solar_particle_pfu=pfu,
        s_level=int(s_level(pfu)),
        g_level=g_level,
        density_frac=weather.density_frac * storm_frac,
        cutoff_lowering_rad=LOWERING_RAD_PER_G * g_level if weather.lowers_cutoff else 0.0,
    )


def _is_on(event: SpaceWeatherEvent, elapsed_s: float) -> bool:
    return 0.0 <= elapsed_s - event.start_s < event.duration_s


def _storm_density_frac(storm: SpaceWeatherEvent, elapsed_s: float) -> float:
    since_s = elapsed_s - storm.start_s
    if since_s <= 0.0:
        return 1.0
    reached = 1.0 - math.exp(-min(since_s, storm.duration_s) / STORM_RISE_S)
    left = math.exp(-max(since_s - storm.duration_s, 0.0) / STORM_RECOVERY_S)
    return 1.0 + (STORM_DENSITY_FRAC[storm.level] - 1.0) * reached * left
