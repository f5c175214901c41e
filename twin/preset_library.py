"""Presets and accelerator profiles that ship with the twin: find, resolve, explain.

A preset file holds `{value, source, confidence}` for every number; `extends` names another
preset and the chain ends at `defaults`. A variant is written `preset/variant`. Reads package data
only, and checks it as strictly as a user's file.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import Field, ValidationError

from twin.errors import ConfigurationError, Problem
from twin.located_yaml import Vocabulary, load_mapping, nearest, problems_of
from twin.orbit_spec import ORBIT_NAMES, ORBIT_RANGES, OrbitSpec
from twin.preset_values import PresetValues, StrictModel, allowed_ranges

ROOT = "defaults"
_NOT_PRESETS = ("sources", ROOT)


class Sourced(StrictModel):
    """One value and where it comes from."""

    value: bool | int | float | str
    source: str
    confidence: Literal["public", "memory", "assumption", "computed"]
    note: str = ""


class VariantFile(StrictModel):
    """What a variant changes."""

    title: str
    orbit: dict[str, dict[str, Sourced]] | None = None
    values: dict[str, Sourced] = Field(default_factory=dict)


class PresetFile(VariantFile):
    """One file of presets/."""

    status: str
    extends: str = ROOT
    reference: dict[str, Sourced] = Field(default_factory=dict)
    variants: dict[str, VariantFile] = Field(default_factory=dict)


class AcceleratorProfile(StrictModel):
    """One device of profiles/accelerators.yaml."""

    title: str
    vendor: Literal["nvidia", "google", "domestic"]
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
class PresetRow:
    """One line of `twin presets show`: a value, its bounds and its origin."""

    key: str
    value: bool | int | float | str
    allowed: str
    source: str
    source_text: str
    confidence: str
    note: str
    defined_in: str


@dataclass(frozen=True)
class Preset:
    """A preset with everything inherited."""

    name: str
    title: str
    status: str
    orbit: OrbitSpec
    values: PresetValues
    rows: tuple[PresetRow, ...]


@cache
def list_presets() -> tuple[str, ...]:
    """Names of all presets, variants as `preset/variant`, sorted."""
    names: list[str] = []
    for entry in resources.files("twin").joinpath("presets").iterdir():
        stem = entry.name.removesuffix(".yaml")
        if entry.name.endswith(".yaml") and stem not in _NOT_PRESETS:
            names.append(stem)
            names.extend(f"{stem}/{variant}" for variant in _preset_file(stem).variants)
    return tuple(sorted(names))


@cache
def sources() -> dict[str, str]:
    """Text of every source id that presets and profiles cite."""
    data, _ = load_mapping(_read("presets", "sources"), "twin/presets/sources.yaml")
    return {key: str(text) for key, text in data.items()}


@cache
def accelerator_profiles() -> dict[str, AcceleratorProfile]:
    """All accelerator profiles by name."""
    file = "twin/profiles/accelerators.yaml"
    data, places = load_mapping(_read("profiles", "accelerators"), file)
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
    stem, _, variant = name.partition("/")
    chain = _chain(stem)
    values: dict[str, tuple[Sourced, str]] = {}
    orbit: dict[str, dict[str, Sourced]] | None = None
    layers: list[tuple[str, VariantFile]] = [(one, _preset_file(one)) for one in chain]
    if variant:
        layers.append((name, _preset_file(stem).variants[variant]))
    for layer, content in layers:
        values.update({key: (one, layer) for key, one in content.values.items()})
        orbit = content.orbit or orbit
    return Preset(
        name=name,
        title=layers[-1][1].title,
        status=_preset_file(stem).status,
        orbit=_resolved_orbit(name, orbit or {}),
        values=_resolved_values(name, values),
        rows=_rows(stem, values, orbit or {}),
    )


def unknown_preset(name: str) -> str:
    """What to say of a name that is no preset."""
    return f"unknown preset {name!r}; {nearest(name, list(list_presets()))}"


def explain(name: str) -> tuple[PresetRow, ...]:
    """Every value of a preset with bounds, source and confidence, in the order of the schema."""
    return load_preset(name).rows


def _chain(stem: str) -> list[str]:
    """The preset and its ancestors, the root first. Raises ConfigurationError on a cycle."""
    chain = [stem]
    while chain[-1] != ROOT:
        parent = _preset_file(chain[-1]).extends
        if parent in chain:
            path = " -> ".join([*chain, parent])
            problem = Problem(f"twin/presets/{stem}.yaml", None, "extends", f"cycle: {path}")
            raise ConfigurationError([problem])
        chain.append(parent)
    return chain[::-1]


@cache
def _preset_file(stem: str) -> PresetFile:
    file = f"twin/presets/{stem}.yaml"
    data, places = load_mapping(_read("presets", stem), file)
    try:
        return PresetFile.model_validate(data)
    except ValidationError as error:
        words = Vocabulary({"": list(PresetFile.model_fields)})
        raise ConfigurationError(problems_of(error, places, words)) from None


def _read(folder: str, stem: str) -> str:
    return resources.files("twin").joinpath(folder, f"{stem}.yaml").read_text("utf-8")


def _resolved_values(name: str, values: dict[str, tuple[Sourced, str]]) -> PresetValues:
    try:
        return PresetValues.model_validate({key: one.value for key, (one, _) in values.items()})
    except ValidationError as error:
        raise _broken(name, error, "values") from None


def _resolved_orbit(name: str, orbit: dict[str, dict[str, Sourced]]) -> OrbitSpec:
    plain = {kind: {key: one.value for key, one in row.items()} for kind, row in orbit.items()}
    try:
        return OrbitSpec.model_validate(plain)
    except ValidationError as error:
        raise _broken(name, error, "orbit") from None


def _broken(name: str, error: ValidationError, part: str) -> ConfigurationError:
    words = Vocabulary(
        {"": list(PresetValues.model_fields), **ORBIT_NAMES},
        {**ORBIT_RANGES, **allowed_ranges(PresetValues)},
    )
    where = (f"twin/presets/{name.partition('/')[0]}.yaml ({part} of {name})", 1)
    return ConfigurationError(problems_of(error, {(): where}, words))


def _rows(
    stem: str, values: dict[str, tuple[Sourced, str]], orbit: dict[str, dict[str, Sourced]]
) -> tuple[PresetRow, ...]:
    ranges = allowed_ranges(PresetValues)
    rows = [
        _row(f"orbit.{kind}.{key}", one, ORBIT_RANGES.get(f"{kind}.{key}", ""), stem)
        for kind, fields in orbit.items()
        for key, one in fields.items()
    ]
    rows += [
        _row(key, values[key][0], ranges.get(key, ""), values[key][1])
        for key in PresetValues.model_fields
    ]
    reference = _preset_file(stem).reference.items()
    rows += [_row(f"reference.{key}", one, "", stem) for key, one in reference]
    return tuple(rows)


def _row(key: str, one: Sourced, allowed: str, layer: str) -> PresetRow:
    words = "; ".join(sources().get(part, "unknown source") for part in one.source.split(", "))
    return PresetRow(key, one.value, allowed, one.source, words, one.confidence, one.note, layer)
