"""deploy/kubernetes: valid by Kubernetes' own schema, and every rule of the policy for every pod.

No cluster runs here. NATS is asked itself whether it takes its configuration, and whether an
ingester's rights in it are enough for its work and for nothing else.
"""

import asyncio
import copy
import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from deployment import ROOT
from servers import LOOPBACK, _end_group, _start, free_port

from services.embedded_broker import nats_server
from services.jetstream import StreamConnection, _client
from services.mqtt import LostConnectionError, connect
from services.nats_config import CLUSTER_USERS, cluster_conf
from services.settings import Settings, load_settings
from services.topics import Topics

FOLDER = ROOT / "deploy" / "kubernetes"
VERSION = "1.31"
WORKLOADS = {"StatefulSet", "Deployment"}
Json = dict[str, Any]


@cache
def documents() -> list[Json]:
    files = sorted(FOLDER.glob("*.yaml"))
    return [one for path in files for one in yaml.safe_load_all(path.read_text()) if one]


def workloads() -> dict[str, Json]:
    return {one["metadata"]["name"]: one for one in documents() if one["kind"] in WORKLOADS}


def containers(pod: Json) -> Iterator[Json]:
    yield from pod.get("initContainers", [])
    yield from pod["containers"]


def violations(workload: Json) -> list[str]:
    """Rules of the policy that a workload breaks, in words."""
    pod = workload["spec"]["template"]["spec"]
    whole = pod.get("securityContext", {})
    broken = {
        "runs as root": whole.get("runAsNonRoot") is not True or not whole.get("runAsUser"),
        "no seccomp profile": whole.get("seccompProfile") != {"type": "RuntimeDefault"},
        "a token of the cluster in the pod": pod.get("automountServiceAccountToken") is not False,
        "in a namespace of the host": bool({"hostNetwork", "hostPID", "hostIPC"} & pod.keys()),
        "a directory of the host": any("hostPath" in volume for volume in pod.get("volumes", [])),
        "others may read a secret": any(
            _mode(volume) & 0o037 for volume in pod.get("volumes", []) if _is_secret(volume)
        ),
    }
    for one in containers(pod):
        own = one.get("securityContext", {})
        resources = one.get("resources", {})
        broken |= {
            "no image tag, or a floating one": not re.search(r":[^:]*\d", one["image"]),
            "root file system is writable": own.get("readOnlyRootFilesystem") is not True,
            "may gain privileges": own.get("allowPrivilegeEscalation") is not False,
            "keeps capabilities": own.get("capabilities") != {"drop": ["ALL"]},
            "privileged": bool(own.get("privileged")),
            "a probe is missing": not {"startupProbe", "livenessProbe", "readinessProbe"}
            <= one.keys(),
            "readiness decides about life": one.get("livenessProbe", {})
            .get("httpGet", {})
            .get("path")
            == "/readyz",
            "no limits": not {"cpu", "memory"} <= resources.get("limits", {}).keys(),
            "memory may be overcommitted": resources.get("limits", {}).get("memory")
            != resources.get("requests", {}).get("memory"),
            "a literal secret": any(
                re.search(r"PASSWORD|TOKEN", env["name"])
                and "value" in env
                and not env["name"].endswith("_FILE")
                for env in one.get("env", [])
            ),
        }
    return sorted(rule for rule, is_broken in broken.items() if is_broken)


def _is_secret(volume: Json) -> bool:
    return "secret" in volume or "projected" in volume


def _mode(volume: Json) -> int:
    source = volume.get("secret") or volume["projected"]
    return int(source.get("defaultMode", 0o644))


@pytest.mark.parametrize("index", range(len(documents())))
def test_every_manifest_is_valid_by_the_schema(index: int) -> None:
    import kubernetes_validate  # a second: not for every worker that looks which tests there are

    document = documents()[index]
    kubernetes_validate.validate(document, VERSION, strict=True)
    expected = {"Namespace": None}.get(document["kind"], "orbital-twin")
    assert document["metadata"].get("namespace") == expected


