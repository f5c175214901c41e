"""Real servers and services for measurements, as child processes on ports of their own."""

import asyncio
import getpass
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from services.broker_config import NUMBERS
from services.children import Child, twin_command
from services.influx_config import influxd_conf, machine_environment
from twin.errors import DependencyUnavailableError

DATABASE = "telemetry"
READY_S = 30.0
LOOK_S = 0.05
STOP_S = 10.0


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def binary(name: str, package: str) -> str:
    """Path of a server's binary. Raises DependencyUnavailableError naming the package."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise DependencyUnavailableError(f"{name} is not installed (Debian package {package})")
    return found


@dataclass
class Bench:
    """A broker, a store and an ingester that run; simulators are started by the measurement."""

    home: Path
    http: aiohttp.ClientSession
    broker_port: int = field(default_factory=free_port)
    store_port: int = field(default_factory=free_port)
    health_ports: dict[str, int] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)

    def add(self, name: str, command: tuple[str, ...]) -> Child:
        """A process with our settings and a state directory of its own; not started yet."""
        if command[1:3] == ("-m", "services.cli"):
            self.health_ports[name] = free_port()
        environment = {
            "TWIN_MQTT_URL": f"mqtt://127.0.0.1:{self.broker_port}",
            "TWIN_INFLUX_URL": f"http://127.0.0.1:{self.store_port}",
            "TWIN_STATE_DIR": str(self.home / name),
            "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        }
        if name in self.health_ports:
            environment["TWIN_HEALTH_LISTEN"] = f"127.0.0.1:{self.health_ports[name]}"
        if name == "store":
            environment |= machine_environment()
        child = Child(name, command, environment, self.home / f"{name}.log")
        self.children[name] = child
        return child

    async def start(self) -> None:
        """Broker and store with the numbers that we ship, then the ingester."""
        data = self.home / "broker-data"
        data.mkdir()
        conf = self.home / "mosquitto.conf"
        conf.write_text(
            f"listener {self.broker_port} 127.0.0.1\nallow_anonymous true\n"
            f"user {getpass.getuser()}\npersistence_location {data}/\nlog_dest stderr\n{NUMBERS}"
        )
        await self.add("broker", (binary("mosquitto", "mosquitto"), "-c", str(conf))).start()
        store_conf = self.home / "influxdb.conf"
        store_conf.write_text(influxd_conf(self.home / "influx", self.store_port))
        await self.add("store", (binary("influxd", "influxdb"), "-config", str(store_conf))).start()
        await self._answers(f"http://127.0.0.1:{self.store_port}/ping", "store")
        await self.query(f'CREATE DATABASE "{DATABASE}"')
        await self.add("ingest", twin_command("ingest")).start()
        await self._answers(f"http://127.0.0.1:{self.health_ports['ingest']}/readyz", "ingest")

    async def _answers(self, url: str, name: str) -> None:
        """Wait until a service answers well. Raises DependencyUnavailableError with its log."""
        try:
            async with asyncio.timeout(READY_S):
                while not await self._is_well(url):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            end = self.children[name].log_path.read_text(errors="replace")[-1000:]
            raise DependencyUnavailableError(f"{name} is not ready:\n{end}") from None

    async def _is_well(self, url: str) -> bool:
        try:
            async with self.http.get(url) as answer:
                return answer.status < 300
        except (aiohttp.ClientError, OSError):
            return False

    async def query(self, influxql: str) -> list[dict[str, Any]]:
        """Series of one statement."""
        url = f"http://127.0.0.1:{self.store_port}/query"
        async with self.http.post(
            url, data={"db": DATABASE, "epoch": "ns", "q": influxql}
        ) as answer:
            result = orjson.loads(await answer.read())["results"][0]
        series: list[dict[str, Any]] = result.get("series", [])
        return series

    async def rows_count(self, fleet: str, measurement: str = "sat_state") -> int:
        """Satellite rows of a fleet that are stored."""
        series = await self.query(
            f'SELECT count("tm_seq") FROM "{measurement}" WHERE "fleet" = \'{fleet}\''
        )
        return int(series[0]["values"][0][1]) if series else 0

    async def frames_stored(self) -> int:
        """Satellite rows that the ingester has stored since its start."""
        return int(await self.metric("ingest", "twin_frames_stored_total") or 0.0)

    async def metric(self, name: str, metric: str) -> float | None:
        """A number that a service of ours says of itself; None where it does not answer."""
        url = f"http://127.0.0.1:{self.health_ports[name]}/metrics"
        try:
            async with self.http.get(url) as answer:
                lines = (await answer.text()).splitlines()
        except (aiohttp.ClientError, OSError):
            return None
        found = [line for line in lines if line.startswith(metric + " ")]
        return float(found[0].rpartition(" ")[2]) if found else None

    def cpu_s(self) -> dict[str, float]:
        """Processor time of each process so far [s]."""
        for child in self.children.values():
            child.measure()
        return {name: child.usage.cpu_s for name, child in self.children.items()}


@asynccontextmanager
async def running_bench() -> AsyncIterator[Bench]:
    """Servers and ingester in a temporary directory; all ended whatever happens."""
    with tempfile.TemporaryDirectory(prefix="twin-bench-") as home:
        timeout = aiohttp.ClientTimeout(total=120.0)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            bench = Bench(Path(home), http)
            try:
                await bench.start()
                yield bench
            finally:
                for child in reversed(bench.children.values()):
                    await child.stop(STOP_S)


def write_scenario(directory: Path, name: str, satellites: int, seed: int = 1) -> Path:
    """A fleet of relays that report 50 channels every second."""
    planes = max(n for n in range(1, int(satellites**0.5) + 1) if satellites % n == 0)
    path = directory / f"{name}.yaml"
    path.write_text(
        f"name: {name}\nepoch: 2026-10-01T00:00:00Z\nseed: {seed}\nstep_s: 1\nfleet:\n"
        "  - id: relay\n    preset: amazon-leo-relay\n    channels: housekeeping\n"
        "    report_interval_s: 1\n    orbit:\n"
        f"      walker_delta: {{planes: {planes}, per_plane: {satellites // planes}, "
        "altitude_km: 610, inclination_deg: 42}\n"
    )
    return path


def module_command(module: str, *arguments: str) -> tuple[str, ...]:
    """A module of ours as a program."""
    return (sys.executable, "-m", module, *arguments)
