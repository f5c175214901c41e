"""A TCP proxy in a thread of its own whose link is made bad while it runs."""

import asyncio
import random
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass

CHUNK_BYTES = 65_536


@dataclass
class Toxics:
    """What is wrong with the link now; nothing by default."""

    latency_s: float = 0.0
    jitter_s: float = 0.0
    rate_bytes_s: float = 0.0  # 0 = unlimited
    slice_bytes: int = 0  # 0 = whole
    black_hole: bool = False  # bytes wait, connections hang, as behind a DROP rule
    refusing: bool = False


class Proxy:
    """127.0.0.1:port -> 127.0.0.1:target, both directions through the toxics."""

    def __init__(self, target: int, port: int) -> None:
        self.target = target
        self.port = port
        self.toxics = Toxics()
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._healthy = asyncio.Event()
        self._healthy.set()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait(10.0)

    def set(self, **toxics: float | bool) -> None:
        """Replace the toxics; what waits in a black hole goes on when it is gone."""

        def change() -> None:
            self.toxics = Toxics(**toxics)  # type: ignore[arg-type]
            (self._healthy.clear if self.toxics.black_hole else self._healthy.set)()

        self._loop.call_soon_threadsafe(change)

    def reset_all(self) -> None:
        """RST on every connection."""
        self._loop.call_soon_threadsafe(self._reset_all)

    def close(self) -> None:
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(lambda *_: None)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", self.port)
        )
        started.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.1))
        self._loop.close()

    def _reset_all(self) -> None:
        for writer in list(self._writers):
            link = writer.get_extra_info("socket")
            with suppress(OSError):
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.toxics.refusing:
            writer.transport.abort()
            return
        await self._healthy.wait()
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, there_writer}
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, there_writer))
                tasks.create_task(self._pump(there_reader, writer))
        except* OSError:
            pass
        finally:
            self._writers -= {writer, there_writer}
            writer.transport.abort()
            there_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            await self._healthy.wait()
            toxics = self.toxics
            if toxics.latency_s or toxics.jitter_s:
                await asyncio.sleep(
                    max(0.0, toxics.latency_s + random.uniform(-1.0, 1.0) * toxics.jitter_s)
                )
            if toxics.rate_bytes_s:
                await asyncio.sleep(len(data) / toxics.rate_bytes_s)
            if toxics.slice_bytes:
                for start in range(0, min(len(data), 200), toxics.slice_bytes):
                    writer.write(data[start : start + toxics.slice_bytes])
                    await writer.drain()
                    await asyncio.sleep(0)
                data = data[200:]
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError
