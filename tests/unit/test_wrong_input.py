"""Wrong input gives a named error in one line: through scenario files, and through Python."""

import math
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from factories import class_params, make_environment, make_fleet
from satellites import EPOCH_UNIX_S, starcloud
from sgp4.api import WGS72, Satrec

from services.runs import open_scenario, plan_simulation, say_warnings
from services.settings import Settings
from twin.checks import check_params
from twin.constellations import mean_elements, walker
from twin.environment import EnvironmentModel, EnvironmentSettings
from twin.errors import ConfigurationError, OutOfRangeError
from twin.fault_kinds import UnknownFaultError
from twin.faults import FaultError, plan_faults, planned
from twin.mean_elements import MeanElements
from twin.orbit import Orbits
from twin.scenario import build_fleet, load_scenario
from twin.state import FleetParams
from twin.step import initial_state, step

HEAD = "name: n\nepoch: 2026-03-20T12:00:00Z\n{top}fleet:\n  - id: a\n    preset: starcloud-1\n"
ORBIT = "    orbit: {ring: {count: 2, altitude_km: 550, inclination_deg: 53}}\n"
OVER = HEAD.format(top="") + ORBIT + "    overrides: {%s}\n"
FAULT = HEAD.format(top="") + ORBIT + "faults:\n  - {%s}\n"

