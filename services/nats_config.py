"""Configuration of a cluster of NATS servers: MQTT in front, JetStream behind, the access table.

Rendered for the Kubernetes example by `scripts/generate.py`. Passwords and the server's name are
not in it: they are variables of the server's environment.
"""

import json
from collections.abc import Mapping, Sequence

from services.broker_access import CONSOLE, DRILL, INGEST, WATCH, BrokerUser, simulator
from services.embedded_broker import NATS_CONNECTIONS, NATS_LOGIN_S, nats_permissions
from services.jetstream import STREAM
from services.topics import Topics

COPIES_LIMIT = 3  # of NATS's own MQTT streams; more servers gain nothing
SERVICES = Topics("all").service(), Topics().service()
JETSTREAM_CALLS = (
    f"$JS.API.STREAM.CREATE.{STREAM}",
    f"$JS.API.STREAM.INFO.{STREAM}",
    f"$JS.API.CONSUMER.INFO.{STREAM}.*",
    f"$JS.API.CONSUMER.CREATE.{STREAM}.>",
    f"$JS.API.CONSUMER.DURABLE.CREATE.{STREAM}.*",
    f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.*",
    f"$JS.ACK.{STREAM}.>",
)
"""What an ingester asks of JetStream, and nothing more."""

SIMULATE = BrokerUser(
    "simulate",
    "every simulator of the run",
    writes=(*simulator().writes, Topics().service()),
    reads=simulator().reads,
)
GROUP = BrokerUser(
    "ingest",
    "every ingester of the group",
    writes=(*INGEST.writes, SERVICES[0]),
    reads=INGEST.reads,
)
CLUSTER_USERS = (SIMULATE, GROUP, WATCH, CONSOLE, DRILL)


def cluster_conf(
    passwords: Mapping[str, str],
    *,
    client: str,
    mqtt: str,
    store: str,
    routes: Sequence[str] = (),
    certificates: str = "",
) -> str:
    """The configuration of one server of the cluster.

    passwords: of each user, `$NAME` for a variable of the environment; client, mqtt: host:port to
    listen on; store: directory; routes: addresses of all servers; certificates: directory of
    tls.crt and tls.key, and then there is TLS on both ports.
    """
    tls, copies = "", ""
    if routes:
        # Else the server counts the names of its routes that resolve while it makes its streams:
        # one, if the others are not up yet, and the sessions die with that server.
        copies = f"  stream_replicas: {min(len(routes), COPIES_LIMIT)}\n"
    if certificates:
        files = {"cert_file": f"{certificates}/tls.crt", "key_file": f"{certificates}/tls.key"}
        tls = f"  tls: {json.dumps(files)}\n"
    rows = [
        "# Made by services/nats_config.py; changes here are lost.",
        "server_name: $NATS_SERVER_NAME",
        f'listen: "{client}"',
        'http: "0.0.0.0:8222"' if routes else "",
        "max_payload: 8MB",
        f"max_connections: {NATS_CONNECTIONS}",
        tls.strip(),
        "# Without `always` an acknowledged message can be lost in a power cut (Jepsen, 2025).",
        f'jetstream {{\n  store_dir: "{store}"\n  sync_interval: always\n}}',
        f'mqtt {{\n  listen: "{mqtt}"\n  max_ack_pending: 1000\n{copies}{tls}}}',
        "authorization {",
        f"  timeout: {NATS_LOGIN_S:g}",
        "  users: [",
        *(_user(user, passwords[user.name]) for user in CLUSTER_USERS),
        "  ]",
        "}",
    ]
    if routes:
        listed = "\n".join(f"    {route}" for route in routes)
        rows.append(
            f'cluster {{\n  name: twin\n  listen: "0.0.0.0:6222"\n  routes: [\n{listed}\n  ]\n}}'
        )
    return "\n".join(row for row in rows if row) + "\n"


def _user(user: BrokerUser, password: str) -> str:
    rights = nats_permissions(user)
    if user is GROUP:
        rights["publish"]["allow"] += JETSTREAM_CALLS
        rights["subscribe"]["allow"].append("_INBOX.>")
    return f"    {{user: {user.name}, password: {password}, permissions: {json.dumps(rights)}}}"
