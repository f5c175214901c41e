"""A drill file: YAML text in, a checked drill out, every error with its file, line and key."""

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from twin.drill_keys import DRILL_NAMES, DRILL_RANGES, DrillKeys
from twin.errors import ConfigurationError, Problem
from twin.faults import Fault
from twin.located_yaml import (
    Location,
    Places,
    Vocabulary,
    dotted,
    load_mapping,
    nearest,
    place_of,
    problems_of,
)
from twin.pipeline_model import PIPELINE_FAULTS, PipelineFault
from twin.scenario_faults import scenario_faults
from twin.scenario_layers import ReadText
from twin.scenario_load import Scenario, scenario_within

_WORDS = Vocabulary(DRILL_NAMES, DRILL_RANGES)
GIVEN = "given"
"""Instead of an injection: what the scenario itself brings, from the start of the run."""
FLEET_PREFIX: Final = "drill-"
"""Begins the names of drills' fleets: by it Grafana's policies page nobody for them."""
_OURS = {"name": "it is the drill's", "faults": "write them under inject"}


@dataclass(frozen=True)
class Drill:
    """A checked drill. Rules and injections that it names exist; its targets are not yet looked
    up in the fleet."""

    file: str
    keys: DrillKeys
    scenario: Scenario
    faults: Mapping[str, Fault]  # by the id of their injection
    pipeline: Mapping[str, PipelineFault]
    digest: str  # sha256 of all texts, hexadecimal
    places: Places

    @property
    def name(self) -> str:
        """As in the file."""
        return self.keys.name

    def problem(self, location: Location, message: str) -> Problem:
        """A problem at a key of this drill."""
        return Problem(*place_of(location, self.places), dotted(location), message)


def load_drill(path: str, read_text: ReadText, rules: Collection[str]) -> Drill:
    """Read and check; `rules` are the names of the rules there are.

    Raises ConfigurationError with all problems, located.
    """
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError([Problem(path, None, "", f"cannot be read: {reason}")]) from None
    data, places = load_mapping(text, path)
    try:
        keys = DrillKeys.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError(_in_order(problems_of(error, places, _WORDS))) from None
    problems = _between_keys(keys, places) + _unknown_rules(keys, places, rules)
    faults, wrong = _faults(keys, places)
    problems += wrong
    scenario = None
    try:
        scenario = _given(path, text, keys, places, read_text)
    except ConfigurationError as error:
        problems += error.problems
    if problems or scenario is None:
        raise ConfigurationError(_in_order(problems))
    problems = _on_the_grid(keys, scenario, places)
    if problems:
        raise ConfigurationError(_in_order(problems))
    whole = hashlib.sha256(text.encode() + scenario.digest.encode()).hexdigest()
    pipeline = {
        one.id: PipelineFault(
            one.pipeline,
            one.at_s,
            one.duration_s or math.inf,
            1.0 if one.severity is None else one.severity,
        )
        for one in keys.inject
        if one.pipeline is not None
    }
    return Drill(path, keys, scenario, faults, pipeline, whole, places)


def fleet_name(drill: str) -> str:
    """Name of the fleet that a drill flies."""
    return FLEET_PREFIX + drill.replace("-", "_")


def _given(path: str, text: str, keys: DrillKeys, places: Places, read_text: ReadText) -> Scenario:
    """The scenario under `given`; its problems with the whole key."""
    inside: Places = {at[1:]: where for at, where in places.items() if at[:1] == ("given",)}
    for name, why in _OURS.items():
        if name in keys.given:
            at = inside[name,]
            raise ConfigurationError([Problem(*at, f"given.{name}", f"not here: {why}")])
    data: dict[str, Any] = {**keys.given, "name": fleet_name(keys.name)}
    try:
        scenario = scenario_within(path, text, data, inside, read_text)
    except ConfigurationError as error:
        raise ConfigurationError(
            [
                Problem(one.file, one.line, f"given.{one.key}".rstrip("."), one.message)
                if one.file == path
                else one
                for one in error.problems
            ]
        ) from None
    if scenario.epoch_unix_s is None:
        message = "a drill is the same every time: give an instant such as 2026-03-20T12:00:00Z"
        at = place_of(("epoch",), scenario.places)
        raise ConfigurationError([Problem(*at, "given.epoch", message)])
    return scenario


