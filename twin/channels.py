"""The telemetry dictionary: every channel once, and nothing about a channel anywhere else.

Wire schema, store fields, console labels, dashboards and docs are rendered from these rows,
which are data (`dictionary/*.yaml`) so that people who do not program can read and review them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

Kind = Literal["float", "state", "counter"]
Level = Literal["nominal", "warning", "critical"]

BUS_MEASUREMENT = "sat_state"
ACCEL_MEASUREMENT = "accel_state"
FLEET_MEASUREMENT = "fleet_state"
PLANE_MEASUREMENT = "plane_state"
TENANT_MEASUREMENT = "tenant_state"
SAT_MINUTE_MEASUREMENT = "sat_1m"
FLEET_MINUTE_MEASUREMENT = "fleet_1m"
PLANE_MINUTE_MEASUREMENT = "plane_1m"
MINUTE_MEASUREMENTS = (
    SAT_MINUTE_MEASUREMENT,
    FLEET_MINUTE_MEASUREMENT,
    PLANE_MINUTE_MEASUREMENT,
)
"""Roll-ups over a minute: kept longer than the rest, in a database of their own."""


@dataclass(frozen=True)
class Limits:
    """Soft and hard limits in the channel's unit; None where there is none."""

    warning_low: float | None = None
    warning_high: float | None = None
    critical_low: float | None = None
    critical_high: float | None = None


@dataclass(frozen=True)
class Channel:
    """One row of the dictionary."""

    name: str
    unit: str
    subsystem: str
    subsystem_title: str
    label: str
    meaning: str
    source: str
    kind: Kind = "float"
    low: float | None = None
    high: float | None = None
    decimals: int = 0
    noise: float = 0.0
    limits: Limits = field(default_factory=Limits)
    limit_source: str = ""
    states: Mapping[int, str] = field(default_factory=dict)
    dcgm_name: str | None = None
    dcgm_id: int | None = None

    @property
    def is_integer(self) -> bool:
        """True for the fields the store keeps as integers: states and modes only."""
        return self.kind == "state"

    @property
    def confidence(self) -> str:
        """How far the limits can be trusted; computed where there are none."""
        if not self.limit_source:
            return "computed"
        return "assumption" if re.search(r"(^|\()A\)?$", self.limit_source) else "public"

    def field_name(self, vendor: str) -> str:
        """Field in the store: the DCGM name on NVIDIA parts, the dictionary's own elsewhere."""
        return self.dcgm_name if vendor == "nvidia" and self.dcgm_name else self.name


def _channel(row: Mapping[str, Any], group: Mapping[str, Any]) -> Channel:
    low, high = row.get("range", (None, None))
    kind = row.get("kind", "float")
    return Channel(
        name=row["name"],
        unit=row["unit"],
        subsystem=group["subsystem"],
        subsystem_title=group["title"],
        label=row["label"],
        meaning=row["meaning"],
        source=row["source"],
        kind=kind,
        low=0.0 if kind == "counter" else low,
        high=high,
        decimals=row.get("decimals", 0),
        noise=row.get("noise", 0.0),
        limits=Limits(**row.get("limits", {})),
        limit_source=row.get("limit_source", ""),
        states=row.get("states", {}),
        dcgm_name=row.get("dcgm"),
        dcgm_id=row.get("dcgm_id"),
    )


def _load(file_name: str) -> tuple[Channel, ...]:
    text = resources.files("twin").joinpath("dictionary", file_name).read_text("utf-8")
    groups = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return tuple(_channel(row, group) for group in groups for row in group["channels"])


BUS_CHANNELS: tuple[Channel, ...] = _load("bus.yaml")
"""Channels of one satellite, in the order of the wire."""

ACCEL_CHANNELS: tuple[Channel, ...] = _load("accel.yaml")
"""Channels of one accelerator, in the order of the wire."""

CHANNELS: tuple[Channel, ...] = BUS_CHANNELS + ACCEL_CHANNELS


@dataclass(frozen=True)
class ChannelSet:
    """A named choice of bus channels, in the order of the wire."""

    name: str
    meaning: str
    channels: tuple[Channel, ...]


def _load_sets() -> tuple[ChannelSet, ...]:
    text = resources.files("twin").joinpath("dictionary", "sets.yaml").read_text("utf-8")
    rows = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    sets = [ChannelSet("all", "Every bus channel", BUS_CHANNELS)]
    for name, row in rows.items():
        wanted = {channel for line in row["channels"] for channel in line}
        chosen = tuple(channel for channel in BUS_CHANNELS if channel.name in wanted)
        sets.append(ChannelSet(name, row["meaning"], chosen))
    return tuple(sets)


CHANNEL_SETS: tuple[ChannelSet, ...] = _load_sets()
"""What a satellite may report; the first one is all of it."""


@cache
def by_name() -> Mapping[str, Channel]:
    """Every channel under its own name and, where it has one, its DCGM name."""
    table = {channel.name: channel for channel in CHANNELS}
    table |= {channel.dcgm_name: channel for channel in CHANNELS if channel.dcgm_name}
    return table


def level(channel: Channel, value: float) -> Level:
    """Which limit a value breaks, the worst one first; NaN (sensor lost) breaks none."""
    limits = channel.limits
    if _outside(value, limits.critical_low, limits.critical_high):
        return "critical"
    if _outside(value, limits.warning_low, limits.warning_high):
        return "warning"
    return "nominal"


def _outside(value: float, low: float | None, high: float | None) -> bool:
    return (low is not None and value < low) or (high is not None and value > high)
