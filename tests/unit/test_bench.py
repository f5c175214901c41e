"""What the measurements make of their numbers, and that they start what we ship."""

from pathlib import Path

import numpy as np
import psutil
import pytest

from services import influx_config
from services.bench_servers import write_scenario
from services.pipeline_bench import _parts
from services.pipeline_peaks import rate_of
from services.pipeline_soak import Series
from services.scenario_files import load_and_build
from services.stage_costs import stage_costs

DEPLOYED = Path(__file__).parents[2] / "deploy/influxdb/influxdb.env"


def test_unit_the_bench_starts_influxd_with_the_numbers_that_are_deployed():
    rows = [row.split("=") for row in DEPLOYED.read_text().splitlines() if row[:1] == "I"]
    deployed = {name.removeprefix("INFLUXD_STORAGE_"): value for name, value in rows}
    text = influx_config.influxd_conf(Path("/x"), 8086)
    for name in (
        "CACHE_SNAPSHOT_MEMORY_SIZE",
        "CACHE_MAX_MEMORY_SIZE",
        "MAX_CONCURRENT_COMPACTIONS",
    ):
        assert f"{name.lower().replace('_', '-')} = {deployed[name]}\n" in text
    rows = [row.split("=") for row in DEPLOYED.read_text().splitlines() if row[:2] == "GO"]
    assert dict(rows) == influx_config.GO


@pytest.mark.parametrize(("memory_gib", "limit_mib"), [(24, 14_746), (8, 4_915), (2, 2_048)])
def test_unit_a_store_without_a_container_may_use_most_of_the_machine(
    monkeypatch, memory_gib, limit_mib
):
    memory = psutil.virtual_memory()._replace(total=memory_gib * 2**30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    wanted = influx_config.GO | {"GOMEMLIMIT": f"{limit_mib}MiB"}
    assert influx_config.machine_environment() == wanted


@pytest.mark.parametrize("satellites", [4, 97, 1000])
def test_unit_the_fleet_of_the_bench_reports_fifty_values_each(tmp_path, satellites):
    path = write_scenario(tmp_path, "bench", satellites)
    _, build = load_and_build(str(path), 0.0)
    assert build.fleet.count == satellites
    costs = stage_costs(str(path))
    assert costs.values_per_sample == 50.0
    assert costs.simulate_us > 0.0 and costs.encode_us > 0.0


def test_unit_the_simulators_parts_come_to_its_process():
    cpu = {"simulate": 20.0, "broker": 1.0, "ingest": 3.0, "store": 60.0}
    parts = _parts(cpu, 8.0, 4.0)
    assert (parts["simulate"], parts["encode"], parts["publish"]) == (8.0, 4.0, 8.0)
    parts = _parts(cpu, 30.0, 10.0)  # measured on a busier machine than the run
    assert (parts["simulate"], parts["encode"], parts["publish"]) == (15.0, 5.0, 0.0)


async def test_unit_a_rate_is_from_the_first_row_to_the_last():
    seen = iter([0, 100, 300])

    async def count():
        return next(seen)

    rate = await rate_of(count, 0, 300)
    assert rate == pytest.approx(200 / 0.1, rel=0.9)


def test_unit_growth_is_told_from_noise_and_from_a_peak():
    times = list(np.arange(0.0, 300.0, 2.0))
    flat = Series(times, [100.0 + (index % 7) for index in range(150)])
    assert not flat.grows("rss_mb") and abs(flat.slope_per_h) < 30.0
    peak = Series(times, [100.0] * 149 + [900.0])
    assert not peak.grows("rss_mb")
    leak = Series(times, [100.0 + 0.1 * index for index in range(150)])
    assert leak.grows("rss_mb")
    assert leak.slope_per_h == pytest.approx(180.0)
    one_more = Series(times, [9.0] * 75 + [11.0] * 75)
    assert not one_more.grows("fds")
    assert Series(times, [9.0] * 75 + [19.0] * 75).grows("fds")
    assert leak.after(150.0).times_s[0] == 150.0
