"""The files of presets/: their form, their inheritance, and where every number comes from.

A number is written `{value, source, confidence, note}`. `extends` names another preset and the
chain ends at `defaults`; a variant is written `preset/variant`. Reads package data only, and
checks it as strictly as a user's file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, Literal

from pydantic import BaseModel, Field, ValidationError

from twin.errors import ConfigurationError, Problem
from twin.located_yaml import Vocabulary, load_mapping, problems_of
from twin.orbit_spec import ORBIT_RANGES
from twin.preset_values import StrictModel, allowed_ranges

ROOT: Final = "defaults"
_NOT_PRESETS: Final = ("sources", "launchers", "economics", ROOT)
Kind = Literal["fleet", "ground", "lunar"]


class Sourced(StrictModel):
    """One value and where it comes from."""

    value: bool | int | float | str
    source: str
    confidence: Literal["public", "memory", "assumption", "computed"]
    note: str = ""


OrbitFile = dict[str, dict[str, Sourced | list[dict[str, Sourced]]]]
"""generator -> key -> number; the rows of `shells` are a list of such mappings."""


class VariantFile(StrictModel):
    """What a variant changes."""

    title: str
    orbit: OrbitFile | None = None
    values: dict[str, Sourced] = Field(default_factory=dict)
    life: dict[str, Sourced] = Field(default_factory=dict)
    site: dict[str, Sourced] = Field(default_factory=dict)
    reference: dict[str, Sourced] = Field(default_factory=dict)


class PresetFile(VariantFile):
    """One file of presets/. `site` describes what stands on the ground or on the Moon."""

    status: str
    kind: Kind = "fleet"
    extends: str = ROOT
    variants: dict[str, VariantFile] = Field(default_factory=dict)


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


Layered = dict[str, tuple[Sourced, str]]
"""Numbers by key, each with the preset that set it."""


@cache
def preset_names(kind: Kind) -> tuple[str, ...]:
    """Names of all presets of a kind, variants as `preset/variant`, sorted."""
    names: list[str] = []
    for entry in resources.files("twin").joinpath("presets").iterdir():
        stem = entry.name.removesuffix(".yaml")
        if not entry.name.endswith(".yaml") or stem in _NOT_PRESETS:
            continue
        content = preset_file(stem)
        if content.kind == kind:
            names.append(stem)
            names.extend(f"{stem}/{variant}" for variant in content.variants)
    return tuple(sorted(names))


@cache
def sources() -> dict[str, str]:
    """Text of every source id that presets and profiles cite."""
    data, _ = load_mapping(package_text("presets", "sources"), "twin/presets/sources.yaml")
    return {key: str(text) for key, text in data.items()}


@cache
def preset_file(stem: str) -> PresetFile:
    """One checked file. Raises ConfigurationError with every fault in it."""
    file = f"twin/presets/{stem}.yaml"
    data, places = load_mapping(package_text("presets", stem), file)
    try:
        return PresetFile.model_validate(data)
    except ValidationError as error:
        words = Vocabulary({"": list(PresetFile.model_fields)})
        raise ConfigurationError(problems_of(error, places, words)) from None


def layers(name: str) -> list[tuple[str, VariantFile]]:
    """The preset, its ancestors and its variant, the root first.

    Raises ConfigurationError on a cycle of `extends`.
    """
    stem, _, variant = name.partition("/")
    chain = [stem]
    while chain[-1] != ROOT:
        parent = preset_file(chain[-1]).extends
        if parent in chain:
            path = " -> ".join([*chain, parent])
            problem = Problem(f"twin/presets/{stem}.yaml", None, "extends", f"cycle: {path}")
            raise ConfigurationError([problem])
        chain.append(parent)
    found: list[tuple[str, VariantFile]] = [(one, preset_file(one)) for one in chain[::-1]]
    if variant:
        found.append((name, preset_file(stem).variants[variant]))
    return found


def layered(name: str, section: Literal["values", "life", "site"]) -> Layered:
    """Every number of a section after inheritance, with the preset that set it."""
    found: Layered = {}
    for layer, content in layers(name):
        numbers: dict[str, Sourced] = getattr(content, section)
        found.update({key: (one, layer) for key, one in numbers.items()})
    return found


def layered_orbit(name: str) -> tuple[OrbitFile, str]:
    """The nearest orbit of the chain and the preset that gave it."""
    for layer, content in reversed(layers(name)):
        if content.orbit:
            return content.orbit, layer
    return {}, name


def plain_orbit(orbit: OrbitFile) -> dict[str, dict[str, object]]:
    """The orbit without its sources, as a scenario would write it."""

    def plain(one: Sourced | list[dict[str, Sourced]]) -> object:
        if isinstance(one, Sourced):
            return one.value
        return [{key: number.value for key, number in row.items()} for row in one]

    return {kind: {key: plain(one) for key, one in row.items()} for kind, row in orbit.items()}


def section_rows(prefix: str, model: type[BaseModel], numbers: Layered) -> list[PresetRow]:
    """Rows of a section in the order of its schema."""
    ranges = allowed_ranges(model)
    return [
        _row(prefix + key, numbers[key][0], ranges.get(key, ""), numbers[key][1])
        for key in model.model_fields
        if key in numbers
    ]


def orbit_rows(orbit: OrbitFile, layer: str) -> list[PresetRow]:
    """One row per number of an orbit."""
    rows: list[PresetRow] = []
    for kind, fields in orbit.items():
        for key, one in fields.items():
            for at, number in _leaves(key, one):
                spec = f"rows.{at.rpartition('.')[2]}" if "." in at else f"{kind}.{at}"
                rows.append(_row(f"orbit.{kind}.{at}", number, ORBIT_RANGES.get(spec, ""), layer))
    return rows


def reference_rows(name: str) -> list[PresetRow]:
    """What the preset quotes beside its values, such as computed eclipse times; not inherited."""
    stem, _, variant = name.partition("/")
    content = preset_file(stem)
    numbers = {key: (one, stem) for key, one in content.reference.items()}
    if variant:
        own = content.variants[variant].reference
        numbers.update({key: (one, name) for key, one in own.items()})
    return [_row(f"reference.{key}", one, "", layer) for key, (one, layer) in numbers.items()]


def plain_values(numbers: Mapping[str, tuple[Sourced, str]]) -> dict[str, object]:
    """A section without its sources."""
    return {key: one.value for key, (one, _) in numbers.items()}


def package_text(folder: str, stem: str) -> str:
    """Text of a YAML file shipped inside the package."""
    return resources.files("twin").joinpath(folder, f"{stem}.yaml").read_text("utf-8")


def _leaves(key: str, one: Sourced | list[dict[str, Sourced]]) -> Iterator[tuple[str, Sourced]]:
    if isinstance(one, Sourced):
        yield key, one
        return
    for index, row in enumerate(one):
        yield from ((f"{key}.{index}.{name}", number) for name, number in row.items())


def _row(key: str, one: Sourced, allowed: str, layer: str) -> PresetRow:
    words = "; ".join(sources().get(part, "unknown source") for part in one.source.split(", "))
    return PresetRow(key, one.value, allowed, one.source, words, one.confidence, one.note, layer)
