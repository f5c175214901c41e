"""Logs of services: one JSON object a line on standard error, or plain text for people.

Every line has `ts level svc instance event`. What is known to be secret is blotted out wherever it
stands, also in tracebacks; what repeats within seconds is told once, with a count.
"""

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from services.settings import Settings

REPEAT_S = 10.0
KINDS_LIMIT = 1_000
MASK = "***"
CREDENTIAL = re.compile(
    r"(?i)((?:password|passwd|token|secret|authorization|api[_-]?key)[\"']?\s*[=:]\s*[\"']?"
    r"(?:token |bearer |basic )?)[^\s\"',&}]+"
)
URL_CREDENTIAL = re.compile(r"(?<=://)[^\s/@]+(?=@)")


class Redactor:
    """Blots out secrets: values that are known, and what looks like a credential."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        """A processor of structlog."""
        return {name: self._clean(value) for name, value in event.items()}

    def _clean(self, value: object) -> object:
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return URL_CREDENTIAL.sub(MASK, CREDENTIAL.sub(rf"\g<1>{MASK}", text))


class OncePerWhile(logging.Filter):
    """Lets one of equal lines through in `every_s`; the next one says how many there were."""

    def __init__(
        self, every_s: float = REPEAT_S, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._every_s = every_s
        self._now_s = now_s
        self._told: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """True for a line to be written."""
        key, now_s = (record.name, record.levelno, str(record.msg)), self._now_s()
        told_s, count = self._told.get(key, (-self._every_s, 0))
        if now_s - told_s < self._every_s:
            self._told[key] = told_s, count + 1
            return False
        if len(self._told) >= KINDS_LIMIT:
            self._told.clear()
        self._told[key] = now_s, 0
        if count:
            record.repeated = count
        return True


def secrets_of(settings: Settings) -> list[str]:
    """The values that no log may show."""
    held = [getattr(settings, name) for name in type(settings).model_fields]
    return [one.get_secret_value() for one in held if isinstance(one, SecretStr)]


def log_as_service(settings: Settings, service: str, instance: str = "1") -> None:
    """Log this process as one service, in the level and format that the settings name."""
    redact = Redactor(secrets_of(settings))

    def who(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        return {"svc": service, "instance": instance, "pid": os.getpid()} | dict(event)

    before: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow={"repeated"}),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        who,
    ]
    lines: Processor = structlog.processors.JSONRenderer()
    if settings.log_format == "text":
        lines = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), timestamp_key="ts")
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(OncePerWhile())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, lines],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    logging.captureWarnings(True)
