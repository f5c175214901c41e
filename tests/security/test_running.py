"""What a running `twin up` shows to the machine it runs on (S7, S9, S11).

One run serves the whole file. The machine may hold other users and programs: they can reach the
ports of loopback and read the process list, and what is in our log files may be passed on.
"""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from broker import make_client, session
from running import ROOT, TWIN, environment
from running_twin import CANARIES, Running, fetch, until
from servers import free_port
from strangers import HTTP_OPENING, MQTT_OPENING, garbage, junk, silence

LOOPBACK = {"127.0.0.1", "::1"}
RSS_GROWTH_BYTES = 32 * 2**20


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state_dir = tmp_path_factory.mktemp("up")
    env = environment(state_dir, TWIN_HEALTH_LISTEN=f"127.0.0.1:{free_port()}", **CANARIES)
    process = subprocess.Popen(
        [str(TWIN), "up"],
        env=env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        running = Running(process, env, state_dir, dict(CANARIES))
        until(running, lambda: fetch(f"{running.health}/readyz")[0] == 200)
        until(running, lambda: fetch(f"{running.console}/healthz")[0] == 200)
        until(running, lambda: fetch(running.health_of_simulator)[0] == 200)
        made = [*(state_dir / "broker" / "credentials").iterdir(), state_dir / "store_token"]
        running.secrets |= {path.name: path.read_text().strip() for path in made}
        yield running
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_everything_listens_on_loopback_only(run: Running) -> None:
    listening = {
        (" ".join(one.cmdline()[:4]), socket.laddr.ip)
        for one in run.tree
        for socket in one.net_connections("inet")
        if socket.status == "LISTEN" or socket.type == 2
    }
    assert {ip for _, ip in listening} <= LOOPBACK
    assert len({name for name, _ in listening}) >= 5  # broker, store, ingest, simulate, console


def test_no_secret_is_in_the_process_list(run: Running) -> None:
    assert len(run.secrets) >= 8
    for one in run.tree:
        assert run.leaks_in(" ".join(one.cmdline())) == []
        # What a process was started with is for its own user and root.
        assert stat.S_IMODE(Path(f"/proc/{one.pid}/environ").stat().st_mode) == 0o400


def test_no_secret_is_in_what_the_services_answer(run: Running) -> None:
    token = CANARIES["TWIN_CONSOLE_TOKEN"]
    for base, paths in (
        (run.console, ("/", "/api/status", "/api/console/spec", "/metrics", "/readyz", "/none")),
        (run.health, ("/healthz", "/readyz", "/startupz", "/metrics", "/none")),
    ):
        for path in paths:
            status, body = fetch(base + path, token)
            assert status != 401, path
            assert run.leaks_in(body) == [], path


def test_no_secret_is_in_what_commands_print(run: Running) -> None:
    for words in (["config", "show", "--origin"], ["doctor"]):
        done = subprocess.run(
            [str(TWIN), *words], env=run.env, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr
        assert run.leaks_in(done.stdout + done.stderr) == [], words


@pytest.mark.parametrize("name", ["console", "ingest"])
def test_no_secret_is_in_a_traceback(run: Running, name: str, tmp_path: Path) -> None:
    """A bug at the worst moment: where the secret has just been read."""
    place = {
        "console": ("services.console_service", "create_app"),
        "ingest": ("services.http_peer", "aiohttp.ClientSession"),
    }[name]
    code = f"""
import importlib, sys
module = importlib.import_module({place[0]!r})
def fail(*arguments, **named):
    raise RuntimeError("a bug")
owner = module
*path, last = {place[1]!r}.split(".")
for step in path:
    owner = getattr(owner, step)
setattr(owner, last, fail)
from services.cli import main
sys.argv = ["twin", {name!r}]
main()
"""
    env = run.env | {
        "TWIN_STATE_DIR": str(tmp_path),
        "TWIN_MQTT_USERNAME": "ingest",
        "TWIN_STORE_URL": "http://127.0.0.1:1",
        "TWIN_STORE_TOKEN": "canary-store-token-0123456789",
        "TWIN_CONSOLE_LISTEN": f"127.0.0.1:{free_port()}",
        "TWIN_HEALTH_LISTEN": f"127.0.0.1:{free_port()}",
        "PYTHONFAULTHANDLER": "1",
    }
    with bounded([sys.executable, "-c", code], env) as (status, text):
        assert status == 70
        assert "a bug" in text
        assert run.leaks_in(text) == []
        assert env["TWIN_STORE_TOKEN"] not in text


@contextmanager
def bounded(command: list[str], env: dict[str, str]) -> Iterator[tuple[int, str]]:
    """Exit code and everything said by a command that ends by itself."""
    done = subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    yield done.returncode, done.stdout + done.stderr


def test_files_with_secrets_are_for_their_owner_only(run: Running) -> None:
    holders = 0
    for path in run.state_dir.rglob("*"):
        if path.is_file() and run.leaks_in(path.read_bytes().decode(errors="replace")):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
            assert path.suffix != ".log", path
            holders += 1
    assert holders >= len(run.secrets) - len(CANARIES)
    assert stat.S_IMODE((run.state_dir / "broker").stat().st_mode) == 0o700


def test_only_the_drill_operators_credential_commands(run: Running) -> None:
    command = json.dumps({"id": "stranger", "command": "limit_compute", "value": 0.1}).encode()
    port = run.port_of(run.child("mosquitto"))
    address = (run.state_dir / "broker" / "url").read_text().strip()
    assert address == f"mqtt://127.0.0.1:{port}"
    with session(stranger := make_client(None, None, mqtt.MQTTv311), RunningBroker(port)) as reason:
        assert reason.is_failure
        assert stranger.received.empty()
    for name in ("console", "ingest", "watch", "up", "simulate"):
        client = make_client(name, run.secrets[name], mqtt.MQTTv5)
        with session(client, RunningBroker(port)) as reason:
            assert reason == 0
            info = client.mqtt.publish("fleet/v1/flown-2026/cmd/all", command, 1)
            info.wait_for_publish(30.0)
    done = subprocess.run(
        [str(TWIN), "send", "flown-2026", "all", "--limit-compute", "0.5"],
        env={k: v for k, v in run.env.items() if k not in CANARIES},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "command_done" in done.stdout
    token = CANARIES["TWIN_CONSOLE_TOKEN"]
    events = json.loads(fetch(f"{run.console}/api/status", token)[1])["pipeline"]["events"]
    kinds = [event["kind"] for event in events if event["kind"] != "alert"]
    assert kinds == ["command_done"]
    assert "stranger" not in json.dumps(events)


@dataclass
class RunningBroker:
    """Where `session` connects to."""

    port: int
    host: str = "127.0.0.1"


def test_the_embedded_store_asks_for_the_token_of_the_run(run: Running) -> None:
    base = f"http://127.0.0.1:{run.port_of(run.child('services.cli store'))}"
    question = "/frames?fleet=flown-2026&start_ns=0&stop_ns=1"
    assert fetch(base + question)[0] == 401
    assert fetch(base + question, "wrong")[0] == 401
    assert fetch(base + question, run.secrets["store_token"])[0] == 200


@pytest.mark.parametrize("name", ["console", "ingest", "store", "mosquitto"])
def test_strangers_before_any_log_in_cost_little_and_keep_nobody_out(
    run: Running, name: str
) -> None:
    words = name if name == "mosquitto" else f"services.cli {name}"
    process = run.child(words)
    port = {
        "console": int(run.env["TWIN_CONSOLE_LISTEN"].rpartition(":")[2]),
        "ingest": int(run.env["TWIN_HEALTH_LISTEN"].rpartition(":")[2]),
    }.get(name) or run.port_of(process)
    before_bytes = process.memory_info().rss
    junk(port, MQTT_OPENING if name == "mosquitto" else HTTP_OPENING)
    garbage(port, 2_000 if name in {"console", "mosquitto"} else 200)
    with silence(port):
        assert served(run, name, port)
    assert served(run, name, port)
    assert process.memory_info().rss - before_bytes <= RSS_GROWTH_BYTES


def served(run: Running, name: str, port: int) -> bool:
    """Whether somebody who means well gets what they ask for."""
    if name == "mosquitto":
        client = make_client("up", run.secrets["up"], mqtt.MQTTv5)
        with session(client, RunningBroker(port)) as reason:
            return not reason.is_failure
    return fetch(f"http://127.0.0.1:{port}/healthz", run.secrets["store_token"])[0] == 200


def test_log_ins_of_the_run_are_gone_after_it_and_its_logs_hold_no_secret(run: Running) -> None:
    """Last of this file: it ends the run."""
    run.process.terminate()
    said, _ = run.process.communicate(timeout=60)
    assert run.process.returncode == 0, said
    assert run.leaks_in(said) == []
    logs = [path for path in run.state_dir.rglob("*.log") if path.stat().st_size]
    assert {path.stem for path in logs} >= {"ingest", "simulate", "console", "mosquitto"}
    for path in logs:
        assert run.leaks_in(path.read_text(errors="replace")) == [], path
    assert not list((run.state_dir / "broker" / "credentials").iterdir())
    assert not (run.state_dir / "broker" / "url").exists()
    assert not (run.state_dir / "store_token").exists()
    assert not re.search(r"Traceback", said)
