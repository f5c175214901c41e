"""The one door to Grafana's HTTP API; grafana-client is behind it.

A request that only reads is repeated where Grafana does not answer or is busy, with full jitter
(Brooker, AWS Architecture Blog, 2015: a random wait below a doubling bound). A write is not: its
first try may have worked, so `services.provision` looks again and decides anew. Every failure is
one line: address, endpoint, status, what to do.
"""

import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from services.grafana_settings import GrafanaSettings
from twin.errors import ConfigurationError, DependencyUnavailableError, Problem, TwinError

ATTEMPTS: Final = 6
FIRST_WAIT_S: Final = 0.25
LONGEST_WAIT_S: Final = 8.0
BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same question may be answered; 500 because Grafana says so of a
locked SQLite file."""
EDITABLE: Final = {"X-Disable-Provenance": "true"}
"""Leaves a resource editable in Grafana's own pages; 9.4 ignores it nearly everywhere."""


class GrafanaBusyError(DependencyUnavailableError):
    """No answer, or one that another try may change."""


class GrafanaRefusedError(TwinError):
    """Grafana understood and said no; `status` and `path` say what of."""

    exit_code = 1

    def __init__(self, message: str, status: int, path: str) -> None:
        super().__init__(message)
        self.status, self.path = status, path


class GrafanaLogInError(ConfigurationError):
    """Grafana does not know who we are (401) or what we are after is not ours to see (403)."""

    def __init__(self, line: str, status: int) -> None:
        needs = "give TWIN_GRAFANA_TOKEN_FILE of a service account with role Admin"
        super().__init__([Problem(line, None, "", needs)])
        self.status = status


@dataclass(frozen=True)
class Patience:
    """How often to try and how long to wait [s] in between."""

    attempts: int = ATTEMPTS
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random  # jitter only: nothing that is simulated

    def wait(self, attempt: int) -> None:
        """Full jitter before try number `attempt` + 1."""
        self.sleep(self.chance() * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**attempt))


class Grafana:
    """A session with one Grafana, for as long as the context lasts."""

    def __init__(self, settings: GrafanaSettings, patience: Patience | None = None) -> None:
        """Raises ConfigurationError where grafana-client is not installed."""
        self.url = settings.grafana_url
        self.patience = patience or Patience()
        self._client, self._errors = _client(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.s.close()

    def get(self, path: str) -> Any:
        """The answer to a question, asked again while Grafana is busy.

        Raises GrafanaBusyError, GrafanaRefusedError and ConfigurationError.
        """
        for attempt in range(self.patience.attempts - 1):
            with suppress(GrafanaBusyError):
                return self.ask("GET", path)
            self.patience.wait(attempt)
        return self.ask("GET", path)

    def find(self, path: str) -> Any:
        """As `get`; None where there is no such thing."""
        try:
            return self.get(path)
        except GrafanaRefusedError as error:
            if error.status == 404:
                return None
            raise

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """One request, once; `path` begins after /api. The decoded body, None where empty."""
        place = f"grafana {self.url}: {method} /api{path}"
        request = getattr(self._client, method)
        try:
            return request(path, json=body, headers=dict(headers or {}), accept_empty_json=True)
        except self._errors.refused as error:
            raise _refusal(place, path, error) from None
        except self._errors.not_json:
            raise GrafanaBusyError(f"{place}: the answer is not JSON; is this Grafana?") from None
        except self._errors.unreachable as error:
            reason = type(error).__name__
            raise GrafanaBusyError(
                f"{place}: no answer ({reason}); is it running, is TWIN_GRAFANA_URL right?"
            ) from None

    def ready(self) -> str:
        """Waits until Grafana's database answers; its version. Raises GrafanaBusyError."""
        reason = "its database is not ready; see Grafana's own log"
        for attempt in range(self.patience.attempts):
            try:
                health = self.ask("GET", "/health")
            except (GrafanaBusyError, GrafanaRefusedError) as error:
                reason = str(error)
            else:
                if isinstance(health, dict) and health.get("database") == "ok":
                    return str(health.get("version", "unknown"))
            self.patience.wait(attempt)
        raise GrafanaBusyError(
            reason if reason.startswith("grafana") else f"grafana {self.url}: {reason}"
        )


@dataclass(frozen=True)
class _Errors:
    """What grafana-client and the library below it raise."""

    refused: type[Exception]
    not_json: tuple[type[Exception], ...]
    unreachable: tuple[type[Exception], ...]


def _client(settings: GrafanaSettings) -> tuple[Any, _Errors]:
    try:
        import requests
        from grafana_client import GrafanaApi
        from grafana_client.client import GrafanaException
    except ImportError:
        message = "grafana-client is not installed: pip install 'orbital-twin[grafana]'"
        raise ConfigurationError([Problem("environment", None, "", message)]) from None
    login: Any = None
    if settings.grafana_token is not None:
        login = settings.grafana_token.get_secret_value()
    elif settings.grafana_username and settings.grafana_password:
        login = (settings.grafana_username, settings.grafana_password.get_secret_value())
    url = settings.grafana_url if settings.grafana_url.endswith("/") else f"{settings.grafana_url}/"
    api = GrafanaApi.from_url(url, credential=login, timeout=settings.grafana_timeout_s)
    api.client.s.trust_env = False  # neither a proxy nor a .netrc of the machine
    if settings.grafana_domain:
        api.client.s.headers["Host"] = settings.grafana_domain
    return api.client, _Errors(
        GrafanaException, (ValueError,), (requests.exceptions.RequestException, OSError)
    )


def _refusal(place: str, path: str, error: Any) -> TwinError:
    status = int(error.status_code)
    said = error.response
    reason = said.get("message", said) if isinstance(said, dict) else said
    line = " ".join(f"{place}: HTTP {status}: {reason}".split())[:400]
    if status in {401, 403}:
        return GrafanaLogInError(line, status)
    if status in BUSY:
        return GrafanaBusyError(f"{line}; see Grafana's own log")
    return GrafanaRefusedError(line, status, path)
