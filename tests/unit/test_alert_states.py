"""Grafana's state machine, case by case as its source has them (twin/alert_states.py)."""

from dataclasses import replace

import numpy as np
import pytest

from twin.alert_states import GRAFANA_9, GRAFANA_12, Evaluator, Semantics, Series, Transition
from twin.alerts import Condition, Rule, Threshold, last, rule_by_name
from twin.channels import BUS_MEASUREMENT

NAN = float("nan")
SERIES = Series("fleet", ("A", "B"), ("P1", "P1"))
BASE = replace(
    rule_by_name()["battery_critical"],
    condition=Condition(
        BUS_MEASUREMENT, last("eps_soc_pct"), below=Threshold(25.0, "test"), window_s=5.0
    ),
    for_s=20.0,
    keep_firing_s=0.0,
)
HYSTERESIS = replace(
    BASE, condition=replace(BASE.condition, clear=Threshold(30.0, "test")), for_s=0.0
)


def played(
    rule: Rule,
    readings: list[tuple[float, float]],
    semantics: Semantics = GRAFANA_12,
    errors: frozenset[int] = frozenset(),
) -> tuple[Evaluator, list[Transition]]:
    """One tick of 10 s for each pair of readings; nan: the satellite says nothing."""
    evaluator = Evaluator(SERIES, [rule], semantics=semantics)
    changes = []
    for tick, values in enumerate(readings):
        evaluator.observe(10.0 * tick, {BUS_MEASUREMENT: {"eps_soc_pct": np.array(values)}})
        failed = {rule.name} if tick in errors else set()
        changes += evaluator.evaluate(10.0 * tick, failed)
    return evaluator, changes


def story(changes: list[Transition]) -> list[tuple[float, str, str]]:
    return [(one.time_s, one.labels.get("sat", ""), one.after) for one in changes]


def test_pending_until_for_has_passed_then_alerting() -> None:
    _, changes = played(BASE, [(20.0, 90.0)] * 4)
    assert story(changes) == [(0.0, "A", "Pending"), (20.0, "A", "Alerting")]
    assert changes[-1].fires and changes[-1].labels == {"fleet": "fleet", "plane": "P1", "sat": "A"}
    assert changes[-1].value == 20.0


def test_a_breach_shorter_than_for_never_fires() -> None:
    _, changes = played(BASE, [(20.0, 90.0), (20.0, 90.0), (90.0, 90.0), (20.0, 90.0)])
    assert [after for _, _, after in story(changes)] == ["Pending", "Normal", "Pending"]
    assert not any(one.fires or one.resolves for one in changes)


def test_without_for_it_fires_at_once() -> None:
    _, changes = played(replace(BASE, for_s=0.0), [(20.0, 90.0)])
    assert story(changes) == [(0.0, "A", "Alerting")]


def test_when_nobody_is_in_breach_no_data_ends_the_alert_at_once() -> None:
    _, changes = played(replace(BASE, for_s=0.0), [(20.0, 90.0), (90.0, 90.0)])
    assert story(changes)[-1] == (10.0, "A", "Normal")
    assert changes[-1].reason == "NoData" and changes[-1].resolves


def test_while_another_is_in_breach_a_recovered_series_goes_missing_for_two_evaluations() -> None:
    readings = [(20.0, 20.0), (90.0, 20.0), (90.0, 20.0), (90.0, 20.0)]
    _, changes = played(replace(BASE, for_s=0.0), readings)
    assert story(changes)[2:] == [(20.0, "A", "Normal")]
    assert changes[-1].reason == "MissingSeries"


def test_in_9_a_recovered_series_goes_missing_even_when_it_was_the_last() -> None:
    _, changes = played(replace(BASE, for_s=0.0), [(20.0, 90.0)] + [(90.0, 90.0)] * 2, GRAFANA_9)
    assert story(changes)[1:] == [(20.0, "A", "Normal")]
    assert changes[-1].reason == "MissingSeries"


def test_keep_firing_holds_an_alert_by_both_ways_of_going_away() -> None:
    rule = replace(BASE, for_s=0.0, keep_firing_s=40.0)
    alone = [(20.0, 90.0)] + [(90.0, 90.0)] * 6
    _, changes = played(rule, alone)
    assert story(changes)[1:] == [(10.0, "A", "Recovering"), (50.0, "A", "Normal")]
    beside = [(20.0, 20.0)] + [(90.0, 20.0)] * 6
    _, changes = played(rule, beside)
    assert story(changes)[2:] == [(40.0, "A", "Normal")]
    assert not any(one.after == "Recovering" for one in changes)


def test_a_breach_while_recovering_is_alerting_again_without_pending_and_is_no_new_page() -> None:
    rule = replace(BASE, keep_firing_s=60.0)
    _, changes = played(rule, [(20.0, 90.0)] * 3 + [(90.0, 90.0)] + [(20.0, 90.0)])
    assert [after for _, _, after in story(changes)] == [
        "Pending", "Alerting", "Recovering", "Alerting",
    ]  # fmt: skip
    assert [one.fires for one in changes] == [False, True, False, False]


