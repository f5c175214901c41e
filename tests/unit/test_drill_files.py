"""Drill files: every slip is one line with file, line, key, value and what is allowed."""

import numpy as np
import pytest

from twin.alerts import RULES
from twin.drill_load import Drill, load_drill
from twin.drill_plan import plan_of
from twin.errors import ConfigurationError
from twin.fleet_build import build_fleet
from twin.pipeline_model import PIPELINE_FAULTS, TICKS_PER_S, PipelineFault, service_numbers

GOOD = """
name: trial
title: A trial of the reader
about: Nothing but what the reader of drill files has to read.
given:
  epoch: 2026-03-20T12:00:00Z
  step_s: 10
  fleet:
    - id: dawn
      preset: spacex-ai1
      report_interval_s: 10
      orbit: {train: {count: 2, altitude_km: 650, ltan_h: 6.0, gap_km: 50}}
quiet_s: 300
run_s: 1200
inject:
  - {id: pump, fault: T1, at_s: 600, duration_s: 300, satellites: [dawn_1]}
expect:
  - {rule: coolant_flow_lost, of: pump, within_s: 60}
clear:
  - {rule: coolant_flow_lost, of: pump, within_s: 300}
"""
NAMES = [rule.name for rule in RULES]


def load(text: str) -> Drill:
    return load_drill("d.yaml", lambda _: text, NAMES)


def planned(text: str) -> None:
    drill = load(text)
    assert drill.scenario.epoch_unix_s is not None
    fleet = build_fleet(drill.scenario, drill.scenario.epoch_unix_s, lambda _: "").fleet
    plan_of(drill, fleet, {rule.name: rule for rule in RULES})


def test_a_good_drill_knows_its_targets_and_instants() -> None:
    drill = load(GOOD)
    assert drill.scenario.epoch_unix_s is not None
    fleet = build_fleet(drill.scenario, drill.scenario.epoch_unix_s, lambda _: "").fleet
    plan, faults = plan_of(drill, fleet, {rule.name: rule for rule in RULES})
    assert plan.expected[0].keys == ("dawn_1",) and plan.expected[0].onset_s == 600.0
    assert plan.clearing[0].end_s == 900.0
    assert faults.placed[0].rows.tolist() == [0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("T1,", "T99,", "d.yaml:16: inject.0.fault: unknown fault 'T99'"),
        ("at_s: 600", "at_s: 100", "d.yaml:16: inject.0.at_s: 100 is out of range; allowed 300"),
        ("of: pump, within_s: 60", "of: pomp, within_s: 60", "d.yaml:18: expect.0.of: no"),
        ("within_s: 60", "within_s: -1", "d.yaml:18: expect.0.within_s: -1 is out of range"),
        ("rule: coolant_flow_lost, of: pump, within_s: 60", "rule: flow, of: pump, within_s: 60",
         "d.yaml:18: expect.0.rule: unknown rule 'flow'"),
        ("run_s: 1200", "run_s: 1205", "d.yaml:14: run_s: 1205 is not a whole multiple of step_s"),
        ("quiet_s: 300", "quietly_s: 300", "d.yaml:13: quietly_s: unknown key; did you mean"),
        ("spacex-ai1", "spacex-ai2", "d.yaml:10: given.fleet.0.preset: unknown preset"),
        ("2026-03-20T12:00:00Z", "now", "d.yaml:6: given.epoch: a drill is the same every time"),
        ("step_s: 10", "name: x", "given.name: not here: it is the drill's"),
        ("fault: T1", "pipeline: flood", "inject.0.pipeline: unknown fault 'flood'"),
        ("duration_s: 300", "severity: 2", "inject.0.severity: 2 is out of range; allowed 0 to 1"),
    ],
)  # fmt: skip
def test_a_slip_is_located(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigurationError) as caught:
        load(GOOD.replace(old, new, 1))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("satellites: [dawn_1]", "satellites: [dawn_7]", "d.yaml:16: inject.0.satellites: no"),
        ("within_s: 60", "within_s: 60, targets: [dusk_1]", "expect.0.targets: no satellite"),
        ("duration_s: 300,", "", "d.yaml:20: clear.0.of: 'pump' does not end"),
    ],
)  # fmt: skip
def test_a_target_that_is_not_in_the_fleet_is_located(old: str, new: str, message: str) -> None:
    text = GOOD.replace(old, new, 1)
    if "does not end" in message:
        text = text.replace("fault: T1", "fault: P1", 1)  # lasts unless it is told otherwise
    with pytest.raises(ConfigurationError) as caught:
        planned(text)
    assert message in str(caught.value)


def test_an_action_that_heals_ends_an_injection() -> None:
    text = GOOD + "actions:\n  - {at_s: 700, target: dawn_1, heal: T1}\n"
    drill = load(text)
    assert drill.scenario.epoch_unix_s is not None
    fleet = build_fleet(drill.scenario, drill.scenario.epoch_unix_s, lambda _: "").fleet
    plan, _ = plan_of(drill, fleet, {rule.name: rule for rule in RULES})
    assert plan.clearing[0].end_s == 700.0


@pytest.mark.parametrize("kind", PIPELINE_FAULTS)
def test_a_fault_of_the_pipeline_shows_while_it_lasts(kind: str) -> None:
    fault = {"one": PipelineFault(kind, 100.0, 1500.0)}
    assert service_numbers(fault, 99.0) == service_numbers({}, 99.0)
    during, after, healthy = (
        service_numbers(fault, 1599.0),
        service_numbers(fault, 1e6),
        service_numbers({}, 1e6),
    )
    for effect in PIPELINE_FAULTS[kind]:
        if effect.law == "absent":
            here = [value for (one, _), value in during.items() if one == effect.service]
            assert np.isnan(here).all() and not np.isnan(list(after.values())).any()
            continue
        at = (effect.service, effect.field)
        assert during[at] != service_numbers({}, 1599.0)[at]
        if effect.law in {"level", "backlog"}:
            assert after[at] == healthy[at]
        elif effect.law == "counter":
            assert after[at] >= during[at] > 0.0
        else:
            assert healthy[at] - after[at] == 1500.0 * TICKS_PER_S


def test_a_simulator_that_creeps_lets_whole_ticks_through() -> None:
    creep = {"one": PipelineFault("simulator-stands", 100.0, 1000.0, severity=0.996)}
    ticks = [service_numbers(creep, float(at_s))["simulate", "ticks_total"] for at_s in range(1101)]
    assert ticks[:101] == list(range(101))
    grown = np.diff(ticks[100:])
    assert set(grown.tolist()) == {0.0, 1.0} and grown.sum() == 4.0
