"""The one door: what is tried again, what is not, and what an operator reads."""

import base64
import hashlib
import importlib.metadata
from pathlib import Path

import pytest
from deployment import ROOT
from fake import V9, V13, fake_grafana
from provisioned import QUICK, settings_of

from services.grafana import Grafana, GrafanaBusyError, GrafanaRefusedError, Patience
from services.grafana_settings import load_grafana_settings
from services.provision_doctor import examine
from twin.errors import ConfigurationError


def test_a_question_is_asked_again_while_grafana_is_busy() -> None:
    waits: list[float] = []
    patience = Patience(attempts=5, sleep=waits.append, chance=lambda: 1.0)
    fates = iter(["before", "503", "after", ""])
    with fake_grafana() as server, Grafana(settings_of(server), patience) as door:
        server.trouble = lambda *_: next(fates)
        assert door.get("/org")["id"] == 1
    assert waits == [0.25, 0.5, 1.0]


def test_waits_are_random_below_a_doubling_bound() -> None:
    waits: list[float] = []
    patience = Patience(attempts=9, sleep=waits.append, chance=lambda: 0.5)
    with fake_grafana() as server, Grafana(settings_of(server), patience) as door:
        server.trouble = lambda *_: "500"
        with pytest.raises(GrafanaBusyError, match=r"HTTP 500: .*trouble"):
            door.get("/org")
    assert waits == [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


def test_a_write_is_sent_once() -> None:
    with fake_grafana() as server, Grafana(settings_of(server), QUICK) as door:
        server.trouble = lambda *_: "503"
        with pytest.raises(GrafanaBusyError):
            door.ask("POST", "/folders", {"uid": "a", "title": "a"})
        assert server.writes == [("POST", "/folders")]


def test_refusals_are_one_line_with_place_status_and_reason() -> None:
    with fake_grafana() as server:
        with Grafana(settings_of(server), QUICK) as door:
            with pytest.raises(GrafanaRefusedError) as refused:
                door.get("/dashboards/uid/none")
            assert str(refused.value) == (
                f"grafana {server.url}: GET /api/dashboards/uid/none: HTTP 404: Dashboard not found"
            )
            assert door.find("/dashboards/uid/none") is None
        stranger = settings_of(server, "not-the-admin's-token")
        with Grafana(stranger, QUICK) as door, pytest.raises(ConfigurationError) as told:
            door.get("/org")
    assert str(told.value).count("\n") == 0
    assert "HTTP 401" in str(told.value)
    assert "TWIN_GRAFANA_TOKEN_FILE" in str(told.value)


def test_nobody_there_is_said_with_what_to_do() -> None:
    settings = load_grafana_settings(grafana_url="http://127.0.0.1:1")
    with Grafana(settings, QUICK) as door:
        with pytest.raises(GrafanaBusyError, match=r"no answer .*TWIN_GRAFANA_URL"):
            door.get("/org")
        with pytest.raises(GrafanaBusyError, match="no answer"):
            door.ready()
        (finding,) = examine(door)
    assert not finding.is_well


def test_numeric_ids_which_13_turns_off_are_asked_for_nowhere() -> None:
    with fake_grafana(V13) as server, Grafana(settings_of(server), QUICK) as door:
        assert door.find("/datasources/1") is None
    text = "".join(path.read_text() for path in (ROOT / "services").glob("provision*.py"))
    assert "/datasources/{" not in text
    assert "/folders/id" not in text


def test_doctor_finds_what_is_amiss() -> None:
    with fake_grafana(V9) as server, Grafana(settings_of(server), QUICK) as door:
        found = {one.subject: one for one in examine(door)}
        assert [one.subject for one in found.values() if not one.is_well] == ["data source"]
        server.state.tree["provenance"] = "file"
        server.state.put_source("twin-influx", {"name": "x"}, is_new=True)
        found = {one.subject: one for one in examine(door)}
        assert [one.subject for one in found.values() if not one.is_well] == ["policies"]
        account = {"id": 7, "name": "v", "role": "Viewer", "tokens": [{"key": "viewer-token-long"}]}
        server.state.accounts[7] = account
        with Grafana(settings_of(server, "viewer-token-long"), QUICK) as viewer:
            assert not list(examine(viewer))[-1].is_well


def test_a_grafana_that_enforces_its_name_is_called_by_it() -> None:
    """As in docker-compose.yml: the address is a container's, the name is the loopback's."""
    with fake_grafana() as server:
        server.domain = "localhost"
        with Grafana(settings_of(server), QUICK) as door, pytest.raises(GrafanaBusyError):
            door.get("/org")
        named = settings_of(server).model_copy(update={"grafana_domain": "localhost"})
        with Grafana(named, QUICK) as door:
            assert door.get("/org")["id"] == 1


def test_settings_refuse_what_cannot_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (
        ("TWIN_GRAFANA_URL", "grafana:3000"),
        ("TWIN_ALERT_PAGE_URL", "http://user:secret@pager"),
        ("TWIN_GRAFANA_TOKEN_FILE", str(tmp_path / "none")),
        ("TWIN_GRAFANA_PASSWORD", "admin"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with pytest.raises(ConfigurationError) as told:
                load_grafana_settings()
            assert name in str(told.value)
            assert "secret@" not in str(told.value)


def test_the_client_leaves_the_rest_of_the_environment_as_it_was() -> None:
    """grafana-client 4 and newer bring urllib3-future, which overwrites the files of urllib3."""
    names = {row.metadata["Name"].lower() for row in importlib.metadata.distributions()}
    assert not names & {"urllib3-future", "niquests"}
    version = importlib.metadata.version("grafana-client")
    assert version.startswith("3.")
    import urllib3

    assert urllib3.__version__ == importlib.metadata.version("urllib3")
    for row in importlib.metadata.files("urllib3") or []:
        if row.hash is not None and row.suffix == ".py":
            digest = hashlib.new(row.hash.mode, Path(str(row.locate())).read_bytes()).digest()
            text = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            assert text == row.hash.value, row
