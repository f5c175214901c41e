"""The catalogue, the plan, and what goes wrong with a name or a number."""

import math
from dataclasses import fields

import numpy as np
import pytest
from factories import make_fleet

from services.commands import CommandRefusedError, Heal, Inject, obeyed_plan, read_command
from twin.channels import by_name
from twin.errors import ConfigurationError
from twin.fault_effects import FaultEffects
from twin.fault_kinds import FaultKind, UnknownFaultError, fault_kind, fault_kinds
from twin.fault_special import SPECIAL
from twin.faults import FaultError, FaultPlan, plan_faults, planned
from twin.scenario import build_fleet, load_scenario
from twin.state import SEE_KINDS

KINDS = list(fault_kinds().values())
SCENARIO = """
name: broken
epoch: 2026-05-01T00:00:00Z
fleet:
  - id: a
    preset: spacex-ai1
    orbit: {train: {count: 2, altitude_km: 650, ltan_h: 6.0, gap_km: 50}}
faults:
"""


def test_the_catalogue_has_every_row_of_the_survey_and_docking() -> None:
    sizes = {"R": 8, "T": 8, "P": 6, "A": 2, "N": 3, "D": 4, "W": 2, "O": 5}
    expected = [f"{letter}{n + 1}" for letter, size in sizes.items() for n in range(size)]
    assert list(fault_kinds()) == expected


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_a_kind_says_what_it_does_in_known_words(kind: FaultKind) -> None:
    names = {field.name for field in fields(FaultEffects)}
    assert kind.acts or kind.special or kind.sensor
    assert kind.special in {"", *SPECIAL}
    assert all(act.effect in names for act in kind.acts)
    assert all(act.event in {"", *SEE_KINDS} for act in kind.acts)
    assert set(kind.moves) <= set(by_name())
    assert 0.0 <= kind.default_severity <= 1.0 and kind.source and kind.severity
    assert fault_kind(kind.name) is kind


def test_severity_rises_over_the_ramp_and_ends() -> None:
    fault = planned("T1", onset_s=100.0, ramp_s=50.0, duration_s=200.0, severity=0.8)
    assert [fault.severity_at(t) for t in (99.9, 100.0, 125.0, 150.0, 299.9, 300.0)] == [
        0.0,
        0.0,
        0.4,
        0.8,
        0.8,
        0.0,
    ]
    assert planned("P1", severity=0.06).severity_at(1.0) == 0.1  # strings come in twentieths


def test_lasting_damage_stays_after_the_end() -> None:
    plan = plan_faults([planned("R2", ramp_s=0.0, duration_s=10.0)], make_fleet([0, 1]), 1)
    effects = plan.effects_at(20.0)
    assert effects is not None
    assert np.all(effects.array_power_frac == pytest.approx(0.99))
    assert not effects.solar_proton_pfu.any()


def test_nothing_before_the_first_onset_and_neutral_after_the_last() -> None:
    plan = plan_faults([planned("T1", onset_s=10.0, duration_s=5.0)], make_fleet([0, 1]), 1)
    assert plan.effects_at(9.0) is None
    after = plan.effects_at(20.0)
    assert after is not None and np.all(after.pump_frac == 1.0)


def test_a_fraction_follows_the_satellite_and_takes_at_least_one() -> None:
    fleet = make_fleet(np.arange(400) % 3)
    (half,) = plan_faults([planned("A2", fraction=0.5)], fleet, 1).placed
    assert 150 < half.rows.size < 250
    (other,) = plan_faults([planned("A2", fraction=0.5)], fleet, 2).placed
    assert not np.array_equal(half.rows, other.rows)
    (one,) = plan_faults([planned("A2", fraction=1e-9)], fleet, 1).placed
    assert one.rows.size == 1


