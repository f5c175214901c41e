"""Many cases of one drill: seeds, severities, targets, and draws of what is not known exactly.

A case is data with a name of its own (`Case.key`), so a result can be kept and found again. Draws
depend on the campaign's seed, the draw's number and the parameter alone, never on the order in
which cases are run.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.random import Generator, Philox

from twin.drill_load import Drill
from twin.errors import TwinError
from twin.state import FleetParams

Law = Literal["lognormal", "uniform"]


class CampaignError(TwinError):
    """A campaign that makes no sense; the text says why."""

    exit_code = 2


@dataclass(frozen=True)
class Uncertain:
    """A design value that is known only so well: every satellite's is multiplied by one draw.

    lognormal: exp(spread z), z standard normal, median 1; uniform: 1 - spread to 1 + spread.
    """

    name: str
    field: str  # of FleetParams
    law: Law
    spread: float
    source: str

    def drawn(self, seed: int, number: int) -> float:
        """The factor of draw `number`; Philox (Salmon et al. 2011) keyed by what it is of."""
        words = hashlib.sha256(f"{seed} {number} {self.name}".encode()).digest()
        numbers = Generator(Philox(key=int.from_bytes(words[:16], "little")))
        if self.law == "lognormal":
            return float(np.exp(self.spread * numbers.standard_normal()))
        return float(numbers.uniform(1.0 - self.spread, 1.0 + self.spread))


UNCERTAIN: Final = (
    Uncertain(
        "hard-failures",
        "hard_fail_per_accel_year",
        "lognormal",
        0.7,
        "factor of two either way at one sigma: fleets on the ground differ by that much (A)",
    ),
    Uncertain(
        "cross-sections",
        "see_sensitivity_frac",
        "lognormal",
        0.7,
        "part-to-part spread of upset cross-sections, a factor of two at one sigma (A)",
    ),
    Uncertain(
        "array-w",
        "array_power_w",
        "uniform",
        0.05,
        "W/m2 of an array at the beginning of life, within 5 % of its data sheet (A)",
    ),
    Uncertain(
        "battery",
        "battery_capacity_j",
        "uniform",
        0.1,
        "capacity between name plate and what is left after acceptance tests, 10 % (A)",
    ),
)
"""What can be drawn; (A) marks an assumption of ours."""


@dataclass(frozen=True)
class Case:
    """One run: everything in which it differs from the drill's file."""

    drill: str  # path
    digest: str  # of the drill's texts
    seed: int
    severity: float | None = None  # of all faults; None: the drill's own
    target: str | None = None  # satellite that is hit; None: the drill's own
    factors: tuple[tuple[str, float], ...] = ()  # by name of UNCERTAIN

    def key(self, version: str) -> str:
        """Name of the result: a hash of the case and of the code that runs it. Where the drill's
        file lies is no part of it."""
        own = asdict(self) | {"drill": "", "version": version}
        return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:32]

    def applied(self, drill: Drill) -> Drill:
        """The drill of this case. Raises CampaignError where its targets are written out."""
        faults = {}
        for name, fault in drill.faults.items():
            severity = fault.severity if self.severity is None else self.severity
            changed = replace(fault, severity=severity)
            if self.target is not None:
                changed = replace(
                    changed, satellites=(self.target,), planes=(), presets=(), groups=()
                )
            faults[name] = changed
        if self.target is not None and any(row.targets for row in drill.keys.expect):
            raise CampaignError(f"{drill.name}: expect names its targets; they cannot be varied")
        return replace(drill, faults=faults, scenario=replace(drill.scenario, seed=self.seed))

    def design(self, params: FleetParams) -> FleetParams:
        """Parameters of the fleet, the uncertain ones multiplied by their draws."""
        by_name = {one.name: one.field for one in UNCERTAIN}
        changed: dict[str, Any] = {
            by_name[name]: getattr(params, by_name[name]) * factor for name, factor in self.factors
        }
        return replace(params, **changed)


def cases_of(
    drill: Drill,
    *,
    seeds: int,
    severities: Sequence[float | None] = (None,),
    targets: Sequence[str | None] = (None,),
    draws: int = 1,
    vary: Iterable[str] = (),
    seed: int = 1,
) -> list[Case]:
    """Every combination, in a fixed order; draw 0 is the design itself.

    Raises CampaignError for an unknown parameter or a count below 1.
    """
    known = {one.name: one for one in UNCERTAIN}
    wanted = sorted(set(vary))
    for name in wanted:
        if name not in known:
            raise CampaignError(f"--vary {name!r}: allowed: {', '.join(known)}")
    if seeds < 1 or draws < 1:
        raise CampaignError(f"seeds {seeds} and draws {draws}: allowed 1 and more")
    if wanted and draws < 2:
        raise CampaignError("--vary needs --draws 2 or more; draw 0 is the design itself")
    for severity in severities:
        if severity is not None and not 0.0 <= severity <= 1.0:
            raise CampaignError(f"severity {severity:g}: allowed 0 to 1")
    return [
        Case(
            drill.file,
            drill.digest,
            drill.scenario.seed + number,
            severity,
            target,
            tuple((name, known[name].drawn(seed, draw)) for name in wanted if draw),
        )
        for number in range(seeds)
        for severity in severities
        for target in targets
        for draw in range(draws)
    ]


assert {one.field for one in UNCERTAIN} <= {one.name for one in fields(FleetParams)}