def test_the_schema_refuses_what_is_wrong() -> None:
    import kubernetes_validate

    wrong = copy.deepcopy(workloads()["ingest"])
    wrong["spec"]["template"]["spec"]["containers"][0]["imagePolicy"] = "x"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


@pytest.mark.parametrize("name", sorted(workloads()))
def test_every_workload_keeps_the_policy(name: str) -> None:
    assert violations(workloads()[name]) == []


def _container(workload: Json) -> Json:
    found: Json = workload["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize(
    ("rule", "harm"),
    [
        ("runs as root", lambda w: w["spec"]["template"]["spec"]
         ["securityContext"].pop("runAsUser")),
        ("others may read a secret", lambda w: w["spec"]["template"]["spec"]["volumes"][-1]
         ["projected"].update(defaultMode=0o444)),
        ("root file system is writable",
         lambda w: _container(w)["securityContext"].pop("readOnlyRootFilesystem")),
        ("keeps capabilities", lambda w: _container(w)["securityContext"].pop("capabilities")),
        ("a probe is missing", lambda w: _container(w).pop("startupProbe")),
        ("no limits", lambda w: _container(w)["resources"]["limits"].pop("cpu")),
        ("a literal secret", lambda w: _container(w)["env"].append(
            {"name": "TWIN_MQTT_PASSWORD", "value": "x"})),
        ("no image tag, or a floating one", lambda w: _container(w).update(image="a:latest")),
    ],
)  # fmt: skip
def test_the_policy_sees_each_kind_of_damage(rule: str, harm: Any) -> None:
    workload = copy.deepcopy(workloads()["ingest"])
    harm(workload)
    assert rule in violations(workload)


def test_variables_are_settings_and_files_are_mounted() -> None:
    known = {f"TWIN_{key.upper()}" for key in Settings.model_fields}
    (shared,) = [one for one in documents() if one["metadata"]["name"] == "twin"]
    assert shared["data"].keys() <= known
    for name in ("simulate", "ingest", "watch", "console"):
        pod = workloads()[name]["spec"]["template"]["spec"]
        (one,) = pod["containers"]
        given = {env["name"]: env.get("value", "") for env in one["env"]} | shared["data"]
        assert {key for key in given if key.startswith("TWIN_")} <= known
        (secrets,) = [v["projected"]["sources"] for v in pod["volumes"] if v["name"] == "secrets"]
        files = {item["path"] for source in secrets for item in source["secret"]["items"]}
        wanted = {v for v in given.values() if v.startswith("/run/twin-secrets/")}
        assert wanted == {f"/run/twin-secrets/{file}" for file in files}
        assert one["args"][0] == name
        assert given["TWIN_MQTT_USERNAME"] in {user.name for user in CLUSTER_USERS}
    assert {v["name"] for v in _container(workloads()["nats"])["env"]} == {
        "NATS_SERVER_NAME", *(f"{user.name.upper()}_PASSWORD" for user in CLUSTER_USERS),
    }  # fmt: skip


def test_every_simulator_has_its_part_and_there_are_as_many_pods_as_parts() -> None:
    simulate = workloads()["simulate"]
    index, _, count = _container(simulate)["args"][-1].partition("/")
    assert (index, int(count)) == ("$(POD_INDEX)", simulate["spec"]["replicas"])
    assert "'apps.kubernetes.io/pod-index'" in str(_container(simulate)["env"][0]["valueFrom"])


def test_nothing_is_reachable_but_what_is_written() -> None:
    policies = [one for one in documents() if one["kind"] == "NetworkPolicy"]
    (shut,) = [one["spec"] for one in policies if one["metadata"]["name"] == "nothing"]
    assert shut == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for one in policies:
        for rule in one["spec"].get("ingress", []) + one["spec"].get("egress", []):
            assert rule.get("from") or rule.get("to"), one["metadata"]["name"]
            assert rule["ports"], one["metadata"]["name"]
    ports = {port["containerPort"] for port in _container(workloads()["nats"])["ports"]}
    named = {
        p["port"] for one in policies for r in one["spec"].get("ingress", []) for p in r["ports"]
    }
    assert named <= ports
    services = {one["metadata"]["name"] for one in documents() if one["kind"] == "Service"}
    governing = {
        w["spec"]["serviceName"] for w in workloads().values() if "serviceName" in w["spec"]
    }
    assert governing <= services


