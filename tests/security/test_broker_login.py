"""Who gets in at the shipped broker: passwords, TLS, unfit certificates, its own health check."""

import gc
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from broker import (
    WAIT_S,
    Broker,
    make_client,
    make_secrets,
    relocated_conf,
    session,
    shipped_broker,
)
from deployment import compose
from servers import mosquitto_server

from services.broker_access import SERVER_USERS
from services.certificates import Pair, new_authority, new_server
from services.mqtt import LostConnectionError, connect
from services.settings import Settings, load_settings

PROTOCOLS = {"3.1.1": mqtt.MQTTv311, "5": mqtt.MQTTv5}
# paho leaves the socket of a failed TLS handshake to the garbage collector.
LEFT_SOCKET = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with shipped_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
@pytest.mark.parametrize(
    ("user", "password"),
    [
        pytest.param(None, None, id="anonymous"),
        pytest.param("ingest", None, id="no password"),
        pytest.param("ingest", "wrong password of a good length, 32+", id="wrong password"),
        pytest.param("intruder", "wrong password of a good length, 32+", id="unknown user"),
        pytest.param("", "", id="empty"),
    ],
)
def test_no_login_without_the_password(
    broker: Broker, protocol: int, user: str | None, password: str | None
) -> None:
    stranger = make_client(user, password, protocol, authority=broker.authority)
    with session(stranger, broker.server) as reason:
        assert reason.is_failure


def test_one_users_password_does_not_open_anothers_account(broker: Broker) -> None:
    password = broker.passwords["console"]
    stranger = make_client("ingest", password, mqtt.MQTTv311, authority=broker.authority)
    with session(stranger, broker.server) as reason:
        assert reason.is_failure


def settings_for(broker: Broker, **changed: object) -> Settings:
    """Our services' settings for this broker."""
    given: dict[str, object] = {
        "mqtt_url": broker.url,
        "mqtt_username": "console",
        "mqtt_password": broker.passwords["console"],
        "mqtt_ca_file": broker.authority,
    }
    return load_settings(**(given | changed))


async def answer_to(settings: Settings) -> str:
    """What a connection of our own services ends with; empty if it stands."""
    try:
        async with connect(settings, "console", None):
            return ""
    except LostConnectionError as error:
        return str(error)
    finally:
        gc.collect()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_our_services_log_in_over_tls(broker: Broker, protocol: str) -> None:
    assert await answer_to(settings_for(broker, mqtt_protocol=protocol)) == ""


def test_plaintext_to_the_tls_port_is_refused(broker: Broker) -> None:
    """A whole CONNECT with a password that is right is answered by an end, not by CONNACK."""
    password = broker.passwords["console"].encode()
    fields = [b"MQTT", b"\x04\xc2\x00\x3c", b"console", b"console", password]
    parts = [part if index == 1 else counted(part) for index, part in enumerate(fields)]
    packet = b"".join(parts)
    with socket.create_connection((broker.server.host, broker.server.port), WAIT_S) as wire:
        wire.sendall(bytes([0x10, len(packet)]) + packet)
        answer = b""
        with suppress(ConnectionResetError):
            answer = wire.recv(100)
        assert answer[:1] in {b"", b"\x15"}  # closed, or a TLS alert first


def counted(text: bytes) -> bytes:
    """A string on the wire of MQTT: two bytes of length, then the text."""
    return len(text).to_bytes(2, "big") + text


@LEFT_SOCKET
async def test_an_authority_that_is_not_the_brokers_is_refused(
    broker: Broker, tmp_path: Path
) -> None:
    """So is the former one after `--rotate`, which is how a leaked key is revoked."""
    other = tmp_path / "other"
    other.write_text(new_authority().certificate)
    assert "certificate verify failed" in await answer_to(settings_for(broker, mqtt_ca_file=other))
    system = settings_for(broker, mqtt_ca_file=None)
    assert "certificate verify failed" in await answer_to(system)


@LEFT_SOCKET
@pytest.mark.parametrize(
    ("fault", "said"), [("expired", "certificate has expired"), ("for another name", "mismatch")]
)
async def test_a_broker_with_an_unfit_certificate_is_refused(
    tmp_path: Path, fault: str, said: str
) -> None:
    home = tmp_path / "secrets"
    make_secrets.make_secrets(home, tmp_path / ".env")
    authority = Pair((home / "mqtt_ca").read_text(), (home / "mqtt_ca_key").read_text())
    if fault == "expired":
        then = datetime.now(UTC) - timedelta(days=400)
        server = new_server(authority, make_secrets.BROKER_NAMES, now=then)
    else:
        server = new_server(authority, ["somebody.example"])
    (home / "mqtt_server").write_text(server.certificate)
    (home / "mqtt_server_key").write_text(server.key)
    (tmp_path / "data").mkdir()
    for made, name in (("mosquitto_passwd", "passwd"), ("mosquitto_acl", "acl")):
        shutil.copy(home / made, tmp_path / name)
    with mosquitto_server(relocated_conf(tmp_path, home)) as running:
        passwords = {"console": (home / "mqtt_console_password").read_text().strip()}
        spoiled = Broker(running, SERVER_USERS, passwords, home)
        assert said in await answer_to(settings_for(spoiled))


def test_the_health_check_logs_in_with_the_generated_options(
    broker: Broker, tmp_path: Path
) -> None:
    """The compose file's own command; port and the authority's place changed."""
    if shutil.which("mosquitto_sub") is None:
        pytest.skip("mosquitto_sub is not installed (Debian package mosquitto-clients)")
    service = compose()["services"]["mosquitto"]
    kind, *command = service["healthcheck"]["test"]
    assert kind == "CMD"
    assert service["environment"]["XDG_CONFIG_HOME"] == make_secrets.MOUNT
    options = (broker.secrets / "mosquitto_sub").read_text()
    for shipped, own in (
        (f"-p {make_secrets.BROKER_PORT}", f"-p {broker.server.port}"),
        (f"{make_secrets.MOUNT}/mqtt_ca", str(broker.authority)),
    ):
        assert options.count(shipped) == 1
        options = options.replace(shipped, own)
    (tmp_path / "mosquitto_sub").write_text(options)
    command = [word.replace("$$", "$") for word in command]
    variables = dict(os.environ) | {"XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "seconds" in done.stdout
    command += ["-p", str(broker.server.port), "--cafile", str(broker.authority)]
    variables["XDG_CONFIG_HOME"] = "/nonexistent"
    refused = subprocess.run(command, env=variables, capture_output=True, check=False)
    assert refused.returncode != 0
