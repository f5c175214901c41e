"""Simulated time: an epoch in UTC seconds since 1970 plus elapsed seconds on a grid of ticks.

UTC days are taken as 86,400 s (no leap second has been inserted since 2017) and UT1 as UTC:
|UT1 - UTC| < 0.9 s by definition, below 0.2 s in 2023-2026 (IERS Bulletin A), 93 m at the
equator at most.
"""

import math
from typing import Final

from twin.constants import SECONDS_PER_DAY

UNIX_EPOCH_JD: Final = 2_440_587.5  # 1970-01-01T00:00 UTC
J2000_JD: Final = 2_451_545.0  # 2000-01-01T12:00
DAYS_PER_JULIAN_CENTURY: Final = 36_525.0


def julian_date(epoch_unix_s: float, elapsed_s: float = 0.0) -> tuple[float, float]:
    """Julian date [d] as (midnight, fraction of the day in [0, 1)), resolution below 1e-10 s.

    One float64 resolves a Julian date to 40 us only, 0.3 m of low orbit; two keep the epoch's
    own resolution. JD = 2440587.5 + unix / 86400. Fed to SGP4 as it is.

    Validity: any UTC instant; a leap second repeats its predecessor, as in Unix time.
    Source: Meeus 1998, Astronomical Algorithms, chapter 7; 1970-01-01 is JD 2440587.5.
    """
    epoch_day, epoch_of_day_s = divmod(epoch_unix_s, SECONDS_PER_DAY)
    day, of_day_s = divmod(epoch_of_day_s + elapsed_s, SECONDS_PER_DAY)
    return UNIX_EPOCH_JD + epoch_day + day, of_day_s / SECONDS_PER_DAY


def unix_s(julian_whole: float, julian_fraction: float) -> float:
    """UTC seconds since 1970 of a two-part Julian date, resolution 2.4e-7 s in this century.

    Validity: `julian_whole` [d] and `julian_fraction` [d] of any UTC instant.
    Source: Meeus 1998, Astronomical Algorithms, chapter 7; 1970-01-01 is JD 2440587.5.
    """
    return (julian_whole - UNIX_EPOCH_JD) * SECONDS_PER_DAY + julian_fraction * SECONDS_PER_DAY


def days_since_j2000(epoch_unix_s: float, elapsed_s: float = 0.0) -> float:
    """Days since 2000-01-01T12:00 on the UTC scale [d].

    Validity: any UTC instant; no leap seconds counted.
    Source: by definition, J2000 is JD 2451545.0 (Meeus 1998, chapter 7).
    """
    whole, fraction = julian_date(epoch_unix_s, elapsed_s)
    return (whole - J2000_JD) + fraction


def gmst_rad(epoch_unix_s: float, elapsed_s: float = 0.0) -> float:
    """Greenwich mean sidereal time [rad] in [0, 2 pi), UT1 taken as UTC.

    GMST82 = 67310.54841 s + (876600 h + 8640184.812866 s) T + 0.093104 s T^2 - 6.2e-6 s T^3,
    T in Julian centuries of UT1 since J2000: Aoki et al. 1982, A&A 105, 359; the angle between
    TEME and the Earth (Vallado et al. 2006, AIAA 2006-6753, appendix C).

    Validity: 1950-2100; UT1 within 0.9 s of UTC by the definition of UTC: 14'' of turn.
    Source: Aoki et al. 1982, A&A 105, 359.
    """
    whole, fraction = julian_date(epoch_unix_s, elapsed_s)
    centuries = ((whole - J2000_JD) + fraction) / DAYS_PER_JULIAN_CENTURY
    # Whole turns are taken out before multiplying: midnight is half a turn after noon J2000.
    turn_s = (fraction + (whole - J2000_JD) % 1.0) * SECONDS_PER_DAY
    seasonal_s = (8_640_184.812866 + (0.093104 - 6.2e-6 * centuries) * centuries) * centuries
    of_day_s = (67_310.54841 + turn_s + seasonal_s) % SECONDS_PER_DAY
    return of_day_s * (2.0 * math.pi / SECONDS_PER_DAY)


def tick_elapsed_s(tick: int, step_s: float) -> float:
    """Elapsed time of a tick [s]: a product, never a running sum, so every path agrees.

    Validity: exact while tick and step are.
    Source: by definition: t = k dt.
    """
    return tick * step_s


def tick_at(elapsed_s: float, step_s: float) -> int:
    """The last tick at or before an instant; a tick's own time maps to itself."""
    tick = math.floor(elapsed_s / step_s)
    return tick + 1 if (tick + 1) * step_s <= elapsed_s else tick
