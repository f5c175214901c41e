"""The shipped broker configuration on a real mosquitto: who can log in, who can do what.

A broker answers a forbidden SUBSCRIBE with "granted" and a forbidden PUBLISH (3.1.1) with a
plain PUBACK, so every cell is judged by what is delivered. No cell waits for silence: a fence
message, sent after the probes through the same broker, closes the book.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import paho.mqtt.client as mqtt
import pytest
from broker import (
    JUDGE,
    JUDGE_PASSWORD,
    WAIT_S,
    Broker,
    Client,
    make_client,
    make_secrets,
    session,
    shipped_broker,
)
from deployment import compose
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

PROTOCOLS = {"3.1.1": mqtt.MQTTv311, "5": mqtt.MQTTv5}

F = "fleet/v1/flown-2026"
SERVICES = {f"{F}/service/{name}" for name in ("simulate", "ingest-1", "console")}
TOPICS = {
    f"{F}/tlm/0", f"{F}/tlm/0/deeper", f"{F}/state/Sat1", f"{F}/cmd/all", f"{F}/cmd/Sat1",
    f"{F}/event", f"{F}/event/deeper", f"{F}/wm/0", f"{F}/service/intruder", "elsewhere",
    "fleet/v2/flown-2026/tlm/0", "$SYS/broker/version", *SERVICES,
}  # fmt: skip
MAY_PUBLISH = {
    "simulate": {f"{F}/tlm/0", f"{F}/state/Sat1", f"{F}/event", f"{F}/service/simulate"},
    "ingest": {f"{F}/wm/0", f"{F}/service/ingest-1"},
    "console": {f"{F}/service/console"},
    "drill": {f"{F}/cmd/all", f"{F}/cmd/Sat1"},
    "health": set(),
}
MAY_READ = {
    "simulate": {f"{F}/cmd/all", f"{F}/cmd/Sat1", f"{F}/wm/0"},
    "ingest": {f"{F}/tlm/0"},
    "console": {f"{F}/tlm/0", f"{F}/state/Sat1", f"{F}/event"}
    | SERVICES
    | {f"{F}/service/intruder"},
    "drill": {f"{F}/event", f"{F}/service/intruder"} | SERVICES,
    "health": set(),
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with shipped_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@contextmanager
def everybody(broker: Broker, protocol: int) -> Iterator[dict[str, Client]]:
    """Every user logged in."""
    with ExitStack() as stack:
        clients = {}
        for user, password in broker.passwords.items():
            client = make_client(user, password, protocol)
            assert stack.enter_context(session(client, broker.server)) == 0
            clients[user] = client
        yield clients


def test_the_declared_table_names_every_user() -> None:
    assert MAY_READ.keys() == MAY_PUBLISH.keys() == set(make_secrets.BROKER_USERS)
    declared = set().union(*MAY_READ.values(), *MAY_PUBLISH.values())
    assert declared < TOPICS


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
@pytest.mark.parametrize("retain", [False, True], ids=["live", "retained"])
def test_each_user_publishes_exactly_what_the_table_says(
    broker: Broker, protocol: int, retain: bool
) -> None:
    with everybody(broker, protocol) as clients:
        judge = clients[JUDGE]
        judge.subscribe("#", "$SYS/broker/version")
        for user in MAY_PUBLISH:
            for topic in TOPICS:
                clients[user].publish(topic, f"{user} was here".encode(), retain=retain)
        judge.publish("fence/judge", b"end")
        seen = judge.until("fence/judge", b"end")
        for topic in TOPICS - {"$SYS/broker/version"}:
            judge.publish(topic, b"", retain=True)  # leave no retained message behind
    for user, allowed in MAY_PUBLISH.items():
        assert {topic for topic, body in seen if body == f"{user} was here".encode()} == allowed


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
@pytest.mark.parametrize("wide", [False, True], ids=["exact", "wildcard"])
def test_each_user_hears_exactly_what_the_table_says(
    broker: Broker, protocol: int, wide: bool
) -> None:
    with everybody(broker, protocol) as clients:
        for user in MAY_READ:
            filters = ("#", "$SYS/#") if wide else (*TOPICS, f"fence/{user}")
            clients[user].subscribe(*filters)
        for topic in TOPICS:
            clients[JUDGE].publish(topic, b"probe")
        for user, allowed in MAY_READ.items():
            clients[JUDGE].publish(f"fence/{user}", b"end")
            seen = clients[user].until(f"fence/{user}", b"end")
            assert {topic for topic, body in seen if body == b"probe"} == allowed, user
            system = {topic for topic, _ in seen if topic.startswith("$SYS")}
            assert system <= ({"$SYS/broker/uptime"} if user == "health" else set()), user


@pytest.mark.parametrize("user", [name for name in MAY_PUBLISH if name != "simulate"])
def test_a_forged_last_will_is_not_delivered(broker: Broker, user: str) -> None:
    """Version 5 can ask for its will on leaving; the next login proves that it was handled."""
    topic = f"{F}/service/simulate"
    with session(judge := make_client(JUDGE, JUDGE_PASSWORD, mqtt.MQTTv5), broker.server):
        judge.subscribe(topic, "fence/judge")
        for name, expected in ((user, []), ("simulate", [(topic, b"gone")])):
            leaver = make_client(name, broker.passwords[name], mqtt.MQTTv5)
            leaver.mqtt.will_set(topic, b"gone", 1)
            with session(leaver, broker.server):
                with_will = ReasonCode(14, identifier=4)  # DISCONNECT: with will message
                leaver.mqtt.disconnect(with_will, Properties(14))
                leaver.lost.get(timeout=WAIT_S)
            again = make_client(name, broker.passwords[name], mqtt.MQTTv5)
            with session(again, broker.server) as reason:
                assert reason == 0
            judge.publish("fence/judge", name.encode())
            assert judge.until("fence/judge", name.encode()) == expected


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
@pytest.mark.parametrize(
    ("user", "password"),
    [
        (None, None),
        ("ingest", None),
        ("ingest", "wrong password of a good length, 32+"),
        ("intruder", "wrong password of a good length, 32+"),
        ("", ""),
    ],
)
def test_no_login_without_the_password(
    broker: Broker, protocol: int, user: str | None, password: str | None
) -> None:
    with session(make_client(user, password, protocol), broker.server) as reason:
        assert reason.is_failure


def test_one_users_password_does_not_open_anothers_account(broker: Broker) -> None:
    stranger = make_client("ingest", broker.passwords["console"], mqtt.MQTTv311)
    with session(stranger, broker.server) as reason:
        assert reason.is_failure


def test_a_borrowed_client_identifier_does_not_take_a_session_over(broker: Broker) -> None:
    ingest = make_client("ingest", broker.passwords["ingest"], mqtt.MQTTv311, "ingest-1")
    thief = make_client("console", broker.passwords["console"], mqtt.MQTTv311, "ingest-1")
    judge = make_client(JUDGE, JUDGE_PASSWORD, mqtt.MQTTv311)
    with ExitStack() as stack:
        for client in (ingest, judge):
            assert stack.enter_context(session(client, broker.server)) == 0
        ingest.subscribe("fence/ingest")
        assert stack.enter_context(session(thief, broker.server)) == 0
        judge.publish("fence/ingest", b"still here")
        assert ingest.until("fence/ingest", b"still here") == []
        assert ingest.lost.empty()


def test_the_health_check_logs_in_with_the_generated_options(broker: Broker) -> None:
    """The compose file's own command, only the port changed."""
    if shutil.which("mosquitto_sub") is None:
        pytest.skip("mosquitto_sub is not installed (Debian package mosquitto-clients)")
    service = compose()["services"]["mosquitto"]
    kind, *command = service["healthcheck"]["test"]
    assert kind == "CMD"
    command = [word.replace("$$", "$") for word in command]
    command += ["-p", str(broker.server.port)]
    assert service["environment"]["XDG_CONFIG_HOME"] == "/run/secrets"
    variables = dict(os.environ) | {"XDG_CONFIG_HOME": str(broker.secrets)}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "seconds" in done.stdout
    variables["XDG_CONFIG_HOME"] = "/nonexistent"
    refused = subprocess.run(command, env=variables, capture_output=True, check=False)
    assert refused.returncode != 0
