"""Live drills: commands to real simulators, real broker, store and watcher; the verdict off line.

All five run at once in one process on real mosquitto and influxd, accelerated; what is compared is
simulated time.
"""

import asyncio
import json
import re
from pathlib import Path

import pytest
from servers import InfluxServer, MosquittoServer, influxd_server, mosquitto_server

from dashboards.routes import DRILL_FLEETS
from services.drill_commands_live import orders_of, shifted, targets_of
from services.drill_files import open_drill
from services.drill_live import LiveMarks, run_live, scenario_text
from services.drill_live_run import DrillAbortedError, LiveDrill
from services.drill_notes import Notes
from services.drill_watched import Changes
from services.ingest import run_ingest
from services.plan import Plan
from services.runs import open_scenario, plan_simulation
from services.settings import Settings, load_settings
from services.simulate import run_simulate
from services.watch import run_watch
from twin.alerts import RULES
from twin.drill_load import Drill
from twin.errors import ConfigurationError, DependencyUnavailableError
from twin.fleet_build import FleetBuild

RATE = 40.0
FOLLOWS = [rule.name for rule in RULES if rule.severity == "critical"]
DRILL = """
name: {name}
title: A drill of the live test
about: One fault on one satellite of two, seen by one rule; what follows from it is allowed.
given:
  epoch: 2026-10-01T00:00:00Z
  seed: 7
  step_s: 10
  fleet:
    - {{id: sc, preset: starcloud-2, report_interval_s: 10}}
quiet_s: 150
run_s: 260
inject:
  - {{id: it, fault: {fault}, at_s: 150, duration_s: 80, satellites: [sc_1]{more}}}
expect:
  - {{rule: {rule}, of: it, within_s: 100}}
allow:
"""
GROUPS = {  # thermal, attitude, power, data, operations
    "pump": ("T1", "coolant_flow_lost", ""),
    "tumble": ("A1", "tumbling", ""),
    "strings": ("P1", "array_short", ", severity: 0.5"),
    "clock": ("D4", "clock_off", ", severity: 1.0, ramp_s: 0"),
    "unfolded": ("O3", "array_short", ", severity: 1.0"),
}
MOSQUITTO = "listener 1883 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\n"


def drill_file(folder: Path, name: str) -> str:
    fault, rule, more = GROUPS[name]
    allowed = [one for one in FOLLOWS if one != rule]
    rows = "".join(f"  - {{rule: {one}, reason: it follows from the fault}}\n" for one in allowed)
    path = folder / f"{name}.yaml"
    path.write_text(DRILL.format(name=name, fault=fault, rule=rule, more=more) + rows)
    return str(path)


def prepared(
    folder: Path, name: str, settings: Settings
) -> tuple[Settings, Plan, Drill, FleetBuild]:
    """A drill and the simulation that it needs."""
    drill, build = open_drill(drill_file(folder, name))
    scenario = folder / f"{name}-scenario.yaml"
    scenario.write_text(scenario_text(drill_file(folder, name)))
    own = settings.model_copy(
        update={"state_dir": folder / name, "scenario": str(scenario), "influx_url": None}
    )
    return own, plan_simulation(open_scenario(own), RATE, None, None), drill, build


async def flown_and_drilled(
    settings: Settings, own: Settings, plan: Plan, drill: Drill, build: FleetBuild
) -> LiveMarks:
    """A simulator of the drill's own scenario, and the drill beside it."""
    simulator = asyncio.create_task(run_simulate(own, plan, 3.0))
    try:
        return await run_live(settings, drill, build)
    finally:
        simulator.cancel()
        await asyncio.gather(simulator, return_exceptions=True)


async def drilled(broker: MosquittoServer, store: InfluxServer, folder: Path) -> list[LiveMarks]:
    settings = load_settings(mqtt_url=broker.url, influx_url=store.url, state_dir=folder)
    ready = [prepared(folder, name, settings) for name in GROUPS]  # else the loop stands still
    beside = [asyncio.create_task(run_ingest(settings)), asyncio.create_task(run_watch(settings))]
    try:
        found = []
        for pair in (ready[:2], ready[2:4], ready[4:]):  # two cores, and a broker to be heard by
            found += await asyncio.gather(*(flown_and_drilled(settings, *one) for one in pair))
        return found
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


async def test_live_drills_of_five_groups_agree_with_the_same_off_line(tmp_path: Path) -> None:
    with mosquitto_server(MOSQUITTO) as broker, influxd_server() as store:
        found = await drilled(broker, store, tmp_path)
        asked = 'SELECT "text","drill","kind","target" FROM "events"'
        rows = json.loads(store.query(asked, "telemetry"))["results"][0]["series"][0]["values"]
        scores = json.loads(store.query('SELECT "score","drill" FROM "drills"', "telemetry"))
    for name, both in zip(GROUPS, found, strict=True):
        assert both.disagreements() == [], name
        (detection,) = both.live.score.detections
        assert detection.outcome == "seen", name
        kinds = {row[3] for row in rows if row[2] == name}
        assert {"drill_inject", "drill_detect"} <= kinds, name
        (when,) = {row[0] for row in rows if row[2] == name and row[3] == "drill_inject"}
        drill = both.live.trace.drill
        assert drill.scenario.epoch_unix_s is not None
        assert when / 1e9 - drill.scenario.epoch_unix_s == drill.keys.inject[0].at_s
    told = scores["results"][0]["series"][0]["values"]
    assert {row[2] for row in told} == set(GROUPS)


