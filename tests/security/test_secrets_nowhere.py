"""Bad secrets are refused by name (S12), and none is in the repository or its history (S9)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from deployment import ROOT, script
from servers import free_port

from services.settings import SECRETS, WELL_KNOWN_SECRETS

GOOD = "a secret of a good length, 32 characters"
PATTERNS = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{40,}"),
    "cloud key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "token of a code host": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|glpat-[\w-]{20})\b"),
    "chat token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "JSON web token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "InfluxDB token": re.compile(r"\b[\w-]{86}=="),
    "hashed broker password": re.compile(r"\$7\$[0-9]+\$[A-Za-z0-9+/=]{12,}\$[A-Za-z0-9+/=]{60,}"),
    "credential in an address": re.compile(
        r"(?:mqtts?|https?)://[\w.-]+:(?=[^\s@/]*[0-9])[^\s@/{}$<]{8,}@[\w.-]+"
    ),
}


def twin(*words: str, home: Path, **given: str) -> "subprocess.CompletedProcess[str]":
    """A command with these settings only."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *words],
        env=kept | {"TWIN_STATE_DIR": str(home)} | given,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"TWIN_MQTT_PASSWORD": "admin"}, "TWIN_MQTT_PASSWORD"),
        ({"TWIN_MQTT_PASSWORD_FILE": "loose"}, "TWIN_MQTT_PASSWORD_FILE"),
        ({"TWIN_CONSOLE_LISTEN": "0.0.0.0:PORT"}, "TWIN_CONSOLE_TOKEN_FILE"),
        (
            {"TWIN_CONSOLE_LISTEN": "0.0.0.0:PORT", "TWIN_CONSOLE_TOKEN": GOOD},
            "TWIN_CONSOLE_CERTIFICATE_FILE",
        ),
    ],
)
def test_the_console_does_not_start_with_a_bad_secret_or_in_the_open(
    tmp_path: Path, given: dict[str, str], named: str
) -> None:
    (tmp_path / "loose").write_text(GOOD)
    (tmp_path / "loose").chmod(0o644)
    own = {name: value.replace("PORT", str(free_port())) for name, value in given.items()}
    done = twin("console", home=tmp_path, TWIN_STORE_URL="http://127.0.0.1:1", **own)
    assert done.returncode == 78, done.stderr
    assert named in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert GOOD not in done.stderr


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("bad", [*sorted(WELL_KNOWN_SECRETS), "Admin", "x" * 15, ""])
def test_every_secret_is_refused_where_it_is_well_known_or_short(
    monkeypatch: pytest.MonkeyPatch, secret: str, bad: str
) -> None:
    from services.settings import load_settings
    from twin.errors import ConfigurationError

    monkeypatch.setenv(f"TWIN_{secret.upper()}", bad)
    with pytest.raises(ConfigurationError, match=f"TWIN_{secret.upper()}: ") as refused:
        load_settings()
    assert refused.value.exit_code == 78


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(("mode", "fits"), [(0o600, True), (0o640, True), (0o644, False)])
def test_every_secret_file_is_refused_where_others_can_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str, mode: int, fits: bool
) -> None:
    from services.settings import load_settings
    from twin.errors import ConfigurationError

    path = tmp_path / "secret"
    path.write_text(GOOD)
    path.chmod(mode)
    monkeypatch.setenv(f"TWIN_{secret.upper()}_FILE", str(path))
    if fits:
        assert getattr(load_settings(), secret).get_secret_value() == GOOD
        return
    with pytest.raises(ConfigurationError, match=f"TWIN_{secret.upper()}_FILE"):
        load_settings()


def findings(text: str) -> list[tuple[str, str]]:
    """Kind and beginning of whatever looks like a secret."""
    return [
        (kind, match[0][:24])
        for kind, pattern in PATTERNS.items()
        for match in pattern.finditer(text)
    ]


def test_the_scan_sees_what_we_make(tmp_path: Path) -> None:
    make_secrets = script("make_secrets")
    make_secrets.make_secrets(tmp_path / "secrets", tmp_path / ".env")
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert [kind for kind, _ in findings(made["mqtt_ca_key"])] == ["private key"]
    assert "hashed broker password" in {kind for kind, _ in findings(made["mosquitto_passwd"])}
    # In pieces, or the scan below would find it here.
    planted = "mqtt://user:" + "c0rrect-horse" + "@broker AKIA" + "A" * 16 + " ghp_" + "a" * 36
    assert len(findings(planted)) == 3


def test_no_secret_is_in_the_tree_or_the_history() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: no history to look at")
    # Locks are full of digests, which look like tokens.
    locks = [":!*.lock", ":!*package-lock.json"]
    command = ["git", "log", "-p", "--no-color", "--no-textconv", "--", ".", *locks]
    history = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False
    )
    assert history.returncode == 0, history.stderr
    assert findings(history.stdout) == []
    named = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in named.stdout.splitlines():
        path = ROOT / name
        assert not re.search(r"(^|/)(\.env|secrets/.*|.*\.(pem|key|p12|pfx))$", name), name
        if path.is_file() and not path.is_symlink() and path.name != "package-lock.json":
            assert findings(path.read_bytes().decode(errors="replace")) == [], name
