"""What `twin doctor` asks of the configured broker and store, and how it reads their answers."""

import asyncio
import ssl
import time
from email.utils import parsedate_to_datetime

import aiohttp

from services.findings import Finding
from services.mqtt import Connection, LostConnectionError, RefusedPublishError, connect
from services.settings import Settings
from services.store import InfluxStore, RejectedRowsError, Store, StoreUnavailableError, open_store
from services.topics import Topics
from twin.channels import BUS_CHANNELS, BUS_MEASUREMENT

PROBE_TIMEOUT_S = 5.0
STORE_TIMEOUT_S = 20.0  # the first row may bring the import of a client library with it
CLOCK_LIMIT_S = 5.0
CERTIFICATE_DAYS = 14.0
PROBE = Topics("doctor")
OWN_TOPICS = {"ingest": PROBE.watermark("doctor"), "simulate": PROBE.event()}
COMMANDER = "drill"  # the only user who may command (services/broker_access.py)

STORE_FIXES = {
    401: ("log-in or token refused", "check TWIN_INFLUX_TOKEN_FILE, or user and password file"),
    403: ("this log-in may not write", "give the token write access to the bucket"),
    404: (
        "no such database or bucket",
        "run the store's set-up; check TWIN_INFLUX_DATABASE, ..._1M and TWIN_INFLUX_ORG",
    ),
}


async def check_broker(settings: Settings) -> list[Finding]:
    """Reached, logged in, allowed what this user must be allowed and no more."""
    if settings.mqtt.scheme == "mqtts":
        certificate = await _certificate(settings)
        if not certificate.is_well:
            return [certificate]
        found = [certificate]
    else:
        found = []
    try:
        async with (
            asyncio.timeout(PROBE_TIMEOUT_S),
            connect(settings, _identifier(), None),
        ):
            found.append(Finding("broker", True, f"{settings.mqtt_url} accepts us"))
    except (LostConnectionError, TimeoutError) as error:
        return [*found, _broker_fault(settings, error)]
    return [*found, *await _permissions(settings)]


def _identifier() -> str:
    return f"doctor-{time.time_ns()}"


def _broker_fault(settings: Settings, error: BaseException) -> Finding:
    text = f"{error}" or "no answer"
    lower = text.lower()
    if "not authori" in lower or "bad user" in lower or "code:5" in lower or "code:4" in lower:
        fix = "check TWIN_MQTT_USERNAME and TWIN_MQTT_PASSWORD_FILE"
        return Finding("broker", False, f"{settings.mqtt_url}: wrong user or password", fix)
    if "refused" in lower:
        fix = "start the broker, or check TWIN_MQTT_URL"
        return Finding("broker", False, f"{settings.mqtt_url}: nothing listens there", fix)
    fix = "start it, or check TWIN_MQTT_URL, TWIN_MQTT_USERNAME and TWIN_MQTT_PASSWORD_FILE"
    return Finding("broker", False, f"{settings.mqtt_url}: {text}", fix)


async def _permissions(settings: Settings) -> list[Finding]:
    """By the broker's answers: MQTT 5 says no in as many words, 3.1.1 has none."""
    user = settings.mqtt_username
    if user is None:
        return []
    try:
        async with (
            asyncio.timeout(PROBE_TIMEOUT_S),
            connect(
                settings.model_copy(update={"mqtt_protocol": "5"}), _identifier(), None
            ) as connection,
        ):
            return await _access(user, connection)
    except (LostConnectionError, TimeoutError):
        return [Finding("broker access", True, "cannot be asked: only MQTT 5 tells")]


async def _access(user: str, connection: Connection) -> list[Finding]:
    found, own = [], OWN_TOPICS.get(user)
    if own is not None and not await _may_publish(connection, own):
        fix = f"give {user} its rights: docs/security.md"
        found.append(Finding("broker access", False, f"{user} may not publish to {own}", fix))
    if user != COMMANDER and await _may_publish(connection, PROBE.command("nobody")):
        fix = "the broker has no access file, or a wrong one: docs/security.md"
        detail = f"{user} may command satellites, as only {COMMANDER} should"
        found.append(Finding("broker access", False, detail, fix))
    return found or [Finding("broker access", True, f"{user} may what it must, and no more")]


