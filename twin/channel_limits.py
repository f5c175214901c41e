"""Limits of channels: how many of a satellite's values are outside, and its health."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np

from twin.channels import BUS_CHANNELS, Channel, Limits
from twin.state import FloatArray, IntArray

Overrides = Mapping[str, Mapping[str, float | None]]
"""Channel -> `warning_low` and so on -> the limit in the channel's unit; None = no limit."""

ORDER: Final = ("critical_low", "warning_low", "warning_high", "critical_high")
_JUDGED: Final = {one.name: one for one in BUS_CHANNELS if one.subsystem != "sat"}


class LimitError(ValueError):
    """Limits that cannot be; the text says why."""


@dataclass(frozen=True)
class LimitTable:
    """Channels that have limits, and (4, c) of them in ORDER; nan where there is none."""

    names: tuple[str, ...]
    limits: FloatArray


def add_health(values: dict[str, FloatArray], table: LimitTable | None = None) -> None:
    """Channels outside their limits, and the worst of them, from the values as reported.

    table: the dictionary's limits where it is None.
    """
    warnings, criticals = limit_violations(values, table)
    values["sat_warning_count"] = warnings.astype(np.float64)
    values["sat_critical_count"] = criticals.astype(np.float64)
    values["sat_health"] = np.where(criticals > 0, 2.0, np.where(warnings > 0, 1.0, 0.0))


def limit_violations(
    values: Mapping[str, FloatArray], table: LimitTable | None = None
) -> tuple[IntArray, IntArray]:
    """How many channels are outside a warning limit and outside a critical one, (r,) each."""
    chosen = dictionary_limits() if table is None else table
    if not chosen.names:
        none = np.zeros(next(iter(values.values())).shape, dtype=np.int64)
        return none, none
    matrix = np.array([values[name] for name in chosen.names])
    crit_low, warn_low, warn_high, crit_high = chosen.limits[:, :, None]
    critical = (matrix < crit_low) | (matrix > crit_high)
    warning = ((matrix < warn_low) | (matrix > warn_high)) & ~critical
    return warning.sum(axis=0), critical.sum(axis=0)


@cache
def dictionary_limits() -> LimitTable:
    """Limits of the telemetry dictionary."""
    return _table(_JUDGED)


def limits_with(overrides: Overrides) -> LimitTable:
    """The dictionary's limits with some of them changed.

    Raises LimitError: a channel without a number to judge, limits outside the channel's range or
    in the wrong order.
    """
    channels = dict(_JUDGED)
    for name, changed in overrides.items():
        channels[name] = _changed(name, changed)
    return _table(channels)


def _changed(name: str, changed: Mapping[str, float | None]) -> Channel:
    channel = _JUDGED.get(name)
    if channel is None:
        near = difflib.get_close_matches(name, _JUDGED, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise LimitError(f"no channel of a satellite's bus that limits judge{hint}")
    limits: Limits = replace(channel.limits, **changed)
    there = [(key, getattr(limits, key)) for key in ORDER if getattr(limits, key) is not None]
    for key, value in there:
        low, high = channel.low, channel.high
        if (low is not None and value < low) or (high is not None and value > high):
            allowed = (
                f"{'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}"
            )
            raise LimitError(f"{key} {value:g} is outside the channel's range, {allowed}")
    for (key, value), (after, larger) in pairwise(there):
        if value > larger:
            raise LimitError(f"{key} {value:g} is above {after} {larger:g}")
    return replace(channel, limits=limits)


def _table(channels: Mapping[str, Channel]) -> LimitTable:
    limited = [one for one in channels.values() if one.limits != Limits()]
    rows = [[getattr(one.limits, name) for one in limited] for name in ORDER]
    return LimitTable(tuple(one.name for one in limited), np.array(rows, dtype=np.float64))
