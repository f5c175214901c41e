"""How a command beside a running `twin up` finds its broker and a log-in there."""

from pathlib import Path

from pydantic import SecretStr

from services.embedded_broker import ADDRESS, CREDENTIALS
from services.settings import Settings


def with_local_login(settings: Settings, user: str) -> Settings:
    """The settings with address and log-in of the broker that `twin up` runs on these files.

    As they were where a log-in or another broker is named, or where no such run is on.
    """
    directory = settings.state_dir / "broker"
    address, password = _text(directory / ADDRESS), _text(directory / CREDENTIALS / user)
    is_named = "mqtt_url" in settings.model_fields_set and settings.mqtt_url != address
    if not address or not password or is_named or settings.mqtt_username:
        return settings
    return settings.model_copy(
        update={
            "mqtt_url": address,
            "mqtt_username": user,
            "mqtt_password": SecretStr(password),
        }
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return ""
