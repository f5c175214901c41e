"""Marks of a drill from what fired: each way to fail is one sentence, and nothing else fails."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.drills import Clearing, Expected, Firing, Named, Plan, RuleFacts, Score, firings_of, score

RULES = {
    "flow": RuleFacts("flow", "critical", "coolant", 0.0, 60.0),
    "hot": RuleFacts("hot", "critical", "heat", 60.0, 0.0),
    "note": RuleFacts("note", "warning", "heat", 0.0, 0.0),
}
WANT = Expected("flow", "pump", ("a",), 600.0, 30.0, 120.0, "critical", "coolant")
PLAN = Plan(
    300.0,
    3600.0,
    10.0,
    (WANT,),
    (Clearing("flow", "pump", ("a",), 1200.0, 100.0),),
    (Named("hot", ("b",), "not hot enough"),),
    (Named("hot", ("a",), "follows from the flow"),),
)
GOOD = Firing("flow", "a", 670.0, 1250.0)


def marks(*firings: Firing, true_s: float = 610.0, plan: Plan = PLAN) -> Score:
    return score(plan, firings, RULES, lambda _one, _key: true_s, 1)


def test_a_drill_in_which_all_comes_as_it_should_has_full_marks() -> None:
    found = marks(GOOD, Firing("hot", "a", 700.0, 900.0), Firing("note", "z", 10.0))
    assert found.passed and found.points == 100.0
    assert found.delays_s == (60.0, 60.0)
    assert (found.alerts_count, found.pages_count, found.flaps_count) == (3, 2, 0)


@pytest.mark.parametrize(
    ("firings", "true_s", "failure"),
    [
        ((), math.nan, "missed: flow on a did not fire"),
        ((Firing("flow", "a", 730.0, 1250.0),), 690.0, "late: flow on a fired 130 s after"),
        ((Firing("flow", "a", 620.0, 1250.0),), 610.0, "early: flow on a fired 20 s after"),
        ((Firing("flow", "a", 690.0, 1250.0),), 610.0, "slow: flow on a fired 80 s after"),
        ((GOOD,), math.nan, "unfounded: flow on a fired"),
        ((GOOD, Firing("hot", "c", 800.0)), 610.0, "false page: hot on c at 800 s"),
        ((GOOD, Firing("hot", "b", 800.0)), 610.0, "near miss fired: hot on b at 800 s"),
        ((GOOD, Firing("hot", "a", 100.0, 200.0)), 610.0, "not steady: hot fired on a at 100 s"),
        ((Firing("flow", "a", 670.0, 1310.0),), 610.0, "not cleared: flow on a resolved at 1310 s"),
        ((Firing("flow", "a", 670.0),), 610.0, "not cleared: flow on a resolved not at all"),
    ],
)
def test_each_way_to_fail_is_told(firings: Sequence[Firing], true_s: float, failure: str) -> None:
    found = marks(*firings, true_s=true_s)
    assert [one[: len(failure)] for one in found.failures if one.startswith(failure)] == [failure]
    assert not found.passed


def test_an_alert_that_comes_back_after_its_cause_is_not_cleared_and_a_flap() -> None:
    found = marks(GOOD, Firing("flow", "a", 1400.0, 1500.0))
    assert not found.recoveries[0].in_time and found.flaps_count == 1


def test_a_route_other_than_expected_is_misrouted() -> None:
    rules = RULES | {"flow": RuleFacts("flow", "warning", "heat", 0.0, 60.0)}
    found = score(PLAN, [GOOD], rules, lambda _one, _key: 610.0, 1)
    assert found.detections[0].misrouted == (
        "severity warning, expected critical; cause heat, expected coolant"
    )
    assert found.points == 0.0


@given(
    st.lists(
        st.builds(
            Firing,
            st.sampled_from(sorted(RULES)),
            st.sampled_from("abc"),
            st.floats(0.0, 3000.0),
            st.floats(3000.0, 3600.0) | st.just(math.inf),
        ),
        max_size=12,
    )
)
def test_full_marks_and_no_failure_go_together(firings: list[Firing]) -> None:
    found = marks(*firings)
    assert 0.0 <= found.points <= 100.0
    assert found.points == 100.0 or not found.passed
    assert {one.rule for one in found.false_pages} <= {"flow", "hot"}, "tickets are no pages"


def test_firings_pair_begin_and_end_and_what_still_fires_has_no_end() -> None:
    changes = [(10.0, "flow", "a", True), (20.0, "hot", "a", True), (30.0, "flow", "a", False)]
    assert firings_of(changes) == (Firing("flow", "a", 10.0, 30.0), Firing("hot", "a", 20.0))
