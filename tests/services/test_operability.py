"""What an operator sees and does: health, metrics, logs, settings, locks, draining."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from prometheus_client.parser import text_string_to_metric_families
from running import environment
from servers import free_port, influxd_server, mosquitto_server
from typer.testing import CliRunner

from services.cli import app
from services.dead_letters import DeadLetters
from services.health import Health
from services.ingest_metrics import watch_ingester
from services.ingester import Ingester
from services.instance import AlreadyRunningError, only_instance, running
from services.logs import OncePerWhile, Redactor, log_as_service
from services.metrics import Metrics
from services.pace import SYSTEM_CLOCK
from services.settings import load_settings
from services.telemetry import ops_row
from twin.frames import FRAME_VERSION, FrameHeader, batch

NEEDED = (
    "messages_total",
    "watermark_lag_seconds",
    "seq_gap_total",
    "dlq_total",
    "dropped_total",
    "inflight",
    "queue_bytes",
    "store_write_seconds",
    "store_errors_total",
    "e2e_latency_seconds",
    "reconnects_total",
    "event_loop_lag_seconds",
    "config_reload_failures_total",
    "config_hash",
    "build_info",
    "broker_dropped",
)
CANARY = "s3cr3t-canary-value-0123456789"
LIMIT_S = 60.0


def test_every_metric_of_the_contract_is_there_and_none_names_a_satellite(tmp_path: Path) -> None:
    metrics = Metrics("ingest")
    ingester = Ingester(None, DeadLetters(tmp_path / "d"))  # type: ignore[arg-type]
    watch_ingester(metrics, ingester, SYSTEM_CLOCK)
    text = metrics.exposition().decode()
    for name in NEEDED:
        assert f"twin_{name}" in text, name
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert not {"sat", "satellite", "shard"} & set(sample.labels)
    row = ops_row(metrics, 5.0)
    assert row.startswith(b"ops,service=ingest,instance=1 ")
    assert row.endswith(b" 5000000000\n")
    assert b"messages_total_stored=0.0" in row
    assert b"nan" not in row


async def test_started_is_who_was_ready_once() -> None:
    found = {"store": False}
    health = Health(lambda: found)
    assert (await health.startupz(None)).status == 503  # type: ignore[arg-type]
    found["store"] = True
    assert (await health.startupz(None)).status == 200  # type: ignore[arg-type]
    found["store"] = False
    assert (await health.startupz(None)).status == 200  # type: ignore[arg-type]
    assert (await health.readyz(None)).status == 503  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        f"login with {CANARY} failed",
        f"http://user:{CANARY}x@host/",
        "password=hunter2-hunter2 rest",
        'Authorization: "Token hunter2-hunter2"',
        "token: hunter2-hunter2",
        '{"api_key": "hunter2-hunter2"}',
    ],
)
def test_secrets_are_blotted_out(text: str) -> None:
    said = Redactor([CANARY]).text(text)
    assert CANARY not in said
    assert "hunter2" not in said
    assert "***" in said


def test_the_log_is_json_without_secrets_and_says_repeats_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWIN_MQTT_PASSWORD", CANARY)
    stream, root = io.StringIO(), logging.getLogger()
    monkeypatch.setattr(sys, "stderr", stream)
    before, level = root.handlers[:], root.level
    try:
        log_as_service(load_settings(), "ingest", "7")
        for _ in range(5):
            logging.getLogger("services.x").warning("broker %s refused %s", "b", CANARY)
        try:
            raise ValueError(f"with {CANARY}")
        except ValueError:
            logging.getLogger("services.x").exception("oops")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.captureWarnings(False)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["broker b refused ***", "oops"]
    assert {"ts", "level", "svc", "instance", "event"} <= set(lines[0])
    assert (lines[0]["svc"], lines[0]["instance"]) == ("ingest", "7")
    assert "ValueError" in lines[1]["exception"]
    assert CANARY not in stream.getvalue()


def test_a_repeated_line_comes_back_with_its_count() -> None:
    now_s = [0.0]
    once = OncePerWhile(10.0, lambda: now_s[0])
    record = logging.LogRecord("a", logging.WARNING, "f", 1, "text %s", ("x",), None)
    assert [once.filter(record) for _ in range(4)] == [True, False, False, False]
    now_s[0] = 11.0
    assert once.filter(record)
    assert record.repeated == 3  # type: ignore[attr-defined]


def test_one_name_runs_once_and_its_lock_falls_with_it(tmp_path: Path) -> None:
    with only_instance(tmp_path, "ingest-1"):
        assert running(tmp_path) == {"ingest-1": os.getpid()}
        with (
            pytest.raises(AlreadyRunningError, match=str(os.getpid())),
            only_instance(tmp_path, "ingest-1"),
        ):
            pass
        with only_instance(tmp_path, "ingest-2"):
            assert len(running(tmp_path)) == 2
    assert running(tmp_path) == {}
    assert AlreadyRunningError.exit_code == 75


def test_settings_are_shown_with_origin_and_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "token"
    secret.write_text(CANARY)
    secret.chmod(0o600)
    monkeypatch.setenv("TWIN_INFLUX_TOKEN_FILE", str(secret))
    monkeypatch.setenv("TWIN_MQTT_PASSWORD", CANARY)
    monkeypatch.setenv("TWIN_MQTT_URL", "mqtt://elsewhere:1")
    said = CliRunner().invoke(app, ["config", "show", "--origin", "--json"]).output
    assert CANARY not in said
    rows = {row["name"]: row for row in json.loads(said)}
    assert rows["TWIN_MQTT_URL"]["origin"] == "environment"
    assert rows["TWIN_INFLUX_TOKEN"] == {
        "name": "TWIN_INFLUX_TOKEN", "value": "***", "origin": f"file {secret}",
    }  # fmt: skip
    assert rows["TWIN_MQTT_PASSWORD"]["value"] == "***"
    assert rows["TWIN_SCENARIO"]["origin"] == "default"


def test_check_validates_and_touches_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    run = CliRunner().invoke
    monkeypatch.setenv("TWIN_INFLUX_URL", "http://192.0.2.1:9")
    assert run(app, ["ingest", "--check"]).exit_code == 0
    monkeypatch.setenv("TWIN_HEALTH_LISTEN", "nowhere")
    failed = run(app, ["ingest", "--check"])
    assert "TWIN_HEALTH_LISTEN" in str(failed.exception)


@contextmanager
def ingest(env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "ingest"],
        env=env,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def answer(url: str, process: "subprocess.Popen[str] | None" = None) -> tuple[int, str]:
    """Status and text; waits while nothing listens yet."""
    while True:
        assert process is None or process.poll() is None
        try:
            with urllib.request.urlopen(url, timeout=5.0) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            os.sched_yield()


def until(url: str, status: int, text: str = "") -> str:
    while True:
        got, said = answer(url)
        if got == status and text in said:
            return said
        os.sched_yield()


def payload(seq: int) -> bytes:
    header = FrameHeader(FRAME_VERSION, "f", "run", "s0000", seq, 0, 1000 + seq, 1, 0, 0)
    return batch(header, b"sat_state,fleet=f,plane=p,sat=A a=%d.0 %d\n" % (seq, 1000 + seq))


def test_an_outage_a_kill_and_a_drain_lose_nothing_and_show(tmp_path: Path) -> None:
    """Real broker, real store: spooled while the store is down, killed, stored, drained."""
    port, store_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    with mosquitto_server() as broker:
        env = environment(
            tmp_path / "var",
            TWIN_MQTT_URL=broker.url,
            TWIN_INFLUX_URL=f"http://127.0.0.1:{store_port}",
            TWIN_HEALTH_LISTEN=f"127.0.0.1:{port}",
            TWIN_ACK_AFTER="spool",
        )
        client = paho.Client(CallbackAPIVersion.VERSION2, "pub")
        client.connect(broker.host, broker.port)
        client.loop_start()
        home = tmp_path / "influx"
        home.mkdir()
        with ingest(env) as process:
            with influxd_server(directory=home, port=store_port):
                until(f"{url}/readyz", 200)
                assert answer(f"{url}/startupz")[0] == 200
            for seq in range(20):  # the store is down from here on
                client.publish("fleet/v1/f/tlm/s0000", payload(seq), 1).wait_for_publish(LIMIT_S)
            client.publish("fleet/v1/f/tlm/s0000", b"junk", 1).wait_for_publish(LIMIT_S)
            until(f"{url}/readyz", 503, '"store": false')
            assert answer(f"{url}/healthz")[0] == 200
            until(f"{url}/metrics", 200, 'twin_dlq_total{reason="frame"} 1.0')
            said = until(
                f"{url}/metrics", 200, 'twin_messages_total{outcome="received",svc="ingest"} 21'
            )
            assert "twin_spool_bytes 0.0" not in said
            process.kill()
        with influxd_server(directory=home, port=store_port) as store, ingest(env) as process:
            until(f"{url}/metrics", 200, "twin_frames_stored_total 20.0")
            until(f"{url}/readyz", 200)
            done = subprocess.run(
                [sys.executable, "-m", "services.cli", "drain", "ingest-1"],
                env=env, capture_output=True, text=True, timeout=LIMIT_S, check=True,
            )  # fmt: skip
            assert "drained" in done.stdout
            assert process.wait(LIMIT_S) == 0
            found = json.loads(store.query("SELECT count(a) FROM sat_state", "telemetry"))
            assert process.stderr is not None
            lines = [json.loads(line) for line in process.stderr.read().splitlines()]
        client.loop_stop()
        client.disconnect()
    assert found["results"][0]["series"][0]["values"][0][1] == 20
    assert {"ts", "level", "svc", "instance", "event"} <= set(lines[0])
    assert any("earlier process" in line["event"] for line in lines)
