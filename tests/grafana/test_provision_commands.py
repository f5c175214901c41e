"""`twin provision` as an operator types it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fake import ADMIN, V13, FakeGrafana, fake_grafana
from servers import influxd_server
from typer.testing import CliRunner, Result

from dashboards.build import dashboards
from services import provision_wanted
from services.provision_commands import provision_app
from services.provision_notes import annotation
from services.store_setup import ROLES
from twin.errors import OutOfRangeError


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeGrafana]:
    with fake_grafana(V13) as server:
        token = tmp_path / "admin"
        token.write_text(ADMIN)
        token.chmod(0o600)
        monkeypatch.setattr(provision_wanted, "dashboards", lambda: dashboards()[:1])
        monkeypatch.setenv("TWIN_GRAFANA_URL", server.url)
        monkeypatch.setenv("TWIN_GRAFANA_TOKEN_FILE", str(token))
        monkeypatch.setenv("TWIN_ALERT_PAGE_URL", "http://pager.example/")
        yield server


def twin(*words: str) -> Result:
    return CliRunner().invoke(provision_app, words)


def test_plan_apply_plan_diff_and_prune(grafana: FakeGrafana) -> None:
    first = twin("plan", "--json")
    assert first.exit_code == 2, first.output
    assert {row["action"] for row in json.loads(first.stdout)} == {"create"}
    done = twin("apply")
    assert done.exit_code == 0, done.output
    assert "create  dashboard twin-fleet" in done.stdout
    again = twin("plan")
    assert (again.exit_code, again.stdout) == (0, "nothing to do\n")
    grafana.state.contacts["twin-page"]["settings"]["url"] = "http://else"
    shown = twin("diff")
    assert shown.exit_code == 2
    assert '-    "url": "http://else"' in shown.stdout
    grafana.state.contacts["twin-old"] = grafana.state.contacts["twin-page"] | {"uid": "twin-old"}
    assert "stale   contact point twin-old" in twin("plan").stdout
    assert twin("apply", "--prune").exit_code == 0
    assert "twin-old" not in grafana.state.contacts


@pytest.mark.parametrize(
    ("source", "only", "said"),
    [
        ("telemetry", "rules", ["rules of 1,001 satellites", "is too rare for alert rules"]),
        ("watch", "rules", ["is too rare for alert rules"]),
        ("telemetry", "dashboards", []),
    ],
)
@pytest.mark.usefixtures("grafana")
def test_a_fleet_that_does_not_suit_the_rules_is_named(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    source: str,
    only: str,
    said: list[str],
) -> None:
    path = tmp_path / "large.yaml"
    path.write_text(
        "name: large\nepoch: 2026-10-01T00:00:00Z\nfleet:\n"
        "  - id: a\n    preset: starcloud-2\n    report_interval_s: 120\n"
        "    orbit: {ring: {count: 1001, altitude_km: 550, inclination_deg: 53}}\n"
    )
    monkeypatch.setenv("TWIN_SCENARIO", str(path))
    monkeypatch.setenv("TWIN_ALERT_SOURCE", source)
    lines = twin("plan", "--only", only).stderr.splitlines()
    assert len(lines) == len(said)
    for line, words in zip(lines, said, strict=True):
        assert line.startswith("warning: ")
        assert words in line


@pytest.mark.usefixtures("grafana")
def test_a_scenario_that_is_elsewhere_does_not_stop_provisioning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWIN_SCENARIO", "/nowhere/fleet.yaml")
    done = twin("apply", "--only", "rules")
    assert done.exit_code == 0
    assert done.stderr.startswith("warning: the fleet of TWIN_SCENARIO was not looked at: /nowhere")


def test_only_a_part_is_touched(grafana: FakeGrafana) -> None:
    assert twin("apply", "--only", "dashboards").exit_code == 0
    assert grafana.state.boards
    assert not grafana.state.rules
    assert not [uid for uid in grafana.state.contacts if uid.startswith("twin-")]
    assert twin("apply", "--only", "everything").exit_code == 2


def test_without_an_address_the_routing_is_left_alone(
    grafana: FakeGrafana, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TWIN_ALERT_PAGE_URL")
    before = dict(grafana.state.tree)
    done = twin("apply")
    assert done.exit_code == 0
    assert "routing left alone" in done.stderr
    assert grafana.state.tree == before
    assert grafana.state.rules


def test_something_in_the_way_is_exit_code_1(grafana: FakeGrafana) -> None:
    grafana.state.mutes["twin-always"] = {"name": "twin-always", "time_intervals": []}
    done = twin("apply")
    assert done.exit_code == 1
    assert "blocked mute timing twin-always: " in done.stdout


def test_annotations_need_only_the_annotators_token(
    grafana: FakeGrafana, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = tmp_path / "annotator"
    assert twin("apply", "--only", "account", "--token-file", str(token)).exit_code == 0
    monkeypatch.setenv("TWIN_GRAFANA_TOKEN_FILE", str(token))
    span = ("--from", "2026-11-22T10:00:00Z", "--to", "2026-11-22T10:05:00Z")
    done = twin("annotate", "Drill: coolant leak", "--tag", "drill", *span)
    assert done.exit_code == 0, done.output
    (note,) = grafana.state.annotations
    assert note == {
        "id": note["id"],
        "text": "Drill: coolant leak",
        "tags": ["orbital-twin", "drill"],
        "time": 1_795_341_600_000,
        "timeEnd": 1_795_341_900_000,
    }
    assert twin("plan").exit_code != 0  # an Editor may not read what is compared
    with pytest.raises(OutOfRangeError, match="--to"):
        annotation("x", 2.0, 1.0, [])


def test_export_is_whole_and_holds_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = "a-secret-of-more-than-16-characters"
    monkeypatch.setenv("TWIN_ALERT_PAGE_URL", "http://pager.example/")
    monkeypatch.setenv("TWIN_INFLUX_TOKEN", secret)
    assert twin("export", str(tmp_path)).exit_code == 0
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in paths} == {".json", ".yaml", ".yml"}
    for path in paths:
        text = path.read_text()
        assert secret not in text
        assert json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    source = yaml.safe_load((tmp_path / "provisioning/datasources/twin.yaml").read_text())
    assert "$__file{" in source["datasources"][0]["secureJsonData"]["httpHeaderValue1"]


def test_the_same_command_sets_up_a_real_store(
    grafana: FakeGrafana, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    password = tmp_path / "operator"
    password.write_text("operator-password-of-32-characters")
    password.chmod(0o600)
    with influxd_server(asks_login=True) as store:
        monkeypatch.setenv("TWIN_INFLUX_URL", store.url)
        monkeypatch.setenv("TWIN_INFLUX_USERNAME", "operator")
        monkeypatch.setenv("TWIN_INFLUX_PASSWORD_FILE", str(password))
        tokens = tmp_path / "tokens"
        done = twin("apply", "--only", "store", "--influx", str(tokens))
        assert done.exit_code == 0, done.output
    source = grafana.state.sources["twin-influx"]
    assert source["basicAuthUser"] == "twin_read"
    reader = (tokens / "read").read_text().strip()
    assert source["secureJsonData"] == {"basicAuthPassword": reader}
    assert {path.name for path in tokens.iterdir()} == set(ROLES)
