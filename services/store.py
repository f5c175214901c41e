"""The door to the time-series store: InfluxDB 1.x, 2.x and 3.x, or our embedded store.

The portable pair on every InfluxDB is line protocol in and InfluxQL out (`/query?db=`). Rows
go in through `influxdb-client` where the server has `/api/v2/write` (1.8 and later), and
through `/write?db=` on 1.6 and 1.7, which do not. Numbers are floats but for states, and the
time stamp is the satellite's own, so writing a row twice changes nothing. Roll-ups over a minute
go to a database of their own, which keeps them longer (`retention.py`).
"""

import logging
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import aiohttp
import orjson
from pydantic import SecretStr

from services.http_peer import REQUEST_TIMEOUT_S, HttpPeer, basic_login
from services.retention import by_length
from services.settings import Settings
from twin.channels import BUS_MEASUREMENT, by_name

if TYPE_CHECKING:
    # Imported where it is used: its import takes a second, which the embedded store never needs.
    from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync

LOG = logging.getLogger(__name__)
Series = dict[str, list[float | int | None]]
REJECTED = frozenset({400, 413, 422})
"""HTTP answers that say the rows themselves are at fault; anything else is retried."""


FORBIDDEN = 403
MISSING = 404
EMBEDDED_REQUEST_BYTES = 2_000_000


