"""A short R1 on real processes: nothing lost, nothing double, every value as recomputed.

How fast it drains is judged by `make chaos`, on a machine that does nothing else.
"""

import time

from bench import pipeline
from chaos_scenarios import KILLED, SCENARIOS
from stored_truth import Verdict


def test_six_kills_lose_nothing() -> None:
    with pipeline(3, run_s=16.0) as bench:
        bench.start()
        bench.until(3.0)
        for name in [*KILLED, *bench.random.sample(KILLED, 2)]:
            bench.parts[name].kill()
            bench.parts[name].start()
            time.sleep(bench.random.uniform(0.5, 1.5))  # real processes know no other clock
        verdict = bench.finish()
    assert verdict.is_clean, str(verdict)
    assert verdict.values > 1_000_000


def test_the_verdict_sees_each_kind_of_damage() -> None:
    clean = Verdict(issued=5, stored=5)
    assert clean.is_clean
    assert not Verdict(issued=5, stored=4, lost=1).is_clean
    assert not Verdict(issued=5, stored=5, unknown=1).is_clean
    assert not Verdict(issued=5, stored=5, corrupt=1).is_clean
    assert not Verdict().is_clean


def test_every_scenario_says_what_it_does() -> None:
    assert all((one.__doc__ or "").startswith(f"{name}: ") for name, one in SCENARIOS.items())
