"""Scenario files on disk: find by name or path, read with a size cap, load and build."""

from pathlib import Path
from typing import Final

from twin.errors import ConfigurationError, Problem
from twin.located_yaml import MAX_YAML_BYTES
from twin.scenario import FleetBuild, Scenario, build_fleet, load_scenario

MAX_ELEMENTS_BYTES: Final = 256 * 1024 * 1024
"""Element files: a million three-line sets are 160 MB."""
SCENARIO_FOLDER: Final = Path(__file__).resolve().parent.parent / "scenarios"
_SUFFIXES: Final = (".yaml", ".yml")


def read_text(path: str) -> str:
    """Text of a file, UTF-8, at most MAX_YAML_BYTES for YAML and MAX_ELEMENTS_BYTES for others.

    Raises OSError where it cannot be read and ValueError where it is too large or not UTF-8.
    """
    limit = MAX_YAML_BYTES if path.endswith(_SUFFIXES) else MAX_ELEMENTS_BYTES
    with Path(path).open("rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"larger than the {limit // 1024} KiB allowed")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text at byte {error.start}") from None


def find_scenario(name_or_path: str, folder: Path = SCENARIO_FOLDER) -> str:
    """Path of a scenario: as given, else in the repository's `scenarios/`, `.yaml` optional.

    Raises ConfigurationError that lists what there is.
    """
    given = Path(name_or_path)
    candidates = [given, folder / given.name, folder / f"{given.name}.yaml"]
    if given.suffix not in _SUFFIXES:
        candidates.insert(1, given.with_name(f"{given.name}.yaml"))
    for candidate in candidates:
        if candidate.is_file():
            return _shown(candidate)
    known = ", ".join(list_scenarios(folder)) or "none"
    message = f"no such scenario; in {_shown(folder)}: {known}"
    raise ConfigurationError([Problem(name_or_path, None, "", message)])


def list_scenarios(folder: Path = SCENARIO_FOLDER) -> list[str]:
    """Names of the scenarios in a folder."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_and_build(name_or_path: str, epoch_unix_s: float) -> tuple[Scenario, FleetBuild]:
    """A scenario by name or path and its fleet at its epoch (`epoch_unix_s` where it says now).

    Raises ConfigurationError with all problems.
    """
    scenario = load_scenario(find_scenario(name_or_path), read_text)
    return scenario, build_fleet(scenario, epoch_unix_s, read_text)


def _shown(path: Path) -> str:
    """Relative to the working directory where it lies below it: shorter in messages."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