SCENARIOS = {
    "zero battery": (
        OVER % "battery_capacity_kwh: 0",
        "s.yaml:7: fleet.0.overrides: battery_capacity_kwh 0 without a host platform's supply; "
        "allowed above 0 to 1,000,000, or external_power_kw above 0",
    ),
    "emissivity above 1": (
        OVER % "radiator_emissivity: 1.2",
        "s.yaml:7: fleet.0.overrides.radiator_emissivity: 1.2 is out of range; allowed 0.01 to 1",
    ),
    "emissivity that is no number": (
        OVER % "radiator_emissivity: .nan",
        "s.yaml:7: fleet.0.overrides.radiator_emissivity: nan is out of range; allowed 0.01 to 1",
    ),
    "negative area": (
        OVER % "array_area_m2: -3",
        "s.yaml:7: fleet.0.overrides.array_area_m2: -3 is out of range; allowed 0 to 100,000,000",
    ),
    "endless mass": (
        OVER % "mass_kg: .inf",
        "s.yaml:7: fleet.0.overrides.mass_kg: inf is out of range; allowed above 0 to 1,000,000",
    ),
    "tick of zero": (
        HEAD.format(top="step_s: 0\n") + ORBIT,
        "s.yaml:3: step_s: 0 is out of range; allowed above 0 to 60",
    ),
    "negative tick": (
        HEAD.format(top="step_s: -1\n") + ORBIT,
        "s.yaml:3: step_s: -1 is out of range; allowed above 0 to 60",
    ),
    "tick that is no number": (
        HEAD.format(top="step_s: .nan\n") + ORBIT,
        "s.yaml:3: step_s: nan is out of range; allowed above 0 to 60",
    ),
    "orbit below the ground": (
        HEAD.format(top="") + ORBIT.replace("550", "-550"),
        "s.yaml:6: fleet.0.orbit.ring.altitude_km: -550 is out of range; allowed 200 to 50,000",
    ),
    "orbit that is no number": (
        HEAD.format(top="") + ORBIT.replace("53}", ".nan}"),
        "s.yaml:6: fleet.0.orbit.ring.inclination_deg: nan is out of range; allowed 0 to 180",
    ),
    "unknown fault": (
        FAULT % "kind: T9, onset_s: 10",
        "s.yaml:8: faults.0.kind: unknown fault 'T9'; ",
    ),
    "fault on nobody": (
        FAULT % "kind: T1, onset_s: 10, satellites: [b_1]",
        "s.yaml:8: faults.0.satellites: no 'b_1' in n; ",
    ),
    "fault in the past": (
        FAULT % "kind: T1, onset_s: -10",
        "s.yaml:8: faults.0.onset_s: -10 is out of range; allowed 0 to 10,000,000,000",
    ),
    "fault that is worse than whole": (
        FAULT % "kind: T1, onset_s: 10, severity: 1.5",
        "s.yaml:8: faults.0.severity: 1.5 is out of range; allowed 0 to 1",
    ),
    "fault that is over before it begins": (
        FAULT % "kind: T1, onset_s: 10, duration_s: 0",
        "s.yaml:8: faults.0.duration_s: 0 is out of range; allowed above 0 to 10,000,000,000",
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_gets_one_line_with_its_place(name: str) -> None:
    text, expected = SCENARIOS[name]
    with pytest.raises(ConfigurationError) as caught:
        scenario = load_scenario("s.yaml", lambda _: text)
        assert scenario.epoch_unix_s is not None
        build_fleet(scenario, scenario.epoch_unix_s, lambda _: "")
    (problem,) = caught.value.problems
    assert str(problem).startswith(expected)
    assert "\n" not in str(problem)
    assert caught.value.exit_code == 78


def test_the_command_line_says_it_in_one_line_and_exits_78(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(SCENARIOS["emissivity above 1"][0])
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "check", str(path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 78
    assert done.stderr.strip() == SCENARIOS["emissivity above 1"][1].replace("s.yaml", str(path))
    assert not done.stdout


@pytest.mark.parametrize(("interval_s", "is_named"), [(60, False), (120, True)])
def test_a_group_that_reports_too_rarely_for_the_rules_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], interval_s: int, is_named: bool
) -> None:
    path = tmp_path / "rare.yaml"
    path.write_text(
        "name: rare\nepoch: 2026-10-01T00:00:00Z\nfleet:\n"
        f"  - {{id: a, preset: starcloud-2, report_interval_s: {interval_s}}}\n"
    )
    say_warnings(open_scenario(Settings(scenario=str(path))))
    said = capsys.readouterr().err
    place = f"warning: {path}:4: fleet.0.report_interval_s: 120 s is too rare"
    assert said.startswith(place) == is_named
    assert said.count("\n") == is_named


def test_a_fault_after_the_end_of_the_run_is_named(tmp_path: Path) -> None:
    path = tmp_path / "late.yaml"
    path.write_text(FAULT % "kind: T1, onset_s: 3600")
    opened = open_scenario(Settings(scenario=str(path)))
    plan_simulation(opened, math.inf, 3601.0, None)
    with pytest.raises(ConfigurationError) as caught:
        plan_simulation(opened, math.inf, 60.0, None)
    assert str(caught.value) == (
        f"{path}:8: faults.0.onset_s: 3600 is after the end of the run; allowed 0 to below 60"
    )
    assert caught.value.exit_code == 78


NUMBERS = [one.name for one in fields(FleetParams) if one.name != "ground_relayed"]


@pytest.mark.parametrize("name", NUMBERS)
def test_every_parameter_that_is_no_number_or_negative_is_named(name: str) -> None:
    good = class_params()
    check_params(good)
    column = getattr(good, name)
    wrongs = [-1e9] if column.dtype == np.int64 else [math.nan, math.inf, -math.inf, -1e9]
    for wrong in wrongs:
        values = column.copy()
        values[1] = wrong
        with pytest.raises(OutOfRangeError, match=rf"row 1: {name}: .* out of range; allowed "):
            check_params(replace(good, **{name: values}))


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("radiator_emissivity_frac", 1.2, "0.01 to 1"),
        ("radiator_absorptivity_frac", 1.01, "0 to 1"),
        ("radiator_area_m2", 0.0, "1e-06 to 1e+08"),
        ("mass_kg", 0.0, "0.001 to 1e+06"),
        ("converter_efficiency_frac", 1.5, "0.1 to 1"),
        ("battery_capacity_j", 0.0, "above 0, or external_power_w above 0"),
        ("array_temp_coeff_per_k", 0.003, "-0.02 to 0"),
    ],
)
def test_a_fleet_that_cannot_be_does_not_start(name: str, value: float, allowed: str) -> None:
    fleet = make_fleet([0, 1], **{name: value})
    with pytest.raises(ValueError, match="out of range") as caught:
        initial_state(fleet, make_environment(0.0, 2), 1)
    assert str(caught.value) == f"sat00000: {name}: {value!r} is out of range; allowed {allowed}"
    assert isinstance(caught.value, ConfigurationError)


