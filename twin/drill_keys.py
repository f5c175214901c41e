"""What a drill file may say, key by key, with its bounds. Meaning: docs/drills.md.

Times are seconds of simulated time from the start of the run; `after_s` and `within_s` count from
the moment that a key names.
"""

from typing import Any, Final, Literal

from pydantic import Field, model_validator

from twin.preset_values import StrictModel, allowed_ranges
from twin.scenario_faults import FaultKeys
from twin.scenario_model import KEY_NAMES, KEY_RANGES

LONGEST_RUN_S: Final = 60.0 * 86400.0  # two months: assumption
_NAME: Final = r"^[a-z][a-z0-9-]*$"
_ID: Final = r"^[A-Za-z][A-Za-z0-9_-]*$"

Words = tuple[str, ...]


class InjectKeys(StrictModel):
    """One thing that is broken: a fault of the physics, or one of the pipeline."""

    id: str = Field(pattern=_ID, max_length=64)
    fault: str | None = Field(default=None, min_length=1, max_length=64)
    pipeline: str | None = Field(default=None, min_length=1, max_length=64)
    at_s: float = Field(ge=0, le=LONGEST_RUN_S)
    ramp_s: float | None = Field(default=None, ge=0, le=1e10)
    duration_s: float | None = Field(default=None, gt=0, le=1e10)
    severity: float | None = Field(default=None, ge=0, le=1)
    satellites: Words = Field(default=(), strict=False)
    planes: Words = Field(default=(), strict=False)
    presets: Words = Field(default=(), strict=False)
    groups: Words = Field(default=(), strict=False)
    fraction: float | None = Field(default=None, gt=0, le=1)
    mode: str | None = None
    channel: str | None = None
    size: float | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "InjectKeys":
        if (self.fault is None) == (self.pipeline is None):
            raise ValueError("give fault (of the catalogue) or pipeline, one of the two")
        return self

    def fault_keys(self) -> FaultKeys:
        """The same as a scenario plans it."""
        given = self.model_dump(exclude={"id", "fault", "pipeline", "at_s"})
        return FaultKeys(kind=self.fault or "", onset_s=self.at_s, **given)


class ActionKeys(StrictModel):
    """What an operator does, as `twin send` would."""

    at_s: float = Field(ge=0, le=LONGEST_RUN_S)
    target: str = Field(min_length=1, max_length=128, description="satellite, plane or all")
    limit_compute: float | None = Field(default=None, ge=0, le=1)
    heal: str | None = Field(default=None, min_length=1, max_length=64)
    safe_mode: bool | None = None

    @model_validator(mode="after")
    def _one_command(self) -> "ActionKeys":
        given = [name for name in COMMANDS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one command; allowed: {', '.join(COMMANDS)}")
        return self

    def command(self) -> dict[str, Any]:
        """The command's JSON as services/commands.py reads it, less its id."""
        if self.limit_compute is not None:
            return {"command": "limit_compute", "value": self.limit_compute}
        if self.heal is not None:
            return {"command": "heal", "fault": self.heal}
        return {"command": "safe_mode", "value": self.safe_mode}


COMMANDS: Final = ("limit_compute", "heal", "safe_mode")


class ExpectKeys(StrictModel):
    """A rule that must fire, on whom, when, and by which route."""

    rule: str = Field(min_length=1, max_length=64)
    of: str = Field(description="id of the injection that it must see, or `given`: the scenario")
    targets: Words = Field(
        default=(), strict=False, description="satellites, planes or the fleet; default: those hit"
    )
    after_s: float = Field(default=0.0, ge=0, le=LONGEST_RUN_S)
    within_s: float = Field(gt=0, le=LONGEST_RUN_S)
    true_at: Literal["condition", "onset"] = "condition"
    true_after_s: float | None = Field(default=None, ge=0, le=LONGEST_RUN_S)
    severity: Literal["critical", "warning", "info"] | None = None
    cause: str | None = Field(default=None, min_length=1, max_length=64)

    @model_validator(mode="after")
    def _in_order(self) -> "ExpectKeys":
        if self.after_s >= self.within_s:
            raise ValueError(
                f"after_s {self.after_s:g} is not below within_s {self.within_s:g}; "
                "a rule fires between the two"
            )
        return self


class ClearKeys(StrictModel):
    """A rule that must resolve after its cause is over."""

    rule: str = Field(min_length=1, max_length=64)
    of: str = Field(description="id of the injection whose end it follows")
    targets: Words = Field(default=(), strict=False)
    within_s: float = Field(gt=0, le=LONGEST_RUN_S)


class ForbidKeys(StrictModel):
    """A rule that may not fire at all: a near miss."""

    rule: str = Field(min_length=1, max_length=64)
    targets: Words = Field(default=(), strict=False)
    reason: str = Field(min_length=8, max_length=400)


class AllowKeys(StrictModel):
    """A page besides those expected that is right, and why."""

    rule: str = Field(min_length=1, max_length=64)
    targets: Words = Field(default=(), strict=False)
    reason: str = Field(min_length=8, max_length=400)


class DrillKeys(StrictModel):
    """The whole file; `given` is a scenario and is checked as one."""

    name: str = Field(pattern=_NAME, max_length=64)
    title: str = Field(min_length=4, max_length=120)
    about: str = Field(min_length=20, max_length=1200)
    level: Literal["bronze", "silver", "gold"] = "bronze"
    given: dict[str, Any]
    quiet_s: float = Field(default=300.0, ge=60, le=LONGEST_RUN_S)
    run_s: float = Field(gt=0, le=LONGEST_RUN_S)
    inject: list[InjectKeys] = Field(default_factory=list, max_length=400)
    actions: list[ActionKeys] = Field(default_factory=list, max_length=100)
    expect: list[ExpectKeys] = Field(default_factory=list, max_length=400)
    clear: list[ClearKeys] = Field(default_factory=list, max_length=400)
    forbid: list[ForbidKeys] = Field(default_factory=list, max_length=400)
    allow: list[AllowKeys] = Field(default_factory=list, max_length=100)


_PARTS: Final[dict[str, type[StrictModel]]] = {
    "": DrillKeys,
    "inject": InjectKeys,
    "actions": ActionKeys,
    "expect": ExpectKeys,
    "clear": ClearKeys,
    "forbid": ForbidKeys,
    "allow": AllowKeys,
}
DRILL_NAMES: Final = KEY_NAMES | {key: list(model.model_fields) for key, model in _PARTS.items()}
DRILL_RANGES: Final = KEY_RANGES | {
    (f"{key}.{name}" if key else name): allowed
    for key, model in _PARTS.items()
    for name, allowed in allowed_ranges(model).items()
}
