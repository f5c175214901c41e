"""What a user changes in presets and inputs, by `--set key=value` and by files of such keys."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import yaml
from pydantic import BaseModel, ValidationError

from services.scenario_files import read_text
from twin.economic_inputs import EconomicInputs, economic_inputs
from twin.errors import ConfigurationError, Problem
from twin.life_values import LifeValues
from twin.located_yaml import Vocabulary, load_mapping, nearest, problems_of
from twin.preset_library import Model
from twin.preset_values import PresetValues, allowed_ranges

_SECTIONS: tuple[type[BaseModel], ...] = (PresetValues, LifeValues, EconomicInputs)


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
    known = [key for model in _SECTIONS for key in model.model_fields]
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