async def _may_publish(connection: Connection, topic: str) -> bool:
    try:
        await connection.publish(topic, b"{}")
    except RefusedPublishError:
        return False
    return True


async def _certificate(settings: Settings) -> Finding:
    context = ssl.create_default_context(cafile=settings.mqtt_ca_file)
    fix = "make a new one (`make secrets`), or check TWIN_MQTT_CA_FILE"
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            _, writer = await asyncio.open_connection(
                settings.mqtt.hostname, settings.mqtt_port, ssl=context
            )
    except ssl.SSLCertVerificationError as error:
        return Finding("broker certificate", False, error.verify_message, fix)
    except ssl.SSLError as error:
        return Finding("broker certificate", False, f"no TLS there: {error.reason}", fix)
    except (OSError, TimeoutError) as error:
        return _broker_fault(settings, error)
    peer = writer.get_extra_info("peercert")
    writer.close()
    days = (ssl.cert_time_to_seconds(peer["notAfter"]) - time.time()) / 86400.0
    return Finding("broker certificate", days > CERTIFICATE_DAYS, f"{days:.0f} days left", fix)


async def check_store(settings: Settings) -> list[Finding]:
    """Reached, takes a row, has our fields as we write them, and has the same time."""
    if not settings.influx_url and not settings.store_url:
        return [Finding("store", True, "none configured; `twin up` starts the embedded one")]
    address = settings.store_url or settings.influx_url or ""
    try:
        async with asyncio.timeout(STORE_TIMEOUT_S), open_store(settings) as store:
            await store.prepare()
            now_ns = time.time_ns()
            await store.write(b"ops,service=doctor,instance=1 probe=1.0 %d\n" % now_ns)
            await store.write(b"fleet_1m,fleet=doctor probe=1.0 %d\n" % now_ns)
            found = [Finding("store", True, f"{address} took a row")]
            found += await _schema(store)
    except RejectedRowsError as error:
        fix = "another schema has the name `ops`; use a database of the twin's own"
        found = [Finding("store", False, f"{address} refused a good row: {error}", fix)]
    except (StoreUnavailableError, TimeoutError) as error:
        found = [_store_fault(address, error)]
    return [*found, await _clock(address)]


def _store_fault(address: str, error: Exception) -> Finding:
    status = error.status if isinstance(error, StoreUnavailableError) else None
    if status in STORE_FIXES:
        detail, fix = STORE_FIXES[status]
        return Finding("store", False, f"{address}: {detail} ({status})", fix)
    if status is None:
        fix = "start it, or check TWIN_INFLUX_URL"
        return Finding("store", False, f"{address}: no answer", fix)
    fix = "look at the store's own log: its disk may be full, or have been: then start it again"
    return Finding("store", False, f"{address}: {error}", fix)


async def _schema(store: Store) -> list[Finding]:
    """Fields of sat_state that the database holds in another type than we write."""
    if not isinstance(store, InfluxStore):
        return []
    try:
        answer = await store.query(f'SHOW FIELD KEYS FROM "{BUS_MEASUREMENT}"')
    except (StoreUnavailableError, RejectedRowsError):
        return []  # a log-in that only writes cannot ask
    held: dict[str, str] = dict(answer[0]["values"]) if answer else {}  # type: ignore[call-overload]
    wanted = {c.name: "integer" if c.is_integer else "float" for c in BUS_CHANNELS}
    wrong = sorted(name for name, kind in held.items() if wanted.get(name, kind) != kind)
    if not wrong:
        return [Finding("store schema", True, f"{len(held)} fields as we write them")]
    detail = f"{BUS_MEASUREMENT} holds {', '.join(wrong[:5])} in another type"
    return [Finding("store schema", False, detail, "use a database of the twin's own")]


async def _clock(address: str) -> Finding:
    """Our clock against the one in the store's answers."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PROBE_TIMEOUT_S)) as session,
            session.get(address + "/ping") as answer,
        ):
            said = answer.headers.get("Date", "")
        offset_s = time.time() - parsedate_to_datetime(said).timestamp()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return Finding("clock", True, "nobody to compare with")
    detail = f"{offset_s:+.0f} s against the store"
    return Finding("clock", abs(offset_s) <= CLOCK_LIMIT_S, detail, "set both by NTP")
