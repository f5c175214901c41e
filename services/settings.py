"""Settings of every service, from the environment; secrets from files or the environment.

Each variable starts with TWIN_. A secret can be given as NAME or as NAME_FILE (a path, as
container engines mount secrets). A secret that is a well-known default or shorter than 16
characters is refused, and so is a secret file that others can read or its group can change.
"""

from pathlib import Path
from typing import Literal, NoReturn, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from twin.errors import ConfigurationError, Problem

WELL_KNOWN_SECRETS = frozenset(
    {"admin", "password", "secret", "changeme", "my-super-secret-auth-token", "adminpassword"}
)
MINIMUM_SECRET_CHARACTERS = 16
MQTT_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
SECRETS = ("mqtt_password", "influx_password", "influx_token", "store_token", "console_token")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Settings(BaseSettings):
    """Where the outside systems are and how to log in to them."""

    model_config = SettingsConfigDict(env_prefix="TWIN_", extra="ignore", frozen=True)

    mqtt_url: str = Field(
        "mqtt://127.0.0.1:1883",
        description="mqtt:// or mqtts:// host:port; of a cluster several, with commas between",
    )
    mqtt_username: str | None = Field(None, description="log-in at the broker")
    mqtt_password: SecretStr | None = Field(None, description="its password")
    mqtt_password_file: Path | None = Field(None, description="file with the password")
    mqtt_ca_file: Path | None = Field(
        None, description="authority of an mqtts:// broker; the system's if not given"
    )
    mqtt_protocol: Literal["3.1.1", "5"] = Field("3.1.1", description="version of MQTT to speak")
    send_window_mb: float = Field(
        28.0,
        gt=0.0,
        description="that a simulator may send ahead of what is stored; the ingester's room for it",
    )

    influx_url: str | None = Field(None, description="http(s)://host:port of an InfluxDB")
    influx_api: Literal["auto", "v1", "v2"] = Field(
        "auto", description="write call; auto asks the server for its version"
    )
    influx_database: str = Field("telemetry", description="database (1.x, 3.x) or bucket (2.x)")
    influx_database_1m: str = Field(
        "telemetry_1m", description="the same, of roll-ups over a minute, which are kept longer"
    )
    influx_org: str = Field("twin", description="organisation (2.x)")
    influx_username: str | None = Field(None, description="log-in at a 1.x server")
    influx_password: SecretStr | None = Field(None, description="its password")
    influx_password_file: Path | None = Field(None, description="file with the password")
    influx_token: SecretStr | None = Field(None, description="token of a 2.x or 3.x server")
    influx_token_file: Path | None = Field(None, description="file with the token")
    influx_request_kb: float = Field(
        128.0, gt=0, description="rows of one write [kB]; more of them for a store far away"
    )

    ingest_group: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,32}$",
        description="ingesters with the same name share one stream (`$share/NAME/...`)",
    )
    nats_url: str | None = Field(
        None,
        description="nats:// or tls:// host:port, with commas between: the ingester reads from "
        "JetStream there, with the broker's log-in; group `ingest` unless named",
    )
    nats_replicas: int = Field(3, ge=1, le=5, description="servers that hold each message")
    nats_stream_gb: float = Field(10.0, gt=0, description="what may wait in the stream [GB]")

    ack_after: Literal["store", "spool"] = Field(
        "store", description="when the ingester acknowledges: stored, or durable in its spool"
    )
    spool_quota_mb: float = Field(1000.0, gt=0, description="bodies of batches in the spool [MB]")
    spool_full: Literal["wait", "drop_oldest"] = Field(
        "wait", description="quota used up: acknowledge after the store, or drop the oldest"
    )

    embedded_broker: Literal["auto", "mosquitto", "nats"] = Field(
        "auto", description="broker that `twin up` starts when none is configured"
    )
    store_url: str | None = Field(None, description="http://host:port of the embedded store")
    store_token: SecretStr | None = Field(None, description="asked by the embedded store")
    store_token_file: Path | None = Field(None, description="file with the token")
    store_retention_h: float = Field(24.0, gt=0, description="embedded store, since the write")
    store_retention_1m_h: float = Field(
        2160.0, gt=0, description="the same, of roll-ups over a minute: 90 days"
    )

    scenario: str = Field("flown-2026", description="file or name of a shipped scenario")
    owners_file: Path | None = Field(
        None, description="which shard may name which satellite; read again on SIGHUP"
    )
    limits_file: Path | None = Field(
        None, description="channel limits of a fleet other than the dictionary's; also on SIGHUP"
    )
    mirror_satellites: str = Field(
        "", description="comma-separated ids whose reports the simulator also publishes as JSON"
    )
    epoch: str | None = Field(None, description="ISO 8601 UTC; replaces the scenario's epoch")
    console_listen: str = Field("127.0.0.1:8080", description="host:port of the web console")
    console_allowed_hosts: str = Field("", description="comma-separated, besides loopback names")
    console_token: SecretStr | None = Field(
        None, description="asked of every browser; needed beyond loopback"
    )
    console_token_file: Path | None = Field(None, description="file with the token")
    console_certificate_file: Path | None = Field(None, description="TLS: certificate (PEM)")
    console_key_file: Path | None = Field(None, description="TLS: its private key (PEM)")
    console_insecure: bool = Field(False, description="beyond loopback without TLS")
    health_listen: str | None = Field(
        None, description="host:port of /healthz, /readyz, /startupz and /metrics"
    )
    state_dir: Path = Field(
        Path("var"), description="logs, dead letters, embedded broker and store"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="from which level on services log to standard error"
    )
    log_format: Literal["json", "text"] = Field("json", description="of those lines")
    startup_timeout_s: float = Field(0.0, ge=0, description="0 = retry for ever")

    @field_validator("mqtt_url")
    @classmethod
    def _mqtt_scheme(cls, url: str) -> str:
        schemes = {urlsplit(one).scheme for one in url.split(",")}
        for one in url.split(","):
            parts = urlsplit(one)
            if parts.scheme not in MQTT_DEFAULT_PORTS or not parts.hostname or len(schemes) > 1:
                raise ValueError("must be mqtt://host[:port] or mqtts://host[:port]")
            if parts.username or parts.password:
                raise ValueError("holds a credential; use TWIN_MQTT_USERNAME and ..._PASSWORD_FILE")
        return url

    @field_validator("nats_url")
    @classmethod
    def _nats_scheme(cls, url: str | None) -> str | None:
        for one in url.split(",") if url is not None else ():
            parts = urlsplit(one)
            if parts.scheme not in {"nats", "tls"} or not parts.hostname:
                raise ValueError("must be nats://host[:port] or tls://host[:port]")
            if parts.username or parts.password:
                raise ValueError("holds a credential; use TWIN_MQTT_USERNAME and ..._PASSWORD_FILE")
        return url

    @field_validator("influx_url", "store_url")
    @classmethod
    def _http_scheme(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://x")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be http://host[:port] or https://host[:port]")
        if parts.username or parts.password:
            raise ValueError("holds a credential; use TWIN_INFLUX_TOKEN_FILE or ..._PASSWORD_FILE")
        return url.rstrip("/") if url else None

    @model_validator(mode="after")
    def _read_secrets(self) -> Self:
        for name in SECRETS:
            path, value = getattr(self, f"{name}_file"), getattr(self, name)
            if path is not None:
                value = SecretStr(read_secret(name, path))
                object.__setattr__(self, name, value)
            if value is not None:
                refuse_weak(name, value.get_secret_value())
        return self

    @property
    def influx_databases(self) -> tuple[str, str]:
        """Databases or buckets of reports, and of roll-ups over a minute."""
        return self.influx_database, self.influx_database_1m

    @property
    def mqtt(self) -> SplitResult:
        """The broker's address in parts; of a cluster the first."""
        return urlsplit(self.mqtt_url.partition(",")[0])

    def by_broker(self) -> "list[Settings]":
        """These settings once for each address of a cluster, itself where there is one."""
        addresses = self.mqtt_url.split(",")
        if len(addresses) == 1:
            return [self]
        return [self.model_copy(update={"mqtt_url": one}) for one in addresses]

    @property
    def group(self) -> str | None:
        """Name of the ingesters' group; None where one ingester is alone."""
        return self.ingest_group or ("ingest" if self.nats_url else None)

    @property
    def mqtt_port(self) -> int:
        """Port of the broker, by scheme where the address has none."""
        return self.mqtt.port or MQTT_DEFAULT_PORTS[self.mqtt.scheme]


def read_secret(name: str, path: Path) -> str:
    """Text of a secret's file. Raises ValueError for one that is not there or open to others."""
    try:
        # A group may read: container secrets keep the host's owner, and containers join its group.
        loose = path.stat().st_mode & 0o037
        text = path.read_text("utf-8").strip()
    except OSError as error:
        raise ValueError(f"TWIN_{name.upper()}_FILE={path}: {error.strerror}") from None
    if loose:
        raise ValueError(f"TWIN_{name.upper()}_FILE={path}: others can read it; chmod 640")
    return text


def refuse_weak(name: str, secret: str) -> None:
    """Raises ValueError for a secret that somebody could guess."""
    if secret.lower() in WELL_KNOWN_SECRETS or len(secret) < MINIMUM_SECRET_CHARACTERS:
        raise ValueError(
            f"TWIN_{name.upper()}: a well-known default or shorter than "
            f"{MINIMUM_SECRET_CHARACTERS} characters; run `make secrets`"
        )


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment; flags override them. Raises ConfigurationError."""
    try:
        given = {key: value for key, value in overrides.items() if value is not None}
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise ConfigurationError([_problem(row) for row in error.errors()]) from None


def _problem(row: object) -> Problem:
    assert isinstance(row, dict)
    key = ".".join(str(part) for part in row["loc"])
    name = f"TWIN_{key.upper()}" if key else ""
    return Problem("environment", None, name, row["msg"].removeprefix("Value error, "))


def host_and_port(address: str, setting: str) -> tuple[str, int]:
    """Split `host:port`; raises ConfigurationError naming the setting."""
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        problem = Problem("environment", None, setting, f"{address!r} is not host:port (0-65535)")
        raise ConfigurationError([problem])
    return host.strip("[]"), int(port)


def refuse_public_bind(host: str, settings: Settings) -> None:
    """The console beyond loopback needs a token, and TLS or the operator's word to go without.

    Raises ConfigurationError naming the setting that is missing.
    """
    if host in LOOPBACK:
        return
    wide = f"{host} is not a loopback address"
    if settings.console_token is None:
        _refuse("TWIN_CONSOLE_TOKEN_FILE", f"{wide}; a token is needed there")
    has_tls = settings.console_certificate_file and settings.console_key_file
    if not has_tls and not settings.console_insecure:
        _refuse(
            "TWIN_CONSOLE_CERTIFICATE_FILE",
            f"{wide}; give certificate and key, or TWIN_CONSOLE_INSECURE=true to go without TLS",
        )


def loopback_only(host: str, setting: str) -> None:
    """Raises ConfigurationError for an address that other machines can reach."""
    if host not in LOOPBACK:
        _refuse(setting, f"{host} is not a loopback address")


def _refuse(setting: str, message: str) -> NoReturn:
    raise ConfigurationError([Problem("environment", None, setting, message)])


def check_addresses(settings: Settings) -> None:
    """What a service would refuse at its start, without touching any network.

    Raises ConfigurationError.
    """
    if settings.health_listen is not None:
        host_and_port(settings.health_listen, "TWIN_HEALTH_LISTEN")
    host, _port = host_and_port(settings.console_listen, "TWIN_CONSOLE_LISTEN")
    refuse_public_bind(host, settings)
    if not settings.influx_url and not settings.store_url:
        message = "no store: set TWIN_INFLUX_URL or TWIN_STORE_URL"
        raise ConfigurationError([Problem("environment", None, "TWIN_INFLUX_URL", message)])