async def test_a_drill_that_is_cut_short_heals_what_it_broke(tmp_path: Path) -> None:
    with mosquitto_server(MOSQUITTO) as broker, influxd_server() as store:
        settings = load_settings(mqtt_url=broker.url, influx_url=store.url, state_dir=tmp_path)
        beside = [asyncio.create_task(run_watch(settings))]
        path = Path(drill_file(tmp_path, "pump"))
        # A fault that is over by itself cannot be healed: on a slow machine 80 s may pass.
        long = path.read_text().replace("duration_s: 80", "duration_s: 80000")
        path.write_text(long.replace("run_s: 260", "run_s: 90000"))
        drill, build = open_drill(str(path))
        scenario = tmp_path / "scenario.yaml"
        scenario.write_text(scenario_text(drill.file))
        own = settings.model_copy(update={"scenario": str(scenario), "influx_url": None})
        plan = plan_simulation(open_scenario(own), RATE, None, None)
        simulate = asyncio.create_task(run_simulate(own, plan, 1.0))
        said: list[str] = []
        begun = asyncio.Event()

        def hear(line: str) -> None:
            said.append(line)
            begun.set()

        work = asyncio.create_task(run_live(settings, drill, build, said=hear))
        await asyncio.wait_for(begun.wait(), 60.0)
        assert "inject T1" in said[0]
        work.cancel()  # as Ctrl-C does
        with pytest.raises(asyncio.CancelledError):
            await work
        assert said[-1] == "healed T1 on sc_1: command_done"
        for task in (simulate, *beside):
            task.cancel()
        await asyncio.gather(simulate, *beside, return_exceptions=True)


async def test_without_a_simulator_or_with_a_pipeline_fault_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.drill_live_run.FOUND_S", 0.3)
    drill, build = open_drill(drill_file(tmp_path, "pump"))
    with mosquitto_server(MOSQUITTO) as broker, pytest.raises(DependencyUnavailableError) as failed:
        await run_live(load_settings(mqtt_url=broker.url), drill, build)
    assert "no simulator of drill-pump" in str(failed.value)
    path = Path(drill_file(tmp_path, "pump"))
    text = path.read_text().replace("fault: T1,", "pipeline: store-down,")
    path.write_text(
        text.replace(", satellites: [sc_1]", "").replace("of: it,", "of: it, targets: [sc_1],")
    )
    drill, build = open_drill(str(path))
    with pytest.raises(ConfigurationError, match="make chaos"):
        LiveDrill(load_settings(), drill, build, RULES, Notes("pump", "pump", 0.0))


def test_a_drills_fleet_is_one_for_which_nobody_is_paged(tmp_path: Path) -> None:
    _, build = open_drill(drill_file(tmp_path, "strings"))
    assert re.fullmatch(DRILL_FLEETS, build.fleet.name)


def test_orders_name_who_is_hit_and_a_later_drill_is_the_same_later(tmp_path: Path) -> None:
    drill, build = open_drill(drill_file(tmp_path, "strings"))
    (order,) = orders_of(drill, build.fleet, RULES)
    assert (order.target, order.at_s, order.command["severity"]) == ("sc_1", 150.0, 0.5)
    (later,) = orders_of(shifted(drill, 600.0), build.fleet, RULES)
    assert (later.at_s, later.command["at_s"], later.end_s) == (750.0, 750.0, 830.0)
    import numpy as np

    assert targets_of(build.fleet, np.arange(2)) == ["all"]
    assert targets_of(build.fleet, np.array([1])) == ["sc_2"]


def test_changes_that_are_told_twice_count_once() -> None:
    heard: list[float] = []
    changes = Changes(RULES, 1000.0, lambda one: heard.append(one.time_s))
    labels = {"fleet": "f", "plane": "p", "sat": "a"}
    row = {
        "t_s": 1010.0, "rule": "tumbling", "labels": labels, "before": "Pending",
        "after": "Alerting", "reason": "", "value": None,
    }  # fmt: skip
    changes.snapshot({"t_ns": 1_010_000_000_000, "history": [row, row | {"rule": "unknown"}]})
    changes.event({
        "t_ns": 1_010_000_000_000, "rule": "tumbling", "before": "Pending", "state": "Alerting",
        "reason": "", "targets": [labels | {"value": 1.5}],
    })  # fmt: skip
    assert heard == [10.0]
    assert changes.judged_s == 10.0
    assert changes.unknown == 1
    assert [one.labels["sat"] for one in changes.until(100.0)] == ["a"]
    assert DrillAbortedError("x").exit_code == 1
