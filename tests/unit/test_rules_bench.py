"""What `twin bench rules` and `twin bench drills` measure: all is well, or it is no measure."""

from services.drill_bench import bench_drills
from services.rules_bench import bench_rules
from twin.alerts import RULES


def test_calm_fleet_fires_nothing_and_a_storm_fires_on_those_it_strikes() -> None:
    said: list[str] = []
    figures = bench_rules(said.append, satellites=60, stormy_pct=50.0)
    assert figures["rules"] == len(RULES)
    assert figures["calm_firing"] == 0
    assert 60 < figures["firing"] < 60 * len(RULES)
    assert figures["history_mb"] < 2.0
    assert said and "60 satellites" in said[0]


def test_the_drill_that_is_measured_has_a_hundred_satellites_and_passes() -> None:
    said: list[str] = []
    figures = bench_drills(said.append, repeats=1)
    assert figures["satellites"] == 100 and figures["passed"]
    assert figures["times_real_time"] > 0 and "x real time" in said[0]