def test_9_has_no_keep_firing() -> None:
    rule = replace(BASE, for_s=0.0, keep_firing_s=60.0)
    _, changes = played(rule, [(20.0, 90.0)] + [(90.0, 90.0)] * 3, GRAFANA_9)
    assert story(changes)[-1] == (20.0, "A", "Normal")


def test_hysteresis_holds_between_the_thresholds_and_does_not_start_there() -> None:
    _, changes = played(HYSTERESIS, [(28.0, 20.0), (28.0, 28.0), (28.0, 31.0), (28.0, 31.0)])
    assert story(changes) == [(0.0, "B", "Alerting"), (30.0, "B", "Normal")]


def test_a_rule_that_hears_everybody_and_has_no_clearing_threshold_ends_with_the_breach() -> None:
    every = replace(
        BASE, condition=replace(BASE.condition, breach_only=False), no_data="alerting", for_s=0.0
    )
    _, changes = played(every, [(20.0, 90.0), (90.0, 90.0)])
    assert story(changes) == [(0.0, "A", "Alerting"), (10.0, "A", "Normal")]


def test_9_has_no_hysteresis() -> None:
    _, changes = played(HYSTERESIS, [(90.0, 20.0), (90.0, 28.0)], GRAFANA_9)
    assert story(changes) == [(0.0, "B", "Alerting"), (10.0, "B", "Normal")]


def test_no_data_as_alerting_fires_the_rule_itself_when_nothing_was_ever_seen() -> None:
    rule = replace(BASE, no_data="alerting", condition=replace(BASE.condition, breach_only=False))
    evaluator, changes = played(rule, [(NAN, NAN)] * 3)
    assert story(changes) == [(0.0, "", "Pending"), (20.0, "", "Alerting")]
    assert changes[-1].reason == "NoData" and changes[-1].row == -1
    assert [one.labels for one in evaluator.firing()] == [{}]


def test_an_error_is_shown_on_the_rule_and_the_alerts_go_missing() -> None:
    readings = [(20.0, 90.0)] * 6
    _, changes = played(replace(BASE, for_s=0.0), readings, errors=frozenset({1, 2}))
    assert story(changes) == [
        (0.0, "A", "Alerting"),
        (10.0, "", "Error"),
        (20.0, "A", "Normal"),
        (30.0, "A", "Alerting"),
        (40.0, "", "Normal"),
    ]
    assert [one.reason for one in changes] == ["", "Error", "MissingSeries", "", "MissingSeries"]


def test_a_silent_satellite_loses_its_alert_when_its_last_word_leaves_the_window() -> None:
    _, changes = played(replace(BASE, for_s=0.0), [(20.0, 20.0), (NAN, 20.0), (NAN, 20.0)])
    assert story(changes)[2:] == [(20.0, "A", "Normal")]


def test_states_and_firing_can_be_asked_for() -> None:
    evaluator, _ = played(BASE, [(20.0, 90.0)] * 3)
    found = evaluator.state(BASE.name)
    assert found.state.tolist() == [2, 0]
    assert found.since_s[0] == 20.0 and np.isnan(found.since_s[1])
    assert found.value.tolist() == [20.0, 90.0]
    (firing,) = evaluator.firing()
    assert (firing.labels["sat"], firing.since_s, firing.after) == ("A", 20.0, "Alerting")
    with pytest.raises(KeyError):
        evaluator.state("no_such_rule")


def test_services_may_join_later_without_losing_what_is_known() -> None:
    rule = rule_by_name()["ingest_behind"]
    series = Series("fleet", ("A",), ("P1",), (("ingest", "1"),))
    evaluator = Evaluator(series, [rule])
    for tick in range(8):
        if tick == 2:
            evaluator.add_services([("ingest", "1"), ("ingest", "2")])
        lag_s = np.full(len(series.services), 100.0)
        evaluator.observe(10.0 * tick, {"ops": {"watermark_lag_seconds": lag_s}})
        evaluator.evaluate(10.0 * tick)
    assert [(one.labels["instance"], one.since_s) for one in evaluator.firing()] == [("1", 60.0)]
    assert evaluator.state(rule.name).state.tolist() == [2, 1]


def test_only_fields_that_rules_read_are_asked_for_and_memory_does_not_grow() -> None:
    evaluator = Evaluator(SERIES, [BASE, rule_by_name()["array_short"]])
    assert evaluator.fields == {
        BUS_MEASUREMENT: ("eps_array_loss_pct", "eps_soc_pct", "orb_sunlit_frac")
    }
    size = evaluator.nbytes
    for tick in range(100):
        columns = {"orb_sunlit_frac": np.ones(2), "unknown_field": np.zeros(2)}
        evaluator.observe(float(tick), {BUS_MEASUREMENT: columns})
    assert evaluator.nbytes == size
