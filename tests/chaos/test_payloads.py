"""The hostile messages and the brokerless parts of the chaos are what they say they are."""

from hostile import generated, named_cases, on_topic
from outcome import Neighbours, Outcome

from services.lanes import Lanes, RefusedMessageError
from services.mqtt import Message

STORE_REFUSES = {"batch: stamp beyond 2262", "batch: value that is none"}
"""What passes our checks, which parse no value: the store is asked in R9."""


def outcome_of(topic: str, payload: bytes) -> str:
    try:
        batch = Lanes().check(Message(topic, payload, False, lambda: None))
    except RefusedMessageError:
        return "refused"
    return "refused" if batch is not None and batch.refused and not batch.body else "taken"


def test_every_named_case_has_a_topic_of_its_own_and_is_refused() -> None:
    cases = named_cases()
    assert len({case.topic for case in cases}) == len(cases) >= 40
    taken = {case.name for case in cases if outcome_of(case.topic, case.payload) == "taken"}
    assert taken == STORE_REFUSES


def test_generated_cases_are_refused_and_a_seed_gives_the_same_ones() -> None:
    cases = list(generated(7, 3000))
    assert cases == list(generated(7, 3000))
    assert cases[:50] != list(generated(8, 50))
    assert [case for case in cases if outcome_of(case.topic, case.payload) == "taken"] == []
    assert all(on_topic(case, case.payload) for case in cases)


def test_a_bar_of_time_is_stretched_openly_and_no_further_than_the_neighbours_explain() -> None:
    class Busy(Neighbours):
        def share(self) -> float:
            return 0.5

    outcome = Outcome(neighbours=Busy())
    outcome.within("quick", 9.0, 10.0)
    outcome.within("late", 19.0, 10.0)
    outcome.within("too late", 21.0, 10.0)
    outcome.within("never", None, 10.0)
    assert [row.is_met for row in outcome.rows] == [True, True, False, False]
    assert outcome.rows[1].bar == "<= 10 s x 2.0: others use 50 %"
    assert Outcome().missed  # nothing judged is nothing shown
