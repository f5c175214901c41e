"""Where Grafana is, how to log in to it, and where its notifications go: TWIN_ variables."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dashboards.routes import Receiver
from services.settings import read_secret, refuse_weak
from twin.errors import ConfigurationError, Problem

URLS = ("grafana_url", "grafana_store_url")
ADDRESSES = ("alert_page_url", "alert_ticket_url", "alert_log_url", "alert_drill_url")
OTHERS = ("alert_runbook_url",)


class GrafanaSettings(BaseSettings):
    """Read by `twin provision` and `make grafana-smoke`; services need none of it."""

    model_config = SettingsConfigDict(env_prefix="TWIN_", extra="ignore", frozen=True)

    grafana_url: str = Field("http://127.0.0.1:3000", description="http(s)://host:port of Grafana")
    grafana_domain: str | None = Field(
        None, description="name that Grafana enforces (GF_SERVER_DOMAIN), if not the address's"
    )
    grafana_token: SecretStr | None = Field(
        None, description="token of a service account with role Admin"
    )
    grafana_token_file: Path | None = Field(None, description="file with the token")
    grafana_username: str | None = Field(None, description="log-in instead of a token")
    grafana_password: SecretStr | None = Field(None, description="its password")
    grafana_password_file: Path | None = Field(None, description="file with the password")
    grafana_timeout_s: float = Field(10.0, gt=0, description="time for one answer of Grafana")
    grafana_store_url: str | None = Field(
        None, description="the store as Grafana reaches it; TWIN_INFLUX_URL if not given"
    )

    alert_page_url: str | None = Field(None, description="webhook for what wakes somebody")
    alert_ticket_url: str | None = Field(None, description="webhook for what makes a ticket")
    alert_log_url: str | None = Field(None, description="webhook for what is only noted")
    alert_drill_url: str | None = Field(None, description="webhook for alerts of drill fleets")
    alert_runbook_url: str | None = Field(
        None, description="address of a folder that serves dashboards/runbooks"
    )
    alert_satellites: Literal["ticket", "page"] = Field(
        "ticket",
        description="what a single satellite's critical alert makes where a rule over the whole "
        "fleet pages for its cause: ticket, or page for fleets of a few",
    )
    alert_source: Literal["telemetry", "watch"] = Field(
        "telemetry",
        description="what Grafana's rules of single satellites ask: their telemetry, or what "
        "`twin watch` found in it, which costs the store nothing in a fleet of thousands",
    )
    drill_listen: str = Field(
        "127.0.0.1:8087",
        description="host:port for Grafana's webhooks during `twin drill run --live --grafana`",
    )
    drill_token: SecretStr | None = Field(
        None, description="what those webhooks bear; needed beyond loopback"
    )
    drill_token_file: Path | None = Field(None, description="file with it")
    alert_page_emails: str = Field("", description="addresses for pages, with ; between")

    @field_validator(*URLS, *ADDRESSES, *OTHERS)
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if not url:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be http://host[:port] or https://host[:port]")
        if parts.username or parts.password:
            raise ValueError("holds a credential")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _read_secrets(self) -> Self:
        for name in ("grafana_password", "grafana_token", "drill_token"):
            path = getattr(self, f"{name}_file")
            if path is not None:
                object.__setattr__(self, name, SecretStr(read_secret(name, path)))
            value: SecretStr | None = getattr(self, name)
            if value is not None:
                refuse_weak(name, value.get_secret_value())
        if self.grafana_username and self.grafana_password is None:
            raise ValueError("TWIN_GRAFANA_USERNAME needs TWIN_GRAFANA_PASSWORD_FILE")
        return self

    @property
    def addresses(self) -> dict[Receiver, str]:
        """Webhook of each receiver that has one."""
        given: dict[Receiver, str | None] = {
            "page": self.alert_page_url,
            "ticket": self.alert_ticket_url,
            "log": self.alert_log_url,
            "drill": self.alert_drill_url,
        }
        return {key: url for key, url in given.items() if url}


def load_grafana_settings(**overrides: object) -> GrafanaSettings:
    """Settings from the environment; flags override them. Raises ConfigurationError."""
    try:
        given = {key: value for key, value in overrides.items() if value is not None}
        return GrafanaSettings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = []
        for row in error.errors():
            key = ".".join(str(part) for part in row["loc"])
            name = f"TWIN_{key.upper()}" if key else ""
            message = row["msg"].removeprefix("Value error, ")
            problems.append(Problem("environment", None, name, message))
        raise ConfigurationError(problems) from None
