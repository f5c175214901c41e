"""Presets of what does not orbit the Earth: data centres on the ground, a node on the Moon.

Same files, same rule: every number with value, source and confidence.
"""

from dataclasses import dataclass
from functools import cache

from pydantic import Field

from twin.errors import ConfigurationError, Problem
from twin.life_values import LifeValues
from twin.located_yaml import nearest
from twin.preset_files import (
    Kind,
    PresetRow,
    layered,
    layers,
    plain_values,
    preset_file,
    preset_names,
    reference_rows,
    section_rows,
)
from twin.preset_library import Preset, load_preset, resolved
from twin.preset_values import PresetValues, StrictModel


class GroundSite(StrictModel):
    """One data centre, in operators' units."""

    it_power_mw: float = Field(gt=0, le=1e5, description="servers, without cooling")
    pue: float = Field(ge=1, le=3, description="whole site over servers")
    water_litre_per_kwh: float = Field(ge=0, le=20, description="used up per kWh of the servers")
    land_acre: float = Field(gt=0, le=1e6, description="the whole campus")
    accelerator: str = Field(min_length=1, description="name in profiles/accelerators.yaml")
    accel_count: int = Field(ge=1, le=100_000_000, description="accelerators of the site")
    facility_life_year: float = Field(gt=0, le=100, description="building and plant")
    facility_usd_per_w: float = Field(ge=0, le=1000, description="building and plant, no servers")
    energy_usd_per_kw_year: float = Field(ge=0, le=100_000, description="per kW drawn all year")
    server_usd_per_kw_year: float = Field(ge=0, le=1e6, description="servers, written off evenly")


class LunarSite(StrictModel):
    """A node on the lunar surface, in operators' units."""

    latitude_deg: float = Field(ge=-90, le=90, description="selenographic")
    longitude_deg: float = Field(ge=-180, le=180, description="selenographic, east")
    storage_tb: float = Field(ge=0, le=1e6, description="of the node")
    surface_day_k: float = Field(ge=100, le=450, description="regolith, Sun overhead")
    surface_night_k: float = Field(ge=30, le=300, description="regolith before sunrise")
    regolith_emissivity: float = Field(ge=0.01, le=1, description="infrared")
    regolith_albedo: float = Field(ge=0, le=1, description="solar")


@dataclass(frozen=True)
class GroundPreset:
    """A site on the ground with everything inherited."""

    name: str
    title: str
    status: str
    site: GroundSite
    rows: tuple[PresetRow, ...]


@dataclass(frozen=True)
class LunarPreset:
    """A node on the Moon: a satellite's values on a site."""

    name: str
    title: str
    status: str
    site: LunarSite
    values: PresetValues
    life: LifeValues
    rows: tuple[PresetRow, ...]


@cache
def load_ground(name: str) -> GroundPreset:
    """A site on the ground. Raises ConfigurationError for an unknown name or a faulty file."""
    _known(name, "ground")
    site = layered(name, "site")
    return GroundPreset(
        name=name,
        title=layers(name)[-1][1].title,
        status=preset_file(name.partition("/")[0]).status,
        site=resolved(name, "site", GroundSite, plain_values(site)),
        rows=(*section_rows("site.", GroundSite, site), *reference_rows(name)),
    )


@cache
def load_lunar(name: str) -> LunarPreset:
    """A node on the Moon. Raises ConfigurationError for an unknown name or a faulty file."""
    _known(name, "lunar")
    site, values, life = layered(name, "site"), layered(name, "values"), layered(name, "life")
    rows = [
        *section_rows("site.", LunarSite, site),
        *section_rows("", PresetValues, values),
        *section_rows("life.", LifeValues, life),
        *reference_rows(name),
    ]
    return LunarPreset(
        name=name,
        title=layers(name)[-1][1].title,
        status=preset_file(name.partition("/")[0]).status,
        site=resolved(name, "site", LunarSite, plain_values(site)),
        values=resolved(name, "values", PresetValues, plain_values(values)),
        life=resolved(name, "life", LifeValues, plain_values(life)),
        rows=tuple(rows),
    )


def orbiting_or_lunar(name: str) -> Preset | LunarPreset:
    """What a scenario can name: a fleet in orbit or a node on the Moon."""
    return load_lunar(name) if name in preset_names("lunar") else load_preset(name)


def _known(name: str, kind: Kind) -> None:
    names = preset_names(kind)
    if name not in names:
        message = f"unknown {kind} preset {name!r}; {nearest(name, list(names))}"
        raise ConfigurationError([Problem("presets", None, name, message)])
