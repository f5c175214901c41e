"""Commands that arrive over MQTT: checked at the door, answered with an event."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from twin.state import Fleet


class Command(BaseModel):
    """What an operator may ask of a satellite, a plane or the whole fleet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")
    command: Literal["limit_compute"]
    value: float = Field(ge=0.0, le=1.0, description="payload power allowed, share of its peak")


class CommandRefusedError(ValueError):
    """A command that cannot be carried out; the text says why."""


def read_command(payload: bytes) -> Command:
    """A command from its JSON. Raises CommandRefusedError."""
    try:
        return Command.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "command"
        raise CommandRefusedError(f"{key}: {first['msg']}") from None


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
