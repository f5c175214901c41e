"""Commands that arrive over MQTT: checked at the door, answered with an event."""

import math
from typing import Annotated, Final, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from twin.errors import TwinError
from twin.fault_kinds import FaultKind, fault_kind
from twin.faults import Fault, FaultPlan, planned
from twin.state import Fleet

_SAFE_MODE: Final = "A2"  # the catalogue's safe mode: the same on command and by fault detection


class _Command(BaseModel):
    """What every command carries."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")
    at_s: float | None = Field(
        default=None, ge=0.0, le=1e10, description="when to act, after the epoch; now if not given"
    )

    def due_s(self, elapsed_s: float) -> float:
        """When it acts. Raises CommandRefusedError for an instant that is past."""
        due_s = elapsed_s if self.at_s is None else self.at_s
        if due_s < elapsed_s:
            raise CommandRefusedError(
                f"at_s: {due_s:g} is in the past; allowed {elapsed_s:g} to 1e+10"
            )
        return due_s


class LimitCompute(_Command):
    """Limit the payload's power."""

    command: Literal["limit_compute"]
    value: float = Field(ge=0.0, le=1.0, description="payload power allowed, share of its peak")


class Inject(_Command):
    """Start a fault now; what is left out is the catalogue's."""

    command: Literal["inject"]
    fault: str = Field(min_length=1, max_length=64)
    severity: float | None = Field(default=None, ge=0.0, le=1.0)
    duration_s: float | None = Field(default=None, gt=0.0, le=1e10)
    ramp_s: float | None = Field(default=None, ge=0.0, le=1e10)
    fraction: float | None = Field(default=None, gt=0.0, le=1.0)
    mode: str | None = Field(default=None, max_length=64)
    channel: str | None = Field(default=None, max_length=64)
    size: float | None = None

    def planned_at(self, elapsed_s: float) -> Fault:
        """The fault, from this instant on or from `at_s`. Raises CommandRefusedError."""
        given = self.model_dump(exclude={"id", "command", "fault", "at_s"}, exclude_none=True)
        onset_s = self.due_s(elapsed_s)
        try:
            return planned(self.fault, onset_s=onset_s, id=self.id, **given)
        except TwinError as error:
            raise CommandRefusedError(str(error)) from None


class Heal(_Command):
    """End the faults of one kind now; what they damaged for good stays."""

    command: Literal["heal"]
    fault: str = Field(min_length=1, max_length=64)


class SafeMode(_Command):
    """Enter safe mode (payload off, beacon only) or leave it, also where a fault has caused it."""

    command: Literal["safe_mode"]
    value: bool = Field(description="true: enter, false: leave, in stages")


class SetLimits(_Command):
    """Judge health by other limits than the dictionary's; from the operator's file alone."""

    command: Literal["set_limits"]
    limits: dict[str, dict[str, float | None]]


class ScenarioCopy(BaseModel):
    """A scenario's files as they were: path -> SHA-256 of the text, kept beside the log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    digest: str
    files: dict[str, str]


class ChangeFleet(_Command):
    """Go on with the fleet of another scenario file; from the operator's file alone."""

    command: Literal["change_fleet"]
    began_as: ScenarioCopy  # what the run was started with: names it
    scenario: ScenarioCopy


Command = LimitCompute | Inject | Heal | SafeMode
"""What an operator may ask of a satellite, a plane or the whole fleet."""


AnyModel = TypeVar("AnyModel", bound=BaseModel)


class _AnyCommand(RootModel[Annotated[Command, Field(discriminator="command")]]):
    """Whichever command the key `command` names."""


class CommandRefusedError(ValueError):
    """A command that cannot be carried out; the text says why."""


Order = Command | SetLimits | ChangeFleet


class _AnyOrder(RootModel[Annotated[Order, Field(discriminator="command")]]):
    """Whatever a run keeps of what it was told."""


def read_order(payload: bytes) -> Order:
    """A command as a run has kept it. Raises CommandRefusedError."""
    return _read(_AnyOrder, payload).root


def read_command(payload: bytes) -> Command:
    """A command from its JSON. Raises CommandRefusedError."""
    return _read(_AnyCommand, payload).root


def _read(kind: type[AnyModel], payload: bytes) -> AnyModel:
    try:
        return kind.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "command"
        raise CommandRefusedError(f"{key}: {first['msg']}") from None


def obeyed_plan(
    plan: FaultPlan, command: Inject | Heal | SafeMode, rows: list[int], elapsed_s: float
) -> FaultPlan:
    """The plan of faults after a command on these rows. Raises CommandRefusedError."""
    where = np.asarray(rows, dtype=np.int64)
    if isinstance(command, Inject):
        return plan.with_fault_on(command.planned_at(elapsed_s), where)
    if isinstance(command, SafeMode):
        if command.value:
            held = planned(_SAFE_MODE, onset_s=elapsed_s, duration_s=math.inf, id=command.id)
            return plan.with_fault_on(held, where)
        command = Heal(id=command.id, command="heal", fault=_SAFE_MODE)
    kind = known_kind(command.fault)
    if not plan.is_on(kind, where, elapsed_s):
        raise CommandRefusedError(f"fault: no {kind.id} is on there")
    return plan.healed(kind, where, elapsed_s)


def known_kind(fault: str) -> FaultKind:
    """A fault of the catalogue by id or name. Raises CommandRefusedError."""
    try:
        return fault_kind(fault)
    except TwinError as error:
        raise CommandRefusedError(str(error)) from None


def target_rows(fleet: Fleet, target: str) -> list[int]:
    """Rows of a satellite id, a plane, or `all`. Raises CommandRefusedError for an unknown one."""
    if target == "all":
        return list(range(fleet.count))
    rows = [
        row
        for row, (satellite, plane) in enumerate(
            zip(fleet.satellite_ids, fleet.planes, strict=True)
        )
        if target in {satellite, plane}
    ]
    if not rows:
        raise CommandRefusedError(f"target: no satellite or plane {target!r} in {fleet.name}")
    return rows
