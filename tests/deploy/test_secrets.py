"""`make secrets`: what it makes, who can read it, and that it never overwrites."""

import os
import shutil
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from deployment import ROOT, script

from services.certificates import days_left, new_authority, new_server, serves
from services.secret_files import mosquitto_hash, verifies
from services.settings import load_settings
from twin.errors import ConfigurationError

make_secrets = script("make_secrets")
RANDOM = (
    *(make_secrets.broker_secret(user) for user in make_secrets.BROKER_USERS),
    *make_secrets.FIRST_START_SECRETS,
    make_secrets.CONSOLE_TOKEN,
)


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "secrets", tmp_path / ".env"


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_secrets_are_random_long_and_different_everywhere(
    place: tuple[Path, Path], tmp_path: Path
) -> None:
    make_secrets.make_secrets(*place)
    make_secrets.make_secrets(tmp_path / "second", tmp_path / ".env2")
    values = [contents(place[0])[name].strip() for name in RANDOM]
    values += [contents(tmp_path / "second")[name].strip() for name in RANDOM]
    assert len(set(values)) == len(values)
    assert all(len(value) >= 32 for value in values)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_only_the_owner_passes_the_directory_and_only_the_group_reads(
    place: tuple[Path, Path], mask: int
) -> None:
    before = os.umask(mask)
    try:
        make_secrets.make_secrets(*place)
    finally:
        os.umask(before)
    assert stat.S_IMODE(place[0].stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in place[0].iterdir()}
    assert modes == {0o640}
    assert not [path for path in place[0].iterdir() if path.name.endswith(".new")]


def test_group_for_the_containers_is_the_files_group(place: tuple[Path, Path]) -> None:
    place[1].write_text("GRAFANA_TAG=13.2.3\n")
    make_secrets.make_secrets(*place)
    group = (place[0] / "mosquitto_passwd").stat().st_gid
    assert place[1].read_text() == f"GRAFANA_TAG=13.2.3\nTWIN_SECRETS_GID={group}\n"


def test_a_second_run_changes_nothing_and_repairs_only_modes(place: tuple[Path, Path]) -> None:
    make_secrets.make_secrets(*place)
    first = contents(place[0])
    loose = place[0] / "mqtt_ingest_password"
    loose.chmod(0o644)
    place[0].chmod(0o755)
    assert make_secrets.make_secrets(*place) == []
    assert contents(place[0]) == first
    assert stat.S_IMODE(loose.stat().st_mode) == 0o640
    assert stat.S_IMODE(place[0].stat().st_mode) == 0o700


def test_rotation_renews_the_broker_and_keeps_what_volumes_remember(
    place: tuple[Path, Path],
) -> None:
    make_secrets.make_secrets(*place)
    first = contents(place[0])
    make_secrets.make_secrets(*place, rotate=True)
    second = contents(place[0])
    changed = {name for name in first if first[name] != second[name]}
    broker = {make_secrets.broker_secret(user) for user in make_secrets.BROKER_USERS}
    made = {
        name
        for name in make_secrets.BROKER_FILES
        if name not in {"mosquitto_acl", "mosquitto_conf"}
    }
    assert changed == broker | made | {"console_token"}
    old, new = first["mqtt_ca"], second["mqtt_ca"]
    names = make_secrets.BROKER_NAMES
    assert serves(second["mqtt_server"], new, names, datetime.now(UTC))
    assert not serves(first["mqtt_server"], new, names, datetime.now(UTC))
    assert not serves(second["mqtt_server"], old, names, datetime.now(UTC))


def test_a_lost_password_is_made_again_and_the_password_file_follows(
    place: tuple[Path, Path],
) -> None:
    make_secrets.make_secrets(*place)
    (place[0] / "mqtt_drill_password").unlink()
    written = make_secrets.make_secrets(*place)
    assert written == ["mqtt_drill_password", "mosquitto_passwd"]
    rows = dict(
        line.split(":", 1) for line in (place[0] / "mosquitto_passwd").read_text().splitlines()
    )
    password = (place[0] / "mqtt_drill_password").read_text().strip()
    assert verifies(rows["drill"], password)
    assert not verifies(rows["ingest"], password)


def test_a_certificate_is_renewed_before_it_ends_and_when_its_names_change(
    place: tuple[Path, Path],
) -> None:
    make_secrets.make_secrets(*place)
    first = contents(place[0])
    certificate = x509.load_pem_x509_certificate(first["mqtt_server"].encode())
    assert certificate.not_valid_after_utc - datetime.now(UTC) < timedelta(days=398)
    pair = ["mqtt_server", "mqtt_server_key"]
    assert make_secrets.make_secrets(*place, hosts=["broker.example", "192.0.2.7"]) == pair
    second = contents(place[0])
    assert second["mqtt_ca"] == first["mqtt_ca"]
    names = (*make_secrets.BROKER_NAMES, "broker.example", "192.0.2.7")
    assert serves(second["mqtt_server"], first["mqtt_ca"], names, datetime.now(UTC))
    soon = datetime.now(UTC) + timedelta(days=340)
    assert not serves(second["mqtt_server"], first["mqtt_ca"], names, soon)
    assert 396 < days_left(second["mqtt_server"], datetime.now(UTC)) < 397


