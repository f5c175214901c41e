"""Drill files on disk: find by name or path, load against the rules there are."""

from pathlib import Path
from typing import Final

from services.scenario_files import read_text
from twin.alerts import RULES
from twin.drill_load import Drill, load_drill
from twin.errors import ConfigurationError, Problem
from twin.fleet_build import FleetBuild, build_fleet
from twin.located_yaml import nearest

DRILL_FOLDER: Final = Path(__file__).resolve().parent.parent / "drills"
_SUFFIXES: Final = (".yaml", ".yml")


def list_drills(folder: Path = DRILL_FOLDER) -> list[str]:
    """Names of the drills in a folder."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def find_drill(name_or_path: str, folder: Path = DRILL_FOLDER) -> str:
    """Path of a drill: as given, else in the repository's `drills/`, `.yaml` optional.

    Raises ConfigurationError with a hint.
    """
    given = Path(name_or_path)
    for candidate in (given, folder / f"{given.stem}.yaml"):
        if candidate.suffix in _SUFFIXES and candidate.is_file():
            try:
                return str(candidate.resolve().relative_to(Path.cwd()))
            except ValueError:
                return str(candidate)
    message = f"no such drill; {nearest(given.stem, list_drills(folder))}"
    raise ConfigurationError([Problem(name_or_path, None, "", message)])


def open_drill(name_or_path: str) -> tuple[Drill, FleetBuild]:
    """A drill and its fleet. Raises ConfigurationError with all problems, located."""
    drill = load_drill(find_drill(name_or_path), read_text, [rule.name for rule in RULES])
    epoch_unix_s = drill.scenario.epoch_unix_s
    assert epoch_unix_s is not None
    return drill, build_fleet(drill.scenario, epoch_unix_s, read_text)
