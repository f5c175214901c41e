"""SIGHUP to a real simulator: satellites join and leave, across a kill, and gaps are repaired."""

import asyncio
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import paho.mqtt.client as mqtt
from broker import WAIT_S
from paho.mqtt.enums import CallbackAPIVersion
from running import ROOT, environment
from servers import influxd_server, mosquitto_server

from services.gaps import _row, _values
from services.runs import open_scenario, plan_simulation
from services.settings import Settings, load_settings
from services.simulator import Simulator
from services.store import InfluxStore
from services.stored_rows import RowValues, row_values
from twin.frames import open_batch

FLEET = "reloaded"
SCENARIO = """\
name: reloaded
epoch: 2026-03-20T12:00:00Z
seed: 5
fleet:
  - id: ring
    preset: amazon-leo-relay
    orbit: {ring: {count: 3, altitude_km: 610, inclination_deg: 42}}
"""
LEAVES = """\
  - id: old
    preset: starcloud-1
    orbit: {ring: {count: 1, altitude_km: 550, inclination_deg: 53}}
"""
JOIN = """\
  - id: new
    preset: suncatcher-pair-2027
    orbit: {ring: {count: 2, altitude_km: 650, inclination_deg: 97.9}}
    report_interval_s: 2
"""
UNTIL_S, RATE = 80, 10
EPOCH_NS = 1_774_008_000 * 10**9
MEASUREMENTS = ("sat_state", "accel_state", "fleet_state", "plane_state", "economics")
Heard = queue.Queue[tuple[str, bytes]]


@contextmanager
def listening(port: int) -> Iterator[Heard]:
    heard: Heard = queue.Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    ready: queue.Queue[int] = queue.Queue()
    client.on_subscribe = lambda *_: ready.put(1)
    client.on_message = lambda _c, _d, message: heard.put((message.topic, message.payload))
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe([(f"fleet/v1/{FLEET}/{lane}", 1) for lane in ("tlm/+", "event", "state/+")])
    ready.get(timeout=WAIT_S)
    yield heard
    client.disconnect()
    client.loop_stop()


def until_tick(heard: Heard, satellite: str, tick: int) -> list[tuple[str, bytes]]:
    """Everything that comes until a satellite reports of this tick or a later one."""
    seen = []
    while True:
        topic, payload = heard.get(timeout=WAIT_S)
        seen.append((topic, payload))
        if f"sat={satellite} ".encode() in payload:
            header, _ = open_batch(payload)
            if header.t_ns >= EPOCH_NS + tick * 10**9:
                return seen


async def stored(settings: Settings) -> dict[str, RowValues]:
    async with InfluxStore(settings) as store:
        return {
            name: await row_values(store, name, FLEET, 0, 2**62)
            for name in (*MEASUREMENTS, "sat_1m", "fleet_1m")
        }


def undisturbed(path: Path) -> dict[tuple[str, int], dict[str, float | int]]:
    """Rows of the satellites that stay, of a run in which nothing changes."""
    path.write_text(SCENARIO + LEAVES)
    opened = open_scenario(Settings(scenario=str(path)))
    simulator = Simulator(plan_simulation(opened, 1.0, UNTIL_S, None))
    while simulator.tick < UNTIL_S:
        simulator.turn()
    found = {}
    for owed in simulator.outbox:
        for line in open_batch(owed.payload)[1].splitlines(keepends=True):
            row = _row(line)
            if dict(row.tags).get("sat", "").startswith("ring"):
                found[f"{row.measurement}{row.tags}", row.time_ns] = _values(line)
    return found


def test_val_two_join_one_leaves_the_rest_is_the_same_and_gaps_close(tmp_path: Path) -> None:
    path = tmp_path / "reloaded.yaml"
    expected = undisturbed(path)
    command = [
        *(sys.executable, "-m", "services.cli", "simulate", str(path), "--rate", str(RATE)),
        *("--for", f"{UNTIL_S}s", "--drain", "30"),
    ]
    with influxd_server() as influx, mosquitto_server() as broker, listening(broker.port) as heard:
        servers = {"TWIN_MQTT_URL": broker.url, "TWIN_INFLUX_URL": influx.url}
        env = environment(tmp_path / "state", **servers)
        ingest = subprocess.Popen(
            [sys.executable, "-m", "services.cli", "ingest"],
            cwd=ROOT,
            env=environment(tmp_path / "ingest", **servers),
            stderr=subprocess.DEVNULL,
        )
        try:
            first = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
            until_tick(heard, "ring_1", 12)
            path.write_text(SCENARIO + LEAVES.replace("550", "551"))
            os.kill(first.pid, signal.SIGHUP)  # not this: "old" would fly otherwise
            until_tick(heard, "ring_1", 21)
            path.write_text(SCENARIO + JOIN)
            os.kill(first.pid, signal.SIGHUP)
            said = until_tick(heard, "new_1", 50)
            first.kill()
            _, log = first.communicate(timeout=WAIT_S)
            assert "the scenario stays as it was" in log
            assert "reloaded.yaml:" in log
            events = [orjson.loads(body) for topic, body in said if topic.endswith("/event")]
            assert [event["left"] for event in events] == [["old"]]
            assert (f"fleet/v1/{FLEET}/state/old", b"") in said
            again = subprocess.run(
                command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=90, check=False
            )
            assert again.returncode == 0, again.stderr
            settings = load_settings(influx_url=influx.url)
            before = asyncio.run(stored(settings))
            rows = {
                (f"{name}{tags}", time_ns): values
                for name, table in before.items()
                for (tags, time_ns), values in table.items()
            }
            stay = {key: one for key, one in rows.items() if "'sat', 'ring_" in key[0]}
            assert stay == expected
            change_ns = (events[0]["t_ns"] - EPOCH_NS) // 10**9
            ticks = {
                name: sorted((at - EPOCH_NS) // 10**9 for tags, at in before["sat_state"]
                             if dict(tags)["sat"] == name)
                for name in ("old", "new_1", "new_2")
            }  # fmt: skip
            assert change_ns % 10 == 0
            assert ticks["old"] == list(range(change_ns))
            assert ticks["new_1"] == ticks["new_2"] == list(range(change_ns, UNTIL_S, 2))
            asyncio.run(a_hole_is_made(settings, change_ns))
            assert asyncio.run(stored(settings)) != before
            repair_gaps(path, env)
            assert asyncio.run(stored(settings)) == before
        finally:
            ingest.kill()
            ingest.wait()


async def a_hole_is_made(settings: Settings, change_s: int) -> None:
    """Half a minute that spans the change."""
    begin_ns, end_ns = (EPOCH_NS + (change_s + shift_s) * 10**9 for shift_s in (-15, 15))
    async with InfluxStore(settings) as store:
        for name in MEASUREMENTS:
            where = f"time >= {begin_ns} AND time < {end_ns}"
            await store.query(f'DELETE FROM "{name}" WHERE {where}')


def repair_gaps(path: Path, env: dict[str, str]) -> None:
    repair = [sys.executable, "-m", "services.cli", "gaps", "repair", str(path)]
    done = subprocess.run(
        [*repair, "--for", f"{UNTIL_S}s"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert "written again, 0 refused" in done.stdout, done.stdout + done.stderr
