"""Where messages and rows go that nobody can use: kept, counted, capped, never silent."""

import base64
import logging
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import orjson

LOG = logging.getLogger(__name__)
KEPT_BYTES = 4096
FILE_LIMIT_BYTES = 64 * 1024 * 1024


class DeadLetters:
    """JSON lines of {at, reason, topic, bytes, head}; past the file's cap they are only counted."""

    def __init__(self, path: Path, unix_s: Callable[[], float] = time.time) -> None:
        self._path = path
        self._unix_s = unix_s
        self.by_reason: Counter[str] = Counter()
        self.frames_count = 0

    @property
    def count(self) -> int:
        """Messages and rows refused since the start."""
        return sum(self.by_reason.values())

    def add(self, topic: str, reason: str, payload: bytes, frames: int = 0) -> None:
        """Keep one refused message: reason, topic and its first 4 KiB."""
        kind = reason.partition(":")[0]
        if not self.by_reason[kind]:
            LOG.warning("dead letter from %s: %s", topic, reason)
        self.by_reason[kind] += 1
        self.frames_count += frames
        row = {
            "at": self._unix_s(),
            "topic": topic,
            "reason": reason,
            "bytes": len(payload),
            "head": base64.b64encode(payload[:KEPT_BYTES]).decode(),
        }
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if not self._path.exists() or self._path.stat().st_size < FILE_LIMIT_BYTES:
                with self._path.open("ab") as file:
                    file.write(orjson.dumps(row) + b"\n")
        except OSError as error:
            LOG.error("dead letters cannot be kept in %s: %s", self._path, error)
