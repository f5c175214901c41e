"""The life of a fleet: launches slip and fail, spares stand in, everything comes down again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from services.cli import app
from services.economic_choices import chosen_launcher
from services.life_tables import alarms, fleets_of
from twin.constants import SECONDS_PER_DAY, SECONDS_PER_JULIAN_YEAR
from twin.deployment import STATE_BY_NAME, deployment_timeline, state_limits
from twin.errors import ConfigurationError
from twin.fleet_life import FleetLife, LifePlan, life_plan, live, steady_reentry_kg_per_s
from twin.launchers import launcher, launchers
from twin.life_plan import LaunchSlip
from twin.preset_files import sources
from twin.preset_library import list_presets, load_preset

YEAR = SECONDS_PER_JULIAN_YEAR
QUIET = LifePlan(
    name="quiet",
    target_count=100,
    spares_count=0,
    mass_kg=1000.0,
    compute_w=1000.0,
    life_s=2.0 * YEAR,
    failure_rate_s=0.0,
    early_failure_frac=0.0,
    per_launch_count=10,
    launch_interval_s=0.05 * YEAR,
    slip_mean_s=0.0,
    loss_frac=0.0,
    stand_down_s=0.0,
    service_after_s=10.0 * SECONDS_PER_DAY,
)
plans = st.builds(
    lambda loss, slip, fail, early, spares, per: replace(
        QUIET,
        loss_frac=loss,
        slip_mean_s=slip * SECONDS_PER_DAY,
        failure_rate_s=fail / YEAR,
        early_failure_frac=early,
        spares_count=spares,
        per_launch_count=per,
        stand_down_s=20 * SECONDS_PER_DAY,
    ),
    st.floats(0, 0.5),
    st.floats(0, 60),
    st.floats(0, 0.5),
    st.floats(0, 0.5),
    st.integers(0, 30),
    st.integers(1, 40),
)


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])


def same(one: FleetLife, other: FleetLife) -> bool:
    return all(
        np.array_equal(value, getattr(other, key), equal_nan=value.dtype.kind == "f")
        for key, value in vars(one).items()
        if isinstance(value, np.ndarray)
    )


def test_without_mishap_the_actual_is_the_plan() -> None:
    life = live(QUIET, 1.9, seed=1, reports_count=40)
    assert np.array_equal(life.in_service_count, life.planned_service_count)
    assert np.array_equal(life.capacity_w, life.planned_capacity_w)
    assert life.active_count[-1] == 100
    assert life.launches_count[-1] == 10
    assert life.reentered_mass_kg[-1] == 0.0
    assert alarms(life) == []


def test_val_steady_state_re_entry_is_fleet_mass_over_life() -> None:
    """n m / L: 100 satellites of 1 t and 2 years bring down 50 t a year."""
    life = live(QUIET, 12.0, seed=1, reports_count=145)
    expected = steady_reentry_kg_per_s(100, 1000.0, 2.0 * YEAR)
    cycles = 4.0 * (2.0 * YEAR + QUIET.service_after_s)  # whole lives, waits for seats included
    since = np.searchsorted(life.time_s, life.time_s[-1] - cycles)
    fallen = life.reentered_mass_kg[-1] - life.reentered_mass_kg[since]
    assert fallen / (life.time_s[-1] - life.time_s[since]) == pytest.approx(expected, rel=0.06)
    assert expected * YEAR == pytest.approx(50_000)
    million = steady_reentry_kg_per_s(1_000_000, 3000.0, 5.0 * YEAR) * YEAR / 1000.0
    assert million == pytest.approx(600_000)


def test_a_loss_takes_the_passengers_and_shifts_all_that_follow() -> None:
    plan = replace(QUIET, loss_frac=0.3, stand_down_s=30 * SECONDS_PER_DAY)
    life = live(plan, 1.5, seed=4, reports_count=40)
    assert 0 < life.launches_lost_count[-1] < life.launches_count[-1]
    assert life.lost_at_launch_count[-1] == 10 * life.launches_lost_count[-1]
    delay_s = life.launch_s - life.launch_planned_s
    losses_before = np.cumsum(life.launch_lost) - life.launch_lost
    assert delay_s == pytest.approx(losses_before * plan.stand_down_s)
    assert (life.in_service_count < life.planned_service_count).any()
    assert "capacity below plan" in alarms(life)[0]


def test_the_spares_alarm_fires_when_failures_outrun_launches() -> None:
    plan = replace(
        QUIET, spares_count=20, failure_rate_s=0.9 / YEAR, launch_interval_s=YEAR / 12, life_s=YEAR
    )
    life = live(plan, 3.0, seed=2)
    assert any(one.startswith("critical: spares below 15 %") for one in alarms(life))


@settings(max_examples=40, deadline=None)
@given(plans, st.integers(0, 2**40))
def test_law_satellites_are_conserved(plan: LifePlan, seed: int) -> None:
    life = live(plan, 3.0, seed, reports_count=37)
    launched = life.launched_mass_kg / plan.mass_kg - life.lost_at_launch_count
    ended = life.reentered_mass_kg / plan.mass_kg
    assert launched == pytest.approx(life.in_orbit_count + ended)
    assert np.array_equal(life.in_orbit_count, life.in_service_count + life.deploying_count)
    assert (life.deploying_count >= 0).all()
    assert (life.in_orbit_count <= plan.target_count + plan.spares_count).all()
    assert (life.active_count <= life.plan.target_count).all()
    assert (life.failed_count <= ended).all()
    assert (np.diff(life.reentered_mass_kg) >= 0).all()
    assert (np.diff(life.launch_s) >= 0).all()


@settings(max_examples=15, deadline=None)
@given(plans, st.integers(0, 2**40))
def test_law_same_seed_same_life_and_a_longer_one_begins_the_same(
    plan: LifePlan, seed: int
) -> None:
    short, again = (live(plan, 1.0, seed, reports_count=13) for _ in range(2))
    assert same(short, again)
    longer = live(plan, 2.0, seed, reports_count=25)
    assert np.array_equal(longer.in_service_count[:13], short.in_service_count)
    assert np.array_equal(longer.reentered_mass_kg[:13], short.reentered_mass_kg)


def test_another_seed_is_another_life() -> None:
    plan = replace(QUIET, loss_frac=0.2, failure_rate_s=0.2 / YEAR)
    assert not same(live(plan, 3.0, 1), live(plan, 3.0, 2))


def test_val_failures_follow_the_stated_rate() -> None:
    """Exponential lives: of many satellites 1 - exp(-0.5) fail within half their rate."""
    plan = replace(
        QUIET,
        target_count=20_000,
        per_launch_count=20_000,
        failure_rate_s=0.5 / YEAR,
        life_s=30 * YEAR,
        launch_interval_s=10 * YEAR,
    )
    life = live(plan, 1.0 + plan.service_after_s / YEAR, 7, reports_count=2)
    share = life.failed_count[-1] / 20_000
    assert share == pytest.approx(1 - np.exp(-0.5), abs=4 * np.sqrt(0.24 / 20_000))


@pytest.mark.parametrize("name", list_presets())
def test_no_payload_power_before_the_radiator_is_out(name: str) -> None:
    preset = load_preset(name)
    timeline = deployment_timeline(preset.values, preset.life)
    by_state = {one.state: one for one in timeline}
    assert by_state["stowed"].payload_limit_w == 0.0
    assert by_state["array_deployed"].payload_limit_w == 0.0
    planned_w = 1000.0 * preset.values.compute_average_kw
    assert timeline[-1].payload_limit_w >= planned_w
    assert [one.start_s for one in timeline] == sorted(one.start_s for one in timeline)


def test_stuck_wings_halve_what_they_carry() -> None:
    values = load_preset("spacex-ai1").values
    whole, array, radiator = (
        state_limits(values, STATE_BY_NAME[name])
        for name in ("deployed", "array_stuck", "radiator_stuck")
    )
    assert array.array_power_w == pytest.approx(whole.array_power_w / 2)
    assert radiator.radiator_power_w == pytest.approx(whole.radiator_power_w / 2)
    assert array.payload_limit_w == pytest.approx(71_250 - 8_000)
    assert radiator.payload_limit_w < 80_000 < whole.payload_limit_w


def test_docked_modules_are_off_while_they_dock() -> None:
    preset = load_preset("starcloud-5gw")
    states = [one.state for one in deployment_timeline(preset.values, preset.life)]
    assert states == ["stowed", "array_deployed", "deployed", "docking", "docked"]
    assert state_limits(preset.values, STATE_BY_NAME["docking"]).payload_limit_w == 0.0


def test_the_launcher_decides_how_fast_a_fleet_grows() -> None:
    """24 satellites of 450 kg: six a flight on Nova, all in one Starship."""
    preset = load_preset("openai-stoke-hypothetical")
    small = life_plan("s", preset.values, preset.life, 24)
    assert small.per_launch_count == 6
    large = life_plan("s", preset.values, preset.life, 24, launcher("starship-2030s"))
    assert large.per_launch_count == 222
    ai1 = load_preset("spacex-ai1")
    assert life_plan("a", ai1.values, ai1.life, 48).per_launch_count == 48  # as announced
    by, life = chosen_launcher(ai1.life, "nova", {"loss_pct": 50.0})
    plan = life_plan("a", ai1.values, life, 48, by)
    assert (plan.per_launch_count, plan.loss_frac) == (1, 0.5)


def test_errors_say_what_is_wrong() -> None:
    preset = load_preset("spacex-ai1")
    with pytest.raises(ConfigurationError, match="does not fit: nova lifts 3,000"):
        heavy = preset.values.model_copy(update={"mass_kg": 4000.0})
        by_mass = preset.life.model_copy(update={"satellites_per_launch": 0})
        life_plan("a", heavy, by_mass, 48, launcher("nova"))
    with pytest.raises(ConfigurationError, match="did you mean 'new-glenn'"):
        launcher("newglenn")
    with pytest.raises(ConfigurationError, match="allowed above 0 to 100"):
        live(QUIET, 0.0, 1)
    with pytest.raises(ConfigurationError, match="in all"):
        live(replace(QUIET, launch_interval_s=1.0), 5.0, 1)


def test_launchers_are_sourced() -> None:
    for one in launchers().values():
        for key in ("payload_kg", "usd_per_kg", "loss_pct", "stand_down_day"):
            assert set(getattr(one.sourced, key).source.split(", ")) <= set(sources()), one.name


def test_the_command_prints_and_gives_json() -> None:
    run = CliRunner().invoke(app, ["life", "--preset", "starcloud-5gw", "--years", "2"])
    assert run.exit_code == 0, run.output
    assert "docked" in run.stdout
    arguments = ["life", "three-body-2800", "--years", "3", "--set", "early_failure_pct=0"]
    run = CliRunner().invoke(app, [*arguments, "--json"])
    whole = orjson.loads(run.stdout)
    assert [one["plan"]["target_count"] for one in whole] == [2400, 400]
    assert whole[0]["plan"]["early_failure_frac"] == 0.0
    again = CliRunner().invoke(app, [*arguments, "--json"])
    assert again.stdout == run.stdout
    run = CliRunner().invoke(app, ["life", "flown-2026", "--years", "1", "--json"])
    assert [one["plan"]["target_count"] for one in orjson.loads(run.stdout)] == [1, 1, 12, 10, 1]


def test_launches_that_a_scenario_holds_back_fly_later_and_lost_ones_never_serve() -> None:
    late_s = 100 * SECONDS_PER_DAY
    life = live(replace(QUIET, slips=(LaunchSlip(0.0, 25, late_s),)), 1.9, 1, reports_count=40)
    delay_s = life.launch_s - life.launch_planned_s
    assert sorted(delay_s[life.launch_planned_s < 3 * QUIET.launch_interval_s]) == [late_s] * 3
    assert not delay_s[life.launch_planned_s >= 3 * QUIET.launch_interval_s].any()
    assert (life.active_count < life.planned_service_count).any()
    lost = live(replace(QUIET, slips=(LaunchSlip(0.0, 20, np.inf),)), 1.9, 1, reports_count=40)
    assert lost.launches_lost_count[-1] == 2
    assert lost.lost_at_launch_count[-1] == 20


def test_a_launch_slip_among_the_faults_of_a_scenario_is_in_its_life(tmp_path: Path) -> None:
    scenario = tmp_path / "slip.yaml"
    scenario.write_text(
        f"extends: {Path.cwd()}/scenarios/suncatcher-81.yaml\nname: slip\nfaults:\n"
        "  - {kind: O4, onset_s: 0, duration_s: 8640000, fraction: 0.3}\n"
        "  - {kind: T1, onset_s: 0}\n"
    )
    (fleet,) = fleets_of(str(scenario), None, 1.79e9)
    (slip,) = fleet.slips
    assert (slip.from_s, slip.slip_s) == (0.0, 8_640_000.0)
    assert 10 <= slip.satellites_count <= 40
    assert fleets_of("suncatcher-81", None, 1.79e9)[0].slips == ()


def test_replacements_are_what_was_launched_beyond_the_first_fleet() -> None:
    life = live(QUIET, 6.0, seed=1, reports_count=40)
    launched = life.launched_mass_kg / QUIET.mass_kg
    assert life.replaced_count[-1] == launched[-1] - 100 > 100
    assert not life.replaced_count[launched <= 100].any()


def test_the_plot_shows_plan_and_actual(tmp_path: Path) -> None:
    out = tmp_path / "life.png"
    arguments = ["life", "three-body-2800", "--years", "2", "--plot"]
    run = CliRunner().invoke(app, [*arguments, str(out)])
    assert run.exit_code == 0, run.output
    picture = np.asarray(Image.open(out).convert("RGB"), dtype=np.int64)
    for colour in ((0xC8, 0x46, 0x2B), (0x5B, 0x6B, 0x7A), (0x3A, 0x7C, 0xA5)):
        near = np.abs(picture - colour).sum(axis=2) < 30
        # In the panels of both fleets: left and right half.
        assert near[:, : near.shape[1] // 2].sum() > 200
        assert near[:, near.shape[1] // 2 :].sum() > 200
    run = CliRunner().invoke(app, [*arguments, str(tmp_path / "life.jpg")])
    assert "ends in .png" in str(run.exception)
    run = CliRunner().invoke(app, [*arguments, str(tmp_path / "none" / "life.png")])
    assert "No such file or directory" in str(run.exception)
