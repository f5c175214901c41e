"""Makes the secrets of docker-compose.yml: `make secrets`, or `--rotate` for new ones.

Who can read them. Compose mounts a secret file as it is on the host, with its owner and mode,
and every container here runs as its own user (broker 1883, store 1000, Grafana 472, ours
10001), none of which owns the file. So that nobody has to be root:

    secrets/            0700, yours: no other user of this machine gets past it
    secrets/<name>      0640, yours, your primary group: readable by a process in that group
    .env                TWIN_SECRETS_GID=<that group's number>; docker-compose.yml adds this
                        group to the containers that are given a secret (`group_add`)

The engine opens the files itself, so the closed directory does not stand in its way. With an
engine that runs without root, your group is number 0 inside: set TWIN_SECRETS_GID=0 in .env.

What is made. For the broker: a password for each user, its configuration, its access file, an
authority and a server certificate (mqtt_ca is the only one of them that clients need). For the
console a token, for the store and Grafana what their first start asks for, and the token that
Grafana's webhooks bear to a drill (drill_token: TWIN_DRILL_TOKEN_FILE of `twin drill run --live
--grafana`, and of `twin provision`, which gives it to Grafana's contact point).

An existing secret is never overwritten. `--rotate` makes new broker passwords, a new authority
and a new console token, which take effect when the containers are restarted; the passwords of
the store and of Grafana and the drill's token are kept, because both copied theirs into a volume
when they first started. A certificate that ends in less than 60 days is renewed by any run.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from services.broker_access import (
    GUESTS,
    SERVER_USERS,
    BrokerUser,
    access_file,
    ingester,
    simulator,
)
from services.broker_config import BrokerPlaces, mosquitto_conf
from services.certificates import Pair, new_authority, new_server, serves
from services.secret_files import (
    GROUP_FILE,
    new_secret,
    password_file,
    password_file_fits,
    write_secret,
)

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY_MODE = 0o700
MINIMUM_CHARACTERS = 32

BROKER_USERS = tuple(user.name for user in SERVER_USERS)
CONSOLE_TOKEN = "console_token"
FIRST_START_SECRETS = (
    "influx_admin_password",
    "influx_admin_token",
    "grafana_admin_password",
    "grafana_secret_key",
    "drill_token",
)
PASSWORD_FILE = "mosquitto_passwd"
ACCESS_FILE = "mosquitto_acl"
CONFIGURATION = "mosquitto_conf"
HEALTH_OPTIONS = "mosquitto_sub"
AUTHORITY, AUTHORITY_KEY = "mqtt_ca", "mqtt_ca_key"
SERVER, SERVER_KEY = "mqtt_server", "mqtt_server_key"
BROKER_FILES = (
    PASSWORD_FILE,
    ACCESS_FILE,
    CONFIGURATION,
    HEALTH_OPTIONS,
    AUTHORITY,
    AUTHORITY_KEY,
    SERVER,
    SERVER_KEY,
)
GROUP_VARIABLE = "TWIN_SECRETS_GID"

MOUNT = "/run/secrets"  # where an engine puts secrets
BROKER_PORT = 8883
BROKER_NAMES = ("mosquitto", "localhost", "127.0.0.1")
GUEST = re.compile(r"mqtt_(satellite|publisher)\.([a-z0-9-]+)@([A-Za-z0-9_.-]+)_password")
PART = re.compile(r"mqtt_(simulate-\d+of\d+)_password")
INGESTER = re.compile(r"mqtt_ingest-(\d+)_password")


class WeakSecretError(Exception):
    """A secret file that exists but must not be used."""


def broker_secret(user: str) -> str:
    """File name of a broker user's password."""
    return f"mqtt_{user}_password"


def users_of(directory: Path, parts: int = 0, ingesters: int = 1) -> tuple[BrokerUser, ...]:
    """The fixed users, and those of parts and ingesters: as many as asked for, or passwords."""
    names = [f"simulate-{part}of{parts}" for part in range(parts)]
    names += [found[1] for path in directory.iterdir() if (found := PART.fullmatch(path.name))]
    numbers = set(range(2, ingesters + 1))
    numbers |= {int(m[1]) for path in directory.iterdir() if (m := INGESTER.fullmatch(path.name))}
    more = (ingester(str(number)) for number in sorted(numbers))
    return (*SERVER_USERS, *(simulator(name) for name in sorted(set(names))), *more)


def guests_of(directory: Path, asked: Sequence[str] = ()) -> dict[str, BrokerUser]:
    """Password file -> user, of the guests asked for and of those there are files of.

    asked: `satellite.NAME@FLEET` or `publisher.NAME@FLEET`. Raises WeakSecretError for another.
    """
    names = [f"mqtt_{guest}_password" for guest in asked]
    names += [path.name for path in directory.iterdir() if GUEST.fullmatch(path.name)]
    guests = {}
    for name in sorted(set(names)):
        found = GUEST.fullmatch(name)
        try:
            if found is None:
                raise ValueError("KIND.NAME@FLEET, kind satellite or publisher")
            guests[name] = GUESTS[found[1]](found[2], found[3])
        except ValueError as error:
            raise WeakSecretError(f"--guest: {name}: {error}") from None
    return guests


def ensure_secret(path: Path, *, renew: bool) -> bool:
    """Make a random secret unless there is one; True when written. Raises WeakSecretError."""
    if path.exists() and not renew:
        if len(path.read_text().strip()) < MINIMUM_CHARACTERS:
            message = f"{path}: shorter than {MINIMUM_CHARACTERS} characters; remove it"
            raise WeakSecretError(message)
        path.chmod(GROUP_FILE)
        return False
    write_secret(path, new_secret() + "\n")
    return True


