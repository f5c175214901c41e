"""Makes the secrets of docker-compose.yml: `make secrets`, or `--rotate` for new passwords.

Who can read them. Compose mounts a secret file as it is on the host, with its owner and mode,
and every container here runs as its own user (broker 1883, store 1000, Grafana 472, ours
10001), none of which owns the file. So that nobody has to be root:

    secrets/            0700, yours: no other user of this machine gets past it
    secrets/<name>      0640, yours, your primary group: readable by a process in that group
    .env                TWIN_SECRETS_GID=<that group's number>; docker-compose.yml adds this
                        group to the containers that are given a secret (`group_add`)

The engine opens the files itself, so the closed directory does not stand in its way. With an
engine that runs without root, your group is number 0 inside: set TWIN_SECRETS_GID=0 in .env.

An existing secret is never overwritten. `--rotate` makes new broker passwords, which take
effect when the containers are restarted; the passwords of the store and of Grafana are kept,
because both copied theirs into a volume when they first started.
"""

import argparse
import base64
import hashlib
import os
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY_MODE = 0o700
FILE_MODE = 0o640
SECRET_BYTES = 32  # 256 bits, 43 characters of the URL-safe alphabet
MINIMUM_CHARACTERS = 32

BROKER_USERS = ("simulate", "ingest", "console", "drill", "health")
FIRST_START_SECRETS = (
    "influx_admin_password",
    "influx_admin_token",
    "grafana_admin_password",
    "grafana_secret_key",
)
PASSWORD_FILE = "mosquitto_passwd"
HEALTH_OPTIONS = "mosquitto_sub"
GROUP_VARIABLE = "TWIN_SECRETS_GID"

# mosquitto_passwd's own numbers. A guessable password would need far more iterations; 256
# random bits need none, and each login costs the single-threaded broker this much.
PBKDF2_ITERATIONS = 101
PBKDF2_SALT_BYTES = 12


class WeakSecretError(Exception):
    """A secret file that exists but must not be used."""


def broker_secret(user: str) -> str:
    """File name of a broker user's password."""
    return f"mqtt_{user}_password"


def mosquitto_hash(password: str, salt: bytes) -> str:
    """One password as mosquitto stores it: `$7$iterations$salt$PBKDF2-HMAC-SHA512`, base64."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, PBKDF2_ITERATIONS)
    salt_text, digest_text = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"$7${PBKDF2_ITERATIONS}${salt_text}${digest_text}"


def verifies(stored: str, password: str) -> bool:
    """Whether a line's hash is of this password; False for a form that is not ours."""
    parts = stored.split("$")
    if len(parts) != 5 or parts[1] != "7":
        return False
    salt = base64.b64decode(parts[3])
    again = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, int(parts[2]))
    return secrets.compare_digest(base64.b64encode(again).decode(), parts[4])


def write_secret(path: Path, text: str) -> None:
    """Write a file in one step: at no moment is it half written or open to others."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        os.fchmod(stream.fileno(), FILE_MODE)
    temporary.replace(path)


def ensure_secret(path: Path, *, renew: bool) -> bool:
    """Make a random secret unless there is one; True when written. Raises WeakSecretError."""
    if path.exists() and not renew:
        if len(path.read_text().strip()) < MINIMUM_CHARACTERS:
            message = f"{path}: shorter than {MINIMUM_CHARACTERS} characters; remove it"
            raise WeakSecretError(message)
        path.chmod(FILE_MODE)
        return False
    write_secret(path, secrets.token_urlsafe(SECRET_BYTES) + "\n")
    return True


def ensure_derived(directory: Path) -> list[str]:
    """The broker's password file and the health check's options, remade when they differ."""
    passwords = {
        user: (directory / broker_secret(user)).read_text().strip() for user in BROKER_USERS
    }
    written = []
    if not _password_file_fits(directory / PASSWORD_FILE, passwords):
        lines = (
            f"{user}:{mosquitto_hash(password, secrets.token_bytes(PBKDF2_SALT_BYTES))}\n"
            for user, password in passwords.items()
        )
        write_secret(directory / PASSWORD_FILE, "".join(lines))
        written.append(PASSWORD_FILE)
    # mosquitto_sub reads its options from a file of this name, so that the password is in no
    # process list.
    options = f"-u health\n-P {passwords['health']}\n"
    path = directory / HEALTH_OPTIONS
    if not path.exists() or path.read_text() != options:
        write_secret(path, options)
        written.append(HEALTH_OPTIONS)
    return written


def _password_file_fits(path: Path, passwords: dict[str, str]) -> bool:
    if not path.exists():
        return False
    rows = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    return rows.keys() == passwords.keys() and all(
        verifies(rows[user], password) for user, password in passwords.items()
    )


def ensure_group(path: Path, group_id: int) -> bool:
    """Put the group's number into .env, leaving every other line alone; True when written."""
    lines = path.read_text().splitlines() if path.exists() else []
    if any(line.startswith(f"{GROUP_VARIABLE}=") for line in lines):
        return False
    path.write_text("\n".join([*lines, f"{GROUP_VARIABLE}={group_id}"]) + "\n")
    return True


def make_secrets(directory: Path, env_file: Path, *, rotate: bool = False) -> list[str]:
    """Make what is missing; names of what was written. Raises WeakSecretError."""
    directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    directory.chmod(DIRECTORY_MODE)
    broker = [broker_secret(user) for user in BROKER_USERS]
    written = [name for name in broker if ensure_secret(directory / name, renew=rotate)]
    written += [
        name for name in FIRST_START_SECRETS if ensure_secret(directory / name, renew=False)
    ]
    written += ensure_derived(directory)
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
    parser.add_argument("--rotate", action="store_true", help="new broker passwords")
    options = parser.parse_args(None if arguments is None else list(arguments))
    try:
        written = make_secrets(options.directory, options.env_file, rotate=options.rotate)
    except WeakSecretError as error:
        print(error, file=sys.stderr)
        return 78
    print(f"{options.directory}: {', '.join(written) or 'nothing to do'}")
    if options.rotate:
        print("restart the containers; kept: " + ", ".join(FIRST_START_SECRETS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