def test_a_server_takes_the_configuration(tmp_path: Path) -> None:
    (made,) = [one for one in documents() if one["metadata"]["name"] == "nats" and "data" in one]
    text = made["data"]["nats.conf"].replace("/etc/nats-tls", str(tmp_path))
    _certificate(tmp_path)
    (tmp_path / "nats.conf").write_text(text)
    variables = {f"{user.name.upper()}_PASSWORD": "p0123456789abcdef" for user in CLUSTER_USERS}
    command = (str(nats_server()), "-t", "-c", str(tmp_path / "nats.conf"))
    done = subprocess.run(
        command, env=os.environ | variables | {"NATS_SERVER_NAME": "nats-0"},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    without = subprocess.run(command, env={}, capture_output=True, timeout=30, check=False)
    assert without.returncode != 0  # no server starts without its passwords


def _certificate(folder: Path) -> None:
    from services.certificates import new_authority, new_server

    pair = new_server(new_authority(), ("nats",))
    (folder / "tls.crt").write_text(pair.certificate)
    (folder / "tls.key").write_text(pair.key)


async def test_an_ingesters_rights_are_enough_for_its_work_and_for_nothing_else(
    tmp_path: Path,
) -> None:
    client, mqtt = free_port(), free_port()
    passwords = {user.name: f"p-{user.name}-0123456789" for user in CLUSTER_USERS}
    text = cluster_conf(
        passwords, client=f"{LOOPBACK}:{client}", mqtt=f"{LOOPBACK}:{mqtt}", store=str(tmp_path)
    ).replace("$NATS_SERVER_NAME", "one")
    (tmp_path / "nats.conf").write_text(text)
    command = (str(nats_server()), "-c", str(tmp_path / "nats.conf"))
    process, lines, ready = _start(command, tmp_path, re.compile("Server is ready"))
    assert ready, "".join(lines)

    def settings_of(user: str) -> Settings:
        return load_settings(
            mqtt_url=f"mqtt://{LOOPBACK}:{mqtt}", mqtt_username=user, mqtt_password=passwords[user],
            nats_url=f"nats://{LOOPBACK}:{client}", nats_replicas=1, nats_stream_gb=0.1,
        )  # fmt: skip

    try:
        ours = settings_of("ingest")
        stream = await _client(ours.nats_url or "", ours, "ingest-0")
        async with (
            connect(ours, "ingest-0", None) as both,
            connect(settings_of("simulate"), "simulate-0", None) as simulate,
        ):
            ingest = StreamConnection(both, stream, ours)
            await ingest.subscribe("$share/ingest/fleet/v1/+/tlm/+", Topics().stored())
            await simulate.publish(Topics("f").telemetry("s0000"), b"batch")
            await ingest.publish(Topics("f").watermark("s0000"), b"mark", retain=True)
            await ingest.publish(Topics("f").stored("s0000"), b"note")
            async with asyncio.timeout(20.0):
                found = set()
                async for message in ingest.messages():
                    message.acknowledge()
                    found.add((message.topic, message.payload))
                    if len(found) == 2:
                        break
            assert found == {
                (Topics("f").telemetry("s0000"), b"batch"),
                (Topics("f").stored("s0000"), b"note"),
            }
        await stream.close()
        theirs = settings_of("simulate")
        stranger = await _client(theirs.nats_url or "", theirs, "simulate-0")
        async with connect(theirs, "simulate-1", None) as mqtt_alone:
            thief = StreamConnection(mqtt_alone, stranger, theirs)
            with pytest.raises(LostConnectionError):
                await thief.subscribe("$share/ingest/fleet/v1/+/tlm/+")
        await stranger.close()
    finally:
        _end_group(process)
