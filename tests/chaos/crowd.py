"""A crowd of clients that all lose the broker at once, and come back one by one."""

import asyncio
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from outcome import Outcome, Size
from parts import Part, until_open
from raw_mqtt import RefusedError, connected
from servers import binary, free_port

from services.certificates import new_authority, new_server
from services.pace import Clock, full_jitter_s
from services.secret_files import new_secret, password_file

CLIENTS = 1_500
BACK_LIMIT_S = 10.0
ATTEMPTS_LIMIT = 3
ANSWER_LIMIT_S = 10.0  # as long as our own client waits for the answer to CONNECT
STORM_LIMIT_S = 300.0  # for all that come at once; no bar
CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous false
password_file {home}/passwd
cafile {home}/ca.pem
certfile {home}/server.pem
keyfile {home}/server.key
user root
max_connections -1
"""


@dataclass
class Crowd:
    """The clients; each keeps one session and comes back by our policy when it is lost."""

    port: int
    passwords: dict[str, str]
    tls: ssl.SSLContext
    clock: Clock
    up: int = 0
    is_listening: bool = True

    def __post_init__(self) -> None:
        self.changed = asyncio.Event()
        self.attempts: dict[str, int] = {}

    async def keep(self, name: str) -> None:
        """One client, for ever: full jitter after each loss, as services/mqtt.py."""
        waits_s = full_jitter_s(clock=self.clock)
        while True:
            if self.is_listening:
                self.attempts[name] = self.attempts.get(name, 0) + 1
            try:
                async with asyncio.timeout(ANSWER_LIMIT_S):
                    reader, writer = await connected(
                        self.port, name, name, self.passwords[name], self.tls
                    )
            except (OSError, TimeoutError, asyncio.IncompleteReadError, RefusedError):
                await asyncio.sleep(next(waits_s))
                continue
            waits_s = full_jitter_s(clock=self.clock)
            self._count(1)
            try:
                await reader.read(1)  # until the broker has gone
            except OSError:
                pass
            finally:
                self._count(-1)
                writer.transport.abort()
            await asyncio.sleep(next(waits_s))

    def _count(self, step: int) -> None:
        self.up += step
        self.changed.set()

    async def until(self, up: int, limit_s: float) -> float | None:
        """Seconds until so many are connected."""
        begun_s = time.monotonic()
        try:
            async with asyncio.timeout(limit_s):
                while self.up != up:
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            return None
        return time.monotonic() - begun_s


def reconnect_storm(size: Size) -> Outcome:
    """R11: 1,500 clients with TLS and passwords lose a broker that is killed, and come back."""
    outcome, count = Outcome(), 5_000 if size.nightly else CLIENTS
    with TemporaryDirectory(prefix="twin-chaos-") as folder:
        home, port = Path(folder), free_port()
        passwords = {f"client-{number}": new_secret() for number in range(count)}
        authority = new_authority()
        pair = new_server(authority, ["localhost"])
        (home / "ca.pem").write_text(authority.certificate)
        (home / "server.pem").write_text(pair.certificate)
        (home / "server.key").write_text(pair.key)
        (home / "passwd").write_text(password_file(passwords))
        (home / "mosquitto.conf").write_text(CONFIGURATION.format(port=port, home=home))
        command = (binary("mosquitto", "mosquitto"), "-c", str(home / "mosquitto.conf"))
        broker = Part("broker", command, home / "broker.log")
        broker.start()
        try:
            until_open(port, 30.0)
            tls = ssl.create_default_context(cafile=home / "ca.pem")
            crowd = asyncio.run(_storm(broker, port, passwords, tls, size, outcome))
        finally:
            broker.end()
    most = max(crowd.attempts.values(), default=0)
    outcome.at_most("attempts of one client at the broker that is back", most, ATTEMPTS_LIMIT, "")
    return outcome


async def _storm(
    broker: Part,
    port: int,
    passwords: dict[str, str],
    tls: ssl.SSLContext,
    size: Size,
    outcome: Outcome,
) -> Crowd:
    crowd = Crowd(port, passwords, tls, size.clock)
    tasks = [asyncio.create_task(crowd.keep(name)) for name in passwords]
    up_s = await crowd.until(len(passwords), STORM_LIMIT_S)
    outcome.must(f"{len(passwords):,} clients up", up_s is not None, f"{up_s or 0.0:.1f} s", "up")
    crowd.is_listening = False
    await asyncio.to_thread(broker.kill)
    await crowd.until(0, 30.0)
    crowd.attempts = {}
    await asyncio.to_thread(broker.start)
    await asyncio.to_thread(until_open, port, 30.0)
    crowd.is_listening = True
    back_s = await crowd.until(len(passwords), STORM_LIMIT_S)
    outcome.within("all are back", back_s, BACK_LIMIT_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return crowd
