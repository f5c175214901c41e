"""Three NATS servers that keep one stream, three ingesters that share it, one real InfluxDB."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
from bench import EPOCH_UNIX_S, MOSQUITTO, SCENARIO
from broker import make_client
from parts import Part, twin, until, until_open
from servers import binary, free_port
from stored_truth import Influx, Verdict, judge

from services.embedded_broker import nats_server
from services.influx_config import influxd_conf
from services.topics import Topics

NODES = 3
INGESTERS = 3


class Cluster:
    """Parts by name: node-0.., or `broker`; ingest-1..; store; simulate."""

    def __init__(self, home: Path, run_s: float, *, engine: str) -> None:
        self.home, self.run_s = home, run_s
        self.parts: dict[str, Part] = {}
        self.ports = {"store": free_port()}
        self.store = Influx(self.ports["store"])
        data = home / "influx"
        data.mkdir()
        (home / "influxdb.conf").write_text(influxd_conf(data, self.ports["store"]))
        influxd = binary("influxd", "influxdb")
        self._add("store", (influxd, "-config", str(home / "influxdb.conf")))
        told = self._nats() if engine == "nats" else self._mosquitto()
        told["TWIN_INFLUX_URL"] = f"http://127.0.0.1:{self.ports['store']}"
        for index in range(INGESTERS):
            name = f"ingest-{index + 1}"
            self._add(name, twin("ingest", "--instance", str(index + 1)), **told)
        self.begun_unix_s = 0.0
        self.mqtt_url = told["TWIN_MQTT_URL"]

    def _nats(self) -> dict[str, str]:
        nodes = range(NODES)
        client, mqtt, route = ([free_port() for _ in nodes] for _ in range(3))
        for node in nodes:
            name = f"node-{node}"
            conf = {
                "server_name": name,
                "host": "127.0.0.1",
                "port": client[node],
                "max_payload": 8 * 2**20,
                "jetstream": {"store_dir": str(self.home / name), "sync_interval": "always"},
                "cluster": {
                    "name": "test",
                    "host": "127.0.0.1",
                    "port": route[node],
                    "routes": [f"nats://127.0.0.1:{route[other]}" for other in nodes],
                },
                "mqtt": {
                    "host": "127.0.0.1",
                    "port": mqtt[node],
                    "max_ack_pending": 1000,
                    "stream_replicas": NODES,
                },
            }
            path = self.home / f"{name}.conf"
            path.write_text(json.dumps(conf))
            self._add(name, (str(nats_server()), "-c", str(path)))
            self.ports[name] = mqtt[node]
        return {
            "TWIN_MQTT_URL": ",".join(f"mqtt://127.0.0.1:{port}" for port in mqtt),
            "TWIN_NATS_URL": ",".join(f"nats://127.0.0.1:{port}" for port in client),
            "TWIN_NATS_STREAM_GB": "1",
        }

    def _mosquitto(self) -> dict[str, str]:
        self.ports["broker"] = free_port()
        path = self.home / "mosquitto.conf"
        path.write_text(MOSQUITTO.format(port=self.ports["broker"], directory=self.home))
        self._add("broker", (binary("mosquitto", "mosquitto"), "-c", str(path)))
        return {
            "TWIN_MQTT_URL": f"mqtt://127.0.0.1:{self.ports['broker']}",
            "TWIN_MQTT_PROTOCOL": "5",
            "TWIN_INGEST_GROUP": "ingest",
        }

    def _add(self, name: str, command: tuple[str, ...], **environment: str) -> None:
        told = {"TWIN_STATE_DIR": str(self.home / name)} | environment
        self.parts[name] = Part(name, command, self.home / f"{name}.log", told)

    def start(self) -> None:
        """Servers, then our services; the first tick of the run is due in 3 s."""
        for part in self.parts.values():
            if not part.name.startswith("ingest"):
                part.start()
        for port in self.ports.values():
            until_open(port, 30.0)
        for index in range(INGESTERS):
            self.parts[f"ingest-{index + 1}"].start()
        self.begun_unix_s = time.time() + 3.0
        command = twin(
            *("simulate", str(SCENARIO), "--for", f"{self.run_s:g}s", "--drain", "60"),
            *("--started-at", repr(self.begun_unix_s)),
        )
        self._add("simulate", command, TWIN_MQTT_URL=self.mqtt_url)
        self.parts["simulate"].start()

    def until_stored(self, run_s: float, limit_s: float) -> None:
        """Wait until something of this second of the run is in the store."""
        stamp_ns = round((EPOCH_UNIX_S + run_s) * 1e9)
        if until(lambda: self.store.count_until(stamp_ns + 10**12, stamp_ns) > 0, limit_s) is None:
            raise AssertionError(f"nothing stored\n{self.tail('ingest-1')}")

    def finish(self) -> Verdict:
        """The simulator ends when nothing is owed; then every row is compared."""
        code = self.parts["simulate"].wait(self.run_s + 240.0)
        if code != 0:
            said = "\n".join(f"--- {name}\n{self.tail(name)}" for name in self.parts)
            raise AssertionError(f"simulate ended with {code}\n{said}")
        return judge(self.store, str(SCENARIO), self.run_s)

    def frames_stored(self) -> dict[str, int]:
        """What each running ingester says that it has stored."""
        client = make_client(None, None, mqtt.MQTTv311)
        client.mqtt.connect("127.0.0.1", list(self.ports.values())[-1])
        client.mqtt.loop_start()
        found: dict[str, int] = {}
        running = [name for name, part in self.parts.items() if part.is_running]
        try:
            client.subscribe(Topics("all").service())
            while not all(name in found for name in running if name.startswith("ingest")):
                topic, payload = client.received.get(timeout=30.0)
                told = json.loads(payload)
                if told["state"] == "online" and "frames_stored" in told:
                    found[topic.rsplit("/", 1)[1]] = told["frames_stored"]
        finally:
            client.mqtt.disconnect()
            client.mqtt.loop_stop()
        return found

    def tail(self, name: str) -> str:
        return self.parts[name].log_path.read_text(errors="replace")[-3000:]

    def end(self) -> None:
        for part in reversed(self.parts.values()):
            part.end()


@contextmanager
def cluster(run_s: float, *, engine: str) -> Iterator[Cluster]:
    """`engine`: nats (three servers) or mosquitto (one, shared subscriptions)."""
    home = Path(tempfile.mkdtemp(prefix="twin-cluster-"))
    found = Cluster(home, run_s, engine=engine)
    try:
        yield found
    finally:
        found.end()
        shutil.rmtree(home, ignore_errors=True)
