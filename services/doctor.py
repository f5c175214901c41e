"""`twin doctor` and `twin health`: is this machine, and are these servers, fit to run the twin."""

import os
import resource
import shutil
import sys
import tempfile

import aiohttp
import orjson
from rich.console import Console
from rich.markup import escape

from services.doctor_servers import check_broker, check_store
from services.embedded_broker import nats_server
from services.findings import Finding
from services.instance import running
from services.settings import Settings

DISK_MINIMUM_BYTES = 1_000_000_000
FILES_MINIMUM = 256


async def run_doctor(settings: Settings, *, as_json: bool = False) -> bool:
    """Print one line per check; True if all are well."""
    found = [*_machine(settings), *await _broker(settings), *await check_store(settings)]
    if as_json:
        print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
    else:
        console = Console(highlight=False)
        for one in found:
            mark = "[green]ok  [/]" if one.is_well else "[red]FAIL[/]"
            hint = f"  -> {one.fix}" if one.fix and not one.is_well else ""
            console.print(f"{mark} {one.subject}: {escape(one.detail + hint)}", soft_wrap=True)
    return all(one.is_well for one in found)


def _machine(settings: Settings) -> list[Finding]:
    return [_python(), _disk(settings), _descriptors(), _services(settings)]


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("python", sys.version_info[:2] == (3, 11), version, "use Python 3.11")


def _disk(settings: Settings) -> Finding:
    """Room, and a byte that is really written where our files go."""
    directory = settings.state_dir.resolve()
    while not directory.exists():
        directory = directory.parent
    fix = "free 1 GB there, or set TWIN_STATE_DIR"
    try:
        free = shutil.disk_usage(directory).free
        with tempfile.TemporaryFile(dir=directory) as probe:
            probe.write(bytes(4096))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return Finding("disk", False, f"{directory} cannot be written: {error.strerror}", fix)
    return Finding(
        "disk", free > DISK_MINIMUM_BYTES, f"{free / 1e9:.1f} GB free at {directory}", fix
    )


def _descriptors() -> Finding:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Finding("open files", soft >= FILES_MINIMUM, f"limit {soft}", "ulimit -n 1024")


def _services(settings: Settings) -> Finding:
    """Locks fall with their process, so none can be stale; a second one of a name is refused."""
    found = running(settings.state_dir)
    names = ", ".join(f"{name} (process {pid})" for name, pid in found.items())
    return Finding("services", True, f"running with {settings.state_dir}: {names or 'none'}")


async def _broker(settings: Settings) -> list[Finding]:
    """Asks the configured broker; else says which one `twin up` would start."""
    if "mqtt_url" in settings.model_fields_set:
        return await check_broker(settings)
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    ours = mosquitto or str(nats_server())
    found = shutil.which(ours) is not None
    detail = f"none configured; `twin up` starts {ours}"
    return [Finding("broker", found, detail, "make install")]


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
