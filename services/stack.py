"""Which processes a run needs: what the environment names is used, the rest is started here."""

import errno
import fcntl
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.children import Child, twin_command
from services.embedded_broker import CREDENTIALS, embedded_broker, forget_credentials
from services.secret_files import OWN_FILE, new_secret, write_secret
from services.settings import Settings, host_and_port, load_settings
from twin.errors import ConfigurationError, Problem

DRAIN_S = 2.5
STOP_S = 1.0
SERVICES = ("ingest", "watch", "console")
HEALTH_ORDER = ("ingest", "simulate", "console", "watch")
SERVERS = ("store", "broker")


@dataclass
class Stack:
    """The processes of a run, and the addresses they were told."""

    outside: Settings  # as the environment says
    told: dict[str, str] = field(default_factory=dict)
    children: list[Child] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mqtt_port, self.client_port, self.store_port = free_ports(3)
        self.state_dir = self.outside.state_dir.resolve()
        self.told["TWIN_STATE_DIR"] = str(self.state_dir)
        self.console_listen = console_address(self.outside)
        self.told["TWIN_CONSOLE_LISTEN"] = self.console_listen
        self.needs_broker = "mqtt_url" not in self.outside.model_fields_set
        if self.needs_broker:
            self.told["TWIN_MQTT_URL"] = f"mqtt://127.0.0.1:{self.mqtt_port}"
        self.needs_store = not self.outside.influx_url and not self.outside.store_url
        if self.needs_store:
            self.told["TWIN_STORE_URL"] = f"http://127.0.0.1:{self.store_port}"
            token = self.state_dir / "store_token"
            write_secret(token, new_secret() + "\n", OWN_FILE)
            self.told["TWIN_STORE_TOKEN_FILE"] = str(token)

    @property
    def settings(self) -> Settings:
        """Settings as the children see them, and the log-in of the one who watches them."""
        told = self.told | self._login("up")
        return load_settings(**{k.removeprefix("TWIN_").lower(): v for k, v in told.items()})

    def _login(self, user: str) -> dict[str, str]:
        """A user of the embedded broker; nothing where the broker is not ours."""
        if not self.needs_broker:
            return {}
        path = self.state_dir / "broker" / CREDENTIALS / user
        if not path.exists():
            return {}
        return {"TWIN_MQTT_USERNAME": user, "TWIN_MQTT_PASSWORD_FILE": str(path)}

    async def start(self, name: str, command: tuple[str, ...]) -> None:
        """Start one more process; its output goes to a log file of its own."""
        told = self.told | self._login(name) | self._health_of(name)
        child = Child(name, command, told, self.state_dir / f"{name}.log")
        self.children.append(child)
        await child.start()

    def _health_of(self, name: str) -> dict[str, str]:
        """Services on one machine cannot share a port: from the one named on, one each."""
        listen = self.outside.health_listen
        if listen is None or name not in HEALTH_ORDER:
            return {}
        host, port = host_and_port(listen, "TWIN_HEALTH_LISTEN")
        return {"TWIN_HEALTH_LISTEN": f"{host}:{port + HEALTH_ORDER.index(name)}"}

    async def start_broker(self) -> None:
        """The embedded broker, unless one is configured."""
        if self.needs_broker:
            broker = embedded_broker(
                self.state_dir / "broker",
                self.mqtt_port,
                self.client_port,
                self.outside.embedded_broker,
            )
            await self.start("broker", broker.command)

    async def start_store(self) -> None:
        """The embedded store, unless an InfluxDB is configured."""
        if self.needs_store:
            listen = f"127.0.0.1:{self.store_port}"
            await self.start("store", twin_command("store", "--listen", listen))

    def forget_credentials(self) -> None:
        """After the last process: log-ins that nobody asks for any more."""
        if self.needs_broker:
            forget_credentials(self.state_dir / "broker")
        if self.needs_store:
            (self.state_dir / "store_token").unlink(missing_ok=True)

    def named(self, *names: str) -> list[Child]:
        """The children of these names, as far as they were started."""
        return [child for child in self.children if child.name in names]

    def measure(self) -> None:
        """Note CPU and memory of every process."""
        for child in self.children:
            child.measure()


def console_address(settings: Settings) -> str:
    """Where the console will listen: as told, or near the default if that is taken.

    Raises ConfigurationError if an address that was asked for is in use.
    """
    host, port = host_and_port(settings.console_listen, "TWIN_CONSOLE_LISTEN")
    try:
        with socket.create_server((host, port)):
            return settings.console_listen
    except OSError as error:
        if "console_listen" not in settings.model_fields_set and error.errno == errno.EADDRINUSE:
            return f"{host}:{free_ports(1)[0]}"
        message = f"{settings.console_listen}: {error.strerror}; choose another with --listen"
        raise ConfigurationError([Problem("console", None, "", message)]) from None


@contextmanager
def only_one(state_dir: Path) -> Iterator[None]:
    """Hold the directory of a run's files; raises ConfigurationError if another run holds it."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "up.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            message = "another `twin up` runs on these files; set TWIN_STATE_DIR for a second one"
            raise ConfigurationError([Problem(str(state_dir), None, "", message)]) from None
        yield


def free_ports(count: int) -> list[int]:
    """Free loopback ports, all different because all are held at once."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [opened.getsockname()[1] for opened in sockets]
