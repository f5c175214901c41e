"""Fleet figures of one picture: what the strip of key figures and the status line say.

Only satellites that are heard from take part: a figure never rests on a stale value.
"""

import math
from typing import Any

import numpy as np

from services.console.feed import LiveFleet
from twin.channels import by_name
from twin.state import BoolArray

SUNLIT_HALF = 0.5


def fleet_summary(live: LiveFleet) -> dict[str, Any]:
    """Key figures, JSON-ready; None where nothing fresh is known. Units: channel dictionary."""
    fresh = ~live.stale()
    sunlit_frac = _column(live, "orb_sunlit_frac", fresh)
    messages_s, lines_s = live.clock.traffic_per_s()
    return {
        "satellites": len(live.roster),
        "fresh": int(fresh.sum()),
        "stale": int((~fresh).sum()),
        "sunlit": int((sunlit_frac > SUNLIT_HALF).sum()),
        "eclipse": int((sunlit_frac <= SUNLIT_HALF).sum()),
        "in_saa": int((_column(live, "orb_in_saa", fresh) > 0).sum()),
        "health": _states(live, "sat_health", fresh),
        "modes": _states(live, "eps_mode", fresh),
        "compute_kw": _number(_total(_column(live, "eps_compute_w", fresh)) / 1000.0),
        "array_kw": _number(_total(_column(live, "eps_array_w", fresh)) / 1000.0),
        "soc_mean_pct": _number(_mean(_column(live, "eps_soc_pct", fresh))),
        "soc_low": _extreme(live, "eps_soc_pct", fresh, lowest=True),
        "die_max": _extreme(live, "tcs_die_max_t_c", fresh),
        "dose_max": _extreme(live, "rad_dose_rate_rad_day", fresh),
        "tokens_s": _number(_total(_column(live, "job_tokens_s", fresh))),
        "messages_s": _number(messages_s),
        "lines_s": _number(lines_s),
        "rate": _number(live.clock.rate()),
        "data_age_s": _number(live.clock.age_s()),
    }


def _column(live: LiveFleet, channel: str, fresh: BoolArray) -> np.ndarray[Any, np.dtype[Any]]:
    values: np.ndarray[Any, np.dtype[Any]] = live.values[fresh, live.channels.index(channel)]
    return values


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)


def _total(values: np.ndarray[Any, np.dtype[Any]]) -> float:
    known = values[np.isfinite(values)].astype(np.float64)
    return float(known.sum()) if known.size else math.nan


def _mean(values: np.ndarray[Any, np.dtype[Any]]) -> float:
    known = values[np.isfinite(values)].astype(np.float64)
    return float(known.mean()) if known.size else math.nan


def _states(live: LiveFleet, channel: str, fresh: BoolArray) -> dict[str, int]:
    values = _column(live, channel, fresh)
    return {name: int((values == code).sum()) for code, name in by_name()[channel].states.items()}


def _extreme(
    live: LiveFleet, channel: str, fresh: BoolArray, *, lowest: bool = False
) -> dict[str, Any] | None:
    column = live.values[:, live.channels.index(channel)]
    usable = fresh & np.isfinite(column)
    if not usable.any():
        return None
    worst = np.inf if lowest else -np.inf
    candidates = np.where(usable, column, worst)
    row = int(candidates.argmin() if lowest else candidates.argmax())
    return {"value": round(float(column[row]), 4), "sat": live.roster.satellites[row].satellite_id}
