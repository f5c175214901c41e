"""The store's users, as our set-up makes them, on a real InfluxDB with log-in (S5)."""

import asyncio
import base64
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers import InfluxServer, influxd_server

from services.settings import Settings, load_settings
from services.store import InfluxStore, StoreUnavailableError
from services.store_setup import main, set_up_store
from services.store_users import user_of
from twin.errors import ConfigurationError

OPERATOR, PASSWORD = "operator", "the operator's password, \\ and 'all'"
ROW = b"sat_state,fleet=f,plane=p,sat=A eps_soc_pct=50.0"
READ, WRITE, DROP, GRANT = (
    ("GET", "/query", 'SELECT * FROM "sat_state"'),
    ("POST", "/write", ""),
    ("POST", "/query", 'DROP DATABASE "telemetry"'),
    ("POST", "/query", f'GRANT ALL ON "telemetry" TO "{user_of("write")}"'),
)
Login = tuple[str, str] | None


@dataclass
class Store:
    """A real store that asks for a log-in, after our set-up."""

    server: InfluxServer
    tokens: Path

    def login(self, role: str) -> Login:
        """A role's user and password."""
        return user_of(role), (self.tokens / role).read_text().strip()

    def status(self, request: tuple[str, str, str], login: Login) -> int:
        """HTTP status of one request."""
        method, path, question = request
        query = {"db": "telemetry"} | ({"q": question} if question else {})
        asked = urllib.request.Request(
            f"{self.server.url}{path}?{urllib.parse.urlencode(query)}",
            data=ROW if path == "/write" else None,
            method=method,
        )
        if login is not None:
            pair = base64.b64encode(":".join(login).encode()).decode()
            asked.add_header("Authorization", f"Basic {pair}")
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            with error:
                return error.code


def settings_of(url: str, login: Login) -> Settings:
    """Our services' settings for this store."""
    if login is None:
        return load_settings(influx_url=url)
    return load_settings(influx_url=url, influx_username=login[0], influx_password=login[1])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Made by the one command, its password in a file."""
    home = tmp_path_factory.mktemp("store")
    secret = home / "operator"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    with influxd_server(asks_login=True) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TWIN_INFLUX_URL", server.url)
            patch.setenv("TWIN_INFLUX_USERNAME", OPERATOR)
            patch.setenv("TWIN_INFLUX_PASSWORD_FILE", str(secret))
            assert main(["--tokens-directory", str(home)]) == 0
        yield Store(server, home)


@pytest.mark.parametrize(
    ("role", "request_", "status"),
    [
        ("write", WRITE, 204),
        ("write", READ, 403),
        ("write", DROP, 403),
        ("write", GRANT, 403),
        ("read", READ, 200),
        ("read", WRITE, 403),
        ("read", DROP, 403),
        ("read", GRANT, 403),
        ("watch", READ, 200),
        ("watch", WRITE, 204),
        ("watch", DROP, 403),
        ("watch", GRANT, 403),
        (None, WRITE, 401),
        (None, READ, 401),
        (None, DROP, 401),
    ],
)
def test_each_user_has_its_one_right(
    store: Store, role: str | None, request_: tuple[str, str, str], status: int
) -> None:
    login = store.login(role) if role else None
    assert store.status(request_, login) == status


def test_a_password_of_another_is_refused(store: Store) -> None:
    _, password = store.login("read") or ("", "")
    assert store.status(WRITE, (user_of("write"), password)) == 401
    assert store.status(READ, (OPERATOR, password)) == 401


async def test_our_services_work_with_no_more_than_these_rights(store: Store) -> None:
    url = store.server.url
    now_ns = time.time_ns()
    async with InfluxStore(settings_of(url, store.login("write"))) as writer:
        await writer.prepare()
        await writer.write(b"sat_state,fleet=f,plane=p,sat=B eps_soc_pct=51.0 %d\n" % now_ns)
        await writer.write(b"sat_1m,fleet=f,plane=p,sat=B eps_soc_pct_max=52.0 %d\n" % now_ns)
    async with InfluxStore(settings_of(url, store.login("read"))) as reader:
        await reader.prepare()
        answer = await reader.series("B", ["eps_soc_pct"], now_ns - 10**9, now_ns + 10**9, 10)
        assert answer["eps_soc_pct"] == [51.0]
        assert len(await reader.query('SELECT * FROM "sat_1m"', minutes=True)) == 1
        with pytest.raises(StoreUnavailableError, match="403"):
            await reader.write(ROW + b"\n")
    async with InfluxStore(settings_of(url, None)) as nobody:
        with pytest.raises(StoreUnavailableError, match="401"):
            await nobody.prepare()


async def test_a_second_set_up_keeps_passwords_and_replaces_a_lost_one(
    store: Store,
) -> None:
    operator = settings_of(store.server.url, (OPERATOR, PASSWORD))
    before = {role: store.login(role) for role in ("write", "read")}
    async with InfluxStore(operator) as asked:  # as an earlier version left this user
        await asked.query(f'REVOKE READ ON "telemetry_1m" FROM "{user_of("read")}"')
    await set_up_store(operator, store.tokens, 7)
    assert {role: store.login(role) for role in ("write", "read")} == before
    async with InfluxStore(settings_of(store.server.url, store.login("read"))) as reader:
        assert await reader.query("SHOW MEASUREMENTS", minutes=True)
    (store.tokens / "read").unlink()
    await set_up_store(operator, store.tokens, 7)
    assert store.login("write") == before["write"]
    assert store.login("read") != before["read"]
    codes = [await asyncio.to_thread(store.status, r, store.login("read")) for r in (READ, WRITE)]
    assert codes == [200, 403]


async def test_who_is_not_the_operator_is_refused_by_name(store: Store, tmp_path: Path) -> None:
    stranger = settings_of(store.server.url, (OPERATOR, "a wrong password of good length"))
    with pytest.raises(ConfigurationError, match="TWIN_INFLUX_PASSWORD_FILE"):
        await set_up_store(stranger, tmp_path, 7)
    assert list(tmp_path.iterdir()) == []


def test_no_password_is_in_the_servers_log(store: Store) -> None:
    for role in ("write", "read"):
        login = store.login(role)
        assert login is not None
        assert login[1] not in store.server.log
    assert PASSWORD not in store.server.log