def test_a_hosted_payload_needs_no_battery() -> None:
    fleet = make_fleet([1], battery_capacity_j=0.0, external_power_w=2000.0)
    assert initial_state(fleet, make_environment(0.0, 1), 1).soc_frac.tolist() == [1.0]


def test_links_to_satellites_that_are_not_there_are_named() -> None:
    fleet = make_fleet([0, 1])
    fleet = replace(fleet, neighbour_index=np.array([[1, -1, -1, -1], [2, -1, -1, -1]]))
    with pytest.raises(OutOfRangeError, match=r"sat00001: neighbour_index: 2 .* allowed -1 to 1"):
        initial_state(fleet, make_environment(0.0, 2), 1)


@pytest.mark.parametrize("step_s", [0.0, -1.0, math.nan, math.inf, 601.0])
def test_a_tick_that_is_none_is_named(step_s: float) -> None:
    fleet, around = make_fleet([0]), make_environment(0.0, 1)
    state = initial_state(fleet, around, 1)
    with pytest.raises(OutOfRangeError, match=r"input: step_s: .* allowed above 0 to 600"):
        step(state, fleet, around, step_s, 0.0, 1)


def elements(**changed: float) -> MeanElements:
    made = mean_elements(walker(1, 2, 0, 550e3, 0.9), EPOCH_UNIX_S)
    return replace(made, **{name: np.full(2, value) for name, value in changed.items()})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ecc_frac": math.nan}, "ecc_frac: nan"),
        ({"ecc_frac": 1.0}, "ecc_frac: 1.0"),
        ({"ecc_frac": 0.5}, "perigee_m: "),
        ({"sma_m": -7e6}, "sma_m: -7000000.0"),
        ({"sma_m": 6e6}, "sma_m: 6000000.0"),
        ({"sma_m": 1e12}, "sma_m: 1000000000000.0"),
        ({"inclination_rad": math.nan}, "inclination_rad: nan"),
        ({"mean_anomaly_rad": math.inf}, "mean_anomaly_rad: inf"),
    ],
)
def test_elements_of_no_orbit_are_named(changed: dict[str, float], message: str) -> None:
    with pytest.raises(OutOfRangeError, match=message) as caught:
        elements(**changed)
    assert "allowed" in str(caught.value)


@pytest.mark.parametrize("name", ["ecco", "inclo", "no_kozai", "bstar"])
def test_records_that_hold_no_number_are_named(name: str) -> None:
    values = {"bstar": 0.0, "ecco": 0.001, "inclo": 0.9, "no_kozai": 0.06, name: math.nan}
    wrong = Satrec()
    drag, ecc, tilt, motion = (values[key] for key in ("bstar", "ecco", "inclo", "no_kozai"))
    wrong.sgp4init(WGS72, "i", 7, 27000.0, drag, 0.0, 0.0, ecc, 0.0, tilt, 0.0, motion, 0.0)
    with pytest.raises(OutOfRangeError, match=rf"satellite 7 \(row 1\): {name}: nan"):
        EnvironmentModel([starcloud(), wrong], EPOCH_UNIX_S)
    with pytest.raises(OutOfRangeError, match="epoch_unix_s: nan"):
        Orbits([starcloud()], math.nan)


def test_a_sun_that_is_none_is_named() -> None:
    for key, value in (("albedo_frac", 1.2), ("solar_constant_w_m2", math.nan)):
        with pytest.raises(OutOfRangeError, match=f"{key}: {value}"):
            EnvironmentSettings(**{key: value})


def test_faults_of_the_python_api_are_value_errors_with_key_value_and_range() -> None:
    with pytest.raises(ValueError, match=r"severity: 1\.5 is out of range; allowed 0 to 1"):
        planned("T1", severity=1.5)
    with pytest.raises(FaultError, match="onset_s: nan is out of range; allowed 0 to 1e"):
        planned("T1", onset_s=math.nan)
    with pytest.raises(ValueError, match="unknown fault 'T99'") as caught:
        planned("T99")
    assert isinstance(caught.value, UnknownFaultError)
    with pytest.raises(ValueError, match="satellites: no 'nobody' in test"):
        plan_faults([planned("T1", satellites=("nobody",))], make_fleet([0]), 1)
