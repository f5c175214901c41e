"""What a scenario file may say, key by key, in operators' units, with its bounds."""

from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from twin.channels import CHANNEL_SETS
from twin.elements import FORMATS
from twin.environment import EnvironmentSettings
from twin.orbit_spec import ORBIT_NAMES, ORBIT_RANGES, OrbitSpec
from twin.preset_files import preset_names
from twin.preset_library import list_presets, unknown_preset
from twin.preset_values import PresetValues, StrictModel, allowed_ranges
from twin.scenario_faults import FaultKeys
from twin.space_weather import EventKind, SpaceWeather, SpaceWeatherEvent
from twin.tenants import Tenant

_ID_PATTERN: Final = r"^[A-Za-z][A-Za-z0-9_]*$"
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
EVENT_LEVELS: Final = {
    "spe": ("S1", "S2", "S3", "S4", "S5"),
    "storm": ("G1", "G2", "G3", "G4", "G5"),
}
"""Kinds of space-weather events and NOAA's levels of each."""


class EventKeys(StrictModel):
    """A solar particle event or a geomagnetic storm, by NOAA's scales."""

    kind: str
    level: str
    start_h: float = Field(ge=-8760, le=87_600)
    duration_h: float = Field(gt=0, le=720)

    @field_validator("kind")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in EVENT_LEVELS:
            raise ValueError(f"unknown kind {value!r}; allowed: {', '.join(EVENT_LEVELS)}")
        return value

    @field_validator("level")
    @classmethod
    def _on_its_scale(cls, value: str, info: ValidationInfo) -> str:
        kind = info.data.get("kind")
        if kind is not None and value not in EVENT_LEVELS[kind]:
            allowed = ", ".join(EVENT_LEVELS[kind])
            raise ValueError(f"{value!r} is not a level of {kind}; allowed: {allowed}")
        return value

    def event(self) -> SpaceWeatherEvent:
        """The same in SI."""
        kind: EventKind = "spe" if self.kind == "spe" else "storm"
        return SpaceWeatherEvent(
            kind, int(self.level[1]), self.start_h * 3600.0, self.duration_h * 3600.0
        )


class SpaceWeatherKeys(StrictModel):
    """The Sun's phase and what it throws; meaning and sources in twin.space_weather."""

    solar_cycle: Literal["min", "max"] = "min"
    phi_mv: float | None = Field(default=None, ge=100, le=2000)
    density_frac: float = Field(default=1.0, ge=0.05, le=20)
    cutoff_lowering: bool = False
    events: list[EventKeys] = Field(default_factory=list, max_length=200)


class EnvironmentKeys(StrictModel):
    """Sun and Earth; defaults and sources as in twin.environment."""

    solar_w_m2: float = Field(default=1361.0, ge=0, le=2000)
    earth_ir_w_m2: float = Field(default=237.0, ge=0, le=500)
    albedo_frac: float = Field(default=0.30, ge=0, le=1)
    shadow: Literal["oblate", "spherical"] = "oblate"
    space_weather: SpaceWeatherKeys = SpaceWeatherKeys()

    def settings(self) -> EnvironmentSettings:
        """The same as the environment model takes them."""
        sun = self.space_weather
        return EnvironmentSettings(
            self.solar_w_m2,
            self.earth_ir_w_m2,
            self.albedo_frac,
            oblate_shadow=self.shadow == "oblate",
            space_weather=SpaceWeather(
                solar_cycle=sun.solar_cycle,
                modulation_mv=sun.phi_mv,
                density_frac=sun.density_frac,
                lowers_cutoff=sun.cutoff_lowering,
                events=tuple(one.event() for one in sun.events),
            ),
        )


class ElementsKeys(StrictModel):
    """Catalogued orbits from a file beside the scenario."""

    file: str = Field(min_length=1, max_length=500)
    format: str = "auto"
    max_age_days: float = Field(default=30.0, gt=0, le=3650)
    select: list[str | int] | None = Field(default=None, min_length=1)

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in FORMATS:
            raise ValueError(f"unknown format {value!r}; allowed: {', '.join(FORMATS)}")
        return value


class SiteKeys(StrictModel):
    """Where on the Moon a node stands; the preset's place without it."""

    latitude_deg: float = Field(
        ge=-80, le=80, description="selenographic; nearer to the poles the terrain decides"
    )
    longitude_deg: float = Field(ge=-180, le=180, description="selenographic, east")


