"""The shipped broker with generated secrets, and clients that wait instead of sleeping."""

import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as mqtt
from deployment import script
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode
from servers import MosquittoServer, mosquitto_server

from services.broker_access import BrokerUser, access_file
from services.secret_files import mosquitto_hash

make_secrets = script("make_secrets")
WAIT_S = 60.0
JUDGE = "judge"
JUDGE_PASSWORD = "a judge exists only in this test"
# Only for the tests: somebody who sees all, and a lane on which each user hears its fence.
JUDGE_ACL = f"\nuser {JUDGE}\ntopic readwrite #\ntopic read $SYS/#\n\npattern read fence/%u\n"


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

    def publish_all(self, messages: Sequence[tuple[str, bytes]], *, retain: bool = False) -> None:
        """At QoS 1, all on the way at once, until the broker has answered the last."""
        sent = [self.mqtt.publish(topic, body, 1, retain) for topic, body in messages]
        for info in sent:
            info.wait_for_publish(WAIT_S)

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
    user: str | None,
    password: str | None,
    protocol: int,
    client_id: str = "",
    authority: Path | None = None,
) -> Client:
    """A client that is not connected yet; `authority` makes it speak TLS."""
    inner = mqtt.Client(
        CallbackAPIVersion.VERSION2, client_id, protocol=protocol, reconnect_on_failure=False
    )
    inner.max_inflight_messages_set(1000)
    if user is not None:
        inner.username_pw_set(user, password)
    if authority is not None:
        inner.tls_set(str(authority))
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


@dataclass
class Broker:
    """A running broker, its users and the passwords that open it."""

    server: MosquittoServer
    users: tuple[BrokerUser, ...]
    passwords: dict[str, str]
    secrets: Path

    @property
    def url(self) -> str:
        """The broker's address as our services take it."""
        return f"mqtts://{self.server.host}:{self.server.port}"

    @property
    def authority(self) -> Path:
        """Certificate of the authority that signed the broker's."""
        return self.secrets / "mqtt_ca"

    def client(self, user: str, protocol: int = mqtt.MQTTv311, client_id: str = "") -> Client:
        """A client with a user's own password."""
        return make_client(user, self.passwords[user], protocol, client_id, self.authority)


def relocated_conf(home: Path, secrets: Path) -> str:
    """The generated configuration with the container's paths replaced by ours."""
    text = (secrets / make_secrets.CONFIGURATION).read_text()
    replaced = {
        f"{make_secrets.MOUNT}/{name}": secrets / name for name in make_secrets.BROKER_FILES
    }
    replaced |= {
        f"{make_secrets.MOUNT}/{make_secrets.PASSWORD_FILE}": home / "passwd",
        f"{make_secrets.MOUNT}/{make_secrets.ACCESS_FILE}": home / "acl",
        "/mosquitto/data": home / "data",
    }
    rows = []
    for row in text.splitlines():
        key, _, value = row.partition(" ")
        path = value.rstrip("/")
        rows.append(f"{key} {replaced[path]}{value[len(path) :]}" if path in replaced else row)
    assert make_secrets.MOUNT not in "\n".join(rows)
    return "\n".join(rows) + "\n"


@contextmanager
def shipped_broker(
    home: Path, *, parts: int = 0, guests: Sequence[BrokerUser] = ()
) -> Iterator[Broker]:
    """The broker of the compose file, its paths below `home`, and a judge who sees all.

    `parts` simulators beside the one, and `guests`: users made from the table's functions.
    """
    secrets = home / "secrets"
    make_secrets.make_secrets(secrets, home / ".env", parts=parts)
    users = (*make_secrets.users_of(secrets), *guests)
    passwords = {
        user.name: (secrets / make_secrets.broker_secret(user.name)).read_text().strip()
        for user in make_secrets.users_of(secrets)
    }
    extra = {user.name: f"the password of {user.name}, long enough" for user in guests}
    extra[JUDGE] = JUDGE_PASSWORD
    lines = "".join(
        f"{name}:{mosquitto_hash(password, b'123456789012')}\n" for name, password in extra.items()
    )
    (home / "passwd").write_text((secrets / make_secrets.PASSWORD_FILE).read_text() + lines)
    (home / "acl").write_text(access_file(users) + JUDGE_ACL)
    (home / "data").mkdir()
    with mosquitto_server(relocated_conf(home, secrets)) as server:
        yield Broker(server, users, passwords | extra, secrets)
