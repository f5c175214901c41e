"""docker-compose.yml: valid by its schema, and every rule of the policy for every service.

No engine runs here. Proven is what the file says, not what an engine makes of it.
"""

import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from deployment import COMPOSE_FILE, LOCK_FILE, ROOT, compose, environment, script

from dashboards.build import rendered
from dashboards.grafana_json import DATASOURCE
from services.grafana_settings import GrafanaSettings
from services.settings import Settings

make_secrets = script("make_secrets")
Json = dict[str, Any]
ONE_SHOT = {"setup", "provision"}
OURS = {"setup", "simulate", "ingest", "watch", "console", "provision", "notify"}
PUBLISHED = {"console": "8080", "grafana": "3000"}
SECRET_NAME = re.compile(r"PASSWORD|TOKEN|SECRET|APIKEY|API_KEY|CREDENTIAL")
MEMORY = re.compile(r"^\d+[mg]$")
# Users of the upstream images, read from their Dockerfiles; all of them are not root.
IMAGE_USERS = {"mosquitto": "1883", "influxdb": "1000", "grafana": "472"} | dict.fromkeys(
    OURS, "10001"
)


def violations(name: str, service: Json, document: Json) -> list[str]:
    """Rules of the policy that a service breaks, in words."""
    ports = service.get("ports", [])
    broken = {
        "no image tag, or a floating one": not re.search(r":[^:]*\d", service.get("image", "")),
        "root file system is writable": service.get("read_only") is not True,
        "runs as root": str(service.get("user", "0")).split(":")[0] in {"", "0", "root"},
        "keeps capabilities": service.get("cap_drop") != ["ALL"] or "cap_add" in service,
        "may gain privileges": "no-new-privileges:true" not in service.get("security_opt", []),
        "privileged or in a namespace of the host": bool(
            {"privileged", "devices", "pid", "ipc", "network_mode", "userns_mode"} & service.keys()
        ),
        "no health check": name not in ONE_SHOT and "test" not in service.get("healthcheck", {}),
        "no memory limit": not MEMORY.match(str(service.get("mem_limit", ""))),
        "no process limit": not 0 < int(service.get("pids_limit", 0)) <= 512,
        "no CPU limit": not 0 < float(service.get("cpus", 0)) <= 4,
        "logs grow without bound": "max-size" not in service.get("logging", {}).get("options", {}),
        "a port beyond loopback": not all(str(port).startswith("127.0.0.1:") for port in ports),
        "no network of its own": not service.get("networks"),
        "starts before what it needs is healthy": not _waits(service),
        "a literal secret": bool(_literal_secrets(service)),
        "a mount of the engine or of the host's system": bool(_dangerous_mounts(service)),
        "a host directory that it can write": bool(_writable_binds(service)),
        "a secret that is not declared": not set(service.get("secrets", []))
        <= document.get("secrets", {}).keys(),
        "secrets without the group that reads them": bool(service.get("secrets"))
        and not any("TWIN_SECRETS_GID" in str(group) for group in service.get("group_add", [])),
    }
    return [rule for rule, is_broken in broken.items() if is_broken]


def _waits(service: Json) -> bool:
    needed = service.get("depends_on", {})
    allowed = {"service_healthy", "service_completed_successfully"}
    return isinstance(needed, dict) and all(
        row.get("condition") in allowed for row in needed.values()
    )


def _literal_secrets(service: Json) -> list[str]:
    return [
        key
        for key, value in environment(service).items()
        if SECRET_NAME.search(key) and not key.endswith(("_FILE",)) and value
    ] + [key for key, value in environment(service).items() if re.search(r"://[^/]*@", value)]


def _mounts(service: Json) -> list[tuple[str, bool]]:
    """Source and whether it is read-only, of every volume."""
    found = []
    for volume in service.get("volumes", []):
        if isinstance(volume, dict):
            found.append((volume["source"], volume.get("read_only", False)))
        else:
            found.append((volume.split(":")[0], volume.endswith(":ro")))
    return found


def _dangerous_mounts(service: Json) -> list[str]:
    return [
        source
        for source, _ in _mounts(service)
        if "docker.sock" in source or source.startswith(("/", "~", ".."))
    ]


def _writable_binds(service: Json) -> list[str]:
    return [source for source, fixed in _mounts(service) if source.startswith(".") and not fixed]


