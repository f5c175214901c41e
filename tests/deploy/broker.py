"""The shipped broker with generated passwords, and clients that wait instead of sleeping."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as mqtt
from deployment import ROOT, script
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode
from servers import MosquittoServer, mosquitto_server

make_secrets = script("make_secrets")
BROKER = ROOT / "deploy" / "mosquitto"
WAIT_S = 60.0
JUDGE = "judge"
JUDGE_PASSWORD = "a judge exists only in this test"
# Only for the tests: somebody who sees all, and a lane on which each user hears its fence.
JUDGE_ACL = f"\nuser {JUDGE}\ntopic readwrite #\n\npattern read fence/%u\n"


@dataclass
class Broker:
    """A running broker with the passwords that open it."""

    server: MosquittoServer
    passwords: dict[str, str]
    secrets: Path


@contextmanager
def shipped_broker(home: Path) -> Iterator[Broker]:
    """The broker of the compose file, its paths below `home`, and a judge who sees all."""
    make_secrets.make_secrets(home / "secrets", home / ".env")
    passwords = {
        user: (home / "secrets" / make_secrets.broker_secret(user)).read_text().strip()
        for user in make_secrets.BROKER_USERS
    } | {JUDGE: JUDGE_PASSWORD}
    shipped = (home / "secrets" / "mosquitto_passwd").read_text()
    judge = make_secrets.mosquitto_hash(JUDGE_PASSWORD, b"123456789012")
    (home / "passwd").write_text(f"{shipped}{JUDGE}:{judge}\n")
    (home / "acl").write_text((BROKER / "acl").read_text() + JUDGE_ACL)
    (home / "data").mkdir()
    text = (BROKER / "mosquitto.conf").read_text()
    for shipped_path, own in (
        ("/run/secrets/mosquitto_passwd", home / "passwd"),
        ("/mosquitto/config/acl", home / "acl"),
        ("/mosquitto/data/", f"{home / 'data'}/"),
    ):
        assert text.count(shipped_path) == 1
        text = text.replace(shipped_path, str(own))
    with mosquitto_server(text) as server:
        yield Broker(server, passwords, home / "secrets")


@dataclass
class Client:
    """A paho client whose received messages and answers to CONNECT can be waited for."""

    mqtt: mqtt.Client
    received: "queue.Queue[tuple[str, bytes]]" = field(default_factory=queue.Queue)
    connected: "queue.Queue[ReasonCode]" = field(default_factory=queue.Queue)
    lost: "queue.Queue[ReasonCode]" = field(default_factory=queue.Queue)
    subscribed: "queue.Queue[int]" = field(default_factory=queue.Queue)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """At QoS 1, until the broker has answered."""
        self.mqtt.publish(topic, payload, 1, retain).wait_for_publish(WAIT_S)

    def subscribe(self, *topics: str) -> None:
        """Until the broker has answered."""
        self.mqtt.subscribe([(topic, 1) for topic in topics])
        self.subscribed.get(timeout=WAIT_S)

    def until(self, topic: str, payload: bytes) -> list[tuple[str, bytes]]:
        """Everything that came before this message."""
        seen = []
        while (message := self.received.get(timeout=WAIT_S)) != (topic, payload):
            seen.append(message)
        return seen


def make_client(
    user: str | None, password: str | None, protocol: int, client_id: str = ""
) -> Client:
    inner = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=protocol)
    if user is not None:
        inner.username_pw_set(user, password)
    client = Client(inner)
    inner.on_message = lambda _c, _u, message: client.received.put((message.topic, message.payload))
    inner.on_connect = lambda _c, _u, _f, reason, _p: client.connected.put(reason)
    inner.on_disconnect = lambda _c, _u, _f, reason, _p: client.lost.put(reason)
    inner.on_subscribe = lambda _c, _u, number, _r, _p: client.subscribed.put(number)
    return client


@contextmanager
def session(client: Client, server: MosquittoServer) -> Iterator[ReasonCode]:
    """Connect, give the broker's answer, and disconnect at the end."""
    client.mqtt.connect(server.host, server.port)
    client.mqtt.loop_start()
    try:
        yield client.connected.get(timeout=WAIT_S)
    finally:
        client.mqtt.disconnect()
        client.mqtt.loop_stop()
