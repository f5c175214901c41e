"""`twin doctor` and `twin health`: is this machine, and are these servers, fit to run the twin."""

import asyncio
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import aiomqtt
from rich.console import Console

from services.embedded_broker import nats_server
from services.mqtt import connect
from services.settings import Settings
from services.store import StoreUnavailableError, open_store

PROBE_TIMEOUT_S = 5.0
DISK_MINIMUM_BYTES = 1_000_000_000
FILES_MINIMUM = 256


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, whether it is well, what to do if not."""

    subject: str
    is_well: bool
    detail: str
    fix: str = ""


async def run_doctor(settings: Settings) -> bool:
    """Print one line per check; True if all are well."""
    checks: list[Callable[[Settings], Awaitable[Finding]]] = [
        _python,
        _disk,
        _descriptors,
        _broker,
        _store,
    ]
    console, all_well = Console(highlight=False), True
    for check in checks:
        finding = await check(settings)
        mark = "[green]ok  [/]" if finding.is_well else "[red]FAIL[/]"
        hint = f"  -> {finding.fix}" if finding.fix and not finding.is_well else ""
        console.print(f"{mark} {finding.subject}: {finding.detail}{hint}", soft_wrap=True)
        all_well &= finding.is_well
    return all_well


async def _python(_: Settings) -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("python", sys.version_info[:2] == (3, 11), version, "use Python 3.11")


async def _disk(settings: Settings) -> Finding:
    directory = settings.state_dir.resolve()
    while not directory.exists():
        directory = directory.parent
    free = shutil.disk_usage(directory).free
    return Finding(
        "disk", free > DISK_MINIMUM_BYTES, f"{free / 1e9:.1f} GB free at {directory}", "free 1 GB"
    )


async def _descriptors(_: Settings) -> Finding:
    import resource

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Finding("open files", soft >= FILES_MINIMUM, f"limit {soft}", "ulimit -n 1024")


async def _broker(settings: Settings) -> Finding:
    """Connects where a broker is configured; else says which one `twin up` would start."""
    if "mqtt_url" not in settings.model_fields_set:
        mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        ours = mosquitto or str(nats_server())
        found = shutil.which(ours) is not None
        return Finding("broker", found, f"none configured; `twin up` starts {ours}", "make install")
    try:
        async with (
            asyncio.timeout(PROBE_TIMEOUT_S),
            connect(settings, f"doctor-{time.time_ns()}", None),
        ):
            return Finding("broker", True, f"{settings.mqtt_url} accepts us")
    except (aiomqtt.MqttError, TimeoutError) as error:
        fix = "start it, or check TWIN_MQTT_URL, TWIN_MQTT_USERNAME and TWIN_MQTT_PASSWORD_FILE"
        return Finding("broker", False, f"{settings.mqtt_url}: {error or 'no answer'}", fix)


async def _store(settings: Settings) -> Finding:
    """Writes one row of measurement `ops` where a store is configured."""
    if not settings.influx_url and not settings.store_url:
        return Finding("store", True, "none configured; `twin up` starts the embedded one")
    address = settings.store_url or settings.influx_url
    fix = "start it, or check TWIN_INFLUX_URL, TWIN_INFLUX_DATABASE and TWIN_INFLUX_TOKEN_FILE"
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S), open_store(settings) as store:
            await store.prepare()
            await store.write(b"ops,service=doctor probe=1.0 %d\n" % time.time_ns())
    except (StoreUnavailableError, TimeoutError) as error:
        return Finding("store", False, f"{address}: {error or 'no answer'}", fix)
    return Finding("store", True, f"{address} took a row")


async def is_healthy(url: str) -> bool:
    """True if the address answers 200 within two seconds."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0)) as session,
            session.get(url) as answer,
        ):
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
