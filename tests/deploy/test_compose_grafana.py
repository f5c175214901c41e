"""What docker-compose.yml says of Grafana's provisioning; its command against a stand-in."""

import re
from pathlib import Path

import pytest
import yaml
from deployment import ROOT, compose, environment
from typer.testing import CliRunner

from services.provision_boards import BOARDS_FOLDER
from services.provision_commands import provision_app
from services.provision_wanted import PARTS


def test_each_kind_in_grafana_has_one_owner() -> None:
    """Files keep the store and the dashboards, `provision` the rest: together every part."""
    command = compose()["services"]["provision"]["command"]
    parts = {word.removeprefix("--only=") for word in command if word.startswith("--only=")}
    assert parts == set(PARTS) - {"store", "dashboards"}
    volumes = compose()["services"]["grafana"]["volumes"]
    mounted = {volume.split(":")[0] for volume in volumes if isinstance(volume, str)}
    provisioning = "./deploy/grafana/provisioning/"
    assert {name for name in mounted if name.startswith(provisioning)} == {
        f"{provisioning}datasources",
        f"{provisioning}dashboards",
    }
    folder = ROOT / "deploy" / "grafana" / "provisioning" / "dashboards" / "twin.yaml"
    (provider,) = yaml.safe_load(folder.read_text())["providers"]
    assert (provider["folderUid"], provider["folder"]) == BOARDS_FOLDER


def test_provision_is_told_who_grafana_is_and_where_notifications_go() -> None:
    services = compose()["services"]
    given, grafana = environment(services["provision"]), environment(services["grafana"])
    assert given["TWIN_GRAFANA_DOMAIN"] == grafana["GF_SERVER_DOMAIN"]
    assert given["TWIN_GRAFANA_USERNAME"] == grafana["GF_SECURITY_ADMIN_USER"]
    password = given["TWIN_GRAFANA_PASSWORD_FILE"]
    assert password == grafana["GF_SECURITY_ADMIN_PASSWORD__FILE"]
    port = services["notify"]["command"][-1].rsplit(":", 1)[1]
    for key in ("page", "ticket", "log", "drill"):
        assert given[f"TWIN_ALERT_{key.upper()}_URL"].endswith(f":-http://notify:{port}/{key}}}")
    assert given["TWIN_ALERT_SOURCE"] == "${TWIN_ALERT_SOURCE:-watch}"
    assert services["watch"]["command"] == ["watch"]  # whom those rules ask
    shared = set(services["provision"]["networks"]) & set(services["grafana"]["networks"])
    assert shared == {"alerts"}
    assert set(services["notify"]["networks"]) == {"alerts"}


def test_the_command_of_provision_brings_a_grafana_to_rest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The words and variables of the file, on a stand-in for Grafana 12 and newer."""
    service = compose()["services"]["provision"]
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "grafana"))
    from fake import ADMIN, V13, fake_grafana

    secret = tmp_path / "password"
    secret.write_text(ADMIN)
    secret.chmod(0o640)
    token = tmp_path / "drill_token"
    token.write_text("a token of this drill, long enough to be one\n")
    token.chmod(0o640)
    words = [word.replace("/var/lib/twin", str(tmp_path)) for word in service["command"][1:]]
    with fake_grafana(V13) as grafana:
        grafana.domain = "localhost"
        for key, value in environment(service).items():
            monkeypatch.setenv(key, re.sub(r"\$\{\w+:-(.*)\}", r"\1", value))
        monkeypatch.setenv("TWIN_GRAFANA_URL", grafana.url)
        monkeypatch.setenv("TWIN_GRAFANA_PASSWORD_FILE", str(secret))
        monkeypatch.setenv("TWIN_DRILL_TOKEN_FILE", str(token))
        for _ in range(2):
            done = CliRunner().invoke(provision_app, words)
            assert done.exit_code == 0, done.output
        assert done.stdout == "nothing to do\n"
        assert grafana.state.rules
        assert (tmp_path / "annotator").exists()
        assert not grafana.state.boards
