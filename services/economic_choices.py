"""What a user changes in presets and inputs, by `--set key=value` and by files of such keys."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import yaml
from pydantic import BaseModel, ValidationError

from services.scenario_files import read_text
from twin.economic_inputs import EconomicInputs, economic_inputs, economics_file
from twin.errors import ConfigurationError, Problem
from twin.launchers import Launcher, LauncherValues, launcher
from twin.life_values import LifeValues
from twin.located_yaml import Vocabulary, load_mapping, nearest, problems_of
from twin.preset_library import Model
from twin.preset_values import PresetValues, allowed_ranges
from twin.site_presets import GroundPreset, GroundSite

_SECTIONS: tuple[type[BaseModel], ...] = (
    PresetValues,
    LifeValues,
    LauncherValues,
    EconomicInputs,
)
GROUND = "ground."  # before a key of a ground site: ground.pue


def _known_keys() -> list[str]:
    """All that may be changed: presets, launcher, inputs, ground sites, ends of distributions."""
    ends = [f"{name}.{end}" for name in economics_file().distributions for end in ("low", "high")]
    sites = [GROUND + key for key in GroundSite.model_fields]
    return [*(key for model in _SECTIONS for key in model.model_fields), *sites, *ends]


def gathered_changes(pairs: Sequence[str], file: str | None) -> dict[str, object]:
    """Keys of a file, then those of `--set`, which win. Raises ConfigurationError."""
    changes: dict[str, object] = {}
    if file is not None:
        try:
            text = read_text(file)
        except (OSError, ValueError) as error:
            raise ConfigurationError([Problem(file, None, "", str(error))]) from None
        changes.update(load_mapping(text, file)[0])
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not value:
            raise ConfigurationError([Problem("--set", None, pair, "must be key=value")])
        changes[key.strip()] = yaml.safe_load(value)
    known = _known_keys()
    wrong = [
        Problem("--set" if file is None else file, None, key, f"unknown key; {nearest(key, known)}")
        for key in changes
        if key not in known
    ]
    if wrong:
        raise ConfigurationError(wrong)
    return changes


def changed_sections(
    values: PresetValues, life: LifeValues, changes: Mapping[str, object]
) -> tuple[PresetValues, LifeValues, EconomicInputs]:
    """The three sections with the changes applied. Raises ConfigurationError out of bounds."""
    own = {key: one for key, one in changes.items() if key in EconomicInputs.model_fields}
    return _changed(values, changes), _changed(life, changes), economic_inputs(own, "--set")


def chosen_launcher(
    life: LifeValues, vehicle: str | None, changes: Mapping[str, object]
) -> tuple[Launcher, LifeValues]:
    """The launcher with the changes applied; another than the preset's is loaded by mass."""
    chosen = launcher(vehicle or life.launcher)
    if vehicle is not None and "satellites_per_launch" not in changes:
        life = life.model_copy(update={"satellites_per_launch": 0})
    return replace(chosen, values=_changed(chosen.values, changes)), life


def changed_site(preset: GroundPreset, changes: Mapping[str, object]) -> GroundPreset:
    """A ground site with every `ground.KEY` applied."""
    own = {key[len(GROUND) :]: one for key, one in changes.items() if key.startswith(GROUND)}
    return replace(preset, site=_changed(preset.site, own))


def changed_ends(changes: Mapping[str, object]) -> dict[str, float]:
    """Ends of distributions, `NAME.low` and `NAME.high`. Raises ConfigurationError."""
    ends: dict[str, float] = {}
    for key, one in changes.items():
        if key.startswith(GROUND) or "." not in key:
            continue
        if isinstance(one, bool) or not isinstance(one, int | float) or not 0 < one < 1e6:
            message = f"{one!r} is out of range; allowed above 0 to 1,000,000"
            raise ConfigurationError([Problem("--set", None, key, message)])
        ends[key] = float(one)
    return ends


def parsed_shares(pairs: Sequence[str]) -> dict[str, float]:
    """`name=share` of each tenant. Raises ConfigurationError for what is not a number."""
    shares = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            shares[name] = float(text)
        except ValueError:
            message = f"must be name=share with a share from 0 to 1, got {pair!r}"
            raise ConfigurationError([Problem("--tenant", None, name, message)]) from None
    return shares


def _changed(section: Model, changes: Mapping[str, object]) -> Model:
    own = {key: one for key, one in changes.items() if key in type(section).model_fields}
    try:
        return type(section).model_validate({**section.model_dump(), **own})
    except ValidationError as error:
        words = Vocabulary({"": list(own)}, allowed_ranges(type(section)))
        found = problems_of(error, {(): ("--set", 1)}, words)
        raise ConfigurationError([replace(one, line=None) for one in found]) from None