def test_the_file_is_valid_by_the_compose_specification() -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    command = [str(checker), "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", compose()["services"])
def test_policy(name: str) -> None:
    assert violations(name, compose()["services"][name], compose()) == []


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"image": "influxdb:latest"}, "no image tag, or a floating one"),
        ({"image": "influxdb"}, "no image tag, or a floating one"),
        ({"read_only": False}, "root file system is writable"),
        ({"user": "0:0"}, "runs as root"),
        ({"cap_add": ["NET_ADMIN"]}, "keeps capabilities"),
        ({"security_opt": []}, "may gain privileges"),
        ({"privileged": True}, "privileged or in a namespace of the host"),
        ({"healthcheck": {}}, "no health check"),
        ({"mem_limit": None}, "no memory limit"),
        ({"pids_limit": 0}, "no process limit"),
        ({"cpus": 0}, "no CPU limit"),
        ({"logging": {}}, "logs grow without bound"),
        ({"ports": ["8086:8086"]}, "a port beyond loopback"),
        ({"networks": []}, "no network of its own"),
        ({"depends_on": ["mosquitto"]}, "starts before what it needs is healthy"),
        ({"environment": {"GF_SECURITY_ADMIN_PASSWORD": "admin"}}, "a literal secret"),
        ({"environment": ["TWIN_MQTT_URL=mqtt://a:b@host"]}, "a literal secret"),
        (
            {"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]},
            "a mount of the engine or of the host's system",
        ),
        ({"volumes": ["./deploy:/deploy"]}, "a host directory that it can write"),
        ({"secrets": ["unheard_of"]}, "a secret that is not declared"),
        ({"group_add": []}, "secrets without the group that reads them"),
    ],
)
def test_the_policy_sees_each_fault(change: Json, rule: str) -> None:
    spoiled = compose()["services"]["influxdb"] | change
    assert rule in violations("influxdb", spoiled, compose())


def test_users_are_those_of_the_images() -> None:
    given = {name: row["user"].split(":")[0] for name, row in compose()["services"].items()}
    assert given == IMAGE_USERS


def test_only_the_console_and_grafana_have_ports_and_only_they_leave_the_inner_networks() -> None:
    services, networks = compose()["services"], compose()["networks"]
    inner = {name for name, row in networks.items() if row and row.get("internal")}
    assert inner == {"bus", "store", "alerts"}
    for name, service in services.items():
        ports = {port.rsplit(":", 1)[1] for port in service.get("ports", [])}
        assert ports == ({PUBLISHED[name]} if name in PUBLISHED else set())
        assert (set(service["networks"]) <= inner) is (name not in PUBLISHED)
    assert services["influxdb"]["networks"] == ["store"]
    assert "store" not in services["simulate"]["networks"]


def test_each_secret_is_made_by_make_secrets_and_goes_only_where_it_is_needed() -> None:
    document = compose()
    files = {name: Path(row["file"]) for name, row in document["secrets"].items()}
    made = {
        *make_secrets.FIRST_START_SECRETS,
        *(make_secrets.broker_secret(user) for user in make_secrets.BROKER_USERS),
        *make_secrets.BROKER_FILES,
        make_secrets.CONSOLE_TOKEN,
    }
    assert {str(path.parent) for path in files.values()} == {"secrets"}
    assert {path.name for path in files.values()} <= made
    holders: dict[str, set[str]] = {}
    for name, service in document["services"].items():
        for secret in service.get("secrets", []):
            holders.setdefault(secret, set()).add(name)
    assert holders.keys() == files.keys()
    assert holders["influx_admin_token"] == {"influxdb", "setup"}
    assert holders["grafana_admin_password"] == {"grafana", "provision"}
    for name in ("simulate", "ingest", "watch", "console"):
        assert holders[f"mqtt_{name}_password"] == {name}
    assert holders["mqtt_ca"] == {"mosquitto", "simulate", "ingest", "watch", "console"}
    assert holders["mqtt_server_key"] == {"mosquitto"}
    assert holders["console_token"] == {"console"}
    assert "mqtt_ca_key" not in holders


def test_every_service_speaks_tls_to_the_broker_and_checks_who_it_is() -> None:
    for name in ("simulate", "ingest", "watch", "console"):
        given = environment(compose()["services"][name])
        assert given["TWIN_MQTT_URL"] == f"mqtts://mosquitto:{make_secrets.BROKER_PORT}"
        assert given["TWIN_MQTT_CA_FILE"] == "/run/secrets/mqtt_ca"
        assert given["TWIN_MQTT_PROTOCOL"] == "5"
    assert "mosquitto" in make_secrets.BROKER_NAMES
    assert compose()["services"]["mosquitto"]["command"] == [
        "mosquitto", "-c", f"/run/secrets/{make_secrets.CONFIGURATION}",
    ]  # fmt: skip


def test_every_path_of_a_secret_is_mounted() -> None:
    for name, service in compose()["services"].items():
        for key, value in environment(service).items():
            if value.startswith("/run/secrets/"):
                has_broker = "TWIN_MQTT_USERNAME" in environment(service)
                if not key.startswith("TWIN_MQTT_") or has_broker:
                    assert value.removeprefix("/run/secrets/") in service["secrets"], (name, key)
            if value.startswith("/run/twin-tokens/"):
                assert any(source == "tokens" for source, _ in _mounts(service)), (name, key)


