"""`twin run`: the tables are those of a live run, whole or not there, the same in parts."""

from pathlib import Path

import duckdb
import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from services import offline_run
from services.cli import app
from services.offline_run import run_offline
from services.run_choices import RunOptions, choose_engine
from services.runs import OpenedScenario, open_scenario, plan_simulation
from services.settings import load_settings
from services.simulator import Simulator
from twin.errors import ConfigurationError
from twin.rollup_fields import FIELDS
from twin.rollups import encode_rollups
from twin.sensors import snapshot

BASE = """
name: trial
epoch: 2026-11-01T00:00:00Z
seed: 5
step_s: 10
fleet:
  - id: ring
    preset: spacex-ai1
    report_interval_s: 10
    orbit:
      walker_delta: {planes: 3, per_plane: 4, phasing: 1, altitude_km: 560, inclination_deg: 53}
"""
FAULTS = """
faults:
  - kind: T1
    onset_s: 0
    satellites: [ring_001_001]
"""


def opened(folder: Path, more: str = "") -> OpenedScenario:
    path = folder / "trial.yaml"
    path.write_text(BASE + more)
    return open_scenario(load_settings(scenario=str(path)))


def table(path: Path, what: str = "*") -> list[tuple[object, ...]]:
    with duckdb.connect() as store:
        return store.execute(f"SELECT {what} FROM '{path}'").fetchall()


def test_rollups_are_those_that_a_live_run_reports(tmp_path: Path) -> None:
    trial = opened(tmp_path)
    options = RunOptions(120.0, out=tmp_path / "out", engine="numpy", file_format="both")
    figures = run_offline(trial, options, lambda _: None)
    live = Simulator(plan_simulation(trial, float("inf"), 130.0, None))
    for tick in range(1, 13):
        live.tick = tick
        live._advance()
    seen = snapshot(live.fleet, live.state, live.environment, live.seed, 12, live.effects)
    line = encode_rollups(seen, 0).split(b"\n")[0].split(b" ")[1].decode()
    told = {key: float(value) for key, value in (one.split("=") for one in line.split(","))}
    expected = {key: value for key, value in told.items() if key in FIELDS}
    rows = table(tmp_path / "out" / "fleet.parquet", ", ".join(FIELDS))
    assert len(rows) == 3  # at 0, 60 and 120 s
    assert dict(zip(FIELDS, rows[-1], strict=True)) == expected
    assert table(tmp_path / "out" / "fleet.csv", ", ".join(FIELDS)) == rows
    assert len(table(tmp_path / "out" / "satellites.parquet")) == 3 * 12
    assert len(table(tmp_path / "out" / "planes.parquet")) == 3 * 3
    assert figures["sat_steps_per_s"] > 0
    assert (tmp_path / "out" / "summary.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_parts_and_repeats_give_the_same_bytes(
    tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = opened(tmp_path)
    monkeypatch.setattr(offline_run, "can_plot", lambda: False)

    def ran(name: str, part: tuple[int, int]) -> Path:
        options = RunOptions(300.0, 100.0, tmp_path / name, engine, part=part)  # type: ignore[arg-type]
        run_offline(trial, options, lambda _: None)
        return tmp_path / name / "satellites.parquet"

    whole = ran("whole", (0, 1))
    assert ran("again", (0, 1)).read_bytes() == whole.read_bytes()
    in_parts = [row for k in range(3) for row in table(ran(f"part{k}", (k, 3)))]
    assert sorted(in_parts, key=str) == sorted(table(whole), key=str)


def test_both_engines_give_the_same_fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = opened(tmp_path)
    monkeypatch.setattr(offline_run, "can_plot", lambda: False)
    rows = {}
    for engine in ("numpy", "compiled"):
        options = RunOptions(600.0, None, tmp_path / engine, engine)  # type: ignore[arg-type]
        run_offline(trial, options, lambda _: None)
        rows[engine] = np.array(table(tmp_path / engine / "fleet.parquet", ", ".join(FIELDS)))
    # One unit of the last decimal: values a rounding apart may round apart.
    decimals = np.array([decimals for _, _, decimals in FIELDS.values()])
    assert (np.abs(rows["numpy"] - rows["compiled"]) <= 1.01 * 10.0**-decimals).all()


def test_the_engine_follows_from_the_scenario(tmp_path: Path) -> None:
    assert choose_engine(opened(tmp_path), "auto")[0] == "compiled"
    faulty = opened(tmp_path, FAULTS)
    assert choose_engine(faulty, "auto") == ("numpy", "faults: faults act in the numpy path only")
    with pytest.raises(ConfigurationError, match=r"trial.yaml:\d+: faults: .* --engine numpy"):
        choose_engine(faulty, "compiled")


def test_the_command_prints_figures_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    opened(tmp_path)
    scenario, out = str(tmp_path / "trial.yaml"), tmp_path / "out"
    words = ["run", scenario, "--for", "1m", "--engine", "numpy", "--out", str(out)]
    done = CliRunner().invoke(app, [*words, "--satellites", "ring_001_002", "--json"])
    assert done.exit_code == 0, done.output
    figures = orjson.loads(done.stdout.splitlines()[-1])
    assert (figures["satellites"], figures["ticks"], figures["engine"]) == (12, 7, "numpy")
    assert table(out / "satellites.parquet", "DISTINCT sat") == [("ring_001_002",)]
    before = {path.name for path in tmp_path.iterdir()}
    for wrong in (words, [*words[:-1], str(tmp_path / "other"), "--satellites", "nobody"]):
        failed = CliRunner().invoke(app, wrong)
        assert isinstance(failed.exception, ConfigurationError)
        assert "--out" in str(failed.exception) or "nobody" in str(failed.exception)
    assert {path.name for path in tmp_path.iterdir()} == before
    assert CliRunner().invoke(app, [*words, "--every", "7s"]).exit_code != 0