class Group(StrictModel):
    """Satellites of one kind, or a node on the Moon: a preset, where it is, what is different."""

    id: str = Field(pattern=_ID_PATTERN, max_length=64)
    preset: str
    overrides: dict[str, Any] = Field(default_factory=dict)
    elements: ElementsKeys | None = None
    orbit: OrbitSpec | None = None
    site: SiteKeys | None = None
    report_interval_s: float = Field(default=1.0, gt=0, le=3600)
    channels: str = Field(default="all", description="set of bus channels to report")

    @field_validator("channels")
    @classmethod
    def _is_a_set(cls, value: str) -> str:
        names = [one.name for one in CHANNEL_SETS]
        if value not in names:
            raise ValueError(f"unknown set {value!r}; allowed: {', '.join(names)}")
        return value

    @property
    def channel_set_index(self) -> int:
        """Place of the set in CHANNEL_SETS."""
        return [one.name for one in CHANNEL_SETS].index(self.channels)

    @field_validator("preset")
    @classmethod
    def _exists(cls, value: str) -> str:
        if value not in (*list_presets(), *preset_names("lunar")):
            raise ValueError(unknown_preset(value))
        return value

    @model_validator(mode="after")
    def _one_orbit(self) -> "Group":
        if self.elements is not None and self.orbit is not None:
            raise ValueError("give elements or orbit, not both")
        if self.on_moon and (self.elements is not None or self.orbit is not None):
            raise ValueError(f"{self.preset} stands on the Moon: give site, not elements or orbit")
        if self.site is not None and not self.on_moon:
            raise ValueError(f"site is for nodes on the Moon; {self.preset} is in orbit")
        return self

    @property
    def on_moon(self) -> bool:
        """Whether this is a node on the lunar surface."""
        return self.preset in preset_names("lunar")


class TenantKeys(StrictModel):
    """One customer; defaults and their sources as in twin.tenants."""

    name: str = Field(pattern=_ID_PATTERN, max_length=64)
    share_pct: float = Field(gt=0, le=100)
    priority: int = Field(default=0, ge=-1000, le=1000)
    kind: Literal["inference", "batch", "training"] = "inference"
    product: Literal["text", "image"] = "text"
    grouping: Literal["satellite", "plane", "cluster"] = "plane"
    step_compute_s: float = Field(default=10.0, gt=0, le=86400)
    gradient_gb: float = Field(default=16.0, ge=0, le=1e6)
    checkpoint_interval_s: float = Field(default=900.0, ge=1, le=1e6)
    restart_s: float = Field(default=300.0, ge=0, le=86400)
    only: list[str] | None = Field(default=None, min_length=1)

    def tenant(self) -> Tenant:
        """The same as the physics takes it."""
        return Tenant(
            name=self.name,
            priority=self.priority,
            kind=self.kind,
            product=self.product,
            grouping=self.grouping,
            step_compute_s=self.step_compute_s,
            gradient_byte=self.gradient_gb * 1e9,
            checkpoint_interval_s=self.checkpoint_interval_s,
            restart_s=self.restart_s,
        )


class ScenarioKeys(StrictModel):
    """The whole file after `extends` has been followed."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=64)
    description: str = ""
    epoch: str = "now"
    seed: int = Field(default=1, ge=0, le=2**53)
    step_s: float = Field(default=1.0, gt=0, le=60)
    environment: EnvironmentKeys = EnvironmentKeys()
    fleet: list[Group] = Field(min_length=1, max_length=500)
    tenants: list[TenantKeys] = Field(default_factory=list, max_length=32)
    playback: bool = False
    faults: list[FaultKeys] = Field(default_factory=list, max_length=1000)

    @field_validator("fleet")
    @classmethod
    def _one_sky(cls, value: list[Group]) -> list[Group]:
        if len({group.on_moon for group in value}) > 1:
            raise ValueError("nodes on the Moon and satellites of the Earth need a scenario each")
        return value

    @field_validator("epoch")
    @classmethod
    def _instant(cls, value: str) -> str:
        if value != "now":
            parse_utc(value)
        return value


def parse_utc(text: str) -> datetime:
    """An ISO 8601 instant that says UTC. Raises ValueError with what is allowed."""
    years = f"from {EARLIEST.year} to {LATEST.year}"
    allowed = f"allowed: now, or ISO UTC such as 2026-04-30T12:00:00Z {years}"
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an instant; {allowed}") from None
    if instant.utcoffset() is None or instant.utcoffset():
        raise ValueError(f"{text!r} does not say UTC; {allowed}")
    if not EARLIEST <= instant <= LATEST:
        raise ValueError(f"{text!r} is out of range; {allowed}")
    return instant


def utc_text(epoch_unix_s: float) -> str:
    """2026-04-30T12:00:00Z"""
    return datetime.fromtimestamp(round(epoch_unix_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _names() -> dict[str, list[str]]:
    models: dict[str, type[BaseModel]] = {
        "environment": EnvironmentKeys,
        "space_weather": SpaceWeatherKeys,
        "events": EventKeys,
        "elements": ElementsKeys,
        "fleet": Group,
        "site": SiteKeys,
        "faults": FaultKeys,
        "overrides": PresetValues,
        "tenants": TenantKeys,
    }
    names = {key: list(model.model_fields) for key, model in models.items()}
    return {**ORBIT_NAMES, **names, "": [*ScenarioKeys.model_fields, "extends"]}


def _ranges() -> dict[str, str]:
    found = dict(ORBIT_RANGES)
    for model in (
        ScenarioKeys,
        EnvironmentKeys,
        SpaceWeatherKeys,
        EventKeys,
        ElementsKeys,
        Group,
        SiteKeys,
        TenantKeys,
        FaultKeys,
        PresetValues,
    ):
        found.update(allowed_ranges(model))
    return found


KEY_NAMES: Final = _names()
KEY_RANGES: Final = _ranges()
