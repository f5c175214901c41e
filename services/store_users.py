"""Users of an InfluxDB 1.x that asks for a log-in: one writes, one reads, the watcher does both.

InfluxDB 1.6 answers 401 without a log-in, 403 for what a user may not do. `/debug/vars` and
`/ping` stay open to everybody: keep the port on a network of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from services.http_peer import basic_login
from services.secret_files import new_secret, write_secret
from twin.errors import ConfigurationError, DependencyUnavailableError, Problem

PRIVILEGES = {"write": "WRITE", "read": "READ", "watch": "ALL"}
ANYBODYS = "SHOW DATABASES"  # any user may ask; it lists what that user may see
TIMEOUT = aiohttp.ClientTimeout(total=20.0)


@dataclass(frozen=True)
class Login:
    """A user and its password."""

    user: str
    password: str = field(repr=False)


def user_of(role: str) -> str:
    """Name of a role's user; its password is in the file named like the role."""
    return f"twin_{role}"


async def make_operator(url: str, login: Login) -> None:
    """The first user, as long as the server has none; changes nothing where it has.

    Raises DependencyUnavailableError where the server does not answer.
    """
    if await _status(url, ANYBODYS, login) == 200:
        return
    name, password = login.user.replace('"', ""), _text(login.password)
    await _status(url, f'CREATE USER "{name}" WITH PASSWORD {password} WITH ALL PRIVILEGES', None)


async def make_user(
    url: str, operator: Login, role: str, databases: Sequence[str], directory: Path
) -> None:
    """A role's user with its one right, its password in a file; kept while the server takes it.

    Raises ConfigurationError where the server refuses the operator.
    """
    path, user = directory / role, user_of(role)
    password = path.read_text("utf-8").strip() if path.exists() else ""
    is_known = password and await _status(url, ANYBODYS, Login(user, password)) == 200
    made: tuple[str, ...] = ()
    if not is_known:
        password = new_secret()
        made = (
            f'CREATE USER "{user}" WITH PASSWORD {_text(password)}',
            f'SET PASSWORD FOR "{user}" = {_text(password)}',
            f'REVOKE ALL PRIVILEGES FROM "{user}"',
        )
    # Again each time: a user of an earlier version knows one database only.
    rights = [f'GRANT {PRIVILEGES[role]} ON "{one}" TO "{user}"' for one in databases]
    for statement in (*made, *rights):
        status = await _status(url, statement, operator)
        if status in {401, 403}:
            message = f"the store does not let this operator make user {user}"
            raise ConfigurationError(
                [Problem("environment", None, "TWIN_INFLUX_PASSWORD_FILE", message)]
            )
    if not is_known:
        write_secret(path, password + "\n")


async def _status(url: str, statement: str, login: Login | None) -> int:
    """HTTP status of a statement, sent in the body: addresses end up in logs."""
    headers = basic_login(login.user, login.password) if login else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, headers=headers) as session,
            session.post(f"{url}/query", data={"q": statement}) as answer,
        ):
            await answer.read()
            return answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise DependencyUnavailableError(f"store {url}: {error!r}") from None


def _text(value: str) -> str:
    """A string of InfluxQL."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
