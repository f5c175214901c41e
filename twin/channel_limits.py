"""Limits of channels: how many of a satellite's values are outside, and its health."""

from collections.abc import Mapping
from functools import cache

import numpy as np

from twin.channels import BUS_CHANNELS, Limits
from twin.state import FloatArray, IntArray


def add_health(values: dict[str, FloatArray]) -> None:
    """Channels outside their limits, and the worst of them, from the values as reported."""
    warnings, criticals = limit_violations(values)
    values["sat_warning_count"] = warnings.astype(np.float64)
    values["sat_critical_count"] = criticals.astype(np.float64)
    values["sat_health"] = np.where(criticals > 0, 2.0, np.where(warnings > 0, 1.0, 0.0))


def limit_violations(values: Mapping[str, FloatArray]) -> tuple[IntArray, IntArray]:
    """How many channels are outside a warning limit and outside a critical one, (r,) each."""
    names, limits = _limit_table()
    matrix = np.array([values[name] for name in names])
    warn_low, warn_high, crit_low, crit_high = limits[:, :, None]
    critical = (matrix < crit_low) | (matrix > crit_high)
    warning = ((matrix < warn_low) | (matrix > warn_high)) & ~critical
    return warning.sum(axis=0), critical.sum(axis=0)


@cache
def _limit_table() -> tuple[tuple[str, ...], FloatArray]:
    """Bus channels that have limits, and (4, c) of them; nan where there is none."""
    limited = [
        channel
        for channel in BUS_CHANNELS
        if channel.subsystem != "sat" and channel.limits != Limits()
    ]
    order = ("warning_low", "warning_high", "critical_low", "critical_high")
    rows = [[getattr(channel.limits, name) for channel in limited] for name in order]
    return tuple(channel.name for channel in limited), np.array(rows, dtype=np.float64)