class StoreUnavailableError(Exception):
    """The store did not take the rows now; `status` is its HTTP answer, None if there was none."""

    def __init__(self, message: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class RejectedRowsError(Exception):
    """The store refuses these rows and would refuse them again."""


class Store(Protocol):
    """What the services ask of a store; both stores answer the same questions."""

    async def __aenter__(self) -> Self:
        """Open connections."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close them."""

    async def prepare(self) -> None:
        """Make the database if it is not there. Raises StoreUnavailableError."""

    async def write(self, lines: bytes) -> None:
        """Durable when it returns. Raises StoreUnavailableError or RejectedRowsError."""

    async def series(
        self, sat: str, channels: list[str], start_ns: int, stop_ns: int, max_points: int
    ) -> Series:
        """`time_ns` and one list per channel of a satellite, in time order."""

    async def frames_per_satellite(self, fleet: str, start_ns: int, stop_ns: int) -> dict[str, int]:
        """Rows of sat_state for each satellite, start and stop included."""


def open_store(settings: Settings) -> Store:
    """The store that the settings name: the embedded one if `store_url` is set."""
    if settings.store_url:
        return EmbeddedStore(settings.store_url, settings.store_token)
    if settings.influx_url:
        return InfluxStore(settings)
    raise StoreUnavailableError("no store: set TWIN_INFLUX_URL")


def request_bytes(settings: Settings) -> int:
    """How much the rows of one write should come to, at the store that the settings name.

    InfluxDB sorts each write's values into a table by series and field: that of a hundred
    satellites fits into a processor's cache, that of thousands does not and costs half as much
    again (docs/pipeline.md). The embedded store has a transaction for each write: few large ones.
    """
    if settings.store_url:
        return EMBEDDED_REQUEST_BYTES
    return round(1000.0 * settings.influx_request_kb)


class _HttpStore(HttpPeer):
    """One way to turn failures into our two errors."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        super().__init__(url, headers, StoreUnavailableError)

    async def _call(
        self, method: str, path: str, params: dict[str, str], data: bytes | None = None
    ) -> bytes:
        answer = await self.request(method, path, params=params, data=data)
        if answer.status in REJECTED:
            reason = answer.content[:200].decode(errors="replace")
            raise RejectedRowsError(f"{answer.status}: {reason}")
        if answer.status >= 300:
            text = answer.content[:200].decode(errors="replace").strip()
            raise StoreUnavailableError(f"{self.url}: {answer.status} {text}", answer.status)
        return answer.content


class InfluxStore(_HttpStore):
    """InfluxDB: which write call it has is asked once, of the server itself."""

    def __init__(self, settings: Settings) -> None:
        if not settings.influx_url:
            raise StoreUnavailableError("TWIN_INFLUX_URL is not set")
        super().__init__(settings.influx_url, authorization(settings))
        self._settings = settings
        self._v2: InfluxDBClientAsync | None = None
        self._makes_databases = False

    async def prepare(self) -> None:
        """Learn the server's version and make the 1.x database; 2.x buckets are made by set-up."""
        version = await self._version()
        wants_v2 = self._settings.influx_api == "v2"
        if self._settings.influx_api == "auto":
            wants_v2 = not version.startswith(("1.6", "1.7"))
        if wants_v2:
            self._v2 = await self._stack.enter_async_context(self._v2_client())
        self._makes_databases = version.startswith("1.")
        if self._makes_databases:
            await self._make_databases()
        LOG.info("store: InfluxDB %s, write API v%d", version, 2 if wants_v2 else 1)

    async def _make_databases(self) -> None:
        """Where they are not there. A server that cannot make one says so with code 200."""
        for name in self._settings.influx_databases:
            try:
                text = await self._call("POST", "/query", {"q": f'CREATE DATABASE "{name}"'})
            except StoreUnavailableError as error:
                if error.status != FORBIDDEN:
                    raise
                LOG.info("this user may not make %s: the store's set-up has made it", name)
                continue
            for result in orjson.loads(text)["results"]:
                if "error" in result:
                    raise StoreUnavailableError(f"{self.url}: {name}: {result['error']}")

    async def _version(self) -> str:
        answer = await self.request("GET", "/ping")
        return answer.headers.get("X-Influxdb-Version", "unknown").lstrip("v")

    def _v2_client(self) -> "InfluxDBClientAsync":
        from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync

        given = self._settings
        secret = given.influx_token.get_secret_value() if given.influx_token else ""
        if not secret and given.influx_username and given.influx_password:
            # How 1.8 and later take a user's log-in at this call.
            secret = f"{given.influx_username}:{given.influx_password.get_secret_value()}"
        return InfluxDBClientAsync(
            self.url,
            secret,
            org=self._settings.influx_org,
            timeout=int(REQUEST_TIMEOUT_S * 1000),
        )

    async def write(self, lines: bytes) -> None:
        """Write rows of line protocol with nanosecond stamps."""
        try:
            for database, rows in zip(
                self._settings.influx_databases, by_length(lines), strict=True
            ):
                if rows and self._v2 is None:
                    await self._call("POST", "/write", {"db": database, "precision": "ns"}, rows)
                elif rows and self._v2 is not None:
                    await self._write_v2(self._v2, database, rows)
        except StoreUnavailableError as error:
            if error.status == MISSING and self._makes_databases:
                await self._make_databases()  # a store that was emptied: ready when we come again
            raise

    async def _write_v2(self, client: "InfluxDBClientAsync", bucket: str, lines: bytes) -> None:
        from influxdb_client.rest import ApiException

        try:
            await client.write_api().write(bucket=bucket, record=lines)
        except ApiException as error:
            if error.status in REJECTED:
                raise RejectedRowsError(f"{error.status}: {error.body}") from None
            text = f"{self.url}: {error.status} {error.reason}"
            raise StoreUnavailableError(text, error.status) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StoreUnavailableError(f"{self.url}: {error!r}") from None

    async def query(self, influxql: str, *, minutes: bool = False) -> list[dict[str, object]]:
        """Series of one InfluxQL statement, as the server's JSON gives them.

        minutes: ask the database of roll-ups over a minute.
        """
        database = self._settings.influx_databases[minutes]
        params = {"db": database, "epoch": "ns", "q": influxql}
        answer = orjson.loads(await self._call("GET", "/query", params))
        result = answer["results"][0]
        if "error" in result:
            raise RejectedRowsError(str(result["error"]))
        series: list[dict[str, object]] = result.get("series", [])
        return series

    async def series(
        self, sat: str, channels: list[str], start_ns: int, stop_ns: int, max_points: int
    ) -> Series:
        """Means of floats and last values of states over equal intervals."""
        every_ns = max(1_000_000_000, (stop_ns - start_ns) // max_points)
        cells = ",".join(
            f'{"last" if by_name()[name].is_integer else "mean"}("{name}")' for name in channels
        )
        answer = await self.query(
            f'SELECT {cells} FROM "{BUS_MEASUREMENT}" WHERE "sat" = \'{_quoted(sat)}\''
            f" AND time >= {start_ns} AND time <= {stop_ns}"
            f" GROUP BY time({every_ns}ns) fill(none)"
        )
        rows = answer[0]["values"] if answer else []
        assert isinstance(rows, list)
        columns = list(zip(*rows, strict=True)) or [()] * (len(channels) + 1)
        return {
            name: list(column) for name, column in zip(["time_ns", *channels], columns, strict=True)
        }

    async def frames_per_satellite(self, fleet: str, start_ns: int, stop_ns: int) -> dict[str, int]:
        """Counts of tm_seq, which every frame carries."""
        answer = await self.query(
            f'SELECT count("tm_seq") FROM "{BUS_MEASUREMENT}" WHERE "fleet" = \'{_quoted(fleet)}\''
            f' AND time >= {start_ns} AND time <= {stop_ns} GROUP BY "sat"'
        )
        return {row["tags"]["sat"]: row["values"][0][1] for row in answer}  # type: ignore[index]


class EmbeddedStore(_HttpStore):
    """Our own store process (`services/embedded_store.py`), over loopback HTTP."""

    def __init__(self, url: str, token: SecretStr | None = None) -> None:
        secret = token.get_secret_value() if token else ""
        super().__init__(url, {"Authorization": f"Bearer {secret}"} if secret else {})

    async def prepare(self) -> None:
        """Nothing to make; only ask whether it is there."""
        await self.ask("/healthz", {})

    async def ask(self, path: str, question: dict[str, str]) -> bytes:
        """The store's answer as JSON. Raises StoreUnavailableError or RejectedRowsError."""
        return await self._call("GET", path, question)

    async def write(self, lines: bytes) -> None:
        """Write rows of line protocol with nanosecond stamps."""
        await self._call("POST", "/write", {}, lines)

    async def series(
        self, sat: str, channels: list[str], start_ns: int, stop_ns: int, max_points: int
    ) -> Series:
        """Means of floats and last values of states over equal intervals."""
        question = {
            "sat": sat,
            "channels": ",".join(channels),
            "start_ns": str(start_ns),
            "stop_ns": str(stop_ns),
            "max_points": str(max_points),
        }
        answer: Series = orjson.loads(await self._call("GET", "/series", question))
        return answer

    async def frames_per_satellite(self, fleet: str, start_ns: int, stop_ns: int) -> dict[str, int]:
        """Rows of sat_state for each satellite."""
        question = {"fleet": fleet, "start_ns": str(start_ns), "stop_ns": str(stop_ns)}
        answer: dict[str, int] = orjson.loads(await self._call("GET", "/frames", question))
        return answer


def authorization(settings: Settings) -> dict[str, str]:
    """`Token T` for 2.x and 3.x; basic credentials for 1.x; nothing where none is given."""
    if settings.influx_token:
        return {"Authorization": f"Token {settings.influx_token.get_secret_value()}"}
    if settings.influx_username and settings.influx_password:
        password = settings.influx_password.get_secret_value()
        return basic_login(settings.influx_username, password)
    return {}


def _quoted(text: str) -> str:
    """A string inside single quotes of InfluxQL."""
    return text.replace("\\", "\\\\").replace("'", "\\'")
