"""The commands of docker-compose.yml as processes, on a real broker and a real store.

The broker runs the shipped configuration with generated passwords; environment and commands
are read from the compose file, and only addresses and paths are replaced. InfluxDB is Debian's
1.6.7 in place of 2.7, so the write call is chosen by the server's version.
"""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from broker import JUDGE, Broker, session, shipped_broker
from deployment import compose, environment
from influxql import filled, series
from servers import InfluxServer, free_port, influxd_server

from dashboards.build import dashboards
from services.topics import Topics, parse

TWIN = Path(sys.executable).with_name("twin")
FLEET = "flown-2026"
TOPICS, SERVICES = Topics(FLEET), Topics("all")
PLAIN = {"tlm", "state"}
LANES = PLAIN | {
    TOPICS.watermark("rollup"),
    TOPICS.watermark("s0000"),
    TOPICS.service("simulate"),
    SERVICES.service("ingest-1"),
    SERVICES.service("watch"),
    SERVICES.service("console"),
}
"""What the judge has to hear before the stack counts as up: each service uses its rights."""
STOP_LIMIT_S = 10.0
LAST_HOURS = "time >= now() - 2h"


@dataclass
class Stack:
    """The whole stack: servers and our services."""

    broker: Broker
    store: InfluxServer
    services: dict[str, "subprocess.Popen[bytes]"]
    console_port: int
    health_ports: dict[str, int]
    logs: Path
    lanes: set[str] = field(default_factory=set)


def variables(name: str, stack: Stack) -> dict[str, str]:
    """A service's environment in the compose file, on the addresses of this machine."""
    given = environment(compose()["services"][name])
    password = Path(given["TWIN_MQTT_PASSWORD_FILE"]).name
    tokens = stack.logs / "token"
    tokens.write_text("1.x takes any token while its own log-in is off\n")
    tokens.chmod(0o600)
    state = stack.logs / name
    state.mkdir()
    replaced = {
        "TWIN_MQTT_URL": stack.broker.url,
        "TWIN_MQTT_CA_FILE": str(stack.broker.authority),
        "TWIN_INFLUX_URL": stack.store.url,
        "TWIN_INFLUX_API": "auto",
        "TWIN_SCENARIO": FLEET,
        "TWIN_HEALTH_LISTEN": f"127.0.0.1:{stack.health_ports[name]}",
        "TWIN_MQTT_PASSWORD_FILE": str(stack.broker.secrets / password),
        "TWIN_INFLUX_TOKEN_FILE": str(tokens),
        "TWIN_CONSOLE_LISTEN": f"127.0.0.1:{stack.console_port}",
        "TWIN_CONSOLE_ALLOWED_HOSTS": "",
        "TWIN_CONSOLE_TOKEN_FILE": str(stack.broker.secrets / "console_token"),
    }
    own = {key: replaced.get(key, value) for key, value in given.items()}
    kept = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
    return kept | {"TWIN_STATE_DIR": str(state)} | own


@contextmanager
def started(name: str, stack: Stack) -> Iterator["subprocess.Popen[bytes]"]:
    """One service; its process group is gone afterwards whatever happens."""
    command = [str(TWIN), *compose()["services"][name]["command"]]
    with (stack.logs / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=variables(name, stack),
            cwd=stack.logs,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_LIMIT_S)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything up, and something stored: the ingester has said so by a watermark."""
    home = tmp_path_factory.mktemp("stack")
    with ExitStack() as running:
        broker = running.enter_context(shipped_broker(home))
        store = running.enter_context(influxd_server())
        # The group-readable form that the containers need is judged in test_secrets.py.
        for path in broker.secrets.iterdir():
            path.chmod(0o600)
        ports = {name: free_port() for name in ("simulate", "ingest", "watch", "console")}
        whole = Stack(broker, store, {}, free_port(), ports, home)
        judge = broker.client(JUDGE)
        running.enter_context(session(judge, broker.server))
        judge.subscribe("#")
        for name in ("ingest", "watch", "console", "simulate"):
            whole.services[name] = running.enter_context(started(name, whole))
        while not whole.lanes >= LANES:
            topic, payload = judge.received.get(timeout=60.0)
            address = parse(topic)
            assert address is not None, topic
            # A watermark from 0 on: roll-ups, and reports of the first satellites, are stored.
            if address.lane != "wm" or json.loads(payload)["seq"] >= 0:
                whole.lanes.add(address.lane if address.lane in PLAIN else topic)
        yield whole


def rows(stack: Stack, text: str, **chosen: str) -> list[dict[str, object]]:
    return series(stack.store, "telemetry", filled(text, {"fleet": FLEET} | chosen, LAST_HOURS))


def test_every_query_of_the_fleet_wall_answers_from_what_the_services_stored(
    stack: Stack,
) -> None:
    silent = [key for key, query in dashboards()[0].queries() if not rows(stack, query.text)]
    assert silent == []


def test_the_satellite_page_finds_the_satellites_and_their_channels(stack: Stack) -> None:
    board = dashboards()[1]
    fleets, planes, satellites = (variable.query for variable in board.variables)
    assert [row[1] for row in rows(stack, fleets)[0]["values"]] == [FLEET]  # type: ignore[attr-defined]
    seen: set[str] = set()
    for _, plane in rows(stack, planes)[0]["values"]:  # type: ignore[attr-defined]
        _, sat = rows(stack, satellites, plane=plane)[0]["values"][0]  # type: ignore[index]
        chosen = {"plane": plane, "sat": sat}
        seen |= {
            f"{key}-{query.ref_id}"
            for key, query in board.queries()
            if rows(stack, query.text, **chosen)
        }
    # Any one satellite may lack a part (lasers, battery); no channel is missing on all of them.
    missing = {f"{key}-{query.ref_id}" for key, query in board.queries()} - seen
    assert missing == set()


def test_the_console_serves_its_page_to_who_has_the_token(stack: Stack) -> None:
    url = f"http://127.0.0.1:{stack.console_port}/"
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(url, timeout=10)
    refused.value.close()
    token = (stack.broker.secrets / "console_token").read_text().strip()
    with_token = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(with_token, timeout=10) as answer:
        assert answer.status == 200
        assert b"<html" in answer.read().lower()


@pytest.mark.parametrize("name", ["simulate", "ingest", "watch", "console"])
def test_the_health_check_of_the_compose_file_passes(stack: Stack, name: str) -> None:
    _, _, *words = compose()["services"][name]["healthcheck"]["test"]
    url = words[-1].replace("127.0.0.1:9090", f"127.0.0.1:{stack.health_ports[name]}")
    command = [str(TWIN), *words[:-1], url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_that_was_sent_was_refused_as_malformed(stack: Stack) -> None:
    assert not list(stack.logs.glob("*/dead_letters*"))


def test_sigterm_ends_each_service_in_time_with_exit_code_0(stack: Stack) -> None:
    """Last of this file: it takes the stack down."""
    for name, process in stack.services.items():
        process.terminate()
        code = process.wait(STOP_LIMIT_S)
        assert code == 0, (name, (stack.logs / f"{name}.log").read_text()[-2000:])
