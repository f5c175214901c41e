"""Settings: secrets from files, weak and loose ones refused, every problem named."""

from pathlib import Path

import pytest

from services.settings import (
    host_and_port,
    load_settings,
    loopback_only,
    refuse_public_bind,
)
from twin.errors import ConfigurationError

GOOD = "0123456789abcdefXYZ"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TWIN_MQTT_URL", "TWIN_INFLUX_URL", "TWIN_STORE_URL"):
        monkeypatch.delenv(name, raising=False)


def _secret(tmp_path: Path, text: str = GOOD, mode: int = 0o600) -> Path:
    path = tmp_path / "secret"
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


def test_secret_comes_from_a_file_and_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_MQTT_PASSWORD_FILE", str(_secret(tmp_path)))
    settings = load_settings()
    assert settings.mqtt_password is not None
    assert settings.mqtt_password.get_secret_value() == GOOD
    assert GOOD not in repr(settings)
    assert GOOD not in settings.model_dump_json()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TWIN_MQTT_URL", "http://broker", "TWIN_MQTT_URL: must be mqtt://"),
        ("TWIN_MQTT_URL", "mqtt://user:word@broker", "TWIN_MQTT_URL: holds a credential"),
        ("TWIN_INFLUX_URL", "influx:8086", "TWIN_INFLUX_URL: must be http"),
        ("TWIN_INFLUX_API", "v9", "TWIN_INFLUX_API: Input should be 'auto', 'v1' or 'v2'"),
        ("TWIN_INFLUX_TOKEN", "my-super-secret-auth-token", "TWIN_INFLUX_TOKEN: a well-known"),
        ("TWIN_MQTT_PASSWORD", "short", "TWIN_MQTT_PASSWORD: a well-known default or shorter"),
        ("TWIN_MQTT_PASSWORD_FILE", "/nowhere", "TWIN_MQTT_PASSWORD_FILE=/nowhere: No such file"),
        ("TWIN_STORE_RETENTION_H", "-1", "TWIN_STORE_RETENTION_H: Input should be greater than 0"),
    ],
)
def test_bad_setting_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    text = str(caught.value)
    assert said in text
    assert "\n" not in text
    assert caught.value.exit_code == 78


def test_a_secret_that_others_can_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_INFLUX_TOKEN_FILE", str(_secret(tmp_path, mode=0o644)))
    with pytest.raises(ConfigurationError, match="others can read it; chmod 640"):
        load_settings()


@pytest.mark.parametrize("address", ["8080", "host:", ":80", "host:port", "host:70000"])
def test_unfit_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--listen: .* is not host:port"):
        host_and_port(address, "--listen")


def test_addresses_are_split() -> None:
    assert host_and_port("127.0.0.1:80", "x") == ("127.0.0.1", 80)
    assert host_and_port("[::1]:8080", "x") == ("::1", 8080)


def test_a_console_beyond_loopback_needs_a_token_and_tls_or_words() -> None:
    refuse_public_bind("127.0.0.1", load_settings())
    refuse_public_bind("0.0.0.0", load_settings(console_token=GOOD, console_insecure=True))
    pem = {"console_certificate_file": "c.pem", "console_key_file": "k.pem"}
    refuse_public_bind("0.0.0.0", load_settings(console_token=GOOD, **pem))
    for given, missing in (
        ({}, "TWIN_CONSOLE_TOKEN_FILE"),
        ({"console_insecure": True}, "TWIN_CONSOLE_TOKEN_FILE"),
        (pem, "TWIN_CONSOLE_TOKEN_FILE"),
        ({"console_token": GOOD}, "TWIN_CONSOLE_CERTIFICATE_FILE"),
        ({"console_token": GOOD, "console_key_file": "k.pem"}, "TWIN_CONSOLE_CERTIFICATE_FILE"),
    ):
        with pytest.raises(ConfigurationError, match=missing):
            refuse_public_bind("0.0.0.0", load_settings(**given))


def test_the_embedded_store_stays_on_loopback() -> None:
    loopback_only("::1", "--listen")
    with pytest.raises(ConfigurationError, match=r"--listen: .* not a loopback address"):
        loopback_only("0.0.0.0", "--listen")