def test_healing_some_rows_leaves_the_others_broken() -> None:
    plan = plan_faults([planned("A2", duration_s=math.inf)], make_fleet([0, 1, 2]), 1)
    healed = plan.healed(fault_kind("A2"), np.array([1]), 50.0).effects_at(60.0)
    assert healed is not None
    assert healed.safe_commanded.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"severity": 1.5}, "severity"),
        ({"severity": math.nan}, "severity"),
        ({"onset_s": -1.0}, "onset_s"),
        ({"duration_s": 0.0}, "duration_s"),
        ({"fraction": 2.0}, "fraction"),
        ({"mode": "sideways"}, "mode"),
        ({"channel": "eps_soc_pct"}, "channel"),
    ],
)
def test_a_number_out_of_range_is_named(given: dict[str, object], key: str) -> None:
    with pytest.raises(FaultError) as error:
        planned("T1", **given)
    assert error.value.key == key


def test_unknown_names_are_named() -> None:
    with pytest.raises(UnknownFaultError, match="pump-failure"):
        planned("pump-failur")
    with pytest.raises(FaultError, match="satellites: no 'nobody' in test"):
        plan_faults([planned("T1", satellites=("nobody",))], make_fleet([0]), 1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{kind: T9, onset_s: 10}", "faults.0.kind: unknown fault 'T9'"),
        ("{kind: T1, onset_s: 10, severity: 2}", "faults.0.severity: 2 is out of range"),
        ("{kind: T1, onset_s: 10, mode: x}", "faults.0.mode: unknown mode 'x'"),
        ("{kind: T1}", "faults.0.onset_s: this key is required"),
        ("{kind: T1, onset_s: 10, satellites: [zed]}", "faults.0.satellites: no 'zed' in broken"),
        ("{kind: T1, onset_s: 10, sats: [zed]}", "faults.0.sats: unknown key"),
    ],
)
def test_a_scenario_is_refused_at_the_line_of_its_fault(line: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        scenario = load_scenario("x.yaml", lambda _: f"{SCENARIO}  - {line}\n")
        build_fleet(scenario, 0.0, lambda _: "")
    assert f"x.yaml:9: {message}" in str(error.value)


def test_a_scenario_plans_its_faults() -> None:
    text = f"{SCENARIO}  - {{kind: T1, onset_s: 60, groups: [a], duration_s: 600}}\n"
    scenario = load_scenario("x.yaml", lambda _: text)
    fleet = build_fleet(scenario, 0.0, lambda _: "").fleet
    effects = plan_faults(scenario.faults, fleet, scenario.seed).effects_at(120.0)
    assert effects is not None and not effects.pump_frac.any()


def test_commands_inject_and_heal() -> None:
    fleet = make_fleet([0, 1, 2])
    order = read_command(b'{"id": "a", "command": "inject", "fault": "T1", "duration_s": 600}')
    assert isinstance(order, Inject)
    plan = obeyed_plan(FaultPlan(fleet, 1), order, [0, 2], 100.0)
    effects = plan.effects_at(110.0)
    assert effects is not None and effects.pump_frac.tolist() == [0.0, 1.0, 0.0]
    heal = Heal(id="b", command="heal", fault="pump-failure")
    healed = obeyed_plan(plan, heal, [0], 120.0).effects_at(130.0)
    assert healed is not None and healed.pump_frac.tolist() == [1.0, 1.0, 0.0]
    with pytest.raises(CommandRefusedError, match="no T1 is on there"):
        obeyed_plan(plan, heal, [1], 120.0)


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "a", "command": "inject"}',
        b'{"id": "a", "command": "inject", "fault": "T1", "severity": 3}',
        b'{"id": "a", "command": "explode"}',
        b'{"id": "a", "command": "limit_compute", "value": 0.5, "fault": "T1"}',
    ],
)
def test_faulty_commands_are_refused(body: bytes) -> None:
    with pytest.raises(CommandRefusedError):
        read_command(body)


def test_an_unknown_fault_is_refused_by_name() -> None:
    order = Inject(id="a", command="inject", fault="T99")
    with pytest.raises(CommandRefusedError, match="unknown fault 'T99'"):
        obeyed_plan(FaultPlan(make_fleet([0]), 1), order, [0], 0.0)
