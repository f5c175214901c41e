"""A real pipeline for one scenario: mosquitto, influxd, `twin simulate`, `twin ingest`."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random

from asked import Asked
from parts import ROOT, Part, twin, until, until_open
from proxy import Proxy
from servers import binary, free_port
from stored_truth import Influx, Verdict, judge

from services.arguments import parse_epoch
from services.influx_config import influxd_conf

SCENARIO = Path(__file__).with_name("thousand.yaml")
EPOCH_UNIX_S = parse_epoch("2026-10-01T00:00:00Z")
SATELLITES = 1000
PLANES = 25
LOOK_EVERY_S = 0.25
MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
user root
persistence true
persistence_location {directory}/
autosave_interval 30
max_queued_messages 1000000
max_queued_bytes 2000000000
max_inflight_messages 1000
set_tcp_nodelay true
"""
Environments = Mapping[str, Mapping[str, str]]
"""Settings of our own services by part."""


class Bench(Asked):
    """The parts, the links between them (proxies if wanted), and the questions at the end.

    rate: seconds of the run per second of the wall; settings: of our own services.
    """

    def __init__(
        self,
        home: Path,
        seed: int,
        *,
        run_s: float,
        proxied: bool = False,
        satellites: int = SATELLITES,
        rate: float = 1.0,
        settings: Environments | None = None,
    ) -> None:
        self.home = home
        self.random = Random(seed)
        self.run_s = run_s
        self.rate = rate
        self.satellites = satellites
        self.scenario = scenario_of(home, satellites)
        self._settings = settings or {}
        self.links: dict[str, Proxy] = {}
        broker, store, health = free_port(), free_port(), free_port()
        self.broker_port, self.store_port, self.health_port = broker, store, health
        self.store = Influx(store)
        self.parts: dict[str, Part] = {}
        self._add("broker", (binary("mosquitto", "mosquitto"), "-c", self._broker_conf()))
        self._add("store", (binary("influxd", "influxdb"), "-config", self._store_conf()))
        to_broker = {"simulate": broker, "ingest": broker}
        to_store = store
        if proxied:
            for name, target in (("simulate", broker), ("ingest", broker), ("store", store)):
                self.links[name] = Proxy(target, free_port())
            to_broker = {name: self.links[name].port for name in to_broker}
            to_store = self.links["store"].port
        self._add(
            "ingest",
            twin("ingest"),
            TWIN_MQTT_URL=f"mqtt://127.0.0.1:{to_broker['ingest']}",
            TWIN_INFLUX_URL=f"http://127.0.0.1:{to_store}",
            TWIN_HEALTH_LISTEN=f"127.0.0.1:{health}",
        )
        self._simulate_url = f"mqtt://127.0.0.1:{to_broker['simulate']}"

    def _add(self, name: str, command: tuple[str, ...], **environment: str) -> None:
        told = {"TWIN_STATE_DIR": str(self.home / name)} | environment
        told |= self._settings.get(name, {})
        self.parts[name] = Part(name, command, self.home / f"{name}.log", told)

    def add_double(self, name: str, **environment: str) -> Part:
        """Another process of the same command and log-in, with a directory of its own."""
        first, double = self.parts[name], f"{name}-double"
        told = dict(first.environment) | {"TWIN_STATE_DIR": str(self.home / double)} | environment
        self.parts[double] = Part(double, first.command, self.home / f"{double}.log", told)
        return self.parts[double]

    def _broker_conf(self) -> str:
        path = self.home / "mosquitto.conf"
        path.write_text(MOSQUITTO.format(port=self.broker_port, directory=self.home))
        return str(path)

    def _store_conf(self) -> str:
        path, data = self.home / "influxdb.conf", self.home / "influx"
        data.mkdir()
        path.write_text(influxd_conf(data, self.store_port))
        return str(path)

    # -- running

    def start(self, *names: str) -> None:
        """Servers first unless told otherwise; the first tick of the run is due in 3 s."""
        for name in names or ("broker", "store"):
            self.parts[name].start()
        if not names:
            until_open(self.broker_port, 30.0)
            until_open(self.store_port, 30.0)
            self.parts["ingest"].start()
            self.start_simulate()

    def plan_simulate(self) -> None:
        self.begun_unix_s = time.time() + 3.0
        self._add(
            "simulate",
            twin(
                *("simulate", str(self.scenario), "--for", f"{self.run_s:g}s", "--drain", "60"),
                *("--started-at", repr(self.begun_unix_s), "--rate", f"{self.rate:g}"),
            ),
            TWIN_MQTT_URL=self._simulate_url,
        )

    def start_simulate(self) -> None:
        self.plan_simulate()
        self.parts["simulate"].start()

    def until(self, run_s: float) -> None:
        """Wait until so many seconds of the run have passed."""
        time.sleep(max(0.0, self.begun_unix_s + run_s / self.rate - time.time()))

    @property
    def now_s(self) -> float:
        """Seconds of the run that have passed."""
        return (time.time() - self.begun_unix_s) * self.rate

    def stamp_ns(self, run_s: float) -> int:
        """The time stamp of a report that is due at this second of the run."""
        return round((EPOCH_UNIX_S + run_s) * 1e9)

    def drained_s(self, limit_s: float) -> float | None:
        """Seconds until everything due up to now is stored; None if that takes longer."""
        due_s = min(self.now_s, self.run_s - 1.0)
        wanted, stamp_ns = self.satellites * (int(due_s) + 1), self.stamp_ns(due_s)
        return until(
            lambda: self.store.count_until(stamp_ns) >= wanted, limit_s, look_s=LOOK_EVERY_S
        )

    def fresh_s(self, limit_s: float) -> float | None:
        """How long after it was due the next report of every satellite is stored."""
        due_s = int(self.now_s) + 1.0
        if due_s >= self.run_s:
            return None
        while self.now_s < due_s + limit_s:
            stamp_ns = self.stamp_ns(due_s)
            if self.store.count_until(stamp_ns, stamp_ns) >= self.satellites:
                return max(0.0, self.now_s - due_s)
            time.sleep(LOOK_EVERY_S)
        return None

    def run_twin(self, name: str, *arguments: str) -> str:
        """What a command of ours prints that has the settings of this part; 1 is an answer too."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("TWIN_")}
        done = subprocess.run(
            twin(*arguments),
            env=clean | {"PYTHONPATH": str(ROOT)} | self.parts[name].environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120.0,
        )
        if done.returncode not in {0, 1}:
            raise AssertionError(f"twin {' '.join(arguments)}: {done.stderr[-500:]}")
        return done.stdout

    def finish(self, limit_s: float = 120.0, others: tuple[str, ...] = ()) -> Verdict:
        """Wait for the simulator's own end, then compare every row."""
        left_s = max(0.0, self.run_s - self.now_s) / self.rate
        code = self.parts["simulate"].wait(left_s + limit_s)
        if code != 0:
            tails = "\n".join(f"-- {name}\n{self.tail(name)}" for name in self.parts)
            raise AssertionError(f"simulate ended with {code}\n{tails}")
        for name in ("broker", "store", "ingest"):
            if not self.parts[name].is_running:
                raise AssertionError(f"{name} has ended by itself\n{self.tail(name)}")
        return judge(self.store, str(self.scenario), self.run_s, others)

    def tail(self, name: str) -> str:
        """The end of a part's log."""
        return self.log(name)[-2000:]

    def log(self, name: str) -> str:
        """All that a part has said."""
        return self.parts[name].log_path.read_text(errors="replace")

    def tracebacks(self) -> list[str]:
        """Parts that ended, or went on, with an exception that nobody handled."""
        return [name for name in self.parts if "Traceback" in self.log(name)]

    def exception(self, name: str) -> str:
        """What its log says of the first one."""
        return self.log(name).partition("Traceback")[2][:3000]

    def end(self) -> None:
        for part in reversed(self.parts.values()):
            part.end()
        for proxy in self.links.values():
            proxy.close()


def scenario_of(home: Path, satellites: int) -> Path:
    """The fleet of the chaos, of another size where that is asked for (a multiple of 25)."""
    if satellites == SATELLITES:
        return SCENARIO
    if satellites % PLANES or not satellites:
        raise ValueError(f"{satellites} satellites do not fill {PLANES} planes")
    text = SCENARIO.read_text().replace("per_plane: 40", f"per_plane: {satellites // PLANES}")
    path = home / "fleet.yaml"
    path.write_text(text.replace("name: thousand", f"name: fleet-{satellites}"))
    return path


@contextmanager
def pipeline(
    seed: int,
    *,
    run_s: float,
    proxied: bool = False,
    satellites: int = SATELLITES,
    rate: float = 1.0,
    settings: Environments | None = None,
) -> Iterator[Bench]:
    """A bench in a directory of its own; everything is ended whatever happens."""
    home = Path(tempfile.mkdtemp(prefix="twin-chaos-"))
    bench = Bench(
        home,
        seed,
        run_s=run_s,
        proxied=proxied,
        satellites=satellites,
        rate=rate,
        settings=settings,
    )
    try:
        yield bench
    finally:
        bench.end()
        shutil.rmtree(home, ignore_errors=True)
