"""The shipped set of drills: every fault and every rule has its drill, every rule its near miss.

A few short ones are run here, from the sky, the pipeline, the sensors and the coolant;
`make drills` runs the whole set.
"""

import pytest

from services.coverage_run import explanations, fault_name
from services.drill_files import DRILL_FOLDER, list_drills, open_drill
from services.drill_set import run_drill
from services.drill_show import load
from twin.alerts import RULES
from twin.drill_plan import plan_of
from twin.fault_kinds import fault_kinds
from twin.pipeline_model import PIPELINE_FAULTS
from twin.rule_mutants import is_whole, mutants

NAMES = list_drills()
DRILLS = {name: load(name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_drill_is_named_as_its_file_and_its_targets_exist(name: str) -> None:
    drill, build = open_drill(name)
    assert drill.name == name
    plan, faults = plan_of(drill, build.fleet, {rule.name: rule for rule in RULES})
    assert all(one.keys for one in plan.expected) and all(one.keys for one in plan.clearing)
    assert all(one.rows.size for one in faults.placed)


def test_every_fault_has_a_drill_in_which_a_rule_must_see_it() -> None:
    seen = {fault_name(one, row.of) for one in DRILLS.values() for row in one.keys.expect}
    assert [fault for fault in (*fault_kinds(), *PIPELINE_FAULTS) if fault not in seen] == []


def test_every_rule_must_fire_in_some_drill_and_may_not_in_another() -> None:
    fires = {row.rule for one in DRILLS.values() for row in one.keys.expect}
    quiet = {row.rule for one in DRILLS.values() for row in one.keys.forbid}
    assert [rule.name for rule in RULES if rule.name not in fires] == []
    assert [rule.name for rule in RULES if rule.name not in quiet] == []


def test_the_combined_drills_of_the_survey_are_there() -> None:
    gold = {one.name for one in DRILLS.values() if one.keys.level == "gold"}
    assert gold >= {
        "storm-week",
        "thermal-spiral",
        "cry-wolf",
        "eclipse-season",
        "ai1-published-power",
        "polar-storm",
    }


def test_a_quiet_day_of_a_thousand_satellites_is_ready_to_run() -> None:
    drill, build = open_drill(str(DRILL_FOLDER / "quiet" / "quiet-day.yaml"))
    assert build.fleet.count == 1000 and drill.keys.run_s == 86400.0
    assert not drill.keys.inject and not drill.keys.allow


def test_a_mutant_differs_from_its_rule_in_one_number_and_has_a_name_of_its_own() -> None:
    by_name = {rule.name: rule for rule in RULES}
    found = mutants(RULES)
    assert len({one.rule.name for one in found}) == len(found)
    for one in found:
        rule = by_name[one.of]
        moved = one.rule.condition != rule.condition, one.rule.for_s != rule.for_s
        assert sum(moved) == 1, one.what
    assert {one.of for one in found} == set(by_name)
    explanations()  # those that are there name mutants that exist


def test_thresholds_between_whole_numbers_move_past_the_next_one() -> None:
    by_name = {rule.name: rule.condition for rule in RULES}
    moved = {f"{one.of} {one.what}": one.rule.condition for one in mutants(RULES)}
    assert is_whole(by_name["dead_letters"].value) and is_whole(by_name["safe_mode"].value)
    assert not is_whole(by_name["tumbling"].value) and not is_whole(
        by_name["rollout_failing"].value
    )
    assert not is_whole(by_name["host_reboot_loop"].value)  # a mean of states
    for name, value in (("dead_letters", 1.5), ("safe_mode", 3.0), ("retry_storm", 25.0)):
        above = moved[f"{name} above_up"].above
        assert above is not None and above.value == value
    below = moved["fleet_silent below_down"].below
    assert below is not None and below.value == -0.5  # fires never


@pytest.mark.parametrize(
    "name", ["season-ahead", "near-misses-pipeline", "cry-wolf", "valve-stuck"]
)
def test_a_short_drill_passes(name: str) -> None:
    assert run_drill(name).score.failures == ()