def ensure_text(path: Path, text: str) -> bool:
    """Write a file unless it says this already; True when written."""
    if path.exists() and path.read_text() == text:
        path.chmod(GROUP_FILE)
        return False
    write_secret(path, text)
    return True


def ensure_certificates(directory: Path, names: Sequence[str], *, renew: bool) -> list[str]:
    """The authority once, the broker's certificate when it does not fit or ends soon."""
    written = []
    authority = Pair(_text(directory / AUTHORITY), _text(directory / AUTHORITY_KEY))
    if renew or not authority.certificate or not authority.key:
        authority = new_authority()
        written += [AUTHORITY, AUTHORITY_KEY]
        write_secret(directory / AUTHORITY, authority.certificate)
        write_secret(directory / AUTHORITY_KEY, authority.key)
    shown = _text(directory / SERVER)
    key_is_there = bool(_text(directory / SERVER_KEY))
    if not key_is_there or not serves(shown, authority.certificate, names, datetime.now(UTC)):
        server = new_server(authority, names)
        written += [SERVER, SERVER_KEY]
        write_secret(directory / SERVER, server.certificate)
        write_secret(directory / SERVER_KEY, server.key)
    return written


def ensure_broker_files(directory: Path, users: Mapping[str, BrokerUser]) -> list[str]:
    """Password file, access file, configuration and the health check's options."""
    passwords = {user.name: _text(directory / name).strip() for name, user in users.items()}
    written = []
    if not password_file_fits(_text(directory / PASSWORD_FILE), passwords):
        write_secret(directory / PASSWORD_FILE, password_file(passwords))
        written.append(PASSWORD_FILE)
    places = BrokerPlaces(
        address="0.0.0.0",  # every address of its container; the compose file publishes none
        port=BROKER_PORT,
        passwords=f"{MOUNT}/{PASSWORD_FILE}",
        access=f"{MOUNT}/{ACCESS_FILE}",
        data="/mosquitto/data",
        log="stderr",
        certificate=f"{MOUNT}/{SERVER}",
        key=f"{MOUNT}/{SERVER_KEY}",
    )
    # mosquitto_sub reads its options from a file of this name, so that the password is in no
    # process list.
    options = (
        f"-u health\n-P {passwords['health']}\n-p {BROKER_PORT}\n--cafile {MOUNT}/{AUTHORITY}\n"
    )
    for name, text in (
        (ACCESS_FILE, access_file(users.values())),
        (CONFIGURATION, mosquitto_conf(places)),
        (HEALTH_OPTIONS, options),
    ):
        if ensure_text(directory / name, text):
            written.append(name)
    return written


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def ensure_group(path: Path, group_id: int) -> bool:
    """Put the group's number into .env, leaving every other line alone; True when written."""
    lines = path.read_text().splitlines() if path.exists() else []
    if any(line.startswith(f"{GROUP_VARIABLE}=") for line in lines):
        return False
    path.write_text("\n".join([*lines, f"{GROUP_VARIABLE}={group_id}"]) + "\n")
    return True


def make_secrets(
    directory: Path,
    env_file: Path,
    *,
    rotate: bool = False,
    hosts: Sequence[str] = (),
    parts: int = 0,
    guests: Sequence[str] = (),
    ingesters: int = 1,
) -> list[str]:
    """Make what is missing; names of what was written. Raises WeakSecretError."""
    directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    directory.chmod(DIRECTORY_MODE)
    users = {broker_secret(user.name): user for user in users_of(directory, parts, ingesters)}
    users |= guests_of(directory, guests)
    renewed = [*users, CONSOLE_TOKEN]
    written = [name for name in renewed if ensure_secret(directory / name, renew=rotate)]
    written += [
        name for name in FIRST_START_SECRETS if ensure_secret(directory / name, renew=False)
    ]
    written += ensure_certificates(directory, (*BROKER_NAMES, *hosts), renew=rotate)
    written += ensure_broker_files(directory, users)
    if ensure_group(env_file, directory.stat().st_gid):
        written.append(env_file.name)
    return written


def main(arguments: Iterable[str] | None = None) -> int:
    """0 when every secret is there, 78 when one that is there must not be used."""
    parser = argparse.ArgumentParser(
        prog="make secrets",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--directory", type=Path, default=ROOT / "secrets")
    parser.add_argument("--env-file", type=Path, default=ROOT / ".env")
    parser.add_argument("--rotate", action="store_true", help="new broker secrets and token")
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        help="one more name or address of the broker, for its certificate; give it every time",
    )
    parser.add_argument(
        "--parts", type=int, default=0, help="a broker user for each of so many simulators"
    )
    parser.add_argument(
        "--ingesters", type=int, default=1, help="a broker user for each of so many ingesters"
    )
    parser.add_argument(
        "--guest",
        action="append",
        default=[],
        metavar="KIND.NAME@FLEET",
        help="a user for a satellite that is not simulated, or for a publisher of line protocol",
    )
    options = parser.parse_args(None if arguments is None else list(arguments))
    try:
        written = make_secrets(
            options.directory,
            options.env_file,
            rotate=options.rotate,
            hosts=options.host,
            parts=options.parts,
            guests=options.guest,
            ingesters=options.ingesters,
        )
    except WeakSecretError as error:
        print(error, file=sys.stderr)
        return 78
    print(f"{options.directory}: {', '.join(written) or 'nothing to do'}")
    if options.rotate:
        print("restart the containers; kept: " + ", ".join(FIRST_START_SECRETS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
