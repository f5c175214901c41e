"""People who connect and do not mean well: junk, garbage and silence, before any log-in."""

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

WAIT_S = 30.0
JUNK_SOCKETS, JUNK_BYTES = 14, 100_000_000
GARBAGE_BYTES = 64
SILENT_SOCKETS = 500
CHUNK = 1_000_000

MQTT_OPENING = b"\x10\xff\xff\xff\x7f"
"""CONNECT that announces 256 MB."""
HTTP_OPENING = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "
"""A header that does not end."""


def junk(port: int, opening: bytes) -> None:
    """So many connections that pour in so many bytes, or as many as are taken, and go."""
    chunk = b"a" * CHUNK
    for _ in range(JUNK_SOCKETS):
        # Refused, or cut off in the middle: either is as it should be.
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), WAIT_S) as wire:
            wire.sendall(opening)
            for _ in range(JUNK_BYTES // CHUNK):
                wire.sendall(chunk)


def garbage(port: int, count: int, seed: int = 0) -> None:
    """So many connections that say a few random bytes each, and go."""
    source = random.Random(seed)
    for _ in range(count):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), WAIT_S) as wire:
            wire.sendall(source.randbytes(GARBAGE_BYTES))


@contextmanager
def silence(port: int) -> Iterator[list[socket.socket]]:
    """So many connections at once that say nothing."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), WAIT_S))
            for _ in range(SILENT_SOCKETS)
        ]
