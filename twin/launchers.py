"""The launchers that ship with the twin, from presets/launchers.yaml."""

from dataclasses import dataclass
from functools import cache

from pydantic import Field, ValidationError

from twin.errors import ConfigurationError, Problem
from twin.located_yaml import Vocabulary, load_mapping, nearest, problems_of
from twin.preset_files import Sourced, package_text
from twin.preset_values import StrictModel

_FILE = "twin/presets/launchers.yaml"


class LauncherFile(StrictModel):
    """One launcher as the file gives it."""

    title: str
    payload_kg: Sourced
    usd_per_kg: Sourced
    loss_pct: Sourced
    stand_down_day: Sourced


class LauncherValues(StrictModel):
    """The same without its sources, checked."""

    payload_kg: float = Field(gt=0, le=1e6)
    usd_per_kg: float = Field(ge=0, le=1e6)
    loss_pct: float = Field(ge=0, le=99)
    stand_down_day: float = Field(ge=0, le=3650)


@dataclass(frozen=True)
class Launcher:
    """A launcher with its numbers and where they come from."""

    name: str
    title: str
    values: LauncherValues
    sourced: LauncherFile


@cache
def launchers() -> dict[str, Launcher]:
    """All launchers by name. Raises ConfigurationError with every fault of the file."""
    data, places = load_mapping(package_text("presets", "launchers"), _FILE)
    found: dict[str, Launcher] = {}
    problems: list[Problem] = []
    for name, fields in data.items():
        try:
            one = LauncherFile.model_validate(fields)
            numbers = {key: getattr(one, key).value for key in LauncherValues.model_fields}
            found[name] = Launcher(name, one.title, LauncherValues.model_validate(numbers), one)
        except ValidationError as error:
            below = {place[1:]: where for place, where in places.items() if place[:1] == (name,)}
            problems.extend(problems_of(error, below, Vocabulary()))
    if problems:
        raise ConfigurationError(problems)
    return found


def launcher(name: str) -> Launcher:
    """One launcher. Raises ConfigurationError for an unknown name, with the nearest."""
    if name not in launchers():
        message = f"unknown launcher {name!r}; {nearest(name, list(launchers()))}"
        raise ConfigurationError([Problem("launchers", None, name, message)])
    return launchers()[name]
