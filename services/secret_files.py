"""Files with secrets: written in one step, closed to others from the first byte."""

import base64
import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

SECRET_BYTES = 32  # 256 bits, 43 characters of the URL-safe alphabet
OWN_FILE = 0o600
GROUP_FILE = 0o640

# mosquitto_passwd's own numbers. A guessable password would need far more iterations; 256
# random bits need none, and each login costs the single-threaded broker this much.
PBKDF2_ITERATIONS = 101
PBKDF2_SALT_BYTES = 12


def new_secret() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(SECRET_BYTES)


def write_secret(path: Path, text: str, mode: int = GROUP_FILE) -> None:
    """Write a file in one step: at no moment is it half written or open to others."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWN_FILE)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        os.fchmod(stream.fileno(), mode)
    temporary.replace(path)


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


def password_file(passwords: Mapping[str, str]) -> str:
    """mosquitto's password file of these users."""
    return "".join(
        f"{user}:{mosquitto_hash(password, secrets.token_bytes(PBKDF2_SALT_BYTES))}\n"
        for user, password in passwords.items()
    )


def password_file_fits(text: str, passwords: Mapping[str, str]) -> bool:
    """Whether a password file holds exactly these users with these passwords."""
    rows = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return rows.keys() == passwords.keys() and all(
        verifies(rows[user], password) for user, password in passwords.items()
    )
