"""The doctor names the cause: each fault is made for real, or answered as a server would."""

import resource
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from running import environment
from servers import free_port, influxd_server, mosquitto_server

from services import doctor
from services.certificates import new_authority, new_server
from services.doctor_servers import check_broker, check_store
from services.findings import Finding
from services.settings import Settings, load_settings

PASSWORD = "a password of this test"


def red(found: list[Finding]) -> list[Finding]:
    bad = [one for one in found if not one.is_well]
    assert all(one.fix for one in bad)
    return bad


def one_red(found: list[Finding], subject: str, said: str) -> None:
    (bad,) = red(found)
    assert bad.subject == subject
    assert said in bad.detail


@pytest.fixture
def secured(tmp_path: Path) -> Callable[[str, str], tuple[str, str]]:
    """Configuration of a broker with one user, and with or without an access file."""
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto_passwd is not installed (Debian package mosquitto)")

    def make(user: str, access: str) -> tuple[str, str]:
        passwords, rights = tmp_path / "passwd", tmp_path / "acl"
        subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), user, PASSWORD], check=True)
        text = f"listener 1\nallow_anonymous false\npassword_file {passwords}\n"
        if access:
            rights.write_text(f"user {user}\n{access}")
            text += f"acl_file {rights}\n"
        return text, user

    return make


def login(url: str, user: str, password: str = PASSWORD) -> Settings:
    return load_settings(mqtt_url=url, mqtt_username=user, mqtt_password=password)


async def test_a_closed_port_is_named() -> None:
    found = await check_broker(load_settings(mqtt_url=f"mqtt://127.0.0.1:{free_port()}"))
    one_red(found, "broker", "nothing listens")


async def test_a_wrong_password_is_named(secured: Callable[[str, str], tuple[str, str]]) -> None:
    conf, user = secured("ingest", "topic write fleet/v1/+/wm/+\n")
    with mosquitto_server(conf) as broker:
        one_red(
            await check_broker(login(broker.url, user, "not that password, no")),
            "broker",
            "wrong user or password",
        )
        assert red(await check_broker(login(broker.url, user))) == []


async def test_rights_that_lack_and_rights_that_are_too_wide_are_named(
    secured: Callable[[str, str], tuple[str, str]],
) -> None:
    conf, user = secured("ingest", "topic read fleet/v1/+/tlm/+\n")
    with mosquitto_server(conf) as broker:
        one_red(await check_broker(login(broker.url, user)), "broker access", "may not publish")
    conf, user = secured("ingest", "")
    with mosquitto_server(conf) as broker:
        one_red(await check_broker(login(broker.url, user)), "broker access", "may command")


async def test_an_expired_certificate_is_named(tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=400)
    authority = new_authority(long_ago, days=4000.0)
    pair = new_server(authority, ["127.0.0.1", "localhost"], long_ago, days=30.0)
    for name, text in (("ca", authority.certificate), ("c", pair.certificate), ("k", pair.key)):
        (tmp_path / name).write_text(text)
    conf = f"listener 1\nallow_anonymous true\ncertfile {tmp_path}/c\nkeyfile {tmp_path}/k\n"
    with mosquitto_server(conf) as broker:
        url = f"mqtts://127.0.0.1:{broker.port}"
        found = await check_broker(load_settings(mqtt_url=url, mqtt_ca_file=tmp_path / "ca"))
    one_red(found, "broker certificate", "expired")


@asynccontextmanager
async def store(write_status: int = 204, ahead_s: float = 0.0) -> AsyncIterator[Settings]:
    """A server that answers as InfluxDB 2 does."""

    def said() -> dict[str, str]:
        now = datetime.now(UTC) + timedelta(seconds=ahead_s)
        return {"X-Influxdb-Version": "v2.7.1", "Date": format_datetime(now, usegmt=True)}

    async def ping(_: web.Request) -> web.Response:
        return web.Response(status=204, headers=said())

    async def write(_: web.Request) -> web.Response:
        return web.json_response({"code": "x"}, status=write_status, headers=said())

    async def query(_: web.Request) -> web.Response:
        return web.Response(status=403, headers=said())

    app = web.Application()
    app.router.add_get("/ping", ping)
    app.router.add_post("/api/v2/write", write)
    app.router.add_get("/query", query)
    async with TestServer(app) as server:
        yield load_settings(influx_url=str(server.make_url("")).rstrip("/"))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "token refused"),
        (403, "may not write"),
        (404, "no such database or bucket"),
        (500, "500"),
    ],
)
async def test_what_a_store_refuses_is_named(status: int, said: str) -> None:
    async with store(status) as settings:
        one_red(await check_store(settings), "store", said)


async def test_a_clock_that_is_an_hour_off_is_named() -> None:
    async with store(ahead_s=3600.0) as settings:
        (bad,) = red(await check_store(settings))
    assert bad.subject == "clock"
    assert abs(int(bad.detail.split()[0]) + 3600) < 60
    async with store() as settings:
        assert red(await check_store(settings)) == []


async def test_a_store_that_is_not_there_is_named() -> None:
    settings = load_settings(influx_url=f"http://127.0.0.1:{free_port()}")
    one_red(await check_store(settings), "store", "no answer")


async def test_val_fields_of_another_type_in_real_influxdb_are_named() -> None:
    with influxd_server("telemetry") as server:
        settings = load_settings(influx_url=server.url)
        assert red(await check_store(settings)) == []
        server.write("telemetry", "sat_state,fleet=f,sat=A eps_mode=1.5,eps_soc_pct=3i 1")
        one_red(await check_store(settings), "store schema", "eps_mode, eps_soc_pct")


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file may not grow at all, as on a full disk."""
    script = """
import resource, signal, sys
from services import doctor
from services.settings import load_settings
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
finding = doctor._disk(load_settings(state_dir=sys.argv[1]))
sys.exit(0 if not finding.is_well and "cannot be written" in finding.detail else 1)
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=60)


def test_too_few_descriptors_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (64, 64))
    one_red([doctor._descriptors()], "open files", "limit 64")


def test_the_command_says_it_in_json_and_by_its_exit_code(tmp_path: Path) -> None:
    env = environment(tmp_path, TWIN_INFLUX_URL=f"http://127.0.0.1:{free_port()}")
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "doctor", "--json"],
        env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert '"is_well": false' in done.stdout
    assert "no answer" in done.stdout