def _between_keys(keys: DrillKeys, places: Places) -> list[Problem]:
    """Ids that exist and differ, times in order."""
    problems: list[Problem] = []

    def wrong(at: Location, message: str) -> None:
        problems.append(Problem(*place_of(at, places), dotted(at), message))

    ids: list[str] = []
    for index, one in enumerate(keys.inject):
        if one.id in (*ids, GIVEN):
            wrong(("inject", index, "id"), f"duplicate id {one.id!r}; ids must differ")
        ids.append(one.id)
        if not keys.quiet_s <= one.at_s < keys.run_s:
            allowed = f"allowed {keys.quiet_s:g} (quiet_s) to below {keys.run_s:g} (run_s)"
            wrong(("inject", index, "at_s"), f"{one.at_s:g} is out of range; {allowed}")
        if one.pipeline is not None and one.pipeline not in PIPELINE_FAULTS:
            hint = nearest(one.pipeline, list(PIPELINE_FAULTS))
            wrong(("inject", index, "pipeline"), f"unknown fault {one.pipeline!r}; {hint}")
    for key in ("expect", "clear"):
        for index, row in enumerate(getattr(keys, key)):
            if row.of not in ids and not (key == "expect" and row.of == GIVEN):
                hint = nearest(row.of, ids)
                wrong((key, index, "of"), f"no injection {row.of!r}; {hint}")
    for index, action in enumerate(keys.actions):
        if action.at_s >= keys.run_s:
            allowed = f"allowed 0 to below {keys.run_s:g} (run_s)"
            wrong(("actions", index, "at_s"), f"{action.at_s:g} is out of range; {allowed}")
    if keys.inject and not keys.expect and not keys.forbid:
        problems.append(
            Problem(*places[()], "expect", "a drill expects or forbids something; give one")
        )
    return problems


def _unknown_rules(keys: DrillKeys, places: Places, rules: Collection[str]) -> list[Problem]:
    problems = []
    for key in ("expect", "clear", "forbid", "allow"):
        for index, row in enumerate(getattr(keys, key)):
            if row.rule not in rules:
                at: Location = (key, index, "rule")
                hint = nearest(row.rule, sorted(rules))
                message = f"unknown rule {row.rule!r}; {hint}"
                problems.append(Problem(*place_of(at, places), dotted(at), message))
    return problems


def _faults(keys: DrillKeys, places: Places) -> tuple[dict[str, Fault], list[Problem]]:
    """Faults of the physics by injection; their problems under the drill's own keys."""
    found: dict[str, Fault] = {}
    problems: list[Problem] = []
    renamed = {"kind": "fault", "onset_s": "at_s"}
    for index, one in enumerate(keys.inject):
        if one.fault is None:
            continue
        inside: Places = {
            ("faults", 0, *at[2:]): where
            for at, where in places.items()
            if at[:2] == ("inject", index)
        }
        planned, wrong = scenario_faults([one.fault_keys()], inside)
        for problem in wrong:
            last = problem.key.rsplit(".", 1)[-1]
            at = ("inject", index, renamed.get(last, last))
            problems.append(Problem(*place_of(at, places), dotted(at), problem.message))
        if planned:
            # The id seeds the draw of targets: the same injection hits the same satellites in a
            # longer drill, and when it is sent to a running simulator.
            found[one.id] = Fault(**{**vars(planned[0]), "id": one.id})
    return found, problems


def _on_the_grid(keys: DrillKeys, scenario: Scenario, places: Places) -> list[Problem]:
    steps = keys.run_s / scenario.step_s
    if abs(steps - round(steps)) > 1e-9:
        message = f"{keys.run_s:g} is not a whole multiple of step_s {scenario.step_s:g}"
        return [Problem(*place_of(("run_s",), places), "run_s", message)]
    return []


def _in_order(problems: list[Problem]) -> list[Problem]:
    return sorted(set(problems), key=lambda one: (one.file, one.line or 0, one.key))
