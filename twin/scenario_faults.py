"""Faults that a scenario plans, key by key, and how they become faults of the physics."""

from collections.abc import Sequence

from pydantic import Field

from twin.errors import Problem, TwinError
from twin.fault_kinds import UnknownFaultError
from twin.faults import Fault, FaultError, FaultPlan, planned
from twin.located_yaml import Location, Places, dotted, place_of
from twin.preset_values import StrictModel
from twin.state import Fleet


class FaultKeys(StrictModel):
    """One planned fault; what is left out is the catalogue's (`twin faults show KIND`)."""

    kind: str = Field(min_length=1, max_length=64)
    onset_s: float = Field(ge=0, le=1e10)
    ramp_s: float | None = Field(default=None, ge=0, le=1e10)
    duration_s: float | None = Field(default=None, gt=0, le=1e10)
    severity: float | None = Field(default=None, ge=0, le=1)
    satellites: tuple[str, ...] = Field(default=(), strict=False)
    planes: tuple[str, ...] = Field(default=(), strict=False)
    presets: tuple[str, ...] = Field(default=(), strict=False)
    groups: tuple[str, ...] = Field(default=(), strict=False)
    fraction: float | None = Field(default=None, gt=0, le=1)
    mode: str | None = None
    channel: str | None = None
    size: float | None = None


def scenario_faults(
    keys: Sequence[FaultKeys], places: Places
) -> tuple[tuple[Fault, ...], list[Problem]]:
    """The faults of a scenario, or what is wrong with them, located."""
    faults, problems = [], []
    for index, one in enumerate(keys):
        given = {name: value for name, value in one.model_dump().items() if value is not None}
        kind = given.pop("kind")
        try:
            faults.append(planned(kind, id=str(index), **given))
        except UnknownFaultError as error:
            problems.append(_problem(("faults", index, "kind"), str(error), places))
        except FaultError as error:
            problems.append(_problem(("faults", index, error.key), error.message, places))
    return tuple(faults), problems


def target_problems(
    faults: Sequence[Fault], fleet: Fleet, seed: int, places: Places
) -> list[Problem]:
    """Faults on satellites, planes, presets or groups that are not in the fleet, located."""
    problems = []
    for index, fault in enumerate(faults):
        try:
            FaultPlan(fleet, seed).with_fault(fault)
        except TwinError as error:
            key = error.key if isinstance(error, FaultError) else "kind"
            message = error.message if isinstance(error, FaultError) else str(error)
            problems.append(_problem(("faults", index, key), message, places))
    return problems


def _problem(at: Location, message: str, places: Places) -> Problem:
    return Problem(*place_of(at, places), dotted(at), message)
