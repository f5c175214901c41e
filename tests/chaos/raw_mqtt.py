"""As little MQTT 3.1.1 as a load needs: thousands of messages a second from one process.

Packets are written by hand (OASIS MQTT 3.1.1, sections 3.1 to 3.7): CONNECT, PUBLISH and what
answers it, nothing else.
"""

import asyncio
import ssl
import struct
from collections.abc import Iterable

WINDOW = 200
CONNACK, PUBACK, PUBREC, PUBCOMP = 0x20, 0x40, 0x50, 0x70
PUBREL = 0x62
AT_LEAST_ONCE = 0x02
Message = tuple[str, bytes] | tuple[str, bytes, int]
"""Topic, payload, and the flags of the first byte where they are not those of QoS 1."""


class RefusedError(Exception):
    """The broker did not answer a CONNECT with yes."""


def _text(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack(">H", len(data)) + data


def _packet(kind: int, body: bytes) -> bytes:
    size, length = len(body), b""
    while True:
        size, rest = divmod(size, 128)
        length += bytes([rest | (0x80 if size else 0)])
        if not size:
            return bytes([kind]) + length + body


def connect_packet(client_id: str, user: str = "", password: str = "") -> bytes:
    """A clean session, kept alive by nobody."""
    flags = 0x02 | (0xC0 if user else 0)
    body = _text("MQTT") + bytes([4, flags]) + struct.pack(">H", 0) + _text(client_id)
    return _packet(0x10, body + (_text(user) + _text(password) if user else b""))


def publish_packet(
    topic: str | bytes, payload: bytes, number: int, flags: int = AT_LEAST_ONCE
) -> bytes:
    """QoS 1 unless the flags say otherwise."""
    mark = struct.pack(">H", number) if flags & 0x06 else b""
    return _packet(0x30 | flags, _text(topic) + mark + payload)


async def read_packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Kind and body. Raises asyncio.IncompleteReadError when the broker has gone."""
    kind = (await reader.readexactly(1))[0]
    size = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return kind, await reader.readexactly(size)


async def connected(
    port: int,
    client_id: str,
    user: str = "",
    password: str = "",
    tls: ssl.SSLContext | None = None,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A session. Raises OSError, IncompleteReadError or RefusedError."""
    name = "localhost" if tls else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    try:
        writer.write(connect_packet(client_id, user, password))
        kind, body = await read_packet(reader)
        if kind != CONNACK or body[1]:
            raise RefusedError(f"{kind:#x} {body.hex()}")
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer


async def send_all(port: int, messages: Iterable[Message], client_id: str = "load") -> int:
    """Publish, at most WINDOW on their way, until the broker has answered the last."""
    reader, writer = await connected(port, client_id)
    slots, sent = asyncio.Semaphore(WINDOW), 0

    async def hear() -> None:
        while True:
            kind, body = await read_packet(reader)
            if kind in {PUBACK, PUBCOMP}:
                slots.release()
            elif kind == PUBREC:
                writer.write(_packet(PUBREL, body))

    heard = asyncio.create_task(hear())
    try:
        for topic, payload, *flags in messages:
            await slots.acquire()
            sent += 1
            writer.write(publish_packet(topic, payload, sent % 65_535 + 1, *flags))
            if sent % 50 == 0:
                await writer.drain()
        for _ in range(WINDOW):
            await slots.acquire()
    finally:
        heard.cancel()
        writer.close()
    return sent


def publish_all(port: int, messages: Iterable[Message]) -> int:
    """The same from outside an event loop."""
    return asyncio.run(send_all(port, messages))
