"""Two real simulator processes with half of a fleet each tell the broker what one with all does."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from running import ROOT, environment
from servers import mosquitto_server

from twin.frames import open_batch

COMMAND = (
    *(sys.executable, "-m", "services.cli", "simulate", "suncatcher-81"),
    *("--epoch", "2026-10-01T00:00:00Z", "--rate", "max", "--for", "12s", "--drain", "30"),
)
Bodies = dict[tuple[str, int], bytes]


def bodies_of(parts: int, state_dir: Path) -> Bodies:
    """What arrives of one run: bodies by shard and number, roll-ups with them."""
    found: Bodies = {}
    ready = threading.Event()
    with mosquitto_server() as broker:
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.on_subscribe = lambda *_: ready.set()

        def keep(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
            header, body = open_batch(message.payload)
            found[header.shard, header.seq] = body
            mark = json.dumps({"run": header.run, "seq": header.seq})
            client.publish(message.topic.replace("/tlm/", "/wm/"), mark, 1, retain=True)

        client.on_message = keep
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        client.subscribe("fleet/v1/+/tlm/+", 1)
        assert ready.wait(30.0)
        env = environment(state_dir, TWIN_MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        started = [
            subprocess.Popen(
                [*COMMAND, "--shard", f"{index}/{parts}"],
                cwd=ROOT,
                env=env,
                stderr=subprocess.PIPE,
                text=True,
            )
            for index in range(parts)
        ]
        for process in started:
            _, log = process.communicate(timeout=90.0)
            assert process.returncode == 0, log
            assert "still owed" not in log, log
        client.disconnect()
        client.loop_stop()
    return found


def test_two_processes_publish_what_one_does(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:  # each with a broker of its own, at the same time
        one, two = pool.map(bodies_of, (1, 2), (tmp_path / "one", tmp_path / "two"))
    assert {seq for shard, seq in one if shard == "rollup"} == {0, 1}
    assert len({shard for shard, _ in one}) > 2
    assert two == one
