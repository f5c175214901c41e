"""`twin bench pipeline --quick`: the whole measurement once, small, with real servers."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = {"simulate", "encode", "publish", "broker", "ingest", "store"}


def test_the_bench_measures_every_part_and_loses_nothing() -> None:
    command = ("-m", "services.cli", "bench", "pipeline", "--quick", "--json")
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["lost"] == 0
    assert 0.0 < found["values_per_s"] <= 5_000.0  # asked for: 100 satellites, 50 values
    assert set(found["cpu_us_per_sample"]) == PARTS
    assert all(found["cpu_us_per_sample"][part] > 0.0 for part in PARTS - {"broker", "store"})
    assert found["own_cpu_us_per_sample"] > 0.0
    assert 0.0 < found["p50_queryable_s"] <= found["p99_queryable_s"]
    assert found["peak_samples_per_s"] > 0.0
    assert found["ratio_to_naive"] > 0.0
    assert found["day_of_10281_core_pct"] is None
    assert "naive design" in done.stderr
