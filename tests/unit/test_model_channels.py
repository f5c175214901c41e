"""Channels that say what an undamaged satellite would show, against faults and later orbits."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from services.scenario_files import load_and_build
from twin.channels import BUS_CHANNELS
from twin.environment import EnvironmentModel
from twin.faults import plan_faults, planned
from twin.model_channels import SEASON_HORIZON_DAY, eclipse_season_day
from twin.offline import NumpyRun, fleet_part_rows
from twin.scenario import FleetBuild, Scenario, build_fleet, load_scenario
from twin.sensors import Snapshot, bus_telemetry

TICKS = 361
EPOCH = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
DAY_S = 86400.0


def load(name: str) -> tuple[Scenario, FleetBuild]:
    return load_and_build(name, EPOCH)


def test_season_ahead_is_when_the_orbit_really_enters_the_shadow() -> None:
    """SGP4 carried on day by day from a season-free day: |beta| falls below the shadow's."""
    _, build = load("suncatcher-pair-2027")
    model = EnvironmentModel(build.satrecs, EPOCH)
    rows = np.arange(1)
    free = [
        day for day in range(0, 400, 4)
        if 0.0 < eclipse_season_day(rows, model.at(day * DAY_S))[0] < SEASON_HORIZON_DAY
    ]  # fmt: skip
    assert free, "a dawn-dusk orbit of 650 km has a season to come"
    for day in (free[0], free[len(free) // 2]):
        told = eclipse_season_day(rows, model.at(day * DAY_S))[0]
        orbit = [model.at((day + ahead) * DAY_S) for ahead in range(int(SEASON_HORIZON_DAY) + 4)]
        shaded = [
            abs(np.sin(one.beta_rad[0])) < 6378137.0 / np.linalg.norm(one.position_teme_m[0])
            for one in orbit
        ]
        assert abs(shaded.index(True) - told) <= 3.0


def test_season_is_now_where_every_orbit_has_a_shadow_and_nowhere_for_the_moon() -> None:
    _, build = load("flown-2026")
    environment = EnvironmentModel(build.satrecs, EPOCH).at(0.0)
    assert eclipse_season_day(np.array([0]), environment)[0] == 0.0  # mid-inclination
    far = replace(environment, position_teme_m=environment.position_teme_m * 60.0)
    assert np.isnan(eclipse_season_day(np.array([0]), far)).all()


def test_a_shell_that_leaves_the_shadow_for_days_stays_in_season() -> None:
    """A shell at 53 deg has planes without a shadow; each had one within a month: 0, no news."""
    text = (
        "name: shell\nepoch: 2026-06-21T00:00:00Z\nseed: 1\nstep_s: 60\nfleet:\n"
        "  - {id: shell, preset: starlink-v3-shell, report_interval_s: 60,"
        " orbit: {walker_delta: {planes: 72, per_plane: 1, phasing: 1, altitude_km: 550,"
        " inclination_deg: 53}}}\n"
    )
    scenario = load_scenario("shell.yaml", lambda _: text)
    assert scenario.epoch_unix_s is not None
    build = build_fleet(scenario, scenario.epoch_unix_s, lambda _: "")
    now = EnvironmentModel(build.satrecs, scenario.epoch_unix_s).at(0.0)
    limit = 6378137.0 / np.linalg.norm(now.position_teme_m, axis=1)
    lit = np.abs(np.sin(now.beta_rad)) > limit
    assert 3 <= np.count_nonzero(lit) < 36
    assert not eclipse_season_day(np.arange(72), now).any()


def channels(seen: Snapshot, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> dict[str, float]:
    floats, _ = bus_telemetry(rows, seen, seq=0)
    names = [channel.name for channel in BUS_CHANNELS if not channel.is_integer]
    return dict(zip(names, floats[0].tolist(), strict=True))


@pytest.fixture(scope="module")
def ran() -> dict[str, dict[str, float]]:
    """Channels of five sunlit satellites of one cluster: one healthy, each other with a fault."""
    scenario, build = load("suncatcher-81")
    part = fleet_part_rows(build.fleet, build.places)
    ids, kinds = build.fleet.satellite_ids, ("", "R1", "R3", "T2", "T5")
    faults = [
        planned(kind, ramp_s=0.0, duration_s=7200.0, severity=1.0, satellites=(ids[row],))
        for row, kind in enumerate(kinds)
        if kind
    ]
    plan = plan_faults(faults, build.fleet, 1)
    run = NumpyRun(part, EPOCH, 10.0, 1, scenario.environment.settings(), plan)
    run.advance(TICKS)
    (view,) = run.views()
    return {kind: channels(view.seen, view.rows[row : row + 1]) for row, kind in enumerate(kinds)}


def test_healthy_readings_are_those_of_the_model(ran: dict[str, dict[str, float]]) -> None:
    healthy = ran[""]
    assert healthy["rad_dose_rate_rad_day"] == pytest.approx(healthy["rad_dose_model_rad_day"])
    assert healthy["orb_sma_decay_m_day"] == pytest.approx(healthy["orb_decay_model_m_day"])
    assert healthy["tcs_absorbed_excess_pct"] == pytest.approx(0.0, abs=1e-9)
    assert healthy["tcs_loop_drop_pct"] == pytest.approx(100.0, abs=15.0)
    assert healthy["see_uecc_model_per_h"] > 0.0


@pytest.mark.parametrize(
    ("kind", "reading", "model"),
    [
        ("R1", "rad_dose_rate_rad_day", "rad_dose_model_rad_day"),
        ("R3", "orb_sma_decay_m_day", "orb_decay_model_m_day"),
    ],
)
def test_a_fault_moves_the_reading_and_leaves_the_model(
    ran: dict[str, dict[str, float]], kind: str, reading: str, model: str
) -> None:
    assert ran[kind][model] == pytest.approx(ran[""][model], rel=0.05)  # a kilometre apart
    assert ran[kind][reading] > 2.0 * ran[kind][model]


def test_a_worn_coating_and_a_stuck_valve_show_in_their_residuals(
    ran: dict[str, dict[str, float]],
) -> None:
    assert ran["T5"]["tcs_absorbed_excess_pct"] > 3.0
    assert ran["T2"]["tcs_loop_drop_pct"] == pytest.approx(70.0, abs=10.0)
