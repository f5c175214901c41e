"""What `twin bench rules` measures: a calm fleet that nobody is paged for, then a storm."""

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