def test_val_openssl_takes_the_certificate(place: tuple[Path, Path]) -> None:
    """Against a verifier that is not ours, strictly by RFC 5280."""
    tool = shutil.which("openssl")
    if tool is None:
        pytest.skip("openssl is not installed (Debian package openssl)")
    make_secrets.make_secrets(*place)
    command = [tool, "verify", "-x509_strict", "-purpose", "sslserver"]
    command += ["-CAfile", str(place[0] / "mqtt_ca"), "-verify_hostname", "mosquitto"]
    good = subprocess.run(
        [*command, str(place[0] / "mqtt_server")], capture_output=True, text=True, check=False
    )
    assert good.returncode == 0, good.stderr
    (place[0] / "strange").write_text(new_server(new_authority(), ["mosquitto"]).certificate)
    strange = subprocess.run(
        [*command, str(place[0] / "strange")], capture_output=True, text=True, check=False
    )
    assert strange.returncode != 0


def test_parts_get_users_of_their_own_and_keep_them(place: tuple[Path, Path]) -> None:
    make_secrets.make_secrets(*place, parts=2)
    first = contents(place[0])
    assert {"mqtt_simulate-0of2_password", "mqtt_simulate-1of2_password"} <= first.keys()
    assert "user simulate-1of2\n" in first["mosquitto_acl"]
    assert make_secrets.make_secrets(*place) == []
    assert contents(place[0]) == first


def test_guests_get_users_with_the_rights_of_their_kind_and_keep_them(
    place: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    make_secrets.make_secrets(*place, guests=["satellite.sat-a@f", "publisher.telegraf@f"])
    first = contents(place[0])
    assert {"mqtt_satellite.sat-a@f_password", "mqtt_publisher.telegraf@f_password"} <= set(first)
    assert "user telegraf\ntopic write fleet/v1/f/lp/telegraf\n" in first["mosquitto_acl"]
    assert "topic write fleet/v1/f/tlm/sat-a\n" in first["mosquitto_acl"]
    assert make_secrets.make_secrets(*place) == []
    (place[0] / "mqtt_publisher.telegraf@f_password").unlink()
    assert make_secrets.make_secrets(*place) == ["mosquitto_passwd", "mosquitto_acl"]
    words = ["--directory", str(place[0]), "--env-file", str(place[1]), "--guest"]
    for unfit in ("sat-a", "satellite.s0001@f", "satellite.A@f", "robot.a@f", "satellite.a@f/g"):
        assert make_secrets.main([*words, unfit]) == 78
        assert "--guest" in capsys.readouterr().err


@pytest.mark.parametrize("weak", ["", "admin\n", "x" * 31])
def test_a_weak_secret_put_there_by_hand_is_refused_by_name(
    place: tuple[Path, Path], weak: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place[0].mkdir()
    (place[0] / "influx_admin_token").write_text(weak)
    code = make_secrets.main(["--directory", str(place[0]), "--env-file", str(place[1])])
    assert code == 78
    assert "influx_admin_token" in capsys.readouterr().err


def test_val_mosquitto_passwd_writes_the_same_form(tmp_path: Path) -> None:
    """Against the broker's own tool: the hash it writes is the hash we compute."""
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed (Debian package mosquitto)")
    path = tmp_path / "passwd"
    subprocess.run([tool, "-c", "-b", str(path), "someone", "a password"], check=True)
    stored = path.read_text().strip().split(":", 1)[1]
    assert verifies(stored, "a password")
    assert not verifies(stored, "another password")
    own = mosquitto_hash("a password", b"123456789012")
    assert [len(part) for part in own.split("$")] == [len(part) for part in stored.split("$")]
    assert not verifies("plain text", "plain text")


def test_our_services_take_a_secret_as_it_is_made(place: tuple[Path, Path]) -> None:
    make_secrets.make_secrets(*place)
    path = place[0] / "mqtt_ingest_password"
    settings = load_settings(mqtt_password_file=path)
    assert settings.mqtt_password is not None
    assert settings.mqtt_password.get_secret_value() == path.read_text().strip()


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o642, 0o604])
def test_our_services_refuse_a_secret_that_others_read_or_that_a_group_writes(
    place: tuple[Path, Path], mode: int
) -> None:
    make_secrets.make_secrets(*place)
    path = place[0] / "mqtt_ingest_password"
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="TWIN_MQTT_PASSWORD_FILE"):
        load_settings(mqtt_password_file=path)


def test_secrets_stay_out_of_the_repository_and_the_image() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "secrets/influx_admin_token", ".env"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ignored.stdout.split() == ["secrets/influx_admin_token", ".env"]
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    assert not any("secrets" in line or ".env" in line for line in lines if line.startswith("!"))
