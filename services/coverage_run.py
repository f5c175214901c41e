"""What the drills cover: which rule sees which fault, and which of a rule's numbers are guarded."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

from services.drill_files import DRILL_FOLDER, list_drills, open_drill
from services.drill_run import DrillRun, Trace
from services.drill_score import fire_changes, marked
from services.drill_set import side_by_side
from twin.alerts import RULES
from twin.drill_load import GIVEN, Drill
from twin.drill_plan import rule_facts
from twin.drills import firings_of, score
from twin.errors import ConfigurationError, Problem
from twin.fault_kinds import fault_kinds
from twin.located_yaml import load_mapping, nearest
from twin.pipeline_model import PIPELINE_FAULTS
from twin.rule_mutants import Mutant, mutants

EXPLAINED: Final = DRILL_FOLDER / "explained" / "mutants.yaml"
"""Mutants that no drill can catch, and why."""


class Covered(NamedTuple):
    """What one drill adds."""

    drill: str
    passed: bool
    failures: list[str]
    seen: list[tuple[str, str]]  # (fault, rule) that was expected and seen
    near_misses: list[str]  # rules that were near to firing and did not
    caught: list[str]  # `rule what` of mutants that would have failed the drill


def covered(name: str, *, mutate: bool) -> Covered:
    """Run one drill; with the mutants of the rules that it names where they are asked for."""
    drill, build = open_drill(name)
    named = {row.rule for row in drill.keys.expect} | {row.rule for row in drill.keys.forbid}
    others = [one for one in mutants(RULES) if one.of in named] if mutate else []
    trace = DrillRun(drill, build, [*RULES, *(one.rule for one in others)]).run()
    ours = {rule.name for rule in RULES}
    plain = tuple(one for one in trace.transitions if one.rule.name in ours)
    result = marked(replace(trace, transitions=plain), RULES).score
    seen = [
        (fault_name(drill, row.of), row.rule) for row in result.detections if row.outcome == "seen"
    ]
    fired = {row.rule for row in result.near_misses}
    near = [row.rule for row in drill.keys.forbid if row.rule not in fired]
    return Covered(
        name,
        result.passed,
        list(result.failures),
        list(dict.fromkeys(seen)),
        list(dict.fromkeys(near)),
        [f"{one.of} {one.what}" for one in others if _is_caught(trace, one)],
    )


def fault_name(drill: Drill, injection: str) -> str:
    """Id of the catalogue, name of the pipeline's fault, or `given`."""
    if injection == GIVEN:
        return GIVEN
    if injection in drill.faults:
        return drill.faults[injection].kind.id
    return drill.pipeline[injection].kind


def _is_caught(trace: Trace, mutant: Mutant) -> bool:
    """Whether the drill fails when the mutant takes its rule's place.

    Only by what the drill's file says: the physical instant moves with the rule, so delays from it
    do not count.
    """
    acting = replace(mutant.rule, name=mutant.of)
    changes = tuple(
        one._replace(rule=acting) if one.rule.name == mutant.rule.name else one
        for one in trace.transitions
        if one.rule.name == mutant.rule.name
        or (one.rule.name != mutant.of and not one.rule.name.startswith("mutant_"))
    )
    rules = [acting if rule.name == mutant.of else rule for rule in RULES]
    found = score(
        trace.plan,
        firings_of(fire_changes(changes)),
        rule_facts(rules),
        lambda _one, _key: math.nan,
        0,
    )
    return any(not failure.startswith("unfounded") for failure in found.failures)


class Coverage(NamedTuple):
    """What the set of drills covers."""

    drills: list[Covered]
    matrix: dict[str, dict[str, list[str]]]  # fault -> rule -> drills that see it
    near_misses: dict[str, list[str]]  # rule -> drills with a near miss of it
    uncaught: list[tuple[str, str, str]]  # rule, what, explanation or nothing

    @property
    def unseen_faults(self) -> list[str]:
        """Faults that no rule is expected to see."""
        return [one for one in (*fault_kinds(), *PIPELINE_FAULTS) if not self.matrix.get(one)]

    @property
    def unfired_rules(self) -> list[str]:
        """Rules that no fault fires."""
        fired = {rule for row in self.matrix.values() for rule in row}
        return [rule.name for rule in RULES if rule.name not in fired]

    @property
    def rules_without_near_miss(self) -> list[str]:
        """Rules of which no drill says when they may not fire."""
        return [rule.name for rule in RULES if rule.name not in self.near_misses]

    @property
    def failures(self) -> list[str]:
        """Everything that keeps the coverage from being complete."""
        return [
            *(f"drill {one.drill}: {text}" for one in self.drills for text in one.failures),
            *(f"no drill shows a rule that sees {one}" for one in self.unseen_faults),
            *(f"no drill fires {one}" for one in self.unfired_rules),
            *(f"no near miss of {one}" for one in self.rules_without_near_miss),
            *(
                f"no drill notices {rule} with {what}"
                for rule, what, why in self.uncaught
                if not why
            ),
        ]

    def data(self) -> dict[str, Any]:
        """The same for a file."""
        return {
            "matrix": self.matrix,
            "near_misses": self.near_misses,
            "unseen_faults": self.unseen_faults,
            "unfired_rules": self.unfired_rules,
            "rules_without_near_miss": self.rules_without_near_miss,
            "uncaught_mutants": [
                {"rule": rule, "what": what, "why": why} for rule, what, why in self.uncaught
            ],
            "drills": {one.drill: one.passed for one in self.drills},
        }


def coverage(*, mutate: bool, jobs: int | None = None) -> Coverage:
    """Run every shipped drill. Raises ConfigurationError for a file that is wrong."""
    names = list_drills()
    found = side_by_side(partial(covered, mutate=mutate), names, jobs, "coverage")
    matrix: dict[str, dict[str, list[str]]] = {}
    near: dict[str, list[str]] = {}
    for one in found:
        for fault, rule in one.seen:
            matrix.setdefault(fault, {}).setdefault(rule, []).append(one.drill)
        for rule in one.near_misses:
            near.setdefault(rule, []).append(one.drill)
    order = [*fault_kinds(), *PIPELINE_FAULTS, GIVEN]
    matrix = {fault: matrix[fault] for fault in order if fault in matrix}
    return Coverage(found, matrix, near, _uncaught(found) if mutate else [])


def _uncaught(found: Sequence[Covered]) -> list[tuple[str, str, str]]:
    caught = {one for drill in found for one in drill.caught}
    why = explanations()
    return [
        (one.of, one.what, why.get(f"{one.of} {one.what}", ""))
        for one in mutants(RULES)
        if f"{one.of} {one.what}" not in caught
    ]


def explanations() -> dict[str, str]:
    """Why a mutant (`rule what`) cannot be caught. Raises ConfigurationError, located."""
    path = str(EXPLAINED)
    data, places = load_mapping(EXPLAINED.read_text("utf-8"), path)
    known = {f"{one.of} {one.what}" for one in mutants(RULES)}
    problems = [
        Problem(*places[name,], name, f"no such mutant; {nearest(name, sorted(known))}")
        for name in data
        if name not in known
    ]
    if problems:
        raise ConfigurationError(problems)
    return {name: str(reason) for name, reason in data.items()}
