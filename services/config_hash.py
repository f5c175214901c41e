"""One number for what a process was told: it changes when a setting or a file it has read does."""

import hashlib

import orjson

from services.settings import SECRETS, Settings


def settings_text(settings: Settings) -> str:
    """Every effective setting as JSON but for secrets, which no hash may give away.

    Where a process keeps its files is left out too: it does the same things elsewhere.
    """
    hidden = {*SECRETS, *(f"{name}_file" for name in SECRETS), "state_dir"}
    shown = settings.model_dump(mode="json", exclude=hidden)
    return orjson.dumps(shown, option=orjson.OPT_SORT_KEYS).decode()


def hash_of(parts: dict[str, str]) -> int:
    """The first 48 bits of a SHA-256: a float of `ops` carries them exactly."""
    text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    return int(hashlib.sha256(text).hexdigest()[:12], 16)
