"""The live picture: what is kept, what is stale, what is refused."""

import json
import math

import numpy as np
import pytest

from services.console.feed import LiveFleet
from services.console.frames import natural, picture
from services.console.summary import fleet_summary
from twin.frames import FrameHeader, batch

START_NS = 1_777_550_400 * 10**9


class Wall:
    """A wall clock that moves when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def line(sat: str, second: float, **fields: float) -> bytes:
    values = {"orb_lat_deg": 1.0, "orb_lon_deg": 2.0, "eps_soc_pct": 90.0} | fields
    text = ",".join(f"{k}={v!r}" for k, v in values.items())
    stamp = START_NS + int(second * 1e9)
    return f"sat_state,fleet=f,plane=p1,sat={sat} {text} {stamp}\n".encode()


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def live(wall: Wall) -> LiveFleet:
    return LiveFleet(wall)


def value(live: LiveFleet, sat: str, channel: str) -> float:
    row = live.roster.row(sat)
    assert row is not None
    return float(live.values[row, live.channels.index(channel)])


def test_latest_report_wins_even_inside_one_batch(live: LiveFleet) -> None:
    live.ingest(line("A", 2, eps_soc_pct=70.0) + line("A", 1, eps_soc_pct=80.0))
    assert value(live, "A", "eps_soc_pct") == pytest.approx(70.0)
    live.ingest(line("A", 1.5, eps_soc_pct=10.0))
    assert value(live, "A", "eps_soc_pct") == pytest.approx(70.0)
    assert live.counts.late == 1
    values, _ = live.all_channels("A")
    assert values["eps_soc_pct"] == 70.0


def test_sensor_lost_is_unknown_and_not_the_old_value(live: LiveFleet) -> None:
    live.ingest(line("A", 1, tcs_batt_t_c=20.0))
    live.ingest(line("A", 2))
    assert math.isnan(value(live, "A", "tcs_batt_t_c"))


@pytest.mark.parametrize("sat", ["1A", "A-B", "A/../B", "", "A" * 65])
def test_unfit_ids_are_counted_and_left_out(live: LiveFleet, sat: str) -> None:
    live.ingest(line(sat, 1) + line("GOOD", 1))
    assert [s.satellite_id for s in live.roster.satellites] == ["GOOD"]
    assert live.counts.rejected == 1


def test_roster_never_grows_beyond_its_limit(wall: Wall) -> None:
    live = LiveFleet(wall, satellites_limit=3)
    live.ingest(b"".join(line(f"S{i}", 1) for i in range(10)))
    assert len(live.roster) == 3
    assert live.counts.rejected == 7


def test_garbage_is_counted_and_harmless(live: LiveFleet) -> None:
    live.ingest(b"\xff\xfe nonsense\nsat_state,sat=A\nsat_state,sat=A b=1 notime\n,=, 1\n")
    assert live.counts.rejected == 4
    assert np.isnan(live.values).all()


def test_rate_and_age_follow_the_data(live: LiveFleet, wall: Wall) -> None:
    for second in range(11):
        live.ingest(line("A", 60.0 * second))
        live.tick()
        wall.now_s += 1.0
    assert live.clock.rate() == pytest.approx(60.0)
    assert live.clock.age_s() == pytest.approx(1.0)
    assert live.clock.now_ns() == pytest.approx(START_NS + 660e9, abs=1e6)


def test_silent_satellite_turns_stale_and_leaves_the_figures(live: LiveFleet, wall: Wall) -> None:
    for second in range(6):
        live.ingest(line("A", second, eps_soc_pct=50.0))
        if second < 2:
            live.ingest(line("B", second, eps_soc_pct=100.0))
        live.tick()
        wall.now_s += 1.0
    assert live.stale().tolist() == [False, False]
    for second in range(6, 12):
        live.ingest(line("A", second, eps_soc_pct=50.0))
        live.tick()
        wall.now_s += 1.0
    assert live.stale().tolist() == [False, True]
    summary = fleet_summary(live)
    assert (summary["fresh"], summary["stale"]) == (1, 1)
    assert summary["soc_mean_pct"] == 50.0


def test_when_all_is_silent_there_are_no_figures(live: LiveFleet, wall: Wall) -> None:
    live.ingest(line("A", 0))
    live.ingest(line("A", 1))
    live.tick()
    wall.now_s += 3600.0
    summary = fleet_summary(live)
    assert summary["stale"] == 1
    assert summary["soc_mean_pct"] is None
    assert summary["die_max"] is None
    assert summary["data_age_s"] == pytest.approx(3600.0)


def test_changes_are_told_once_and_merged_for_the_slow(live: LiveFleet) -> None:
    live.ingest(line("A", 1) + line("B", 1))
    first = live.tick()
    live.ingest(line("B", 2))
    second = live.tick()
    live.ingest(line("A", 3))
    assert live.changed_since(first).tolist() == [1]
    third = live.tick()
    assert live.changed_since(second).tolist() == [0]
    assert live.changed_since(first).tolist() == [0, 1]
    assert live.changed_since(third).tolist() == []
    assert picture(live, live.changed_since(third))["rows"] == ""


def header(run: str, second: int) -> FrameHeader:
    return FrameHeader(1, "f", run, "s0", 1, 1, START_NS + second * 10**9, 1, 0, 0)


def test_new_run_starts_anew_and_the_old_one_is_not_mixed_in(live: LiveFleet) -> None:
    live.ingest(batch(header("r1", 500), line("OLD", 500)))
    before = live.run
    live.ingest(batch(header("r2", 0), line("NEW", 0)))
    assert live.run != before
    assert [s.satellite_id for s in live.roster.satellites] == ["NEW"]
    live.on_state("OLD", {"name": "OLD-1"})
    live.ingest(batch(header("r3", 0), line("OLD", 0)))
    satellite = live.roster.find("OLD")
    assert satellite is not None
    assert satellite.name == "OLD-1"


def test_batches_of_an_ended_run_are_left_out(live: LiveFleet) -> None:
    live.ingest(batch(header("r1", 500), line("OLD", 500)))
    live.ingest(batch(header("r2", 0), line("NEW", 0)))
    live.ingest(batch(header("r1", 501), line("OLD", 501)))
    assert [s.satellite_id for s in live.roster.satellites] == ["NEW"]


def test_clock_that_went_back_without_a_header_starts_anew(live: LiveFleet, wall: Wall) -> None:
    live.ingest(line("A", 5000))
    live.ingest(line("A", 10))
    assert live.counts.restarts == 0
    wall.now_s += 60.0
    live.ingest(line("A", 11))
    live.ingest(line("A", 12))
    assert live.counts.restarts == 1
    assert live.time_ns.tolist() == [START_NS + 12 * 10**9]


def test_state_message_names_a_satellite(live: LiveFleet) -> None:
    live.on_state("A", json.dumps({"name": "ALPHA-1", "preset": "P1", "accel_count": 4}).encode())
    live.on_state("B", b"not json")
    live.on_state("C", json.dumps({"name": "<img src=x>"}).encode())
    assert len(live.roster) == 0  # a retained state may be that of a fleet long gone
    live.ingest(line("A", 1) + line("B", 1) + line("C", 1))
    satellite = live.roster.find("A")
    assert satellite is not None
    assert (satellite.name, satellite.preset) == ("ALPHA-1", "P1")
    assert satellite.details["accel_count"] == 4
    version = live.roster.version
    live.on_state("A", {"name": "ALPHA-2"})
    assert satellite.name == "ALPHA-2"
    assert live.roster.version > version
    unfit = live.roster.find("C")
    assert unfit is not None
    assert unfit.name == ""


def test_accelerators_keep_their_last_report(live: LiveFleet) -> None:
    for second, heat in ((1, 50.0), (2, 60.0)):
        stamp = START_NS + second * 10**9
        live.ingest(
            f"accel_state,fleet=f,plane=p,sat=A,accel=3 accel_temp_c={heat} {stamp}".encode()
        )
    assert live.all_accelerators("A") == {"3": {"accel_temp_c": 60.0}}


def test_planes_sort_as_people_count() -> None:
    assert sorted(["p10", "p2", "a", "p1"], key=natural) == ["a", "p1", "p2", "p10"]
