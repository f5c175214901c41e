"""The broker of `twin up`, either kind: each user does what the table says, and no stranger does.

No judge who sees everything exists here, so the users judge each other: every lane has one who
may hear it.
"""

import queue
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from broker import WAIT_S, Client, make_client, session
from servers import free_port

from services.broker_access import EMBEDDED_USERS, BrokerUser
from services.embedded_broker import CREDENTIALS, embedded_broker, nats_server
from services.local_run import with_local_login
from services.settings import load_settings

F = "fleet/v1/flown-2026"
LANES = {
    f"{F}/tlm/s0000": "console",
    f"{F}/state/Sat1": "console",
    f"{F}/sat/Sat1/tlm": "ingest",
    f"{F}/lp/publisher": "ingest",
    f"{F}/part/0": "simulate",
    f"{F}/event": "console",
    f"{F}/alerts": "drill",
    f"{F}/service/simulate": "up",
    "fleet/v1/all/service/ingest-1": "up",
    "fleet/v1/all/service/watch": "up",
    f"{F}/cmd/all": "simulate",
    f"{F}/wm/s0000": "simulate",
}
"""Topic -> a user who may hear it."""
NAMES = [user.name for user in EMBEDDED_USERS]


@dataclass
class Embedded:
    """A broker as `twin up` starts it."""

    port: int
    directory: Path
    host: str = "127.0.0.1"

    def client(self, name: str) -> Client:
        """A user with the password of this run."""
        password = (self.directory / CREDENTIALS / name).read_text().strip()
        return make_client(name, password, mqtt.MQTTv311, f"{name}-1")


@pytest.fixture(scope="module", params=["mosquitto", "nats"])
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Embedded]:
    directory = tmp_path_factory.mktemp("state") / "broker"
    if request.param == "nats" and not nats_server().exists():
        pytest.skip("nats-server is not installed beside this interpreter")
    port = free_port()
    started = embedded_broker(directory, port, free_port(), request.param)
    if started.name.partition("-")[0] != request.param:
        pytest.skip("mosquitto is not installed (Debian package mosquitto)")
    process = subprocess.Popen(
        started.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until_it_answers(process, port)
        yield Embedded(port, directory)
    finally:
        process.terminate()
        process.wait(30)


def until_it_answers(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Until a connection is taken."""
    for _ in range(300):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            break
    pytest.fail("the broker did not start")


def test_each_user_publishes_and_hears_what_the_table_says(broker: Embedded) -> None:
    declared = {user.name: user for user in EMBEDDED_USERS}
    with ExitStack() as stack:
        clients = {}
        for name in NAMES:
            clients[name] = broker.client(name)
            assert stack.enter_context(session(clients[name], broker)) == 0  # type: ignore[arg-type]
        # A filter at a time: one that is refused must not take the others with it.
        for name in NAMES:
            for topic in LANES:
                clients[name].subscribe(topic)
        for name in NAMES:
            clients[name].publish_all([(topic, name.encode()) for topic in LANES])
        heard = {name: drained(clients[name], expected(declared[name])) for name in NAMES}
    for name in NAMES:
        may_hear = {t for t in LANES if matches(declared[name].reads, t)}
        assert {topic for topic, _ in heard[name]} == may_hear, name
        for topic, listener in LANES.items():
            was_heard = (topic, name.encode()) in heard[listener]
            assert was_heard is matches(declared[name].writes, topic), (name, topic)


def expected(user: BrokerUser) -> set[tuple[str, bytes]]:
    """What a user should hear by the table."""
    return {
        (topic, writer.name.encode())
        for topic in LANES
        for writer in EMBEDDED_USERS
        if matches(user.reads, topic) and matches(writer.writes, topic)
    }


def drained(client: Client, awaited: set[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """What is awaited, and what else has come by the time that the broker has answered once more.

    Its answer to a subscription comes after what it had for this client before; NATS delivers
    each filter's messages by a consumer of its own, some of them later.
    """
    client.subscribe("fleet/v1/nobody/event")
    seen: list[tuple[str, bytes]] = []
    with suppress(queue.Empty):
        while not awaited <= set(seen):
            seen.append(client.received.get(timeout=WAIT_S))
    while not client.received.empty():
        seen.append(client.received.get())
    return seen


def matches(filters: tuple[str, ...], topic: str) -> bool:
    """Whether one of the filters covers the topic."""
    return any(mqtt.topic_matches_sub(name, topic) for name in filters)


@pytest.mark.parametrize(
    ("user", "password"),
    [(None, None), ("drill", None), ("drill", "a wrong password of good length"), ("x", "y" * 40)],
)
def test_no_stranger_gets_in(broker: Embedded, user: str | None, password: str | None) -> None:
    stranger = make_client(user, password, mqtt.MQTTv311, "stranger")
    with session(stranger, broker) as reason:  # type: ignore[arg-type]
        assert reason.is_failure


def test_commands_beside_the_run_find_broker_and_log_in(
    broker: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TWIN_MQTT_URL", "TWIN_MQTT_USERNAME"):
        monkeypatch.delenv(name, raising=False)
    state_dir = broker.directory.parent
    found = with_local_login(load_settings(state_dir=state_dir), "drill")
    assert found.mqtt_port == broker.port
    assert found.mqtt_username == "drill"
    own = load_settings(state_dir=state_dir, mqtt_url=found.mqtt_url)
    assert with_local_login(own, "drill") == found
    for other in ({"mqtt_url": "mqtt://elsewhere"}, {"mqtt_username": "me"}):
        named = load_settings(state_dir=state_dir, **other)
        assert with_local_login(named, "drill") == named
    nowhere = load_settings(state_dir=state_dir / "none")
    assert with_local_login(nowhere, "drill") == nowhere
