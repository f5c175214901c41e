"""Presets and accelerator profiles that ship with the twin: find, resolve, explain.

A preset has every number of `PresetValues` and `LifeValues`, inherited or its own, and an orbit;
its file is described in `twin.preset_files`. What stands on the ground or on the Moon is in
`twin.site_presets`.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeVar

from pydantic import BaseModel, ValidationError

from twin.errors import ConfigurationError, Problem
from twin.life_values import LifeValues
from twin.located_yaml import Vocabulary, load_mapping, nearest, problems_of
from twin.orbit_spec import ORBIT_NAMES, ORBIT_RANGES, OrbitSpec
from twin.preset_files import (
    PresetRow,
    Sourced,
    layered,
    layered_orbit,
    layers,
    orbit_rows,
    package_text,
    plain_orbit,
    plain_values,
    preset_file,
    preset_names,
    reference_rows,
    section_rows,
    sources,
)
from twin.preset_values import PresetValues, StrictModel, allowed_ranges

__all__ = [
    "AcceleratorProfile",
    "Preset",
    "PresetRow",
    "Sourced",
    "accelerator_profiles",
    "explain",
    "list_presets",
    "load_preset",
    "sources",
    "unknown_preset",
]

Model = TypeVar("Model", bound=BaseModel)


class AcceleratorProfile(StrictModel):
    """One device of profiles/accelerators.yaml."""

    title: str
    vendor: Literal["nvidia", "google", "domestic", "none"]
    note: str = ""
    tdp_w: Sourced
    idle_w: Sourced
    tokens_per_s: Sourced
    memory_gb: Sourced
    clock_mhz: Sourced
    throttle_c: Sourced
    trip_c: Sourced
    see_sensitivity_frac: Sourced


@dataclass(frozen=True)
class Preset:
    """A fleet's preset with everything inherited."""

    name: str
    title: str
    status: str
    orbit: OrbitSpec
    values: PresetValues
    life: LifeValues
    rows: tuple[PresetRow, ...]


def list_presets() -> tuple[str, ...]:
    """Names of all fleets, variants as `preset/variant`, sorted."""
    return preset_names("fleet")


@cache
def accelerator_profiles() -> dict[str, AcceleratorProfile]:
    """All accelerator profiles by name."""
    file = "twin/profiles/accelerators.yaml"
    data, places = load_mapping(package_text("profiles", "accelerators"), file)
    found, problems = {}, []
    for name, fields in data.items():
        try:
            found[name] = AcceleratorProfile.model_validate(fields)
        except ValidationError as error:
            below = {place[1:]: where for place, where in places.items() if place[:1] == (name,)}
            problems.extend(problems_of(error, below, Vocabulary()))
    if problems:
        raise ConfigurationError(problems)
    return found


@cache
def load_preset(name: str) -> Preset:
    """A preset or `preset/variant` with all that it inherits.

    Raises ConfigurationError for an unknown name (the message says the nearest) and for a fault
    in a preset file.
    """
    if name not in list_presets():
        raise ConfigurationError([Problem("presets", None, name, unknown_preset(name))])
    stem = name.partition("/")[0]
    values, life = layered(name, "values"), layered(name, "life")
    orbit, orbit_layer = layered_orbit(name)
    rows = [
        *orbit_rows(orbit, orbit_layer),
        *section_rows("", PresetValues, values),
        *section_rows("life.", LifeValues, life),
        *reference_rows(name),
    ]
    return Preset(
        name=name,
        title=layers(name)[-1][1].title,
        status=preset_file(stem).status,
        orbit=resolved(name, "orbit", OrbitSpec, plain_orbit(orbit)),
        values=resolved(name, "values", PresetValues, plain_values(values)),
        life=resolved(name, "life", LifeValues, plain_values(life)),
        rows=tuple(rows),
    )


def unknown_preset(name: str) -> str:
    """What to say of a name that is no fleet's preset."""
    if name in preset_names("ground"):
        return f"{name!r} is a site on the ground, not a fleet in orbit; see `twin economics`"
    if name in preset_names("lunar"):
        return f"{name!r} is a node on the Moon, not a fleet in orbit; see scenario lunar-node"
    return f"unknown preset {name!r}; {nearest(name, list(list_presets()))}"


def explain(name: str) -> tuple[PresetRow, ...]:
    """Every value of a preset with bounds, source and confidence, in the order of the schema."""
    return load_preset(name).rows


def resolved(name: str, part: str, model: type[Model], plain: object) -> Model:
    """A checked section of a preset. Raises ConfigurationError naming the file and the part."""
    try:
        return model.model_validate(plain)
    except ValidationError as error:
        words = Vocabulary(
            {"": list(model.model_fields), **ORBIT_NAMES},
            {**ORBIT_RANGES, **allowed_ranges(model)},
        )
        where = (f"twin/presets/{name.partition('/')[0]}.yaml ({part} of {name})", 1)
        raise ConfigurationError(problems_of(error, {(): where}, words)) from None