def test_the_tokens_can_be_written_by_setup_only() -> None:
    writers = {
        name
        for name, service in compose()["services"].items()
        for source, fixed in _mounts(service)
        if source == "tokens" and not fixed
    }
    assert writers == {"setup"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_variable_of_our_services_is_a_setting(name: str) -> None:
    fields = [*Settings.model_fields, *GrafanaSettings.model_fields]
    known = {f"TWIN_{key.upper()}" for key in fields}
    given = environment(compose()["services"][name])
    assert given.keys() <= known
    assert {"TWIN_MQTT_URL", "TWIN_INFLUX_URL", "TWIN_SCENARIO"} <= given.keys()


@pytest.mark.parametrize("name", ["simulate", "ingest", "watch", "console"])
def test_our_health_checks_ask_the_address_that_the_service_is_told_to_serve(name: str) -> None:
    service = compose()["services"][name]
    listen = environment(service)["TWIN_HEALTH_LISTEN"]
    assert service["healthcheck"]["test"] == [
        "CMD", "twin", "health", "--url", f"http://{listen}/healthz",
    ]  # fmt: skip
    assert service["command"] == [name]


def test_files_that_are_mounted_exist() -> None:
    for name, service in compose()["services"].items():
        for source, _ in _mounts(service):
            if source.startswith("."):
                assert (ROOT / source).exists(), (name, source)
        for file in service.get("env_file", []):
            assert (ROOT / file).exists(), (name, file)


def test_the_cache_of_the_store_fits_into_its_container() -> None:
    text = (ROOT / "deploy" / "influxdb" / "influxdb.env").read_text()
    values = dict(line.split("=") for line in text.splitlines() if "=" in line and line[0] != "#")
    limit_bytes = int(compose()["services"]["influxdb"]["mem_limit"].removesuffix("g")) * 2**30
    cache_bytes = int(values["INFLUXD_STORAGE_CACHE_MAX_MEMORY_SIZE"])
    assert int(values["INFLUXD_STORAGE_CACHE_SNAPSHOT_MEMORY_SIZE"]) < cache_bytes < limit_bytes
    heap_bytes = int(values["GOMEMLIMIT"].removesuffix("GiB")) * 2**30
    assert cache_bytes < heap_bytes < limit_bytes


def test_grafana_finds_the_store_and_opens_on_the_fleet() -> None:
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "twin.yaml").read_text())["datasources"]
    assert {"type": source["type"], "uid": source["uid"]} == DATASOURCE
    ours = environment(compose()["services"]["ingest"])
    assert source["url"] == ours["TWIN_INFLUX_URL"]
    # Grafana 9 reads the first, newer ones the second.
    assert source["database"] == ours["TWIN_INFLUX_DATABASE"]
    assert source["jsonData"]["dbName"] == ours["TWIN_INFLUX_DATABASE"]
    assert source["jsonData"]["httpHeaderName1"] == "Authorization"
    grafana = compose()["services"]["grafana"]
    token = re.fullmatch(r"Token \$__file\{(.+)\}", source["secureJsonData"]["httpHeaderValue1"])
    assert token
    assert token[1] == environment(compose()["services"]["console"])["TWIN_INFLUX_TOKEN_FILE"]
    (provider,) = yaml.safe_load((folder / "dashboards" / "twin.yaml").read_text())["providers"]
    assert provider["allowUiUpdates"] is False
    path = provider["options"]["path"]
    assert f"./dashboards/grafana:{path}:ro" in grafana["volumes"]
    home = environment(grafana)["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home in {f"{path}/{name}" for name in rendered()}


def test_strangers_may_look_at_grafana_but_only_from_this_machine() -> None:
    grafana = compose()["services"]["grafana"]
    given = environment(grafana)
    assert given["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert given["GF_SERVER_ENFORCE_DOMAIN"] == "true"
    assert all(port.startswith("127.0.0.1:") for port in grafana["ports"])


def test_no_secret_value_in_any_deployment_file() -> None:
    """Long text that mixes cases and digits, as tokens do, in what is committed."""
    random_text = re.compile(r"(?=\w*[a-z])(?=\w*[A-Z])(?=\w*[0-9])[A-Za-z0-9_-]{32,}")
    folders = [ROOT / "deploy", ROOT / "scripts"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert random_text.search(f"token: {secrets.token_hex(24)}Zz9")
    for path in [COMPOSE_FILE, ROOT / "Dockerfile", *files]:
        if path == LOCK_FILE or "__pycache__" in path.parts:
            continue
        assert random_text.findall(path.read_text()) == [], path
